//! One worker: a thread with its own runtime, connections, deadlines and shard. Shares nothing with other threads on
//! the path of a message.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::task::Poll;

use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{mpsc, watch};

use super::client;
use super::dial::{Connector, Dialer, HttpDialer, Pools, StreamDialer};
use super::shared::{RunState, Shared};
use super::traced::TracedDialer;
use crate::measure::{Interval, Shard};
use crate::metric::Counter;
use crate::plan::{Opening, Plan, Share};
use crate::scenario::{Protocol, Shape};
use crate::time::{self, Clock as _, Driver, Looks, Monotonic, OwnedSlot};
use crate::units::{Nanos, Timestamp};

/// The length of an interval.
pub(super) const INTERVAL: Nanos = Interval::SECOND;

/// Number of connections that are woken together at the end of the load. Limited, so that the last answers are not
/// delayed.
const WOKEN_AT_ONCE: usize = 64;
const BETWEEN_WAKES: Nanos = Nanos::from_millis(2);

/// The longest sleep, even if nothing is due. It makes every stop of the worker visible.
const PULSE: Nanos = Nanos::from_millis(2);

/// Number of tasks that run before the runtime checks its sockets and timer again. Smaller than its default, because a
/// check is cheap and lateness is not.
const EVENT_INTERVAL: u32 = 16;

/// What a worker needs to start.
pub(super) struct Assignment {
    /// Its place among the workers of this process, from 0.
    pub(super) worker: usize,
    pub(super) share: Share,
    pub(super) plan: Arc<Plan>,
    pub(super) dialer: Arc<Dialer>,
    pub(super) state: Arc<RunState>,
    pub(super) clock: Monotonic,
    /// Changes when the end of the load is set, or set again.
    pub(super) end: watch::Receiver<()>,
    pub(super) shards: mpsc::Sender<Handover>,
    pub(super) recycled: Receiver<Shard>,
}

/// A shard on its way to be merged.
pub(super) struct Handover {
    pub(super) worker: usize,
    pub(super) shard: Shard,
    /// Whether the worker is done.
    pub(super) last: bool,
}

/// Runs a worker until its last connection ends.
pub(super) fn run(assignment: Assignment) -> std::io::Result<()> {
    let mut builder = Builder::new_current_thread();
    builder.enable_io().event_interval(EVENT_INTERVAL);
    let looks = Arc::new(Looks::default());
    builder.on_thread_park({
        let (looks, clock) = (looks.clone(), assignment.clock);
        move || looks.look(clock.now())
    });
    // Our own timer uses the runtime's only if the system has no precise one. So do dials of Unix sockets that are full.
    if !time::PRECISE || assignment.plan.scenario.has_unix() {
        builder.enable_time();
    }
    let runtime = builder.build_local(LocalOptions::default())?;
    runtime.block_on(work(assignment, looks))
}

async fn work(assignment: Assignment, looks: Arc<Looks>) -> std::io::Result<()> {
    let Assignment {
        worker,
        share,
        plan,
        dialer,
        state,
        clock,
        end,
        shards,
        recycled,
    } = assignment;
    let number = share.number(worker);
    let shared = Shared::new(Box::new(clock), plan.clone(), state).of_worker(number, looks);
    let shared = Rc::new(shared);
    if worker == 0 {
        for (cohort, once) in plan.once.iter().enumerate() {
            for (slot, took) in &once.took {
                shared.whole(cohort, |cells| cells.answer(*slot, *took, *took));
            }
        }
    }
    let pools = Rc::new(Pools::default());
    // Runs in its own task, because the pulse is polled often and the code below is not.
    let pulsing = pulse(
        shared.clone(),
        dialer.clone(),
        pools.clone(),
        (number, share.all()),
    );
    let pulse = tokio::task::spawn_local(pulsing);
    let load = async {
        while !shared.all_begun.get() || shared.clients.get() > 0 {
            shared.idle.notified().await;
            if shared.has_panicked.get() {
                return Err(std::io::Error::other("a connection of it panicked"));
            }
        }
        Ok(())
    };
    let handover = Handing {
        worker,
        shards,
        recycled,
        interval: Cell::new(0),
        layout_of: plan,
    };
    tokio::select! {
        ended = pulse => match ended {
            Ok(result) => result?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        },
        ended = load => ended?,
        () = announce_end(&shared, end) => {}
        () = handover.every_interval(&shared) => {}
    }
    if worker == 0 {
        // Those that no dial has told.
        shared.looked_up(&dialer.take_look_ups());
    }
    pools.over(&shared).await;
    handover.last(&shared).await;
    Ok(())
}

/// Starts clients and fires deadlines. `worker` is its number among all workers, and theirs. Returns only with an error.
async fn pulse(
    shared: Rc<Shared>,
    dialer: Arc<Dialer>,
    pools: Rc<Pools>,
    worker: (usize, usize),
) -> std::io::Result<()> {
    let driver = Driver::new(shared.plan.scenario.load.pace, PULSE)?;
    let driven = driver.run(&*shared.clock, &shared.deadlines, &*shared);
    let ((), result) = tokio::join!(
        // The timer comes last, so that it is set once for all that is due next.
        biased;
        open_all(&shared, &dialer, &pools, worker),
        driven,
    );
    result
}

/// Starts a client at the time of each opening, until the load ends.
async fn open_all(
    shared: &Rc<Shared>,
    dialer: &Arc<Dialer>,
    pools: &Pools,
    (worker, workers): (usize, usize),
) {
    let room = room(shared, worker, workers);
    let slot = OwnedSlot::take(&shared.deadlines);
    for opening in shared.plan.openings(worker, workers) {
        let in_time = poll_fn(|cx| {
            let now = shared.clock.now();
            if shared.is_over(now) {
                return Poll::Ready(false);
            }
            if now >= opening.at {
                return Poll::Ready(true);
            }
            shared.deadlines.set(slot.id, opening.at, cx.waker());
            Poll::Pending
        });
        if !in_time.await {
            break;
        }
        if shared.clients.get() >= room {
            shared.whole(opening.cohort, |cells| {
                cells.count(Counter::ConnectionsSkipped)
            });
            continue;
        }
        shared.clients.set(shared.clients.get() + 1);
        let cohort = opening.cohort;
        let streams = StreamDialer::new(dialer, shared, pools, &opening, (worker, workers));
        let (shared, dialer) = (shared.clone(), dialer.clone());
        match (shared.plan.cohort(cohort).protocol, streams) {
            (Protocol::WebSocket, Some(streams)) => begin(shared, streams, opening),
            (Protocol::WebSocket, None) => begin(shared, dialer, opening),
            (Protocol::Http, _) => {
                let dialer = HttpDialer {
                    dialer,
                    shared: shared.clone(),
                };
                begin(shared, dialer, opening);
            }
        }
        // Yields, because with no ramp all openings are due at once: the first clients continue while the others are
        // started.
        tokio::task::consume_budget().await;
    }
    shared.all_begun.set(true);
    shared.idle.notify_one();
}

/// Starts a client; one whose frames are traced if the plan says so.
fn begin(shared: Rc<Shared>, dialer: impl Connector + 'static, opening: Opening) {
    if shared.plan.traces {
        let traced = TracedDialer::new(dialer, shared.clone(), opening.cohort);
        tokio::task::spawn_local(client::live(shared, traced, opening));
    } else {
        tokio::task::spawn_local(client::live(shared, dialer, opening));
    }
}

/// Returns this worker's share of `max_open`.
fn room(shared: &Shared, worker: usize, workers: usize) -> usize {
    match shared.plan.scenario.load.shape {
        Shape::Arrivals { max_open, .. } => {
            let max_open = max_open as usize;
            max_open / workers + usize::from(worker < max_open % workers)
        }
        _ => usize::MAX,
    }
}

/// Wakes all connections when the load has ended, and when a signal comes after that. Never returns.
async fn announce_end(shared: &Shared, mut changed: watch::Receiver<()>) {
    loop {
        let now = shared.clock.now();
        let end = shared.state.end();
        if now >= end {
            break;
        }
        tokio::select! {
            () = shared.sleep_until(end) => {}
            result = changed.changed() => {
                if result.is_err() {
                    break;
                }
                // Steps may wait for the start of measuring, which is known now.
                if shared.plan.waits_for_measuring() {
                    shared.deadlines.wake(0, usize::MAX);
                }
            }
        }
    }
    shared.ended.notify_waiters();
    if !shared.state.is_interrupted() {
        wake_all(shared).await;
    }
    while !shared.state.is_interrupted() {
        if changed.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
    shared.interrupted.notify_waiters();
    wake_all(shared).await;
    std::future::pending().await
}

/// Wakes all connections, a few at a time.
async fn wake_all(shared: &Shared) {
    let mut next = 0;
    while next < shared.deadlines.wake(next, WOKEN_AT_ONCE) {
        next += WOKEN_AT_ONCE;
        let then = shared.clock.now() + BETWEEN_WAKES;
        shared.sleep_until(then).await;
    }
}

/// Hands the shard over at the end of each interval, and continues with a recycled one.
struct Handing {
    worker: usize,
    shards: mpsc::Sender<Handover>,
    recycled: Receiver<Shard>,
    interval: Cell<u64>,
    layout_of: Arc<Plan>,
}

impl Handing {
    /// Hands over at the end of each interval. Never returns.
    async fn every_interval(&self, shared: &Shared) {
        loop {
            let end = Timestamp::ORIGIN + (self.interval.get() + 1) * INTERVAL;
            shared.sleep_until(end).await;
            // A full channel means that merging has fallen behind: this shard covers the next interval as well.
            if let Ok(permit) = self.shards.try_reserve() {
                permit.send(self.swap(shared, false));
            }
            self.interval.set(self.interval.get() + 1);
        }
    }

    async fn last(&self, shared: &Shared) {
        let handover = self.swap(shared, true);
        // Ignores an error: the receiver is gone only if the run was given up.
        let _ = self.shards.send(handover).await;
    }

    fn swap(&self, shared: &Shared, last: bool) -> Handover {
        let mut next = self
            .recycled
            .try_recv()
            .unwrap_or_else(|_| Shard::new(&self.layout_of.layout()));
        shared.close_seconds(last);
        let mut current = shared.shard.borrow_mut();
        for (next, current) in next.cohorts.iter_mut().zip(&current.cohorts) {
            next.open = current.open;
        }
        std::mem::swap(&mut *current, &mut next);
        next.interval = self.interval.get();
        Handover {
            worker: self.worker,
            shard: next,
            last,
        }
    }
}
