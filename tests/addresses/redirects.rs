//! Redirects of the upgrade request, and what goes along.

use std::net::TcpListener;
use std::thread;

use super::common::run::run;
use super::common::{self, Reception, Running};
use super::{Answering, refused, scenario};

const SECRETS: &str = "headers = { Authorization = \"Bearer s3cret-token\", Cookie = \"sid=s3cret-cookie\", X-Room = \"a\" }";

#[test]
fn a_redirect_is_followed_and_credentials_stay_with_their_origin() {
    let last = Reception::open();
    let between = Answering::redirecting(307, &last.url("127.0.0.1"));
    let first = Answering::redirecting(302, &format!("http://{}/between?a=b", between.address));
    let target = format!("url = \"{}\"\nredirects = 2\n{SECRETS}", first.url());
    let run = run(&scenario(&target, 1), &[]);
    run.assert_passed();
    assert_eq!(run.report.count("handshake.redirects"), 2);
    let asked = first.heads().remove(0);
    assert!(
        asked.contains("Bearer s3cret-token") && asked.contains("sid=s3cret-cookie"),
        "{asked}"
    );
    let asked = between.heads().remove(0);
    assert!(
        asked.starts_with("GET /between?a=b HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(
        asked.contains(&format!("Host: {}\r\n", between.address)),
        "{asked}"
    );
    assert!(
        asked.contains("X-Room: a") && !asked.contains("s3cret"),
        "{asked}"
    );
    let visit = last.visits().remove(0);
    assert_eq!(visit.header("authorization"), None);
    assert_eq!(visit.header("x-room").as_deref(), Some("a"));
}

#[test]
fn a_redirect_within_its_origin_keeps_credentials_and_sets_cookies() {
    let answers = |count: usize| {
        match count {
        1 => "HTTP/1.1 301 Moved\r\nLocation: ../to\r\nSet-Cookie: seen=1\r\nContent-Length: 0\r\n\r\n".to_owned(),
        _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
    }
    };
    let server = Answering::start(answers);
    let target = format!("url = \"{}\"\nredirects = 5\n{SECRETS}", server.url());
    let run = run(&scenario(&target, 1), &[]);
    assert_eq!(run.report.errors(), [("http_status", 1)].into());
    let heads = server.heads();
    assert!(heads[1].starts_with("GET /to HTTP/1.1\r\n"), "{}", heads[1]);
    assert!(heads[1].contains("Bearer s3cret-token"), "{}", heads[1]);
    assert!(
        heads[1].contains("sid=s3cret-cookie; seen=1"),
        "{}",
        heads[1]
    );
}

#[test]
fn a_name_that_only_a_redirect_tells_is_looked_up_and_that_is_timed() {
    let last = Reception::open();
    let first = Answering::redirecting(307, &last.url("localhost"));
    let target = "redirects = 1\nfamily = \"ipv4\"";
    let target = format!("url = \"{}\"\n{target}", first.url());
    let run = run(&scenario(&target, 1), &[]);
    run.assert_passed();
    let rows = run.report.rows("metrics", "handshake.dns");
    assert_eq!(rows[0]["count"], 1, "{rows:?}");
}

/// What is said of TLS is for where the redirect leads, and who dials again resumes its session there.
#[test]
fn a_redirect_to_tls_goes_by_what_is_said_of_tls() {
    let last = Reception::secure();
    let first = Answering::redirecting(307, &last.url("localhost"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), last.certificate()).unwrap();
    let text = format!(
        r#"
        name = "redirected"
        target = {{ url = "{}", redirects = 1, family = "ipv4", ca = "ca.pem" }}
        load = {{ connections = 4, ramp_up = "0s", duration = "1s" }}
        [[step]]
        pause = "100ms"
        [[step]]
        reconnect = {{}}
        [gates]
        pass = ["count(tls.full) == 4", "count(tls.resumed) >= 4", "count(connections.failed) == 0"]
        "#,
        first.url()
    );
    let ended = Running::start_in(folder, &text, &["--quiet"], &[]).end();
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    let said = refused(&scenario(
        "url = \"ws://127.0.0.1:9/\"\ntls.resumption = \"off\"",
        1,
    ));
    assert!(said.contains("is only for wss:// and https://"), "{said}");
}

#[test]
fn redirects_that_are_not_followed_say_why() {
    let ring = Answering::redirecting(308, "/again");
    let lost = Answering::redirecting(302, "mailto:me");
    for (target, redirects, followed, why) in [
        (ring.url(), 0, None, "Location: /again"),
        (ring.url(), 3, Some(3), "not followed after 3 others"),
        (lost.url(), 3, Some(0), "it leads to no address of a server"),
    ] {
        let run = run(
            &scenario(&format!("url = \"{target}\"\nredirects = {redirects}"), 1),
            &[],
        );
        assert_eq!(run.report.errors(), [("http_status", 1)].into());
        let said = run.report.examples("http_status");
        assert!(said.contains(why), "{said}");
        if let Some(followed) = followed {
            assert_eq!(run.report.count("handshake.redirects"), followed);
        }
    }
}

#[test]
fn nothing_is_followed_from_tls_to_plain_text() {
    let target = Reception::open();
    let (tls, certificate) = common::tls();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let location = target.url("127.0.0.1");
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let (client, _) = listener.accept().await.unwrap();
            let mut client = tls.accept(client).await.unwrap();
            let _ = client.read(&mut [0; 2048]).await;
            let answer =
                format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
            let _ = client.write_all(answer.as_bytes()).await;
            let _ = client.shutdown().await;
        });
    });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), certificate).unwrap();
    let text = scenario(
        &format!("url = \"wss://{address}/\"\nredirects = 3\nca = \"ca.pem\""),
        1,
    );
    let ended = Running::start_in(folder, &text, &["--quiet"], &[]).end();
    let said = ended.report().examples("http_status");
    assert!(said.contains("it leads from wss to ws"), "{said}");
    assert!(target.visits().is_empty());
}
