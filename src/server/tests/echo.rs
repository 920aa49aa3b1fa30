//! Tests the built-in server over loopback, with tokio-tungstenite as the client.
//! Uses port 0 everywhere; every wait has a limit.

use std::net::Ipv4Addr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::running::{Running, next, soon};
use crate::server::{Behaviour, EchoServer, Push};
use crate::units::ByteSize;

fn close_code(message: &Message) -> Option<CloseCode> {
    match message {
        Message::Close(frame) => frame.as_ref().map(|frame| frame.code),
        other => panic!("expected a close frame, got {other:?}"),
    }
}

#[tokio::test]
async fn echoes_text_as_text_and_binary_as_binary_in_order() {
    let server = Running::start(Behaviour::default());
    let mut client = server.client().await;
    let sent = [
        Message::text("höllo"),
        Message::binary(vec![0, 255, 1]),
        Message::text(""),
        Message::binary(vec![7; 300_000]),
    ];
    for message in &sent {
        client.feed(message.clone()).await.unwrap();
    }
    soon(client.flush()).await.unwrap();
    for message in &sent {
        assert_eq!(&next(&mut client).await, message);
    }
    let counts = server.stop().await;
    assert_eq!((counts.text, counts.binary), (2, 2));
    assert_eq!(counts.bytes, 6 + 3 + 300_000);
}

#[tokio::test]
async fn answers_pings_and_completes_the_close_handshake_first() {
    let server = Running::start(Behaviour::default());
    let mut client = server.client().await;
    client.send(Message::Ping("17".into())).await.unwrap();
    assert_eq!(next(&mut client).await, Message::Pong("17".into()));

    let frame = CloseFrame {
        code: CloseCode::Library(4321),
        reason: "done".into(),
    };
    client.close(Some(frame)).await.unwrap();
    let answer = next(&mut client).await;
    assert_eq!(close_code(&answer), Some(CloseCode::Library(4321)));
    assert!(
        soon(client.next()).await.is_none(),
        "the server closes TCP first"
    );

    let counts = server.stop().await;
    assert_eq!((counts.opened, counts.closed, counts.pings), (1, 1, 1));
    assert_eq!(counts.closes, [(4321, 1)].into());
}

#[tokio::test]
async fn a_stop_sends_1001_to_all() {
    let server = Running::start(Behaviour::default());
    let mut clients = [server.client().await, server.client().await];
    let counter = server.counter.clone();
    let stopped = tokio::spawn(server.stop());
    for client in &mut clients {
        assert_eq!(close_code(&next(client).await), Some(CloseCode::Away));
        assert!(soon(client.next()).await.is_none());
    }
    assert_eq!(soon(stopped).await.unwrap().closes, [(1001, 2)].into());
    assert_eq!(counter.counts().open(), 0);
}

#[tokio::test]
async fn a_message_that_crosses_the_stop_does_not_spoil_the_close() {
    let server = Running::start(Behaviour::default());
    let mut client = server.client().await;
    let stopped = tokio::spawn(server.stop());
    // The Close frame has arrived, but the client has not read it yet.
    soon(client.get_ref().readable()).await.unwrap();
    client.send(Message::text("too late")).await.unwrap();
    assert_eq!(close_code(&next(&mut client).await), Some(CloseCode::Away));
    assert!(soon(client.next()).await.is_none());
    let counts = soon(stopped).await.unwrap();
    assert_eq!((counts.text, counts.closes), (1, [(1001, 1)].into()));
}

#[tokio::test]
async fn a_stop_is_bounded_by_a_second_where_a_client_is_silent() {
    let server = Running::start(Behaviour::default());
    let silent = server.client().await;
    let begun = Instant::now();
    let counts = server.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(3));
    assert_eq!(counts.closes, [(1006, 1)].into());
    drop(silent);
}

#[tokio::test]
async fn pushes_pings_and_delays_as_told() {
    let server = Running::start(Behaviour {
        delay: Duration::from_millis(50),
        push: Some(Push {
            every: Duration::from_millis(20),
            size: ByteSize(16),
        }),
        ping: Some(Duration::from_millis(20)),
        ..Behaviour::default()
    });
    let mut client = server.client().await;
    let begun = Instant::now();
    client.send(Message::text("hello")).await.unwrap();
    let (mut pushes, mut pings) = (0, 0);
    loop {
        match next(&mut client).await {
            Message::Text(text) if text.as_str() == "hello" => break,
            Message::Text(text) => {
                assert_eq!(text.len(), 16);
                pushes += 1;
            }
            Message::Ping(_) => pings += 1,
            other => panic!("unexpected {other:?}"),
        }
    }
    assert!(begun.elapsed() >= Duration::from_millis(50));
    assert!(pushes >= 1 && pings >= 1, "{pushes} pushes, {pings} pings");
    let counts = server.stop().await;
    assert!(counts.pushed >= pushes && counts.pongs >= 1, "{counts:?}");
}

#[tokio::test]
async fn dropped_messages_are_counted_and_never_answered() {
    let server = Running::start(Behaviour {
        drop: 0.5,
        seed: 3,
        ..Behaviour::default()
    });
    let mut client = server.client().await;
    for number in 0..200 {
        client
            .feed(Message::text(number.to_string()))
            .await
            .unwrap();
    }
    client.send(Message::Ping("end".into())).await.unwrap();
    let mut answers = 0;
    while next(&mut client).await != Message::Pong("end".into()) {
        answers += 1;
    }
    let counts = server.stop().await;
    assert_eq!(counts.text, 200);
    assert_eq!(counts.dropped, 200 - answers);
    assert!((50..150).contains(&answers), "{answers}");
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_not_read_either() {
    let server = Running::start(Behaviour::default());
    let mut client = server.client().await;
    let message = Message::binary(vec![1; 1 << 20]);
    // The kernel's buffers hold some messages; then the server must stop reading.
    let flood = async {
        for _ in 0..256 {
            client.send(message.clone()).await.unwrap();
        }
    };
    assert!(
        timeout(Duration::from_secs(2), flood).await.is_err(),
        "256 MiB were taken from a peer that reads nothing"
    );
    assert!(server.counter.counts().binary < 64);
}

#[tokio::test]
async fn a_broken_rule_is_answered_with_its_close_code() {
    // Masked with zeros: an unknown opcode, text that is not UTF-8, and a header that announces 1 TiB.
    let cases: [(&[u8], u16); 3] = [
        (&[0x83, 0x80, 0, 0, 0, 0], 1002),
        (&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
        (&[0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1009),
    ];
    let server = Running::start(Behaviour::default());
    for (bytes, code) in cases {
        let mut client = server.client().await;
        client.get_mut().write_all(bytes).await.unwrap();
        let answer = close_code(&next(&mut client).await);
        assert_eq!(answer.map(u16::from), Some(code));
    }
    assert_eq!(server.stop().await.closes, [(1006, 3)].into());
}

#[tokio::test]
async fn what_is_not_websocket_counts_as_failed() {
    let server = Running::start(Behaviour::default());
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket
        .write_all(b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    soon(socket.read_to_end(&mut answer)).await.unwrap();
    let counts = server.stop().await;
    assert_eq!((counts.failed, counts.opened), (1, 0));
}

#[tokio::test]
async fn a_behaviour_that_makes_no_sense_is_refused() {
    let behaviour = Behaviour {
        drop: 2.0,
        ..Behaviour::default()
    };
    let error = EchoServer::bind((Ipv4Addr::LOCALHOST, 0).into(), behaviour).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}
