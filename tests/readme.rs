//! Checks the documents: examples parse, commands exist, tables match the catalogue,
//! and links have a target.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use common::process;
use wsbench::metric::{Cause, Counter, Gauge, Timer};
use wsbench::scenario::{self, Dialect, Outside, Overrides, Source};
use wsbench::verdict::Exit;

const DOCUMENTS: [&str; 11] = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/connections.md",
    "docs/design.md",
    "docs/dialects.md",
    "docs/heartbeats.md",
    "docs/measurement.md",
    "docs/performance.md",
    "docs/sessions.md",
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

#[test]
fn every_scenario_in_the_readme_parses() {
    every_scenario_parses("README.md");
}

#[test]
fn every_scenario_of_the_page_on_sessions_parses() {
    every_scenario_parses("docs/sessions.md");
}

#[test]
fn every_scenario_of_the_page_on_connections_parses() {
    every_scenario_parses("docs/connections.md");
}

#[test]
fn every_scenario_of_the_page_on_dialects_parses() {
    every_scenario_parses("docs/dialects.md");
}

/// And begins with a scenario to copy.
#[test]
fn each_dialect_has_a_section_and_says_what_it_was_tried_with() {
    let text = read("docs/dialects.md");
    for dialect in Dialect::ALL {
        let name = dialect.name;
        let tried = match &dialect.tried()[..] {
            [] => "nothing yet".to_owned(),
            servers => servers.join(", "),
        };
        let has_row = |line: &str| {
            line.starts_with(&format!("| [`{name}`](#")) && line.ends_with(&format!("| {tried} |"))
        };
        assert!(text.lines().any(has_row), "{name}: {tried}");
        let section = text
            .split("\n## ")
            .find_map(|section| section.strip_prefix(name));
        let section = section.unwrap_or_else(|| panic!("{name} has no section"));
        assert!(section.starts_with("\n\n```toml\n"), "{name}");
        assert!(section.contains(&format!("\"{name}\"")), "{name}");
    }
}

/// What stands for a file with a certificate and its key.
const PEM: &str = "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n";

fn every_scenario_parses(document: &str) {
    let outside = Outside {
        env: &|name| {
            ["TOKEN", "PASSWORD"]
                .contains(&name)
                .then(|| "s3cret".to_owned())
        },
        read: &|path| match path.extension().and_then(|end| end.to_str()) {
            Some("pem" | "key") => Ok(PEM.into()),
            _ => fs::read(path),
        },
        list: &|folder| Ok(vec![folder.join("a.pem")]),
    };
    for block in blocks(document, "toml") {
        let table: toml::Table = toml::from_str(&block).unwrap_or_else(|e| panic!("{e}\n{block}"));
        let mut text = block.clone();
        // Adds what the shorter examples leave out, which a long one shows.
        if !table.contains_key("target") {
            text += "\n[target]\nurl = \"ws://127.0.0.1:9/\"\n";
        }
        if !table.contains_key("load") && !table.contains_key("cohort") {
            text += "\n[load]\nconnections = 2\n";
        }
        if !table.contains_key("name") {
            text = format!("name = \"example\"\n{text}");
        }
        let source = Source {
            name: document.to_owned(),
            text,
        };
        if let Err(problems) = scenario::parse(&source, &Overrides::default(), &outside) {
            let mut wrong = problems.iter();
            let is_wrong = wrong.any(|one| !one.message.contains("is not built yet"));
            assert!(!is_wrong, "{problems}");
        }
    }
}

#[test]
fn the_help_that_is_shown_is_the_help_there_is() {
    let shown: Vec<_> = commands("README.md")
        .into_iter()
        .filter(|(command, _)| command.ends_with("--help"))
        .collect();
    assert!(!shown.is_empty());
    for (command, output) in shown {
        let arguments = arguments(&command).unwrap();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        assert_eq!(output, wsbench(&arguments), "{command}");
    }
}

/// `check` accepts the arguments of `run` that say what to run, so commands are tested with `check`.
#[test]
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
    let help = wsbench(&[subcommand.as_str(), "--help"]);
    for option in rest.iter().filter(|word| word.starts_with("--")) {
        assert!(help.contains(option.as_str()), "{command}: no {option}");
    }
    // Skips a scenario that the document itself shows: another test reads it.
    const SHOWN: [&str; 2] = ["promises.toml", "room.toml"];
    let is_shown = rest
        .first()
        .is_some_and(|word| SHOWN.contains(&word.as_str()));
    let is_input = rest.first().is_some_and(|word| !word.starts_with("--")) && !is_shown;
    if matches!(subcommand.as_str(), "run" | "check") && is_input {
        let mut arguments = vec!["check"];
        arguments.extend(rest.iter().map(String::as_str));
        assert!(
            wsbench(&arguments).contains("file descriptors"),
            "{command}"
        );
    }
}

/// The question of a scenario is its first line.
#[test]
fn each_scenario_that_ships_is_listed_with_its_question() {
    let listed = rows("README.md", "scenario");
    let mut there = BTreeSet::new();
    for entry in fs::read_dir(root().join("scenarios")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let question = text.lines().next().unwrap().strip_prefix("# ").unwrap();
        let name = path.file_stem().unwrap().to_str().unwrap();
        there.insert((name.to_owned(), question.to_owned()));
    }
    assert_same(&listed, &there);
}

/// Every column of a report must be explained on this page.
#[test]
fn every_column_of_a_report_is_explained() {
    let page = read("reports/README.md");
    for file in [
        "summary",
        "histogram",
        "timeline",
        "connections",
        "contracts",
    ] {
        let section = page.split(&format!("## {file}.csv")).nth(1).unwrap();
        let section = section.split("\n## ").next().unwrap();
        let golden = read(&format!("tests/golden/{file}.csv"));
        for column in golden.lines().next().unwrap().split(',') {
            assert!(section.contains(&format!("`{column}`")), "{file}: {column}");
        }
    }
}

/// Every field of `run.json` must be explained on this page.
#[test]
fn every_field_of_run_json_is_explained() {
    let page = read("reports/README.md");
    let section = page.split("## run.json").nth(1).unwrap();
    let golden: serde_json::Value = serde_json::from_str(&read("tests/golden/run.json")).unwrap();
    for field in golden.as_object().unwrap().keys() {
        let is_there = [format!("`{field}`"), format!("`{field}[]`")];
        assert!(
            is_there.iter().any(|name| section.contains(name)),
            "{field}"
        );
    }
}

/// Runs the promises that the document shows: the result must be as shown, except for the measured times.
#[test]
fn the_promises_that_are_shown_are_kept() {
    const NAME: &str = "promises.toml";
    let mut examples = blocks("README.md", "toml").into_iter();
    let example = examples
        .find(|text| text.contains("name = \"promises\""))
        .unwrap();
    let mut commands = commands("README.md").into_iter();
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
        let mut examples = blocks("README.md", "toml").into_iter();
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
    let mut commands = commands("README.md").into_iter();
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
fn the_exit_codes_are_those_of_the_program() {
    let readme = read("README.md");
    let help = wsbench(&["--help"]);
    for exit in Exit::ALL {
        let code = exit.code();
        assert!(readme.contains(&format!("\n| {code} | ")), "{code}");
        assert!(help.contains(&format!(" {code}  ")), "{code}");
    }
}

/// The rows of all tables whose heading begins with this word, without the backticks.
fn rows(document: &str, heading: &str) -> BTreeSet<(String, String)> {
    let text = read(document);
    let mut found = BTreeSet::new();
    let mut inside = false;
    for line in text.lines() {
        let Some(row) = line
            .strip_prefix("| ")
            .and_then(|row| row.strip_suffix(" |"))
        else {
            inside = inside && line.starts_with("|--");
            continue;
        };
        let (name, meaning) = row.split_once(" | ").unwrap_or((row, ""));
        if name == heading {
            inside = true;
        } else if inside {
            found.insert((name.replace('`', ""), meaning.to_owned()));
        }
    }
    found
}

/// The names and meanings of a part of the catalogue.
macro_rules! catalogue {
    ($($enum:ident),+) => {{
        let all = [$($enum::ALL.iter().map(|one| (one.name(), one.meaning())).collect::<Vec<_>>()),+].concat();
        let owned = all.into_iter().map(|(name, meaning)| (name.to_owned(), meaning.to_owned()));
        owned.collect::<BTreeSet<_>>()
    }};
}

#[test]
fn the_tables_of_the_measurement_page_are_the_catalogue() {
    const PAGE: &str = "docs/measurement.md";
    assert_same(&rows(PAGE, "counter"), &catalogue!(Counter));
    assert_same(&rows(PAGE, "cause"), &catalogue!(Cause));
    let mut timed = rows(PAGE, "metric");
    // Skips the table of the four timers with two ends, which uses other words.
    timed.retain(|(_, meaning)| !meaning.contains(" | "));
    assert_same(&timed, &catalogue!(Timer, Gauge));
}

#[track_caller]
fn assert_same<T: Ord + std::fmt::Debug>(document: &BTreeSet<T>, program: &BTreeSet<T>) {
    let missing: Vec<_> = program.difference(document).collect();
    let unknown: Vec<_> = document.difference(program).collect();
    let both = (missing.is_empty(), unknown.is_empty());
    assert_eq!(
        both,
        (true, true),
        "missing: {missing:#?}\nnot so any more: {unknown:#?}"
    );
}

#[test]
fn every_dependency_has_its_reason() {
    let manifest: toml::Table = toml::from_str(&read("Cargo.toml")).unwrap();
    let mut names = BTreeSet::new();
    collect_dependencies(&manifest, &mut names);
    assert!(names.len() > 20);
    let design = read("docs/design.md");
    let section = design.split("## 5. Dependencies").nth(1).unwrap();
    let listed: BTreeSet<String> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split(" |").next())
        .flat_map(|cell| cell.split(", ").map(|name| name.replace('`', "")))
        .collect();
    assert_same(&listed, &names);
}

fn collect_dependencies(table: &toml::Table, names: &mut BTreeSet<String>) {
    for (key, value) in table {
        match value {
            toml::Value::Table(found) if key.ends_with("dependencies") => {
                names.extend(found.keys().cloned());
            }
            toml::Value::Table(other) if key == "target" || key.starts_with("cfg(") => {
                collect_dependencies(other, names);
            }
            _ => {}
        }
    }
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

/// The headings of a page, in the form of link targets.
fn places(page: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(page).unwrap();
    let headings = text.lines().filter_map(|line| line.strip_prefix("## "));
    let place = |heading: &str| {
        let kept = heading
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().to_lowercase().replace(' ', "-")
    };
    headings.map(place).collect()
}
