//! One message of one connection: its pace and its ledger.

use super::ledger::{Answer, Ledger, Oldest, Standing};
use super::pace::Pace;
use crate::plan::{Pacer, Published, STAMP_LEN, Series, Template, TopicSeries};
use crate::scenario::Message;
use crate::units::{Nanos, Timestamp};

/// The schedule of a message and its unanswered sends. Lives as long as its client, across reconnects.
#[derive(Debug)]
pub(super) struct Exchange {
    /// Identifies its messages in their stamps.
    series: Series,
    /// The same of those that are published to a topic, and have stamps of that kind.
    topic_series: Option<TopicSeries>,
    /// The stamp of the last message, so that an answer to it is known without decoding. Zeros before the first one.
    last: [u8; STAMP_LEN],
    /// Whether messages have a stamp.
    has_stamp: bool,
    /// Whether its messages come back unchanged, in their order, and without a stamp.
    is_echoed_in_order: bool,
    /// The position of the stamp in an echo, if it is the same in each.
    stamp_at: Option<u32>,
    pace: Pace,
    ledger: Ledger,
    left: u64,
}

/// What to do with the next message now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Next {
    /// Send it.
    Send { intended: Timestamp, sequence: u64 },
    /// Its time to be sent has passed: count it, and ask again.
    GiveUp(Timestamp),
    /// Do nothing yet.
    Wait,
}

/// A stamp that was found in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// The position of its first byte.
    pub(super) at: usize,
    pub(super) sequence: u64,
    pub(super) intended: Timestamp,
}

impl Exchange {
    pub(super) fn new(
        message: &Message,
        pacer: Option<Pacer>,
        series: Series,
        topic_series: Option<TopicSeries>,
        template: &Template,
    ) -> Self {
        Self {
            series,
            topic_series,
            last: [0; STAMP_LEN],
            has_stamp: template.has_stamp(),
            is_echoed_in_order: message.is_matched_by_order(),
            stamp_at: template.stamp_at(),
            pace: Pace::new(message.pacing, pacer),
            ledger: Ledger::new(message.expects_answer(), Nanos::from(message.timeout)),
            left: message.count.unwrap_or(u64::MAX),
        }
    }

    /// Makes the exchange of all steps: what is due, it is told.
    pub(super) fn of_steps(series: Series, topic_series: Option<TopicSeries>) -> Self {
        Self {
            series,
            topic_series,
            last: [0; STAMP_LEN],
            has_stamp: false,
            is_echoed_in_order: false,
            stamp_at: None,
            pace: Pace::Told {
                due: Timestamp::NEVER,
                since: Timestamp::NEVER,
            },
            ledger: Ledger::new(false, Nanos::ZERO),
            left: u64::MAX,
        }
    }

    /// The message of a step is due since then. Does nothing if it was told before.
    pub(super) fn tell(
        &mut self,
        due: Timestamp,
        now: Timestamp,
        is_answered: bool,
        timeout: Nanos,
        has_stamp: bool,
    ) {
        if self.pace.next() == Timestamp::NEVER {
            self.pace = Pace::Told { due, since: now };
        }
        self.ledger.set(is_answered, timeout);
        self.has_stamp |= has_stamp;
    }

    /// The connection is open for the first time.
    pub(super) fn start(&mut self, now: Timestamp) {
        self.pace.start(now);
        self.pace.resume(now);
    }

    /// The connection is open again.
    pub(super) fn resume(&mut self, now: Timestamp) {
        self.pace.resume(now);
    }

    /// Gives up the next message if it was due before `until`, and returns its intended time.
    pub(super) fn give_up(&mut self, until: Timestamp) -> Option<Timestamp> {
        let intended = self.pace.scheduled()?;
        if intended >= until || self.left == 0 {
            return None;
        }
        self.pace.advance();
        self.left -= 1;
        Some(intended)
    }

    /// Returns what to do now; nothing is due from `end` on.
    #[inline]
    pub(super) fn next(&mut self, now: Timestamp, end: Timestamp) -> Next {
        let intended = self.pace.next();
        if self.left == 0 || intended >= end || intended > now {
            return Next::Wait;
        }
        let waits_since = self.pace.waits_since();
        if waits_since.is_some_and(|since| now.saturating_since(since) > self.ledger.timeout()) {
            self.pace.advance();
            self.left -= 1;
            return Next::GiveUp(intended);
        }
        if self.pace.is_full(self.ledger.unanswered()) {
            // An answer comes, or the oldest message times out, before this message is given up.
            return Next::Wait;
        }
        Next::Send {
            intended,
            sequence: self.ledger.sequence(),
        }
    }

    /// When to call [`Self::next`] again, if no answer comes before. Now or earlier means at once.
    pub(super) fn wakes(&self, end: Timestamp) -> Timestamp {
        let intended = self.pace.next();
        let is_full = self.pace.is_full(self.ledger.unanswered());
        if is_full || intended >= end || self.left == 0 {
            return Timestamp::NEVER;
        }
        intended
    }

    /// Makes the stamp of the message that [`Self::next`] returned; `published` is its place, if it is published.
    #[inline]
    pub(super) fn stamp(
        &mut self,
        sequence: u64,
        intended: Timestamp,
        published: Option<Published>,
    ) -> [u8; STAMP_LEN] {
        self.last = match (&self.topic_series, published) {
            (Some(series), Some(published)) => series.stamp(published, sequence, intended),
            _ => self.series.stamp(sequence, intended),
        };
        self.last
    }

    /// Records that the message that [`Self::next`] returned was sent.
    #[inline]
    pub(super) fn sent(&mut self, intended: Timestamp, now: Timestamp) {
        self.left -= 1;
        self.pace.advance();
        if !self.has_stamp {
            self.ledger.try_to_be_certain(now);
        }
        self.ledger.sent(intended, now);
    }

    /// Returns the stamp of this exchange at the position where an echo has it.
    pub(super) fn find(&self, bytes: &[u8], now: Timestamp) -> Option<Found> {
        let at = self.stamp_at? as usize;
        let bytes = bytes.get(at..)?;
        let (sequence, intended) = match bytes.first_chunk() == Some(&self.last) {
            true => self.ledger.last().or_else(|| self.decode(bytes, now)),
            false => self.decode(bytes, now),
        }?;
        Some(Found {
            at,
            sequence,
            intended,
        })
    }

    /// Returns the stamp of this exchange that begins at `at`.
    pub(super) fn read(&self, bytes: &[u8], at: usize, now: Timestamp) -> Option<Found> {
        let bytes = bytes.get(at..).filter(|_| self.has_stamp)?;
        let (sequence, intended) = self.decode(bytes, now)?;
        Some(Found {
            at,
            sequence,
            intended,
        })
    }

    /// Returns the sequence number and the intended time of a stamp of this exchange that these bytes begin with.
    #[inline]
    fn decode(&self, bytes: &[u8], now: Timestamp) -> Option<(u64, Timestamp)> {
        let published = self.topic_series.as_ref();
        let published = published.and_then(|series| series.read(bytes, now));
        published.or_else(|| self.series.read(bytes))
    }

    /// Handles an answer that names its message.
    pub(super) fn answer(&mut self, sequence: u64, now: Timestamp) -> Answer {
        let answer = self.ledger.answer(sequence, now);
        self.settle(answer, now)
    }

    /// Handles an answer that names no message.
    pub(super) fn answer_in_order(&mut self, now: Timestamp) -> Answer {
        let answer = self.ledger.answer_in_order(now);
        self.settle(answer, now)
    }

    fn settle(&mut self, answer: Answer, now: Timestamp) -> Answer {
        if let Answer::InTime { .. } = answer {
            self.pace.settled(now);
        }
        answer
    }

    /// Returns whether its messages come back unchanged, in their order, and without a stamp.
    pub(super) fn is_echoed_in_order(&self) -> bool {
        self.is_echoed_in_order
    }

    /// Returns how a message stands.
    pub(super) fn standing(&self, sequence: u64) -> Standing {
        self.ledger.standing(sequence)
    }

    /// Returns the oldest message that an answer without a name may belong to.
    pub(super) fn oldest(&self) -> Option<Oldest> {
        self.ledger.oldest()
    }

    /// Returns the sequence number of the next message.
    pub(super) fn sequence(&self) -> u64 {
        self.ledger.sequence()
    }

    /// Returns whether an answer without a stamp could belong to this message.
    pub(super) fn awaits(&self) -> bool {
        self.ledger.awaits()
    }

    /// Returns whether an answer without a stamp may belong to another message.
    pub(super) fn is_uncertain(&self) -> bool {
        self.ledger.is_uncertain()
    }

    /// When the oldest unanswered message times out; `Timestamp::NEVER` if there is none.
    pub(super) fn expires(&self) -> Timestamp {
        self.ledger.expires()
    }

    /// Gives up the oldest message if it has timed out, and returns its intended time.
    pub(super) fn expire(&mut self, now: Timestamp) -> Option<Timestamp> {
        let intended = self.ledger.expire(now)?;
        self.pace.settled(now);
        Some(intended)
    }

    /// The connection is gone: returns the intended times of the messages that were unanswered on it.
    pub(super) fn lose(&mut self) -> impl Iterator<Item = Timestamp> {
        self.ledger.lose()
    }

    /// Returns whether no answer is due.
    pub(super) fn is_settled(&self) -> bool {
        self.ledger.unanswered() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Slice;
    use crate::scenario::{FrameKind, Gaps, Pacing, Payload, Phase};
    use crate::units::{ByteSize, Rate, after};
    use std::time::Duration;

    const MS: Nanos = Nanos::from_millis(1);

    fn exchange(pacing: Pacing, pacer: Option<Pacer>) -> Exchange {
        let message = Message {
            name: "echo".to_owned(),
            payload: Payload::Size(ByteSize(64)),
            frame: FrameKind::Text,
            pacing,
            count: None,
            expect: crate::scenario::Expect::Echo,
            check: None,
            save: Vec::new(),
            timeout: Duration::from_secs(1),
            to: None,
        };
        let series = Series::new(1, 0, 0, 0);
        Exchange::new(
            &message,
            pacer,
            series,
            None,
            &Template::new(&message.payload, message.frame, &Slice::filler(64)),
        )
    }

    fn open(in_flight: Option<u32>) -> Exchange {
        let pacing = Pacing::Open {
            rate: Rate::per_second(100.0).unwrap(),
            gaps: Gaps::Constant,
            phase: Phase::Aligned,
            in_flight,
        };
        let pacer = Pacer::new(
            10.0 * MS.0 as f64,
            Gaps::Constant,
            Phase::Aligned,
            0,
            0,
            Timestamp::ORIGIN,
        );
        exchange(pacing, Some(pacer))
    }

    fn closed(in_flight: u32, think: Duration) -> Exchange {
        exchange(Pacing::Closed { in_flight, think }, None)
    }

    fn send(exchange: &mut Exchange, now: Timestamp) -> Timestamp {
        let Next::Send { intended, .. } = exchange.next(now, Timestamp::NEVER) else {
            panic!("nothing to send at {now:?}");
        };
        exchange.sent(intended, now);
        intended
    }

    #[test]
    fn a_late_send_keeps_its_intended_time() {
        let mut exchange = open(None);
        exchange.start(Timestamp::ORIGIN);
        assert_eq!(send(&mut exchange, after(25 * MS)), Timestamp::ORIGIN);
        assert_eq!(send(&mut exchange, after(25 * MS)), after(10 * MS));
        assert_eq!(send(&mut exchange, after(25 * MS)), after(20 * MS));
        assert_eq!(exchange.next(after(25 * MS), Timestamp::NEVER), Next::Wait);
        assert_eq!(exchange.wakes(Timestamp::NEVER), after(30 * MS));
    }

    #[test]
    fn what_cannot_be_sent_in_time_is_given_up() {
        let mut exchange = open(Some(1));
        exchange.start(Timestamp::ORIGIN);
        send(&mut exchange, Timestamp::ORIGIN);
        assert_eq!(exchange.next(after(10 * MS), Timestamp::NEVER), Next::Wait);
        assert_eq!(
            exchange.next(after(1_011 * MS), Timestamp::NEVER),
            Next::GiveUp(after(10 * MS))
        );
    }

    #[test]
    fn the_last_stamp_is_known_and_older_ones_are_decoded() {
        let mut exchange = open(None);
        exchange.start(Timestamp::ORIGIN);
        let stamps = [0, 1, 2].map(|sequence| {
            let intended = after(sequence * 10 * MS);
            let stamp = exchange.stamp(sequence, intended, None);
            exchange.sent(intended, intended);
            stamp
        });
        let payloads = stamps.map(|stamp| [&stamp[..], b"the rest"].concat());
        for (sequence, payload) in payloads.iter().enumerate() {
            let found = exchange.find(payload, after(30 * MS));
            assert_eq!(found.map(|found| found.sequence), Some(sequence as u64));
            assert_eq!(found, exchange.read(payload, 0, after(30 * MS)));
            assert_ne!(
                exchange.answer(sequence as u64, after(30 * MS)),
                Answer::Unknown
            );
            assert_eq!(exchange.find(payload, after(30 * MS)), found, "a duplicate");
        }
        assert_eq!(exchange.find(&[0; 64], after(30 * MS)), None);
    }

    #[test]
    fn nothing_is_due_from_the_end_on() {
        let mut exchange = open(None);
        exchange.start(Timestamp::ORIGIN);
        send(&mut exchange, Timestamp::ORIGIN);
        assert_eq!(exchange.next(after(10 * MS), after(10 * MS)), Next::Wait);
    }

    #[test]
    fn the_closed_model_waits_for_the_answer_and_the_think_time() {
        let mut exchange = closed(2, Duration::from_millis(5));
        exchange.start(Timestamp::from_nanos(100));
        send(&mut exchange, Timestamp::from_nanos(100));
        send(&mut exchange, Timestamp::from_nanos(100));
        assert_eq!(
            exchange.next(Timestamp::from_nanos(100), Timestamp::NEVER),
            Next::Wait
        );
        exchange.answer(0, Timestamp::from_nanos(200));
        assert_eq!(
            exchange.next(Timestamp::from_nanos(200), Timestamp::NEVER),
            Next::Wait
        );
        assert_eq!(
            exchange.wakes(Timestamp::NEVER),
            Timestamp::from_nanos(200) + 5 * MS
        );
    }

    #[test]
    fn a_count_is_kept_whatever_becomes_of_the_messages() {
        let mut exchange = open(None);
        exchange.left = 3;
        exchange.start(Timestamp::ORIGIN);
        send(&mut exchange, Timestamp::ORIGIN);
        assert_eq!(exchange.give_up(after(1_000 * MS)), Some(after(10 * MS)));
        assert_eq!(exchange.give_up(after(1_000 * MS)), Some(after(20 * MS)));
        assert_eq!(exchange.give_up(after(1_000 * MS)), None);
        assert_eq!(
            exchange.next(after(1_000 * MS), Timestamp::NEVER),
            Next::Wait
        );
    }
}
