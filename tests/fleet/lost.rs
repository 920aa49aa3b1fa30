//! What happens when an agent, the coordinator or the broker is killed, frozen or told to end.

use std::time::{Duration, Instant};

use wsbench::cluster::{Kind, Role, RunId, Subject};

use super::common::nats::{Nats, Version};
use super::common::{Running, Script, Server, process};
use super::setting::{
    Alone, UnderWay, agent, assert_code, assert_is_alone, attach, coordinator, lost_of, run_of,
    scenario, unbalanced, wait_for, wait_for_messages,
};
use super::stream::all;

/// Waits until measuring goes on.
fn measures(agent: &Running, server: &Server) {
    wait_for(agent, "plays share");
    wait_for_messages(server, 500);
}

#[test]
#[ignore = "needs NATS servers of both versions; run by scripts/test"]
fn an_agent_that_is_killed_or_frozen_is_lost() {
    Version::each(|version| {
        let lost = |signal: &str, options: &[&str], code: i32| {
            let server = Server::start(Script::default());
            let nats = Nats::start(version);
            let (stays, goes) = (agent(&nats, "stays", "1"), agent(&nats, "goes", "1"));
            let led = coordinator(&nats, &scenario(&server.url(), 10), 2, options);
            measures(&stays, &server);
            goes.signal(signal);
            let led = led.end();
            assert_code(&led, code);
            assert_code(&stays.end(), 0);
            let report = unbalanced(&led);
            // By their names, `goes` is the first.
            let [Some(at), None] = lost_of(&report)[..] else {
                panic!("{:?}", report["parts"]);
            };
            assert!(at > 0.0 && at < 9.0, "{at}");
            assert!(led.stdout.contains("part 1"), "{}", led.stdout);
            let totals = report["totals"].as_array().unwrap().iter();
            let sent = totals.filter(|row| row["name"] == "messages.sent");
            let sent: u64 = sent.filter_map(|row| row["count"].as_u64()).sum();
            match code {
                0 => assert!(led.took.as_secs() >= 10 && sent > 900, "{sent}"),
                _ => assert!(led.took.as_secs() < 20 && sent < 1_900, "{sent}"),
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| lost("KILL", &[], 4));
            scope.spawn(|| lost("KILL", &["--on-agent-loss", "continue"], 0));
            scope.spawn(|| lost("STOP", &[], 4));
        });
    });
}

#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn an_interrupt_ends_all_and_leaves_a_report() {
    let server = Server::start(Script::default());
    let nats = Nats::start(Version::Debian);
    let agents = [agent(&nats, "one", "1"), agent(&nats, "two", "1")];
    let led = coordinator(&nats, &scenario(&server.url(), 30), 2, &[]);
    measures(&agents[0], &server);
    led.signal("INT");
    let led = led.end();
    assert_code(&led, 130);
    assert!(led.report().count("messages.sent") > 100);
    for agent in agents {
        assert_code(&agent.end(), 0);
    }
}

#[test]
#[ignore = "needs NATS servers of both versions; run by scripts/test"]
fn an_interrupt_at_an_agent_ends_its_share() {
    Version::each(|version| {
        let server = Server::start(Script::default());
        let nats = Nats::start(version);
        let (stays, goes) = (agent(&nats, "stays", "1"), agent(&nats, "goes", "1"));
        let led = coordinator(&nats, &scenario(&server.url(), 30), 2, &[]);
        measures(&stays, &server);
        goes.signal("INT");
        assert_code(&goes.end(), 130);
        let led = led.end();
        assert_code(&led, 4);
        assert_code(&stays.end(), 0);
        assert!(led.stdout.contains("a signal ended it"), "{}", led.stdout);
        let report = unbalanced(&led);
        assert!(
            matches!(lost_of(&report)[..], [Some(_), None]),
            "{:?}",
            report["parts"]
        );
    });
}

#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn a_second_interrupt_leaves_at_once_and_the_agents_follow() {
    let server = Server::start(Script::default());
    let nats = Nats::start(Version::PyPi);
    let agents = [agent(&nats, "one", "1"), agent(&nats, "two", "1")];
    let options = ["--orphan-grace", "2s"];
    let led = coordinator(&nats, &scenario(&server.url(), 600), 2, &options);
    measures(&agents[0], &server);
    // Nobody can be told of the first, so the second is needed.
    process::signal(nats.id(), "STOP");
    led.signal("INT");
    led.signal("INT");
    let begun = Instant::now();
    let led = led.end();
    assert_code(&led, 130);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", led.took);
    process::signal(nats.id(), "CONT");
    for agent in agents {
        assert_code(&agent.end(), 0);
    }
}

#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn a_run_is_stopped_from_elsewhere() {
    let server = Server::start(Script::default());
    let nats = Nats::start(Version::Debian);
    let agents = [agent(&nats, "one", "1"), agent(&nats, "two", "1")];
    let led = coordinator(&nats, &scenario(&server.url(), 30), 2, &[]);
    measures(&agents[0], &server);
    let (url, run) = (nats.url(), run_of(&led));
    let stop = ["stop", &run, "--nats", &url];
    let stop = Running::call(tempfile::tempdir().unwrap(), &stop, &[]).end();
    assert_code(&stop, 0);
    let led = led.end();
    assert_code(&led, 130);
    for agent in agents {
        assert_code(&agent.end(), 0);
    }
    let unknown = ["stop", "nothing", "--nats", &url];
    let unknown = Running::call(tempfile::tempdir().unwrap(), &unknown, &[]).end();
    assert_code(&unknown, 2);
    assert!(
        unknown.stderr.contains("knows nothing of it"),
        "{}",
        unknown.stderr
    );
}

/// What the server keeps of a run is needed until its report is made.
#[test]
#[ignore = "needs NATS servers of both versions; run by scripts/test"]
fn a_run_that_goes_on_is_not_removed() {
    let alone = Alone::begin(8);
    Version::each(|version| {
        let run = UnderWay::begin(version, 8);
        let (url, name) = (run.nats.url(), run_of(&run.led));
        let clean = |more: &[&str], code: i32| {
            let words = [&["cluster", "clean", "--nats", &url], more].concat();
            let ended = Running::call(tempfile::tempdir().unwrap(), &words, &[]).end();
            assert_code(&ended, code);
            ended
        };
        let cleaned = clean(&["--older-than", "0s"], 0).stdout;
        assert_eq!(cleaned, "0 runs removed, with 0 messages; 1 left\n");
        let refused = clean(&[&name], 2).stderr;
        for text in [
            format!("remove {name}: it is going on"),
            format!("hint: end it with `wsbench stop {name}`"),
        ] {
            assert!(refused.contains(&text), "{refused}");
        }
        run.assert_ends(&alone);
    });
}

/// All that agents recorded meanwhile is handed in when the broker is back, and counts once.
#[test]
#[ignore = "needs NATS servers of both versions; run by scripts/test"]
fn a_broker_that_is_killed_and_comes_back_loses_nothing() {
    let alone = Alone::begin(8);
    Version::each(|version| {
        let mut run = UnderWay::begin(version, 8);
        run.nats.kill();
        std::thread::sleep(Duration::from_secs(4));
        run.nats.begin();
        run.assert_ends(&alone);
    });
}

#[test]
#[ignore = "needs NATS servers of both versions; run by scripts/test"]
fn another_coordinator_takes_over() {
    let alone = Alone::begin(8);
    Version::each(|version| {
        let run = UnderWay::begin(version, 8);
        run.led.signal("KILL");
        let (nats, _led, name) = run.assert_followed(&alone);
        // The stream tells it again and again.
        assert_is_alone(attach(&nats, &name, &[]), &alone);
    });
}

/// A load generator that nobody watches ends.
#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn agents_end_their_load_without_a_coordinator() {
    let server = Server::start(Script::default());
    let nats = Nats::start(Version::Debian);
    let agents = [agent(&nats, "one", "1"), agent(&nats, "two", "1")];
    let scenario = scenario(&server.url(), 600);
    let led = coordinator(&nats, &scenario, 2, &["--orphan-grace", "3s"]);
    let run = run_of(&led);
    measures(&agents[0], &server);
    led.signal("KILL");
    for agent in agents {
        let ended = agent.end();
        assert_code(&ended, 0);
        assert!(
            ended.stderr.contains(&format!("wsbench attach {run}")),
            "{}",
            ended.stderr
        );
    }
    let after = attach(&nats, &run, &[]).end();
    assert!(
        [0, 1, 4].contains(&after.code),
        "{}{}",
        after.stdout,
        after.stderr
    );
    assert!(after.report().count("messages.sent") > 150);
}

/// Who joins late would change the load, so the same name in another process is no agent of the run.
#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn an_agent_that_is_started_again_does_not_take_its_place() {
    let server = Server::start(Script::default());
    let nats = Nats::start(Version::Debian);
    let (stays, goes) = (agent(&nats, "stays", "1"), agent(&nats, "goes", "1"));
    let options = ["--on-agent-loss", "continue"];
    let led = coordinator(&nats, &scenario(&server.url(), 10), 2, &options);
    measures(&stays, &server);
    goes.signal("KILL");
    let again = agent(&nats, "goes", "1").end();
    assert_code(&again, 0);
    assert!(
        again.stderr.contains("agent goes leaves: its share of run"),
        "{}",
        again.stderr
    );
    let led = led.end();
    assert_code(&led, 0);
    assert_code(&stays.end(), 0);
    let report = unbalanced(&led);
    assert!(
        matches!(lost_of(&report)[..], [Some(_), None]),
        "{:?}",
        report["parts"]
    );
    assert!(
        led.stdout.contains("started again, and its load is gone"),
        "{}",
        led.stdout
    );
    let opened: Vec<u64> = (report["parts"].as_array().unwrap().iter())
        .map(|part| part["opened"].as_u64().unwrap())
        .collect();
    assert_eq!(opened.iter().sum::<u64>(), 19, "it has opened nothing");
}

/// It would have to catch up with a good part of its plan. It was there in time, and stood still when the start was named.
#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn an_agent_that_comes_too_late_to_the_start_says_so() {
    let server = Server::start(Script::default());
    let nats = Nats::start(Version::PyPi);
    let (stays, late) = (agent(&nats, "stays", "1"), agent(&nats, "late", "1"));
    let led = coordinator(&nats, &scenario(&server.url(), 10), 2, &[]);
    let run: RunId = run_of(&led).parse().unwrap();
    let link = nats.link(Role::Coordinator);
    let is_start = |kind| matches!(kind, Some((_, Kind::Start, _)));
    let deadline = Instant::now() + Duration::from_secs(30);
    while !all(&link, &run)
        .iter()
        .any(|entry| is_start(Subject::parse(&entry.subject)))
    {
        assert!(Instant::now() < deadline, "no start is named");
        std::thread::sleep(Duration::from_millis(10));
    }
    late.signal("STOP");
    // The first dial is a second and a half away. Who is silent for three seconds after it counts as lost.
    std::thread::sleep(Duration::from_millis(2_800));
    late.signal("CONT");
    let led = led.end();
    assert_code(&led, 4);
    assert!(
        led.stdout.contains("too late to the start"),
        "{}",
        led.stdout
    );
    assert_code(&stays.end(), 0);
    // It has begun nothing, so it waits for another run.
    wait_for(&late, "too late to the start");
    late.signal("TERM");
    assert_code(&late.end(), 130);
}
