//! The messages of one client, across reconnects: what is due, what an answer means, when to wake the client. Pure:
//! takes the time and the received bytes as arguments; sends nothing.

mod exchange;
mod ledger;
mod pace;

use self::exchange::{Exchange, Found, Next};
pub(super) use self::ledger::Answer;
use crate::plan::{ClientPlan, Opening, Plan, STAMP_LEN, Series, Stamp, Template};
use crate::units::Timestamp;

/// All messages of one client, and the answers to them.
#[derive(Debug)]
pub(super) struct Play {
    exchanges: Box<[Exchange]>,
}

/// A message that may be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    /// The index of the message in its cohort.
    pub(super) message: usize,
    /// When it should have been sent.
    pub(super) intended: Timestamp,
    /// The sequence number, from 0 for each connection and message.
    pub(super) sequence: u64,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Task {
    /// Send this message, and report it with [`Play::sent`].
    Send(Due),
    /// The message with this intended time is too late to be sent: count it.
    GiveUp(Timestamp),
}

/// A received message that answers one that was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Received {
    /// The index of the message in its cohort.
    pub(super) message: usize,
    pub(super) answer: Answer,
    /// The sequence number in its stamp; `None` if it has none.
    pub(super) sequence: Option<u64>,
    /// Whether the bytes are those that were sent.
    pub(super) is_same: bool,
    /// It may answer another message of this exchange, so its times are unknown.
    pub(super) is_uncertain: bool,
    /// The intended time, which decides the window it belongs to.
    pub(super) intended: Timestamp,
}

impl Play {
    pub(super) fn new(plan: &Plan, opening: &Opening) -> Self {
        let Opening {
            at,
            connection,
            cohort,
            ..
        } = *opening;
        let messages = plan.cohort(cohort).messages.iter().enumerate();
        let exchanges = messages.map(|(index, message)| {
            let pacer = plan.pacer(cohort, index, connection, at);
            let series = Series::new(plan.run, cohort as u8, connection, index as u8);
            let template = &plan.templates(cohort)[index];
            Exchange::new(message, pacer, series, template)
        });
        Self {
            exchanges: exchanges.collect(),
        }
    }

    /// The connection is open for the first time. Messages that would have been due before were never due.
    pub(super) fn start(&mut self, now: Timestamp) {
        (self.exchanges.iter_mut()).for_each(|exchange| exchange.start(now));
    }

    /// The connection is open again.
    pub(super) fn resume(&mut self, now: Timestamp) {
        (self.exchanges.iter_mut()).for_each(|exchange| exchange.resume(now));
    }

    /// Returns the next thing to do now; `None` if there is nothing. Nothing is due from `end` on. `turn` is the
    /// exchange that is asked first: begin with 0, and call again until there is nothing.
    pub(super) fn due(&mut self, turn: &mut usize, now: Timestamp, end: Timestamp) -> Option<Task> {
        while let Some(exchange) = self.exchanges.get_mut(*turn) {
            match exchange.next(now, end) {
                Next::Wait => *turn += 1,
                Next::GiveUp(intended) => return Some(Task::GiveUp(intended)),
                Next::Send { intended, sequence } => {
                    return Some(Task::Send(Due {
                        message: *turn,
                        intended,
                        sequence,
                    }));
                }
            }
        }
        None
    }

    /// Makes the stamp of a message that is due.
    pub(super) fn stamp(&mut self, due: &Due) -> [u8; STAMP_LEN] {
        self.exchanges[due.message].stamp(due.sequence, due.intended)
    }

    /// Records that a message that was due has been sent.
    pub(super) fn sent(&mut self, due: &Due, now: Timestamp) {
        self.exchanges[due.message].sent(due.intended, now);
    }

    /// Gives up the next message that was due before `until`, and returns its intended time.
    pub(super) fn give_up(&mut self, until: Timestamp) -> Option<Timestamp> {
        (self.exchanges.iter_mut()).find_map(|exchange| exchange.give_up(until))
    }

    /// Gives up the next message whose answer is overdue, and returns its intended time.
    pub(super) fn expire(&mut self, now: Timestamp) -> Option<Timestamp> {
        (self.exchanges.iter_mut()).find_map(|exchange| exchange.expire(now))
    }

    /// The connection is gone: returns the intended times of the messages that were unanswered on it.
    pub(super) fn lose(&mut self) -> impl Iterator<Item = Timestamp> {
        self.exchanges
            .iter_mut()
            .flat_map(|exchange| exchange.lose())
    }

    /// Returns whether no answer is due.
    pub(super) fn is_settled(&self) -> bool {
        self.exchanges.iter().all(Exchange::is_settled)
    }

    /// When the next answer is overdue; `Timestamp::NEVER` if none is due.
    pub(super) fn expires(&self) -> Timestamp {
        let times = self.exchanges.iter().map(Exchange::expires);
        times.min().unwrap_or(Timestamp::NEVER)
    }

    /// When to call [`Self::due`] again, if no answer comes before. Now or earlier means at once.
    pub(super) fn wakes(&self, end: Timestamp) -> Timestamp {
        let times = self.exchanges.iter().map(|exchange| exchange.wakes(end));
        times.min().unwrap_or(Timestamp::NEVER)
    }

    /// Handles a received message of this connection; `None` if it answers none that was sent.
    pub(super) fn receive(
        &mut self,
        client: ClientPlan<'_>,
        bytes: &[u8],
        now: Timestamp,
    ) -> Option<Received> {
        // First tries the position where each exchange has the stamp of an echo.
        for (message, exchange) in self.exchanges.iter_mut().enumerate() {
            if let Some(found) = exchange.find(bytes) {
                return Some(stamped(message, exchange, client, &found, bytes, now));
            }
        }
        self.receive_other(client, bytes, now)
    }

    /// Handles a message that is not an echo with its stamp in its place.
    #[inline(never)]
    fn receive_other(
        &mut self,
        client: ClientPlan<'_>,
        bytes: &[u8],
        now: Timestamp,
    ) -> Option<Received> {
        let templates = client.templates();
        let in_order = |exchanges: &mut [Exchange], message: usize, is_same| {
            let exchange = &mut exchanges[message];
            let is_uncertain = exchange.is_uncertain();
            let answer = exchange.answer_in_order(now);
            Some(Received {
                message,
                answer,
                sequence: None,
                is_same,
                is_uncertain,
                intended: match answer {
                    Answer::InTime { intended, .. } => intended,
                    _ => now,
                },
            })
        };
        let is_fixed = |(exchange, template): &(&Exchange, &Template)| {
            exchange.is_answered() && template.fixed().is_some()
        };
        let mut fixed = self.exchanges.iter().zip(templates);
        let same = fixed.position(|pair| is_fixed(&pair) && pair.1.fixed() == Some(bytes));
        if let Some(message) = same {
            return in_order(&mut self.exchanges, message, true);
        }
        let mut is_stamped = Stamp::decode(bytes).is_some();
        for at in client.plan.stamps.find(bytes) {
            is_stamped = true;
            for (message, exchange) in self.exchanges.iter_mut().enumerate() {
                if let Some(found) = exchange.read(bytes, at) {
                    return Some(stamped(message, exchange, client, &found, bytes, now));
                }
            }
        }
        if is_stamped {
            // The stamp belongs to another connection or another run.
            return None;
        }
        // Takes other bytes for a mangled echo only if exactly one message could have been meant.
        let pairs = self.exchanges.iter().zip(templates).enumerate();
        let mut waiting = pairs.filter(|(_, pair)| is_fixed(pair) && pair.0.awaits());
        let (message, _) = waiting.next().filter(|_| waiting.next().is_none())?;
        in_order(&mut self.exchanges, message, false)
    }
}

#[inline(always)]
fn stamped(
    message: usize,
    exchange: &mut Exchange,
    client: ClientPlan<'_>,
    found: &Found,
    bytes: &[u8],
    now: Timestamp,
) -> Received {
    let template = &client.templates()[message];
    let values = || client.values(message, found.sequence);
    let answer = exchange.answer(found.sequence, now);
    let (intended, is_due_then) = match answer {
        Answer::InTime { intended, .. } => (intended, found.intended == intended),
        _ => (found.intended, true),
    };
    Received {
        message,
        answer,
        sequence: Some(found.sequence),
        is_same: is_due_then && template.is_echo(found.at, bytes, values),
        is_uncertain: false,
        intended,
    }
}
