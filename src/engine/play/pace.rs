//! Decides when a message is due: by a schedule, or by the answers.

use std::collections::VecDeque;

use crate::plan::Pacer;
use crate::scenario::Pacing;
use crate::units::{Nanos, Timestamp};

/// When messages are due.
#[derive(Debug)]
pub(super) enum Pace {
    /// Open model: due on a schedule, with a limit on the number of unanswered messages.
    Open { pacer: Pacer, in_flight: u32 },
    /// Closed model: due when an answer has come. One entry for each free place, oldest first.
    Closed {
        free: VecDeque<Timestamp>,
        in_flight: u32,
        think: Nanos,
    },
    /// Due when a step has its turn; [`Timestamp::NEVER`] while none has.
    Told {
        due: Timestamp,
        /// When it had its turn, which may be later than it was due.
        since: Timestamp,
    },
}

impl Pace {
    /// `pacer` is set in the open model only.
    pub(super) fn new(pacing: Pacing, pacer: Option<Pacer>) -> Self {
        match (pacing, pacer) {
            (Pacing::Open { in_flight, .. }, Some(pacer)) => Self::Open {
                pacer,
                in_flight: in_flight.unwrap_or(u32::MAX),
            },
            (Pacing::Closed { in_flight, think }, _) => Self::Closed {
                free: VecDeque::new(),
                in_flight,
                think: Nanos::from(think),
            },
            (Pacing::Open { .. }, None) => unreachable!("a plan has a pacer for every open model"),
        }
    }

    /// Skips what would have been due before `now`.
    pub(super) fn start(&mut self, now: Timestamp) {
        if let Self::Open { pacer, .. } = self {
            pacer.skip_to(now);
        }
    }

    /// The connection is open and waits for no answer: all places are free.
    pub(super) fn resume(&mut self, now: Timestamp) {
        if let Self::Closed {
            free, in_flight, ..
        } = self
        {
            free.clear();
            free.resize(*in_flight as usize, now);
        }
    }

    /// Returns when the next message is due; `Timestamp::NEVER` while it waits for an answer.
    #[inline]
    pub(super) fn next(&self) -> Timestamp {
        match self {
            Self::Open { pacer, .. } => pacer.next(),
            Self::Closed { free, .. } => free.front().copied().unwrap_or(Timestamp::NEVER),
            Self::Told { due, .. } => *due,
        }
    }

    /// Returns when the next message is due by the schedule; `None` in the closed model.
    pub(super) fn scheduled(&self) -> Option<Timestamp> {
        match self {
            Self::Open { pacer, .. } => Some(pacer.next()),
            Self::Closed { .. } => None,
            Self::Told { due, .. } => (*due != Timestamp::NEVER).then_some(*due),
        }
    }

    /// Returns since when the next message could have been sent, if it is given up after a time; `None` in the closed
    /// model.
    pub(super) fn waits_since(&self) -> Option<Timestamp> {
        match self {
            Self::Told { since, .. } => Some(*since),
            _ => self.scheduled(),
        }
    }

    /// Returns whether the schedule has to wait for an answer, with this many messages unanswered.
    pub(super) fn is_full(&self, unanswered: u32) -> bool {
        matches!(self, Self::Open { in_flight, .. } if unanswered >= *in_flight)
    }

    /// Records that the next message was sent or given up.
    #[inline]
    pub(super) fn advance(&mut self) {
        match self {
            Self::Open { pacer, .. } => pacer.advance(),
            Self::Closed { free, .. } => {
                free.pop_front();
            }
            Self::Told { due, .. } => *due = Timestamp::NEVER,
        }
    }

    /// An answer came, or is given up.
    pub(super) fn settled(&mut self, now: Timestamp) {
        if let Self::Closed { free, think, .. } = self {
            free.push_back(now + *think);
        }
    }
}
