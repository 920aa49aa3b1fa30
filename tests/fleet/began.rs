//! From the search for agents to a report that is that of one machine.

use std::fs;

use serde_json::Value;

use super::common::nats::{Nats, Version};
use super::common::{Ended, Running, Script, Server};
use super::setting::{
    Alone, LONGEST, agent, agent_with, assert_code, coordinator, scenario, wait_for,
};

#[test]
#[ignore = "needs NATS servers of both versions; run by scripts/test"]
fn agents_are_one_run() {
    let server = Server::start(Script::default());
    let scenario = scenario(&server.url(), 3);
    let alone = Alone::begin(3);
    Version::each(|version| {
        let nats = Nats::start(version);
        let agents = [agent(&nats, "web-1", "1"), agent(&nats, "web-2", "2")];
        let led = coordinator(&nats, &scenario, 2, &[]).end();
        assert_code(&led, 0);
        for agent in agents {
            let ended = agent.end();
            assert_code(&ended, 0);
            let left = fs::read_dir(ended.folder()).unwrap();
            let left = left.filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                name.to_string_lossy().ends_with(".wsbr")
            });
            assert_eq!(left.count(), 0, "all was handed in, so nothing is kept");
        }
        let report = led.report();
        assert_eq!(report.fixed_by_the_plan(), *alone.counts(), "{version:?}");
        let parts = report.json["parts"].as_array().unwrap();
        let names: Vec<&Value> = parts.iter().map(|part| &part["name"]).collect();
        assert_eq!(names, ["web-1", "web-2"]);
        let opened = parts.iter().map(|part| part["opened"].as_u64().unwrap());
        // Three workers, of which the second agent has two.
        assert_eq!(opened.collect::<Vec<_>>(), [7, 12]);
        assert_eq!(report.json["options"]["workers"], 3);
        for part in parts {
            let error = part["clock"]["error_ns"].as_u64().unwrap();
            assert!(error > 0 && error < 1_000_000_000, "{part}");
            assert!(part["settled_seconds"].as_f64().unwrap() < 5.0, "{part}");
        }
        for text in ["1 web-1", "2 web-2"] {
            assert!(led.stdout.contains(text), "{}", led.stdout);
        }
    });
}

#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn who_is_missing_is_named_and_who_is_there_is_let_go() {
    let server = Server::start(Script::default());
    let nats = Nats::start(Version::Debian);
    let folder = tempfile::tempdir().unwrap();
    let alone = agent_with(&nats, "alone", &[], folder);
    wait_for(&alone, "waits for a run");
    let led = coordinator(
        &nats,
        &scenario(&server.url(), 1),
        2,
        &["--ready-timeout", "2s"],
    )
    .end();
    assert_code(&led, 2);
    for text in [
        "gather 2 agents: one was there within 2s",
        "  alone: it takes a share",
        "hint: ",
    ] {
        assert!(led.stderr.contains(text), "{}", led.stderr);
    }
    assert_eq!(server.log().opened(), 0);
    // What is left of it is known, and can be removed.
    let cluster = |command: &[&str]| {
        let url = nats.url();
        let words = [&["cluster"], command, &["--nats", &url]].concat();
        let ended = Running::call(tempfile::tempdir().unwrap(), &words, &[]).end();
        assert_code(&ended, 0);
        ended.stdout
    };
    let listed = cluster(&["ls"]);
    assert!(
        listed.contains("1 run\n") && listed.contains("given up before its start"),
        "{listed}"
    );
    let cleaned = cluster(&["clean", "--older-than", "0s"]);
    assert!(
        cleaned.starts_with("1 run removed, with 1 message;"),
        "{cleaned}"
    );
    assert!(cluster(&["doctor"]).contains("stream       0 messages"));
    // It takes the next run.
    wait_for(&alone, "gave it up before its start");
    let led = coordinator(&nats, &scenario(&server.url(), 1), 1, &[]).end();
    assert_code(&led, 0);
    alone.signal("INT");
    assert_code(&alone.end(), 130);
}

#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn what_an_agent_may_not_play_is_refused_before_the_first_connection() {
    let server = Server::start(Script::default());
    let nats = Nats::start(Version::Debian);
    let careful = agent_with(&nats, "careful", &[], tempfile::tempdir().unwrap());
    wait_for(&careful, "waits for a run");
    let refused = |scenario: &str, says: &[&str]| {
        let led = coordinator(&nats, scenario, 1, &["--ready-timeout", "20s"]).end();
        assert_code(&led, 2);
        for text in says {
            assert!(led.stderr.contains(text), "{}", led.stderr);
        }
        assert!(!led.file("run.json").exists());
    };
    let elsewhere = scenario("ws://203.0.113.7:9/", 1);
    refused(&elsewhere, &["careful: ", "--allow-target 203.0.113.7:9"]);
    let secret = scenario(&server.url(), 1).replace(
        "target.url",
        "target.headers = { token = \"${WSBENCH_TEST_TOKEN}\" }\n        target.url",
    );
    let lacks = "careful: it cannot read the scenario: `target.headers.token` needs the environment variable";
    refused(&secret, &[lacks, "WSBENCH_TEST_TOKEN"]);
    // What belongs to one machine, whoever the agents are.
    refused(
        &scenario("embedded", 1),
        &["`target.url = \"embedded\"`", "hint: "],
    );
    let url = scenario(&server.url(), 1);
    refused(
        &format!("{url}\npath = {{ delay = \"5ms\" }}"),
        &["`[path]`", "hint: "],
    );
    let own = url.replace("target.url", "target.pid = 1\n        target.url");
    refused(&own, &["`target.pid`", "hint: "]);
    assert_eq!(server.log().opened(), 0);
    careful.signal("TERM");
    assert_code(&careful.end(), 130);
}

/// A secret is resolved where it is needed, and told nobody.
#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn a_secret_stays_on_the_agent() {
    const SECRET: &str = "s3cr3t-of-the-agent";
    let server = Server::start(Script::default());
    let nats = Nats::start(Version::Debian);
    let folder = tempfile::tempdir().unwrap();
    let url = nats.url();
    let agent = [
        "agent", "--nats", &url, "--name", "knows", "--once", "--keep", ".",
    ];
    let environment = [("WSBENCH_TEST_TOKEN", SECRET)];
    let agent = Running::call(folder, &agent, &environment).within(LONGEST);
    let secret = scenario(&server.url(), 1).replace(
        "target.url",
        "target.headers = { token = \"${WSBENCH_TEST_TOKEN}\" }\n        target.url",
    );
    let led = coordinator(&nats, &secret, 1, &[]).end();
    assert_code(&led, 0);
    assert_code(&agent.end(), 0);
    let stored = nats.stored();
    assert!(!stored.is_empty());
    let has = |bytes: &[u8]| {
        bytes
            .windows(SECRET.len())
            .any(|part| part == SECRET.as_bytes())
    };
    assert!(!has(&stored), "the broker has it");
    for name in ["run.json", "report.html"] {
        assert!(!has(&fs::read(led.file(name)).unwrap()), "{name} has it");
    }
}

/// Without a name it is called by its machine and by the number that its launcher gave.
#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn an_agent_has_the_number_of_its_launcher_and_waits_no_longer_than_it_may() {
    let nats = Nats::start(Version::Debian);
    let url = nats.url();
    let call = |options: &[&str], environment: &[(&str, &str)]| {
        let words = [&["agent", "--nats", &url], options].concat();
        Running::call(tempfile::tempdir().unwrap(), &words, environment)
    };
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for variable in [
        "JOB_COMPLETION_INDEX",
        "SLURM_PROCID",
        "NOMAD_ALLOC_INDEX",
        "PARALLEL_SEQ",
    ] {
        let waits = call(&["--once", "--wait", "300ms"], &[(variable, "37")]).end();
        assert_code(&waits, 2);
        for text in [
            format!("agent {}-37 waits for a run", host.trim()),
            "find a run within 300ms".to_owned(),
            "`--wait`".to_owned(),
        ] {
            assert!(waits.stderr.contains(&text), "{variable}: {}", waits.stderr);
        }
    }
    let nameless = call(&["--name", " "], &[]).end();
    assert_code(&nameless, 2);
    assert!(
        nameless.stderr.contains("'--name <NAME>'"),
        "{}",
        nameless.stderr
    );
}

/// As many agents as connections: each has one worker and one connection. They are 50 processes, so on a busy machine a run is
/// in doubt now and then.
#[test]
#[ignore = "needs NATS servers of both versions; run by scripts/test"]
fn fifty_agents_of_one_connection_are_one_run() {
    const TRIES: usize = 4;
    for version in Version::ALL {
        let mut led = fifty_agents(version);
        for _ in 1..TRIES {
            if led.code != 4 {
                break;
            }
            led = fifty_agents(version);
        }
        assert_code(&led, 0);
        let report = led.report();
        let parts = report.json["parts"].as_array().unwrap();
        let opened = parts.iter().map(|part| part["opened"].as_u64().unwrap());
        assert_eq!(opened.collect::<Vec<_>>(), [1; FIFTY]);
    }
}

const FIFTY: usize = 50;

fn fifty_agents(version: Version) -> Ended {
    let server = Server::start(Script::default());
    let nats = Nats::start(version);
    let agents = (0..FIFTY).map(|number| agent(&nats, &format!("agent-{number:02}"), "1"));
    let agents: Vec<_> = agents.collect();
    let scenario = format!(
        r#"
        name = "many"
        target.url = "{}"
        load = {{ connections = {FIFTY}, ramp_up = "1s", warm_up = "1s", duration = "2s" }}
        message = [{{ name = "echo", rate = "5/s" }}]
        gates.pass = ["count(connections.failed) == 0", "count(messages.sent) == 500"]
        "#,
        server.url()
    );
    let led = coordinator(&nats, &scenario, FIFTY, &[]).end();
    for agent in agents {
        assert_code(&agent.end(), 0);
    }
    led
}

/// An agent plays one run after the other: who comes second waits, and is told at once for whom.
#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn runs_that_begin_together_are_played_one_after_the_other() {
    let server = Server::start(Script::default());
    let nats = Nats::start(Version::PyPi);
    let agents = ["one", "two"].map(|name| {
        let agent = agent_with(
            &nats,
            name,
            &["--workers", "1"],
            tempfile::tempdir().unwrap(),
        );
        wait_for(&agent, "waits for a run");
        agent
    });
    let scenario = scenario(&server.url(), 1);
    let both = [(); 2].map(|()| coordinator(&nats, &scenario, 2, &[]));
    for led in both.map(Running::end) {
        assert_code(&led, 0);
    }
    for agent in agents {
        agent.signal("TERM");
        assert_code(&agent.end(), 130);
    }
}
