//! The JSON Schema takes all that a run takes, and nothing else.

use wsbench::scenario::{self, shipped};

use super::{parse, read};

#[test]
fn the_schema_takes_every_scenario_that_ships() {
    let schema: serde_json::Value = serde_json::from_str(&scenario::schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (name, text) in shipped::ALL {
        let value: serde_json::Value = toml::from_str(text).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&value)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    let unknown = serde_json::json!({ "nmae": "x" });
    assert!(!validator.is_valid(&unknown));
    let wrong = serde_json::json!({ "load": { "duration": "30" } });
    assert!(!validator.is_valid(&wrong));
}

/// The schema must accept all that a run accepts, so that an editor shows no false errors.
#[test]
fn the_schema_takes_every_way_to_write_a_value() {
    let schema: serde_json::Value = serde_json::from_str(&scenario::schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let base = "name = \"x\"\ntarget.url = \"embedded\"\nload.connections = 1\n";
    for (key, values) in [
        (
            "load.duration",
            &[
                "250ms", "1m 30s", "2h", " 1day ", "1h30min", "1500us", "1.5s",
            ][..],
        ),
        ("load.warm_up", &["0", "0s", "1s", "0.5s"]),
        (
            "target.max_message",
            &["64B", "1.5 KiB", "4kb", "2MB", "0.0005 TiB"],
        ),
        (
            "message = [{ name = \"m\", rate",
            &["20/s", "1.5 / m", "36/h", "1e-2/s", ".5/sec", "3/min"],
        ),
        ("target.rooms = { login = true, tick", &["20/s", "6/m"]),
        ("path.delay", &["150ms"]),
        ("path.throttle", &["10KiB"]),
    ] {
        for value in values {
            let end = match key {
                _ if key.contains('[') => " }]",
                _ if key.contains('{') => " }",
                _ => "",
            };
            let text = format!("{base}{key} = \"{value}\"{end}\n");
            parse("x", &text).unwrap_or_else(|problems| panic!("{problems}"));
            let json: serde_json::Value = toml::from_str(&text).unwrap();
            assert!(validator.is_valid(&json), "{key} = {value}");
        }
    }
}

/// One value or several, short form or table, a preset's setting beside a promise.
#[test]
fn the_schema_takes_every_form_of_a_value_and_no_other() {
    let schema: serde_json::Value = serde_json::from_str(&scenario::schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let base = "name = \"x\"\ntarget.url = \"ws://127.0.0.1:9\"\n[[cohort]]\nname = \"a\"\nconnections = 10\n";
    let is_valid = |keys: &str| {
        let json: serde_json::Value = toml::from_str(&format!("{base}{keys}")).unwrap();
        validator.is_valid(&json)
    };
    for keys in [
        "fault = { kind = \"hold\" }",
        "fault = [{ kind = \"late_pong\", delay = \"1s\" }]",
        "fault = { kind = \"late_pong\", delay = { from = \"1s\", to = \"2s\" } }",
        "fault = { kind = \"close\", code = [1000, 0] }",
        "fault = { kind = \"illegal_frame\", frame = \"unmasked\" }",
        "contract = { preset = \"websockets\", interval = \"1s\", max_ping_sync = 1 }",
        "contract = { code = 1011, ends_with = \"close_frame\", max_ping_sync = 0.5 }",
        "contract = \"off\"",
        "[path]\nfreeze = [{ after = \"1s\" }]\njitter = \"1s\"",
    ] {
        parse("x", &format!("{base}{keys}")).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(is_valid(keys), "{keys}");
    }
    for keys in [
        "fault = { kind = \"no_pings\" }",
        "fault = { kind = \"close\", code = \"1000\" }",
        "contract = { closed_between = [\"1s\"] }",
        "contract = { max_ping_sync = 2 }",
        "contract = \"none\"",
        "[path]\nfreeze = { when = \"1s\" }",
    ] {
        assert!(parse("x", &format!("{base}{keys}")).is_err(), "{keys}");
        assert!(!is_valid(keys), "{keys}");
    }
}

/// The forms of what is sent and of what is expected.
#[test]
fn the_schema_takes_every_form_of_a_match_and_no_other() {
    let schema: serde_json::Value = serde_json::from_str(&scenario::schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let base = "name = \"x\"\ntarget.url = \"embedded\"\nload.connections = 1\n[[message]]\nname = \"m\"\nrate = \"1/s\"\n";
    let is_valid = |keys: &str| {
        let json: serde_json::Value = toml::from_str(&format!("{base}{keys}")).unwrap();
        validator.is_valid(&json)
    };
    for keys in [
        "payload = \"a\"\nexpect = \"echo\"",
        "payload = \"{{stamp}}\"\nexpect = \"stamp\"",
        "expect = \"pong\"",
        "expect = { \"/a\" = 1, \"/b~1\" = \"x\", \"/c\" = true, \"/d\" = 0.5, text = \"y\" }",
        "expect = [\"a\", { prefix = \"b\", hex = \"00\", at = 3, regex = '[a-z]' }]",
        "check = \"pong\"",
        "check = { has = \"/a\", lacks = [\"/b\"], null = \"/c\" }",
        "save = { a = \"/a\", b = \"whole\", c = { regex = '(.)' }, d = { at = 0, as = \"u8\" } }",
    ] {
        read("x", &format!("{base}{keys}"));
        assert!(is_valid(keys), "{keys}");
    }
    for keys in [
        "payload = 5",
        "expect = 5",
        "expect = { a = 1 }",
        "expect = { \"/a\" = [1] }",
        "check = [\"a\"]",
        "save = { a = { at = 0, as = \"u24\" } }",
    ] {
        assert!(parse("x", &format!("{base}{keys}")).is_err(), "{keys}");
        assert!(!is_valid(keys), "{keys}");
    }
}
