//! Takes the messages of received frames, and records them in the metrics.

use super::{Lazy, Session};
use crate::engine::play::{Answer, Due, Fit, Meaning, Play, Received, Written};
use crate::engine::saved;
use crate::engine::shared::Shared;
use crate::frame::Frame;
use crate::measure::{By, Echo, Fitting};
use crate::metric::{Counter, Timer};
use crate::net::{PackedMessage, Transport};
use crate::plan::{ClientPlan, Split};
use crate::scenario::FrameKind;
use crate::units::{Nanos, Timestamp};

/// Handles the messages of a received frame; `at` is when it came. Where the worker was asleep meanwhile, that is also the time
/// at which it is taken. What others do next counts from the time at which they read.
pub(super) fn messages<T: Transport>(
    session: &mut Session<T>,
    play: &mut Play,
    shared: &Shared,
    (bytes, kind): (&[u8], FrameKind),
    at: Timestamp,
    now: Timestamp,
) {
    if session.transport.answer().is_some() {
        return answer(session, play, shared, bytes, now);
    }
    if !session.is_plain {
        return each_message(session, play, shared, (bytes, kind), at, now);
    }
    session.transport.came(kind, bytes);
    session.note(|recorder| recorder.answer(at));
    let now = if session.lazy != Lazy::No { at } else { now };
    message(session, play, shared, bytes, kind, now);
}

/// Parts a frame into messages, and takes those out that belong to the heartbeat.
#[inline(never)]
fn each_message<T: Transport>(
    session: &mut Session<T>,
    play: &mut Play,
    shared: &Shared,
    (bytes, kind): (&[u8], FrameKind),
    at: Timestamp,
    now: Timestamp,
) {
    let separator = match &shared.plan.split {
        None => return one_of_many(session, play, shared, (bytes, kind), at, now),
        Some(Split::Mqtt) => {
            return session.packets(play, shared, (bytes, kind), at, now);
        }
        Some(Split::Text(separator)) => separator,
    };
    session.transport.came(kind, bytes);
    let mut pieces = separator.messages(bytes).peekable();
    if pieces.peek().is_some() {
        return pieces.for_each(|one| one_of_many(session, play, shared, (one, kind), at, now));
    }
    session.nothing_came(shared, at);
    session.taken_by_heartbeat(play);
}

/// Handles a message of a frame that may hold several, or that may belong to the heartbeat.
pub(super) fn one_of_many<T: Transport>(
    session: &mut Session<T>,
    play: &mut Play,
    shared: &Shared,
    (bytes, kind): (&[u8], FrameKind),
    at: Timestamp,
    now: Timestamp,
) {
    session.transport.came(kind, bytes);
    if session.is_heartbeat(play, shared, bytes, at, now) {
        return session.taken_by_heartbeat(play);
    }
    session.note(|recorder| recorder.answer(at));
    message(session, play, shared, bytes, kind, now);
}

/// Handles a received message that does not belong to the heartbeat.
fn message<T: Transport>(
    session: &mut Session<T>,
    play: &mut Play,
    shared: &Shared,
    bytes: &[u8],
    kind: FrameKind,
    now: Timestamp,
) {
    let gap = (session.heard.message.replace(now)).map(|last| now.saturating_since(last));
    let client = shared.plan.client(session.cohort, session.connection);
    let listener = session.listener.as_deref_mut();
    let delivery = listener.and_then(|listener| shared.hear(client, listener, bytes, now));
    let meaning = play.receive(client, bytes, delivery, now, &mut shared.facts.borrow_mut());
    if let Meaning::Answer(received) = meaning
        && received.answer != Answer::Unknown
    {
        session.heard.answer = Some(now);
    }
    let what = What {
        meaning,
        is_delivery: delivery.is_some(),
    };
    tell(session, play, shared, (bytes, kind), what, gap, now);
}

/// Handles the answer to a request of HTTP, with this body.
fn answer<T: Transport>(
    session: &mut Session<T>,
    play: &mut Play,
    shared: &Shared,
    body: &[u8],
    now: Timestamp,
) {
    session.transport.came(FrameKind::Text, body);
    let gap = (session.heard.message.replace(now)).map(|last| now.saturating_since(last));
    let client = shared.plan.client(session.cohort, session.connection);
    let Some(head) = session.transport.answer() else {
        return;
    };
    let meaning = play.receive_answer(client, (head, body), now, &mut shared.facts.borrow_mut());
    session.heard.answer = Some(now);
    let what = What {
        meaning,
        is_delivery: false,
    };
    tell(
        session,
        play,
        shared,
        (body, FrameKind::Text),
        what,
        gap,
        now,
    );
}

/// Tells what a message is to all that keep or show it; `gap` is the time since the one before.
#[inline(always)]
fn tell<T: Transport>(
    session: &mut Session<T>,
    play: &Play,
    shared: &Shared,
    (bytes, kind): (&[u8], FrameKind),
    what: What,
    gap: Option<Nanos>,
    now: Timestamp,
) {
    let client = shared.plan.client(session.cohort, session.connection);
    let (by, fitting) = what.taken();
    session.transport.took(by, fitting, play.saved());
    if !what.is_expected() {
        unexpected(client, play, shared, bytes);
    }
    record_message(client, shared, kind, what, gap, now);
    session.book(shared, now);
    if shared.plan.keeps_echoes
        && let Meaning::Answer(received) = what.meaning
    {
        keep(session, shared, &received, now);
    }
}

/// What a message is.
#[derive(Clone, Copy)]
struct What {
    meaning: Meaning,
    /// Whether it was published in this run: nobody has to ask for it.
    is_delivery: bool,
}

impl What {
    /// Whether it is right, or nobody has to ask for it.
    #[inline(always)]
    fn is_expected(self) -> bool {
        match self.meaning {
            _ if self.is_delivery => true,
            Meaning::Answer(received) => received.fit != Fit::Wrong,
            Meaning::Taken { .. } => true,
            Meaning::Nothing => false,
        }
    }

    /// What took the message, and how it fits. Costs nothing where nobody listens.
    #[inline(always)]
    fn taken(self) -> (By, Fitting) {
        let judged = |slot, is_wrong| match is_wrong {
            true => (By::Slot(slot), Fitting::Wrong),
            false => (By::Slot(slot), Fitting::Right),
        };
        match self.meaning {
            Meaning::Taken { slot, is_wrong } => judged(slot, is_wrong),
            Meaning::Answer(Received {
                slot, answer, fit, ..
            }) if answer != Answer::Unknown => match answer {
                Answer::Late => (By::Slot(slot), Fitting::Late),
                Answer::Duplicate => (By::Slot(slot), Fitting::Twice),
                _ => judged(slot, fit == Fit::Wrong),
            },
            _ if self.is_delivery => (By::Topic, Fitting::Right),
            _ => (By::Nothing, Fitting::Wrong),
        }
    }
}

/// Keeps the first words of a message that is not as it should be.
#[cold]
fn unexpected(client: ClientPlan<'_>, play: &Play, shared: &Shared, bytes: &[u8]) {
    let names = &client.cohort().saved;
    let hide = |words: &mut String| saved::hide(names, play.saved(), words);
    shared.shard.borrow_mut().unexpected(bytes, hide);
}

/// Records a message and what it answers, if anything. Borrows the shard once, because this happens for every message.
#[inline]
fn record_message(
    client: ClientPlan<'_>,
    shared: &Shared,
    kind: FrameKind,
    What {
        meaning,
        is_delivery,
    }: What,
    gap: Option<Nanos>,
    now: Timestamp,
) {
    let shard = &mut *shared.shard.borrow_mut();
    let received = match meaning {
        Meaning::Answer(received) => Some(received),
        Meaning::Taken { .. } | Meaning::Nothing => None,
    };
    let windows = &mut shard.cohorts[client.cohort];
    if let Some(gap) = gap {
        windows
            .window(shared.window(now))
            .time(Timer::ReceiveGap, gap);
    }
    let at = received.map_or(now, |received| received.intended);
    let cells = windows.window(shared.window(at));
    cells.count(Counter::MessagesReceived);
    let Some(received) = received else {
        if meaning == Meaning::Nothing && !is_delivery {
            cells.count(Counter::MessagesUnsolicited);
        }
        return;
    };
    if kind != client.templates()[received.slot].frame() {
        cells.count(Counter::MessagesRetyped);
    }
    match received.answer {
        Answer::InTime { intended, sent } if received.fit != Fit::Wrong => {
            let times = (now.saturating_since(intended), now.saturating_since(sent));
            if received.is_setup {
                return windows.whole.answer(received.slot, times.0, times.1);
            }
            cells.count(match received.fit {
                Fit::Echo => Counter::MessagesEchoed,
                Fit::Right | Fit::Wrong => Counter::MessagesAnswered,
            });
            if received.is_uncertain {
                return cells.count(Counter::MessagesUncertain);
            }
            cells.answer(received.slot, times.0, times.1);
        }
        _ if received.is_setup => {}
        Answer::InTime { .. } => cells.count(Counter::MessagesMismatched),
        Answer::Late => cells.count(Counter::MessagesLate),
        Answer::Duplicate => cells.count(Counter::MessagesDuplicated),
        Answer::Unknown if is_delivery => {}
        Answer::Unknown => cells.count(Counter::MessagesUnsolicited),
    }
}

/// Keeps the times of a single message, if it was echoed.
fn keep<T: Transport>(session: &Session<T>, shared: &Shared, received: &Received, now: Timestamp) {
    let Answer::InTime { intended, sent } = received.answer else {
        return;
    };
    if received.fit != Fit::Wrong && !received.is_uncertain && !received.is_setup {
        let echo = Echo {
            cohort: session.cohort,
            connection: session.connection,
            message: received.slot,
            sequence: received.sequence,
            intended_ns: intended,
            sent_ns: sent,
            received_ns: now,
            arrived_ns: (session.transport.received_at(&*shared.clock)).map(|at| at.min(now)),
        };
        let echoes = &mut shared.shard.borrow_mut().echoes;
        echoes.keep(echo, Echo::MAX_ROWS);
    }
}

impl<T: Transport> Session<T> {
    /// Queues a message that is due.
    pub(super) fn feed(&mut self, due: &Due, play: &mut Play, shared: &Shared, now: Timestamp) {
        let client = shared.plan.client(self.cohort, self.connection);
        let listener = self.listener.as_deref_mut();
        let published = shared.publish(client, due, listener, now);
        let mut scratch = shared.scratch.borrow_mut();
        let scratch = &mut *scratch;
        let packing = self.transport.packing();
        let Written { kind, packed } = play.write(client, due, published, packing, scratch);
        self.transport.sends(By::Slot(due.slot));
        if let Some(plain) = packed {
            let bytes = &scratch[..];
            let message = PackedMessage { kind, bytes, plain };
            return self.outbox.feed_packed(&mut self.transport, message);
        }
        let frame = match self.transport.host() {
            Some(_) => request(client, due.slot, &self.transport, scratch),
            None => self.as_frame(kind, shared, scratch),
        };
        self.outbox.feed(&mut self.transport, frame);
    }
}

/// Makes a request of HTTP of what was rendered of it. One that a value makes impossible stays empty, and nothing answers
/// it.
#[inline(never)]
fn request<'a>(
    client: ClientPlan<'_>,
    slot: usize,
    transport: &impl Transport,
    scratch: &'a mut Vec<u8>,
) -> Frame<'a> {
    let mut out = Vec::with_capacity(scratch.len() + 128);
    if let (Some(http), Some(host)) = (client.program().http(slot), transport.host()) {
        let cookies = transport.cookies(http.target(scratch));
        let keeps = client.cohort().keep_alive;
        // An error leaves nothing.
        let _ = http.write(scratch, host, cookies, keeps, &mut out);
    }
    *scratch = out;
    Frame::Text(scratch)
}
