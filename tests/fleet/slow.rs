//! What takes minutes, and runs with `scripts/test --all`.

use std::fs;
use std::time::Duration;

use super::common::nats::{Nats, Version};
use super::common::{Running, Script, Server};
use super::setting::{Alone, agent, assert_code, coordinator, scenario, wait_for_messages};

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
