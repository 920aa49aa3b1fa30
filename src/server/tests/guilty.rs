//! Tests that each defect shows its own fault, and that the correct heartbeat shows none of them.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::innocent::{FLOOD, is_near, togetherness};
use super::running::{
    Bare, CLOSE, INTERVAL, PING, PONG, Running, TEXT, TIMEOUT, close, soon, watching,
};
use crate::scenario::Defect;
use crate::server::Behaviour;

/// What a silent client receives after its pings, and how long after the first ping.
async fn fate_of_a_silent_client(defect: Defect) -> (Option<(u8, Vec<u8>)>, Duration) {
    let server = Running::start(watching(Some(defect)));
    let mut client = Bare::connect(server.address).await;
    client.ping().await;
    let pinged = Instant::now();
    loop {
        let frame = client.frame().await;
        if !matches!(frame, Some((PING, _))) {
            return (frame, pinged.elapsed());
        }
    }
}

#[tokio::test]
async fn a_global_tick_pings_all_at_once_and_judges_at_the_next() {
    let together = togetherness(Some(Defect::GlobalTick)).await;
    assert!(together > 0.9, "{together}");
    let (frame, after) = fate_of_a_silent_client(Defect::GlobalTick).await;
    assert_eq!(frame, Some(close(1011, "heartbeat timeout")));
    assert!(is_near(after, INTERVAL), "{after:?}");
}

#[tokio::test]
async fn a_normal_close_has_the_wrong_code_at_the_right_time() {
    let (frame, after) = fate_of_a_silent_client(Defect::NormalClose).await;
    assert_eq!(frame, Some(close(1000, "heartbeat timeout")));
    assert!(is_near(after, TIMEOUT), "{after:?}");
}

#[tokio::test]
async fn no_close_frame_is_an_end_without_a_word() {
    let (frame, after) = fate_of_a_silent_client(Defect::NoCloseFrame).await;
    assert_eq!(frame, None);
    assert!(is_near(after, TIMEOUT), "{after:?}");
}

#[tokio::test]
async fn a_blocked_ping_spares_who_does_not_read_and_nobody_else() {
    let (frame, after) = fate_of_a_silent_client(Defect::BlockedPing).await;
    assert_eq!(frame, Some(close(1011, "heartbeat timeout")));
    assert!(is_near(after, TIMEOUT), "{after:?}");

    let server = Running::start(Behaviour {
        push: Some(FLOOD),
        ..watching(Some(Defect::BlockedPing))
    });
    let _client = Bare::connect(server.address).await;
    sleep(4 * (INTERVAL + TIMEOUT)).await;
    assert_eq!(server.counter.counts().open(), 1);
}

#[tokio::test]
async fn a_slow_pong_waits_for_the_messages_before_it() {
    let server = Running::start(watching(Some(Defect::SlowPong)));
    let mut client = Bare::connect(server.address).await;
    let asked = Instant::now();
    for _ in 0..5 {
        client.send(TEXT, b"slow").await;
    }
    client.send(PING, b"late").await;
    // The client's pongs wait too, but that does not make the server give it up.
    let mut echoes = 0;
    loop {
        match client.frame().await.unwrap() {
            (PING, payload) => client.send(PONG, &payload).await,
            (PONG, _) => break,
            (TEXT, _) => echoes += 1,
            other => panic!("unexpected {other:?}"),
        }
    }
    assert_eq!(echoes, 5);
    assert!(asked.elapsed() >= Duration::from_millis(500));
    drop(client);
    assert_eq!(server.stop().await.reaped, 0);
    let (frame, _) = fate_of_a_silent_client(Defect::SlowPong).await;
    assert_eq!(frame, Some(close(1011, "heartbeat timeout")));
}

#[tokio::test]
async fn a_server_that_never_reaps_pings_for_ever() {
    let server = Running::start(watching(Some(Defect::NeverReaps)));
    let mut client = Bare::connect(server.address).await;
    for _ in 0..5 {
        client.ping().await;
    }
    let stopped = tokio::spawn(server.stop());
    while client.frame().await.unwrap().0 != CLOSE {}
    client.send(CLOSE, &[]).await;
    assert_eq!(soon(stopped).await.unwrap().reaped, 0);
}
