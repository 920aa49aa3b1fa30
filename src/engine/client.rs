//! One client from its first dial to its end: handshakes, sessions, reconnects. Records each of them.

mod asking;
mod back_off;
mod ending;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Waker;

use tracing::debug;

use super::dial::{Connected, Connector, Wanted};
use super::play::Play;
use super::session::{Redial, Session, SessionEvent, unsent};
use super::shared::Shared;
use crate::measure::{Happened, Opened};
use crate::metric::{Cause, Counter, Timer};
use crate::net::Failure;
use crate::net::Transport;
use crate::plan::{Opening, Until};
use crate::scenario::Reconnect;
use crate::time::SlotId;
use crate::units::{Nanos, Timestamp};

/// Runs one opening and all reconnects that follow from it. The worker waits for what comes for it from now on, not only when
/// this is polled: it must not sleep over the begin.
pub(super) fn live(
    shared: Rc<Shared>,
    connector: impl Connector,
    opening: Opening,
) -> impl Future<Output = ()> {
    shared.awaited.set(shared.awaited.get() + 1);
    play(shared, connector, opening)
}

async fn play(shared: Rc<Shared>, connector: impl Connector, opening: Opening) {
    let slot = shared.deadlines.join();
    let mut client = Client {
        play: Play::new(&shared.plan, &opening),
        shared,
        opening,
        slot,
        opened_before: false,
        was_ready: false,
        lost_at: None,
        redials: false,
        is_awaited: true,
        dialled: Timestamp::ORIGIN,
        tries: 0,
        back_offs: 0,
    };
    while let Some(redial) = client.attempt(&connector).await {
        client.redials = true;
        if !client.back_off(redial).await {
            break;
        }
    }
    if client.redials && client.lost_at.is_some() {
        client.give_up_offline(client.shared.clock.now());
    }
    client.awaits(false);
    client.shared.deadlines.leave(slot);
    client.shared.client_done();
}

struct Client {
    shared: Rc<Shared>,
    opening: Opening,
    slot: SlotId,
    play: Play,
    opened_before: bool,
    /// Whether it was ready on some connection, so that its messages have begun.
    was_ready: bool,
    /// When the last dial began.
    dialled: Timestamp,
    /// When the last connection was lost.
    lost_at: Option<Timestamp>,
    /// Whether a lost connection is dialled again. While it is down, messages of its schedule count as offline.
    redials: bool,
    /// Whether the worker wakes for what comes for it.
    is_awaited: bool,
    /// Failed dials in a row.
    tries: u32,
    /// Waits before a dial, in all. Each wait draws a new random number from this count.
    back_offs: u32,
}

/// Reports a panic. The runtime treats a panic as the normal end of a task, but the worker must fail.
impl Drop for Client {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.shared.has_panicked.set(true);
            self.shared.idle.notify_one();
        }
    }
}

impl Client {
    /// Asks by HTTP where the set-up begins with that, makes one dial and, if it succeeds, runs the session that
    /// follows. Returns when to dial again; `None` when the client is done.
    async fn attempt(&mut self, connector: &impl Connector) -> Option<Redial> {
        let cohort = self.opening.cohort;
        self.dialled = self.shared.clock.now();
        let mut redial = Redial::AsAfterLoss;
        let is_first = self.tries == 0 && !self.opened_before;
        self.shared
            .whole(cohort, |cells| cells.count(Counter::ConnectionsAttempted));
        self.connecting(1);
        self.awaits(true);
        // Boxes the future, so that an open connection does not keep the memory that its handshake needed.
        let dialled = Box::pin(self.dial(connector, is_first)).await;
        self.connecting(-1);
        match dialled {
            Ok(session) => redial = self.session(session, is_first).await,
            Err(failure) => {
                let policy = self.shared.plan.cohort(cohort).reconnect;
                if let Some(asked) = failure.retry_after.filter(|_| policy.heeds_retry_after()) {
                    redial = Redial::NotBefore(Nanos::from_secs(asked.get().into()));
                }
                self.failed(failure);
                if is_first {
                    self.shared.state.settle();
                }
            }
        }
        let policy = self.shared.plan.cohort(cohort).reconnect;
        let now = self.shared.clock.now();
        let over = self.is_over(now) || self.lost_at.is_none() && self.opened_before;
        let dials_again = policy != Reconnect::None || redial != Redial::AsAfterLoss;
        (dials_again && !over).then_some(redial)
    }

    /// Dials. A first dial may use its whole time; a reconnect, and a dial whose set-up has begun, is abandoned when
    /// the load ends. A signal ends each.
    async fn dial<C: Connector>(
        &mut self,
        connector: &C,
        is_first: bool,
    ) -> Result<Box<Session<C::Transport>>, Failure> {
        let Opening {
            connection, cohort, ..
        } = self.opening;
        let fault_plan = self.shared.plan.fault_plan(cohort, connection);
        let shared = self.shared.clone();
        let client = shared.plan.client(cohort, connection);
        let ends_with_load = !is_first || client.program().begins_with_http();
        let dial = async {
            let cookies = self.ask(connector).await?;
            let rendered = self.play.upgrade(client);
            let upgrade = client.cohort().upgrade.as_ref();
            let wanted = Wanted {
                cohort,
                connection,
                fault_plan: &fault_plan,
                upgrade: upgrade.zip(rendered.as_deref()),
                cookies: &cookies,
            };
            connector.connect(wanted, &shared).await
        };
        let dialled = tokio::select! {
            dialled = dial => dialled,
            () = shared.ended.notified(), if ends_with_load => {
                Err(Failure::new(Cause::Abandoned, "the load had ended"))
            }
            () = shared.interrupted.notified() => {
                Err(Failure::new(Cause::Abandoned, "the run was interrupted"))
            }
        };
        if let Err(failure) = &dialled {
            connector.failed(failure);
            self.undo(failure);
        }
        let Connected {
            mut transport,
            steps,
            ..
        } = dialled?;
        let (sent, received) = transport.take_bytes();
        self.shared.whole(self.opening.cohort, |cells| {
            cells.count(Counter::ConnectionsOpened);
            cells.add(Counter::BytesSent, sent);
            cells.add(Counter::BytesReceived, received);
            steps.iter().for_each(|(step, took)| cells.time(step, took));
        });
        let now = self.shared.clock.now();
        let lost_before = self.lost_at;
        self.tell_opened(&transport, now);
        self.opened(now);
        let session = Session::new(transport, &self.opening, lost_before, now, &self.shared);
        Ok(Box::new(session))
    }

    /// Runs an open connection until it ends. Returns when the next dial is, if there is one.
    async fn session(
        &mut self,
        mut session: Box<Session<impl Transport>>,
        is_first: bool,
    ) -> Redial {
        let mut unsettled = is_first;
        self.begin(&mut session, &mut unsettled);
        loop {
            let event = poll_fn(|cx| {
                let set_deadline =
                    |at, waker: &Waker| self.shared.deadlines.set(self.slot, at, waker);
                let event = session.poll(&mut self.play, &self.shared, cx, set_deadline);
                self.awaits(!session.may_wait());
                event
            })
            .await;
            if session.is_dead_but_kept(&self.shared) {
                let verdict = session.verdict();
                self.push_ended(&session, &verdict, None);
                self.shared
                    .whole(self.opening.cohort, |cells| cells.cause(verdict.cause));
                session.forget_death();
            }
            match event {
                SessionEvent::Ready => self.ready(&mut session, &mut unsettled),
                SessionEvent::DeadButKept => {}
                SessionEvent::Over => {
                    if unsettled {
                        self.shared.state.settle();
                    }
                    self.closed(&mut session);
                    return session.dials_again().unwrap_or(Redial::AsAfterLoss);
                }
            }
        }
    }

    fn opened(&mut self, now: Timestamp) {
        let cohort = self.opening.cohort;
        debug!(
            cohort = self.cohort_name(),
            connection = self.opening.connection,
            again = self.opened_before,
            "opened"
        );
        self.shared.shard.borrow_mut().cohorts[cohort].open.open += 1;
        if self.opened_before {
            let since = self.lost_at.unwrap_or(now);
            self.shared.whole(cohort, |cells| {
                cells.count(Counter::ConnectionsReconnected);
                cells.time(Timer::ReconnectDuration, now.saturating_since(since));
            });
        }
        self.opened_before = true;
        self.lost_at = None;
    }

    /// Tells the observer that a connection is open, if the plan says so.
    fn tell_opened(&self, transport: &impl Transport, now: Timestamp) {
        let opening = (self.opening.cohort, self.opening.connection);
        self.shared.tell(opening, now, || {
            Happened::Opened(Opened {
                took: now.saturating_since(self.dialled),
                away: (self.lost_at).map(|lost| now.saturating_since(lost)),
                address: transport.peer(),
                expires: transport.certificate_expires(),
            })
        });
    }

    /// Begins with the set-up, if there is one.
    fn begin(&mut self, session: &mut Session<impl Transport>, unsettled: &mut bool) {
        let shared = self.shared.clone();
        let client = shared
            .plan
            .client(self.opening.cohort, self.opening.connection);
        let now = shared.clock.now();
        let is_ready = {
            let facts = &mut shared.facts.borrow_mut();
            self.play.open(client, self.dialled, now, facts)
        };
        session.book(&shared, now);
        if is_ready {
            self.ready(session, unsettled);
        }
    }

    /// The client is ready: its messages on a schedule begin, or go on. `unsettled`: whether the run waits for it.
    fn ready(&mut self, session: &mut Session<impl Transport>, unsettled: &mut bool) {
        let now = self.shared.clock.now();
        session.ready(&self.shared, now);
        if self.was_ready {
            self.give_up_offline(now);
            self.play.resume(now);
        } else {
            self.play.start(now);
        }
        self.was_ready = true;
        self.tries = 0;
        if std::mem::take(unsettled) {
            self.shared.state.settle();
        }
    }

    /// Counts messages that became due while there was no connection that was ready. A connection that is lost after the end of the
    /// load is not dialled again, so no message is due on it.
    fn give_up_offline(&mut self, now: Timestamp) {
        let own = match self.opening.until {
            Until::At(time) => time,
            Until::After(_) | Until::Steps | Until::End => Timestamp::NEVER,
        };
        if !self.was_ready {
            return;
        }
        let until = now.min(own).min(self.shared.state.end());
        while let Some(intended) = self.play.offline(until) {
            let why = Counter::MessagesOffline;
            unsent(&self.shared, self.opening.cohort, intended, why);
        }
    }

    fn cohort_name(&self) -> &str {
        &self.shared.plan.scenario.cohorts[self.opening.cohort].name
    }

    /// Says whether the worker wakes for what comes for this client.
    #[inline]
    fn awaits(&mut self, is_awaited: bool) {
        if self.is_awaited != is_awaited {
            self.is_awaited = is_awaited;
            let others = self.shared.awaited.get() - usize::from(!is_awaited);
            self.shared.awaited.set(others + usize::from(is_awaited));
        }
    }

    fn connecting(&self, change: i64) {
        let mut shard = self.shared.shard.borrow_mut();
        let connecting = &mut shard.cohorts[self.opening.cohort].open.connecting;
        *connecting = connecting.saturating_add_signed(change);
    }

    /// Returns whether this client has nothing more to do: the load, or its own time, has ended.
    fn is_over(&self, now: Timestamp) -> bool {
        let own = match self.opening.until {
            Until::At(time) => now >= time,
            // Its lifetime began with its 101. A connection that is lost after that is not replaced.
            Until::After(_) | Until::Steps => self.opened_before,
            Until::End => false,
        };
        own || self.shared.is_over(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::dial::Dialer;
    use crate::engine::session::tests::plan;
    use crate::engine::shared::RunState;
    use crate::net::WebSocket;
    use crate::time::Manual;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Arc;
    use std::task::Context;

    #[derive(Clone)]
    struct Panics;

    impl Connector for Panics {
        type Transport = WebSocket;

        fn dialer(&self) -> &Dialer {
            unreachable!("nobody asks")
        }

        async fn connect(
            &self,
            _wanted: Wanted<'_>,
            _shared: &Shared,
        ) -> Result<Connected<WebSocket>, Failure> {
            panic!("as a bug would")
        }
    }

    #[test]
    fn a_panic_is_told_to_the_worker() {
        let plan = Arc::new(plan("load.connections = 1"));
        let state = Arc::new(RunState::new(1));
        let clock = Box::new(Manual::default());
        let shared = Rc::new(Shared::new(clock, plan.clone(), state));
        let opening = plan.openings(0, 1).next().unwrap();
        let mut record = Box::pin(live(shared.clone(), Panics, opening));
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let _ = record
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
        }));
        assert!(polled.is_err());
        assert!(shared.has_panicked.get());
    }

    fn size<F>(_: impl Fn(Rc<Shared>, Arc<Dialer>, Opening) -> F) -> usize {
        size_of::<F>()
    }

    /// Limits the size of the future, because there are thousands of them. An open connection allocates its session
    /// separately.
    #[test]
    fn a_client_stays_small() {
        let size = size(live);
        assert!(size <= 392, "{size}");
    }
}
