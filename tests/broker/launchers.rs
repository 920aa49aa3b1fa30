//! What `docs/cluster.md` says of GNU parallel and pdsh, run as it stands there.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use crate::common::nats::{Nats, Version};
use crate::common::process::{self, Leashed};
use crate::common::{Ended, Running};

/// The line of the document that begins so.
fn line(begin: &str) -> String {
    let text = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cluster.md");
    let text = fs::read_to_string(text).unwrap();
    let line = text.lines().find(|line| line.starts_with(begin));
    line.unwrap_or_else(|| panic!("no line begins with {begin}"))
        .to_owned()
}

/// All processes that it has begun, and those that they have; at least one.
fn descendants(process: u32) -> Vec<u32> {
    let mut found = process::children(process);
    let mut seen = 0;
    while let Some(next) = found.get(seen) {
        found.extend(process::children(*next));
        seen += 1;
    }
    assert!(!found.is_empty(), "it has begun nothing");
    found
}

/// Whether it is the program itself, and not a shell that waits for it.
fn is_agent(process: u32) -> bool {
    let words = fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
    words.starts_with(b"wsbench\0agent\0")
}

fn listed(url: &str) -> Ended {
    let ls = ["cluster", "ls", "--nats", url];
    Running::call(tempfile::tempdir().unwrap(), &ls, &[]).end()
}

#[test]
#[ignore = "needs nats-server, parallel and pdsh; run by scripts/test"]
fn parallel_and_pdsh_start_agents() {
    for begin in ["parallel ", "pdsh "] {
        let nats = Nats::start(Version::PyPi);
        let program = Path::new(env!("CARGO_BIN_EXE_wsbench"));
        let folder = program.parent().unwrap().display();
        let path = format!("{folder}:{}", std::env::var("PATH").unwrap());
        let mut launcher = process::command("sh");
        launcher
            .args(["-c", &format!("exec {}", line(begin))])
            .env("PATH", path)
            .env("NATS_URL", nats.url())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut launcher = Leashed(launcher.spawn().unwrap());
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let said = listed(&nats.url()).stdout;
            if said.contains("2 agents") && said.contains("  one ") && said.contains("  two ") {
                break;
            }
            let is_there = launcher.0.try_wait().unwrap().is_none();
            assert!(is_there && Instant::now() < deadline, "{begin}: {said}");
            thread::sleep(Duration::from_millis(100));
        }
        // pdsh leaves what it has begun to itself, so each is ended by its id.
        let begun = descendants(launcher.0.id());
        let agents = begun.into_iter().filter(|begun| is_agent(*begun));
        let agents: Vec<u32> = agents.collect();
        assert_eq!(agents.len(), 2, "{begin}");
        agents
            .into_iter()
            .for_each(|agent| process::signal(agent, "TERM"));
        let deadline = Instant::now() + Duration::from_secs(30);
        while !listed(&nats.url()).stdout.contains("no agent answers") {
            assert!(Instant::now() < deadline, "{begin}: they go on");
            thread::sleep(Duration::from_millis(100));
        }
    }
}
