//! Shipped scenarios parse, and the reference lists every key; invalid scenarios are refused with the message in the
//! file beside them. `WSBENCH_UPDATE=1` rewrites these messages.

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

/// Reads a scenario without a problem.
fn read(name: &str, text: &str) {
    if let Err(problems) = parse(name, text) {
        panic!("{problems}");
    }
}

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

#[test]
fn every_wrong_scenario_has_its_message() {
    let update = std::env::var_os("WSBENCH_UPDATE").is_some();
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
    let text = include_str!("scenarios/invalid/many_at_once.toml");
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

#[test]
fn a_secret_is_used_and_never_shown() {
    let text = r#"
        name = "x"
        load.connections = 1
        target = { url = "ws://h/?key=${TOKEN}", headers = { B = "${TOKEN}", A = "x" } }
    "#;
    let scenario = parse("x", text).unwrap();
    let headers = [
        ("B".to_owned(), "s3cret".to_owned()),
        ("A".to_owned(), "x".to_owned()),
    ];
    assert_eq!(scenario.target.headers, headers);
    let url = scenario.target.url.servers().unwrap().first();
    assert_eq!(url.resource, "/?key=s3cret");
    assert_eq!(url.shown, "ws://h/?key=${TOKEN}");

    let wrong = text.replace("ws://h/", "ws://h:${TOKEN}/");
    let said = parse("x", &wrong).unwrap_err().to_string();
    assert!(!said.contains("s3cret"), "{said}");
}

#[test]
fn files_are_found_beside_the_scenario() {
    let text = r#"
        name = "x"
        load.connections = 1
        target = { url = "wss://h/", ca = "ca.pem" }
        [[message]]
        name = "m"
        rate = "1/s"
        payload = { file = "data/request.json" }
    "#;
    let source = Source {
        name: "folder/x.toml".into(),
        text: text.into(),
    };
    let outside = Outside {
        env: &|_| None,
        read: &|path| match path.to_str().unwrap() {
            "folder/ca.pem" => Ok(b"-----BEGIN CERTIFICATE-----".into()),
            path => Ok(path.into()),
        },
        list: &Outside::no_folder,
    };
    let scenario = scenario::parse(&source, &Overrides::default(), &outside).unwrap();
    let payload = &scenario.cohorts[0].messages[0].payload;
    assert_eq!(
        *payload,
        scenario::Payload::Fixed(b"folder/data/request.json".as_slice().into())
    );
    assert_eq!(
        scenario.target.access.tls.trust,
        scenario::Trust::File("folder/ca.pem".into())
    );
}

/// Parses a scenario whose only message names columns of `data.user`, which is read from a file of this text.
fn with_users(file: &str, keys: &str) -> Result<Scenario, Problems> {
    let text = format!(
        r#"
        name = "x"
        target.url = "embedded"
        load.connections = 2
        data.user = {{ file = "users.csv", {keys} }}
        [[message]]
        name = "m"
        rate = "1/s"
        payload = {{ text = "{{{{user.name}}}} {{{{stamp}}}}" }}
        "#
    );
    let source = Source {
        name: "folder/x.toml".into(),
        text,
    };
    let outside = Outside {
        env: &|_| None,
        read: &|path| {
            assert_eq!(path, Path::new("folder/users.csv"));
            Ok(file.as_bytes().to_vec())
        },
        list: &Outside::no_folder,
    };
    scenario::parse(&source, &Overrides::default(), &outside)
}

#[test]
fn what_is_wrong_in_a_file_of_rows_has_its_line_there() {
    let said = |file| with_users(file, "").unwrap_err().to_string();
    let ragged = said("name,role\nann,admin\nbob,user,s3cret\n");
    let expected =
        "error: `data.user.file` has 3 values where its header has 2\n--> folder/users.csv:3\n";
    assert!(ragged.starts_with(expected), "{ragged}");
    assert!(!ragged.contains("s3cret"), "{ragged}");
    // One problem, whatever is named of a table that could not be read.
    assert_eq!(ragged.matches("error:").count(), 1, "{ragged}");
    let short = said("name\nann\n");
    let expected = "error: `data.user` has 1 row for 2 connections";
    assert!(short.starts_with(expected), "{short}");
}

#[test]
fn how_many_rows_are_taken_is_known_before() {
    let taken = |how| with_users("name\na\nb\nc\n", how).unwrap().rows_taken(0);
    assert_eq!(taken(""), 2);
    assert_eq!(taken("pick = \"circular\""), 2);
    assert_eq!(taken("pick = \"circular\", per = \"send\""), 3);
    assert_eq!(taken("pick = \"random\""), 3);
}

#[test]
fn a_secret_column_is_used_and_never_shown() {
    let file = "name,password\nann,s3cret-of-ann\nbob,\"p@ss of bob\"\n";
    let scenario = with_users(file, "secret = [\"password\"]").unwrap();
    assert_eq!(scenario.data[0].cell(1, 1), "p@ss of bob");
    let mask = |text| scenario.secrets.mask(text).into_owned();
    assert_eq!(
        mask("ann said s3cret-of-ann, p%40ss%20of%20bob and p@ss…"),
        "ann said {{user.password}}, {{user.password}} and {{user.password}}…"
    );
    let shown = format!("{scenario:?}");
    assert!(!shown.contains("s3cret"), "{shown}");
    let said = with_users(file, "secret = \"pasword\"")
        .unwrap_err()
        .to_string();
    assert!(said.contains("names no column: `pasword`"), "{said}");
    assert!(said.contains("did you mean `password`?"), "{said}");
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
