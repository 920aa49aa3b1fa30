//! The reference in the documents is what the program knows: each key of a scenario, metric, cause, preset, dialect, file and
//! exit code. `WSBENCH_BLESS=1` writes it anew.

use std::fmt::Write as _;
use std::{env, fs};

use serde_json::Value;
use wsbench::metric::{Cause, Counter, Gauge, Timer};
use wsbench::scenario::{self, Dialect, presets};
use wsbench::verdict::Exit;

use super::root;

const PAGE: &str = "docs/reference.md";
const HEAD: &str = "\
<!-- Written by the test `the_reference_is_what_the_program_knows`; WSBENCH_BLESS=1 writes it anew. -->

# Reference

Every word that a scenario, a gate and a report may have, as the program itself knows it. One scenario with all keys, and what
is true where one is left out, is [`scenarios/reference.toml`](../scenarios/reference.toml); `wsbench schema` prints the keys
for editors.
";

#[test]
fn the_reference_is_what_the_program_knows() {
    let text = reference();
    let path = root().join(PAGE);
    if env::var_os("WSBENCH_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    let mut both = there.lines().zip(text.lines());
    let differs = both.find(|(there, is)| there != is);
    assert_eq!(differs, None, "{PAGE}: WSBENCH_BLESS=1 writes it anew");
    assert_eq!(
        there.len(),
        text.len(),
        "{PAGE}: WSBENCH_BLESS=1 writes it anew"
    );
}

fn reference() -> String {
    let mut page = HEAD.to_owned();
    let schema: Value = serde_json::from_str(&scenario::schema()).unwrap();
    page += "\n## Keys of a scenario\n";
    keys(&mut page, "The file", &schema);
    for (name, one) in schema["$defs"].as_object().unwrap() {
        keys(&mut page, name, one);
    }
    page += "\n## Words of a scenario\n\nWhat may stand where a key takes one of several words.\n\n| of | word | means |\n|---|---|---|\n";
    for (name, one) in schema["$defs"].as_object().unwrap() {
        words(&mut page, name, one);
    }
    page += "\n## Metrics\n\n";
    table(
        &mut page,
        "counter",
        Counter::ALL.iter().map(|one| (one.name(), one.meaning())),
    );
    table(
        &mut page,
        "time",
        Timer::ALL.iter().map(|one| (one.name(), one.meaning())),
    );
    table(
        &mut page,
        "gauge",
        Gauge::ALL.iter().map(|one| (one.name(), one.meaning())),
    );
    page += "## Causes\n\nWhy a connection did not open, or ended: `errors.<cause>`.\n\n";
    table(
        &mut page,
        "cause",
        Cause::ALL.iter().map(|one| (one.name(), one.meaning())),
    );
    page += "## Presets of servers\n\nA contract from a server’s own settings; [Heartbeats](heartbeats.md) says what was measured.\n\n";
    page +=
        "| preset | settings | the server gives a silent client up | source |\n|---|---|---|---|\n";
    for one in presets() {
        let [example, formula, source] = [one.example.as_str(), one.formula, one.source].map(cell);
        let (name, from) = (one.name, one.from.name());
        let _ = writeln!(
            page,
            "| `{name}` | `{example}` | from {from}: {formula} | {source} |"
        );
    }
    page += "\n## Dialects\n\n[Dialects](dialects.md) has each with an example.\n\n";
    for dialect in Dialect::ALL {
        let _ = writeln!(page, "- `{}`", dialect.name);
    }
    page += "\n## Exit codes\n\n| code | means |\n|---|---|\n";
    for exit in Exit::ALL {
        let _ = writeln!(
            page,
            "| {} | {} |",
            exit.code(),
            cell(exit_meaning(exit.code()))
        );
    }
    page += "\n## Files\n\nA run leaves a folder; [Reports](reports.md) explains every field and column.\n";
    page
}

/// What the help says of an exit code.
fn exit_meaning(code: u8) -> &'static str {
    static HELP: std::sync::LazyLock<String> =
        std::sync::LazyLock::new(|| super::wsbench(&["--help"]));
    let line = HELP
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(&format!("{code}  ")));
    line.expect("each exit code stands in the help")
}

fn table<'a>(page: &mut String, what: &str, rows: impl Iterator<Item = (&'a str, &'a str)>) {
    let _ = write!(page, "| {what} | means |\n|---|---|\n");
    for (name, meaning) in rows {
        let _ = writeln!(page, "| `{name}` | {} |", cell(meaning));
    }
    page.push('\n');
}

/// One line without what ends a cell.
fn cell(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
        .replace('<', "&lt;")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The keys of a table of a scenario, if it is one.
fn keys(page: &mut String, name: &str, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    let _ = write!(
        page,
        "\n### {name}\n\n{}\n\n| key | means |\n|---|---|\n",
        cell(text(&schema["description"]))
    );
    for (key, one) in properties {
        let _ = writeln!(page, "| `{key}` | {} |", cell(text(&one["description"])));
    }
}

/// The words of an enumeration of a scenario, if it is one.
fn words(page: &mut String, name: &str, schema: &Value) {
    let described = ["oneOf", "anyOf"]
        .into_iter()
        .filter_map(|key| schema[key].as_array())
        .flatten();
    for one in described {
        if let Some(word) = one["const"].as_str() {
            let _ = writeln!(
                page,
                "| {name} | `{word}` | {} |",
                cell(text(&one["description"]))
            );
        }
        for word in one["enum"].as_array().into_iter().flatten() {
            let _ = writeln!(page, "| {name} | `{}` | |", text(word));
        }
    }
    for word in schema["enum"].as_array().into_iter().flatten() {
        let _ = writeln!(page, "| {name} | `{}` | |", text(word));
    }
}
