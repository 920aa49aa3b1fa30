//! What a received message or pong means for the numbers.

use super::Session;
use crate::engine::exchange::{Answer, Due, Exchange};
use crate::engine::heart::Pong;
use crate::engine::shared::Shared;
use crate::frame::Frame;
use crate::measure::Echo;
use crate::metric::{Counter, Timer};
use crate::net::Transport;
use crate::plan::{Nanos, PingName, Series, Stamp, Template};
use crate::scenario::{Expect, FrameKind, HeartbeatKind};

/// A message came.
pub(super) fn message<T: Transport>(
    session: &mut Session<T>,
    exchanges: &mut [Exchange],
    shared: &Shared,
    bytes: &[u8],
    is_text: bool,
    now: Nanos,
) {
    if let Some(last) = session.heard.message.replace(now) {
        shared.record(session.cohort, now, |cells| {
            cells.time(Timer::ReceiveGap, now - last)
        });
    }
    let was_silent = is_silent(session);
    if let Some(pong) = text_pong(session, shared, bytes, now) {
        shared.record(session.cohort, now, |cells| {
            cells.count(Counter::MessagesReceived)
        });
        return record_pong(session, shared, pong, was_silent, now);
    }
    let found = find(session, exchanges, shared, bytes, now);
    if (found.as_ref()).is_some_and(|found| found.answer != Answer::Unknown) {
        session.heard.answer = Some(now);
    }
    let cohort = session.cohort;
    let at = found.as_ref().map_or(now, |found| found.intended);
    shared.record(cohort, at, |cells| {
        cells.count(Counter::MessagesReceived);
        let Some(found) = &found else {
            return cells.count(Counter::MessagesUnsolicited);
        };
        let message = &shared.plan.cohort(cohort).messages[found.message];
        if is_text != (message.frame == FrameKind::Text) {
            cells.count(Counter::MessagesRetyped);
        }
        match found.answer {
            Answer::InTime { intended, sent } if found.same => {
                cells.count(Counter::MessagesEchoed);
                cells.answer(found.message, now - intended, now - sent);
            }
            Answer::InTime { .. } => cells.count(Counter::MessagesMismatched),
            Answer::Late => cells.count(Counter::MessagesLate),
            Answer::Duplicate => cells.count(Counter::MessagesDuplicated),
            Answer::Unknown => cells.count(Counter::MessagesUnsolicited),
        }
    });
    if shared.plan.keeps_echoes
        && let Some(found) = found
    {
        keep(session, shared, &found, now);
    }
}

/// Keeps a message on its own, if it was echoed.
fn keep<T: Transport>(session: &Session<T>, shared: &Shared, found: &Found, now: Nanos) {
    let Answer::InTime { intended, sent } = found.answer else {
        return;
    };
    if found.same {
        shared.shard.borrow_mut().echoes.keep(Echo {
            cohort: session.cohort,
            connection: session.connection,
            message: found.message,
            sequence: found.sequence,
            intended_ns: intended,
            sent_ns: sent,
            received_ns: now,
            arrived_ns: (session.transport.received_at(&*shared.clock)).map(|at| at.min(now)),
        });
    }
}

/// An answer, and the message it is for.
struct Found {
    message: usize,
    answer: Answer,
    /// By its stamp, where there is one.
    sequence: Option<u64>,
    /// The bytes are those that were sent.
    same: bool,
    /// Decides which window it belongs to.
    intended: Nanos,
}

fn find<T: Transport>(
    session: &Session<T>,
    exchanges: &mut [Exchange],
    shared: &Shared,
    bytes: &[u8],
    now: Nanos,
) -> Option<Found> {
    let read = |exchange: &Exchange| exchange.series.read(bytes);
    let mut series = exchanges.iter().enumerate();
    match series.find_map(|(message, exchange)| Some((message, read(exchange)?))) {
        Some((message, stamp)) => {
            let exchange = &mut exchanges[message];
            find_stamped(session, message, exchange, shared, stamp, bytes, now)
        }
        // Somebody else's.
        None if Stamp::decode(bytes).is_some() => None,
        None => find_in_order(session, exchanges, shared, bytes, now),
    }
}

fn find_stamped<T: Transport>(
    session: &Session<T>,
    message: usize,
    exchange: &mut Exchange,
    shared: &Shared,
    (sequence, stamped): (u64, Nanos),
    bytes: &[u8],
    now: Nanos,
) -> Option<Found> {
    let Template::Stamped { filler } = shared.plan.template(session.cohort, message) else {
        return None;
    };
    let answer = exchange.answer(sequence, now);
    let (intended, due_then) = match answer {
        Answer::InTime { intended, .. } => (intended, stamped == intended),
        _ => (stamped, true),
    };
    Some(Found {
        message,
        answer,
        sequence: Some(sequence),
        same: due_then && bytes.get(crate::plan::STAMP_LEN..) == Some(&filler[..]),
        intended,
    })
}

/// Without a stamp the bytes tell which message it is, and the order tells which of them.
fn find_in_order<T: Transport>(
    session: &Session<T>,
    exchanges: &mut [Exchange],
    shared: &Shared,
    bytes: &[u8],
    now: Nanos,
) -> Option<Found> {
    let messages = &shared.plan.cohort(session.cohort).messages;
    let fixed = |message: &usize| match shared.plan.template(session.cohort, *message) {
        Template::Fixed(fixed) if messages[*message].expect == Expect::Echo => Some(fixed),
        _ => None,
    };
    let all = || (0..messages.len()).filter(|message| fixed(message).is_some());
    let same = all().find(|message| fixed(message).is_some_and(|fixed| **fixed == *bytes));
    // Other bytes can be a mangled echo only where there is just one message they could have been.
    let mut waiting = all().filter(|message| exchanges[*message].awaits());
    let message = same.or_else(|| waiting.next().filter(|_| waiting.next().is_none()))?;
    let answer = exchanges[message].answer_in_order(now);
    let intended = match answer {
        Answer::InTime { intended, .. } => intended,
        _ => now,
    };
    Some(Found {
        message,
        answer,
        sequence: None,
        same: same.is_some(),
        intended,
    })
}

/// A pong came.
pub(super) fn pong<T: Transport>(
    session: &mut Session<T>,
    shared: &Shared,
    bytes: &[u8],
    now: Nanos,
) {
    let was_silent = is_silent(session);
    let named = PingName::decode(bytes).filter(|name| name.run == shared.plan.run);
    let pong = match (&mut session.heart, named) {
        (Some(heart), Some(name)) => heart.pong(name.sequence, now),
        _ => Pong::Unsolicited,
    };
    record_pong(session, shared, pong, was_silent, now);
}

/// Whether the last ping that was due an answer had none.
fn is_silent<T>(session: &Session<T>) -> bool {
    let heart = session.heart.as_ref();
    heart.is_some_and(|heart| heart.missed_in_row() > 0)
}

fn record_pong<T: Transport>(
    session: &mut Session<T>,
    shared: &Shared,
    pong: Pong,
    was_silent: bool,
    now: Nanos,
) {
    if was_silent && pong != Pong::Unsolicited {
        session.note(|diary| diary.resumed(now));
    }
    match pong {
        Pong::InTime { .. } => {}
        Pong::Late { .. } | Pong::Overdue { .. } => session.heard.late_pong = Some(now),
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
        if let Some(rtt) = rtt {
            cells.time(Timer::HeartbeatRtt, rtt);
            cells.time(Timer::HeartbeatDelay, now.saturating_sub(at));
        }
    });
}

fn text_pong<T: Transport>(
    session: &mut Session<T>,
    shared: &Shared,
    bytes: &[u8],
    now: Nanos,
) -> Option<Pong> {
    let heart = session.heart.as_mut()?;
    match &shared.plan.cohort(session.cohort).heartbeat.as_ref()?.kind {
        HeartbeatKind::Text { expect, .. } if expect.as_bytes() == bytes => {
            Some(heart.pong_in_order(now))
        }
        _ => None,
    }
}

/// The server asked whether we are alive.
pub(super) fn server_ping<T>(session: &mut Session<T>, shared: &Shared, now: Nanos) {
    let last = session.heard.ping.replace(now);
    shared.record(session.cohort, now, |cells| {
        cells.count(Counter::ServerPings);
        if let Some(last) = last {
            cells.time(Timer::ServerPingInterval, now - last);
        }
    });
}

impl<T: Transport> Session<T> {
    /// The frame of a message that is due, put together in `scratch`.
    pub(super) fn frame<'a>(
        &self,
        message: usize,
        due: Due,
        series: &Series,
        shared: &Shared,
        scratch: &'a mut Vec<u8>,
    ) -> Frame<'a> {
        let stamp = || series.stamp(due.sequence, due.intended);
        let template = shared.plan.template(self.cohort, message);
        template.write(stamp, scratch);
        match shared.plan.cohort(self.cohort).messages[message].frame {
            FrameKind::Text => Frame::Text(scratch),
            FrameKind::Binary => Frame::Binary(scratch),
        }
    }
}

/// The frame of a ping that is due, of the kind that its cohort sends.
pub(super) fn ping_frame<'a>(shared: &'a Shared, cohort: usize, name: &'a [u8]) -> Frame<'a> {
    let heartbeat = shared.plan.cohort(cohort).heartbeat.as_ref();
    match heartbeat.map(|heartbeat| &heartbeat.kind) {
        Some(HeartbeatKind::Text { send, .. }) => Frame::Text(send.as_bytes()),
        _ => Frame::Ping(name),
    }
}
