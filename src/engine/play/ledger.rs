//! Tracks one message of one connection: what is unanswered, what has timed out, and what an answer means.

use crate::units::{Nanos, Timestamp};
use std::collections::VecDeque;

/// Number of timed-out messages that are remembered, so that a late answer is not taken for an unknown message. Older
/// ones are forgotten.
const REMEMBERED: usize = 1024;

/// Tracks each sent message until it is answered in time, timed out, or lost with its connection.
#[derive(Debug)]
pub(super) struct Ledger {
    /// The sequence number of the next message.
    sequence: u64,
    /// Whether answers are expected.
    is_answered: bool,
    timeout: Nanos,
    /// Unanswered messages and the answered ones between them; the first is always unanswered.
    pending: VecDeque<Pending>,
    unanswered: u32,
    /// The sequence numbers of timed-out messages that may still be answered late, oldest first.
    timed_out: VecDeque<u64>,
    /// An answer came that no message waited for, so an earlier one may have been taken for the answer to another.
    has_surplus: bool,
    /// Since when no message is unanswered and no answer came that none waited for, if none is unanswered.
    quiet_since: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    intended: Timestamp,
    sent: Timestamp,
    is_answered: bool,
}

/// How a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Its answer is due.
    Pending,
    /// Its answer did not come in time.
    TimedOut,
    /// It was answered, or none is expected.
    Answered,
    /// It was never sent.
    Unknown,
}

/// The oldest message that an answer without a name may belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Oldest {
    /// When it was sent; [`Timestamp::NEVER`] if its answer is overdue.
    pub(super) sent: Timestamp,
    pub(super) sequence: u64,
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Answer {
    /// It came in time; its content is still to be compared.
    InTime {
        intended: Timestamp,
        sent: Timestamp,
    },
    /// It came after its timeout.
    Late,
    /// The message was answered before; if the answer names none, all messages were.
    Duplicate,
    /// The message was never sent.
    Unknown,
}

impl Ledger {
    /// `is_answered` is true if answers are expected, each within `timeout` after its send.
    pub(super) fn new(is_answered: bool, timeout: Nanos) -> Self {
        Self {
            sequence: 0,
            is_answered,
            timeout,
            pending: VecDeque::new(),
            unanswered: 0,
            timed_out: VecDeque::new(),
            has_surplus: false,
            quiet_since: Timestamp::ORIGIN,
        }
    }

    /// The sequence number of the next message, from 0.
    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The next message is answered within this time, or not at all.
    pub(super) fn set(&mut self, is_answered: bool, timeout: Nanos) {
        (self.is_answered, self.timeout) = (is_answered, timeout);
    }

    /// How a message stands.
    pub(super) fn standing(&self, sequence: u64) -> Standing {
        let first = self.sequence - self.pending.len() as u64;
        match sequence.checked_sub(first) {
            _ if sequence >= self.sequence => Standing::Unknown,
            Some(place) if self.pending[place as usize].is_answered => Standing::Answered,
            Some(_) => Standing::Pending,
            None if self.timed_out.contains(&sequence) => Standing::TimedOut,
            None => Standing::Answered,
        }
    }

    /// The oldest message whose answer is due, or has timed out.
    pub(super) fn oldest(&self) -> Option<Oldest> {
        let first = self.sequence - self.pending.len() as u64;
        match self.pending.front() {
            Some(pending) => Some(Oldest {
                sent: pending.sent,
                sequence: first,
            }),
            None => self.timed_out.front().map(|sequence| Oldest {
                sent: Timestamp::NEVER,
                sequence: *sequence,
            }),
        }
    }

    pub(super) fn timeout(&self) -> Nanos {
        self.timeout
    }

    /// How many answers are due.
    pub(super) fn unanswered(&self) -> u32 {
        self.unanswered
    }

    /// Returns the sequence number and the intended time of the last message, if its answer is due or came out of order.
    pub(super) fn last(&self) -> Option<(u64, Timestamp)> {
        let last = self.pending.back()?;
        Some((self.sequence - 1, last.intended))
    }

    /// Records that the next message was sent.
    pub(super) fn sent(&mut self, intended: Timestamp, now: Timestamp) {
        self.sequence += 1;
        if self.is_answered {
            self.unanswered += 1;
            self.pending.push_back(Pending {
                intended,
                sent: now,
                is_answered: false,
            });
        }
    }

    /// Handles an answer that names its message.
    #[inline]
    pub(super) fn answer(&mut self, sequence: u64, now: Timestamp) -> Answer {
        let first = self.sequence - self.pending.len() as u64;
        if sequence >= self.sequence {
            return Answer::Unknown;
        }
        let Some(place) = sequence.checked_sub(first) else {
            return self.answer_again(sequence);
        };
        let pending = &mut self.pending[place as usize];
        if pending.is_answered {
            return Answer::Duplicate;
        }
        pending.is_answered = true;
        let answer = Answer::InTime {
            intended: pending.intended,
            sent: pending.sent,
        };
        self.settle(now);
        answer
    }

    /// Handles an answer that names a message that is settled.
    #[cold]
    fn answer_again(&mut self, sequence: u64) -> Answer {
        let known = self.timed_out.iter().position(|old| *old == sequence);
        match known.and_then(|place| self.timed_out.remove(place)) {
            Some(_) => Answer::Late,
            None if self.is_answered => Answer::Duplicate,
            None => Answer::Unknown,
        }
    }

    /// Handles an answer that names no message. It is matched to the oldest unanswered message, or to a timed-out one
    /// if none is unanswered. So a lost answer costs one message, whatever comes after it.
    pub(super) fn answer_in_order(&mut self, now: Timestamp) -> Answer {
        if !self.pending.is_empty() {
            return self.answer(self.sequence - self.pending.len() as u64, now);
        }
        match self.timed_out.pop_front() {
            Some(_) => Answer::Late,
            None => self.surplus(now),
        }
    }

    /// Handles an answer that no message waits for: a duplicate, or what others were sent. Such an answer may have come
    /// before while a message waited, and have been taken for its answer.
    #[cold]
    fn surplus(&mut self, now: Timestamp) -> Answer {
        self.has_surplus = true;
        self.quiet_since = now;
        match self.sequence {
            0 => Answer::Unknown,
            _ => Answer::Duplicate,
        }
    }

    /// Returns whether an answer without a stamp could belong to this message.
    pub(super) fn awaits(&self) -> bool {
        !self.pending.is_empty() || !self.timed_out.is_empty()
    }

    /// Returns whether an answer without a stamp may belong to another message: one has timed out, and its answer, or
    /// that of a later one, may still come; or more answers came than messages waited for.
    pub(super) fn is_uncertain(&self) -> bool {
        !self.timed_out.is_empty() || self.has_surplus
    }

    /// Forgets timed-out messages, and answers that none waited for, if nothing was unanswered and nothing came for a
    /// whole timeout: answers that have not come until then are taken for lost.
    pub(super) fn try_to_be_certain(&mut self, now: Timestamp) {
        if self.unanswered == 0 && now >= self.quiet_since.saturating_add(self.timeout) {
            self.timed_out.clear();
            self.has_surplus = false;
        }
    }

    fn settle(&mut self, now: Timestamp) {
        self.unanswered -= 1;
        self.quiet_since = now;
        while self.pending.front().is_some_and(|first| first.is_answered) {
            self.pending.pop_front();
        }
    }

    /// When the oldest unanswered message times out; `Timestamp::NEVER` if there is none.
    pub(super) fn expires(&self) -> Timestamp {
        (self.pending.front()).map_or(Timestamp::NEVER, |first| first.sent + self.timeout)
    }

    /// Gives up the oldest message if it has timed out, and returns its intended time.
    pub(super) fn expire(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.expires() > now {
            return None;
        }
        let first = self.pending.front_mut()?;
        first.is_answered = true;
        let intended = first.intended;
        if self.timed_out.len() == REMEMBERED {
            self.timed_out.pop_front();
        }
        self.timed_out
            .push_back(self.sequence - self.pending.len() as u64);
        self.settle(now);
        Some(intended)
    }

    /// The connection is gone: returns the intended times of the messages that were unanswered on it.
    pub(super) fn lose(&mut self) -> impl Iterator<Item = Timestamp> {
        self.unanswered = 0;
        self.timed_out.clear();
        self.has_surplus = false;
        self.pending
            .drain(..)
            .filter(|pending| !pending.is_answered)
            .map(|pending| pending.intended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::after;
    use proptest::prelude::*;

    const MS: Nanos = Nanos::from_millis(1);
    const TIMEOUT: Nanos = Nanos::from_secs(1);
    const NOW: Timestamp = after(Nanos::from_millis(1_600));

    fn ledger(sent_at: &[Timestamp]) -> Ledger {
        let mut ledger = Ledger::new(true, TIMEOUT);
        for at in sent_at {
            ledger.sent(*at, *at);
        }
        ledger
    }

    fn in_time(at: Timestamp) -> Answer {
        Answer::InTime {
            intended: at,
            sent: at,
        }
    }

    #[test]
    fn answers_are_told_apart_by_their_names() {
        let mut ledger = ledger(&[Timestamp::ORIGIN, after(10 * MS), after(20 * MS)]);
        assert_eq!(ledger.answer(1, NOW), in_time(after(10 * MS)));
        assert_eq!(ledger.answer(1, NOW), Answer::Duplicate);
        assert_eq!(ledger.answer(3, NOW), Answer::Unknown);
        assert_eq!(ledger.expire(after(1_000 * MS)), Some(Timestamp::ORIGIN));
        assert_eq!(ledger.expire(after(1_000 * MS)), None);
        assert_eq!(ledger.answer(0, NOW), Answer::Late);
        assert_eq!(ledger.answer(0, NOW), Answer::Duplicate);
        assert_eq!(ledger.expires(), after(1_020 * MS));
        assert_eq!(ledger.lose().collect::<Vec<_>>(), [after(20 * MS)]);
        assert_eq!(ledger.unanswered(), 0);
    }

    #[test]
    fn without_a_name_the_oldest_that_is_still_in_time_is_answered() {
        let mut ledger = ledger(&[Timestamp::ORIGIN, after(10 * MS)]);
        assert!(!ledger.is_uncertain());
        assert_eq!(ledger.expire(after(1_000 * MS)), Some(Timestamp::ORIGIN));
        assert!(ledger.is_uncertain());
        assert_eq!(ledger.answer_in_order(NOW), in_time(after(10 * MS)));
        assert!(ledger.is_uncertain());
        assert_eq!(ledger.answer_in_order(NOW), Answer::Late);
        assert!(!ledger.is_uncertain(), "all that was missing has come");
        assert_eq!(ledger.answer_in_order(NOW), Answer::Duplicate);
    }

    #[test]
    fn an_answer_too_many_makes_a_stream_uncertain_until_it_is_quiet() {
        let mut ledger = ledger(&[Timestamp::ORIGIN]);
        let answered = after(10 * MS);
        assert_eq!(ledger.answer_in_order(answered), in_time(Timestamp::ORIGIN));
        assert!(!ledger.is_uncertain());
        assert_eq!(ledger.answer_in_order(after(20 * MS)), Answer::Duplicate);
        assert!(ledger.is_uncertain());
        ledger.try_to_be_certain(answered + TIMEOUT);
        assert!(ledger.is_uncertain(), "the duplicate came later");
        assert_eq!(ledger.answer_in_order(after(500 * MS)), Answer::Duplicate);
        ledger.try_to_be_certain(after(20 * MS) + TIMEOUT);
        assert!(ledger.is_uncertain(), "one more came meanwhile");
        ledger.try_to_be_certain(after(500 * MS) + TIMEOUT);
        assert!(!ledger.is_uncertain());
    }

    #[test]
    fn an_answer_before_the_first_message_is_unknown_and_makes_the_stream_uncertain() {
        let mut ledger = ledger(&[]);
        assert_eq!(ledger.answer_in_order(NOW), Answer::Unknown);
        assert!(ledger.is_uncertain());
        assert_eq!(ledger.lose().count(), 0);
        assert!(
            !ledger.is_uncertain(),
            "the next connection is another stream"
        );
    }

    #[test]
    fn a_stream_is_certain_again_when_nothing_can_be_on_its_way_any_more() {
        let mut ledger = ledger(&[Timestamp::ORIGIN]);
        assert_eq!(ledger.expire(after(TIMEOUT)), Some(Timestamp::ORIGIN));
        ledger.sent(after(1_500 * MS), after(1_500 * MS));
        assert_eq!(ledger.answer_in_order(NOW), in_time(after(1_500 * MS)));
        // That answer may belong to the first message, and the second one's may still come.
        ledger.try_to_be_certain((NOW + TIMEOUT).saturating_sub(Nanos(1)));
        assert!(ledger.is_uncertain());
        ledger.try_to_be_certain(NOW + TIMEOUT);
        assert!(!ledger.is_uncertain());
    }

    #[derive(Debug, Clone)]
    enum Event {
        Send,
        Answer,
        Name(u64),
        Wait(Nanos),
        Certain,
    }

    fn events() -> impl Strategy<Value = Vec<Event>> {
        let event = prop_oneof![
            4 => Just(Event::Send),
            3 => Just(Event::Answer),
            2 => (0u64..40).prop_map(Event::Name),
            3 => (0..TIMEOUT.0).prop_map(|time| Event::Wait(Nanos(time))),
            1 => Just(Event::Certain),
        ];
        prop::collection::vec(event, 0..120)
    }

    proptest! {
        #[test]
        fn each_message_comes_to_one_end(events in events()) {
            let mut ledger = Ledger::new(true, TIMEOUT);
            let (mut sent, mut in_time, mut timed_out, mut late) = (0u64, 0u64, 0u64, 0u64);
            let mut now = Timestamp::ORIGIN;
            for event in events {
                let answer = match event {
                    Event::Send => {
                        ledger.sent(now, now);
                        sent += 1;
                        continue;
                    }
                    Event::Wait(time) => {
                        now = now + time;
                        while let Some(intended) = ledger.expire(now) {
                            prop_assert!(intended + TIMEOUT <= now);
                            timed_out += 1;
                        }
                        prop_assert!(ledger.expires() > now);
                        continue;
                    }
                    Event::Certain => {
                        ledger.try_to_be_certain(now);
                        continue;
                    }
                    Event::Answer => ledger.answer_in_order(now),
                    Event::Name(sequence) => ledger.answer(sequence, now),
                };
                match answer {
                    Answer::InTime { sent, .. } => {
                        prop_assert!(now < Timestamp::from_nanos((sent + TIMEOUT).as_nanos()));
                        in_time += 1;
                    }
                    Answer::Late => late += 1,
                    Answer::Duplicate | Answer::Unknown => {}
                }
                prop_assert_eq!(in_time + timed_out + u64::from(ledger.unanswered()), sent);
            }
            prop_assert_eq!(ledger.sequence(), sent);
            prop_assert!(late <= timed_out);
            let lost = ledger.lose().count() as u64;
            prop_assert_eq!(in_time + timed_out + lost, sent);
            prop_assert!(!ledger.awaits());
        }
    }
}
