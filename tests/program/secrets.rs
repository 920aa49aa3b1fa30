//! What came from the environment, or is a literal part of an address, is shown nowhere, whoever says it again.

use std::fs;

use super::common::{Act, Ended, Handshake, Running, Script, Server, When};

const SECRET: &str = "s3cr3t-zq81-token";

#[track_caller]
fn assert_hidden(ended: &Ended, what: &str) {
    let mut shown = vec![ended.stdout.clone(), ended.stderr.clone()];
    let mut folders = vec![ended.folder().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => shown.push(fs::read_to_string(path).unwrap()),
            }
        }
    }
    assert!(shown.len() > 2, "{what}: nothing was written");
    for text in shown {
        assert!(!text.contains(SECRET), "{what}: {text}");
    }
}

/// A run whose secret is in a header, the origin, a subprotocol, the query and a payload.
fn run(script: Script) -> (Ended, Server) {
    let server = Server::start(script);
    let scenario = format!(
        r#"
        name = "secrets"
        [target]
        url = "{}/?token=${{TOKEN}}"
        origin = "https://${{TOKEN}}.example"
        subprotocols = ["bearer.${{TOKEN}}", "chat"]
        headers = {{ Authorization = "Bearer ${{TOKEN}}" }}
        [load]
        connections = 2
        duration = "300ms"
        [[message]]
        name = "login"
        payload = {{ text = "login ${{TOKEN}}" }}
        rate = "10/s"
        "#,
        server.url()
    );
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start_in(
        folder,
        &scenario,
        &["--log", "log.txt"],
        &[("TOKEN", SECRET)],
    );
    (running.end(), server)
}

#[test]
fn a_refusal_and_a_close_reason_that_hold_it_are_shown_without_it() {
    let body = "no such token: s3cr3t-zq81-token";
    let (ended, _server) = run(Script::handshake(Handshake::Status(401, body)));
    assert_hidden(&ended, "a refusal");
    assert!(
        ended.stdout.contains("no such token: ${TOKEN}"),
        "{}",
        ended.stdout
    );
    let (ended, _server) = run(Script::act(When::Open, Act::Close(Some(4401), SECRET)));
    assert_hidden(&ended, "a Close");
    let rows = &ended.report().connections;
    assert!(
        rows.iter().any(|row| row["close_reason"] == "${TOKEN}"),
        "{rows:?}"
    );
    // A text message that answers nothing, with the secret in it.
    let text = [&[0x81, SECRET.len() as u8], SECRET.as_bytes()].concat();
    let (ended, _server) = run(Script::act(When::Open, Act::Send(text)));
    assert_hidden(&ended, "a message");
    assert!(ended.stdout.contains("as in: ${TOKEN}"), "{}", ended.stdout);
    let (ended, _server) = run(Script::handshake(Handshake::Subprotocol(SECRET)));
    assert_hidden(&ended, "a subprotocol");
}

#[test]
fn a_secret_column_is_shown_nowhere() {
    let data = tempfile::tempdir().unwrap();
    let users = data.path().join("users.csv");
    fs::write(
        &users,
        format!("name,password\nann,{SECRET}\nbob,another-one\n"),
    )
    .unwrap();
    let close = Script::act(When::Open, Act::Close(Some(4401), SECRET));
    let server = Server::start(close);
    let scenario = format!(
        r#"
        name = "secrets"
        target.url = "{}/"
        load = {{ connections = 2, duration = "300ms" }}
        data.user = {{ file = {users:?}, secret = ["password"] }}
        [[message]]
        name = "login"
        payload = {{ json = '{{"login":"{{{{user.password}}}}","stamp":"{{{{stamp}}}}"}}' }}
        rate = "10/s"
        "#,
        server.url()
    );
    let folder = tempfile::tempdir().unwrap();
    let outputs = ["--log", "log.txt", "--messages", "messages.csv"];
    let ended = Running::start_in(folder, &scenario, &outputs, &[]).end();
    assert_hidden(&ended, "a Close");
    let rows = &ended.report().connections;
    assert!(
        (rows.iter()).any(|row| row["close_reason"] == "{{user.password}}"),
        "{rows:?}"
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("x.toml"), scenario).unwrap();
    let ended = Running::call(folder, &["check", "x.toml"], &[]).end();
    let plan = "  data         user: 2 of 2 rows\n";
    assert!(ended.stdout.contains(plan), "{}", ended.stdout);
}

#[test]
fn what_a_client_saved_is_shown_by_its_name() {
    let text = [&[0x81, SECRET.len() as u8], SECRET.as_bytes()].concat();
    let close = [
        &[0x88, SECRET.len() as u8 + 2, 0x11, 0x31],
        SECRET.as_bytes(),
    ]
    .concat();
    // The first is saved; the second answers nothing.
    let says = [text.clone(), text, close].concat();
    let server = Server::start(Script::act(When::Open, Act::Send(says)));
    let scenario = format!(
        r#"
        name = "saved"
        target.url = "{}/"
        load = {{ connections = 2, duration = "300ms" }}
        [[setup]]
        name = "login"
        await = {{ prefix = "s3cr" }}
        save = {{ token = "whole" }}
        "#,
        server.url()
    );
    let folder = tempfile::tempdir().unwrap();
    let ended = Running::start_in(folder, &scenario, &["--log", "log.txt"], &[]).end();
    assert_hidden(&ended, "a saved value");
    let rows = &ended.report().connections;
    assert!(
        rows.iter().any(|row| row["close_reason"] == "{{token}}"),
        "{rows:?}"
    );
    let unexpected = ended.report().json["unexpected"].to_string();
    assert!(unexpected.contains("{{token}}"), "{unexpected}");
}

/// A run with these words on the command line, against a server that says the secret.
fn call(arguments: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("kept.txt"), "").unwrap();
    Running::call(folder, arguments, &[]).end()
}

#[test]
fn a_literal_value_of_an_address_is_hidden_in_run_and_probe() {
    let server = Server::start(Script::default());
    let url = format!("{}/?token={SECRET}", server.url());
    let few = [
        "--connections",
        "1",
        "--duration",
        "200ms",
        "--out",
        "report",
    ];
    let ended = call(&[&["run", url.as_str()][..], &few].concat());
    assert!(ended.stdout.contains("/?token=***"), "{}", ended.stdout);
    assert_hidden(&ended, "run URL");
    let given = ["run", "echo", "--url", url.as_str()];
    assert_hidden(&call(&[&given[..], &few].concat()), "run --url");
    let header = format!("Cookie: sid={SECRET};x=1");
    let origin = format!("Origin: https://{SECRET}");
    for extra in [&[][..], &["--json"]] {
        let probe = ["probe", url.as_str(), "--for", "2s", "--header", &header];
        let ended = call(&[&probe[..], &["--header", &origin], extra].concat());
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        assert_hidden(&ended, "probe");
        assert!(ended.stdout.contains("?token=${TOKEN}"), "{}", ended.stdout);
    }
}

#[test]
fn a_header_that_is_refused_is_not_shown() {
    let with = |header: &str| call(&["probe", "ws://127.0.0.1:1/", "--header", header]);
    for header in [
        format!("A: {SECRET}\r\nX-Evil: 1"),
        format!("Bearer {SECRET}"),
        format!("Bad Name: {SECRET}"),
    ] {
        let ended = with(&header);
        assert_eq!(ended.code, 2, "{}", ended.stderr);
        assert_hidden(&ended, &header);
    }
    let broken = format!("name = \"x\"\n[target]\nheaders = {{ A = \"{SECRET}\nb\" }}\n");
    for text in [
        broken,
        format!("name = \"x\"\n[target.headers]\nA = \"{SECRET}\u{7}\"\n"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("x.toml"), text).unwrap();
        let ended = Running::call(folder, &["check", "x.toml"], &[]).end();
        assert_eq!(ended.code, 2);
        assert!(!ended.stderr.contains(SECRET), "{}", ended.stderr);
    }
}
