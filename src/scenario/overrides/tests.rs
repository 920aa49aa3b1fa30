//! Tests each option on scenarios that have and have not what it changes.

use std::time::Duration;

use super::*;
use crate::scenario::parse::parse_alone as run;
use crate::scenario::{Lasts, Pacing, Process, Scenario, ServerNameIs, Shape, Trust, shipped};

const TWO: &str = r#"
    name = "two"
    target = { url = "embedded", push = "1s" }
    load.connections = 10
    [[message]]
    name = "ask"
    rate = "1/s"
    [[message]]
    name = "tell"
    rate = "1/s"
    [gates]
    pass = ["p99(latency.ask) < 1s", "p50(latency.ask) < 1s"]
"#;

fn rates(scenario: &Scenario) -> Vec<f64> {
    let messages = scenario.cohorts[0].messages.iter();
    messages
        .map(|message| match message.pacing {
            Pacing::Open { rate, .. } => rate.hertz(),
            Pacing::Closed { .. } => 0.0,
        })
        .collect()
}

#[test]
fn a_rate_goes_to_its_message() {
    let overrides = Overrides {
        rates: vec!["tell=5/s".into()],
        ..Overrides::default()
    };
    assert_eq!(rates(&run(TWO, &overrides).unwrap()), [1.0, 5.0]);
}

#[test]
fn a_rate_without_a_name_goes_to_the_only_message_or_to_the_arrivals() {
    let overrides = Overrides {
        rates: vec!["5/s".into()],
        ..Overrides::default()
    };
    assert_eq!(
        rates(&run(shipped::named("echo").unwrap(), &overrides).unwrap()),
        [5.0]
    );
    let storm = "name = \"s\"\ntarget.url = \"embedded\"\nload.arrivals = { rate = \"1/s\", lifetime = \"1s\" }";
    let Shape::Arrivals { rate, .. } = run(storm, &overrides).unwrap().load.shape else {
        panic!("no arrivals");
    };
    assert_eq!(rate.hertz(), 5.0);
}

#[test]
fn a_gate_takes_the_place_of_its_like_or_is_added() {
    let overrides = Overrides {
        gates: vec![
            "p99( latency.ask ) < 2s".into(),
            "p99(latency.tell) < 2s".into(),
        ],
        ..Overrides::default()
    };
    let scenario = run(TWO, &overrides).unwrap();
    let gates: Vec<&str> = scenario
        .gates
        .pass
        .iter()
        .map(|gate| gate.text.as_str())
        .collect();
    assert_eq!(
        gates,
        [
            "p50(latency.ask) < 1s",
            "p99( latency.ask ) < 2s",
            "p99(latency.tell) < 2s"
        ]
    );
}

#[test]
fn an_address_takes_what_only_the_built_in_server_has_away() {
    let text = TWO.replace(
        "push = \"1s\"",
        "push = \"1s\", rooms = true, heartbeat = { timeout = \"1s\" }",
    );
    let mut overrides = Overrides {
        url: Some("ws://127.0.0.1/".into()),
        ..Overrides::default()
    };
    let target = run(&text, &overrides).unwrap().target;
    assert_eq!(
        (
            target.embedded_push,
            target.embedded_heartbeat,
            target.embedded_rooms
        ),
        (None, None, None)
    );
    overrides.url = Some("embedded".into());
    let target = run(&text, &overrides).unwrap().target;
    assert_eq!(target.embedded_push, Some(Duration::from_secs(1)));
    assert!(target.embedded_heartbeat.is_some() && target.embedded_rooms.is_some());
}

#[test]
fn an_address_without_tls_takes_its_keys_away() {
    let text = "name = \"one\"\n[target]\nurl = \"wss://h/\"\ninsecure = true\ntls.versions = [\"1.2\"]\n\
        [load]\nconnections = 1\n";
    for (url, trust) in [("ws://h/", Trust::System), ("wss://other/", Trust::Anyone)] {
        let overrides = Overrides {
            url: Some(url.into()),
            ..Overrides::default()
        };
        assert_eq!(
            run(text, &overrides).unwrap().target.access.tls.trust,
            trust,
            "{url}"
        );
    }
}

#[test]
fn what_lets_a_client_in_takes_the_place_of_what_is_there() {
    let own = "url = \"wss://127.0.0.1/\", headers = { authorization = \"a\", X = \"y\" }, insecure = true";
    let text = TWO.replace("url = \"embedded\", push = \"1s\"", own);
    let overrides = Overrides {
        access: vec![
            AccessOption::Header("Authorization".into(), "Bearer b".into()),
            AccessOption::Header("Origin".into(), "https://example.org".into()),
            AccessOption::Subprotocols(vec!["chat".into(), "mqtt".into()]),
        ],
        ..Overrides::default()
    };
    let target = run(&text, &overrides).unwrap().target;
    let mut headers = target.access.ask.headers;
    headers.sort();
    let bearer = ("Authorization".into(), "Bearer b".into());
    assert_eq!(headers, [bearer, ("X".into(), "y".into())]);
    assert_eq!(
        target.access.ask.origin.as_deref(),
        Some("https://example.org")
    );
    assert_eq!(target.access.ask.subprotocols, ["chat", "mqtt"]);
    assert_eq!(target.access.tls.trust, Trust::Anyone);
}

/// Whom to trust and who the clients are is one question each: an option leaves nothing of the file's answer.
#[test]
fn an_option_of_access_takes_the_place_of_all_that_answers_the_same_question() {
    let tls = r#"
        [target.tls]
        insecure = true
        certificate = "ours.pem"
        server_name = "chat.internal"
    "#;
    let own = "url = \"wss://127.0.0.1/\", proxy = \"http://old:1\"";
    let text = TWO.replace("target = { url = \"embedded\", push = \"1s\" }", "")
        + "[target]\n"
        + &own.replace(", ", "\n")
        + tls;
    let pin = "sha256//YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=";
    let overrides = Overrides {
        access: vec![
            AccessOption::Pins(vec![pin.into()]),
            AccessOption::Proxy("socks5h://me:secret@new:2".into()),
        ],
        ..Overrides::default()
    };
    // The certificate is no file that is there, so it has to be replaced too.
    let said = run(&text, &overrides).unwrap_err().to_string();
    assert!(said.contains("`target.tls.certificate`"), "{said}");
    let text = text.replace("certificate = \"ours.pem\"", "");
    let access = run(&text, &overrides).unwrap().target.access;
    assert_eq!(access.tls.trust, Trust::Pinned);
    assert_eq!(
        access.tls.server_name,
        ServerNameIs::Given("chat.internal".into())
    );
    assert_eq!(access.proxy.unwrap().shown(), "socks5h://new:2");
    let shown = overrides.access.iter().flat_map(AccessOption::shown);
    assert_eq!(
        Vec::from_iter(shown),
        [
            format!("--pin {pin}"),
            "--proxy socks5h://***@new:2".to_owned()
        ]
    );
}

#[test]
fn the_built_in_server_takes_the_process_of_another_away() {
    let url = "url = \"ws://127.0.0.1/\", command = [\"node\", \"server.js\"]";
    let text = TWO.replace("url = \"embedded\", push = \"1s\"", url);
    let command = run(&text, &Overrides::default()).unwrap().target.process;
    assert_eq!(
        command,
        Process::Command(vec!["node".into(), "server.js".into()])
    );
    let overrides = Overrides {
        url: Some("embedded".into()),
        ..Overrides::default()
    };
    assert_eq!(
        run(&text, &overrides).unwrap().target.process,
        Process::Unknown
    );
}

#[test]
fn arrivals_and_a_steady_load_take_connections_and_duration_their_way() {
    let overrides = Overrides {
        connections: Some(7),
        duration: Some("3s".into()),
        ..Overrides::default()
    };
    let three = Duration::from_secs(3);
    let scenario = run(TWO, &overrides).unwrap();
    assert_eq!(scenario.cohorts[0].connections, 7);
    assert!(
        matches!(scenario.load.shape, Shape::Steady { duration, .. } if duration == Lasts::For(three))
    );
    let scenario = run(shipped::named("storm").unwrap(), &overrides).unwrap();
    assert!(matches!(
        scenario.load.shape,
        Shape::Arrivals { max_open: 7, duration, .. } if duration == three
    ));
}

#[test]
fn a_process_takes_the_place_of_the_command() {
    let text = TWO.replace(
        "\"embedded\", push = \"1s\"",
        "\"ws://[::1]/\", command = [\"node\"]",
    );
    let overrides = Overrides {
        pid: Some(4711),
        ..Overrides::default()
    };
    let process = run(&text, &overrides).unwrap().target.process;
    assert_eq!(process, Process::Pid(4711));
    let said = run(TWO, &overrides).unwrap_err().to_string();
    let line = "`target.pid` cannot be used with the built-in server, which wsbench starts itself\n--> --pid";
    assert!(said.contains(line), "{said}");
}

#[test]
fn wrong_options_are_told_like_wrong_keys_all_at_once() {
    let overrides = Overrides {
        url: Some("localhost:3000".into()),
        pid: Some(0),
        connections: Some(0),
        duration: Some("soon".into()),
        rates: vec!["5/s".into(), "asks=5/s".into(), "fast".into()],
        gates: vec!["p99(latency.ask) < 50".into()],
        access: vec![
            AccessOption::Header("Bad Name".into(), "x".into()),
            AccessOption::Insecure,
            AccessOption::Key("client.key".into()),
            AccessOption::Proxy("http://me:s3cret@proxy".into()),
        ],
        ..Overrides::default()
    };
    let said = run(TWO, &overrides).unwrap_err().to_string();
    for line in [
        "`target.url` has no scheme\n--> --url",
        "`target.headers.Bad Name` is not a header name\n--> --header",
        "`target.tls.key` is only for `certificate`, and there is none\n--> --key",
        "`target.proxy` has no port\n--> --proxy",
        "`--pid` cannot be 0\n--> --pid",
        "`--connections` cannot be 0\n--> --connections",
        "hint: write a whole number from 1 to 10000000",
        "`--duration` cannot be read: `soon` is not a duration",
        "`--rate` does not say which message it is for",
        "hint: write `--rate NAME=5/s`; there is `ask` or `tell`",
        "`--rate` names no message: `asks`",
        "hint: did you mean `ask`?",
        "`--rate` cannot be read: `fast` is not a rate",
        "`--gate` cannot take `p99(latency.ask) < 50`: `50` is not a duration",
    ] {
        assert!(said.contains(line), "{line}\n\n{said}");
    }
}

#[test]
fn cohorts_keep_their_proportion_or_one_gets_its_own() {
    let text = TWO.replace("load.connections = 10\n", "")
        + "\n[[cohort]]\nname = \"a\"\nconnections = 1\n[[cohort]]\nname = \"b\"\nconnections = 3\n";
    let counts = |connections, cohorts: &[(&str, u32)]| {
        let cohorts = cohorts.iter();
        let overrides = Overrides {
            connections,
            cohorts: cohorts
                .map(|(name, count)| ((*name).to_owned(), *count))
                .collect(),
            ..Overrides::default()
        };
        let scenario = run(&text, &overrides).map_err(|problems| problems.to_string())?;
        let counts = scenario.cohorts.iter().map(|cohort| cohort.connections);
        Ok::<Vec<u32>, String>(counts.collect())
    };
    assert_eq!(counts(Some(100), &[]), Ok(vec![25, 75]));
    assert_eq!(counts(Some(1), &[]), Ok(vec![1, 1]), "each keeps one");
    assert_eq!(counts(None, &[("b", 7)]), Ok(vec![1, 7]));
    assert_eq!(counts(Some(100), &[("a", 5)]), Ok(vec![5, 75]));
    let said = counts(None, &[("c", 7)]).unwrap_err();
    assert!(
        said.contains("`--connections` names no cohort: `c`"),
        "{said}"
    );
}

#[test]
fn arrivals_and_abort_gates_may_be_given() {
    let storm = "name = \"s\"\ntarget.url = \"embedded\"\nload.arrivals = { rate = \"1/s\", lifetime = \"1s\" }";
    let gate = "ratio(connections.failed / connections.attempted) > 20%";
    let overrides = Overrides {
        arrivals: Some("7/s".into()),
        aborts: vec![gate.into()],
        ..Overrides::default()
    };
    let scenario = run(storm, &overrides).unwrap();
    let Shape::Arrivals { rate, .. } = scenario.load.shape else {
        panic!("no arrivals");
    };
    assert_eq!(rate.hertz(), 7.0);
    assert_eq!(scenario.gates.abort[0].text, gate);
    let said = run(TWO, &overrides).unwrap_err().to_string();
    assert!(said.contains("`--arrivals` has no arrivals"), "{said}");
}
