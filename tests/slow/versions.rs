//! Whether versions of a server are told apart, and one from itself is not, by runs on this machine as it is.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use wsbench::compare::FEWEST_SESSIONS;

use crate::common::sessions::{call, decided, expect, folder, quiet, server};

const BASE: Duration = Duration::from_millis(5);
const SESSIONS: usize = 20;
const P50: &str = "p50(latency.echo) < 110% of baseline";

/// The row of a table: its ratio, and what could have been seen, in percent.
#[track_caller]
fn p50_of(out: &str) -> (f64, f64) {
    let row = out
        .lines()
        .find(|line| line.starts_with("latency.echo p50"));
    let row = row.unwrap_or_else(|| panic!("no p50 in {out}"));
    let percents: Vec<&str> = row
        .split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect();
    let number = |cell: &str| match cell.trim_end_matches(" %").trim_start_matches('+') {
        times if times.starts_with('×') => times[2..].parse::<f64>().unwrap() * 100.0 - 100.0,
        percent => percent.parse().unwrap(),
    };
    (number(percents[3]), number(percents[percents.len() - 1]))
}

/// The standing of a gate in what a comparison prints.
#[track_caller]
fn standing(out: &str) -> &str {
    let line = out.lines().find(|line| line.contains(P50));
    let line = line.unwrap_or_else(|| panic!("no gate in {out}"));
    line.split(P50).next().unwrap_or_default().trim()
}

#[test]
#[ignore = "takes three minutes; run by scripts/test --all"]
#[expect(clippy::print_stdout, reason = "figures for people")]
fn twenty_sessions_of_an_unchanged_server_raise_no_alarm() {
    let (folder, server) = (folder(), server(BASE));
    let (path, url) = (folder.path(), server.url());
    expect(path, 0, &["baseline", "add", "base.json"]);
    for number in 0..SESSIONS {
        let out = format!("new-{number}");
        // With the gate, so that a doubt about the generator can concern it.
        let gated = ["--repeat", "3", "--baseline", "base.json", "--gate", P50];
        quiet(path, url, &out, &gated);
        let compare = ["compare", "--baseline", "base.json", &out];
        let called = expect(path, 0, &compare);
        if number >= FEWEST_SESSIONS {
            let (ratio, could_see) = p50_of(&called.out);
            let standing = standing(&called.out);
            println!("session {number}: {ratio} %, could see +{could_see} %: {standing}");
        }
        expect(path, 0, &["baseline", "add", "base.json", &out]);
    }
    let kept: Value =
        serde_json::from_slice(&std::fs::read(path.join("base.json")).unwrap()).unwrap();
    assert_eq!(kept["sessions"].as_array().unwrap().len(), SESSIONS);
}

/// Ten pairs against a server with this delay: the exit code, and what was printed.
fn ten_pairs(path: &Path, base: &str, delay: Duration) -> (i32, String) {
    let new = server(delay);
    let gate = ["--gate", P50, "--pairs", "10", "--quiet"];
    let ab = [
        "ab",
        "short.toml",
        "--base",
        base,
        "--new",
        new.url(),
        "--out",
        "ab",
    ];
    let called = decided(|| call(path, &[&ab[..], &gate].concat()));
    (called.code, called.out)
}

#[test]
#[ignore = "takes three minutes; run by scripts/test --all"]
#[expect(clippy::print_stdout, reason = "figures for people")]
fn ten_pairs_tell_a_slower_server_and_say_what_they_could_see() {
    let (folder, base) = (folder(), server(BASE));
    let path = folder.path();
    for (part, exit) in [(1.0, 0), (1.3, 3), (2.0, 3)] {
        let (code, out) = ten_pairs(path, base.url(), BASE.mul_f64(part));
        println!("×{part}: exit code {code}\n{out}");
        let (_, could_see) = p50_of(&out);
        assert!(could_see <= 50.0, "×{part}: {out}");
        let standing = standing(&out);
        match exit {
            0 => assert_ne!(standing, "✗ WORSE", "{out}"),
            _ if part >= 2.0 => assert_eq!((code, standing), (3, "✗ WORSE"), "{out}"),
            // Held would say that the whole interval is below 110 %.
            _ => assert_ne!(standing, "✓ HELD", "{out}"),
        }
    }
}
