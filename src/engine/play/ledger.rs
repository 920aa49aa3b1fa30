//! One message of one connection: what is due, what is unanswered, and what an answer means.
//! Pure: is told the time, sends nothing.

use std::collections::VecDeque;

use crate::plan::{Nanos, Pacer, Series, nanos};
use crate::scenario::{Expect, Message, Pacing};

/// Timed-out messages whose late answer is still told from an unknown message; older ones are forgotten.
const REMEMBERED: usize = 1024;

/// The schedule of a message and its answers that are due. Lives as long as its client, across reconnects.
#[derive(Debug)]
pub(super) struct Exchange {
    /// What its messages are named by.
    pub(super) series: Series,
    pace: Pace,
    /// Of the next message.
    sequence: u64,
    left: u64,
    answered: bool,
    timeout: Nanos,
    /// Unanswered ones and, between them, answered ones; the first is always unanswered.
    pending: VecDeque<Pending>,
    unanswered: u32,
    timed_out: VecDeque<u64>,
}

#[derive(Debug)]
enum Pace {
    /// Open model: due on a schedule, with a limit on the unanswered.
    Open { pacer: Pacer, in_flight: u32 },
    /// Closed model: due when an answer is there. One entry for each free place, oldest first.
    Closed {
        free: VecDeque<Nanos>,
        in_flight: u32,
        think: Nanos,
    },
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    intended: Nanos,
    sent: Nanos,
    answered: bool,
}

/// The next message that may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// When it should have been sent.
    pub(super) intended: Nanos,
    /// Counted from 0.
    pub(super) sequence: u64,
}

/// What is to be done with the next message now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Send it.
    Send(Due),
    /// Its time to be sent has passed: count it, and ask again.
    GiveUp(Nanos),
    /// Nothing yet.
    Wait,
}

/// What an answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// In time; to be compared.
    InTime { intended: Nanos, sent: Nanos },
    /// After its timeout.
    Late,
    /// Answered before.
    Duplicate,
    /// Never sent.
    Unknown,
}

impl Exchange {
    pub(super) fn new(message: &Message, pacer: Option<Pacer>, series: Series) -> Self {
        let pace = match (message.pacing, pacer) {
            (Pacing::Open { in_flight, .. }, Some(pacer)) => Pace::Open {
                pacer,
                in_flight: in_flight.unwrap_or(u32::MAX),
            },
            (Pacing::Closed { in_flight, think }, _) => Pace::Closed {
                free: VecDeque::new(),
                in_flight,
                think: nanos(think),
            },
            (Pacing::Open { .. }, None) => unreachable!("a plan has a pacer for every open model"),
        };
        Self {
            series,
            pace,
            sequence: 0,
            left: message.count.unwrap_or(u64::MAX),
            answered: message.expect == Expect::Echo,
            timeout: nanos(message.timeout),
            pending: VecDeque::new(),
            unanswered: 0,
            timed_out: VecDeque::new(),
        }
    }

    /// The connection is open for the first time: what would have been due before it never was.
    pub(super) fn start(&mut self, now: Nanos) {
        if let Pace::Open { pacer, .. } = &mut self.pace {
            pacer.skip_to(now);
        }
        self.resume(now);
    }

    /// The connection is open again.
    pub(super) fn resume(&mut self, now: Nanos) {
        if let Pace::Closed {
            free, in_flight, ..
        } = &mut self.pace
        {
            free.clear();
            free.resize(*in_flight as usize, now);
        }
    }

    /// Gives up the next message if it was due before `until`, and says when it was intended.
    pub(super) fn give_up(&mut self, until: Nanos) -> Option<Nanos> {
        let Pace::Open { pacer, .. } = &mut self.pace else {
            return None;
        };
        let intended = pacer.next();
        if intended >= until || self.left == 0 {
            return None;
        }
        pacer.advance();
        self.left -= 1;
        Some(intended)
    }

    /// What to do now, where nothing is due from `end` on.
    pub(super) fn next(&mut self, now: Nanos, end: Nanos) -> Next {
        let intended = match &self.pace {
            Pace::Open { pacer, .. } => pacer.next(),
            Pace::Closed { free, .. } => free.front().copied().unwrap_or(Nanos::MAX),
        };
        if self.left == 0 || intended >= end || intended > now {
            return Next::Wait;
        }
        if let Pace::Open { pacer, in_flight } = &mut self.pace {
            if now - intended > self.timeout {
                pacer.advance();
                self.left -= 1;
                return Next::GiveUp(intended);
            }
            if self.unanswered >= *in_flight {
                // An answer comes, or the oldest one times out, before this one is given up.
                return Next::Wait;
            }
        }
        Next::Send(Due {
            intended,
            sequence: self.sequence,
        })
    }

    /// When [`Self::next`] is worth asking again, if no answer comes before: now or earlier, if it is at once.
    pub(super) fn wakes(&self, end: Nanos) -> Nanos {
        let intended = match &self.pace {
            Pace::Open { in_flight, .. } if self.unanswered >= *in_flight => Nanos::MAX,
            Pace::Open { pacer, .. } => pacer.next(),
            Pace::Closed { free, .. } => free.front().copied().unwrap_or(Nanos::MAX),
        };
        if intended >= end || self.left == 0 {
            return Nanos::MAX;
        }
        intended
    }

    /// The message that [`Self::next`] named was sent.
    pub(super) fn sent(&mut self, due: Due, now: Nanos) {
        self.sequence += 1;
        self.left -= 1;
        match &mut self.pace {
            Pace::Open { pacer, .. } => pacer.advance(),
            Pace::Closed { free, .. } => {
                free.pop_front();
            }
        }
        if self.answered {
            self.unanswered += 1;
            self.pending.push_back(Pending {
                intended: due.intended,
                sent: now,
                answered: false,
            });
        }
    }

    /// An answer that names its message.
    pub(super) fn answer(&mut self, sequence: u64, now: Nanos) -> Answer {
        let first = self.sequence - self.pending.len() as u64;
        if sequence >= self.sequence || !self.answered {
            return Answer::Unknown;
        }
        let Some(place) = sequence.checked_sub(first) else {
            let known = self.timed_out.iter().position(|old| *old == sequence);
            return match known.and_then(|place| self.timed_out.remove(place)) {
                Some(_) => Answer::Late,
                None => Answer::Duplicate,
            };
        };
        let pending = &mut self.pending[place as usize];
        if pending.answered {
            return Answer::Duplicate;
        }
        pending.answered = true;
        let answer = Answer::InTime {
            intended: pending.intended,
            sent: pending.sent,
        };
        self.settled(now);
        answer
    }

    /// An answer that names no message: it is the oldest one's.
    pub(super) fn answer_in_order(&mut self, now: Nanos) -> Answer {
        if self.timed_out.pop_front().is_some() {
            return Answer::Late;
        }
        if self.pending.is_empty() {
            return Answer::Unknown;
        }
        self.answer(self.sequence - self.pending.len() as u64, now)
    }

    /// Whether an answer without a name could be for this message.
    pub(super) fn awaits(&self) -> bool {
        !self.pending.is_empty() || !self.timed_out.is_empty()
    }

    fn settled(&mut self, now: Nanos) {
        self.unanswered -= 1;
        while self.pending.front().is_some_and(|first| first.answered) {
            self.pending.pop_front();
        }
        if let Pace::Closed { free, think, .. } = &mut self.pace {
            free.push_back(now + *think);
        }
    }

    /// When the oldest unanswered message times out; `Nanos::MAX` if there is none.
    pub(super) fn times_out(&self) -> Nanos {
        (self.pending.front()).map_or(Nanos::MAX, |first| first.sent + self.timeout)
    }

    /// Gives up the oldest message if its time has come, and says when it was intended.
    pub(super) fn expire(&mut self, now: Nanos) -> Option<Nanos> {
        if self.times_out() > now {
            return None;
        }
        let first = self.pending.front_mut()?;
        first.answered = true;
        let intended = first.intended;
        if self.timed_out.len() == REMEMBERED {
            self.timed_out.pop_front();
        }
        self.timed_out
            .push_back(self.sequence - self.pending.len() as u64);
        self.settled(now);
        Some(intended)
    }

    /// The connection is gone: the intended times of what was unanswered on it.
    pub(super) fn lose(&mut self) -> impl Iterator<Item = Nanos> {
        self.unanswered = 0;
        self.timed_out.clear();
        self.pending
            .drain(..)
            .filter(|pending| !pending.answered)
            .map(|pending| pending.intended)
    }

    /// Whether no answer is due.
    pub(super) fn is_settled(&self) -> bool {
        self.unanswered == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{FrameKind, Gaps, Payload, Phase};
    use crate::units::{ByteSize, Rate};
    use std::time::Duration;

    const MS: Nanos = 1_000_000;

    fn message(pacing: Pacing) -> Message {
        Message {
            name: "echo".to_owned(),
            payload: Payload::Size(ByteSize(64)),
            frame: FrameKind::Text,
            pacing,
            count: None,
            expect: Expect::Echo,
            timeout: Duration::from_secs(1),
        }
    }

    fn open(in_flight: Option<u32>) -> Exchange {
        let pacing = Pacing::Open {
            rate: Rate::per_second(100.0).unwrap(),
            gaps: Gaps::Constant,
            phase: Phase::Aligned,
            in_flight,
        };
        let pacer = Pacer::new(10.0 * MS as f64, Gaps::Constant, Phase::Aligned, 0, 0, 0);
        Exchange::new(&message(pacing), Some(pacer), Series::new(1, 0, 0, 0))
    }

    fn closed(in_flight: u32, think: Duration) -> Exchange {
        Exchange::new(
            &message(Pacing::Closed { in_flight, think }),
            None,
            Series::new(1, 0, 0, 0),
        )
    }

    fn send(exchange: &mut Exchange, now: Nanos) -> Due {
        let Next::Send(due) = exchange.next(now, Nanos::MAX) else {
            panic!("nothing to send at {now}");
        };
        exchange.sent(due, now);
        due
    }

    #[test]
    fn a_late_send_keeps_its_intended_time() {
        let mut exchange = open(None);
        exchange.start(0);
        assert_eq!(send(&mut exchange, 25 * MS).intended, 0);
        assert_eq!(send(&mut exchange, 25 * MS).intended, 10 * MS);
        assert_eq!(send(&mut exchange, 25 * MS).intended, 20 * MS);
        assert_eq!(exchange.next(25 * MS, Nanos::MAX), Next::Wait);
        assert_eq!(exchange.wakes(Nanos::MAX), 30 * MS);
    }

    #[test]
    fn what_cannot_be_sent_in_time_is_given_up() {
        let mut exchange = open(Some(1));
        exchange.start(0);
        send(&mut exchange, 0);
        assert_eq!(exchange.next(10 * MS, Nanos::MAX), Next::Wait);
        assert_eq!(exchange.next(1_011 * MS, Nanos::MAX), Next::GiveUp(10 * MS));
    }

    #[test]
    fn nothing_is_due_from_the_end_on() {
        let mut exchange = open(None);
        exchange.start(0);
        send(&mut exchange, 0);
        assert_eq!(exchange.next(10 * MS, 10 * MS), Next::Wait);
    }

    #[test]
    fn answers_are_told_apart() {
        let mut exchange = open(None);
        exchange.start(0);
        for now in [0, 10 * MS, 20 * MS] {
            send(&mut exchange, now);
        }
        let in_time = Answer::InTime {
            intended: 10 * MS,
            sent: 10 * MS,
        };
        assert_eq!(exchange.answer(1, 30 * MS), in_time);
        assert_eq!(exchange.answer(1, 31 * MS), Answer::Duplicate);
        assert_eq!(exchange.answer(3, 31 * MS), Answer::Unknown);
        assert_eq!(exchange.expire(1_000 * MS), Some(0));
        assert_eq!(exchange.expire(1_000 * MS), None);
        assert_eq!(exchange.answer(0, 1_001 * MS), Answer::Late);
        assert_eq!(exchange.answer(0, 1_002 * MS), Answer::Duplicate);
        assert_eq!(exchange.times_out(), 1_020 * MS);
        assert_eq!(exchange.lose().collect::<Vec<_>>(), [20 * MS]);
        assert!(exchange.is_settled());
    }

    #[test]
    fn without_a_name_the_oldest_is_answered() {
        let mut exchange = open(None);
        exchange.start(0);
        send(&mut exchange, 0);
        send(&mut exchange, 10 * MS);
        exchange.expire(1_000 * MS);
        assert_eq!(exchange.answer_in_order(1_001 * MS), Answer::Late);
        assert!(
            matches!(exchange.answer_in_order(1_002 * MS), Answer::InTime { intended, .. } if intended == 10 * MS)
        );
        assert_eq!(exchange.answer_in_order(1_003 * MS), Answer::Unknown);
    }

    #[test]
    fn the_closed_model_waits_for_the_answer_and_the_think_time() {
        let mut exchange = closed(2, Duration::from_millis(5));
        exchange.start(100);
        send(&mut exchange, 100);
        send(&mut exchange, 100);
        assert_eq!(exchange.next(100, Nanos::MAX), Next::Wait);
        exchange.answer(0, 200);
        assert_eq!(exchange.next(200, Nanos::MAX), Next::Wait);
        assert_eq!(exchange.wakes(Nanos::MAX), 200 + 5 * MS);
    }

    #[test]
    fn a_count_is_kept_whatever_becomes_of_the_messages() {
        let mut exchange = open(None);
        exchange.left = 3;
        exchange.start(0);
        send(&mut exchange, 0);
        assert_eq!(exchange.give_up(1_000 * MS), Some(10 * MS));
        assert_eq!(exchange.give_up(1_000 * MS), Some(20 * MS));
        assert_eq!(exchange.give_up(1_000 * MS), None);
        assert_eq!(exchange.next(1_000 * MS, Nanos::MAX), Next::Wait);
    }
}
