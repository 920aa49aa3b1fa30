//! Tests that each defect of the rooms shows its own fault and no other, and that innocent rooms show none.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::rooms::{ask, hear, member, send, with_rooms};
use super::running::{Client, Running, next, soon};
use crate::scenario::{RoomDefect, ServerRooms};

/// The members of each of two rooms: one join in 20 is forgotten, where that is the defect.
const MEMBERS: usize = 10;
/// What is said in each room: 2,000 deliveries and 200 answers in all.
const SAID: u64 = 100;
/// The longest time that an answer may take before it is held to be waiting for somebody.
const PATIENCE: Duration = Duration::from_secs(1);

/// The faults that were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Seen {
    missing: u64,
    doubled: u64,
    swapped: u64,
    /// Heard by somebody who is not in the room.
    stray: u64,
    /// Members that heard nothing at all.
    forgotten: u64,
    wrong_ids: u64,
    /// Whether a room waited for a member that did not read.
    waited: bool,
}

async fn seen(defect: Option<RoomDefect>) -> Seen {
    let settings = ServerRooms {
        defect,
        ..ServerRooms::default()
    };
    let server = Running::start(with_rooms(settings));
    let mut members: Vec<(&str, Client)> = Vec::new();
    for _ in 0..MEMBERS {
        for room in ["r", "s"] {
            members.push((room, member(&server, room).await));
        }
    }
    let mut seen = Seen::default();
    let mut speakers = [server.client().await, server.client().await];
    for (speaker, room) in speakers.iter_mut().zip(["r", "s"]) {
        // A speaker is a member that is told nothing of its own.
        ask(speaker, json!({"join": room, "id": 0})).await;
    }
    for id in 1..=SAID {
        for (speaker, room) in speakers.iter_mut().zip(["r", "s"]) {
            let say = json!({"say": room, "id": id, "data": id, "self": false});
            send(speaker, say).await;
            let answer = loop {
                let heard = hear(speaker).await;
                if heard.get("ok").is_some() {
                    break heard;
                }
                // Only what leaks from the other room.
                assert_ne!(heard["room"], room);
                seen.stray += 1;
            };
            assert_eq!(answer["ok"], true);
            seen.wrong_ids += u64::from(answer["id"] != id);
        }
    }
    for (room, client) in &mut members {
        seen.look_at(&heard_until_it_leaves(client, room).await, room);
    }
    drop((members, speakers));
    let counts = server.stop().await;
    assert_eq!((counts.said, counts.cut), (2 * SAID, 0), "{counts:?}");
    let server = Running::start(with_rooms(settings));
    seen.waited = waits_for_who_does_not_read(&server).await;
    seen
}

/// What a member hears in all, as room and number: its own leave comes behind all of it.
async fn heard_until_it_leaves(client: &mut Client, room: &str) -> Vec<(String, u64)> {
    send(client, json!({"leave": room, "id": "end"})).await;
    let mut all = Vec::new();
    loop {
        let heard = hear(client).await;
        match heard["room"].as_str() {
            Some(room) => {
                assert_eq!(heard["seq"], heard["data"]);
                all.push((room.to_owned(), heard["seq"].as_u64().unwrap()));
            }
            None => {
                assert_eq!(heard, json!({"id": "end", "ok": true}));
                return all;
            }
        }
    }
}

impl Seen {
    fn look_at(&mut self, heard: &[(String, u64)], room: &str) {
        let own: Vec<u64> = heard
            .iter()
            .filter(|(one, _)| one == room)
            .map(|(_, seq)| *seq)
            .collect();
        self.stray += (heard.len() - own.len()) as u64;
        if own.is_empty() {
            self.forgotten += 1;
            return;
        }
        let mut times: BTreeMap<u64, u64> = (1..=SAID).map(|seq| (seq, 0)).collect();
        for seq in &own {
            *times.get_mut(seq).unwrap() += 1;
        }
        self.missing += times.values().filter(|times| **times == 0).count() as u64;
        self.doubled += times
            .values()
            .map(|times| times.saturating_sub(1))
            .sum::<u64>();
        self.swapped += own.windows(2).filter(|pair| pair[1] < pair[0]).count() as u64;
    }
}

/// Speaks in a room with a member that does not read, until that is closed or holds the room up.
async fn waits_for_who_does_not_read(server: &Running) -> bool {
    let mut ann = member(server, "r").await;
    let mut deaf = member(server, "r").await;
    let say = json!({"say": "r", "id": 1, "data": "x".repeat(60 << 10), "self": false});
    let mut said = 0;
    while server.counter.counts().cut == 0 {
        send(&mut ann, &say).await;
        said += 1;
        assert!(said < 1000, "64 MiB are held for who reads nothing");
        if timeout(PATIENCE, hear(&mut ann)).await.is_ok() {
            continue;
        }
        // The room goes on when it reads again, and nothing is lost.
        for seq in 1..=said {
            let Message::Text(text) = next(&mut deaf).await else {
                panic!("expected a text");
            };
            let heard: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(heard["seq"], seq);
        }
        assert_eq!(hear(&mut ann).await, json!({"id": 1, "ok": true}));
        return true;
    }
    false
}

#[track_caller]
fn assert_seen(defect: Option<RoomDefect>, expected: Seen) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let seen = runtime.unwrap().block_on(async { seen(defect).await });
    assert_eq!(seen, expected, "{defect:?}");
}

#[test]
fn innocent_rooms_show_no_fault() {
    assert_seen(None, Seen::default());
}

#[test]
fn a_dropped_delivery_is_missing() {
    let missing = 2;
    assert_seen(
        Some(RoomDefect::DropsDelivery),
        Seen {
            missing,
            ..Seen::default()
        },
    );
}

#[test]
fn a_doubled_delivery_comes_twice() {
    let doubled = 2;
    assert_seen(
        Some(RoomDefect::DoublesDelivery),
        Seen {
            doubled,
            ..Seen::default()
        },
    );
}

#[test]
fn a_swapped_delivery_comes_behind_the_next() {
    let swapped = 2;
    assert_seen(
        Some(RoomDefect::SwapsDelivery),
        Seen {
            swapped,
            ..Seen::default()
        },
    );
}

#[test]
fn a_leak_is_heard_in_another_room() {
    let stray = 2;
    assert_seen(
        Some(RoomDefect::LeaksRoom),
        Seen {
            stray,
            ..Seen::default()
        },
    );
}

#[test]
fn a_member_that_does_not_read_makes_all_wait_where_that_is_the_defect() {
    let waited = true;
    assert_seen(
        Some(RoomDefect::SlowMemberBlocksRoom),
        Seen {
            waited,
            ..Seen::default()
        },
    );
}

#[test]
fn a_forgotten_member_hears_nothing() {
    let forgotten = 1;
    assert_seen(
        Some(RoomDefect::ForgetsMember),
        Seen {
            forgotten,
            ..Seen::default()
        },
    );
}

#[test]
fn a_wrong_id_is_that_of_another_request() {
    let wrong_ids = 2;
    assert_seen(
        Some(RoomDefect::AnswersWrongId),
        Seen {
            wrong_ids,
            ..Seen::default()
        },
    );
}

/// A message that is held back to be swapped is not lost where nothing follows it.
#[tokio::test]
async fn the_last_message_is_late_and_not_lost() {
    let server = Running::start(with_rooms(ServerRooms {
        defect: Some(RoomDefect::SwapsDelivery),
        ..ServerRooms::default()
    }));
    let mut ann = member(&server, "r").await;
    for seq in 1..=1000 {
        send(&mut ann, json!({"say": "r"})).await;
        assert_eq!(soon(hear(&mut ann)).await["seq"], seq);
    }
    assert_eq!(server.stop().await.delivered, 1000);
}
