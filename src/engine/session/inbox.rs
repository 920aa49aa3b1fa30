//! Records received messages and pongs in the metrics.

use super::Session;
use crate::engine::heart::Pong;
use crate::engine::play::{Answer, Due, Fit, Meaning, Play, Received};
use crate::engine::shared::Shared;
use crate::frame::Frame;
use crate::measure::{By, Echo, Fitting};
use crate::metric::{Counter, Timer};
use crate::net::Transport;
use crate::plan::{ClientPlan, PingName};
use crate::scenario::{FrameKind, HeartbeatKind};
use crate::units::{Nanos, Timestamp};

/// Handles the messages of a received frame.
pub(super) fn messages<T: Transport>(
    session: &mut Session<T>,
    play: &mut Play,
    shared: &Shared,
    bytes: &[u8],
    kind: FrameKind,
    now: Timestamp,
) {
    match &shared.plan.split {
        None => message(session, play, shared, bytes, kind, now),
        Some(split) => split
            .messages(bytes)
            .for_each(|one| message(session, play, shared, one, kind, now)),
    }
}

/// Handles a received message.
fn message<T: Transport>(
    session: &mut Session<T>,
    play: &mut Play,
    shared: &Shared,
    bytes: &[u8],
    kind: FrameKind,
    now: Timestamp,
) {
    session.transport.came(kind, bytes);
    let gap = (session.heard.message.replace(now)).map(|last| now.saturating_since(last));
    if is_text_pong(session, shared, bytes) {
        (session.transport).took(By::Heartbeat, Fitting::Right, play.saved());
        return text_pong(session, shared, gap, now);
    }
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
    let (by, fitting) = what.taken();
    session.transport.took(by, fitting, play.saved());
    record_message(client, shared, bytes, kind, what, gap, now);
    session.book(shared, now);
    if shared.plan.keeps_echoes
        && let Meaning::Answer(received) = meaning
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

/// Records a message and what it answers, if anything. Borrows the shard once, because this happens for every message.
fn record_message(
    client: ClientPlan<'_>,
    shared: &Shared,
    bytes: &[u8],
    kind: FrameKind,
    What {
        meaning,
        is_delivery,
    }: What,
    gap: Option<Nanos>,
    now: Timestamp,
) {
    let shard = &mut *shared.shard.borrow_mut();
    let (received, is_as_expected) = match meaning {
        Meaning::Answer(received) => (Some(received), received.fit != Fit::Wrong),
        Meaning::Taken { .. } => (None, true),
        Meaning::Nothing => (None, false),
    };
    if !is_as_expected && !is_delivery {
        shard.unexpected(bytes);
    }
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
        Answer::InTime { .. } if received.is_setup => {}
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

/// Handles a pong.
pub(super) fn pong<T: Transport>(
    session: &mut Session<T>,
    shared: &Shared,
    bytes: &[u8],
    now: Timestamp,
) {
    let was_silent = is_silent(session);
    let named = PingName::decode(bytes).filter(|name| name.run == shared.plan.run);
    let pong = match (&mut session.heart, named) {
        (Some(heart), Some(name)) => heart.pong(name.sequence, now),
        _ => Pong::Unsolicited,
    };
    record_pong(session, shared, pong, false, was_silent, now);
}

/// Returns whether the last ping whose answer was due had none.
fn is_silent<T>(session: &Session<T>) -> bool {
    let heart = session.heart.as_ref();
    heart.is_some_and(|heart| heart.missed_in_row() > 0)
}

fn record_pong<T: Transport>(
    session: &mut Session<T>,
    shared: &Shared,
    pong: Pong,
    is_uncertain: bool,
    was_silent: bool,
    now: Timestamp,
) {
    if was_silent && pong != Pong::Unsolicited {
        session.note(|recorder| recorder.resumed(now));
    }
    match pong {
        Pong::InTime { .. } => {}
        Pong::Late { .. } | Pong::Overdue { .. } => {
            session.heard.late_pong = Some(now);
            if let Some(silence) = &mut session.evidence.dead {
                silence.pong_came_late();
            }
        }
        Pong::Unsolicited => session.heard.other_pong = Some(now),
    }
    let (at, counter, rtt) = match pong {
        Pong::InTime { intended, rtt } => (intended, Counter::PongsReceived, Some(rtt)),
        Pong::Late { intended, rtt } | Pong::Overdue { intended, rtt } => {
            (intended, Counter::PongsLate, Some(rtt))
        }
        Pong::Unsolicited => (now, Counter::PongsUnsolicited, None),
    };
    shared.record(session.cohort, at, |cells| {
        cells.count(counter);
        if let Pong::Overdue { .. } = pong {
            cells.count(Counter::PingsMissed);
        }
        match rtt {
            Some(_) if is_uncertain => cells.count(Counter::PongsUncertain),
            Some(rtt) => {
                cells.time(Timer::HeartbeatRtt, rtt);
                cells.time(Timer::HeartbeatDelay, now.saturating_since(at));
            }
            None => {}
        }
    });
}

/// Returns whether these are the bytes that its cohort expects in answer to a text ping.
fn is_text_pong<T>(session: &Session<T>, shared: &Shared, bytes: &[u8]) -> bool {
    if session.heart.is_none() {
        return false;
    }
    let heartbeat = shared.plan.cohort(session.cohort).heartbeat.as_ref();
    match heartbeat.map(|heartbeat| &heartbeat.kind) {
        Some(HeartbeatKind::Text { expect, .. }) => expect.as_bytes() == bytes,
        _ => false,
    }
}

/// Handles a message that answers a text ping; `gap` is the time since the last message.
fn text_pong<T: Transport>(
    session: &mut Session<T>,
    shared: &Shared,
    gap: Option<Nanos>,
    now: Timestamp,
) {
    shared.record(session.cohort, now, |cells| {
        cells.count(Counter::MessagesReceived);
        if let Some(gap) = gap {
            cells.time(Timer::ReceiveGap, gap);
        }
    });
    let was_silent = is_silent(session);
    let Some(heart) = &mut session.heart else {
        return;
    };
    let is_uncertain = heart.is_uncertain();
    let pong = heart.pong_in_order(now);
    record_pong(session, shared, pong, is_uncertain, was_silent, now);
}

/// Handles a ping of the server.
pub(super) fn server_ping<T>(session: &mut Session<T>, shared: &Shared, now: Timestamp) {
    let last = session.heard.ping.replace(now);
    shared.record(session.cohort, now, |cells| {
        cells.count(Counter::ServerPings);
        if let Some(last) = last {
            cells.time(Timer::ServerPingInterval, now.saturating_since(last));
        }
    });
}

impl<T: Transport> Session<T> {
    /// Builds the frame of a message that is due, in `scratch`.
    pub(super) fn frame<'a>(
        &mut self,
        due: &Due,
        play: &mut Play,
        shared: &Shared,
        now: Timestamp,
        scratch: &'a mut Vec<u8>,
    ) -> Frame<'a> {
        let client = shared.plan.client(self.cohort, self.connection);
        let listener = self.listener.as_deref_mut();
        let published = shared.publish(client, due, listener, now);
        let kind = play.write(client, due, published, scratch);
        if let Some(split) = &shared.plan.split {
            split.end(scratch);
        }
        match kind {
            FrameKind::Text => Frame::Text(scratch),
            FrameKind::Binary => Frame::Binary(scratch),
        }
    }
}

/// Returns the frame of a ping that is due, of the kind that its cohort sends.
pub(super) fn ping_frame<'a>(
    shared: &Shared,
    cohort: usize,
    name: &'a [u8],
    scratch: &'a mut Vec<u8>,
) -> Frame<'a> {
    let heartbeat = shared.plan.cohort(cohort).heartbeat.as_ref();
    match heartbeat.map(|heartbeat| &heartbeat.kind) {
        Some(HeartbeatKind::Text { send, .. }) => {
            scratch.clear();
            scratch.extend_from_slice(send.as_bytes());
            if let Some(split) = &shared.plan.split {
                split.end(scratch);
            }
            Frame::Text(scratch)
        }
        _ => Frame::Ping(name),
    }
}
