//! The state that the parts of a run share: some of it between all workers, the rest within one.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::Notify;

use super::fanout::Fanout;
use super::play::{Fact, Facts};
use crate::frame::Room;
use crate::measure::{Cells, Event, Happened, Shard, Stop, Window};
use crate::metric::Counter;
use crate::net::PassedBy;
use crate::plan::{Plan, Windows};
use crate::scenario::PathFault;
use crate::time::{Clock, Deadlines, Looks, OwnedSlot, Owner};
use crate::units::{Nanos, Timestamp};

/// How many times [`Shared::attend`] checks the clock.
const LOOKS: u64 = 10;

/// The part of the drain after a signal that is left for the last closes: no answer is waited for then.
const LAST_CLOSES: Nanos = Nanos::from_millis(500);

/// The state that all workers share. Written rarely, read often.
#[derive(Debug)]
pub(super) struct RunState {
    /// When measuring starts; [`Timestamp::NEVER`] until that is known.
    measure_from: AtomicU64,
    /// When the load ends; [`Timestamp::NEVER`] until that is known.
    end: AtomicU64,
    /// Until when answers are waited for; [`Timestamp::NEVER`] unless a signal came.
    answers_until: AtomicU64,
    /// When the last connection is given up; [`Timestamp::NEVER`] unless a signal came.
    drained_by: AtomicU64,
    /// Planned connections that are open or have failed.
    settled: AtomicU64,
    /// Notified when `settled` reaches `planned`.
    pub(super) all_settled: Notify,
    planned: u64,
}

impl RunState {
    pub(super) fn new(planned: u64) -> Self {
        Self {
            measure_from: AtomicU64::new(Timestamp::NEVER.as_nanos()),
            end: AtomicU64::new(Timestamp::NEVER.as_nanos()),
            answers_until: AtomicU64::new(Timestamp::NEVER.as_nanos()),
            drained_by: AtomicU64::new(Timestamp::NEVER.as_nanos()),
            settled: AtomicU64::new(0),
            all_settled: Notify::new(),
            planned,
        }
    }

    /// Sets when measuring starts and the load ends, unless the load was cut short before.
    pub(super) fn schedule(&self, measure_from: Timestamp, end: Timestamp) {
        self.end.fetch_min(end.as_nanos(), Ordering::AcqRel);
        (self.measure_from).store(measure_from.as_nanos(), Ordering::Release);
    }

    /// Ends the load sooner than planned.
    pub(super) fn cut_short(&self, now: Timestamp) {
        self.end.fetch_min(now.as_nanos(), Ordering::AcqRel);
    }

    /// A signal came: ends the load at `at`, and limits what is waited for after that.
    pub(super) fn interrupt(&self, at: Timestamp, drained_by: Timestamp) {
        let answers_until = drained_by.saturating_sub(LAST_CLOSES);
        (self.answers_until).store(answers_until.as_nanos(), Ordering::Release);
        (self.drained_by).store(drained_by.as_nanos(), Ordering::Release);
        self.cut_short(at);
    }

    /// Until when answers are waited for, and connections have their turn to close.
    pub(super) fn answers_until(&self) -> Timestamp {
        Timestamp::from_nanos(self.answers_until.load(Ordering::Acquire))
    }

    /// When the last connection is given up.
    pub(super) fn drained_by(&self) -> Timestamp {
        Timestamp::from_nanos(self.drained_by.load(Ordering::Acquire))
    }

    /// Returns whether a signal came.
    pub(super) fn is_interrupted(&self) -> bool {
        self.drained_by() != Timestamp::NEVER
    }

    pub(super) fn measure_from(&self) -> Option<Timestamp> {
        let from = Timestamp::from_nanos(self.measure_from.load(Ordering::Acquire));
        (from != Timestamp::NEVER).then_some(from)
    }

    pub(super) fn end(&self) -> Timestamp {
        Timestamp::from_nanos(self.end.load(Ordering::Acquire))
    }

    /// Counts one more planned connection that is open or has failed.
    pub(super) fn settle(&self) {
        if self.settled.fetch_add(1, Ordering::AcqRel) + 1 == self.planned {
            self.all_settled.notify_one();
        }
    }
}

/// The state that the connections of one worker share. Stays on one thread.
pub(super) struct Shared {
    pub(super) clock: Box<dyn Clock>,
    pub(super) plan: Arc<Plan>,
    pub(super) state: Arc<RunState>,
    pub(super) deadlines: Rc<Deadlines>,
    pub(super) shard: RefCell<Shard>,
    /// Notified when the load has ended.
    pub(super) ended: Notify,
    /// Notified when a signal came and the load has ended.
    pub(super) interrupted: Notify,
    /// The read buffer of all connections, used by one at a time.
    pub(super) room: RefCell<Room>,
    /// The buffer in which payloads are built.
    pub(super) scratch: RefCell<Vec<u8>>,
    /// The buffer for the text of a packet that came.
    pub(super) packet: RefCell<Vec<u8>>,
    /// What the parts of clients told, and is not recorded yet.
    pub(super) facts: RefCell<Facts>,
    /// Number of clients for which the worker wakes when something comes for them. Without any, what comes within a short time
    /// before something is due is read after that.
    pub(super) awaited: Cell<usize>,
    /// When the worker looked at its sockets.
    pub(super) looks: Arc<Looks>,
    /// Number of clients that are not done.
    pub(super) clients: Cell<usize>,
    /// Whether all clients have been started.
    pub(super) all_begun: Cell<bool>,
    /// Whether a client panicked. Its counters are then incomplete.
    pub(super) has_panicked: Cell<bool>,
    /// Notified when `clients` reaches zero, and when `all_begun` or `has_panicked` is set.
    pub(super) idle: Notify,
    windows: Windows,
    /// What fan-out needs; `None` if the plan publishes nothing.
    pub(super) fanout: Option<Fanout>,
}

impl Shared {
    pub(super) fn new(clock: Box<dyn Clock>, plan: Arc<Plan>, state: Arc<RunState>) -> Self {
        Self {
            clock,
            state,
            deadlines: Rc::new(Deadlines::default()),
            shard: RefCell::new(Shard::new(&plan.layout())),
            ended: Notify::new(),
            interrupted: Notify::new(),
            room: RefCell::default(),
            scratch: RefCell::default(),
            packet: RefCell::default(),
            facts: RefCell::default(),
            awaited: Cell::new(0),
            looks: Arc::default(),
            clients: Cell::new(0),
            all_begun: Cell::new(false),
            has_panicked: Cell::new(false),
            idle: Notify::new(),
            windows: plan.windows(),
            fanout: Fanout::new(&plan, 0),
            plan,
        }
    }

    /// The state of the worker with this number, whose runtime tells when it looks at its sockets.
    pub(super) fn of_worker(self, worker: usize, looks: Arc<Looks>) -> Self {
        Self {
            fanout: Fanout::new(&self.plan, worker),
            looks,
            ..self
        }
    }

    /// Waits until `at`. Other deadlines of the worker can delay it, like any deadline.
    pub(super) async fn sleep_until(&self, at: Timestamp) {
        let slot = OwnedSlot::take(&self.deadlines);
        poll_fn(|cx| {
            if self.clock.now() >= at {
                return Poll::Ready(());
            }
            self.deadlines.set(slot.id, at, cx.waker());
            Poll::Pending
        })
        .await;
    }

    /// Waits for a span of time in which the worker ran. Checks the clock [`LOOKS`] times; if a check comes too late,
    /// because the worker was stopped or had no processor, the delay is not counted. Returns the time that was not
    /// counted.
    pub(super) async fn attend(&self, span: Nanos) -> Nanos {
        let step = (span / LOOKS).max(Nanos(1));
        let (mut last, mut counted, mut lost) = (self.clock.now(), Nanos::ZERO, Nanos::ZERO);
        while counted < span {
            let asked_for = step.min(span.saturating_sub(counted));
            self.sleep_until(last.saturating_add(asked_for)).await;
            let now = self.clock.now();
            let passed = now.saturating_since(last);
            let late = passed.saturating_sub(asked_for);
            if late > step {
                lost += late;
                counted += asked_for;
            } else {
                counted += passed;
            }
            last = now;
        }
        // Lets the runtime poll its sockets first, so that what has come in time is read before the deadline is judged.
        tokio::task::yield_now().await;
        lost
    }

    /// Returns whether the load has ended.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.state.end()
    }

    /// Returns the window that contains `time`.
    pub(super) fn window(&self, time: Timestamp) -> Window {
        if time >= self.state.end() {
            return Window::OUTSIDE;
        }
        self.windows.at(time, self.state.measure_from())
    }

    /// Records values of the window that contains `time`.
    pub(super) fn record(&self, cohort: usize, time: Timestamp, what: impl FnOnce(&mut Cells)) {
        let window = self.window(time);
        what(self.shard.borrow_mut().cohorts[cohort].window(window));
    }

    /// Records values that cover the whole run.
    pub(super) fn whole(&self, cohort: usize, what: impl FnOnce(&mut Cells)) {
        what(&mut self.shard.borrow_mut().cohorts[cohort].whole);
    }

    /// Tells the observer what happened to a client now, if the plan says so.
    #[inline]
    pub(super) fn tell(
        &self,
        opening: (usize, u32),
        at: Timestamp,
        what: impl FnOnce() -> Happened,
    ) {
        if self.plan.tells {
            self.keep_event(opening, at, what());
        }
    }

    #[cold]
    fn keep_event(&self, (cohort, connection): (usize, u32), at: Timestamp, what: Happened) {
        let event = Event {
            at,
            cohort,
            connection,
            what,
        };
        let events = &mut self.shard.borrow_mut().events;
        events.keep(event, Event::MAX_ROWS);
    }

    /// Records what the part of a client told.
    #[inline(never)]
    pub(super) fn book(&self, cohort: usize) {
        for Fact { at, what } in self.facts.borrow_mut().drain() {
            match at {
                Some(at) => self.record(cohort, at, |cells| what.book(cells)),
                None => self.whole(cohort, |cells| what.book(cells)),
            }
        }
    }

    /// Returns the fault of the path that held data of a cohort back at some time of this span, if there was one.
    #[cold]
    pub(super) fn held_back(
        &self,
        cohort: usize,
        from: Timestamp,
        until: Timestamp,
    ) -> Option<&'static str> {
        let cohort = &self.plan.cohort(cohort).name;
        let measured = self.state.measure_from();
        let was_on = |fault: &&PathFault| {
            let began = match fault.after {
                None => Some(Timestamp::ORIGIN),
                Some(after) => measured.map(|from| from + Nanos::from(after)),
            };
            began.is_some_and(|began| {
                let lasts = fault.lasts.map_or(Nanos::MAX, Nanos::from);
                began <= until && began.saturating_add(lasts) >= from
            })
        };
        let path = self.plan.scenario.path.as_ref()?;
        let mut faults = path.faults.iter().filter(|fault| fault.concerns(cohort));
        let fault = faults.find(|fault| fault.kind.holds_back() && was_on(fault))?;
        Some(fault.kind.key())
    }

    /// Records how long look-ups of the target's name took.
    pub(super) fn looked_up(&self, times: &[Duration]) {
        let mut shard = self.shard.borrow_mut();
        (times.iter()).for_each(|time| shard.look_ups.record(Nanos::from(*time).0));
    }

    /// Records the addresses that dials of this cohort passed by.
    pub(super) fn passed(&self, cohort: usize, passed: &PassedBy) {
        let mut shard = self.shard.borrow_mut();
        shard.fallbacks.merge(&passed.addresses);
        let whole = &mut shard.cohorts[cohort].whole;
        whole.add(Counter::ConnectionsFallbacks, passed.dials);
    }

    /// Counts what a dial or a request of this cohort met on its way, each by one.
    pub(super) fn counted(&self, cohort: usize, counters: &[Counter]) {
        let mut shard = self.shard.borrow_mut();
        let whole = &mut shard.cohorts[cohort].whole;
        counters.iter().for_each(|counter| whole.count(*counter));
    }

    /// Counts what dials agreed on with servers.
    pub(super) fn agreed(&self, agreed: &[(&'static str, Cow<'static, str>)]) {
        let known = &mut self.shard.borrow_mut().agreed;
        (agreed.iter()).for_each(|(what, value)| known.add(what, value, 1));
    }

    /// Counts a client that is done.
    pub(super) fn client_done(&self) {
        self.clients.set(self.clients.get() - 1);
        if self.clients.get() == 0 {
            self.idle.notify_one();
        }
    }
}

impl Owner for Shared {
    fn is_awaited(&self) -> bool {
        self.awaited.get() > 0
    }

    fn looks(&self, at: Timestamp) {
        self.looks.look(at);
    }

    /// Records how late the worker was woken.
    fn woken(&self, at: Timestamp, late: Nanos) {
        let shard = &mut *self.shard.borrow_mut();
        shard.stops.add(Stop {
            from: Timestamp::from_nanos(at.as_nanos().saturating_sub(late.0)),
            to: at,
        });
        let measures = self.state.measure_from().is_some_and(|from| from <= at);
        match measures {
            true => shard.loop_lag.record(late.0),
            false => shard.early_lag.record(late.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::session::tests::plan;
    use crate::time::Manual;
    use std::pin::pin;
    use std::task::{Context, Waker};

    /// Returns how long a wait of ten seconds took, and how much of that was not counted. The clock jumps by these
    /// steps, then by one second each time.
    fn attended(jumps: &[u64]) -> (u64, u64) {
        const SECOND: Nanos = Nanos::from_secs(1);
        let clock = Manual::default();
        let plan = Arc::new(plan("load.connections = 1"));
        let state = Arc::new(RunState::new(1));
        let shared = Shared::new(Box::new(clock.clone()), plan, state);
        let mut wait = pin!(shared.attend(10 * SECOND));
        let mut cx = Context::from_waker(Waker::noop());
        let mut jumps = jumps.iter();
        for _ in 0..100 {
            // Polls a second time, because `attend` yields before it returns.
            for _ in 0..2 {
                if let Poll::Ready(lost) = wait.as_mut().poll(&mut cx) {
                    return (clock.now().as_nanos() / SECOND.0, lost / SECOND);
                }
            }
            clock.set(clock.now() + *jumps.next().unwrap_or(&1) * SECOND);
        }
        panic!("waits without end");
    }

    #[test]
    fn a_wait_does_not_count_what_the_worker_missed() {
        assert_eq!(attended(&[]), (10, 0));
        // Stopped for twenty seconds: one of them was asked for, 19 are not counted.
        assert_eq!(attended(&[1, 1, 20]), (29, 19));
        // A small delay is normal for every timer, and is counted.
        assert_eq!(attended(&[2, 2, 2, 2, 2]), (10, 0));
        assert_eq!(attended(&[30; 100]), (300, 290));
    }

    #[test]
    fn a_run_that_was_cut_short_stays_so() {
        // A signal comes during the ramp-up, and the last handshakes end after it.
        let state = RunState::new(1);
        state.cut_short(Timestamp::from_nanos(5));
        state.schedule(Timestamp::from_nanos(10), Timestamp::from_nanos(20));
        assert_eq!(state.end(), Timestamp::from_nanos(5));
        state.cut_short(Timestamp::from_nanos(7));
        assert_eq!(state.end(), Timestamp::from_nanos(5));
    }
}
