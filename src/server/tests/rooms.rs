//! Tests the rooms of the built-in server: what is said in one is heard by its members, in order, and by nobody else.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::running::{Client, Running, next, soon};
use crate::scenario::ServerRooms;
use crate::server::Behaviour;

pub(super) fn with_rooms(rooms: ServerRooms) -> Behaviour {
    Behaviour {
        rooms: Some(rooms),
        ..Behaviour::default()
    }
}

pub(super) async fn send(client: &mut Client, text: impl ToString) {
    soon(client.send(Message::text(text.to_string())))
        .await
        .unwrap();
}

/// The next text, as JSON.
pub(super) async fn hear(client: &mut Client) -> Value {
    match next(client).await {
        Message::Text(text) => serde_json::from_str(&text).unwrap(),
        other => panic!("expected a text, got {other:?}"),
    }
}

pub(super) async fn ask(client: &mut Client, request: Value) -> Value {
    send(client, request).await;
    hear(client).await
}

/// A client that has joined a room.
pub(super) async fn member(server: &Running, room: &str) -> Client {
    let mut client = server.client().await;
    let answer = ask(&mut client, json!({"join": room, "id": 1})).await;
    assert_eq!(answer, json!({"id": 1, "ok": true}));
    client
}

#[tokio::test]
async fn what_one_says_all_members_hear() {
    let server = Running::start(with_rooms(ServerRooms::default()));
    let mut ann = member(&server, "r").await;
    let mut bob = member(&server, "r").await;
    let mut eve = member(&server, "s").await;
    let data = r#"{ "n": 1.50, "text":"h\u00f6", "n":2 }"#;
    send(&mut ann, format!(r#"{{"say":"r","data":{data},"id":"x"}}"#)).await;
    let Message::Text(heard) = next(&mut bob).await else {
        panic!("bob hears no text");
    };
    assert!(
        heard.starts_with(r#"{"room":"r","seq":1,"at":1"#),
        "{heard}"
    );
    assert!(heard.ends_with(&format!(r#","data":{data}}}"#)), "{heard}");
    assert_eq!(hear(&mut ann).await["seq"], 1, "the speaker hears it too");
    assert_eq!(hear(&mut ann).await, json!({"id": "x", "ok": true}));

    // Who does not want an answer, or not to hear itself, does not.
    send(&mut ann, json!({"say": "r", "self": false})).await;
    send(
        &mut ann,
        json!({"say": "r", "self": false, "id": 3, "data": 4}),
    )
    .await;
    assert_eq!(hear(&mut ann).await, json!({"id": 3, "ok": true}));
    for (seq, data) in [(2, Value::Null), (3, json!(4))] {
        let heard = hear(&mut bob).await;
        assert_eq!((&heard["seq"], &heard["data"]), (&json!(seq), &data));
    }

    // Nothing of that was heard elsewhere, and other texts are sent back as before.
    for echo in ["hello", "{}", r#"{"say":5}"#] {
        send(&mut eve, echo).await;
        assert_eq!(next(&mut eve).await, Message::text(echo));
    }
    let request = Message::binary(&br#"{"join":"r","id":1}"#[..]);
    eve.send(request.clone()).await.unwrap();
    assert_eq!(next(&mut eve).await, request);
    let counts = server.stop().await;
    assert_eq!((counts.said, counts.delivered, counts.refused), (3, 4, 0));
}

#[tokio::test]
async fn who_leaves_hears_all_until_then_and_nothing_after() {
    let server = Running::start(with_rooms(ServerRooms::default()));
    let mut ann = member(&server, "r").await;
    let mut bob = member(&server, "r").await;
    for request in [
        json!({"say": "r", "data": 1}),
        json!({"leave": "r", "id": 2}),
        json!({"say": "r", "id": 3}),
        json!({"leave": "r", "id": 4}),
    ] {
        ann.feed(Message::text(request.to_string())).await.unwrap();
    }
    ann.flush().await.unwrap();
    assert_eq!(hear(&mut ann).await["data"], 1);
    assert_eq!(hear(&mut ann).await, json!({"id": 2, "ok": true}));
    for id in [3, 4] {
        let refused = hear(&mut ann).await;
        assert_eq!(
            (&refused["id"], &refused["ok"]),
            (&json!(id), &json!(false))
        );
        assert!(
            refused["error"]
                .as_str()
                .unwrap()
                .contains("not in the room")
        );
    }
    assert_eq!(hear(&mut bob).await["data"], 1);
    send(&mut bob, json!({"say": "r", "data": 2})).await;
    assert_eq!(hear(&mut bob).await["seq"], 2);
    // A member that is gone has left.
    drop(bob);
    let mut cid = member(&server, "q").await;
    while server.counter.counts().closed == 0 {
        send(&mut cid, "wait").await;
        next(&mut cid).await;
    }
    ask(&mut ann, json!({"join": "r", "id": 5})).await;
    send(&mut ann, json!({"say": "r"})).await;
    assert_eq!(hear(&mut ann).await["seq"], 1, "the room has begun anew");
    assert_eq!(server.stop().await.refused, 2);
}

#[tokio::test]
async fn rooms_tick_together_and_without_a_gap() {
    let server = Running::start(with_rooms(ServerRooms {
        tick: "100/s".parse().ok(),
        ..ServerRooms::default()
    }));
    let mut client = member(&server, "r").await;
    send(&mut client, json!({"join": "s", "id": 2})).await;
    let mut last = json!(null);
    let mut ticks = Vec::new();
    while ticks.len() < 12 {
        let heard = hear(&mut client).await;
        if heard["tick"].is_u64() {
            assert!(heard["at"].as_u64() >= last["at"].as_u64(), "{heard}");
            ticks.push((heard["room"].clone(), heard["tick"].as_u64().unwrap()));
            last = heard;
        }
    }
    for room in ["r", "s"] {
        let of_room = ticks.iter().filter(|(one, _)| one == room);
        let numbers: Vec<u64> = of_room.map(|(_, number)| *number).collect();
        assert!(numbers.len() > 4, "{ticks:?}");
        assert!(
            numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
            "{ticks:?}"
        );
    }
    let counts = server.stop().await;
    assert!(counts.ticks >= 12 && counts.delivered == 0, "{counts:?}");
}

#[tokio::test]
async fn requests_beyond_a_bound_are_refused_and_counted() {
    let server = Running::start(with_rooms(ServerRooms::default()));
    let mut client = server.client().await;
    for number in 0..8 {
        let joined = ask(&mut client, json!({"join": number.to_string(), "id": 1})).await;
        assert_eq!(joined["ok"], true);
    }
    let again = ask(&mut client, json!({"join": "7", "id": 1})).await;
    assert_eq!(again["ok"], true, "it is a member already");
    let long = "x".repeat(64 << 10);
    for request in [
        json!({"join": "8", "id": 1}),
        json!({"say": "0", "id": 1, "data": long}),
    ] {
        assert_eq!(ask(&mut client, request).await["ok"], false);
    }
    ask(&mut client, json!({"leave": "7", "id": 1})).await;
    let named = ask(&mut client, json!({"join": "x".repeat(257), "id": 1})).await;
    assert_eq!(named["ok"], false);
    let counts = server.stop().await;
    assert_eq!((counts.refused, counts.full, counts.said), (3, 3, 0));
}

#[tokio::test]
async fn who_does_not_read_is_closed_and_nobody_waits_for_it() {
    let server = Running::start(with_rooms(ServerRooms::default()));
    let mut ann = member(&server, "r").await;
    let mut bob = member(&server, "r").await;
    let mut deaf = member(&server, "r").await;
    let mut said = 0;
    while server.counter.counts().cut == 0 {
        said += 1;
        assert!(said < 1000, "64 MiB are held for who reads nothing");
        let say = json!({"say": "r", "id": 1, "data": "x".repeat(60 << 10), "self": false});
        assert_eq!(ask(&mut ann, say).await["ok"], true);
        assert_eq!(hear(&mut bob).await["seq"], said);
    }
    // It hears what had left before, and then that it is closed, in order.
    let mut heard = 0;
    loop {
        match soon(deaf.next()).await {
            Some(Ok(Message::Text(text))) => {
                heard += 1;
                assert!(text.contains(&format!("\"seq\":{heard},")));
            }
            Some(Ok(Message::Close(frame))) => {
                assert_eq!(frame.unwrap().code, CloseCode::Policy);
                break;
            }
            other => panic!("unexpected {other:?}"),
        }
    }
    let counts = server.stop().await;
    assert_eq!((counts.cut, counts.delivered), (1, said + heard));
    assert_eq!(counts.undelivered, said - heard);
}

#[tokio::test]
async fn who_reads_is_never_cut_off_however_much_is_said_at_once() {
    const MEMBERS: u64 = 60;
    const EACH: u64 = 40;
    let server = Running::start(with_rooms(ServerRooms::default()));
    let mut members = Vec::new();
    for _ in 0..MEMBERS {
        members.push(member(&server, "r").await);
    }
    for client in &mut members {
        for _ in 0..EACH {
            let say = json!({"say": "r", "data": "hello"});
            client.feed(Message::text(say.to_string())).await.unwrap();
        }
        soon(client.flush()).await.unwrap();
    }
    for client in &mut members {
        for seq in 1..=MEMBERS * EACH {
            assert_eq!(hear(client).await["seq"], seq);
        }
    }
    let counts = server.stop().await;
    assert_eq!(counts.delivered, MEMBERS * MEMBERS * EACH);
    assert_eq!((counts.cut, counts.undelivered), (0, 0));
}

#[tokio::test]
async fn a_stop_closes_members_as_it_closes_others() {
    let server = Running::start(with_rooms(ServerRooms {
        tick: "1000/s".parse().ok(),
        ..ServerRooms::default()
    }));
    let mut client = member(&server, "r").await;
    let stopped = tokio::spawn(server.stop());
    let code = loop {
        match next(&mut client).await {
            Message::Text(_) => {}
            Message::Close(frame) => break frame.unwrap().code,
            other => panic!("unexpected {other:?}"),
        }
    };
    assert_eq!(code, CloseCode::Away);
    assert!(
        tokio::time::timeout(Duration::from_secs(2), client.next())
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(soon(stopped).await.unwrap().closes, [(1001, 1)].into());
}
