//! Shipped scenarios parse, the reference lists every key, and what is wrong is refused in words.

mod contracts;
mod files;
mod invalid;
mod reference;
mod schema;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use wsbench::scenario::{
    self, Outside, Overrides, Problems, Scenario, Shape, Source, TargetUrl, shipped,
};

/// An environment with one variable and no files.
const NOWHERE: Outside<'_> = Outside {
    env: &|name| (name == "TOKEN").then(|| "s3cret".to_owned()),
    read: &|_| Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
    list: &Outside::no_folder,
};

fn parse(name: &str, text: &str) -> Result<Scenario, Problems> {
    parse_with(name, text, &Overrides::default())
}

fn parse_with(name: &str, text: &str, overrides: &Overrides) -> Result<Scenario, Problems> {
    let source = Source {
        name: name.into(),
        text: text.into(),
    };
    scenario::parse(&source, overrides, &NOWHERE)
}

fn toml_files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

#[test]
fn every_file_of_the_folder_ships_and_parses() {
    let files: BTreeSet<String> = toml_files("scenarios")
        .iter()
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let shipped: BTreeSet<String> = shipped::ALL
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(files, shipped);
    for (name, text) in shipped::ALL {
        let scenario = parse(name, text).unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(scenario.name, *name);
        // The built-in server speaks HTTP/1.1 only.
        let is_embedded = scenario.target.url == TargetUrl::Embedded;
        assert_eq!(is_embedded, *name != "http2");
        let is_judged = scenario
            .cohorts
            .iter()
            .any(|cohort| cohort.contract.is_some());
        assert!(is_judged || !scenario.gates.pass.is_empty(), "{name}");
        assert!(
            text.lines().next().unwrap().ends_with('?')
                || text.lines().next().unwrap().contains("? "),
            "{name}"
        );
    }
}

#[test]
fn the_starter_and_the_one_behind_an_address_parse() {
    parse("starter", scenario::starter()).unwrap_or_else(|problems| panic!("{problems}"));
    let overrides = Overrides {
        url: Some("ws://127.0.0.1:9000/chat".into()),
        ..Overrides::default()
    };
    let scenario = scenario::parse(&scenario::from_url(), &overrides, &NOWHERE).unwrap();
    let servers = scenario.target.url.servers().expect("no longer embedded");
    let url = servers.first();
    assert_eq!(
        (url.host.as_str(), url.port, url.resource.as_str()),
        ("127.0.0.1", 9000, "/chat")
    );
}

/// Reads a scenario without a problem.
fn read(name: &str, text: &str) {
    if let Err(problems) = parse(name, text) {
        panic!("{problems}");
    }
}

#[test]
fn stages_scale_with_the_command_line() {
    let overrides = Overrides {
        connections: Some(10),
        duration: Some("9s".into()),
        ..Overrides::default()
    };
    let scenario = parse_with("ramp", shipped::named("ramp").unwrap(), &overrides).unwrap();
    let Shape::Stages(stages) = scenario.load.shape else {
        panic!("no stages");
    };
    let counts: Vec<u32> = stages.iter().map(|stage| stage.connections).collect();
    assert_eq!(counts, [2, 2, 10, 10, 2, 2]);
    let total: f64 = stages
        .iter()
        .map(|stage| stage.duration.as_secs_f64())
        .sum();
    assert!((total - 9.0).abs() < 1e-6, "{total}");
    assert_eq!(scenario.cohorts[0].connections, 10);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_text_panics(text in "[a-z0-9 .=\"\\[\\]{}#\n,:/<>%$é]{0,200}") {
        told(parse("x", &text))?;
    }

    /// A damaged scenario is accepted, or refused with reasons.
    #[test]
    fn no_damaged_scenario_panics(
        which in 0..shipped::ALL.len(),
        at in any::<prop::sample::Index>(),
        gone in 0usize..40,
        put in "(|5|-1|\"x\"|\\[|\\[\\]|\\{\\}|=|\n|true|1/s|é)",
    ) {
        let text: Vec<char> = shipped::ALL[which].1.chars().collect();
        let at = at.index(text.len());
        let after = (at + gone).min(text.len());
        let damaged: String = text[..at].iter().copied().chain(put.chars()).chain(text[after..].iter().copied()).collect();
        told(parse("x", &damaged))?;
    }
}

/// Checks that a refusal gives a reason, and that every reason can be shown.
fn told(parsed: Result<Scenario, Problems>) -> Result<(), TestCaseError> {
    if let Err(problems) = parsed {
        prop_assert!(!problems.is_empty());
        prop_assert!(!problems.to_string().is_empty());
        prop_assert!(!problems.coloured().is_empty());
    }
    Ok(())
}
