//! One client that is watched: its state, its round trips, and what is new of it.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::measure::Opened;
use crate::metric::Cause;
use crate::units::Timestamp;

/// How many round trips are shown of the past.
pub(super) const PAST: usize = 60;

/// The state of its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It was not open yet.
    New,
    Open,
    /// It was lost, and is dialled again.
    Away,
}

impl State {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::New => "dialling",
            Self::Open => "open",
            Self::Away => "away",
        }
    }
}

/// One client.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) state: State,
    /// Since when.
    pub(super) since: Timestamp,
    pub(super) last_ns: Option<u64>,
    pub(super) best_ns: Option<u64>,
    pub(super) worst_ns: Option<u64>,
    sum_ns: u64,
    answered: u64,
    pub(super) missed: u64,
    pub(super) losses: u64,
    /// Dials that failed in a row, and why the last one did.
    pub(super) failed: u64,
    pub(super) why: Option<Cause>,
    /// The address of the last connection.
    pub(super) address: Option<SocketAddr>,
    /// The newest round trips; `None` for an answer that did not come. The newest at the end.
    pub(super) past: VecDeque<Option<u64>>,
}

impl Client {
    pub(super) fn new() -> Self {
        Self {
            state: State::New,
            since: Timestamp::ORIGIN,
            last_ns: None,
            best_ns: None,
            worst_ns: None,
            sum_ns: 0,
            answered: 0,
            missed: 0,
            losses: 0,
            failed: 0,
            why: None,
            address: None,
            past: VecDeque::with_capacity(PAST),
        }
    }

    pub(super) fn mean_ns(&self) -> Option<u64> {
        self.sum_ns.checked_div(self.answered)
    }

    /// A connection opened. Returns the address of the one before, if it is another.
    pub(super) fn opened(&mut self, at: Timestamp, opened: &Opened) -> Option<SocketAddr> {
        let moved = match (self.address, opened.address) {
            (Some(before), Some(now)) if before.ip() != now.ip() => Some(before),
            _ => None,
        };
        self.address = opened.address.or(self.address);
        self.enter(State::Open, at);
        self.failed = 0;
        self.why = None;
        moved
    }

    /// Its connection was lost.
    pub(super) fn lost(&mut self, at: Timestamp) {
        self.losses += 1;
        self.enter(State::Away, at);
    }

    /// A dial failed. Returns whether that is told: the first in a row is, and one for another reason.
    pub(super) fn not_opened(&mut self, cause: Cause) -> bool {
        self.failed += 1;
        self.why.replace(cause) != Some(cause)
    }

    pub(super) fn answered(&mut self, ns: u64) {
        self.last_ns = Some(ns);
        self.best_ns = Some(self.best_ns.map_or(ns, |best| best.min(ns)));
        self.worst_ns = self.worst_ns.max(Some(ns));
        self.sum_ns = self.sum_ns.saturating_add(ns);
        self.answered += 1;
        self.remember(Some(ns));
    }

    pub(super) fn missed(&mut self) {
        self.missed += 1;
        self.remember(None);
    }

    fn remember(&mut self, rtt: Option<u64>) {
        if self.past.len() == PAST {
            self.past.pop_front();
        }
        self.past.push_back(rtt);
    }

    fn enter(&mut self, state: State, at: Timestamp) {
        self.state = state;
        self.since = at;
    }
}
