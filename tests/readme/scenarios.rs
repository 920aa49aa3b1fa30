//! The scenarios that the documents show, and what they say of those that ship.

use std::collections::BTreeSet;
use std::fs;

use wsbench::scenario::{self, Dialect, Outside, Overrides, Source};

use super::tables::{assert_same, rows};
use super::{DOCUMENTS, blocks, read, root};

#[test]
fn every_scenario_of_every_document_parses() {
    let mut read = 0;
    for document in DOCUMENTS {
        if super::read(document).contains("\n```toml\n") {
            every_scenario_parses(document);
            read += 1;
        }
    }
    assert!(read > 8, "{read} documents have scenarios");
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

/// The question of a scenario is its first line.
#[test]
fn each_scenario_that_ships_is_listed_with_its_question() {
    let listed = rows("docs/shipped.md", "scenario");
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
