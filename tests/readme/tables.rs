//! The tables of the documents have the same rows as the program.

use std::collections::BTreeSet;

use wsbench::metric::{Cause, Counter, Gauge, Timer};
use wsbench::verdict::Exit;

use super::{read, wsbench};

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

#[test]
fn the_exit_codes_are_those_of_the_program() {
    let page = read("docs/how-to/ci.md");
    let help = wsbench(&["--help"]);
    for exit in Exit::ALL {
        let code = exit.code();
        assert!(page.contains(&format!("\n| {code} | ")), "{code}");
        assert!(help.contains(&format!(" {code}  ")), "{code}");
    }
}

/// The rows of all tables whose heading begins with this word, without the backticks.
pub(super) fn rows(document: &str, heading: &str) -> BTreeSet<(String, String)> {
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
pub(super) fn assert_same<T: Ord + std::fmt::Debug>(document: &BTreeSet<T>, program: &BTreeSet<T>) {
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
