//! `wsbench try`: each frame on a line with what took it, and what went wrong in words.

use std::fs;

use super::common::{Ended, Handshake, Running, Script, Server};

/// Tries a scenario in a folder that holds this file, too.
fn tried(scenario: &str, users: &str) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("test.toml"), scenario).unwrap();
    fs::write(folder.path().join("users.csv"), users).unwrap();
    let arguments = ["try", "test.toml", "--for", "20s"];
    Running::call(folder, &arguments, &[("TOKEN", "t0k3n-of-env")]).end()
}

/// The lines of the frames, without their times and with single blanks, and what was said in the end.
fn lines(ended: &Ended) -> (Vec<String>, String) {
    let (frames, end) = ended.stdout.split_once("\n\n").expect(&ended.stderr);
    let words = |line: &str| Vec::from_iter(line.split_whitespace().skip(2)).join(" ");
    (frames.lines().map(words).collect(), end.to_owned())
}

#[track_caller]
fn assert_order(frames: &[String], expected: &[&str]) {
    let mut rest = frames.iter();
    for line in expected {
        let is_there = rest.any(|frame| frame == line);
        assert!(is_there, "no `{line}`, or not in this place: {frames:#?}");
    }
}

#[test]
fn requests_of_a_client_without_an_upgrade_are_shown_without_their_headers() {
    let ended = tried(
        r#"
        name = "x"
        target = { url = "embedded-http", rooms = true }
        load = { connections = 1, duration = "1h" }
        [[step]]
        name = "poll"
        http = { url = "/poll?room=r", headers = { Authorization = "Bearer abcdefgh" } }
        "#,
        "",
    );
    let (frames, _) = lines(&ended);
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    let expected = [
        "main opened",
        "main > poll GET /poll?room=r",
        "main < poll 204 No Content",
        "main ended: completed",
    ];
    assert_order(&frames, &expected);
    assert!(!ended.stdout.contains("abcdefgh") && !ended.stdout.contains("close"));
}

#[test]
fn a_trial_plays_one_client_of_each_cohort_and_writes_no_file() {
    let ended = tried(
        r#"
        name = "x"
        target.url = "embedded"
        load = { duration = "1h", ramp_up = "10m" }
        heartbeat = { interval = "500ms" }
        [[message]]
        name = "hello"
        payload = { text = "good day" }
        rate = "2/s"
        [[message]]
        name = "seldom"
        payload = { text = "good night" }
        rate = "2/h"
        gaps = "poisson"
        [[cohort]]
        name = "many"
        connections = 300
        [[cohort]]
        name = "few"
        connections = 2
        "#,
        "",
    );
    let (frames, end) = lines(&ended);
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    for cohort in ["many", "few"] {
        let expected = [
            "opened: 101",
            "> hello good day",
            "< hello good day",
            "> seldom good night",
            "< seldom good night",
            "> close 1000",
            "< close 1000",
            "ended: completed",
        ];
        let expected = expected.map(|line| format!("{cohort} {line}"));
        assert_order(&frames, &expected.each_ref().map(String::as_str));
        let opened = format!("{cohort} opened: 101");
        assert_eq!(frames.iter().filter(|line| **line == opened).count(), 1);
        let is_pong = |line: &&String| line.starts_with(&format!("{cohort} < pong"));
        assert!(frames.iter().any(|line| is_pong(&line)), "{frames:#?}");
    }
    let well = "all was said, and answered as expected";
    assert_eq!(end, format!("many: {well}\nfew: {well}\n"));
    let files = fs::read_dir(ended.folder()).unwrap();
    let mut files = Vec::from_iter(files.map(|file| file.unwrap().file_name()));
    files.sort();
    assert_eq!(
        files,
        ["stderr.txt", "stdout.txt", "test.toml", "users.csv"]
    );
}

const ROOM: &str = r#"
    name = "x"
    target = { url = "embedded", rooms = true }
    load.connections = 20
    [[setup]]
    name = "join"
    send = { json = '{"join":"r","id":{{id}}}' }
    expect = { "/id" = "{{id}}" }
    check = { "/ok" = true }
    [[step]]
    name = "say"
    send = { json = '{"say":"r","id":{{id}},"data":7}' }
    expect = { "/id" = "{{id}}" }
    check = { "/ok" = OK }
    [[step]]
    name = "leave"
    send = { json = '{"leave":"r","id":{{id}}}' }
    expect = { "/id" = "{{id}}" }
"#;

#[test]
fn a_session_that_goes_well_names_what_took_each_frame() {
    let on = "[[on]]\nname = \"heard\"\nmatch = { \"/room\" = \"r\" }";
    let ended = tried(&format!("{}{on}", ROOM.replace("OK", "true")), "");
    let (frames, end) = lines(&ended);
    let expected = [
        r#"main > join {"join":"r","id":1}"#,
        r#"main < join {"id":1,"ok":true}"#,
        r#"main > say {"say":"r","id":2,"data":7}"#,
        r#"main < say {"id":2,"ok":true}"#,
        r#"main > leave {"leave":"r","id":3}"#,
        r#"main < leave {"id":3,"ok":true}"#,
        "main ended: completed",
    ];
    assert_order(&frames, &expected);
    let heard = (frames.iter()).filter(|line| line.starts_with("main < heard"));
    assert_eq!(heard.count(), 1, "{frames:#?}");
    assert_eq!(end, "main: all was said, and answered as expected\n");
    assert_eq!(ended.code, 0);
}

#[test]
fn a_wrong_expectation_ends_the_trial_and_is_told_in_words() {
    let ended = tried(&ROOM.replace("OK", "\"yes\""), "");
    let (frames, end) = lines(&ended);
    let expected = [
        r#"main < say wrong: {"id":2,"ok":true}"#,
        "main > close 1000",
        r#"main ended: step_failed: `say`: `/ok` is not "yes"; it says `{"id":2,"ok":true}`"#,
    ];
    assert_order(&frames, &expected);
    let unsolicited = (frames.iter()).filter(|line| line.starts_with("main < unsolicited"));
    assert_eq!(unsolicited.count(), 1, "{frames:#?}");
    let said = "never sent or met: `leave`; 1 answer not as expected; 1 message taken by nothing";
    assert_eq!(end, format!("main: {said}\n"));
    assert_eq!(ended.code, 1);
}

#[test]
fn no_secret_and_no_saved_value_is_shown_and_nothing_controls_the_terminal() {
    let ended = tried(
        r#"
        name = "x"
        target = { url = "embedded", rooms = true }
        data.user = { file = "users.csv", secret = ["password"] }
        load.connections = 1
        [[setup]]
        name = "join"
        send = { json = '{"join":"r","id":{{id}}}' }
        expect = { "/id" = "{{id}}" }
        [[setup]]
        name = "login"
        send = { json = '{"say":"r","data":{"key":"s4ved-v4lue","p":"{{user.password}}","e":"${TOKEN}"}}' }
        expect = { "/room" = "r" }
        save = { key = "/data/key" }
        [[step]]
        name = "again"
        send = { text = "{{key}} \u001b[2J\nnext" }
        expect = "none"
        [[step]]
        name = "bytes"
        send = { hex = "fffe00" }
        frame = "binary"
        expect = "none"
        [[step]]
        name = "long"
        send = { size = "5KiB" }
        expect = "none"
        "#,
        "name,password\nann,hunter22\n",
    );
    let (frames, _) = lines(&ended);
    let expected = [
        r"main > again {{key}} \x1b[2J\nnext",
        "main > bytes binary fffe00 (3B)",
        r"main < unsolicited {{key}} \x1b[2J\nnext",
    ];
    assert_order(&frames, &expected);
    let login = (frames.iter()).find(|line| line.starts_with("main < login"));
    let login = login.expect("the answer has a line");
    let hidden = r#""data":{"key":"{{key}}","p":"{{user.password}}","e":"${TOKEN}"}"#;
    assert!(login.contains(hidden), "{login}");
    let long = (frames.iter()).find(|line| line.starts_with("main > long"));
    let long = long.expect("it is sent");
    assert!(
        long.len() < 300 && long.ends_with("… (5KiB in all)"),
        "{long}"
    );
    for secret in ["t0k3n-of-env", "hunter22", "\u{1b}"] {
        assert!(!ended.stdout.contains(secret), "{}", ended.stdout);
    }
    let shown = ended.stdout.matches("s4ved-v4lue").count();
    assert_eq!(shown, 1, "only before it was saved");
    assert_eq!(ended.code, 1, "the echoes of its steps answer nothing");
}

#[test]
fn the_subprotocol_and_a_refusal_are_told() {
    let scenario = |url: &str| {
        format!(
            "name = \"x\"\n[target]\nurl = \"{url}\"\nsubprotocols = [\"chat\"]\n[load]\nconnections = 3"
        )
    };
    let server = Server::start(Script::handshake(Handshake::Subprotocol("chat")));
    let (frames, _) = lines(&tried(&scenario(&server.url()), ""));
    assert_order(&frames, &["main opened: 101, subprotocol `chat`"]);

    let server = Server::start(Script::handshake(Handshake::Status(503, "")));
    let ended = tried(&scenario(&server.url()), "");
    let (frames, end) = lines(&ended);
    let told = frames[0].starts_with("main ended: http_status: HTTP/1.1 503");
    assert!(told, "{frames:#?}");
    assert_eq!((end.as_str(), ended.code), ("main: 1 dial failed\n", 1));
}

#[test]
fn a_scenario_that_is_wrong_is_not_tried() {
    let ended = tried("name = \"x\"\nlod = 1", "");
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    let hint = "did you mean `load`?";
    assert!(ended.stderr.contains(hint), "{}", ended.stderr);
}

#[test]
fn each_message_of_a_frame_has_its_line() {
    let ended = tried(
        r#"
        name = "x"
        target = { url = "embedded", split = ";" }
        load = { connections = 1, duration = "1s" }
        [[setup]]
        name = "two"
        send = "first;other"
        expect = "first"
        [[setup]]
        name = "other"
        await = "other"
        "#,
        "",
    );
    let (frames, _) = lines(&ended);
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    let lines = [
        "main > two first;other;",
        "main < two first",
        "main < other other",
    ];
    assert_order(&frames, &lines);
}
