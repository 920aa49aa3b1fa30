//! Rooms by HTTP, for clients that ask instead of listening: `GET /poll?room=R` is answered at once by what was heard last
//! in a room, and `GET /long-poll?room=R&after=SEQ` by the first thing that is newer. Who asks is no member.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::Utf8Bytes;
use tokio_tungstenite::tungstenite::http::{StatusCode, Uri};

use super::http::Answer;
use super::mailbox::Kind;
use super::room::Rooms;
use crate::scenario::percent_decoded;

/// The paths of polls.
pub(super) const POLL: &str = "/poll";
pub(super) const LONG_POLL: &str = "/long-poll";

/// How long a long poll waits if the request does not say, and how long at most.
const WAIT: Duration = Duration::from_secs(20);
const MAX_WAIT: Duration = Duration::from_secs(60);

/// What was heard last in a room.
#[derive(Debug)]
pub(super) struct Latest {
    /// The number and the text of the last thing said; 0 before the first.
    said: (u64, Utf8Bytes),
    /// Those of the last tick.
    tick: (u64, Utf8Bytes),
    /// Which of them came last.
    last: Kind,
    /// Changes with each of them.
    changes: watch::Sender<()>,
}

impl Default for Latest {
    fn default() -> Self {
        Self {
            said: (0, Utf8Bytes::default()),
            tick: (0, Utf8Bytes::default()),
            last: Kind::Said,
            changes: watch::Sender::new(()),
        }
    }
}

/// What a long poll has seen.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// It is answered by what is said with a higher number; `None`: by nothing that is said.
    after: Option<u64>,
    /// The same for ticks.
    tick: Option<u64>,
}

impl Latest {
    /// Something is heard in the room.
    pub(super) fn hear(&mut self, kind: Kind, number: u64, text: &Utf8Bytes) {
        let heard = (number, text.clone());
        match kind {
            Kind::Said => self.said = heard,
            Kind::Tick => self.tick = heard,
            Kind::Answer => return,
        }
        self.last = kind;
        self.changes.send_replace(());
    }

    fn newest(&self) -> Option<&Utf8Bytes> {
        let (number, text) = match self.last {
            Kind::Tick => &self.tick,
            Kind::Said | Kind::Answer => &self.said,
        };
        (*number > 0).then_some(text)
    }

    fn newer(&self, seen: Seen) -> Option<&Utf8Bytes> {
        let is_new = |at: Option<u64>, number: u64| at.is_some_and(|at| number > at);
        if is_new(seen.after, self.said.0) {
            return Some(&self.said.1);
        }
        is_new(seen.tick, self.tick.0).then_some(&self.tick.1)
    }
}

/// What a poll asks for.
#[derive(Debug, PartialEq, Eq)]
struct Query {
    room: String,
    after: Option<u64>,
    tick: Option<u64>,
    wait: Duration,
}

impl Query {
    /// Reads it; says what is wrong with it.
    fn read(query: &str) -> Result<Self, &'static str> {
        let value = |name: &str| {
            let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
        };
        // Nothing behind the `=` is what a client sends that has heard nothing yet.
        let number = |name: &str| match value(name) {
            None => Ok(None),
            Some("") => Ok(Some(0)),
            Some(digits) => digits.parse().map(Some),
        };
        let number = |name| number(name).map_err(|_| "`after`, `tick` and `wait` are numbers");
        let room = value("room").and_then(percent_decoded);
        let room = room.ok_or("the request names no `room`")?;
        let wait = number("wait")?.map_or(WAIT, Duration::from_millis);
        Ok(Self {
            room,
            after: number("after")?,
            tick: number("tick")?,
            wait: wait.min(MAX_WAIT),
        })
    }
}

impl Rooms {
    /// Answers a poll. Waits if it is a long one.
    pub(super) async fn poll(&self, uri: &Uri) -> Answer {
        let query = match Query::read(uri.query().unwrap_or_default()) {
            Ok(query) => query,
            Err(why) => return Answer::refused(StatusCode::BAD_REQUEST, why),
        };
        self.counter.polled();
        let found = match uri.path() {
            POLL => self.latest(&query.room, |latest| latest?.newest().cloned()),
            _ => self.newer(query).await,
        };
        match found {
            Some(text) => Answer {
                body: text.as_str().to_owned(),
                ..Answer::refused(StatusCode::OK, "")
            },
            None => Answer {
                body: String::new(),
                ..Answer::refused(StatusCode::NO_CONTENT, "")
            },
        }
    }

    /// Waits for something newer.
    async fn newer(&self, query: Query) -> Option<Utf8Bytes> {
        let end = Instant::now() + query.wait;
        let mut begun = self.begun.subscribe();
        let mut seen = Seen {
            after: query.after,
            tick: query.tick,
        };
        if (seen.after, seen.tick) == (None, None) {
            // It is answered by whatever comes from now on.
            seen = self.latest(&query.room, |latest| Seen {
                after: Some(latest.map_or(0, |latest| latest.said.0)),
                tick: Some(latest.map_or(0, |latest| latest.tick.0)),
            });
        }
        loop {
            let (newer, changes) = self.latest(&query.room, |latest| match latest {
                Some(latest) => {
                    let newer = latest.newer(seen).cloned();
                    (newer, Some(latest.changes.subscribe()))
                }
                None => (None, None),
            });
            if newer.is_some() {
                return newer;
            }
            let changed = async {
                match changes {
                    Some(mut changes) => changes.changed().await,
                    None => begun.changed().await,
                }
            };
            // An error means that the room has ended. In the next one with its name numbers start again, so who asked is told.
            timeout_at(end, changed).await.ok()?.ok()?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_names_a_room_and_what_was_seen() {
        let read = |query: &str| Query::read(query);
        assert_eq!(
            read("room=a%20b%C3%A9&after=7&x"),
            Ok(Query {
                room: "a bé".to_owned(),
                after: Some(7),
                tick: None,
                wait: WAIT,
            })
        );
        let long = read("tick=&room=r&wait=99999999").unwrap();
        assert_eq!((long.tick, long.wait), (Some(0), MAX_WAIT));
        for wrong in ["", "after=1", "room=%ff", "room=r&after=-1"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_newer_depends_on_what_was_seen() {
        let mut latest = Latest::default();
        assert_eq!(latest.newest(), None);
        latest.hear(Kind::Said, 1, &"said".into());
        latest.hear(Kind::Tick, 1, &"tick".into());
        let newer = |after, tick| latest.newer(Seen { after, tick }).map(|text| text.as_str());
        assert_eq!(latest.newest().map(|text| text.as_str()), Some("tick"));
        assert_eq!(newer(Some(0), None), Some("said"));
        assert_eq!(newer(Some(1), Some(0)), Some("tick"));
        assert_eq!(newer(Some(1), Some(1)), None);
        assert_eq!(newer(None, None), None);
    }
}
