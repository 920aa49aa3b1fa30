//! Proxies that the command line names, for each command that has them.

use std::fs;

use super::common::{Ended, Proxy, Reception, Running};

const SECRET: &str = "s3cret-word";

/// A command with an address that only the proxy reaches, and with its credentials.
fn through(proxy: &Proxy, command: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://me:{SECRET}@{}", proxy.address);
    let options = ["wss://192.0.2.1/", "--insecure", "--proxy", &url];
    Running::call(folder, &[command, &options].concat(), &[]).end()
}

/// All requests are for that address, and have these credentials.
#[track_caller]
fn assert_asked(proxy: &Proxy, times: usize) {
    let asked = proxy.asked();
    assert_eq!(asked.len(), times);
    for request in asked {
        assert!(request.starts_with("CONNECT 192.0.2.1:443 "), "{request}");
        // "me:s3cret-word"
        let told = "Proxy-Authorization: Basic bWU6czNjcmV0LXdvcmQ=\r\n";
        assert!(request.contains(told), "{request}");
    }
}

#[track_caller]
fn assert_hidden(text: &str) {
    for secret in [SECRET, "bWU6czNjcmV0LXdvcmQ"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn a_run_goes_through_the_proxy_of_the_command_line_and_does_not_show_its_password() {
    let server = Reception::secure();
    let proxy = Proxy::to(server.address());
    let few = [
        "run",
        "--connections",
        "2",
        "--duration",
        "300ms",
        "--out",
        "report",
    ];
    let ended = through(&proxy, &few);
    assert!(matches!(ended.code, 0 | 4), "{}", ended.stdout);
    assert_asked(&proxy, 2);
    assert_eq!(server.visits().len(), 2);
    assert_eq!(ended.report().count("connections.opened"), 2);
    let shown = format!("--proxy http://***@{}", proxy.address);
    let json = fs::read_to_string(ended.file("run.json")).unwrap();
    assert!(json.contains(&shown), "{json}");
    for text in [&ended.stdout, &ended.stderr, &json] {
        assert_hidden(text);
    }
}

#[test]
fn a_probe_goes_through_the_proxy_and_names_it_in_its_scenario() {
    let server = Reception::secure();
    let proxy = Proxy::to(server.address());
    let ended = through(&proxy, &["probe", "--for", "300ms"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert_asked(&proxy, server.visits().len());
    let line = format!("proxy = \"http://${{PROXY_USER}}@{}\"", proxy.address);
    assert!(ended.stdout.contains(&line), "{}", ended.stdout);
    assert_hidden(&ended.stdout);
    assert_hidden(&ended.stderr);
}

/// Each word of an answer may be the credentials, sent back.
#[test]
fn what_a_proxy_refuses_is_told_without_the_credentials() {
    let proxy = Proxy::answering("HTTP/1.1 407 Not bWU6czNjcmV0LXdvcmQ= nor s3cret-word\r\n\r\n");
    let few = [
        "run",
        "--connections",
        "2",
        "--duration",
        "300ms",
        "--out",
        "report",
    ];
    let ended = through(&proxy, &few);
    assert_eq!(ended.code, 4, "{}", ended.stdout);
    let report = ended.report();
    assert_eq!(report.count("errors.proxy_auth"), 2);
    assert!(
        ended.stdout.contains("407 Not *** nor ***"),
        "{}",
        ended.stdout
    );
    let ended = through(&proxy, &["probe", "--for", "300ms"]);
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("407 Not *** nor ***"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_check_names_the_proxy_without_its_credentials_and_dials_nobody() {
    let proxy = Proxy::answering("");
    let ended = through(&proxy, &["check"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let shown = format!("http://{}", proxy.address);
    assert!(ended.stdout.contains(&shown), "{}", ended.stdout);
    assert_hidden(&ended.stdout);
    assert_eq!(proxy.asked().len(), 0);
}
