//! The turns of one repeat.

use crate::engine::play::fact::Facts;
use crate::metric::Counter;
use crate::plan::{ClientPlan, Pacer, Turns};
use crate::units::Timestamp;

/// A repeat that is being played.
#[derive(Debug)]
pub(super) struct Running {
    /// No turn begins from then on.
    until: Timestamp,
    /// How many turns have begun, and how many there are at most.
    begun: u64,
    most: u64,
    /// When turns are due; `None`: each begins when the one before it has ended.
    pacer: Option<Pacer>,
    /// When the turn was due.
    pub(super) due: Timestamp,
    /// Whether a step of the turn failed, so that its time is no time of a whole turn.
    pub(super) has_failed: bool,
}

/// When the next turn begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// There is none.
    Over,
    /// Now.
    Now,
    /// It is due then.
    At(Timestamp),
}

impl Running {
    /// The repeat begins at `now`.
    pub(super) fn new(turns: &Turns, slot: usize, client: ClientPlan<'_>, now: Timestamp) -> Self {
        let pacer = turns.pace.map(|pace| {
            let mut pacer = client.turns(slot, pace, now);
            pacer.skip_to(now);
            pacer
        });
        Self {
            until: (turns.lasts).map_or(Timestamp::NEVER, |lasts| now.saturating_add(lasts)),
            begun: 0,
            most: turns.count.map_or(u64::MAX, u64::from),
            pacer,
            due: now,
            has_failed: false,
        }
    }

    /// When the next turn begins; the one before it has ended at `now`.
    pub(super) fn next(&self, now: Timestamp) -> Next {
        let due = self.pacer.as_ref().map_or(now, Pacer::next);
        if self.begun >= self.most || due >= self.until {
            return Next::Over;
        }
        match self.pacer {
            None => Next::Now,
            Some(_) => Next::At(due),
        }
    }

    /// A turn that was due then begins.
    pub(super) fn begin(&mut self, due: Timestamp) {
        if let Some(pacer) = &mut self.pacer {
            pacer.advance();
        }
        self.begun += 1;
        self.due = due;
        self.has_failed = false;
    }

    /// Counts the turns that were due before `stop`, and never began.
    pub(super) fn miss(&mut self, stop: Timestamp, facts: &mut Facts) {
        if let Some(pacer) = &mut self.pacer {
            while self.begun < self.most && pacer.next() < stop.min(self.until) {
                self.begun += 1;
                facts.count(Counter::TurnsDue, pacer.next());
                facts.count(Counter::TurnsMissed, pacer.next());
                pacer.advance();
            }
        }
    }

    /// Whether turns are due by a schedule.
    pub(super) fn is_paced(&self) -> bool {
        self.pacer.is_some()
    }

    /// The number of the turn, from 0.
    pub(super) fn number(&self) -> u64 {
        self.begun.saturating_sub(1)
    }
}
