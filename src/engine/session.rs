//! One open connection, from its 101 to the end of TCP: sends what is due, takes what comes, judges nothing.
//!
//! | state | left by |
//! |---|---|
//! | live: sends, pings, waits for answers | a Close frame received; the end of its time, once no answer is due; death |
//! | closing: a Close frame was sent or received | the end of TCP; `close_timeout` |

use std::task::{Context, Poll};

use super::cause::{Evidence, NO_CODE, Verdict};
use super::exchange::{Exchange, Next};
use super::heart::{Heart, Missed};
use super::inbox;
use super::life::Diary;
use super::misconduct::Misconduct;
use super::outbox::Outbox;
use super::shared::Shared;
use super::transport::{Event, Frame, Lost, Transport};
use crate::measure::{EndedBy, Life, TcpView};
use crate::metric::{Counter, Side, Timer};
use crate::plan::{Nanos, Opening, Until, fraction, nanos};
use crate::scenario::OnDead;

/// Taken from a connection before others have their turn.
const EVENTS_AT_ONCE: usize = 64;
/// Sends and reads in turn before others have theirs.
const ROUNDS_AT_ONCE: usize = 8;

/// RFC 6455 section 7.4.1: the purpose for which the connection was established has been fulfilled.
const NORMAL: u16 = 1000;
/// What a heartbeat that was missed is closed with, as other stacks do.
const MISSED: u16 = 1011;

/// One open connection.
pub(super) struct Session<T> {
    pub(super) transport: T,
    pub(super) connection: u32,
    pub(super) cohort: usize,
    /// When its 101 came.
    pub(super) opened: Nanos,
    pub(super) heart: Option<Heart>,
    pub(super) evidence: Evidence,
    /// The last bytes received, and the last message among them.
    pub(super) last_received: Option<Nanos>,
    pub(super) last_message: Option<Nanos>,
    pub(super) last_server_ping: Option<Nanos>,
    /// When it was declared dead.
    died: Option<Nanos>,
    /// When its own time is over; the run's end may come sooner.
    stop_at: Nanos,
    state: State,
    pub(super) outbox: Outbox,
    /// What it does wrong, where it does.
    pub(super) misconduct: Option<Box<Misconduct>>,
    /// What is kept of it, where somebody asks.
    diary: Option<Box<Diary>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Live,
    Closing { since: Nanos, deadline: Nanos },
}

/// What a session tells when it is over, or has something to be recorded while it goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The connection is gone.
    Over,
    /// The peer was declared dead and the connection is kept.
    DeadButKept,
}

impl<T: Transport> Session<T> {
    /// `lost_before` is when the connection before it, of the same client, was lost.
    pub(super) fn new(
        transport: T,
        opening: &Opening,
        lost_before: Option<Nanos>,
        now: Nanos,
        shared: &Shared,
    ) -> Self {
        let Opening {
            connection,
            cohort,
            until,
            ..
        } = *opening;
        let heartbeat = shared.plan.cohort(cohort).heartbeat.as_ref();
        let heart = heartbeat
            .zip(shared.plan.pings(cohort, connection))
            .map(|(heartbeat, pacer)| Heart::new(heartbeat, pacer, now));
        let conduct = shared.plan.conduct(cohort, connection);
        let stamp = transport.received_at(&*shared.clock);
        let opened = stamp.map_or(now, |stamp| stamp.min(now));
        let mut session = Self {
            connection,
            cohort,
            opened,
            heart,
            evidence: Evidence::default(),
            last_received: None,
            last_message: None,
            last_server_ping: None,
            died: None,
            stop_at: match until {
                Until::End => Nanos::MAX,
                Until::At(time) => time,
                Until::After(lifetime) => opened.saturating_add(lifetime),
            },
            state: State::Live,
            outbox: Outbox::default(),
            misconduct: Misconduct::new(&conduct, opened),
            diary: Diary::new(connection, cohort, &conduct, opened, lost_before),
            transport,
        };
        if session.diary.is_some() {
            let port = session.transport.local_port();
            session.note(|diary| diary.port(port));
        }
        session
    }

    /// Does what is due and takes what has come. `set_deadline` is told when to be called again.
    pub(super) fn poll(
        &mut self,
        exchanges: &mut [Exchange],
        shared: &Shared,
        cx: &mut Context<'_>,
        set_deadline: impl FnOnce(Nanos),
    ) -> Poll<Outcome> {
        let mut now = shared.clock.now();
        // A busy worker looks at its deadlines between polls instead of waiting for its timer.
        shared.deadlines.fire(now);
        let mut taken = 0;
        let mut rounds = 0;
        // What has come is taken before a deadline is judged: a late worker does not make a peer silent.
        let mut ended = None;
        if self
            .heart
            .as_ref()
            .is_some_and(|heart| heart.deadline() <= now)
        {
            ended = self.receive(exchanges, shared, cx, now, &mut taken);
        }
        loop {
            rounds += 1;
            if ended.is_none() {
                if let Some(outcome) = self.act(exchanges, shared, now) {
                    return Poll::Ready(outcome);
                }
                if self.outbox.flush(&mut self.transport, cx) {
                    // An answer cannot have come before the send it answers.
                    now = shared.clock.now();
                }
                ended = self.receive(exchanges, shared, cx, now, &mut taken);
            }
            self.count_bytes(shared, now);
            if let Some(lost) = ended {
                self.end(lost, shared, now);
                return Poll::Ready(Outcome::Over);
            }
            let deadline = self.deadline(exchanges, shared, now);
            let others_turn = taken >= EVENTS_AT_ONCE || rounds >= ROUNDS_AT_ONCE;
            let more = self.outbox.wants_flush() || deadline <= now;
            if more && !others_turn {
                continue;
            }
            if more || taken >= EVENTS_AT_ONCE {
                cx.waker().wake_by_ref();
            }
            set_deadline(deadline);
            return Poll::Pending;
        }
    }

    /// Takes what has come, up to its share. Says how the connection was lost, if it was.
    fn receive(
        &mut self,
        exchanges: &mut [Exchange],
        shared: &Shared,
        cx: &mut Context<'_>,
        now: Nanos,
        taken: &mut usize,
    ) -> Option<Lost> {
        while *taken < EVENTS_AT_ONCE {
            if !self.reads() {
                return self.await_end(shared, cx, now);
            }
            match self.transport.poll_event(cx) {
                Poll::Ready(Ok(event)) => self.take(event, exchanges, shared, now),
                Poll::Ready(Err(lost)) => return Some(lost),
                Poll::Pending => return self.outbox.take_lost(),
            }
            *taken += 1;
        }
        None
    }

    fn act(&mut self, exchanges: &mut [Exchange], shared: &Shared, now: Nanos) -> Option<Outcome> {
        for exchange in exchanges.iter_mut() {
            while let Some(intended) = exchange.expire(now) {
                shared.record(self.cohort, intended, |cells| {
                    cells.count(Counter::MessagesTimedOut);
                });
            }
        }
        if let Some(outcome) = self.misbehave(shared, now) {
            return Some(outcome);
        }
        if let State::Closing { deadline, .. } = self.state {
            return (now >= self.gives_up_at(deadline, shared, now)).then(|| {
                self.evidence.stuck = self.outbox.is_blocked() && self.evidence.dead.is_none();
                Outcome::Over
            });
        }
        if let Some(outcome) = self.mind_heart(shared, now) {
            return Some(outcome);
        }
        if self.is_closing() {
            // Dead: a Close frame went out, and nothing may follow it.
            return None;
        }
        let stop = self.stop(shared);
        self.send(exchanges, shared, now, stop);
        if now >= stop {
            for exchange in exchanges.iter_mut() {
                while let Some(intended) = exchange.give_up(stop) {
                    not_sent(shared, self.cohort, intended);
                }
            }
            if now >= self.closes_at(shared) && self.is_settled(exchanges) {
                if let Some(outcome) = self.cut_off() {
                    return Some(outcome);
                }
                self.close(Some(NORMAL), "", EndedBy::Plan, shared, now);
            }
        }
        None
    }

    /// The end of TCP is waited for until then. What is held is held to the end of the run.
    fn gives_up_at(&self, deadline: Nanos, shared: &Shared, now: Nanos) -> Nanos {
        if self.is_held(now) {
            deadline.max(self.closes_at(shared))
        } else {
            deadline
        }
    }

    /// Nothing is due on this connection from here on.
    fn stop(&self, shared: &Shared) -> Nanos {
        self.stop_at.min(shared.state.end())
    }

    /// At its own time, or at its place in `ramp_down`.
    fn closes_at(&self, shared: &Shared) -> Nanos {
        let ramp_down = nanos(shared.plan.scenario.load.ramp_down) as f64;
        let place = shared.plan.place(self.cohort, self.connection);
        let at_end = shared
            .state
            .end()
            .saturating_add((ramp_down * fraction(place)) as Nanos);
        self.stop_at.min(at_end)
    }

    fn is_settled(&self, exchanges: &[Exchange]) -> bool {
        exchanges.iter().all(Exchange::is_settled)
            && self.heart.as_ref().is_none_or(Heart::is_settled)
    }

    fn send(&mut self, exchanges: &mut [Exchange], shared: &Shared, now: Nanos, stop: Nanos) {
        for (index, exchange) in exchanges.iter_mut().enumerate() {
            while self.outbox.has_room() {
                match exchange.next(now, stop) {
                    Next::Wait => break,
                    Next::GiveUp(intended) => not_sent(shared, self.cohort, intended),
                    Next::Send(due) => {
                        let frame = self.frame(index, due, shared);
                        self.outbox.feed(&mut self.transport, frame);
                        exchange.sent(due, now);
                        shared.record(self.cohort, due.intended, |cells| {
                            cells.count(Counter::MessagesDue);
                            cells.count(Counter::MessagesSent);
                            cells.time(Timer::ScheduleLateness, now - due.intended);
                        });
                    }
                }
            }
        }
    }

    fn mind_heart(&mut self, shared: &Shared, now: Nanos) -> Option<Outcome> {
        let stop = self.stop(shared);
        let heart = self.heart.as_mut()?;
        while let Some(Missed { intended, dead }) = heart.expire(now, self.last_received) {
            shared.record(self.cohort, intended, |cells| {
                cells.count(Counter::PingsMissed)
            });
            if dead {
                return self.die(shared, now);
            }
        }
        let intended = heart.next_ping();
        if intended <= now && intended < stop && self.outbox.has_room_for_ping() {
            let sequence = heart.ping(now);
            let frame = self.ping_frame(sequence, shared);
            self.outbox.feed_ping(&mut self.transport, frame);
            shared.record(self.cohort, intended, |cells| {
                cells.count(Counter::PingsSent);
                cells.time(Timer::ScheduleLateness, now - intended);
            });
        }
        None
    }

    fn die(&mut self, shared: &Shared, now: Nanos) -> Option<Outcome> {
        let last_sign = self.last_received.unwrap_or(self.opened);
        shared.whole(self.cohort, |cells| {
            cells.count(Counter::ConnectionsDead);
            cells.time(Timer::HeartbeatDetection, now.saturating_sub(last_sign));
        });
        shared.shard.borrow_mut().cohorts[self.cohort].open.dead += 1;
        self.evidence.dead = Some(self.tcp_view());
        self.died = Some(now);
        self.note(|diary| diary.died(now));
        let heartbeat = shared.plan.cohort(self.cohort).heartbeat.as_ref()?;
        match heartbeat.on_dead {
            OnDead::Reconnect => {
                self.note(|diary| diary.decided(EndedBy::Heartbeat));
                Some(Outcome::Over)
            }
            OnDead::Keep => Some(Outcome::DeadButKept),
            OnDead::Close => {
                let reason = "heartbeat timeout";
                self.close(Some(MISSED), reason, EndedBy::Heartbeat, shared, now);
                None
            }
        }
    }

    pub(super) fn close(
        &mut self,
        code: Option<u16>,
        reason: &'static str,
        by: EndedBy,
        shared: &Shared,
        now: Nanos,
    ) {
        let frame = Frame::Close { code, reason };
        self.outbox.feed(&mut self.transport, frame);
        self.evidence.sent = Some((code.unwrap_or(NO_CODE), Side::Local));
        if let Some(misconduct) = &mut self.misconduct {
            misconduct.faults.close();
        }
        self.note(|diary| diary.close_sent(now, code));
        self.closing(by, shared, now);
    }

    fn closing(&mut self, by: EndedBy, shared: &Shared, now: Nanos) {
        self.note(|diary| diary.decided(by));
        let timeout = nanos(shared.plan.scenario.target.close_timeout);
        let patience = match (by, &self.diary) {
            (EndedBy::Server | EndedBy::Fault, Some(diary)) => diary.patience,
            _ => 0,
        };
        self.state = State::Closing {
            since: now,
            deadline: now.saturating_add(timeout.max(patience)),
        };
        let mut shard = shared.shard.borrow_mut();
        let open = &mut shard.cohorts[self.cohort].open;
        open.open -= 1;
        open.closing += 1;
    }

    fn take(&mut self, event: Event, exchanges: &mut [Exchange], shared: &Shared, now: Nanos) {
        let at = self.received_at(shared, now);
        self.last_received = Some(at);
        match event {
            Event::Text(bytes) => {
                self.note(|diary| diary.answer(at));
                inbox::message(self, exchanges, shared, &bytes, true, now);
            }
            Event::Binary(bytes) => {
                self.note(|diary| diary.answer(at));
                inbox::message(self, exchanges, shared, &bytes, false, now);
            }
            Event::Pong(bytes) => {
                self.note(|diary| diary.answer(at));
                inbox::pong(self, shared, &bytes, at);
            }
            Event::Ping(bytes) => {
                self.outbox.ask_flush();
                let is_answered = match &mut self.misconduct {
                    Some(misconduct) => misconduct.faults.ping(&bytes, at),
                    None => !shared.plan.is_mute(self.cohort),
                };
                self.note(|diary| diary.ping(at, is_answered));
                inbox::server_ping(self, shared, at);
            }
            Event::Close { code, reason } => self.take_close(code, reason, shared, at, now),
        }
    }

    fn take_close(
        &mut self,
        code: Option<u16>,
        reason: String,
        shared: &Shared,
        at: Nanos,
        now: Nanos,
    ) {
        // What is sent from here on is our answer, and no sign of life.
        self.count_bytes(shared, now);
        if let Err(lost) = self.closed_by_peer(now) {
            self.evidence.lost = Some(lost);
        }
        self.note(|diary| diary.close_received(at, code, &reason));
        self.evidence.received.get_or_insert(code);
        self.evidence.reason = reason;
        if self.state == State::Live {
            self.evidence.sent = Some((code.unwrap_or(NORMAL), Side::Peer));
            self.closing(EndedBy::Server, shared, now);
            self.outbox.ask_flush();
        }
    }

    fn count_bytes(&mut self, shared: &Shared, now: Nanos) {
        let (sent, received) = self.transport.take_bytes();
        if sent > 0 {
            self.note(|diary| diary.sent(now));
        }
        shared.whole(self.cohort, |cells| {
            cells.add(Counter::BytesSent, sent);
            cells.add(Counter::BytesReceived, received);
        });
    }

    /// When what is taken now reached this machine; now, where that is not watched. It can have come since this turn
    /// began, for a busy machine may put us aside between a look at the clock and a read.
    pub(super) fn received_at(&self, shared: &Shared, now: Nanos) -> Nanos {
        if self.diary.is_none() {
            return now;
        }
        let at = self.transport.received_at(&*shared.clock);
        at.map_or(now, |at| at.max(self.opened.min(now)))
    }

    fn end(&mut self, lost: Lost, shared: &Shared, now: Nanos) {
        let at = self.received_at(shared, now);
        if let (State::Closing { since, .. }, Some((_, Side::Local)), Lost::Tcp(_)) =
            (self.state, self.evidence.sent, &lost)
        {
            shared.whole(self.cohort, |cells| {
                cells.time(Timer::CloseDuration, at.saturating_sub(since));
            });
        }
        if let Lost::Tcp(end) = &lost {
            self.note(|diary| diary.tcp_ended(at, *end));
        }
        self.note(|diary| diary.decided(EndedBy::Server));
        self.evidence.lost = Some(lost);
    }

    /// Writes something down, where somebody asks for it.
    pub(super) fn note(&mut self, what: impl FnOnce(&mut Diary)) {
        if let Some(diary) = &mut self.diary {
            what(diary);
        }
    }

    /// Its life, once it is over, where somebody asks for it.
    pub(super) fn life(&mut self, verdict: &Verdict, now: Nanos) -> Option<Life> {
        let diary = self.diary.take()?;
        let faults = self
            .misconduct
            .as_ref()
            .map(|misconduct| &misconduct.faults);
        Some(diary.close(faults, verdict, self.transport.frames_after_close(), now))
    }

    /// When there is something to do again, if nothing comes in before.
    fn deadline(&self, exchanges: &[Exchange], shared: &Shared, now: Nanos) -> Nanos {
        let mut first = Nanos::MAX;
        for exchange in exchanges.iter() {
            first = first.min(exchange.times_out());
        }
        if let Some(misconduct) = &self.misconduct {
            first = first.min(misconduct.faults.next(!self.outbox.is_blocked()));
        }
        if let State::Closing { deadline, .. } = self.state {
            return first.min(self.gives_up_at(deadline, shared, now));
        }
        let stop = self.stop(shared);
        if let Some(heart) = &self.heart {
            first = first.min(heart.deadline());
            if heart.next_ping() < stop && self.outbox.has_room_for_ping() {
                first = first.min(heart.next_ping());
            }
        }
        if now >= stop {
            if self.is_settled(exchanges) {
                first = first.min(self.closes_at(shared));
            }
            return first;
        }
        // The end of the run is not waited for here: the worker wakes its connections then, a few at a time.
        first = first.min(self.stop_at);
        if self.outbox.has_room() {
            for exchange in exchanges {
                first = first.min(exchange.wakes(stop));
            }
        }
        first
    }

    /// From when on its schedule asked for nothing more: its own time was over, it was closing, or it was lost `now`.
    pub(super) fn due_until(&self, shared: &Shared, now: Nanos) -> Nanos {
        let ended = match self.state {
            State::Live => now,
            State::Closing { since, .. } => since,
        };
        ended.min(self.stop(shared))
    }

    /// Whether it was declared dead, and nothing came since.
    pub(super) fn is_silent(&self) -> bool {
        self.died
            .is_some_and(|died| self.last_received < Some(died))
    }

    /// In which state it is or was.
    pub(super) fn is_closing(&self) -> bool {
        self.state != State::Live
    }

    /// The kernel's view of it.
    pub(super) fn tcp_view(&self) -> Option<TcpView> {
        self.transport.tcp_view()
    }
}

/// Counts a message that could not be sent.
pub(super) fn not_sent(shared: &Shared, cohort: usize, intended: Nanos) {
    shared.record(cohort, intended, |cells| {
        cells.count(Counter::MessagesDue);
        cells.count(Counter::MessagesNotSent);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::websocket::WebSocket;

    /// There are thousands of them, and hardly any is watched or does wrong.
    #[test]
    fn an_open_connection_stays_small() {
        let size = size_of::<Session<WebSocket>>();
        assert!(size <= 816, "{size}");
    }
}
