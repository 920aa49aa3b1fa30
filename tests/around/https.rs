//! Requests under `https://`, in the set-up and of clients that make no upgrade, and the addresses they come from. The
//! server is the built-in one, behind a proxy that ends TLS and sees who dials it.

use super::common::Running;
use super::common::run::{Run, trusted};
use super::secure::Front;
use super::server::Serve;

const CONNECTIONS: u64 = 6;
const TRUSTED: &str = "ca = \"ca.pem\"";

/// Runs a scenario, in which each of these words stands for a text, and FRONT and SERVER for the addresses of the proxy
/// and of the server behind it.
fn play(scenario: &str, words: &[(&str, &str)]) -> (Run, Front) {
    trusted(|| {
        let server = Serve::start(&["--rooms", "--login", "--tick", "20/s"]);
        let front = Front::of(&server);
        let (address, behind) = (front.address.to_string(), server.address().to_string());
        let addresses = [("FRONT", &*address), ("SERVER", &*behind)];
        let words = words.iter().chain(&addresses);
        let scenario = words.fold(scenario.to_owned(), |text, (word, said)| {
            text.replace(word, said)
        });
        let ended = Running::start_in(front.folder(), &scenario, &["--quiet"], &[]).end();
        let report = ended.report();
        (Run { ended, report }, front)
    })
}

/// How many answers to a step were timed.
fn answers(run: &Run, step: &str) -> u64 {
    let name = format!("latency.{step}");
    run.totals().values().map(|row| row.count(&name)).sum()
}

/// Checks that each of the three source addresses dialled the proxy so often.
#[track_caller]
fn assert_in_turn(front: &Front, each: u64) {
    let expected = ["127.0.0.1", "127.0.0.2", "127.0.0.3"].map(|from| (from.to_owned(), each));
    assert_eq!(front.clients(), expected.into());
}

const LOGIN: &str = r#"
    name = "logs-in"
    [target]
    url = "URL"
    headers = { Authorization = "Bearer {{token}}" }
    source_addresses = ["127.0.0.1-127.0.0.3"]
    TRUSTED
    [load]
    connections = 6
    duration = "1s"
    [[setup]]
    name = "login"
    http = { url = "LOGIN", json = '{"name":"u{{place}}"}' }
    check = { status = 200 }
    save = { token = "/token" }
    [[setup]]
    name = "join"
    send = { json = '{"join":"r","id":{{id}}}' }
    expect = { "/id" = "{{id}}" }
    check = { "/ok" = true }
"#;

/// By a path at the host of the target, and by an address: of a target under TLS, and of one without.
#[test]
fn a_set_up_logs_in_over_https() {
    for (url, login, dials) in [
        ("wss://FRONT/", "/login", 2 * CONNECTIONS),
        ("wss://FRONT/", "https://FRONT/login", 2 * CONNECTIONS),
        ("ws://SERVER/", "https://FRONT/login", CONNECTIONS),
    ] {
        let words = [("URL", url), ("LOGIN", login), ("TRUSTED", TRUSTED)];
        let (run, front) = play(LOGIN, &words);
        run.assert_passed();
        let ready = run.report.count("setup.ready");
        assert_eq!((ready, answers(&run, "login")), (CONNECTIONS, CONNECTIONS));
        assert_in_turn(&front, dials / 3);
    }
}

#[test]
fn a_login_to_a_stranger_fails_with_the_reason() {
    let words = [
        ("URL", "ws://SERVER/"),
        ("LOGIN", "https://FRONT/login"),
        ("TRUSTED", ""),
    ];
    let (run, _) = play(LOGIN, &words);
    assert_eq!(run.ended.code, 4, "{}", run.ended.stderr);
    assert_eq!(run.report.errors(), [("setup_failed", CONNECTIONS)].into());
    let why = run.report.examples("setup_failed");
    assert!(why.contains("`login`: POST https://"), "{why}");
    assert!(why.contains("/login: tls_untrusted: "), "{why}");
}

const POLLS: &str = r#"
    name = "polls"
    [target]
    url = "https://FRONT/"
    keep_alive = KEPT
    source_addresses = ["127.0.0.1-127.0.0.3"]
    TRUSTED
    [load]
    connections = 6
    duration = "1s"
    ramp_down = "0s"
    [[setup]]
    name = "login"
    http = { url = "/login", json = '{"name":"u{{place}}"}' }
    save = { token = "/token" }
    [[step]]
    repeat = { rate = "20/s", count = 10 }
    [[step.step]]
    name = "poll"
    http = { url = "/poll?room=r", headers = { Authorization = "Bearer {{token}}" } }
"#;

/// On one connection each, and on a new one for each request.
#[test]
fn clients_that_make_no_upgrade_ask_over_https() {
    for (kept, is_kept) in [("true", true), ("false", false)] {
        let (run, front) = play(POLLS, &[("KEPT", kept), ("TRUSTED", TRUSTED)]);
        run.assert_passed();
        let report = &run.report;
        let [sent, answered, renewed] =
            ["messages.sent", "messages.answered", "connections.renewed"]
                .map(|name| report.count(name));
        assert_eq!((sent, answered), (10 * CONNECTIONS, sent));
        assert_eq!(renewed, if is_kept { 0 } else { sent - CONNECTIONS });
        assert_eq!(report.count("connections.lost"), 0);
        // A login has a connection of its own.
        assert_in_turn(&front, (2 * CONNECTIONS + renewed) / 3);
    }
}
