//! Plays a scenario against scripts, as a worker would: polls the tasks that were woken, and moves the clock to the
//! next event. Nothing depends on real time, so every play of the same scenario is the same.

use std::cell::RefCell;
use std::ops::Range;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake};

use super::peer::{Connection, Peer};
use super::script::Script;
use super::seen::Seen;
use crate::engine::client;
use crate::engine::dial::{Connected, Connector, Dialer, Wanted};
use crate::engine::phases::DRAIN;
use crate::engine::shared::{RunState, Shared};
use crate::measure::{Cells, Outcome, Reach, Window};
use crate::metric::Cause;
use crate::net::Failure;
use crate::net::Steps;
use crate::plan::{Opening, Plan};
use crate::scenario::{self, Cohort, Outside, Overrides, PingKind, Protocol, Shape, Source, Verb};
use crate::time::{Clock as _, Manual};
use crate::units::{Nanos, Timestamp};

/// The most polls of a task at one time of the clock.
const POLLS_AT_ONCE: usize = 100;

/// Plays a scenario; `script` is called once for each dial.
pub(super) fn play(text: &str, script: impl FnMut(usize) -> Script + 'static) -> Seen {
    Simulation::new(text).run(script)
}

/// Returns the plan of a scenario, given as text without its name and target.
pub(in crate::engine) fn plan(text: &str) -> Plan {
    let source = Source {
        name: "test".to_owned(),
        text: format!("name = \"test\"\ntarget.url = \"ws://peer/\"\n{text}"),
    };
    let outside = Outside {
        env: &|_| None,
        read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        list: &Outside::no_folder,
    };
    let scenario = scenario::parse(&source, &Overrides::default(), &outside)
        .unwrap_or_else(|problems| panic!("{problems:?}"));
    Plan::new(scenario, 1, 1)
}

/// A scenario to be played.
pub(super) struct Simulation {
    plan: Plan,
    interrupted_at: Timestamp,
    stall: Range<Timestamp>,
    looked: Timestamp,
}

impl Simulation {
    /// Makes a play of a scenario, given as for [`plan`].
    pub(super) fn new(text: &str) -> Self {
        Self {
            plan: plan(text),
            interrupted_at: Timestamp::NEVER,
            stall: Timestamp::ORIGIN..Timestamp::ORIGIN,
            looked: Timestamp::ORIGIN,
        }
    }

    /// The worker has looked at its sockets at this time, and then never again.
    pub(super) fn looked_at(mut self, time: Timestamp) -> Self {
        self.looked = time;
        self
    }

    /// Changes its only cohort.
    pub(super) fn with(mut self, change: impl FnOnce(&mut Cohort)) -> Self {
        let mut scenario = self.plan.scenario;
        change(&mut scenario.cohorts[0]);
        self.plan = Plan::new(scenario, 1, 1);
        self
    }

    /// Ends the load by a signal at this time.
    pub(super) fn interrupted_at(mut self, time: Timestamp) -> Self {
        self.interrupted_at = time;
        self
    }

    /// Stops the worker itself for this time.
    pub(super) fn stalled(mut self, time: Range<Timestamp>) -> Self {
        self.stall = time;
        self
    }

    /// Plays until the last connection has ended.
    pub(super) fn run(self, script: impl FnMut(usize) -> Script + 'static) -> Seen {
        let clock = Manual::default();
        let state = Arc::new(RunState::new(self.plan.connections()));
        let measure_from = match &self.plan.scenario.load.shape {
            Shape::Steady {
                ramp_up, warm_up, ..
            } => Nanos::from(*ramp_up + *warm_up),
            Shape::Stages(_) => Nanos::ZERO,
            Shape::Arrivals { warm_up, .. } => Nanos::from(*warm_up),
        };
        let length = self.plan.windows().length();
        let measure_from = Timestamp::ORIGIN + measure_from;
        state.schedule(measure_from, measure_from + length);
        let plan = Arc::new(self.plan);
        let shared = Rc::new(Shared::new(Box::new(clock.clone()), plan.clone(), state));
        (0..2).for_each(|_| shared.looks.look(self.looked));
        let dials = Dials {
            clock: clock.clone(),
            script: Rc::new(RefCell::new(script)),
            peers: Rc::default(),
        };
        let mut stage = Stage {
            openings: plan.openings(0, 1).collect(),
            shared,
            clock,
            dials,
            tasks: Vec::new(),
            interrupt: self.interrupted_at,
            stall: self.stall,
            announced: false,
            polls: 0,
            awaited: Vec::new(),
        };
        stage.play();
        stage.seen()
    }
}

/// Hands out the scripted connections.
struct Dials<F> {
    clock: Manual,
    script: Rc<RefCell<F>>,
    peers: Rc<RefCell<Vec<Peer>>>,
}

impl<F> Clone for Dials<F> {
    fn clone(&self) -> Self {
        Self {
            clock: self.clock.clone(),
            script: self.script.clone(),
            peers: self.peers.clone(),
        }
    }
}

impl<F: FnMut(usize) -> Script> Connector for Dials<F> {
    type Transport = Connection;

    fn dialer(&self) -> &Dialer {
        unreachable!("no scenario of these tests begins with a request")
    }

    async fn connect(
        &self,
        wanted: Wanted<'_>,
        shared: &Shared,
    ) -> Result<Connected<Connection>, Failure> {
        let dialled = self.peers.borrow().len();
        let script = (self.script.borrow_mut())(dialled);
        if script.is_refused {
            return Err(Failure::new(Cause::Dns, "no such name"));
        }
        if script.is_mute {
            return std::future::pending().await;
        }
        let is_http = shared.plan.cohort(wanted.cohort).protocol == Protocol::Http;
        let peer = Peer::new(script, is_http, wanted.fault_plan, self.clock.clone());
        let connection = peer.connection();
        self.peers.borrow_mut().push(peer);
        Ok(Connected {
            transport: connection,
            steps: Steps::default(),
            head: Vec::new(),
        })
    }
}

struct Task {
    future: Pin<Box<dyn Future<Output = ()>>>,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Stage<F> {
    openings: std::collections::VecDeque<Opening>,
    shared: Rc<Shared>,
    clock: Manual,
    dials: Dials<F>,
    tasks: Vec<Task>,
    interrupt: Timestamp,
    stall: Range<Timestamp>,
    announced: bool,
    polls: usize,
    awaited: Vec<(Timestamp, usize)>,
}

impl<F: FnMut(usize) -> Script + 'static> Stage<F> {
    fn play(&mut self) {
        loop {
            let now = self.clock.now();
            self.happen(now);
            let deadline = self.poll(now);
            let awaited = self.shared.awaited.get();
            if self.awaited.last().is_none_or(|last| last.1 != awaited) {
                self.awaited.push((now, awaited));
            }
            if self.tasks.is_empty() && self.openings.is_empty() {
                return;
            }
            let peers = self.dials.peers.borrow();
            let next = (peers.iter().filter_map(Peer::next))
                .chain(self.openings.front().map(|opening| opening.at))
                .chain((!self.announced).then(|| self.shared.state.end()))
                .chain([self.interrupt])
                .chain([deadline])
                .min();
            let next = next.filter(|next| *next != Timestamp::NEVER);
            let next = next.unwrap_or_else(|| panic!("waits for ever from {now:?} on"));
            assert!(next > now, "does not take what is there since {next:?}");
            let stalls = self.stall.contains(&next);
            self.clock.set(if stalls { self.stall.end } else { next });
        }
    }

    /// Does what a worker does beside its connections.
    fn happen(&mut self, now: Timestamp) {
        if now >= self.interrupt {
            self.interrupt = Timestamp::NEVER;
            self.shared.state.interrupt(now, now + DRAIN);
            self.shared.interrupted.notify_waiters();
            self.shared.deadlines.wake(0, usize::MAX);
        }
        let is_over = self.shared.is_over(now);
        while let Some(opening) =
            (self.openings).pop_front_if(|opening| opening.at <= now || is_over)
        {
            if is_over {
                continue;
            }
            self.shared.clients.set(self.shared.clients.get() + 1);
            let live = client::live(self.shared.clone(), self.dials.clone(), opening);
            self.tasks.push(Task {
                future: Box::pin(live),
                woken: Arc::new(Woken(AtomicBool::new(true))),
            });
        }
        if is_over && !self.announced {
            self.announced = true;
            self.shared.ended.notify_waiters();
            self.shared.deadlines.wake(0, usize::MAX);
        }
        self.dials.peers.borrow().iter().for_each(Peer::wake);
    }

    /// Polls until no task is woken any more; returns the next deadline.
    fn poll(&mut self, now: Timestamp) -> Timestamp {
        let before = self.polls;
        loop {
            let deadline = self.shared.deadlines.fire(now);
            let mut rests = true;
            self.tasks.retain_mut(|task| {
                if !task.woken.0.swap(false, Ordering::Relaxed) {
                    return true;
                }
                rests = false;
                self.polls += 1;
                let waker = task.woken.clone().into();
                let polled = task.future.as_mut().poll(&mut Context::from_waker(&waker));
                polled == Poll::Pending
            });
            if rests {
                return deadline;
            }
            let most = POLLS_AT_ONCE * (1 + self.tasks.len());
            assert!(self.polls - before < most, "spins at {now:?}");
        }
    }

    fn seen(self) -> Seen {
        self.shared.close_seconds(true);
        let mut reach = Reach::new(1);
        reach.add(&self.shared.shard.borrow().deliveries);
        let mut delivered = Outcome::default();
        reach.take(|_, _, outcome| {
            delivered.expected += outcome.expected;
            delivered.received += outcome.received;
            delivered.unsure += outcome.unsure;
        });
        let shard = self.shared.shard.borrow();
        let cohort = &shard.cohorts[0];
        let all = cohort.together();
        let peers = self.dials.peers.borrow().clone();
        let plan = self.shared.plan.cohort(0);
        let windows = (0..self.shared.plan.layout().measured())
            .map(|index| cohort.recorded(Window::measured(index)).cloned())
            .map(|cells| cells.unwrap_or_else(|| Cells::new(plan.messages.len())))
            .collect();
        let seen = Seen {
            all,
            windows,
            endings: shard.endings.clone(),
            records: shard.records.clone(),
            open: cohort.open,
            delivered,
            peers,
            ended: self.clock.now(),
            polls: self.polls,
            awaited: self.awaited,
            echoes: answered(plan),
            talks: self.shared.plan.client(0, 0).has_talk(),
            messages: plan.messages.len(),
            pings_are_text: (plan.pings()).is_some_and(|pings| pings.kind != PingKind::Frames),
            takes_pings: plan.takes_texts_for_pings(),
        };
        let open = &seen.open;
        assert_eq!((open.connecting, open.open, open.closing), (0, 0, 0));
        assert_eq!(seen.awaited.last().map(|last| last.1), Some(0));
        seen.check_books();
        seen
    }
}

/// Whether all messages of a cohort expect an answer, or none does; `None`: some do.
fn answered(cohort: &Cohort) -> Option<bool> {
    let messages = cohort
        .messages
        .iter()
        .map(|message| message.expects_answer());
    let steps = cohort.each_step().filter_map(|step| match &step.verb {
        Verb::Send(send) => Some(send.expects_answer()),
        _ => None,
    });
    let mut all = messages.chain(steps);
    let first = all.next().unwrap_or(true);
    all.all(|one| one == first).then_some(first)
}
