//! Steps by example, and what is known behind them.

use std::time::Duration;

use super::super::step::Pause;
use super::*;
use crate::scenario::parse::parse_alone;
use crate::scenario::{Cohort, Gaps, Overrides, Phase, Problems, Segment, Variable};

fn parsed(text: &str) -> Result<Vec<Cohort>, Problems> {
    let head = "name = \"x\"\ntarget.url = \"embedded\"\n";
    parse_alone(&format!("{head}{text}"), &Overrides::default()).map(|parsed| parsed.cohorts)
}

fn cohorts(text: &str) -> Vec<Cohort> {
    parsed(text).unwrap_or_else(|problems| panic!("{problems}"))
}

fn steps(text: &str) -> Vec<Step> {
    cohorts(&format!("load.connections = 1\n{text}"))
        .remove(0)
        .steps
}

#[test]
fn each_verb_is_read() {
    let text = r#"
        [[step]]
        pause = "2s"
        [[step]]
        pause = ["0s", "3s"]
        [[step]]
        pause = { mean = "2s" }
        chance = "25%"
        [[step]]
        wait_for = "measuring"
        [[step]]
        name = "heard"
        await = ["a", { has = "/b" }]
        times = 3
        timeout = "1s"
        on_fail = "go_on"
        [[step]]
        name = "all"
        repeat = { count = 3, for = "1m", rate = "4/m", gaps = "poisson" }
        [[step.step]]
        send = "x"
        expect = "none"
        [[step]]
        reconnect = {}
        chance = "1%"
        [[step]]
        close = { code = 4000, reason = "bye" }
    "#;
    let all = steps(text);
    let (two, three) = (Duration::from_secs(2), Duration::from_secs(3));
    assert_eq!(all[0].verb, Verb::Pause(Pause::Constant(two)));
    let even = Pause::Even(Duration::ZERO, three);
    assert_eq!(all[1].verb, Verb::Pause(even));
    assert_eq!(all[2].verb, Verb::Pause(Pause::Exponential(two)));
    assert_eq!((all[2].chance, all[0].chance), (0.25, 1.0));
    assert_eq!(all[3].verb, Verb::WaitForMeasuring);
    let Verb::Await(wait) = &all[4].verb else {
        panic!("{all:?}");
    };
    assert_eq!((wait.any.len(), wait.times), (2, 3));
    assert_eq!(wait.timeout, Duration::from_secs(1));
    assert_eq!(
        (all[4].on_fail, all[3].on_fail),
        (OnFail::GoOn, OnFail::Skip)
    );
    let Verb::Repeat(repeat) = &all[5].verb else {
        panic!("{all:?}");
    };
    assert_eq!(repeat.count, Some(3));
    assert_eq!(repeat.lasts, Some(Duration::from_secs(60)));
    let pace = repeat.pace.unwrap();
    assert_eq!((pace.gaps, pace.phase), (Gaps::Poisson, Phase::Spread));
    assert!(matches!(repeat.steps[0].verb, Verb::Send(_)));
    let after = Duration::ZERO;
    assert_eq!(all[6].verb, Verb::Reconnect { after });
    let (code, reason) = (4000, "bye".to_owned());
    assert_eq!(all[7].verb, Verb::Close { code, reason });
}

const LOGIN: &str = r#"
    [[setup]]
    name = "login"
    send = { json = '{"id":{{id}}}' }
    expect = { "/id" = "{{id}}" }
    save = { token = "/token" }
"#;

#[test]
fn what_the_setup_keeps_is_known_to_all_that_follows() {
    let text = format!(
        "load.connections = 1\n{LOGIN}\n{}",
        r#"
        [[step]]
        name = "use"
        send = "{{token}} {{login.id}}"
        expect = "none"
        [[message]]
        name = "say"
        payload = "{{token}}"
        expect = "none"
        rate = "1/s"
        [[on]]
        name = "hear"
        match = { "/t" = "{{token}}", "/later" = "{{use.id}}" }
        reply = "{{own}} {{token}} {{use.id}}"
        save = { own = "/own" }
        "#
    );
    let cohort = cohorts(&text).remove(0);
    assert_eq!(cohort.saved, ["token", "own"]);
    assert_eq!(cohort.setup[0].on_fail, OnFail::Close);
    // The slots: the message, the set-up, the step.
    let Verb::Send(send) = &cohort.steps[0].verb else {
        panic!("{cohort:?}");
    };
    let payload::Payload::Template(segments) = &send.payload else {
        panic!("{send:?}");
    };
    assert_eq!(segments[2], Segment::Variable(Variable::IdOf(1)));
    // The reply needs what is kept before, and the match says so.
    let needed = cohort.on[0].matching.conditions.len() - 2;
    assert_eq!(needed, 2);
}

#[test]
fn what_is_left_out_perhaps_is_not_known() {
    let using = "[[step]]\nname = \"use\"\nsend = \"{{kept}}\"\nexpect = \"none\"\n";
    let keeps = "name = \"keep\"\nawait = \"a\"\nsave = { kept = \"whole\" }\n";
    let is_known = |steps: &str| parsed(&format!("load.connections = 1\n{steps}{using}")).is_ok();
    let other = "name = \"other\"\nawait = \"b\"\n";
    for (steps, expected) in [
        (format!("[[step]]\n{keeps}"), true),
        (format!("[[step]]\n{keeps}chance = \"99%\"\n"), false),
        (format!("[[step]]\n{keeps}on_fail = \"go_on\"\n"), false),
        (format!("[[setup]]\n{keeps}"), true),
        // The rest of the set-up is left out, and the client is ready.
        (format!("[[setup]]\n{keeps}on_fail = \"skip\"\n"), false),
        (
            format!("[[setup]]\n{other}on_fail = \"skip\"\n[[setup]]\n{keeps}"),
            false,
        ),
        // The rest of the turn is left out.
        (
            format!("[[step]]\nrepeat = {{ count = 2 }}\n[[step.step]]\n{keeps}"),
            false,
        ),
        (
            format!(
                "[[step]]\nrepeat = {{ count = 2 }}\n[[step.step]]\n{keeps}on_fail = \"close\"\n"
            ),
            true,
        ),
        (
            format!(
                "[[step]]\nrepeat = {{ for = \"1s\" }}\n[[step.step]]\n{keeps}on_fail = \"close\"\n"
            ),
            false,
        ),
    ] {
        assert_eq!(is_known(&steps), expected, "{steps}");
    }
}

#[test]
fn a_list_of_a_cohort_replaces_the_one_above() {
    let text = format!(
        "{LOGIN}\n{}",
        r#"
        [[message]]
        name = "say"
        payload = "{{token}}"
        expect = "none"
        rate = "1/s"
        [[cohort]]
        name = "a"
        connections = 1
        [[cohort.setup]]
        name = "guest"
        await = "welcome"
        save = { token = "whole" }
        [[cohort]]
        name = "b"
        connections = 1
        [[cohort]]
        name = "c"
        connections = 1
        setup = []
        message = []
        "#
    );
    let cohorts = cohorts(&text);
    let names: Vec<Vec<&str>> = (cohorts.iter())
        .map(|cohort| {
            cohort
                .each_step()
                .filter_map(|step| step.name.as_deref())
                .collect()
        })
        .collect();
    assert_eq!(names, [vec!["guest"], vec!["login"], vec![]]);
    let without = text.replace("message = []", "");
    let problems = parsed(&without).unwrap_err().to_string();
    assert!(
        problems.contains("`message.payload` has `{{token}}`, which nothing sets"),
        "{problems}"
    );
}

#[test]
fn sixteen_awaits_wait_at_the_same_time() {
    let awaits = |count: usize| -> String {
        (0..count)
            .map(|n| format!("[[step]]\nname = \"a{n}\"\nawait = \"b{n}\"\n"))
            .collect()
    };
    let is_read = |steps: &str| parsed(&format!("load.connections = 1\n{steps}")).is_ok();
    assert!(is_read(&awaits(16)));
    assert!(!is_read(&awaits(17)));
    let sent = "[[step]]\nsend = \"a\"\nexpect = \"none\"\n";
    let many = awaits(17);
    let (first, last) = many.split_once("[[step]]\nname = \"a9\"").unwrap();
    assert!(is_read(&format!(
        "{first}{sent}[[step]]\nname = \"a9\"{last}"
    )));
}
