//! The log of a scripted server: what it saw and did, with the time of each event.
//! Tests compare it with what the client reports.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::frame::{Frame, PING, PONG};

/// The most bytes of a payload that are kept, enough for every control frame; `Entry::len` is the true length.
const KEPT_BYTES: usize = 128;
/// The most entries. A test with more events than this has failed.
const MAX_ENTRIES: usize = 2_000_000;

/// One event of one connection.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The number of the connection, from 0 in the order of accepts.
    pub connection: u64,
    pub at: Instant,
    pub event: Event,
    /// The length of the payload, if there is one.
    pub len: usize,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// TCP was accepted.
    Accepted,
    /// The 101 is about to be sent, correct or with a fault.
    Opened,
    /// A frame came from the client. Long payloads are cut.
    Received(Frame),
    /// A frame is about to be written to TCP. Long payloads are cut.
    Sent(Frame),
    /// The script's act started. The last bytes of the client, whole frames or not, came at `heard`.
    Acted { heard: Instant },
    /// The client broke a rule of RFC 6455; no test should see it.
    Violation(String),
    /// The client sent a FIN.
    Fin,
    /// The client sent a RST.
    Reset,
}

/// A growing list of events, shared by the threads of a server. Ordered by time for each connection.
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

    /// All events so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.0.lock().unwrap().clone()
    }

    /// The number of events so far that match.
    pub fn count(&self, like: impl Fn(&Event) -> bool) -> usize {
        let entries = self.0.lock().unwrap();
        entries.iter().filter(|entry| like(&entry.event)).count()
    }

    /// The number of connections that got their 101.
    pub fn opened(&self) -> usize {
        self.count(|event| *event == Event::Opened)
    }

    /// The number of messages received, each counted at its first frame.
    pub fn messages(&self) -> usize {
        self.count(|event| matches!(event, Event::Received(frame) if matches!(frame.opcode, 1 | 2)))
    }

    /// The number of pings received.
    pub fn pings(&self) -> usize {
        self.count(|event| matches!(event, Event::Received(frame) if frame.opcode == PING))
    }

    /// The number of pongs received.
    pub fn pongs(&self) -> usize {
        self.count(|event| matches!(event, Event::Received(frame) if frame.opcode == PONG))
    }

    /// The codes of the Close frames received, in order; `None` for an empty frame.
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
