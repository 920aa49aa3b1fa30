//! Tests the scripted server of `tests/common`: its faults with raw sockets, and its correct behaviour with
//! tokio-tungstenite.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::frame::{BINARY, CLOSE, Frame, PING, PONG, TEXT};
use common::{Act, Echo, Event, Handshake, OnClose, Pong, Script, Server, When, raw};
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

const MASK: [u8; 4] = [0x11, 0x22, 0x33, 0x44];
const LONG: Duration = Duration::from_secs(10);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// A client that implements only TCP and frames.
struct Client(TcpStream);

impl Client {
    fn dial(server: &Server) -> Self {
        let socket = TcpStream::connect(server.address()).unwrap();
        socket.set_read_timeout(Some(LONG)).unwrap();
        let mut client = Self(socket);
        client.0.write_all(REQUEST).unwrap();
        client
    }

    fn open(server: &Server) -> Self {
        let mut client = Self::dial(server);
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        client
    }

    /// The head of the response.
    fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.bytes::<1>());
        }
        String::from_utf8(head).unwrap()
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn send(&mut self, opcode: u8, payload: impl AsRef<[u8]>) {
        let bytes = Frame::new(opcode, payload.as_ref()).encode_masked(MASK);
        self.0.write_all(&bytes).unwrap();
    }

    /// Reads a frame of at most 125 bytes; returns its first byte and its payload.
    fn frame(&mut self) -> (u8, Vec<u8>) {
        let [first, len] = self.bytes();
        assert!(len <= 125, "a short frame without a mask, not {len:#x}");
        let mut payload = vec![0; len.into()];
        self.0.read_exact(&mut payload).unwrap();
        (first, payload)
    }

    /// Expects a complete frame with this opcode and payload.
    fn expect(&mut self, opcode: u8, payload: impl AsRef<[u8]>) {
        let (first, bytes) = self.frame();
        assert_eq!((first, &*bytes), (0x80 | opcode, payload.as_ref()));
    }

    /// Reads all bytes up to the end of TCP; returns them or the error.
    fn rest(&mut self) -> std::io::Result<Vec<u8>> {
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).map(|_| rest)
    }

    fn assert_silent(&mut self) {
        self.0
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        let error = self.0.read(&mut [0]).unwrap_err();
        assert!(matches!(
            error.kind(),
            ErrorKind::WouldBlock | ErrorKind::TimedOut
        ));
        self.0.set_read_timeout(Some(LONG)).unwrap();
    }
}

#[tokio::test]
async fn a_real_client_is_content_with_the_default() {
    let server = Server::start(Script::default());
    let socket = tokio::net::TcpStream::connect(server.address())
        .await
        .unwrap();
    let (mut client, _) = tokio_tungstenite::client_async(server.url(), socket)
        .await
        .unwrap();
    for message in [
        Message::text("höllo"),
        Message::binary(vec![9; 70_000]),
        Message::text("x".repeat(200)),
    ] {
        client.send(message.clone()).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), message);
    }
    client.send(Message::Ping("1".into())).await.unwrap();
    assert_eq!(
        client.next().await.unwrap().unwrap(),
        Message::Pong("1".into())
    );
    client.close(None).await.unwrap();
    assert_eq!(client.next().await.unwrap().unwrap(), Message::Close(None));
    assert!(client.next().await.is_none());

    let log = server.log();
    assert_eq!((log.opened(), log.messages(), log.pings()), (1, 3, 1));
    assert_eq!(log.close_codes(), [None]);
    assert_eq!(log.violations(), [""; 0]);
    let lengths = log
        .entries()
        .into_iter()
        .filter(|entry| matches!(&entry.event, Event::Received(frame) if frame.opcode <= BINARY));
    assert_eq!(
        lengths.map(|entry| entry.len).collect::<Vec<_>>(),
        [6, 70_000, 200]
    );
}

#[test]
fn handshakes_fail_as_told() {
    let head = |handshake| {
        let server = Server::start(Script::handshake(handshake));
        let mut client = Client::dial(&server);
        client.head()
    };
    let accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
    assert!(head(Handshake::Valid).contains(accept));
    assert!(!head(Handshake::WrongAccept).contains(accept));
    assert!(!head(Handshake::NoAccept).contains("Accept"));
    assert!(!head(Handshake::NoUpgrade).contains("websocket"));
    assert!(head(Handshake::Subprotocol("chat")).contains("Sec-WebSocket-Protocol: chat"));
    assert!(head(Handshake::Extension("x")).contains("Sec-WebSocket-Extensions: x"));
    assert!(head(Handshake::Status(503, "full")).starts_with("HTTP/1.1 503"));
}

#[test]
fn handshakes_end_as_told() {
    let rest = |handshake| {
        let server = Server::start(Script::handshake(handshake));
        let mut client = Client::dial(&server);
        client.rest()
    };
    assert!(
        rest(Handshake::Status(404, "gone"))
            .unwrap()
            .ends_with(b"gone")
    );
    assert!(rest(Handshake::Garbage).unwrap().starts_with(&[0]));
    assert!(rest(Handshake::Fin).unwrap().ends_with(b"Proto"));
    let reset = rest(Handshake::Reset).unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);

    let server = Server::start(Script::handshake(Handshake::Refuse));
    let refused = TcpStream::connect(server.address()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);

    let server = Server::start(Script::handshake(Handshake::Silent));
    Client::dial(&server).assert_silent();

    let server = Server::start(Script::handshake(Handshake::EndlessHeader));
    let mut client = Client::dial(&server);
    let mut filler = vec![0; 1 << 20];
    client.0.read_exact(&mut filler).unwrap();
    assert!(!filler.windows(4).any(|four| four == b"\r\n\r\n"));
}

#[test]
fn echoes_go_wrong_as_told() {
    let open = |echo| {
        let server = Server::start(Script::echo(echo));
        let mut client = Client::open(&server);
        client.send(TEXT, "hello");
        (server, client)
    };
    open(Echo::Same).1.expect(TEXT, "hello");
    open(Echo::Wrong).1.expect(TEXT, "hell!");
    open(Echo::Retyped).1.expect(BINARY, "hello");
    let (server, mut client) = open(Echo::Never);
    client.assert_silent();
    assert_eq!(server.log().messages(), 1);

    let (_server, mut client) = open(Echo::Twice);
    client.expect(TEXT, "hello");
    client.expect(TEXT, "hello");

    let (_server, mut client) = open(Echo::Fragments(2));
    let fragments = [client.frame(), client.frame(), client.frame()];
    let expected = [(0x01, &b"he"[..]), (0x00, b"ll"), (0x80, b"o")];
    assert_eq!(
        fragments.each_ref().map(|(first, p)| (*first, &**p)),
        expected
    );

    let begun = Instant::now();
    let late = Duration::from_millis(50);
    let (server, mut client) = open(Echo::Late(late));
    client.expect(TEXT, "hello");
    assert!(begun.elapsed() >= late);
    let entries = server.log().entries();
    let at = |wanted: fn(&Event) -> bool| entries.iter().find(|e| wanted(&e.event)).unwrap().at;
    let held = at(|e| matches!(e, Event::Sent(_))) - at(|e| matches!(e, Event::Received(_)));
    assert!(held >= late, "the log tells the true delay: {held:?}");
}

#[test]
fn pongs_go_wrong_as_told() {
    let open = |pong| {
        let server = Server::start(Script::pong(pong));
        let mut client = Client::open(&server);
        client.send(PING, "1");
        client.send(PING, "2");
        (server, client)
    };
    let (server, mut client) = open(Pong::Never);
    client.assert_silent();
    assert_eq!(server.log().pings(), 2);

    let (_server, mut client) = open(Pong::Only(1));
    client.expect(PONG, "1");
    client.assert_silent();

    open(Pong::Wrong).1.expect(PONG, "another payload");

    let begun = Instant::now();
    let (_server, mut client) = open(Pong::Late(Duration::from_millis(50)));
    client.expect(PONG, "1");
    client.expect(PONG, "2");
    assert!(begun.elapsed() >= Duration::from_millis(50));
}

#[test]
fn series_are_sent_and_their_answers_logged() {
    let every = Some(Duration::from_millis(10));
    let server = Server::start(Script {
        ping_every: every,
        pong_every: every,
        text_every: every,
        ..Script::default()
    });
    let mut client = Client::open(&server);
    client.expect(PING, "1");
    client.expect(PONG, "1");
    client.expect(TEXT, "1");
    client.expect(PING, "2");
    client.send(PONG, "1");
    server.wait_until(|log| log.pongs() == 1);
}

#[test]
fn closes_go_wrong_as_told() {
    const BYE: &[u8] = b"\x03\xe8bye";
    let open = |on_close| {
        let server = Server::start(Script::on_close(on_close));
        let mut client = Client::open(&server);
        client.send(CLOSE, BYE);
        (server, client)
    };
    let (server, mut client) = open(OnClose::Answer);
    client.expect(CLOSE, BYE);
    assert_eq!(client.rest().unwrap(), b"");
    assert_eq!(server.log().close_codes(), [Some(1000)]);

    let (_server, mut client) = open(OnClose::KeepTcp);
    client.expect(CLOSE, BYE);
    client.assert_silent();

    let (_server, mut client) = open(OnClose::Never);
    client.assert_silent();
    client.send(TEXT, "still there");
    client.expect(TEXT, "still there");

    let reset = open(OnClose::Reset).1.rest().unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn acts_come_at_their_time() {
    let open = |when, act| {
        let server = Server::start(Script::act(when, act));
        let client = Client::open(&server);
        (server, client)
    };
    let (_server, mut client) = open(When::Open, Act::Send(raw::bad_utf8()));
    client.expect(TEXT, [0x68, 0xc3, 0x28]);
    client.send(TEXT, "still there");
    client.expect(TEXT, "still there");

    let (server, mut client) = open(When::Message(2), Act::Freeze);
    client.send(TEXT, "one");
    client.expect(TEXT, "one");
    client.send(TEXT, "two");
    client.send(PING, "");
    client.assert_silent();
    assert_eq!(server.log().pings(), 0, "nothing is read any more");

    let begun = Instant::now();
    let stall = Duration::from_millis(100);
    let (server, mut client) = open(When::After(stall), Act::Stall(stall));
    server.wait_until(|log| log.count(|event| matches!(event, Event::Acted { .. })) == 1);
    client.send(PING, "");
    client.expect(PONG, "");
    assert!(begun.elapsed() >= 2 * stall);
}

#[test]
fn an_act_tells_when_the_last_bytes_came() {
    let server = Server::start(Script::act(
        When::Quiet(Duration::from_millis(200)),
        Act::Fin,
    ));
    let mut client = Client::open(&server);
    client.send(PONG, "");
    server.wait_until(|log| log.pongs() == 1);
    let whole = Frame::new(PONG, "").encode_masked(MASK);
    client.0.write_all(&whole[..1]).unwrap();
    server.wait_until(|log| log.count(|event| matches!(event, Event::Acted { .. })) == 1);
    let entries = server.log().entries();
    let (mut frame, mut bytes) = (None, None);
    for entry in entries {
        match entry.event {
            Event::Received(_) => frame = Some(entry.at),
            Event::Acted { heard } => bytes = Some(heard),
            _ => {}
        }
    }
    assert!(bytes > frame, "a part of a frame came after the last frame");
}

#[test]
fn connections_end_as_told() {
    let open = |act| {
        let server = Server::start(Script::act(When::Open, act));
        let client = Client::open(&server);
        (server, client)
    };
    let (server, mut client) = open(Act::Close(Some(999), "odd"));
    client.expect(CLOSE, b"\x03\xe7odd");
    client.send(TEXT, "a message after its Close gets no answer");
    client.send(CLOSE, b"\x03\xea");
    assert_eq!(client.rest().unwrap(), b"");
    assert_eq!(server.log().close_codes(), [Some(1002)]);

    open(Act::Close(None, "")).1.expect(CLOSE, "");
    assert_eq!(open(Act::Fin).1.rest().unwrap(), b"");
    let reset = open(Act::Reset).1.rest().unwrap_err();
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);

    let (_server, mut client) = open(Act::Flood(3 << 20));
    assert_eq!(client.bytes(), [0x82, 127, 0, 0, 0, 0, 0, 0x30, 0, 0]);
    for _ in 0..3 << 10 {
        assert_eq!(client.bytes(), [b'x'; 1 << 10]);
    }
    client.send(PING, "after");
    client.expect(PONG, "after");
}

#[test]
fn what_the_client_does_is_logged() {
    let server = Server::start(Script::default());
    let mut client = Client::open(&server);
    client.0.write_all(&Frame::new(TEXT, "x").encode()).unwrap();
    server.wait_until(|log| !log.violations().is_empty());
    assert!(server.log().violations()[0].contains("not masked"));

    drop(Client::open(&server));
    server.wait_until(|log| log.count(|event| *event == Event::Fin) == 1);

    let client = Client::open(&server);
    let linger = Some(Duration::ZERO);
    socket2::SockRef::from(&client.0)
        .set_linger(linger)
        .unwrap();
    drop(client);
    server.wait_until(|log| log.count(|event| *event == Event::Reset) == 1);
}

#[test]
fn raw_bytes_break_the_rule_they_name() {
    assert_eq!(raw::reserved_opcode()[0] & 0x0f, 3);
    assert_eq!(raw::rsv_bit()[0] & 0x70, 0x40);
    assert_eq!(raw::masked()[1] & 0x80, 0x80);
    assert_eq!(raw::long_ping()[..4], [0x89, 126, 0, 126]);
    assert_eq!(raw::stray_continuation()[0], 0x80);
    assert_eq!(
        raw::one_tebibyte()[..10],
        [0x82, 127, 0, 0, 1, 0, 0, 0, 0, 0]
    );
    assert_eq!(raw::half_a_frame()[..2], [0x81, 100]);
    assert_eq!(raw::half_a_frame().len(), 50);
    assert_eq!(raw::text("hi"), b"\x81\x02hi");
    assert_eq!(raw::unsolicited_pong()[0], 0x8a);
}

/// Every identity that each report is held to.
#[test]
fn a_report_whose_counts_do_not_add_up_is_found() {
    let check = |text: &str, rows: &[(&str, u64)]| {
        let rows: Vec<_> = rows
            .iter()
            .map(|(name, count)| serde_json::json!({ "name": name, "cohort": "main", "count": count }))
            .collect();
        let report =
            serde_json::json!({ "scenario": { "text": text }, "metrics": rows, "totals": [] });
        std::panic::catch_unwind(|| common::books::assert_kept(&report)).is_ok()
    };
    let sent = [
        ("messages.due", 2),
        ("messages.sent", 2),
        ("schedule.lateness", 2),
    ];
    let heard = [
        ("messages.answered", 1),
        ("messages.lost", 1),
        ("messages.received", 1),
    ];
    assert!(check("", &[]));
    assert!(check("", &[&sent[..], &heard[..]].concat()));
    // One of them has no outcome, which is as it should be only where no answer is expected.
    let one = [&sent[..], &heard[..1], &heard[2..]].concat();
    assert!(!check("", &one));
    assert!(check("expect = \"none\"", &one));
    for wrong in [
        "messages.due",
        "messages.sent",
        "messages.echoed",
        "messages.unsolicited",
        "messages.not_taken",
        "schedule.lateness",
        "setup.begun",
        "setup.ready",
        "awaits.begun",
        "awaits.met",
        "turns.due",
        "turns.missed",
        "pushes.wrong",
        "pushes.received",
        "delivery.received",
        "heartbeat.missed",
        "heartbeat.rtt",
        "connections.attempted",
        "connections.opened",
        "connections.closed",
        "connections.renewed",
        "connections.dead",
        "closes.1000.local",
        "handshake.total",
    ] {
        assert!(!check("expect = \"none\"", &[(wrong, 1)]), "{wrong}");
    }
}
