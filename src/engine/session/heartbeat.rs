//! The heartbeat of a session: when pings are sent, what pongs and the server's own pings mean, be they frames or
//! messages, and when the peer is dead.

use super::cause;
use super::silence::Silence;
use super::{MISSED, Session, SessionEvent};
use crate::engine::heart::{Heart, Missed, Pong};
use crate::engine::play::Play;
use crate::engine::shared::Shared;
use crate::frame::Frame;
use crate::measure::{By, EndedBy, Fitting, Happened};
use crate::metric::{Counter, Timer};
use crate::net::Transport;
use crate::plan::{PingName, TextPong};
use crate::scenario::OnDead;
use crate::units::{Nanos, Timestamp};

/// How long nothing may come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quiet {
    /// [`Nanos::MAX`]: for ever.
    limit: Nanos,
    /// Not before this time, because it was looked at too late.
    put_off: Timestamp,
}

impl Quiet {
    pub(super) fn new(limit: Option<std::time::Duration>) -> Self {
        Self {
            limit: limit.map_or(Nanos::MAX, Nanos::from),
            put_off: Timestamp::ORIGIN,
        }
    }

    /// When it is over, if the last data came at this time.
    fn ends(&self, last: Timestamp) -> Timestamp {
        last.saturating_add(self.limit).max(self.put_off)
    }

    /// Returns whether it is over. Puts it off once, by a tenth, if this is called later than that: the worker was
    /// stopped, and what came meanwhile may still be in the relay.
    fn is_over(&mut self, last: Timestamp, now: Timestamp) -> bool {
        let ends = self.ends(last);
        if ends > now {
            return false;
        }
        let tenth = self.limit / 10;
        if self.put_off <= last && now.saturating_since(ends) > tenth {
            self.put_off = now.saturating_add(tenth);
            return false;
        }
        true
    }
}

impl<T: Transport> Session<T> {
    /// When the last data came; the 101 if none did.
    fn last_sign(&self) -> Timestamp {
        let last = self.last_received.max(self.heard.bytes);
        last.unwrap_or(self.opened)
    }

    /// When the peer is dead if nothing comes until then.
    pub(super) fn silent_at(&self) -> Timestamp {
        match self.declared_dead {
            Some(_) => Timestamp::NEVER,
            None => self.quiet.ends(self.last_sign()),
        }
    }

    /// It hears nothing more, so nothing is known of the peer.
    pub(super) fn stop_listening(&mut self, shared: &Shared) {
        self.forget_pings(shared);
        self.heart = None;
        self.quiet = Quiet::new(None);
    }

    /// Books that no pong is waited for any more.
    pub(in crate::engine) fn forget_pings(&self, shared: &Shared) {
        if let Some(heart) = &self.heart {
            self.waits(shared, heart.waiting(), 0);
        }
    }

    /// Changes the heartbeat, if there is one, and books how many pings wait.
    fn with_heart<R>(
        &mut self,
        shared: &Shared,
        change: impl FnOnce(&mut Heart) -> R,
    ) -> Option<R> {
        let heart = self.heart.as_mut()?;
        let before = heart.waiting();
        let changed = change(heart);
        let after = heart.waiting();
        self.waits(shared, before, after);
        Some(changed)
    }

    fn waits(&self, shared: &Shared, before: u64, after: u64) {
        if before != after {
            let pinged = &mut shared.shard.borrow_mut().cohorts[self.cohort].open.pinged;
            *pinged = (*pinged + after).saturating_sub(before);
        }
    }

    pub(super) fn run_heartbeat(
        &mut self,
        play: &Play,
        shared: &Shared,
        now: Timestamp,
    ) -> Option<SessionEvent> {
        if self.is_death_settled() {
            return Some(SessionEvent::DeadButKept);
        }
        let stop = self.stop(shared);
        let silent_at = self.silent_at();
        if silent_at <= now && silent_at <= stop {
            self.count_bytes(shared, now);
            let last = self.last_sign();
            if self.quiet.is_over(last, now) {
                let lasted = now.saturating_since(last);
                return self.declare_dead(shared, last, Some(lasted), now);
            }
        }
        while let Some(Missed { intended, dead }) = self.expire_ping(shared, now, stop) {
            shared.record(self.cohort, intended, |cells| {
                cells.count(Counter::PingsMissed)
            });
            let in_row = self.heart.as_ref().map_or(0, Heart::missed_in_row);
            shared.tell((self.cohort, self.connection), now, || Happened::Missed {
                in_row,
            });
            if dead && self.declared_dead.is_none() {
                // Counts the bytes that this turn has read, too.
                self.count_bytes(shared, now);
                let since = self.heart.as_ref().and_then(Heart::silent_since);
                return self.declare_dead(shared, since.unwrap_or(now), None, now);
            }
        }
        let intended = self.heart.as_ref()?.next_ping();
        if intended <= now
            && intended < self.pings_until(play, shared, stop, now)
            && self.outbox.has_room_for_ping()
        {
            self.ping(intended, play, shared, now);
        }
        None
    }

    /// Takes a ping whose pong is overdue.
    fn expire_ping(&mut self, shared: &Shared, now: Timestamp, stop: Timestamp) -> Option<Missed> {
        let last = self.last_received;
        self.with_heart(shared, |heart| heart.expire(now, last, stop))?
    }

    /// Sends a ping that is due.
    fn ping(&mut self, intended: Timestamp, play: &Play, shared: &Shared, now: Timestamp) {
        let Some(sequence) = self.with_heart(shared, |heart| heart.ping(now)) else {
            return;
        };
        let name = PingName {
            run: shared.plan.run,
            sequence,
        };
        let name = name.encode();
        let client = shared.plan.client(self.cohort, self.connection);
        let mut scratch = shared.scratch.borrow_mut();
        let frame = match client.write_ping(sequence, play.saved(), &mut scratch) {
            Some(kind) => self.as_frame(kind, shared, &mut scratch),
            None => Frame::Ping(&name),
        };
        self.transport.sends(By::Heartbeat);
        self.outbox.feed_ping(&mut self.transport, frame);
        shared.record(self.cohort, intended, |cells| {
            cells.count(Counter::PingsSent);
            cells.time(Timer::ScheduleLateness, now.saturating_since(intended));
        });
    }

    /// The peer is dead: nothing that is a sign of life came since then. `lasted` is how long nothing came at all, if that
    /// is why.
    fn declare_dead(
        &mut self,
        shared: &Shared,
        since: Timestamp,
        lasted: Option<Nanos>,
        now: Timestamp,
    ) -> Option<SessionEvent> {
        let last_sign = self.last_received.unwrap_or(self.opened);
        shared.whole(self.cohort, |cells| {
            cells.count(Counter::ConnectionsDead);
            cells.time(Timer::HeartbeatDetection, now.saturating_since(last_sign));
        });
        shared.shard.borrow_mut().cohorts[self.cohort].open.dead += 1;
        self.evidence.dead = Some(Box::new(Silence {
            view: self.transport.tcp_view(),
            is_of_proxy: shared.plan.cohort(self.cohort).access.proxy.is_some(),
            missed: self.heart.as_ref().map_or(0, Heart::missed_in_row),
            signs: match lasted {
                Some(_) => Vec::new(),
                None => self.heard.since(since),
            },
            held_back: shared.held_back(self.cohort, since, now),
            lasted,
        }));
        self.declared_dead = Some(now);
        let cause = cause::judge(&self.evidence).cause;
        self.note(|recorder| recorder.declared_dead(now, cause));
        let heartbeat = shared.plan.cohort(self.cohort).heartbeat.as_ref()?;
        match heartbeat.on_dead {
            OnDead::Reconnect => {
                self.note(|recorder| recorder.decided(EndedBy::Heartbeat));
                Some(SessionEvent::Over)
            }
            OnDead::Keep => None,
            OnDead::Close => {
                let reason = "heartbeat timeout";
                self.close(Some(MISSED), reason, EndedBy::Heartbeat, shared, now);
                None
            }
        }
    }

    /// Shows a message to the heartbeat; returns whether it belongs to that. `at` is when it came.
    pub(super) fn is_heartbeat(
        &mut self,
        play: &Play,
        shared: &Shared,
        bytes: &[u8],
        at: Timestamp,
        now: Timestamp,
    ) -> bool {
        let client = shared.plan.client(self.cohort, self.connection);
        if client.is_server_ping(bytes) {
            self.message_came(shared, now);
            self.text_ping(shared, at);
            return true;
        }
        let Some(heart) = &self.heart else {
            return false;
        };
        let Some(answers) = client.text_pong(bytes, heart.oldest(), play.saved()) else {
            return false;
        };
        let (was_silent, mut is_uncertain) = (heart.missed_in_row() > 0, false);
        let pong = self.with_heart(shared, |heart| match answers {
            TextPong::To(sequence) => heart.pong(sequence, now),
            TextPong::InOrder => {
                is_uncertain = heart.is_uncertain();
                heart.pong_in_order(now)
            }
        });
        let pong = pong.unwrap_or(Pong::Unsolicited);
        self.message_came(shared, now);
        self.note(|recorder| recorder.answer(at));
        self.record_pong(shared, pong, is_uncertain, was_silent, now);
        true
    }

    /// Counts a message of the heartbeat.
    fn message_came(&mut self, shared: &Shared, now: Timestamp) {
        let gap = (self.heard.message.replace(now)).map(|last| now.saturating_since(last));
        shared.record(self.cohort, now, |cells| {
            cells.count(Counter::MessagesReceived);
            if let Some(gap) = gap {
                cells.time(Timer::ReceiveGap, gap);
            }
        });
    }

    /// Handles a frame that holds no message: the server's heartbeat, if the client's says so.
    pub(super) fn nothing_came(&mut self, shared: &Shared, at: Timestamp) {
        let client = shared.plan.client(self.cohort, self.connection);
        if client.is_server_ping(b"") {
            self.text_ping(shared, at);
        }
    }

    /// Handles a ping of the server that is a message.
    fn text_ping(&mut self, shared: &Shared, at: Timestamp) {
        let client = shared.plan.client(self.cohort, self.connection);
        let mut scratch = shared.scratch.borrow_mut();
        let pong = client.write_pong(&mut scratch);
        let pong = pong.map(|kind| self.as_frame(kind, shared, &mut scratch));
        self.server_ping(pong, shared, at);
    }

    /// Handles a ping of the server; `pong` is what answers it.
    pub(super) fn server_ping(&mut self, pong: Option<Frame<'_>>, shared: &Shared, at: Timestamp) {
        let last = self.heard.ping.replace(at);
        shared.record(self.cohort, at, |cells| {
            cells.count(Counter::ServerPings);
            if let Some(last) = last {
                cells.time(Timer::ServerPingInterval, at.saturating_since(last));
            }
        });
        let is_answered = match (pong, &mut self.fault_runner) {
            (None, _) => true,
            (Some(pong), Some(fault_runner)) => fault_runner.faults.ping(&pong, at),
            (Some(_), None) if shared.plan.is_mute(self.cohort) => false,
            (Some(pong), None) => {
                self.transport.sends(By::Heartbeat);
                self.outbox.feed_pong(&mut self.transport, pong);
                true
            }
        };
        self.note(|recorder| recorder.ping(at, is_answered));
    }

    /// Handles a pong frame.
    pub(super) fn pong(&mut self, shared: &Shared, bytes: &[u8], now: Timestamp) {
        let heart = self.heart.as_ref();
        let was_silent = heart.is_some_and(|heart| heart.missed_in_row() > 0);
        let named = PingName::decode(bytes).filter(|name| name.run == shared.plan.run);
        let pong =
            named.and_then(|name| self.with_heart(shared, |heart| heart.pong(name.sequence, now)));
        let pong = pong.unwrap_or(Pong::Unsolicited);
        self.record_pong(shared, pong, false, was_silent, now);
    }

    /// `was_silent`: the last ping whose answer was due had none.
    fn record_pong(
        &mut self,
        shared: &Shared,
        pong: Pong,
        is_uncertain: bool,
        was_silent: bool,
        now: Timestamp,
    ) {
        if was_silent && pong != Pong::Unsolicited {
            self.note(|recorder| recorder.resumed(now));
        }
        match pong {
            Pong::InTime { .. } => {}
            Pong::Late { .. } | Pong::Overdue { .. } => {
                self.heard.late_pong = Some(now);
                if let Some(silence) = &mut self.evidence.dead {
                    silence.pong_came_late();
                }
            }
            Pong::Unsolicited => self.heard.other_pong = Some(now),
        }
        shared.tell_pong((self.cohort, self.connection), pong, now);
        let (at, counter, rtt) = match pong {
            Pong::InTime { intended, rtt } => (intended, Counter::PongsReceived, Some(rtt)),
            Pong::Late { intended, rtt } | Pong::Overdue { intended, rtt } => {
                (intended, Counter::PongsLate, Some(rtt))
            }
            Pong::Unsolicited => (now, Counter::PongsUnsolicited, None),
        };
        shared.record(self.cohort, at, |cells| {
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

    /// Tells a connection that is traced that its heartbeat took the last message.
    pub(super) fn taken_by_heartbeat(&mut self, play: &Play) {
        (self.transport).took(By::Heartbeat, Fitting::Right, play.saved());
    }
}

impl Shared {
    /// Tells the observer of an answer to a ping, if the plan says so.
    fn tell_pong(&self, opening: (usize, u32), pong: Pong, now: Timestamp) {
        match pong {
            Pong::InTime { rtt, .. } => self.tell(opening, now, || Happened::Answered { rtt }),
            Pong::Overdue { rtt, .. } => {
                self.tell(opening, now, || Happened::Missed { in_row: 1 });
                self.tell(opening, now, || Happened::Late { rtt });
            }
            Pong::Late { rtt, .. } => self.tell(opening, now, || Happened::Late { rtt }),
            Pong::Unsolicited => {}
        }
    }
}
