//! The reference has every key, with its default, and all that it shows is legal.

use std::collections::BTreeSet;

use wsbench::scenario::{self, shipped};

use super::{parse, read};

#[test]
fn the_reference_says_the_defaults() {
    let text = shipped::named("reference").unwrap();
    let (optional, rest): (Vec<&str>, Vec<&str>) =
        text.lines().partition(|line| line.contains("# = "));
    assert!(optional.len() > 20, "{optional:?}");
    assert_eq!(
        parse("whole", text).unwrap(),
        parse("rest", &rest.join("\n")).unwrap()
    );
}

/// Each key must be in the reference, in use or commented out.
#[test]
fn the_reference_has_every_key() {
    let text = shipped::named("reference").unwrap();
    let schema: serde_json::Value = serde_json::from_str(&scenario::schema()).unwrap();
    let root = schema["properties"].as_object().unwrap();
    let tables = schema["$defs"].as_object().unwrap().values();
    let tables = tables.filter_map(|table| table["properties"].as_object());
    let keys: BTreeSet<&String> = tables
        .chain([root])
        .flat_map(|table| table.keys())
        .collect();
    assert!(keys.len() > 40);
    for key in keys {
        let forms = [format!("{key} = "), format!("[{key}]"), format!("[{key}.")];
        assert!(
            forms.iter().any(|form| text.contains(form.as_str())),
            "{key}"
        );
    }
}

/// A key with a default is in the reference with it, or in an example behind `#`.
#[test]
fn the_reference_says_the_defaults_of_the_schema() {
    let text = shipped::named("reference").unwrap();
    let schema: serde_json::Value = serde_json::from_str(&scenario::schema()).unwrap();
    let tables = schema["$defs"].as_object().unwrap().values();
    let keys = tables.filter_map(|table| table["properties"].as_object());
    let defaults = keys
        .flatten()
        .filter_map(|(key, schema)| Some((key, schema.get("default")?)));
    let defaults: BTreeSet<(String, String)> = defaults
        .map(|(key, value)| (format!("{key} = "), value.to_string()))
        .collect();
    assert!(defaults.len() > 20, "{defaults:?}");
    for (key, value) in defaults {
        let is_said = text.contains(&format!("{key}{value}"));
        let mut examples = text.lines().filter(|line| line.starts_with('#'));
        assert!(
            is_said || examples.any(|line| line.contains(&key)),
            "{key}{value}"
        );
    }
}

#[test]
fn what_is_behind_a_mark_in_the_reference_is_legal_too() {
    let base = "name = \"x\"\n[target]\nurl = \"embedded\"\nheartbeat = {}\n";
    let text = shipped::named("reference").unwrap();
    let (_, cohorts) = text.split_once("# [[cohort]]").unwrap();
    let cohorts = format!(
        "[[cohort]]{}",
        cohorts.replace("\n# ", "\n").replace("\n#", "\n")
    );
    let text = format!("{base}[[message]]\nname = \"m\"\nrate = \"1/s\"\n{cohorts}");
    let scenario = parse("cohorts", &text).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(scenario.cohorts[1].messages.is_empty());
    let faults = scenario.cohorts.iter().flat_map(|cohort| &cohort.faults);
    let kinds: BTreeSet<&str> = faults.map(|fault| fault.kind.name()).collect();
    assert_eq!(
        kinds.len(),
        15,
        "each fault of a client is played: {kinds:?}"
    );
    let contracts = scenario
        .cohorts
        .iter()
        .filter_map(|cohort| cohort.contract.as_ref());
    let promises: BTreeSet<&str> = contracts
        .flat_map(|contract| contract.promises.iter().map(|promise| promise.kind.key()))
        .collect();
    assert!(promises.len() > 15, "{promises:?}");
    let path = scenario.path.unwrap();
    let kinds: BTreeSet<&str> = path.faults.iter().map(|fault| fault.kind.key()).collect();
    assert_eq!(kinds.len(), 8, "each fault of the path happens: {kinds:?}");
    assert_eq!(scenario.target.faults[0].repeat, 3);
}

#[test]
fn the_example_of_steps_in_the_reference_is_legal_too() {
    let text = shipped::named("reference").unwrap();
    let (_, rest) = text.split_once("# [[setup]]").unwrap();
    let (steps, _) = rest.split_once("\n[heartbeat]").unwrap();
    let steps = format!(
        "[[setup]]{}",
        steps.replace("\n# ", "\n").replace("\n#", "\n")
    );
    let text = format!(
        "name = \"x\"\ntarget.url = \"embedded\"\nload = {{ connections = 1, reconnect = {{}} }}\n{steps}"
    );
    read("steps", &text);
}
