//! Files of agents: those that a scenario needs have to be there, and what agents record stands in files that `merge`
//! takes where a NATS server is gone for good.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::common::nats::{Nats, Version};
use super::common::{Running, Script, Server};
use super::setting::{
    agent, agent_with, assert_code, coordinator, coordinator_in, scenario, wait_for,
};

/// The file that an agent writes in a folder, under another name by which it stays when the agent removes it.
#[track_caller]
fn kept(folder: &Path, name: &Path) -> PathBuf {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let files = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let mut recorded = files.filter(|path| path.extension().is_some_and(|end| end == "wsbr"));
        if let Some(recorded) = recorded.next() {
            fs::hard_link(recorded, name).unwrap();
            return name.to_owned();
        }
        assert!(Instant::now() < deadline, "it records nothing");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn the_files_of_agents_merged_are_their_run() {
    let server = Server::start(Script::default());
    let nats = Nats::start(Version::Debian);
    let agents = [agent(&nats, "one", "1"), agent(&nats, "two", "2")];
    let led = coordinator(&nats, &scenario(&server.url(), 3), 2, &[]);
    let folder = tempfile::tempdir().unwrap();
    let files = ["one.wsbr", "two.wsbr"].map(|name| folder.path().join(name));
    let files: Vec<String> = (agents.iter().zip(&files))
        .map(|(agent, name)| kept(agent.folder(), name).display().to_string())
        .collect();
    let led = led.end();
    assert_code(&led, 0);
    for agent in agents {
        assert_code(&agent.end(), 0);
    }
    let merge = ["merge", &files[1], &files[0], "--out", "report"];
    let merged = Running::call(tempfile::tempdir().unwrap(), &merge, &[]).end();
    assert_code(&merged, 0);
    let (led, merged) = (led.report(), merged.report());
    // Measuring began when the coordinator had said so, and not when the plan alone would have it.
    for key in ["metrics", "totals", "measured_seconds"] {
        assert_eq!(merged.json[key], led.json[key], "{key}");
    }
    let names: Vec<_> = (merged.json["parts"].as_array().unwrap().iter())
        .map(|part| part["name"].clone())
        .collect();
    assert_eq!(names, ["one", "two"]);
}

/// What a scenario of the tests needs besides its text, by name.
const NEEDED: [(&str, &str); 3] = [
    ("user.csv", "name,password\nann,of-ann\nbob,of-bob\n"),
    ("question.json", r#"{"question":"how are you?"}"#),
    ("answer.json", r#"{"answer":"fine, and you?"}"#),
];

/// A folder with the first of them.
fn with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

/// Files stay where they are: whoever lacks one is named before anything begins, with all that it lacks.
#[test]
#[ignore = "needs a NATS server; run by scripts/test"]
fn files_of_a_scenario_have_to_be_there_and_are_told_nobody() {
    let server = Server::start(Script::default());
    let nats = Nats::start(Version::Debian);
    let scenario = format!(
        r#"
        name = "files"
        target.url = "{}"
        load = {{ connections = 6, ramp_up = "300ms", warm_up = "500ms", duration = "2s" }}
        message = [
          {{ name = "login", rate = "2/s", payload = {{ text = "{{{{stamp}}}} {{{{user.name}}}} {{{{user.password}}}}" }} }},
          {{ name = "ask", rate = "2/s", expect = "echo", payload = {{ file = "question.json" }} }},
          {{ name = "tell", rate = "2/s", expect = "echo", payload = {{ file = "answer.json" }} }},
        ]
        data.user = {{ file = "user.csv", pick = "circular" }}
        gates.pass = ["count(connections.failed) == 0"]
        "#,
        server.url()
    );
    let led =
        |options: &[&str]| coordinator_in(with(&NEEDED), &[], &nats, &scenario, 2, options).end();
    let other = [("user.csv", "name,password\neve,of-eve\n"), NEEDED[1]];
    let [lacks, has] = [("lacks", &other[..]), ("has", &NEEDED[..])].map(|(name, files)| {
        let agent = agent_with(&nats, name, &["--workers", "1"], with(files));
        wait_for(&agent, "waits for a run");
        agent
    });
    let refused = led(&["--ready-timeout", "20s"]);
    assert_code(&refused, 2);
    let said = &refused.stderr;
    let lines = [
        "user.csv is another file; it has SHA-256 ",
        "answer.json is not there; it has SHA-256 ",
    ];
    for text in lines
        .into_iter()
        .chain(["lacks: ", "2 of the 3 files", "sha256sum"])
    {
        assert!(said.contains(text), "{text}: {said}");
    }
    assert!(
        !said.contains("question.json") && said.contains("has: it takes a share"),
        "{said}"
    );
    assert_eq!(server.log().opened(), 0);
    // The agent says the same.
    wait_for(&lacks, lines[1]);
    for (name, text) in NEEDED {
        fs::write(lacks.folder().join(name), text).unwrap();
    }
    let played = led(&[]);
    assert_code(&played, 0);
    assert!(played.report().count("messages.sent") > 20);
    let stored = nats.stored();
    for secret in ["of-ann", "of-eve", "how are you", "fine, and you"] {
        let is_told = stored
            .windows(secret.len())
            .any(|part| part == secret.as_bytes());
        assert!(!is_told, "the NATS server has {secret}");
    }
    for agent in [lacks, has] {
        agent.signal("TERM");
        assert_code(&agent.end(), 130);
    }
}
