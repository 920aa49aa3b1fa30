//! Tests the supervisor with a scripted crew.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Duration;

use super::*;
use crate::engine::observer::{Closed, Second};
use crate::engine::phases::NOTICE;
use crate::engine::session::tests::plan;
use crate::engine::worker::Handover;
use crate::measure::{Echoes, Sample, Shard, Usage};
use crate::metric::Counter;
use crate::time::Monotonic;
use crate::units::Nanos;

/// Returns the given events, and then waits without end.
struct Scripted {
    clock: Monotonic,
    tells: VecDeque<Told>,
    commands: Vec<Command>,
    /// The workers that got a shard back.
    given_back: Vec<usize>,
}

impl Crew for Scripted {
    fn workers(&self) -> usize {
        2
    }

    fn clock(&self) -> Monotonic {
        self.clock
    }

    fn notice(&self) -> Nanos {
        NOTICE
    }

    fn begin(&mut self, _target: Option<Usage>) {}

    fn sample(&mut self, _: u64, _: Timestamp, _: u64, _: Option<Usage>) -> Sample {
        Sample::default()
    }

    fn command(&mut self, command: Command) {
        self.commands.push(command);
    }

    async fn next(&mut self) -> Told {
        match self.tells.pop_front() {
            Some(told) => told,
            None => std::future::pending().await,
        }
    }

    fn give_back(&mut self, worker: usize, _shard: Shard) {
        self.given_back.push(worker);
    }

    fn end(self) -> CrewEnd {
        CrewEnd {
            failure: None,
            fared: Vec::new(),
        }
    }
}

/// Counts its calls, and ends the run in a given second.
#[derive(Default)]
struct Looker {
    measuring: u32,
    seconds: u32,
    ends_in: Option<u32>,
    closes_in: Option<u32>,
    closed: Vec<Closed>,
}

impl Observer for Looker {
    fn measuring(&mut self, _from: Instant) {
        self.measuring += 1;
    }

    fn echoes(&mut self, _echoes: Echoes) {}

    fn second(&mut self, _second: &Second<'_>) -> ControlFlow<()> {
        self.seconds += 1;
        match self.ends_in {
            Some(second) if self.seconds >= second => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }

    fn closes_report(&mut self, _second: &Second<'_>) -> bool {
        self.closes_in == Some(self.seconds)
    }

    fn report(&mut self, closed: Closed) {
        self.closed.push(closed);
    }
}

/// A run of two workers that report these events.
fn supervisor(tells: impl IntoIterator<Item = Told>) -> Supervisor<Scripted> {
    let plan = plan("load.connections = 2");
    let crew = Scripted {
        clock: Monotonic::start(),
        tells: tells.into_iter().collect(),
        commands: Vec::new(),
        given_back: Vec::new(),
    };
    let intake = Intake::new(&plan, 2, Share::whole(2));
    Supervisor::new(Phases::new(&plan), intake, crew)
}

/// One second of one worker in which a connection opened.
fn shard(worker: usize, interval: u64, last: bool) -> Told {
    let mut shard = Shard::new(&plan("load.connections = 2").layout());
    shard.interval = interval;
    let opened = Counter::ConnectionsOpened;
    shard.cohorts[0].whole.count(opened);
    Told::Shard(Box::new(Handover {
        worker,
        shard,
        last,
    }))
}

async fn supervised(
    supervisor: &mut Supervisor<Scripted>,
    looker: &mut Looker,
    signals: usize,
) -> Result<(), EngineError> {
    let (interrupter, mut interrupt) = mpsc::channel(signals.max(1));
    (0..signals).for_each(|_| interrupter.try_send(()).expect("there is room"));
    let supervised = supervisor.supervise(&mut interrupt, looker);
    let in_time = tokio::time::timeout(Duration::from_secs(10), supervised);
    in_time.await.expect("it ends")
}

fn cuts(supervisor: &Supervisor<Scripted>) -> usize {
    let commands = supervisor.crew.commands.iter();
    commands
        .filter(|command| matches!(command, Command::CutShort { .. }))
        .count()
}

#[tokio::test]
async fn a_run_is_over_when_both_have_handed_over_their_last() {
    let mut run = supervisor([
        Told::Settled,
        shard(0, 0, false),
        shard(1, 0, true),
        shard(0, 1, true),
    ]);
    let mut looker = Looker::default();
    supervised(&mut run, &mut looker, 0).await.unwrap();
    assert_eq!((looker.measuring, looker.seconds), (1, 2));
    assert!(matches!(run.crew.commands[..], [Command::Schedule { .. }]));
    assert_eq!(run.crew.given_back, [0, 1, 0]);
    assert_eq!(run.finish().summary.count("connections.opened"), 3);
}

/// The numbers of the other worker until then are kept.
#[tokio::test]
async fn a_failure_ends_the_load_and_leaves_what_was_seen() {
    let mut run = supervisor([Told::Failed, shard(1, 0, true), Told::Gone]);
    let mut looker = Looker::default();
    supervised(&mut run, &mut looker, 0).await.unwrap();
    assert_eq!(cuts(&run), 1);
    assert_eq!(looker.measuring, 0);
    assert_eq!(run.finish().summary.count("connections.opened"), 1);
}

#[tokio::test]
async fn a_gate_that_holds_ends_the_load_once() {
    let mut run = supervisor([
        shard(0, 0, false),
        shard(1, 0, false),
        shard(0, 1, true),
        shard(1, 1, true),
    ]);
    let mut looker = Looker {
        ends_in: Some(1),
        ..Looker::default()
    };
    supervised(&mut run, &mut looker, 0).await.unwrap();
    assert_eq!((looker.seconds, cuts(&run)), (2, 1));
    assert!(!run.finish().interrupted);
}

#[tokio::test]
async fn the_second_signal_kills() {
    let mut run = supervisor([]);
    let killed = supervised(&mut run, &mut Looker::default(), 2).await;
    assert!(matches!(killed, Err(EngineError::Killed)));
    assert!(matches!(run.crew.commands[..], [Command::Interrupt { .. }]));
    assert!(run.phases.is_interrupted());
}

/// Who leads said when measuring begins; whoever hears of it afterwards has counted what was sent until then as not measured.
#[tokio::test]
async fn what_is_heard_too_late_is_told() {
    for (seconds, is_late) in [(0, true), (3_600, false)] {
        let (lead, orders) = watch::channel(Orders::default());
        let mut run = supervisor([Told::Settled, shard(0, 0, true), shard(1, 0, true)]);
        run.leader = Some(orders);
        let from = Timestamp::ORIGIN + Nanos::from_secs(seconds);
        let ordered = Orders {
            windows: Some((from, from + Nanos::from_secs(1))),
            ..Orders::default()
        };
        lead.send_replace(ordered);
        run.obey(ordered, &mut Looker::default());
        supervised(&mut run, &mut Looker::default(), 0)
            .await
            .unwrap();
        assert_eq!(run.finish().told_late.is_some(), is_late);
    }
}

#[tokio::test]
async fn a_closed_report_and_the_last_one_are_the_run() {
    let seconds = (0..4).flat_map(|second| [0, 1].map(|worker| shard(worker, second, second == 3)));
    let mut run = supervisor([Told::Settled].into_iter().chain(seconds));
    let mut looker = Looker {
        closes_in: Some(3),
        ..Looker::default()
    };
    supervised(&mut run, &mut looker, 0).await.unwrap();
    let [closed] = &looker.closed[..] else {
        panic!("{:?}", looker.closed);
    };
    let after = |seconds| Timestamp::ORIGIN + Nanos::from_secs(seconds);
    assert_eq!(
        (closed.number, closed.began, closed.ended),
        (1, after(0), after(3))
    );
    assert_eq!(closed.summary.count("connections.opened"), 6);
    let finished = run.finish();
    assert_eq!((finished.number, finished.began), (2, after(3)));
    assert_eq!(finished.summary.count("connections.opened"), 2);
    assert_eq!(finished.summary.carried("main"), 6);
    let whole = finished.whole.unwrap();
    assert_eq!(whole.count("connections.opened"), 8);
}
