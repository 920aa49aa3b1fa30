//! What became of the server's sockets, from one look at the table to the next. Pure: it is told the time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::{Duration, Instant};

use super::diag::{Held, Row};
use super::happened::nanos;
use crate::measure::{SocketEnd, Sockets};

/// Sockets that are kept.
pub(super) const MAX_SOCKETS: usize = 200_000;

/// The server's sockets, seen again and again. A time is that of the end of a look: never too early, and too late by
/// at most the time between two looks.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    kept: Vec<Kept>,
    /// The sockets that are in the table, by their cookie. The system bounds how many there can be.
    live: HashMap<u64, Live>,
    looks: u64,
    /// When the last look began.
    last: Option<Instant>,
    longest_gap: Duration,
    more: u64,
}

#[derive(Debug)]
struct Kept {
    client_port: u16,
    seen: Instant,
    left: Option<Instant>,
    gone: Option<Instant>,
    send_queue: u64,
}

#[derive(Debug)]
struct Live {
    /// Where it is kept; `None`: there was no room.
    at: Option<usize>,
    /// The last look that saw it.
    look: u64,
    /// The first look since then that did not. A table that changes while it is read can leave out a row, so it takes
    /// two looks to believe it.
    missed: Option<Instant>,
}

impl Ledger {
    /// Enters one look at the table, from its first row to its last.
    pub(super) fn look(&mut self, began: Instant, ended: Instant, rows: &[Row]) {
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

    /// What became of them. Looks ended at `ended`; the clock of the run began at `origin`.
    pub(super) fn close(mut self, ended: Instant, origin: Instant) -> Sockets {
        if let Some(last) = self.last {
            self.longest_gap = self.longest_gap.max(ended.saturating_duration_since(last));
        }
        for live in self.live.values() {
            if let Some(missed) = live.missed {
                end(&mut self.kept, live, missed);
            }
        }
        let told = |kept: &Kept| SocketEnd {
            client_port: kept.client_port,
            seen_ns: nanos(origin, kept.seen),
            left_ns: kept.left.map(|left| nanos(origin, left)),
            gone_ns: kept.gone.map(|gone| nanos(origin, gone)),
            send_queue: kept.send_queue,
        };
        Sockets {
            ends: self.kept.iter().map(told).collect(),
            resolution_ns: u64::try_from(self.longest_gap.as_nanos()).unwrap_or(u64::MAX),
            more: self.more,
        }
    }

    /// Something can have happened from the beginning of one look to the end of the next.
    fn gap(&mut self, began: Instant, ended: Instant) {
        let from = self.last.replace(began).unwrap_or(began);
        self.longest_gap = self.longest_gap.max(ended.saturating_duration_since(from));
    }

    fn enter(&mut self, row: &Row, now: Instant) {
        let live = match self.live.entry(row.cookie) {
            Entry::Occupied(entry) => entry.into_mut(),
            // Whose end was not seen coming is of no interest.
            Entry::Vacant(_) if row.held == Held::Address => return,
            Entry::Vacant(entry) => {
                let at = (self.kept.len() < MAX_SOCKETS).then_some(self.kept.len());
                match at {
                    Some(_) => self.kept.push(Kept {
                        client_port: row.client_port,
                        seen: now,
                        left: None,
                        gone: None,
                        send_queue: 0,
                    }),
                    None => self.more += 1,
                }
                entry.insert(Live {
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

/// It is no longer in the table.
fn end(kept: &mut [Kept], live: &Live, missed: Instant) {
    if let Some(kept) = live.at.map(|at| &mut kept[at]) {
        kept.left.get_or_insert(missed);
        kept.gone.get_or_insert(missed);
    }
}
