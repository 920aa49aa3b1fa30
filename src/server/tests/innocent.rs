//! Tests the correct heartbeat: pings are on time and not synchronous, and silent clients of every kind are given up.

use std::time::Duration;

use futures_util::StreamExt;
use socket2::SockRef;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep};
use tokio_tungstenite::tungstenite::Message;

use super::running::{
    Bare, CLOSE, INTERVAL, PING, PONG, Running, TEXT, TIMEOUT, close, soon, watching,
    watching_by_messages,
};
use crate::scenario::Defect;
use crate::server::{Behaviour, Push};
use crate::units::ByteSize;

/// The delay that a busy machine may cause.
pub(super) const LATE: Duration = Duration::from_millis(80);

/// Whether a time is as expected, on a machine that may be busy at that moment.
pub(super) fn is_near(time: Duration, expected: Duration) -> bool {
    time > expected - LATE / 2 && time < expected + LATE
}

/// Sends so much that a client that does not read soon has no room.
pub(super) const FLOOD: Push = Push {
    every: Duration::from_millis(5),
    size: ByteSize(1 << 20),
};

#[tokio::test]
async fn a_silent_client_is_told_1011_after_its_time_and_not_before() {
    let server = Running::start(watching(None));
    let dialed = Instant::now();
    let mut client = Bare::connect(server.address).await;
    let opened = Instant::now();
    client.ping().await;
    let pinged = Instant::now();
    assert!(pinged - dialed >= INTERVAL / 2);
    assert!(pinged - opened < INTERVAL + LATE);
    // A second ping does not extend the deadline.
    let mut frame = client.frame().await;
    if matches!(frame, Some((PING, _))) {
        frame = client.frame().await;
    }
    let told = pinged.elapsed();
    assert_eq!(frame, Some(close(1011, "heartbeat timeout")));
    assert!(dialed.elapsed() >= INTERVAL / 2 + TIMEOUT);
    assert!(is_near(told, TIMEOUT), "{told:?}");
    client.send(CLOSE, &1011_u16.to_be_bytes()).await;
    assert_eq!(client.frame().await, None);
    let counts = server.stop().await;
    assert_eq!((counts.reaped, counts.pongs), (1, 0));
    assert_eq!(counts.closes, [(1011, 1)].into());
}

#[tokio::test]
async fn a_close_without_an_answer_is_waited_for_a_second_and_no_more() {
    let server = Running::start(watching(None));
    let mut client = Bare::connect(server.address).await;
    while client.frame().await.unwrap().0 != CLOSE {}
    let told = Instant::now();
    assert_eq!(soon(client.0.read(&mut [0])).await.unwrap(), 0, "a FIN");
    let after = told.elapsed();
    assert!(
        after > Duration::from_millis(950) && after < Duration::from_millis(1300),
        "{after:?}"
    );
    assert_eq!(server.stop().await.closes, [(1006, 1)].into());
}

#[tokio::test]
async fn pings_keep_their_times_and_who_answers_stays() {
    let server = Running::start(watching(None));
    let mut client = server.client().await;
    let mut pings = Vec::new();
    while pings.len() < 6 {
        match soon(client.next()).await.unwrap().unwrap() {
            Message::Ping(_) => pings.push(Instant::now()),
            other => panic!("unexpected {other:?}"),
        }
    }
    let span = pings[5] - pings[0];
    assert!(
        span > 5 * INTERVAL - LATE && span < 5 * INTERVAL + LATE,
        "{span:?}"
    );
    drop(client);
    assert_eq!(server.stop().await.reaped, 0);
}

#[tokio::test]
async fn pings_that_are_messages_want_messages_and_who_is_mute_is_told_1011() {
    let server = Running::start(watching_by_messages());
    let mut client = Bare::connect(server.address).await;
    for _ in 0..3 {
        assert_eq!(client.frame().await, Some((TEXT, b"ping".to_vec())));
        client.send(TEXT, b"pong").await;
    }
    assert_eq!(client.frame().await, Some((TEXT, b"ping".to_vec())));
    let pinged = Instant::now();
    client.send(PONG, b"pong").await;
    client.send(TEXT, b"ping").await;
    assert_eq!(
        client.frame().await,
        Some((TEXT, b"ping".to_vec())),
        "the echo"
    );
    let mut frame = client.frame().await;
    if matches!(frame, Some((TEXT, _))) {
        frame = client.frame().await;
    }
    assert_eq!(frame, Some(close(1011, "heartbeat timeout")));
    let told = pinged.elapsed();
    assert!(is_near(told, TIMEOUT), "{told:?}");
    let counts = server.stop().await;
    assert_eq!((counts.reaped, counts.text), (1, 1));
}

#[tokio::test]
async fn messages_and_wrong_pongs_are_no_answer() {
    let server = Running::start(watching(None));
    let mut client = Bare::connect(server.address).await;
    let mut payload = client.ping().await;
    let pinged = Instant::now();
    payload[0] ^= 1;
    client.send(PONG, &payload).await;
    client.send(PONG, b"").await;
    client.send(TEXT, b"here I am").await;
    while client.frame().await.unwrap().0 != CLOSE {}
    let told = pinged.elapsed();
    assert!(is_near(told, TIMEOUT), "{told:?}");
}

#[tokio::test]
async fn who_does_not_read_is_cut_off_and_leaves_nothing_behind() {
    let server = Running::start(Behaviour {
        push: Some(FLOOD),
        ..watching(None)
    });
    let client = Bare::connect(server.address).await;
    let opened = Instant::now();
    while server.counter.counts().closed == 0 {
        assert!(opened.elapsed() < Duration::from_secs(5), "still there");
        sleep(Duration::from_millis(1)).await;
    }
    let after = opened.elapsed();
    assert!(
        after > INTERVAL / 2 + TIMEOUT && after < INTERVAL + TIMEOUT + LATE,
        "{after:?}"
    );
    // A FIN would wait forever behind the bytes that are not read.
    let error = SockRef::from(&client.0).take_error().unwrap().unwrap();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    assert_eq!(server.stop().await.reaped, 1);
}

#[tokio::test]
async fn a_few_bytes_without_room_are_enough_to_tell() {
    let server = Running::start(Behaviour {
        push: Some(Push {
            every: Duration::from_millis(1),
            size: ByteSize(1000),
        }),
        ..watching(None)
    });
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let socket = socket.connect(server.address).await.unwrap();
    let url = format!("ws://{}/", server.address);
    let client = tokio_tungstenite::client_async(url, socket).await.unwrap();
    let opened = Instant::now();
    while server.counter.counts().closed == 0 {
        assert!(opened.elapsed() < Duration::from_secs(5), "still there");
        sleep(Duration::from_millis(1)).await;
    }
    // A Close frame would have had another second.
    assert!(
        opened.elapsed() < INTERVAL + TIMEOUT + LATE,
        "{:?}",
        opened.elapsed()
    );
    drop(client);
}

#[tokio::test]
async fn pings_are_answered_at_once_while_messages_wait() {
    let server = Running::start(Behaviour {
        delay: Duration::from_secs(2),
        ..watching(None)
    });
    let mut client = Bare::connect(server.address).await;
    for _ in 0..3 {
        client.send(TEXT, b"slow").await;
    }
    let asked = Instant::now();
    client.send(PING, b"now").await;
    assert_eq!(client.frame().await, Some((PONG, b"now".to_vec())));
    assert!(asked.elapsed() < LATE);
}

#[tokio::test]
async fn clients_that_come_one_by_one_are_pinged_apart() {
    let together = togetherness(None).await;
    assert!(together < 0.3, "{together}");
}

/// How synchronous the first pings to a hundred clients are, which connect evenly over one interval: the length of the
/// mean of their phases, from 0 to 1.
pub(super) async fn togetherness(defect: Option<Defect>) -> f64 {
    const CLIENTS: u32 = 100;
    // Long enough to make a delay of this machine a small part of it.
    const INTERVAL: Duration = Duration::from_millis(600);
    let mut behaviour = watching(defect);
    if let Some(heartbeat) = &mut behaviour.heartbeat {
        heartbeat.interval = INTERVAL;
    }
    let server = Running::start(behaviour);
    let begun = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let address = server.address;
            tokio::spawn(async move {
                sleep(INTERVAL * number / CLIENTS).await;
                Bare::connect(address).await.ping().await;
                begun.elapsed().as_secs_f64() / INTERVAL.as_secs_f64()
            })
        })
        .collect();
    let (mut x, mut y) = (0.0, 0.0);
    for client in clients {
        let (sin, cos) = (soon(client).await.unwrap() * std::f64::consts::TAU).sin_cos();
        (x, y) = (x + cos, y + sin);
    }
    f64::hypot(x, y) / f64::from(CLIENTS)
}
