//! What a scripted server saw and did, with the time of each event.
//! Tests compare it with what the client says it did.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::frame::{Frame, PING, PONG};

/// A payload is kept up to here, which holds every control frame whole; `Entry::len` tells its true length.
const KEPT_BYTES: usize = 128;
/// A test that has more events than this has gone wrong.
const MAX_ENTRIES: usize = 2_000_000;

/// One event of one connection.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Connections are numbered from 0 in the order of their accepts.
    pub connection: u64,
    pub at: Instant,
    pub event: Event,
    /// The length of the payload, where there is one.
    pub len: usize,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// TCP was accepted.
    Accepted,
    /// The 101 is being sent, be it right or wrong.
    Opened,
    /// A frame came from the client. Long payloads are cut.
    Received(Frame),
    /// A frame is being handed to TCP. Long payloads are cut.
    Sent(Frame),
    /// The script's act began.
    Acted,
    /// The client broke a rule of RFC 6455; no test should see it.
    Violation(String),
    /// The client ended TCP: FIN.
    Fin,
    /// The client reset TCP.
    Reset,
}

/// A growing list of events, shared by the threads of a server. In the order of time for each connection.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<Entry>>>);

impl Log {
    pub(super) fn add(&self, connection: u64, mut event: Event) {
        let at = Instant::now();
        let mut len = 0;
        if let Event::Received(frame) | Event::Sent(frame) = &mut event {
            len = frame.payload.len();
            frame.payload.truncate(KEPT_BYTES);
        }
        let entry = Entry {
            connection,
            at,
            event,
            len,
        };
        let mut entries = self.0.lock().unwrap();
        assert!(entries.len() < MAX_ENTRIES, "too many events for a test");
        entries.push(entry);
    }

    /// Everything until now.
    pub fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap().clone()
    }

    /// How many events until now are like this.
    pub fn count(&self, like: impl Fn(&Event) -> bool) -> usize {
        let entries = self.0.lock().unwrap();
        entries.iter().filter(|entry| like(&entry.event)).count()
    }

    /// Connections that got their 101.
    pub fn opened(&self) -> usize {
        self.count(|event| *event == Event::Opened)
    }

    /// Messages received, each counted at its first frame.
    pub fn messages(&self) -> usize {
        self.count(|event| matches!(event, Event::Received(frame) if matches!(frame.opcode, 1 | 2)))
    }

    /// Pings received.
    pub fn pings(&self) -> usize {
        self.count(|event| matches!(event, Event::Received(frame) if frame.opcode == PING))
    }

    /// Pongs received.
    pub fn pongs(&self) -> usize {
        self.count(|event| matches!(event, Event::Received(frame) if frame.opcode == PONG))
    }

    /// The codes of the Close frames received, in order; `None` for an empty one.
    pub fn close_codes(&self) -> Vec<Option<u16>> {
        let closes = self.entries().into_iter();
        closes
            .filter_map(|entry| match entry.event {
                Event::Received(frame) if frame.opcode == super::frame::CLOSE => {
                    Some(frame.close_code())
                }
                _ => None,
            })
            .collect()
    }

    /// The rules of RFC 6455 that clients broke. Should be empty.
    pub fn violations(&self) -> Vec<String> {
        let entries = self.entries().into_iter();
        entries
            .filter_map(|entry| match entry.event {
                Event::Violation(rule) => Some(rule),
                _ => None,
            })
            .collect()
    }
}
