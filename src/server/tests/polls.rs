//! Tests the polls of rooms, as a client that speaks HTTP by hand.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::login::{ask as ask_plainly, log_in};
use super::rooms::{ask, member, with_rooms};
use super::running::{Running, soon};
use crate::scenario::ServerRooms;

/// Asks, and returns the status and the body, if there is one.
async fn get(socket: &mut TcpStream, target: &str) -> (u16, Value) {
    let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
    let answer = ask_plainly(socket, &request).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    assert_eq!(
        status == 204,
        !head.to_lowercase().contains("content-length"),
        "{head}"
    );
    (status, serde_json::from_str(body).unwrap_or_default())
}

async fn connect(server: &Running) -> TcpStream {
    TcpStream::connect(server.address).await.unwrap()
}

#[tokio::test]
async fn a_poll_is_answered_by_what_was_heard_last() {
    let server = Running::start(with_rooms(ServerRooms::default()));
    let mut socket = connect(&server).await;
    assert_eq!(
        get(&mut socket, "/poll?room=a%20b").await.0,
        204,
        "no such room"
    );
    let mut ann = member(&server, "a b").await;
    assert_eq!(
        get(&mut socket, "/poll?room=a%20b").await.0,
        204,
        "nothing was said"
    );
    for data in [1, 2] {
        let said = json!({"say": "a b", "data": data, "self": false, "id": data});
        assert_eq!(ask(&mut ann, said).await["ok"], true);
    }
    let (status, body) = get(&mut socket, "/poll?room=a%20b").await;
    assert_eq!(
        (status, &body["seq"], &body["data"]),
        (200, &json!(2), &json!(2))
    );
    assert_eq!((&body["room"], body["at"].is_u64()), (&json!("a b"), true));
    // The connection was kept, and can still be upgraded or end.
    assert_eq!(get(&mut socket, "/poll?room=").await.0, 204);
    assert_eq!(get(&mut socket, "/poll").await.0, 400);
    drop((socket, ann));
    let counts = server.stop().await;
    assert_eq!((counts.polled, counts.opened, counts.failed), (4, 1, 0));
}

#[tokio::test]
async fn a_long_poll_waits_for_what_is_newer() {
    let server = Running::start(with_rooms(ServerRooms::default()));
    let target = "/long-poll?room=r&after=1&wait=";
    let early = tokio::spawn({
        let mut socket = connect(&server).await;
        async move { get(&mut socket, "/long-poll?room=r").await }
    });
    let mut ann = member(&server, "r").await;
    let say = |data: u64| json!({"say": "r", "data": data, "self": false, "id": data});
    // Whoever asks may have come after the first word.
    let mut said = 0;
    let early = loop {
        said += 1;
        ask(&mut ann, say(said)).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        if early.is_finished() {
            break early.await.unwrap();
        }
    };
    assert_eq!((early.0, &early.1["room"]), (200, &json!("r")));
    let mut socket = connect(&server).await;
    let (status, body) = get(&mut socket, "/long-poll?room=r&after=0").await;
    assert_eq!(
        (status, &body["seq"]),
        (200, &json!(said)),
        "at once, and the newest"
    );
    let (status, _) = get(
        &mut socket,
        &format!("/long-poll?room=r&after={said}&wait=10"),
    )
    .await;
    assert_eq!(status, 204);

    let waiting = tokio::spawn(async move {
        get(
            &mut socket,
            &format!("/long-poll?room=r&after={said}&wait=60000"),
        )
        .await
    });
    while server.counter.counts().polled < 4 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    ask(&mut ann, say(said + 1)).await;
    let (status, body) = soon(waiting).await.unwrap();
    assert_eq!((status, &body["seq"]), (200, &json!(said + 1)));

    // Who goes away is not waited for.
    let mut gone = connect(&server).await;
    let request = format!("GET {target}60000 HTTP/1.1\r\nHost: x\r\n\r\n");
    gone.write_all(request.replace("after=1", "after=999").as_bytes())
        .await
        .unwrap();
    gone.shutdown().await.unwrap();
    assert_eq!(soon(gone.read(&mut [0])).await.unwrap(), 0);

    // Who waits in a room that ends is told.
    let mut waits = connect(&server).await;
    let target = format!("{target}60000").replace("after=1", "after=999");
    let before = server.counter.counts().polled;
    let waiting = tokio::spawn(async move { get(&mut waits, &target).await.0 });
    while server.counter.counts().polled == before {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    drop(ann);
    assert_eq!(soon(waiting).await.unwrap(), 204);
}

#[tokio::test]
async fn polls_hear_ticks_too_and_need_the_token_where_one_is_needed() {
    let server = Running::start(with_rooms(ServerRooms {
        tick: Some("100/s".parse().unwrap()),
        login: true,
        ..ServerRooms::default()
    }));
    let mut socket = connect(&server).await;
    assert_eq!(get(&mut socket, "/poll?room=r").await.0, 401);
    let token = log_in(&mut socket).await;
    let url = format!("ws://{}/?token={token}", server.address);
    let own = connect(&server).await;
    let (mut ann, _) = tokio_tungstenite::client_async(url, own).await.unwrap();
    assert_eq!(
        ask(&mut ann, json!({"join": "r", "id": 1})).await["ok"],
        true
    );
    let mut last = 0;
    for _ in 0..3 {
        let target = format!("/long-poll?room=r&tick={last}&token={token}");
        let (status, body) = get(&mut socket, &target).await;
        let tick = body["tick"].as_u64().unwrap();
        assert!(status == 200 && tick > last, "{body}");
        last = tick;
    }
    assert_eq!(
        get(&mut socket, &format!("/poll?room=r&token={token}"))
            .await
            .0,
        200
    );
}
