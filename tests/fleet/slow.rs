//! What takes minutes, and runs with `scripts/test --all`.

use std::fs;
use std::time::Duration;

use serde::Serialize;
use wsbench::cluster::{Call, Kind, Link, Role, RunId, Subject};
use wsbench::fleet::{Answer, Offer};
use wsbench::units::Timestamp;

use super::common::nats::{Nats, Version};
use super::common::{Running, Script, Server};
use super::refused::{Envelope, card, machine};
use super::setting::{
    Alone, agent, assert_code, assert_is_alone, attach, coordinator, run_of, scenario, unbalanced,
    wait_for_messages,
};

/// Agents try for two minutes to hand in what they have recorded.
const LONGEST: Duration = Duration::from_secs(240);

/// A broker that is gone for good takes no result with it: agents keep their files, and `merge` judges those.
#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn agents_keep_their_files_when_the_broker_is_gone_for_good() {
    let server = Server::start(Script::default());
    let scenario = scenario(&server.url(), 8);
    let alone = Alone::begin(8);
    let mut nats = Nats::start(Version::PyPi);
    let agents = ["one", "two"].map(|name| agent(&nats, name, "1").within(LONGEST));
    let led = coordinator(&nats, &scenario, 2, &[]).within(LONGEST);
    wait_for_messages(&server, 300);
    nats.kill();
    let agents = agents.map(Running::end);
    let folder = tempfile::tempdir().unwrap();
    let files = agents.iter().map(|agent| {
        assert_code(agent, 1);
        let kept = fs::read_dir(agent.folder()).unwrap();
        let mut kept = kept.map(|entry| entry.unwrap().path());
        let kept = kept.find(|path| path.extension().is_some_and(|end| end == "wsbr"));
        let kept = kept.unwrap_or_else(|| panic!("{}", agent.stderr));
        // It says where it is, and what is to be done with it.
        let name = kept.file_name().unwrap().to_string_lossy().into_owned();
        for text in [&name, "wsbench merge"] {
            assert!(agent.stderr.contains(text), "{}", agent.stderr);
        }
        kept.display().to_string()
    });
    let files: Vec<String> = files.collect();
    let merge = ["merge", &files[0], &files[1], "--out", "report"];
    let merged = Running::call(folder, &merge, &[]).end();
    assert_code(&merged, 0);
    assert_eq!(merged.report().fixed_by_the_plan(), *alone.counts());
    // Who leads waits as long as agents may go on alone, and a minute more.
    let led = led.end();
    assert_code(&led, 1);
    for text in ["the NATS server is gone", "wsbench attach"] {
        assert!(led.stderr.contains(text), "{}", led.stderr);
    }
}

const LIMIT: Duration = Duration::from_secs(20);

/// What an agent tells of itself.
#[derive(Serialize)]
struct Said {
    agent: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

fn bytes(version: u32, body: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec_named(&Envelope { version, body }).unwrap()
}

/// Becomes an agent that takes a share, gives signs of life, and does nothing else but perhaps say that its connections are
/// open.
fn stands_still(nats: &Nats, settles: bool) -> Link {
    let link = nats.link(Role::Agent);
    let serve = |broker: wsbench::cluster::Broker| async move {
        let card = card("idle", env!("CARGO_PKG_VERSION"));
        let steady = wsbench::fleet::Steady::start();
        broker
            .serve(move || card.clone(), move || steady.now_ns(), LIMIT)
            .await
    };
    let mut served = link.call(serve).unwrap();
    let broker = link.broker().clone();
    link.handle().spawn(async move {
        let question = loop {
            match served.next(LIMIT).await {
                Some(question) if question.call == Call::Offer => break question,
                _ => {}
            }
        };
        let offer: Envelope<Offer> = rmp_serde::from_slice(&question.payload).unwrap();
        let (version, run) = (offer.version, offer.body.run.parse::<RunId>().unwrap());
        let taken = Answer::Accepted(Box::new(machine()));
        question
            .answer(bytes(version, &taken).into())
            .await
            .unwrap();
        let said = |at| Said {
            agent: served.id.to_string(),
            at,
            refused: None,
        };
        for (kind, at) in [
            (Some(Kind::Ready), None),
            (
                settles.then_some(Kind::Settled),
                Some(Timestamp::from_nanos(1)),
            ),
        ] {
            let Some(kind) = kind else { continue };
            let subject = Subject::of(&run, kind, 1);
            let said = bytes(version, &said(at)).into();
            let kept = broker
                .publish(&subject, &kind.to_string(), said, LIMIT)
                .await;
            kept.unwrap();
        }
        let alive = Subject::of(&run, Kind::Alive, 1);
        loop {
            let _ = broker
                .say(&alive, bytes(version, &said(None)).into(), LIMIT)
                .await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    link
}

/// Signs of life are not enough: whoever does nothing is not waited for without end.
#[test]
#[ignore = "needs NATS servers of both versions; run by scripts/test"]
fn an_agent_that_does_nothing_is_lost_in_the_end() {
    Version::each(|version| {
        let lost = |settles: bool, says: &str| {
            let nats = Nats::start(version);
            let _idle = stands_still(&nats, settles);
            let scenario = scenario("ws://127.0.0.1:9/", 1);
            let led = coordinator(&nats, &scenario, 1, &[]).within(LONGEST).end();
            assert_code(&led, 4);
            let doubts = unbalanced(&led)["verdict"]["distrust"].to_string();
            assert!(doubts.contains(says), "{doubts}");
        };
        std::thread::scope(|scope| {
            scope.spawn(|| lost(true, "it did not end when it had to"));
            scope.spawn(|| lost(false, "neither open nor failed when they had to be"));
        });
    });
}

/// Long after a run nobody is late: what all have told is read first.
#[test]
#[ignore = "needs NATS servers of both versions; run by scripts/test"]
fn the_report_of_a_run_is_made_again_long_after_it() {
    let alone = Alone::begin(2);
    Version::each(|version| {
        let server = Server::start(Script::default());
        let scenario = scenario(&server.url(), 2);
        let checked = tempfile::tempdir().unwrap();
        fs::write(checked.path().join("test.toml"), &scenario).unwrap();
        let checked = Running::call(checked, &["check", "test.toml", "--json"], &[]).end();
        let plan: serde_json::Value = serde_json::from_str(&checked.stdout).unwrap();
        let longest = Duration::from_secs_f64(plan["longest_s"].as_f64().unwrap());
        let nats = Nats::start(version);
        let agents = [agent(&nats, "one", "1"), agent(&nats, "two", "1")];
        let led = coordinator(&nats, &scenario, 2, &[]);
        let run = run_of(&led);
        assert_is_alone(led, &alone);
        for agent in agents {
            assert_code(&agent.end(), 0);
        }
        // A minute after the last moment that the scenario allows for, agents that go on count as lost.
        std::thread::sleep(longest + Duration::from_secs(65));
        assert_is_alone(attach(&nats, &run, &[]), &alone);
    });
}
