//! What agents record stands in files of their own, which `merge` takes where a NATS server is gone for good.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::common::nats::{Nats, Version};
use super::common::{Running, Script, Server};
use super::setting::{agent, assert_code, coordinator, scenario};

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
