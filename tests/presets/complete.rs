//! That no preset is without its server.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use wsbench::scenario::presets;

/// The tests of this folder, without white space.
fn tests() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/presets");
    let files = fs::read_dir(folder).unwrap();
    let text: String = files
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect();
    text.split_whitespace().collect()
}

/// The presets of which these tests say none of this.
fn without(says: impl Fn(&str, &str) -> bool) -> BTreeSet<&'static str> {
    let tests = tests();
    let names = presets().map(|preset| preset.name);
    names.filter(|name| !says(&tests, name)).collect()
}

#[test]
fn every_preset_has_a_case() {
    let unproven = without(|tests, name| tests.contains(&format!("preset:\"{name}\"")));
    assert_eq!(unproven, BTreeSet::new());
    let tests = tests();
    for server in presets().map(|preset| preset.server) {
        let has_case = server.is_empty() || tests.contains(&format!("server:\"{server}\""));
        assert!(has_case, "{server}");
    }
}

/// The presets whose servers are among the targets of `tests/real_connections/probed.rs`, which probes all of those.
const TARGETS: [(&str, &str); 8] = [
    ("ws", "NodeHeartbeat"),
    ("websockets", "PythonHeartbeat"),
    ("pong_timeout", "PythonHeartbeat"),
    ("idle", "Picows"),
    ("aiohttp", "Aiohttp"),
    ("tornado", "Tornado"),
    ("cowboy", "RabbitMqIdle"),
    ("engineio", "SocketIo"),
];

/// By the names under which they are probed.
#[test]
fn every_preset_has_a_server_that_is_probed() {
    let unprobed = without(|tests, name| tests.contains(&format!("(\"{name}\",")));
    assert_eq!(unprobed, BTreeSet::new());
    for (_, target) in TARGETS {
        let targets = include_str!("../real_connections/probed.rs");
        assert!(
            targets.contains(&format!("    Target::{target},\n")),
            "{target}"
        );
    }
}
