//! Checks the documents: examples parse, commands exist, tables match the catalogue,
//! and links have a target.

#[path = "../common/mod.rs"]
mod common;

mod commands;
mod reference;
mod scenarios;
mod tables;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use common::process;
use wsbench::scenario::shipped;

const DOCUMENTS: [&str; 34] = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/SUMMARY.md",
    "docs/baselines.md",
    "docs/capacity.md",
    "docs/cluster.md",
    "docs/coming-from.md",
    "docs/commands.md",
    "docs/connections.md",
    "docs/design.md",
    "docs/dialects.md",
    "docs/heartbeats.md",
    "docs/how-to/by-hand.md",
    "docs/how-to/ci.md",
    "docs/how-to/install.md",
    "docs/how-to/proxies.md",
    "docs/how-to/read-a-report.md",
    "docs/index.md",
    "docs/live.md",
    "docs/measurement.md",
    "docs/performance.md",
    "docs/polling.md",
    "docs/probe.md",
    "docs/promises.md",
    "docs/reference.md",
    "docs/reports.md",
    "docs/rooms.md",
    "docs/scenario.md",
    "docs/sessions.md",
    "docs/shipped.md",
    "docs/tutorial.md",
    "docs/watch.md",
    "reports/README.md",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The fenced blocks of one language, at least one.
fn blocks(document: &str, language: &str) -> Vec<String> {
    let text = read(document);
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(info) = line.strip_prefix("```") {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            if info == language {
                found.push(block.join("\n"));
            }
        }
    }
    assert!(!found.is_empty(), "no {language} in {document}");
    found
}

/// The lines with a prompt, each with the output that is shown below it.
fn commands(document: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for block in blocks(document, "console") {
        for line in block.lines() {
            match (line.strip_prefix("$ "), found.last_mut()) {
                (Some(command), _) => found.push((command.to_owned(), String::new())),
                (None, Some((_, output))) => *output += &format!("{line}\n"),
                (None, None) => panic!("output before any command: {line}"),
            }
        }
    }
    found
}

/// The output of the program. It has no terminal here, so lines are wrapped at 100 columns.
fn wsbench(arguments: &[&str]) -> String {
    let output = process::command(env!("CARGO_BIN_EXE_wsbench"))
        .args(arguments)
        .env_remove("COLUMNS")
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Splits a command into words as a shell does. Supports double quotes, and no other special characters.
fn words(command: &str) -> Vec<String> {
    let parts = command.split('"').enumerate();
    let mut words = Vec::new();
    for (number, part) in parts {
        match number % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

/// The arguments of a command; `None` if it is not a wsbench command.
fn arguments(command: &str) -> Option<Vec<String>> {
    let command = command.split(" > ").next().unwrap_or(command);
    let rest = command.strip_prefix("wsbench ");
    let rest = rest.or_else(|| command.strip_prefix("cargo run --release -- "));
    rest.map(words)
}

/// `check` accepts the arguments of `run` that say what to run, so commands are tested with `check`.
#[test]
#[cfg_attr(
    not(feature = "cluster"),
    ignore = "documents show the program with all that it can have"
)]
fn the_commands_that_are_shown_can_be_given() {
    let mut tried = 0;
    for document in DOCUMENTS
        .iter()
        .filter(|path| read(path).contains("```console"))
    {
        for (command, _) in commands(document) {
            if let Some(arguments) = arguments(&command) {
                assert_exists(&command, &arguments);
                tried += 1;
            } else if let Some(script) = command.strip_prefix("scripts/") {
                let script = script.split_whitespace().next().unwrap();
                assert!(root().join("scripts").join(script).exists(), "{command}");
            } else {
                assert!(command.starts_with("cargo "), "{command}");
            }
        }
    }
    assert!(tried > 5);
}

fn assert_exists(command: &str, arguments: &[String]) {
    let (subcommand, rest) = arguments.split_first().unwrap();
    // `cluster` has commands of its own.
    let own = rest.iter().take(usize::from(subcommand == "cluster"));
    let called: Vec<&str> = [subcommand]
        .into_iter()
        .chain(own)
        .map(String::as_str)
        .collect();
    let help = wsbench(&[&called[..], &["--help"]].concat());
    for option in rest.iter().filter(|word| word.starts_with("--")) {
        assert!(help.contains(option.as_str()), "{command}: no {option}");
    }
    // What a document shows or takes for granted is no file here; another test reads what it shows.
    let is_there = rest.first().is_some_and(|word| {
        let is_shipped = shipped::named(word).is_some();
        is_shipped || word.starts_with("ws://") || root().join(word).is_file()
    });
    let asks = wsbench(&["check", "--help"]);
    let mut options = rest.iter().filter(|word| word.starts_with("--"));
    let can_be_checked = is_there && options.all(|option| asks.contains(option.as_str()));
    if matches!(subcommand.as_str(), "run" | "check") && can_be_checked {
        let mut arguments = vec!["check"];
        arguments.extend(rest.iter().map(String::as_str));
        assert!(
            wsbench(&arguments).contains("file descriptors"),
            "{command}"
        );
    }
}

/// Runs the promises that the document shows: the result must be as shown, except for the measured times.
#[test]
fn the_promises_that_are_shown_are_kept() {
    const NAME: &str = "promises.toml";
    let mut examples = blocks("docs/promises.md", "toml").into_iter();
    let example = examples
        .find(|text| text.contains("name = \"promises\""))
        .unwrap();
    let mut commands = commands("docs/promises.md").into_iter();
    let shown = commands
        .find(|(command, _)| command.ends_with(NAME))
        .unwrap()
        .1;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(NAME), example).unwrap();
    let run = || {
        let mut command = process::command(env!("CARGO_BIN_EXE_wsbench"));
        command.args(["run", NAME, "--out", "report"]);
        command.current_dir(folder.path()).output().unwrap()
    };
    // Repeats the run while its exit code is 4: the machine was too busy for a verdict.
    let is_judged = |output: &Output| output.status.code() != Some(4);
    let output = std::iter::repeat_with(run).take(5).find(is_judged);
    let output = output.expect("five runs without a verdict");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let kept = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with(['✓', '✗']));
        lines.map(promise_and_expectation).collect()
    };
    assert_eq!(kept(&shown), kept(&printed));
    let verdict = shown.lines().last().unwrap();
    assert!(printed.contains(&format!("\n{verdict}\n")), "{printed}");
}

/// The result must be as shown, except for the measured times.
#[test]
fn the_session_and_the_room_that_are_shown_hold() {
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str| {
        let mut examples = blocks("docs/scenario.md", "toml").into_iter();
        let example = examples.find(|text| text.contains(&format!("name = \"{name}\"\n")));
        let file = format!("{name}.toml");
        fs::write(folder.path().join(&file), example.unwrap()).unwrap();
        let run = || {
            let mut command = process::command(env!("CARGO_BIN_EXE_wsbench"));
            command.args(["run", &file]).current_dir(folder.path());
            command.output().unwrap()
        };
        // Repeats the run while its exit code is 4: the machine was too busy for a verdict.
        let is_judged = |output: &Output| output.status.code() != Some(4);
        let output = std::iter::repeat_with(run).take(5).find(is_judged);
        let output = output.expect("five runs without a verdict");
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(run("session").contains("\nPASS  all 3 gates held"));
    let printed = run("room");
    let mut commands = commands("docs/scenario.md").into_iter();
    let shown = commands.find(|(command, _)| command.ends_with("room.toml"));
    let kept = |text: &str| -> Vec<String> {
        let lines = text.lines().filter(|line| line.starts_with(['✓', '✗']));
        lines.map(promise_and_expectation).collect()
    };
    let gates = |text: &str| -> Vec<String> {
        let names = kept(text).into_iter();
        names
            .map(|row| row.split(" · ").take(2).collect())
            .collect()
    };
    let shown = shown.unwrap().1;
    assert_eq!(gates(&shown), gates(&printed));
    assert!(printed.contains("expected (100 %) · 0 missing · 0 twice · 0 stray"));
    let verdict = shown.lines().last().unwrap();
    assert!(printed.contains(&format!("\n{verdict}\n")), "{printed}");
}

/// The part of a row before its numbers of connections and times.
fn promise_and_expectation(row: &str) -> String {
    let cells = row
        .split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty());
    cells.take(3).collect::<Vec<_>>().join(" · ")
}

#[test]
fn links_lead_to_files_that_are_there() {
    let mut followed = 0;
    for document in DOCUMENTS {
        let text = read(document);
        let folder = root().join(document).parent().unwrap().to_owned();
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            if !target.contains("://") {
                let (path, place) = target.split_once('#').unwrap_or((target, ""));
                let path = match path {
                    "" => root().join(document),
                    path => folder.join(path),
                };
                assert!(path.exists(), "{document}: {target}");
                assert!(
                    place.is_empty() || places(&path).contains(place),
                    "{document}: {target}"
                );
                followed += 1;
            }
        }
    }
    assert!(followed > 5);
}

/// The headings of a page, and of those it includes, in the form of link targets.
fn places(page: &Path) -> BTreeSet<String> {
    let mut text = fs::read_to_string(page).unwrap();
    let included = text.lines().filter_map(|line| {
        let path = line.strip_prefix("{{#include ")?.strip_suffix("}}")?;
        Some(fs::read_to_string(page.parent().unwrap().join(path)).unwrap())
    });
    let included: String = included.collect();
    text += &included;
    let headings = text.lines().filter_map(|line| line.strip_prefix("## "));
    let place = |heading: &str| {
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings.map(place).collect()
}

/// The picture near the top is of a report, small enough for who clones, and there.
#[test]
fn the_readme_shows_a_report() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let mut top = readme.lines().take(20);
    let picture = top.find_map(|line| line.strip_prefix("![")?.split_once("]("));
    let (says, link) = picture.expect("a picture in the first lines");
    assert!(says.len() > 20, "it says what can be seen: {says}");
    let path = root().join(link.trim_end_matches(')'));
    let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(
        bytes.starts_with(b"\x89PNG\r\n\x1a\n"),
        "{}",
        path.display()
    );
    assert!(bytes.len() <= 200 << 10, "{} bytes", bytes.len());
    let width = u32::from_be_bytes(bytes[16..20].try_into().unwrap());
    assert!(width >= 800, "{width} px");
}
