//! What is wrong before a run or in its midst is said in words: a permission that is missing, another version.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wsbench::cluster::{AgentId, Broker, Call, Card, Link, Role, Subject};
use wsbench::fleet::{Answer, Offer};
use wsbench::record::{Machine, Recipe};

use super::common::nats::{Nats, Version};
use super::common::{Ended, Running, Script, Server};
use super::setting::{
    LONGEST, agent_by, agent_with, assert_code, coordinator, scenario, unbalanced, wait_for,
};

const LIMIT: Duration = Duration::from_secs(20);

/// A server as `wsbench cluster auth` prints it but for one line, and the folder of its keys.
fn without(version: Version, line: &str) -> (Nats, tempfile::TempDir) {
    let keys = tempfile::tempdir().unwrap();
    let folder = keys.path().display().to_string();
    let nats = Nats::configured(version, |address| {
        let listen = address.to_string();
        let auth = ["cluster", "auth", "--keys", &folder, "--listen", &listen];
        let printed = Running::call(tempfile::tempdir().unwrap(), &auth, &[]).end();
        assert_code(&printed, 0);
        let lines = printed.stdout.lines().collect::<Vec<_>>();
        let left: Vec<&str> = (lines.iter().copied())
            .filter(|one| one.trim() != format!("\"{line}\""))
            .collect();
        assert!(left.len() < lines.len(), "there is no {line}");
        left.join("\n")
    });
    (nats, keys)
}

/// What a coordinator and its agent say where a permission is missing. `code` is what is expected of the coordinator.
fn led_without(version: Version, line: &str, code: i32) -> (Ended, Ended) {
    let server = Server::start(Script::default());
    let (nats, keys) = without(version, line);
    let key = |role: Role| keys.path().join(format!("{role}.nk")).display().to_string();
    let (own, leads) = (key(Role::Agent), key(Role::Coordinator));
    let options = ["--nkey", &own, "--once"];
    let agent = agent_with(&nats, "one", &options, tempfile::tempdir().unwrap());
    let options = ["--nkey", &leads, "--ready-timeout", "15s"];
    let led = coordinator(&nats, &scenario(&server.url(), 2), 1, &options);
    let led = led.end();
    if code == 2 {
        // Nothing began, so it waits for another run.
        agent.signal("TERM");
    }
    (led, agent.end())
}

#[test]
#[ignore = "needs NATS servers of both versions; run by scripts/test"]
fn a_permission_that_is_missing_is_named() {
    let cases = [
        // The coordinator's.
        ("wsb.*.all.plan", 2, "publish to `wsb.RUN.all.plan`"),
        ("wsb.*.all.start", 2, "publish to `wsb.RUN.all.start`"),
        ("wsb.*.all.windows", 1, "publish to `wsb.RUN.all.windows`"),
        ("wsb-said.agent.*.offer", 2, ".offer`"),
        ("wsb-said.agent.*.clock", 2, ".clock`"),
        // The agent's: what it lacks the coordinator says as well, with its name.
        ("wsb.*.shard.*", 4, "publish to `wsb.RUN.shard.1`"),
        ("wsb.*.done.*", 4, "publish to `wsb.RUN.done.1`"),
        ("wsb.*.settled.*", 4, "publish to `wsb.RUN.settled.1`"),
    ];
    let named = |version, (line, code, says): (&str, i32, &str)| {
        let (led, agent) = led_without(version, line, code);
        let said = format!(
            "{}{}\n{}{}",
            led.stdout, led.stderr, agent.stdout, agent.stderr
        );
        let run = led
            .stderr
            .split_once("run ")
            .unwrap()
            .1
            .split_once(':')
            .unwrap()
            .0;
        let says = says.replace("RUN", run);
        assert!(said.contains(&says), "{line}: {said}");
        assert_eq!(led.code, code, "{line}: {said}");
    };
    for version in Version::ALL {
        // They wait for each other most of the time.
        std::thread::scope(|scope| {
            for case in cases {
                scope.spawn(move || named(version, case));
            }
        });
    }
}

/// What the processes of a run say, with the version that stands around it.
#[derive(Serialize, Deserialize)]
pub(super) struct Envelope<T> {
    pub(super) version: u32,
    pub(super) body: T,
}

/// Becomes an agent that is not this program. `answer` is given each offer with its version, and makes the answer.
fn pretend(link: &Link, card: Card, answer: impl Fn(Envelope<Offer>) -> Vec<u8> + Send + 'static) {
    let serve =
        |broker: Broker| async move { broker.serve(move || card.clone(), || 0, LIMIT).await };
    let mut served = link.call(serve).unwrap();
    link.handle().spawn(async move {
        while let Some(question) = served.next(LIMIT).await {
            let offer = rmp_serde::from_slice(&question.payload).unwrap();
            let _ = question.answer(answer(offer).into()).await;
        }
    });
}

pub(super) fn card(name: &str, wsbench: &str) -> Card {
    Card {
        name: name.to_owned(),
        wsbench: wsbench.to_owned(),
        host: "here".to_owned(),
        workers: 1,
        descriptors: 20_000,
        run: None,
    }
}

/// What an agent answers to an offer, and the version in which it does.
fn asked(asker: &Link, agent: &AgentId, version: u32, offer: &impl Serialize) -> (Answer, u32) {
    let body = offer;
    let offer = rmp_serde::to_vec_named(&Envelope { version, body }).unwrap();
    let subject = Subject::call(agent, Call::Offer);
    let reply = asker.call(|broker| async move { broker.ask(&subject, offer.into(), LIMIT).await });
    let answer: Envelope<Answer> = rmp_serde::from_slice(&reply.unwrap().payload).unwrap();
    (answer.body, answer.version)
}

#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn an_agent_takes_nothing_of_another_version() {
    let nats = Nats::start(Version::Debian);
    let agent = agent_with(&nats, "careful", &[], tempfile::tempdir().unwrap());
    wait_for(&agent, "waits for a run");
    let asker = nats.link(Role::Coordinator);
    let seen = asker.call(|broker| async move { broker.agents(LIMIT, 1).await });
    let id = seen.unwrap().remove(0).id;
    let (Answer::Refused(why), own) = asked(&asker, &id, 1_000, &"something else") else {
        panic!("it takes a message of another version");
    };
    assert!(why.contains("a message of version 1000"), "{why}");
    let offer = Offer {
        run: "another".to_owned(),
        recipe: Recipe {
            wsbench: "0.0.1".to_owned(),
            seed: 1,
            scenario: "echo".to_owned(),
            is_file: false,
            text: String::new(),
            changes: Vec::new(),
            files: Vec::new(),
            plan: String::new(),
        },
        patience_ms: 1_000,
    };
    let (Answer::Refused(why), _) = asked(&asker, &id, own, &offer) else {
        panic!("it takes a run of another version");
    };
    let versions = format!(
        "it is wsbench {}, and the run is one of wsbench 0.0.1",
        env!("CARGO_PKG_VERSION")
    );
    assert_eq!(why, versions);
    agent.signal("TERM");
    assert_code(&agent.end(), 130);
}

#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn a_coordinator_leads_nobody_of_another_version() {
    let server = Server::start(Script::default());
    let nats = Nats::start(Version::PyPi);
    let newer = nats.link(Role::Agent);
    pretend(&newer, card("newer", "1000.0.0"), |_| {
        let body = "yes, in words of later";
        let version = 1_000;
        rmp_serde::to_vec_named(&Envelope { version, body }).unwrap()
    });
    let led = coordinator(
        &nats,
        &scenario(&server.url(), 1),
        1,
        &["--ready-timeout", "3s"],
    )
    .end();
    assert_code(&led, 2);
    for text in ["newer: failed to read a message of version 1000", "hint: "] {
        assert!(led.stderr.contains(text), "{}", led.stderr);
    }
    assert_eq!(server.log().opened(), 0);
}

/// A machine of one worker.
pub(super) fn machine() -> Machine {
    Machine {
        workers: 1,
        precise_timer: true,
        kernel_view: true,
        cores: None,
        os: "linux".to_owned(),
        arch: "x86_64".to_owned(),
        kernel: None,
        cpus: None,
        cpu_model: None,
        congestion_control: None,
    }
}

/// Whoever took a share has to be ready in time; those who were are let go.
#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn who_is_not_ready_in_time_is_named() {
    let server = Server::start(Script::default());
    let nats = Nats::start(Version::PyPi);
    let silent = nats.link(Role::Agent);
    pretend(
        &silent,
        card("silent", env!("CARGO_PKG_VERSION")),
        |offer| {
            let (version, body) = (offer.version, Answer::Accepted(Box::new(machine())));
            rmp_serde::to_vec_named(&Envelope { version, body }).unwrap()
        },
    );
    let prompt = agent_with(&nats, "prompt", &[], tempfile::tempdir().unwrap());
    wait_for(&prompt, "waits for a run");
    let options = ["--ready-timeout", "3s"];
    let led = coordinator(&nats, &scenario(&server.url(), 1), 2, &options).end();
    assert_code(&led, 2);
    let said = &led.stderr;
    assert!(
        said.contains("  silent: it was not ready in time"),
        "{said}"
    );
    assert!(!said.contains("  prompt: "), "{said}");
    assert_eq!(server.log().opened(), 0);
    wait_for(&prompt, "gave it up before its start");
    prompt.signal("TERM");
    assert_code(&prompt.end(), 130);
}

/// How many descriptors a share needs is known when all shares are: who has too few says so then.
#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn an_agent_with_too_few_descriptors_is_named() {
    let server = Server::start(Script::default());
    let nats = Nats::start(Version::Debian);
    let folder = tempfile::tempdir().unwrap();
    let few = agent_by(&["prlimit", "--nofile=200:200"], &nats, "few", &[], folder);
    wait_for(&few, "waits for a run");
    let scenario = scenario(&server.url(), 1).replace("connections = 12", "connections = 500");
    let led = coordinator(&nats, &scenario, 1, &[]).end();
    assert_code(&led, 2);
    let said = &led.stderr;
    assert!(
        said.contains("  few: ") && said.contains("descriptors"),
        "{said}"
    );
    assert_eq!(server.log().opened(), 0);
    few.signal("TERM");
    assert_code(&few.end(), 130);
}

/// What an agent sees has to be kept until it is handed in, so it looks for room before anybody counts on it.
#[test]
fn an_agent_that_can_keep_nothing_does_not_wait_for_runs() {
    let agent = ["agent", "--nats", "nats://127.0.0.1:9", "--keep", "nosuch"];
    let refused = Running::call(tempfile::tempdir().unwrap(), &agent, &[]).end();
    assert_code(&refused, 2);
    for text in ["keep what an agent sees in nosuch: ", "hint: ", "`--keep`"] {
        assert!(refused.stderr.contains(text), "{}", refused.stderr);
    }
}

#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn an_agent_whose_folder_is_gone_says_so_before_the_start() {
    let server = Server::start(Script::default());
    let nats = Nats::start(Version::Debian);
    let (folder, url) = (tempfile::tempdir().unwrap(), nats.url());
    std::fs::create_dir(folder.path().join("kept")).unwrap();
    let agent = ["agent", "--nats", &url, "--name", "full", "--keep", "kept"];
    let agent = Running::call(folder, &agent, &[]).within(LONGEST);
    wait_for(&agent, "waits for a run");
    let kept = agent.folder().join("kept");
    // It has left nothing of what it tried.
    std::fs::remove_dir(&kept).unwrap();
    let led = coordinator(&nats, &scenario(&server.url(), 1), 1, &[]).end();
    assert_code(&led, 2);
    for text in ["begin the run", "  full: it failed to write kept/wsbench-"] {
        assert!(led.stderr.contains(text), "{}", led.stderr);
    }
    assert_eq!(server.log().opened(), 0);
    // It takes the next run, and leaves nothing behind.
    std::fs::create_dir(&kept).unwrap();
    let led = coordinator(&nats, &scenario(&server.url(), 1), 1, &[]).end();
    assert_code(&led, 0);
    agent.signal("TERM");
    assert_code(&agent.end(), 130);
}

/// What breaks a share off after the start is told, and not only that nothing comes any more.
#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn an_agent_whose_disk_is_full_says_so() {
    let server = Server::start(Script::default());
    let nats = Nats::start(Version::PyPi);
    // No file may have more KiB than these: what is recorded in some seconds is longer.
    let by = [
        "bash",
        "-c",
        "trap '' XFSZ; ulimit -f 6; exec \"$@\"",
        "bash",
    ];
    let options = ["--workers", "1", "--once"];
    let full = agent_by(&by, &nats, "full", &options, tempfile::tempdir().unwrap());
    let led = coordinator(&nats, &scenario(&server.url(), 20), 1, &[]).end();
    assert_code(&led, 4);
    let doubts = unbalanced(&led)["verdict"]["distrust"].to_string();
    assert!(
        doubts.contains("it failed to write ./wsbench-") && doubts.contains("too large"),
        "{doubts}"
    );
    let full = full.end();
    assert_code(&full, 1);
    assert!(full.stderr.contains("too large"), "{}", full.stderr);
}

/// What cannot be led by anybody is said before anybody is asked.
#[test]
fn what_agents_cannot_play_is_refused_without_a_broker() {
    const NOWHERE: &str = "nats://127.0.0.1:9";
    const URL: &str = "ws://127.0.0.1:9/";
    for (options, says) in [
        (&["--nats", NOWHERE][..], "--agents <NUMBER>"),
        (&["--insecure-nats"], "--agents <NUMBER>"),
        (
            &["--agents", "0", "--nats", NOWHERE],
            "0 is not in 1..=1000",
        ),
        (&["--agents", "2"], "none is named"),
        (
            &["--agents", "2", "--every", "1h", "--nats", NOWHERE],
            "cannot be used with '--every <TIME>'",
        ),
        (
            &["--agents", "3", "--connections", "2", "--nats", NOWHERE],
            "2 connections for 3 of them, so some would have none",
        ),
        (
            &[
                "--agents",
                "1",
                "--nats",
                NOWHERE,
                "--header",
                "Authorization: of-ann",
            ],
            "each agent takes it from its own environment",
        ),
    ] {
        let run = [&["run", "echo", "--url", URL, "--out", "report"], options].concat();
        let refused = Running::call(tempfile::tempdir().unwrap(), &run, &[]).end();
        assert_code(&refused, 2);
        let said = &refused.stderr;
        assert!(
            said.contains(says) && !said.contains("of-ann"),
            "{options:?}: {said}"
        );
        assert!(!refused.file("run.json").exists(), "{options:?}");
    }
}
