//! Follows the server's sockets from one reading of the table to the next. Pure: the caller passes the time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use super::diag::{Held, SocketRow};
use crate::measure::{SocketEnd, Sockets};
use crate::units::Timestamp;

/// The most sockets that are kept.
pub(super) const MAX_SOCKETS: usize = 200_000;

/// The server's sockets, from repeated readings of the table. Each time is that of the end of a reading: never too
/// early, and too late by at most the time between two readings.
#[derive(Debug, Default)]
pub(super) struct SocketLedger {
    kept: Vec<SocketRecord>,
    /// The sockets that are in the table, by cookie. Their number is limited by the system.
    live: HashMap<u64, OpenSocket>,
    looks: u64,
    /// When the last reading began.
    last: Option<Instant>,
    longest_gap: Duration,
    more: u64,
}

#[derive(Debug)]
struct SocketRecord {
    client_port: u16,
    seen: Instant,
    left: Option<Instant>,
    gone: Option<Instant>,
    send_queue: u64,
}

#[derive(Debug)]
struct OpenSocket {
    /// The index in `kept`; `None` if there was no room.
    at: Option<usize>,
    /// The number of the last reading that contained it.
    look: u64,
    /// The end of the first reading since then without it. A table that changes while it is read can miss a row, so a
    /// socket counts as gone only after two readings without it.
    missed: Option<Instant>,
}

impl SocketLedger {
    /// Adds one reading of the table, with the times at which it began and ended.
    pub(super) fn look(&mut self, began: Instant, ended: Instant, rows: &[SocketRow]) {
        self.looks += 1;
        self.gap(began, ended);
        for row in rows {
            self.enter(row, ended);
        }
        let (kept, look) = (&mut self.kept, self.looks);
        self.live.retain(|_, live| {
            if live.look == look {
                return true;
            }
            match live.missed {
                None => {
                    live.missed = Some(ended);
                    true
                }
                Some(missed) => {
                    end(kept, live, missed);
                    false
                }
            }
        });
    }

    /// What happened to the sockets. The readings ended at `ended`; the time of the run starts at `origin`.
    pub(super) fn close(&self, ended: Instant, origin: Instant) -> Sockets {
        let since_last = self.last.map(|last| ended.saturating_duration_since(last));
        let longest_gap = self.longest_gap.max(since_last.unwrap_or_default());
        let told = |kept: &SocketRecord| SocketEnd {
            client_port: kept.client_port,
            relayed: None,
            seen_ns: Timestamp::of(kept.seen, origin),
            left_ns: kept.left.map(|left| Timestamp::of(left, origin)),
            gone_ns: kept.gone.map(|gone| Timestamp::of(gone, origin)),
            send_queue: kept.send_queue,
        };
        Sockets {
            ends: self.kept.iter().map(told).collect(),
            resolution_ns: longest_gap.into(),
            more: self.more,
        }
    }

    /// Updates the longest gap. A change can happen at any time from the start of one reading to the end of the next.
    fn gap(&mut self, began: Instant, ended: Instant) {
        let from = self.last.replace(began).unwrap_or(began);
        self.longest_gap = self.longest_gap.max(ended.saturating_duration_since(from));
    }

    fn enter(&mut self, row: &SocketRow, now: Instant) {
        let live = match self.live.entry(row.cookie) {
            Entry::Occupied(entry) => entry.into_mut(),
            // Ignores sockets that were first seen after their end.
            Entry::Vacant(_) if row.held == Held::Address => return,
            Entry::Vacant(entry) => {
                let at = (self.kept.len() < MAX_SOCKETS).then_some(self.kept.len());
                match at {
                    Some(_) => self.kept.push(SocketRecord {
                        client_port: row.client_port,
                        seen: now,
                        left: None,
                        gone: None,
                        send_queue: 0,
                    }),
                    None => self.more += 1,
                }
                entry.insert(OpenSocket {
                    at,
                    look: 0,
                    missed: None,
                })
            }
        };
        live.look = self.looks;
        live.missed = None;
        let Some(kept) = live.at.map(|at| &mut self.kept[at]) else {
            return;
        };
        match row.held {
            Held::Open => kept.send_queue = row.send_queue,
            Held::Closed => {
                kept.send_queue = row.send_queue;
                kept.left.get_or_insert(now);
            }
            Held::Address => {
                kept.left.get_or_insert(now);
                kept.gone.get_or_insert(now);
            }
        }
    }
}

/// Notes that a socket is no longer in the table.
fn end(kept: &mut [SocketRecord], live: &OpenSocket, missed: Instant) {
    if let Some(kept) = live.at.map(|at| &mut kept[at]) {
        kept.left.get_or_insert(missed);
        kept.gone.get_or_insert(missed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Nanos;

    /// A ledger with a clock that the test sets, and the port of the only client.
    struct Story {
        ledger: SocketLedger,
        origin: Instant,
        now: Instant,
    }

    const PORT: u16 = 40_000;

    impl Story {
        fn begin() -> Self {
            let now = Instant::now();
            Self {
                ledger: SocketLedger::default(),
                origin: now,
                now,
            }
        }

        /// Reads these rows 20 ms later, in a reading that takes 1 ms.
        fn sees(&mut self, rows: &[(u64, Held, u64)]) -> &mut Self {
            let rows = rows.iter().map(|&(cookie, held, send_queue)| SocketRow {
                cookie,
                client_port: PORT,
                held,
                send_queue,
            });
            let rows: Vec<SocketRow> = rows.collect();
            let began = self.now + Duration::from_millis(19);
            self.now += Duration::from_millis(20);
            self.ledger.look(began, self.now, &rows);
            self
        }

        fn ends(self) -> Sockets {
            self.ledger.close(self.now, self.origin)
        }
    }

    fn ms(sockets: &Sockets) -> Vec<(u64, Option<u64>, Option<u64>)> {
        let ms = |time: Timestamp| time.as_nanos() / 1_000_000;
        let ends = sockets.ends.iter();
        ends.map(|end| (ms(end.seen_ns), end.left_ns.map(ms), end.gone_ns.map(ms)))
            .collect()
    }

    #[test]
    fn a_socket_is_left_and_then_gone() {
        let mut story = Story::begin();
        story.sees(&[(1, Held::Open, 0)]);
        story.sees(&[(1, Held::Closed, 0)]);
        story.sees(&[]).sees(&[]);
        let sockets = story.ends();
        assert_eq!(ms(&sockets), [(20, Some(40), Some(60))]);
        assert_eq!(sockets.ends[0].client_port, PORT);
    }

    #[test]
    fn one_that_is_closed_with_bytes_to_send_is_not_gone() {
        let mut story = Story::begin();
        story.sees(&[(1, Held::Open, 2_800_000)]);
        story.sees(&[(1, Held::Closed, 2_700_000)]);
        story.sees(&[(1, Held::Closed, 2_700_000)]);
        let sockets = story.ends();
        assert_eq!(ms(&sockets), [(20, Some(40), None)]);
        assert_eq!(sockets.ends[0].send_queue, 2_700_000);
    }

    #[test]
    fn one_of_which_only_the_address_is_left_is_gone() {
        let mut story = Story::begin();
        story.sees(&[(1, Held::Open, 7)]);
        story.sees(&[(1, Held::Address, 0)]).sees(&[]).sees(&[]);
        // Of another socket only the address was left when the watch began.
        story.sees(&[(2, Held::Address, 0)]);
        let sockets = story.ends();
        assert_eq!(ms(&sockets), [(20, Some(40), Some(40))]);
        assert_eq!(sockets.ends[0].send_queue, 7);
    }

    #[test]
    fn a_row_that_is_left_out_once_proves_nothing() {
        let mut story = Story::begin();
        let row = [(1, Held::Open, 0)];
        story.sees(&row).sees(&[]).sees(&row).sees(&[]);
        assert_eq!(ms(&story.ends()), [(20, None, None)]);
    }

    #[test]
    fn a_port_that_comes_again_is_another_socket() {
        let mut story = Story::begin();
        story.sees(&[(1, Held::Open, 0)]);
        story.sees(&[(2, Held::Open, 0)]);
        story.sees(&[(2, Held::Open, 0)]);
        let sockets = story.ends();
        assert_eq!(ms(&sockets), [(20, Some(40), Some(40)), (40, None, None)]);
    }

    #[test]
    fn the_resolution_is_the_longest_time_in_which_something_was_not_seen() {
        let mut story = Story::begin();
        story.sees(&[]).sees(&[]);
        // Counts from the start of one reading to the end of the next.
        assert_eq!(story.ledger.longest_gap, Duration::from_millis(21));
        story.now += Duration::from_millis(30);
        story.sees(&[]);
        // The last reading before the end failed.
        story.now += Duration::from_millis(70);
        assert_eq!(story.ends().resolution_ns, Nanos(71_000_000));
    }

    #[test]
    fn what_finds_no_room_is_counted_once() {
        let rows: Vec<SocketRow> = (0..MAX_SOCKETS as u64 + 3)
            .map(|cookie| SocketRow {
                cookie,
                client_port: PORT,
                held: Held::Open,
                send_queue: 0,
            })
            .collect();
        let mut ledger = SocketLedger::default();
        let now = Instant::now();
        ledger.look(now, now, &rows);
        ledger.look(now, now, &rows);
        let sockets = ledger.close(now, now);
        assert_eq!((sockets.ends.len(), sockets.more), (MAX_SOCKETS, 3));
    }
}
