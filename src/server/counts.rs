//! The counts of the built-in server, and a handle to read them while it runs.
//! The servers in `tests/targets` count the same events under the same names.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// Declares the counts: what each means stands here, and nowhere else.
macro_rules! counts {
    ($($(#[$meaning:meta])* $name:ident),* $(,)?) => {
        /// The counts of a server. As JSON: one flat object with these names.
        #[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Counts {
            $($(#[$meaning])* pub $name: u64,)*
            /// Ended connections by the close code received: 1005 for an empty Close, 1006 for none at all.
            pub closes: BTreeMap<u16, u64>,
        }

        #[derive(Debug, Default)]
        struct CounterCells {
            $($name: AtomicU64,)*
            closes: Mutex<BTreeMap<u16, u64>>,
        }

        impl Counter {
            /// The current counts.
            pub fn counts(&self) -> Counts {
                let cells = &*self.0;
                let closes = cells.closes.lock().unwrap_or_else(PoisonError::into_inner);
                Counts {
                    $($name: cells.$name.load(Relaxed),)*
                    closes: closes.clone(),
                }
            }
        }
    };
}

counts! {
    /// Handshakes completed.
    opened,
    /// Opened connections that have ended.
    closed,
    /// TCP connections that neither completed a handshake nor were answered by HTTP.
    failed,
    /// Text messages received.
    text,
    /// Binary messages received.
    binary,
    /// Payload bytes of the messages received.
    bytes,
    /// Pings received.
    pings,
    /// Pongs received.
    pongs,
    /// Pings sent.
    pinged,
    /// Connections that the heartbeat gave up.
    reaped,
    /// Messages that were not answered on purpose.
    dropped,
    /// Messages sent without being asked.
    pushed,
    /// Messages said in rooms.
    said,
    /// Copies of them sent to members.
    delivered,
    /// Ticks of rooms sent to members.
    ticks,
    /// Requests to rooms that were refused.
    refused,
    /// Those of them that were refused because a bound was reached.
    full,
    /// Members closed because they read nothing while too much waited for them.
    cut,
    /// Copies and ticks that such members did not get.
    undelivered,
    /// Tokens given.
    logins,
    /// Upgrades and polls refused for lack of a token. A connection whose upgrade is refused counts as failed too.
    unauthorized,
    /// Polls of rooms by HTTP, answered or given up.
    polled,
}

impl Counts {
    /// Messages received, text and binary together.
    pub fn messages(&self) -> u64 {
        self.text + self.binary
    }

    /// Connections that are open now.
    pub fn open(&self) -> u64 {
        self.opened.saturating_sub(self.closed)
    }
}

/// A handle on the counts of a running server. All clones share the same counts.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<CounterCells>);

impl Counter {
    /// Counts a connection as opened now, and as closed when the guard is dropped for any reason.
    pub(super) fn open(&self) -> OpenConnection {
        self.0.opened.fetch_add(1, Relaxed);
        OpenConnection {
            counter: self.clone(),
            code: NO_CLOSE_FRAME,
        }
    }

    pub(super) fn failed(&self) {
        self.0.failed.fetch_add(1, Relaxed);
    }

    pub(super) fn said(&self) {
        self.0.said.fetch_add(1, Relaxed);
    }

    /// Counts a request to a room that was refused; `full` where a bound is why.
    pub(super) fn refused(&self, full: bool) {
        self.0.refused.fetch_add(1, Relaxed);
        self.0.full.fetch_add(full.into(), Relaxed);
    }

    pub(super) fn undelivered(&self, letters: u64) {
        self.0.undelivered.fetch_add(letters, Relaxed);
    }

    pub(super) fn login(&self) {
        self.0.logins.fetch_add(1, Relaxed);
    }

    pub(super) fn polled(&self) {
        self.0.polled.fetch_add(1, Relaxed);
    }

    pub(super) fn unauthorized(&self) {
        self.0.unauthorized.fetch_add(1, Relaxed);
    }
}

/// The code of a connection that ended without a Close frame (RFC 6455 section 7.1.5).
const NO_CLOSE_FRAME: u16 = 1006;

/// Counts one open connection.
#[derive(Debug)]
pub(super) struct OpenConnection {
    counter: Counter,
    code: u16,
}

impl OpenConnection {
    pub(super) fn text(&self, bytes: usize) {
        self.counter.0.text.fetch_add(1, Relaxed);
        self.counter.0.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn binary(&self, bytes: usize) {
        self.counter.0.binary.fetch_add(1, Relaxed);
        self.counter.0.bytes.fetch_add(bytes as u64, Relaxed);
    }

    pub(super) fn ping(&self) {
        self.counter.0.pings.fetch_add(1, Relaxed);
    }

    pub(super) fn pong(&self) {
        self.counter.0.pongs.fetch_add(1, Relaxed);
    }

    pub(super) fn pinged(&self) {
        self.counter.0.pinged.fetch_add(1, Relaxed);
    }

    pub(super) fn reaped(&self) {
        self.counter.0.reaped.fetch_add(1, Relaxed);
    }

    pub(super) fn dropped(&self) {
        self.counter.0.dropped.fetch_add(1, Relaxed);
    }

    pub(super) fn pushed(&self) {
        self.counter.0.pushed.fetch_add(1, Relaxed);
    }

    pub(super) fn delivered(&self) {
        self.counter.0.delivered.fetch_add(1, Relaxed);
    }

    pub(super) fn ticked(&self) {
        self.counter.0.ticks.fetch_add(1, Relaxed);
    }

    pub(super) fn cut(&self) {
        self.counter.0.cut.fetch_add(1, Relaxed);
    }

    /// Records the code of the peer's Close frame; 1005 for an empty frame.
    pub(super) fn close_received(&mut self, code: u16) {
        self.code = code;
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let cells = &*self.counter.0;
        let mut closes = cells.closes.lock().unwrap_or_else(PoisonError::into_inner);
        *closes.entry(self.code).or_default() += 1;
        cells.closed.fetch_add(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_guard_is_a_closed_connection() {
        let counter = Counter::default();
        let mut polite = counter.open();
        let rude = counter.open();
        polite.close_received(1000);
        assert_eq!(counter.counts().open(), 2);
        drop((polite, rude));
        let counts = counter.counts();
        assert_eq!((counts.opened, counts.closed), (2, 2));
        assert_eq!(counts.closes, BTreeMap::from([(1000, 1), (1006, 1)]));
    }

    #[test]
    fn json_round_trips_with_codes_as_keys() {
        let counts = Counts {
            text: 3,
            closes: BTreeMap::from([(1000, 2)]),
            ..Counts::default()
        };
        let json = serde_json::to_string(&counts).unwrap();
        assert!(json.contains(r#""closes":{"1000":2}"#), "{json}");
        assert_eq!(serde_json::from_str::<Counts>(&json).unwrap(), counts);
    }
}
