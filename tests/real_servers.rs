//! Runs the shipped scenarios against real servers from other projects: the counts must match the server's exactly.
//! A first test proves that the counts of the servers can be trusted.

mod common;

use common::books::assert_balanced;
use common::real::{RealServer, Target};
use common::run::{Run, run, trusted};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use wsbench::scenario::shipped;

async fn echoes_and_counts(target: Target) {
    let server = RealServer::start(target);
    let socket = TcpStream::connect(server.address()).await.unwrap();
    let (mut client, _) = tokio_tungstenite::client_async(server.url(), socket)
        .await
        .unwrap();
    for message in [
        Message::text("höllo"),
        Message::binary(vec![0, 255]),
        Message::text(""),
    ] {
        client.send(message.clone()).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), message);
    }
    client.send(Message::Ping("1".into())).await.unwrap();
    let pong = Message::Pong("1".into());
    assert_eq!(client.next().await.unwrap().unwrap(), pong);
    let frame = CloseFrame {
        code: CloseCode::Library(4000),
        reason: "".into(),
    };
    client.close(Some(frame)).await.unwrap();
    while client.next().await.is_some() {}
    // Drops the client, because the servers count an end when both sides have closed TCP.
    drop(client);

    // Drops another client without a Close frame.
    let socket = TcpStream::connect(server.address()).await.unwrap();
    let vanishing = tokio_tungstenite::client_async(server.url(), socket).await;
    drop(vanishing.unwrap());

    let counts = tokio::task::spawn_blocking(move || server.counts_when_closed(2));
    let counts = counts.await.unwrap();
    let numbers =
        ["opened", "closed", "text", "binary", "bytes", "pings"].map(|name| counts.number(name));
    assert_eq!(numbers, [2, 2, 2, 1, 8, 1]);
    let closes = counts.closes().into_iter();
    assert_eq!(
        closes.collect::<Vec<_>>(),
        [("1006".to_owned(), 1), ("4000".to_owned(), 1)]
    );
}

/// The run of a shortened shipped scenario against a new server, and that server.
struct Trial {
    run: Run,
    server: RealServer,
}

impl Trial {
    fn shipped(target: Target, name: &str, arguments: &[&str]) -> Self {
        Self::text(target, shipped::named(name).unwrap(), arguments)
    }

    fn text(target: Target, scenario: &str, arguments: &[&str]) -> Self {
        let (run, server) = trusted(|| {
            let server = RealServer::start(target);
            let url = server.url();
            let run = run(scenario, &[&["--url", url.as_str()], arguments].concat());
            (run, server)
        });
        run.assert_passed();
        assert_balanced(&run);
        Self { run, server }
    }

    /// Compares every count that both sides have. `kind` is the kind of messages sent: `text` or `binary`.
    #[track_caller]
    fn assert_counts_agree(&self, kind: &str) {
        let total = |name: &str| self.run.report.count(name);
        let opened = total("connections.opened");
        let counts = self.server.counts_when_closed(opened);
        let seen = ["text", "binary", "pings", "pongs"].map(|name| counts.number(name));
        let sent = total("messages.sent");
        let (text, binary) = if kind == "text" { (sent, 0) } else { (0, sent) };
        assert_eq!(seen, [text, binary, total("heartbeat.pings_sent"), 0]);
        assert_eq!(counts.number("bytes"), 64 * sent);
        let closes: Vec<_> = counts.closes().into_iter().collect();
        assert_eq!(
            closes,
            [("1000".to_owned(), opened)],
            "every connection was closed with 1000"
        );
        assert_eq!(total("closes.1000.local"), opened);
        assert_eq!(total("messages.echoed"), sent);
        assert_eq!(
            total("heartbeat.pongs_received"),
            total("heartbeat.pings_sent")
        );
    }
}

/// Runs all shipped scenarios that fit any echo server, with a thousand connections. `rate` is what the server can
/// handle on each connection, with a generator on the same two cores.
fn keeps_the_same_books(target: Target, rate: &str) {
    const THOUSAND: [&str; 2] = ["--connections", "1000"];
    let trial = |name, arguments: &[&str]| {
        let trial = Trial::shipped(target, name, &[&THOUSAND, arguments].concat());
        trial.assert_counts_agree("text");
        trial.run
    };
    let echo = trial("echo", &["--rate", rate, "--duration", "3s"]);
    assert_eq!(echo.report.count("connections.opened"), 1000);
    assert!(echo.count("messages.echoed") >= 3000);
    let heartbeat = trial("heartbeat", &["--duration", "6s"]);
    assert!(
        heartbeat.count("heartbeat.pings_sent") >= 1000,
        "each was pinged"
    );
    let ramp = trial("ramp", &["--rate", rate, "--duration", "9s"]);
    assert_eq!(ramp.report.count("connections.opened"), 1000);
    let storm = trial("storm", &["--duration", "5s"]);
    assert_eq!(storm.report.count("connections.opened"), 200 * 5);

    let text = shipped::named("echo").unwrap();
    let binary = text.replace(
        "payload = { size = \"64B\" }",
        "payload = { size = \"64B\" }\nframe = \"binary\"",
    );
    assert_ne!(binary, text);
    let arguments = [&THOUSAND[..], &["--rate", rate, "--duration", "3s"]].concat();
    Trial::text(target, &binary, &arguments).assert_counts_agree("binary");
}

#[test]
#[ignore = "needs the Node target; run by scripts/test"]
fn node_keeps_the_same_books() {
    keeps_the_same_books(Target::Node, "5/s");
}

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn python_keeps_the_same_books() {
    keeps_the_same_books(Target::Python, "2/s");
}

#[tokio::test]
#[ignore = "needs the Node target; run by scripts/test"]
async fn node_echoes_and_counts() {
    echoes_and_counts(Target::Node).await;
}

#[tokio::test]
#[ignore = "needs the Python target; run by scripts/test"]
async fn python_echoes_and_counts() {
    echoes_and_counts(Target::Python).await;
}
