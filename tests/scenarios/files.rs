//! Files beside the scenario, and values that are never shown.

use std::path::Path;

use wsbench::scenario::{self, Outside, Overrides, Problems, Scenario, Source};

use super::parse;

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
    assert_eq!(scenario.target.access.ask.headers, headers);
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
