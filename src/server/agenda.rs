//! The pending sends of one connection of the built-in server, with their times: delayed answers, pushes, pings, the time.
//! Uses no socket; the caller passes the time.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime};

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use super::behaviour::Behaviour;
use super::heartbeat;
use super::schedule::Schedule;

/// The most delayed answers that a connection may hold, in number and in bytes. At this limit it is not read until one
/// answer has been sent.
const MAX_WAITING: usize = 4096;
const MAX_WAITING_BYTES: usize = 1 << 20;
/// How often the server's time is told, to who asked for it.
const TIME_EVERY: Duration = Duration::from_secs(1);

/// The sends of one connection that are not immediate.
#[derive(Debug)]
pub(super) struct Agenda {
    behaviour: Behaviour,
    /// The delay between a message and its answer.
    delay: Duration,
    dice: Xoshiro256PlusPlus,
    /// Answers in the order of their messages, which is also the order of their times.
    waiting: VecDeque<(Instant, Message)>,
    waiting_bytes: usize,
    /// The most answers that may wait.
    room: usize,
    push: Option<Schedule>,
    ping: Option<Schedule>,
    /// When the server's time is told.
    time: Option<Schedule>,
}

/// The decision about a received message.
#[derive(Debug, PartialEq)]
pub(super) enum AnswerTime {
    Now(Message),
    Later,
    Never,
}

/// Something that is due now.
#[derive(Debug, PartialEq)]
pub(super) enum DueMessage {
    Answer(Message),
    Push(Message),
    Ping(Message),
}

impl Agenda {
    /// Creates the agenda of the connection with this number, counted from the start of the server.
    pub(super) fn new(behaviour: Behaviour, connection: u64, opened: Instant) -> Self {
        let handler = behaviour.heartbeat.and_then(heartbeat::slow_handler);
        Self {
            delay: handler.unwrap_or(behaviour.delay),
            // A slow handler processes one message at a time, and nothing is read while it does.
            room: if handler.is_some() { 1 } else { MAX_WAITING },
            behaviour,
            dice: Xoshiro256PlusPlus::seed_from_u64(behaviour.seed.wrapping_add(connection)),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            push: behaviour
                .push
                .map(|p| Schedule::new(opened + p.every, p.every)),
            ping: behaviour
                .ping
                .map(|every| Schedule::new(opened + every, every)),
            time: None,
        }
    }

    /// Also tells the server's time, from now on.
    pub(super) fn tell_time(&mut self, now: Instant) {
        self.time = Some(Schedule::new(now, TIME_EVERY));
    }

    /// Decides about the answer to a message received now.
    pub(super) fn answer(&mut self, message: Message, now: Instant) -> AnswerTime {
        if self.behaviour.drop > 0.0 && self.dice.random_bool(self.behaviour.drop) {
            AnswerTime::Never
        } else if self.delay.is_zero() {
            AnswerTime::Now(message)
        } else {
            self.waiting_bytes += message.len();
            self.waiting.push_back((now + self.delay, message));
            AnswerTime::Later
        }
    }

    /// Whether reading should pause.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= self.room || self.waiting_bytes >= MAX_WAITING_BYTES
    }

    /// When the next send is due.
    pub(super) fn next(&self) -> Option<Instant> {
        let answer = self.waiting.front().map(|(at, _)| *at);
        let push = self.push.as_ref().map(Schedule::at);
        let ping = self.ping.as_ref().map(Schedule::at);
        let time = self.time.as_ref().map(Schedule::at);
        [answer, push, ping, time].into_iter().flatten().min()
    }

    /// Takes one send that is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<DueMessage> {
        if self.waiting.front().is_some_and(|(at, _)| *at <= now) {
            let (_, message) = self.waiting.pop_front()?;
            self.waiting_bytes -= message.len();
            return Some(DueMessage::Answer(message));
        }
        if let Some(number) = self.ping.as_mut().and_then(|s| s.take(now)) {
            let payload = Bytes::from(number.to_string());
            return Some(DueMessage::Ping(Message::Ping(payload)));
        }
        if self.time.as_mut().and_then(|s| s.take(now)).is_some() {
            let time = humantime::format_rfc3339_millis(SystemTime::now());
            return Some(DueMessage::Push(Message::text(time.to_string())));
        }
        let number = self.push.as_mut().and_then(|s| s.take(now))?;
        let size = self.behaviour.push.map_or(0, |p| p.size.as_usize());
        let mut text = number.to_string();
        // Pads by hand: the width of a format ends at 65,535.
        text.extend(std::iter::repeat_n(' ', size.saturating_sub(text.len())));
        Some(DueMessage::Push(Message::text(text)))
    }

    /// Removes all planned sends, because nothing may be sent after a Close.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.waiting_bytes = 0;
        self.push = None;
        self.ping = None;
        self.time = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::Push;
    use crate::units::ByteSize;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_plain_echo_answers_now_and_plans_nothing() {
        let now = Instant::now();
        let mut agenda = Agenda::new(Behaviour::default(), 0, now);
        let message = Message::text("hello");
        assert_eq!(
            agenda.answer(message.clone(), now),
            AnswerTime::Now(message)
        );
        assert_eq!(agenda.next(), None);
    }

    #[test]
    fn delayed_answers_leave_in_order_at_their_time() {
        let now = Instant::now();
        let behaviour = Behaviour {
            delay: 5 * MS,
            ..Behaviour::default()
        };
        let mut agenda = Agenda::new(behaviour, 0, now);
        for (text, after) in [("a", 0), ("b", 1)] {
            assert_eq!(
                agenda.answer(Message::text(text), now + after * MS),
                AnswerTime::Later
            );
        }
        assert_eq!(agenda.next(), Some(now + 5 * MS));
        assert_eq!(agenda.take_due(now + 4 * MS), None);
        let take = |agenda: &mut Agenda| agenda.take_due(now + 6 * MS);
        assert_eq!(
            take(&mut agenda),
            Some(DueMessage::Answer(Message::text("a")))
        );
        assert_eq!(
            take(&mut agenda),
            Some(DueMessage::Answer(Message::text("b")))
        );
        assert_eq!(agenda.next(), None);
    }

    #[test]
    fn waiting_answers_are_bounded_in_number_and_bytes() {
        let now = Instant::now();
        let behaviour = Behaviour {
            delay: MS,
            ..Behaviour::default()
        };
        let mut many = Agenda::new(behaviour, 0, now);
        for _ in 0..MAX_WAITING {
            assert!(!many.is_full());
            many.answer(Message::text(""), now);
        }
        assert!(many.is_full());

        let mut large = Agenda::new(behaviour, 0, now);
        large.answer(Message::binary(vec![0; MAX_WAITING_BYTES]), now);
        assert!(large.is_full());
        large.take_due(now + MS);
        assert!(!large.is_full());
    }

    #[test]
    fn pushes_keep_their_times_and_skip_what_was_missed() {
        let now = Instant::now();
        let push = Push {
            every: 10 * MS,
            size: ByteSize(4),
        };
        let behaviour = Behaviour {
            push: Some(push),
            ..Behaviour::default()
        };
        let mut agenda = Agenda::new(behaviour, 0, now);
        assert_eq!(agenda.take_due(now), None);
        assert_eq!(
            agenda.take_due(now + 11 * MS),
            Some(DueMessage::Push(Message::text("1   ")))
        );
        assert_eq!(agenda.next(), Some(now + 20 * MS));
        assert_eq!(
            agenda.take_due(now + 45 * MS),
            Some(DueMessage::Push(Message::text("4   ")))
        );
        assert_eq!(agenda.take_due(now + 45 * MS), None);
        assert_eq!(agenda.next(), Some(now + 50 * MS));
    }

    #[test]
    fn a_push_is_as_long_as_it_is_told() {
        let now = Instant::now();
        for size in [1, 2, 65_536, 1 << 20] {
            let behaviour = Behaviour {
                push: Some(Push {
                    every: MS,
                    size: ByteSize(size),
                }),
                ..Behaviour::default()
            };
            let mut agenda = Agenda::new(behaviour, 0, now);
            let Some(DueMessage::Push(message)) = agenda.take_due(now + MS) else {
                panic!("nothing is pushed");
            };
            assert_eq!(message.len() as u64, size);
        }
    }

    #[test]
    fn the_seed_decides_what_is_dropped() {
        let now = Instant::now();
        let dropped = |seed, connection| {
            let behaviour = Behaviour {
                drop: 0.3,
                seed,
                ..Behaviour::default()
            };
            let mut agenda = Agenda::new(behaviour, connection, now);
            (0..1000)
                .map(|_| agenda.answer(Message::text("x"), now) == AnswerTime::Never)
                .collect::<Vec<_>>()
        };
        assert_eq!(dropped(7, 1), dropped(7, 1));
        assert_ne!(dropped(7, 1), dropped(7, 2));
        let share = dropped(7, 1).iter().filter(|d| **d).count();
        assert!((240..360).contains(&share), "{share} of 1000");
    }
}
