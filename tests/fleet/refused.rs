//! What is wrong before a run or in its midst is said in words: a permission that is missing, another version.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wsbench::cluster::{AgentId, Call, Card, Credentials, Link, Options, Role, Subject};
use wsbench::fleet::{Answer, Offer};
use wsbench::record::Recipe;

use super::common::nats::{Nats, Version};
use super::common::{Ended, Running, Script, Server};
use super::setting::{agent_with, assert_code, coordinator, scenario, wait_for};

const LIMIT: Duration = Duration::from_secs(20);

/// A server as `wsbench cluster auth` prints it but for one line, and the folder of its keys.
fn without(line: &str) -> (Nats, tempfile::TempDir) {
    let keys = tempfile::tempdir().unwrap();
    let folder = keys.path().display().to_string();
    let nats = Nats::configured(Version::Debian, |address| {
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

/// What a coordinator and its agent say where a permission is missing.
fn led_without(line: &str) -> (Ended, Ended) {
    let server = Server::start(Script::default());
    let (nats, keys) = without(line);
    let key = |role: Role| keys.path().join(format!("{role}.nk")).display().to_string();
    let (own, leads) = (key(Role::Agent), key(Role::Coordinator));
    let options = ["--nkey", &own, "--once", "--wait", "30s"];
    let agent = agent_with(&nats, "one", &options, tempfile::tempdir().unwrap());
    let options = ["--nkey", &leads, "--ready-timeout", "15s"];
    let led = coordinator(&nats, &scenario(&server.url(), 2), 1, &options);
    (led.end(), agent.end())
}

#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn a_permission_that_is_missing_is_named() {
    for (line, code, says) in [
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
    ] {
        let (led, agent) = led_without(line);
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
    }
}

/// What the processes of a run say, with the version that stands around it.
#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    version: u32,
    body: T,
}

fn link(nats: &Nats, role: Role) -> Link {
    let options = Options {
        address: nats.url().parse().unwrap(),
        credentials: Credentials::None,
        roots: None,
        insecure: false,
        role,
        name: "test".to_owned(),
        limit: LIMIT,
    };
    Link::connect(&options).unwrap()
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
    let asker = link(&nats, Role::Coordinator);
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
    let newer = link(&nats, Role::Agent);
    let card = || Card {
        name: "newer".to_owned(),
        wsbench: "1000.0.0".to_owned(),
        host: "here".to_owned(),
        workers: 1,
        descriptors: 20_000,
        run: None,
    };
    let mut served = newer
        .call(|broker| async move { broker.serve(card, || 0, LIMIT).await })
        .unwrap();
    newer.handle().spawn(async move {
        loop {
            let Some(question) = served.next(LIMIT).await else {
                return;
            };
            let newer = Envelope {
                version: 1_000,
                body: "yes, in words of later",
            };
            let newer = rmp_serde::to_vec_named(&newer).unwrap();
            let _ = question.answer(newer.into()).await;
        }
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
