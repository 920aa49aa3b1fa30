//! Invalid scenarios are refused with the message in the file beside them. `WSBENCH_BLESS=1` rewrites these messages.

use std::fs;

use wsbench::scenario::{Problems, Source};

use super::{parse, toml_files};

#[test]
fn every_wrong_scenario_has_its_message() {
    let update = std::env::var_os("WSBENCH_BLESS").is_some();
    for path in toml_files("tests/scenarios/invalid") {
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let said = parse(name, &text).expect_err(name).to_string() + "\n";
        let pinned = path.with_extension("txt");
        if update {
            fs::write(&pinned, &said).unwrap();
        }
        let expected =
            fs::read_to_string(&pinned).unwrap_or_else(|_| panic!("{name} has no .txt beside it"));
        assert_eq!(said, expected, "{name}");
    }
}

#[test]
fn many_problems_are_told_at_once_in_the_order_of_the_file() {
    let text = include_str!("invalid/many_at_once.toml");
    let problems = parse("many_at_once.toml", text).unwrap_err();
    let keys: Vec<_> = problems
        .iter()
        .filter_map(|problem| problem.key.as_deref())
        .collect();
    assert_eq!(
        keys,
        [
            "name",
            "colour",
            "target.url",
            "target.connect_timeout",
            "load.connections",
            "load.pace",
            "message.think",
            "heartbeat.send",
            "gates.pass",
        ]
    );
}

#[test]
fn a_file_full_of_problems_has_an_end() {
    let messages = "[[message]]\nname = 5\nrate = 5\npaylod = 5\n".repeat(200);
    let text = format!("name = \"x\"\ntarget.url = \"embedded\"\nload.connections = 1\n{messages}");
    let problems = parse("x.toml", &text).unwrap_err();
    assert_eq!(problems.iter().count(), Problems::MAX);
    assert!(problems.len() > Problems::MAX);
    let said = problems.to_string();
    assert!(said.lines().last().unwrap().ends_with(" more"), "{said}");
}

#[test]
fn text_that_is_not_utf8_is_refused_with_its_place() {
    let problems = Source::from_bytes("x.toml", b"name = \"\xff\"\n".to_vec()).unwrap_err();
    let said = problems.to_string();
    assert!(said.contains("x.toml:1:9"), "{said}");
    assert!(said.contains("byte 8 is 0xff"), "{said}");
    assert!(Source::from_bytes("x.toml", "name = \"ü\"".into()).is_ok());
}
