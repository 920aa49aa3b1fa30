//! What a search says that connections cost the server: it is of the target's process with all that it has started, and
//! as `/proc` tells it to somebody else.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::common::Running;
use super::common::address;
use super::common::real::wsbench;

/// Reads the memory of all processes whose command line has these words until it is told to stop. Gives the most that they
/// had together, for each process of the program itself: a new one for each probe.
fn watch(words: &str, over: &AtomicBool) -> BTreeMap<u32, f64> {
    let program = wsbench().display().to_string();
    let mut most = BTreeMap::new();
    while !over.load(Ordering::Relaxed) {
        let (mut server, mut together) = (None, 0.0);
        for entry in fs::read_dir("/proc").unwrap() {
            let name = entry.unwrap().file_name();
            let Some(pid) = name.to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            let said = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let said = said.replace('\0', " ");
            if said.contains(words) {
                together += resident(pid).unwrap_or(0.0);
                server = server.or_else(|| said.starts_with(&program).then_some(pid));
            }
        }
        if let Some(server) = server {
            let most = most.entry(server).or_insert(0.0);
            *most = together.max(*most);
        }
        thread::sleep(Duration::from_millis(20));
    }
    most
}

/// The memory of a process in bytes; `None` if it has ended.
fn resident(pid: u32) -> Option<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let mut lines = status.lines();
    let resident = lines.find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: f64 = resident.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024.0)
}

#[test]
fn the_cost_of_connections_is_that_of_all_that_the_command_started() {
    let address = address::free();
    let words = format!("--host {} --port {}", address.ip(), address.port());
    // The server is a child of the command.
    let serve = format!("'{}' serve {words} & wait", wsbench().display());
    let scenario = format!(
        r#"
        name = "cost"
        [target]
        url = "ws://{address}/"
        command = ["sh", "-c", {serve:?}]
        [load]
        connections = 1
        ramp_up = "300ms"
        duration = "2s"
        [gates]
        pass = ["count(connections.failed) == 0"]
        "#
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cost.toml"), scenario).unwrap();
    let own = [
        "search",
        "cost.toml",
        "--vary",
        "connections",
        "--out",
        "found",
    ];
    let range = ["--from", "100", "--to", "400", "--settle", "0s"];
    let over = AtomicBool::new(false);
    let (ended, seen) = thread::scope(|scope| {
        let watching = scope.spawn(|| watch(&words, &over));
        let search = Running::call(folder, &[&own[..], &range].concat(), &[]);
        let ended = search.within(Duration::from_secs(120)).end();
        over.store(true, Ordering::Relaxed);
        (ended, watching.join().unwrap())
    });
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    let text = fs::read_to_string(ended.folder().join("found/search.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    let probes = json["probes"].as_array().unwrap();
    let number = |of: &Value| of.as_f64().unwrap();
    let told: Vec<(f64, f64)> = (probes.iter())
        .map(|probe| (number(&probe["open"]), number(&probe["target_rss"])))
        .collect();
    let opened: Vec<f64> = told.iter().map(|(open, _)| *open).collect();
    assert_eq!(opened, [100.0, 200.0, 400.0, 400.0]);
    // Processes are numbered as they begin.
    let seen: Vec<f64> = seen.into_values().collect();
    assert_eq!(seen.len(), told.len(), "{seen:?}");
    for ((open, told), seen) in told.iter().zip(&seen) {
        let off = told / seen - 1.0;
        assert!(off.abs() < 0.1, "{open}: {told} instead of {seen}");
    }
    let each = (seen[2] - seen[0]) / 300.0 * 1_000.0;
    let said = number(&json["result"]["bytes_per_1000_connections"]);
    assert!((said / each - 1.0).abs() < 0.25, "{said} instead of {each}");
    for says in ["memory of the server: ", "processor of the server: "] {
        assert!(ended.stdout.contains(says), "{}", ended.stdout);
    }
}
