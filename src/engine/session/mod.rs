//! One open connection, from its 101 to the end of TCP: sends what is due and records what comes; judges nothing.
//!
//! | state | left by |
//! |---|---|
//! | live: sends, pings, waits for answers | a Close frame is received; its time is over and no answer is due; death |
//! | closing: a Close frame was sent or received | the end of TCP; `close_timeout` |

pub(super) mod cause;
mod ending;
mod fault;
mod fault_runner;
mod heartbeat;
mod held;
mod inbox;
mod outbox;
mod packets;
mod receiving;
mod recorder;
mod sending;
mod silence;
#[cfg(test)]
pub(super) mod tests;

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use self::cause::Evidence;
pub(super) use self::cause::{Redial, Verdict};
use self::fault_runner::FaultRunner;
use self::heartbeat::Quiet;
use self::held::Held;
use self::outbox::Outbox;
use self::recorder::Recorder;
pub(super) use self::sending::unsent;
use self::silence::Heard;
use crate::engine::heart::Heart;
use crate::engine::play::Play;
use crate::engine::shared::Shared;
use crate::measure::{EndedBy, Listener};
use crate::metric::Counter;
use crate::mqtt::Packets;
use crate::net::Transport;
use crate::plan::{Opening, Split, Until};
use crate::scenario::PingKind;
use crate::units::{Nanos, Timestamp};

/// How often it checks for what is due before it yields to others.
const ROUNDS_AT_ONCE: usize = 8;

/// RFC 6455 section 7.4.1: normal closure, the purpose of the connection has been fulfilled.
pub(super) const NORMAL: u16 = 1000;
/// The code of our Close after a missed heartbeat, as in other implementations.
const MISSED: u16 = 1011;

/// One open connection.
pub(super) struct Session<T> {
    transport: T,
    connection: u32,
    cohort: usize,
    /// When its 101 came.
    opened: Timestamp,
    heart: Option<Heart>,
    quiet: Quiet,
    evidence: Evidence,
    /// When the last whole frame was received.
    last_received: Option<Timestamp>,
    /// When the last data of each kind was received.
    heard: Heard,
    /// When it was declared dead.
    declared_dead: Option<Timestamp>,
    /// The end of its own time; its turn in `ramp_down` may come sooner.
    stop_at: Timestamp,
    /// Whether its own time ends when all its steps are played.
    ends_with_steps: bool,
    /// Its turn in `ramp_down`: how long after the end of the load.
    ramp_down: Nanos,
    state: State,
    outbox: Outbox,
    /// The topics that it is in; `None` if the plan publishes nothing.
    listener: Option<Box<Listener>>,
    /// Whether the peer holds messages up; `None` while it has always taken bytes.
    held: Option<Box<Held>>,
    /// Its faults; `None` for a healthy client.
    fault_runner: Option<Box<FaultRunner>>,
    /// Records what contracts are judged by; `None` without a contract.
    recorder: Option<Box<Recorder>>,
    /// Whether its client is ready.
    is_ready: bool,
    /// Whether each frame is a message, and none of them belongs to the heartbeat.
    is_plain: bool,
    lazy: Lazy,
    /// Its packets, where messages are some.
    packets: Option<Box<Packets>>,
}

/// Whether it knows when what it takes has come, and its plan lets that wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lazy {
    No,
    Yes,
    /// The runtime looks for what came before a deadline that is over.
    Looks,
}

/// A point at which something of a session begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// The connection is open.
    Open,
    /// Its client is ready.
    Ready,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Live,
    Closing {
        since: Timestamp,
        deadline: Timestamp,
        /// The deadline was put off once, because it was checked too late.
        put_off: bool,
    },
}

/// What a session reports: that it is over, or something that is to be recorded while it goes on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum SessionEvent {
    /// The connection is gone.
    Over,
    /// Its client is ready.
    Ready,
    /// The peer was declared dead, the connection is kept, and it is known whether the pong came late.
    DeadButKept,
}

impl<T: Transport> Session<T> {
    /// `lost_before` is when the previous connection of the same client was lost.
    pub(super) fn new(
        transport: T,
        opening: &Opening,
        lost_before: Option<Timestamp>,
        now: Timestamp,
        shared: &Shared,
    ) -> Self {
        let Opening {
            connection,
            cohort,
            until,
            ..
        } = *opening;
        let fault_plan = shared.plan.fault_plan(cohort, connection);
        let client = shared.plan.client(cohort, connection);
        let stamp = transport.received_at(&*shared.clock);
        let opened = stamp.map_or(now, |stamp| stamp.min(now));
        let mut session = Self {
            connection,
            cohort,
            opened,
            heart: None,
            quiet: Quiet::new(client.cohort().silence()),
            evidence: Evidence::default(),
            last_received: None,
            heard: Heard::default(),
            declared_dead: None,
            stop_at: match until {
                Until::End | Until::Steps => Timestamp::NEVER,
                Until::At(time) => time,
                Until::After(lifetime) => opened.saturating_add(lifetime),
            },
            ends_with_steps: until == Until::Steps,
            ramp_down: shared.plan.ramp_down(cohort, connection),
            state: State::Live,
            outbox: Outbox::default(),
            listener: shared.listener(cohort, connection),
            held: None,
            fault_runner: None,
            recorder: Recorder::new(connection, cohort, &fault_plan, opened, lost_before),
            is_ready: false,
            is_plain: shared.plan.split.is_none() && !client.has_text_heartbeat(),
            lazy: match stamp.is_some() && shared.plan.is_lazy(cohort) {
                true => Lazy::Yes,
                false => Lazy::No,
            },
            packets: match shared.plan.split {
                Some(Split::Mqtt) => Some(Box::new(Packets::new(client.exchanges()))),
                Some(Split::Text(_)) | None => None,
            },
            transport,
        };
        if session.recorder.is_some() {
            let port = session.transport.local_port();
            session.note(|recorder| recorder.port(port));
        }
        session.begin(Begin::Open, shared, now);
        session
    }

    /// Begins with what begins at this point: its pings and its faults. Messages and faults wait until its client is ready.
    fn begin(&mut self, at: Begin, shared: &Shared, now: Timestamp) {
        let plan = &shared.plan;
        let pings = plan.cohort(self.cohort).pings();
        let pings = pings.zip(plan.pings(self.cohort, self.connection));
        let pings = pings.filter(|(pings, _)| match pings.kind {
            PingKind::Frames => at == Begin::Open,
            PingKind::Text { .. } => at == Begin::Ready,
        });
        if let Some((pings, pacer)) = pings {
            self.heart = Some(Heart::new(pings, pacer, now));
        }
        if at == Begin::Ready {
            let fault_plan = plan.fault_plan(self.cohort, self.connection);
            let client = plan.client(self.cohort, self.connection);
            let since = match client.program().has_setup() {
                true => now,
                false => self.opened,
            };
            self.fault_runner = FaultRunner::new(&fault_plan, since);
            self.note(|recorder| recorder.ready(since));
        }
    }

    /// Does what is due and takes what has come. Passes the time of the next call to `set_deadline`.
    pub(super) fn poll(
        &mut self,
        play: &mut Play,
        shared: &Shared,
        cx: &mut Context<'_>,
        set_deadline: impl FnOnce(Timestamp, &Waker),
    ) -> Poll<SessionEvent> {
        let mut now = shared.clock.now();
        // Fires deadlines between polls, because a busy worker may not reach its timer for long.
        shared.deadlines.fire(now);
        let mut rounds = 0;
        // Takes what has come before it judges a deadline: a late worker must not make a peer look silent. Once all was
        // taken, the transport wakes us for more.
        let mut ended = self.receive(play, shared, cx, now);
        if self.lazy != Lazy::No && ended.is_none() && self.looks_first(play, now) {
            let _ = pin!(tokio::task::yield_now()).poll(cx);
            return Poll::Pending;
        }
        loop {
            rounds += 1;
            if ended.is_none() {
                if let Some(event) = self.run_due(play, shared, now) {
                    return Poll::Ready(event);
                }
                self.outbox.flush(&mut self.transport, cx);
                if self.outbox.is_blocked() || self.held.is_some() {
                    let held = self.held.get_or_insert_default();
                    held.observe(self.outbox.is_blocked(), now);
                }
                // Reads again after a failed send: what came before the end is still in the socket.
                if self.outbox.has_lost() || !self.reads() {
                    // Reads the clock again: an answer cannot have come before the send it answers.
                    now = shared.clock.now();
                    ended = self.receive(play, shared, cx, now);
                }
            }
            if let Some(lost) = &ended {
                self.send_final_close(lost, cx);
            }
            self.count_bytes(shared, now);
            if let Some(lost) = ended {
                self.end(lost, shared, now);
                return Poll::Ready(SessionEvent::Over);
            }
            let deadline = self.deadline(play, shared, now);
            if self.outbox.wants_flush() || deadline <= now {
                if rounds < ROUNDS_AT_ONCE {
                    continue;
                }
                cx.waker().wake_by_ref();
            }
            set_deadline(deadline, cx.waker());
            return Poll::Pending;
        }
    }

    /// Does all that is due now. Returns an event if that ended the session, or declared the peer dead.
    fn run_due(
        &mut self,
        play: &mut Play,
        shared: &Shared,
        now: Timestamp,
    ) -> Option<SessionEvent> {
        self.expire(play, shared, now);
        if let Some(event) = self.play_faults(shared, now) {
            return Some(event);
        }
        if let State::Closing { deadline, .. } = self.state {
            let gives_up_at = self.gives_up_at(deadline, shared, now);
            return (now >= gives_up_at && !self.puts_off(gives_up_at, shared, now)).then(|| {
                self.evidence.stuck = self.outbox.is_blocked() && self.evidence.dead.is_none();
                self.evidence.is_cut_short = now < deadline;
                if self.evidence.received.is_some() && !self.is_held(now) {
                    let lost = self.evidence.lost.take();
                    self.evidence.lost = lost.or_else(|| self.transport.give_up().map(Box::new));
                }
                SessionEvent::Over
            });
        }
        if let Some(event) = self.run_heartbeat(play, shared, now) {
            return Some(event);
        }
        if self.is_closing() {
            // The peer is dead and a Close frame was sent; nothing may follow it.
            return None;
        }
        let mut stop = self.stop(shared);
        if play.has_talk()
            && let Some(event) = self.talk(play, shared, now, stop)
        {
            return Some(event);
        }
        if self.is_closing() {
            return None;
        }
        self.send(play, shared, now, stop);
        if self.ends_with_steps {
            stop = self.stop_behind_steps(play, shared, now);
        }
        if now >= stop {
            while let Some(lapsed) = play.give_up(stop) {
                if !lapsed.is_setup {
                    self.not_sent(shared, lapsed.intended, now);
                }
            }
            if self.is_settled(play, shared, stop, now) {
                if self.is_dead() {
                    return Some(SessionEvent::DeadButKept);
                }
                if let Some(event) = self.cut_off() {
                    return Some(event);
                }
                self.close(Some(NORMAL), "", EndedBy::Plan, shared, now);
            }
        }
        None
    }

    /// Counts the bytes that were sent and received since the last call.
    pub(super) fn count_bytes(&mut self, shared: &Shared, now: Timestamp) {
        let (sent, received) = self.transport.take_bytes();
        if sent > 0 {
            self.note(|recorder| recorder.sent(now));
        }
        if received > 0 {
            self.heard.bytes = Some(now);
        }
        shared.whole(self.cohort, |cells| {
            cells.add(Counter::BytesSent, sent);
            cells.add(Counter::BytesReceived, received);
        });
        if let Some((sent, received)) = self.transport.take_packed() {
            shared.whole(self.cohort, |cells| {
                cells.add(Counter::CompressedSent, sent.messages);
                cells.add(Counter::CompressedSentPlain, sent.plain);
                cells.add(Counter::CompressedSentWire, sent.wire);
                cells.add(Counter::CompressedReceived, received.messages);
                cells.add(Counter::CompressedReceivedPlain, received.plain);
                cells.add(Counter::CompressedReceivedWire, received.wire);
            });
        }
    }

    /// Whether what comes for it may wait until something is due: no part of a message is on its way in either direction.
    #[inline]
    pub(super) fn may_wait(&self) -> bool {
        self.lazy != Lazy::No
            && self.is_ready
            && self.state == State::Live
            && !self.outbox.is_blocked()
            && !self.transport.is_amid()
    }

    /// Whether a deadline is over, and the runtime has not looked since: a worker that has slept until then has not taken what
    /// came in time. Says so once for each deadline.
    fn looks_first(&mut self, play: &Play, now: Timestamp) -> bool {
        let ping = (self.heart.as_ref()).map_or(Timestamp::NEVER, Heart::deadline);
        let first = play.expires().min(ping).min(self.silent_at());
        let looks = first <= now && self.lazy == Lazy::Yes;
        self.lazy = if looks { Lazy::Looks } else { Lazy::Yes };
        looks
    }

    /// Calls the recorder, if there is one.
    fn note(&mut self, what: impl FnOnce(&mut Recorder)) {
        if let Some(recorder) = &mut self.recorder {
            what(recorder);
        }
    }

    /// Returns when there is something to do again, if nothing comes before.
    fn deadline(&self, play: &Play, shared: &Shared, now: Timestamp) -> Timestamp {
        let mut first = play.expires();
        if let Some(fault_runner) = &self.fault_runner {
            first = first.min(fault_runner.faults.next(!self.outbox.is_blocked()));
        }
        if let State::Closing { deadline, .. } = self.state {
            return first.min(self.gives_up_at(deadline, shared, now));
        }
        let stop = self.stop(shared);
        let silent_at = self.silent_at();
        if silent_at <= stop {
            first = first.min(silent_at);
        }
        if let Some(heart) = &self.heart {
            first = first.min(heart.deadline());
            let until = self.pings_until(play, shared, stop, now);
            if heart.next_ping() < until && self.outbox.has_room_for_ping() {
                first = first.min(heart.next_ping());
            }
        }
        if now >= stop {
            let listens_until = self.listens_until(shared, stop);
            let ends = [listens_until, shared.state.answers_until()];
            let ends = ends.into_iter().filter(|end| now < *end);
            return ends.fold(first, Timestamp::min);
        }
        // Does not wait for the end of the load: the worker wakes its connections then, a few at a time.
        let known = if shared.is_over(now) {
            stop
        } else {
            self.stop_at
        };
        first = first.min(known);
        if self.outbox.has_room() {
            first = first.min(play.wakes(stop, shared.state.measure_from()));
        }
        first
    }
}
