//! Where a script is, as others see it: what is due, what it waits for, and when it goes on.

use super::{Ask, Script};
use crate::engine::play::talk::armed::Armed;
use crate::engine::play::talk::turns::Running;
use crate::plan::{Operation, Program};
use crate::units::Timestamp;

/// What it does, or waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// There is no connection, or nothing is left to do.
    Over,
    /// The operation has its turn.
    Begin,
    /// Its message is due since then.
    Due,
    /// It needs a connection, which is not open yet.
    Dialling,
    /// Its message was sent, and the answer is waited for.
    Answering,
    /// Its message is waited for until then.
    Awaiting(Timestamp),
    /// Nothing until then.
    Until(Timestamp),
    /// The turn of a repeat is due then.
    TurnAt(Timestamp),
    /// Until measuring starts.
    Measuring,
}

/// How far the set-up is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setup {
    /// It is not done yet.
    Under,
    /// The client is ready.
    Done,
    /// It failed, or the run ended before.
    Over,
}

impl Script {
    /// What it waits for.
    pub(in crate::engine::play::talk) fn armed(&self) -> &[Armed] {
        &self.armed
    }

    /// What it waits for, to be changed.
    pub(in crate::engine::play::talk) fn armed_mut(&mut self) -> &mut [Armed] {
        &mut self.armed
    }

    /// Takes what it asks of its connection.
    pub(in crate::engine::play) fn ask(&mut self) -> Option<Ask> {
        self.ask.take()
    }

    /// Returns whether the set-up is done.
    pub(in crate::engine::play) fn is_ready(&self) -> bool {
        self.setup == Setup::Done
    }

    /// Returns whether nothing is left to do behind the last step.
    pub(in crate::engine::play) fn is_played(&self, program: &Program) -> bool {
        self.is_ready() && self.state == State::Over && program.get(self.at).is_none()
    }

    /// Returns whether it may have something to do by itself. If not, it waits for its message to be sent or answered.
    pub(in crate::engine::play) fn may_go_on(&self) -> bool {
        !matches!(self.state, State::Over | State::Due | State::Answering)
    }

    /// Returns whether it waits for a connection.
    pub(in crate::engine::play) fn is_dialling(&self) -> bool {
        self.state == State::Dialling
    }

    /// Returns whether it waits for an answer.
    pub(in crate::engine::play) fn is_answering(&self) -> bool {
        self.state == State::Answering
    }

    /// Returns the operation whose message is due, and since when.
    pub(in crate::engine::play) fn due<'a>(
        &self,
        program: &'a Program,
    ) -> Option<(&'a Operation, Timestamp)> {
        let operation = program.get(self.at).filter(|_| self.state == State::Due)?;
        Some((operation, self.since))
    }

    /// Returns the operation whose answer is waited for.
    pub(in crate::engine::play) fn answering<'a>(
        &self,
        program: &'a Program,
    ) -> Option<&'a Operation> {
        program.get(self.at).filter(|_| self.is_answering())
    }

    /// The number of the turn of the innermost repeat, from 0; 0 outside of one.
    pub(in crate::engine::play) fn turn_number(&self) -> u64 {
        self.repeats.last().map_or(0, Running::number)
    }

    /// When to call [`Self::run`] again, if nothing comes before.
    pub(in crate::engine::play) fn wakes(&self, measure_from: Option<Timestamp>) -> Timestamp {
        match self.state {
            State::Over | State::Due | State::Dialling | State::Answering => Timestamp::NEVER,
            State::Begin => Timestamp::ORIGIN,
            State::Awaiting(time) | State::Until(time) | State::TurnAt(time) => time,
            State::Measuring => measure_from.unwrap_or(Timestamp::NEVER),
        }
    }
}
