//! The phases of a run, and what becomes of it when somebody fails or a signal comes.

use super::*;
use crate::engine::session::tests::plan;
use crate::scenario::TargetUrl;
use crate::time::NEVER;
use std::ops::ControlFlow;

const S: Nanos = 1_000_000_000;

struct Nobody;

impl Observer for Nobody {
    fn measuring(&mut self, _from: std::time::Instant) {
        panic!("nothing is measured");
    }

    fn second(&mut self, _second: &Second<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// A run of two workers, in which nobody has done anything yet.
fn launched(load: &str) -> (Launch, Crew, mpsc::Sender<()>, mpsc::Sender<Handover>) {
    let plan = Arc::new(plan(load));
    let target = &plan.scenario.target;
    let TargetUrl::Url(url) = &target.url else {
        unreachable!("it has an address");
    };
    let dialer = Dialer::new(url, target, Ok(Vec::new()), Vec::new(), None).unwrap();
    let (alarm, failed) = mpsc::channel(1);
    let (hand_over, shards) = mpsc::channel(1);
    let crew = Crew {
        clock: Monotonic::start(),
        state: Arc::new(RunState::new(plan.connections())),
        end: watch::channel(()).0,
        shards,
        failed,
        recycle: Vec::new(),
        threads: Vec::new(),
    };
    let launch = Launch {
        plan,
        dialer: Arc::new(dialer),
        dns: None,
        workers: 2,
    };
    (launch, crew, alarm, hand_over)
}

#[tokio::test]
async fn a_worker_that_failed_ends_the_run() {
    let (launch, crew, alarm, the_other) = launched("load.connections = 2");
    let (_interrupter, interrupt) = mpsc::channel(1);
    let mut supervisor = Supervisor::new(&launch, &crew, interrupt);
    let alarm = Alarm(Some(alarm));
    let worker = std::thread::spawn(move || {
        let _alarm = alarm;
        panic!("as a worker might");
    });
    assert!(worker.join().is_err());
    let state = crew.state.clone();
    let told = state.clone();
    std::thread::spawn(move || {
        while told.end() == NEVER {
            std::thread::yield_now();
        }
        drop(the_other);
    });
    let mut nobody = Nobody;
    let supervised = supervisor.supervise(crew.shards, crew.failed, &mut nobody);
    let in_time = tokio::time::timeout(Duration::from_secs(10), supervised);
    in_time.await.expect("it ends").unwrap();
    assert!(state.end() <= supervisor.ended_at + NOTICE);
}

/// What the other worker saw until then is not thrown away.
#[tokio::test]
async fn a_failure_leaves_what_was_seen() {
    let (launch, mut crew, alarm, the_other) = launched("load.connections = 2");
    let (_interrupter, interrupt) = mpsc::channel(1);
    crew.recycle = (0..2).map(|_| channel().0).collect();
    let mut supervisor = Supervisor::new(&launch, &crew, interrupt);
    let mut shard = Shard::new(&launch.plan.layout());
    let opened = Counter::ConnectionsOpened;
    shard.cohorts[0].whole.add(opened, 1);
    let last = Handover {
        worker: 1,
        shard,
        last: true,
    };
    assert!(the_other.try_send(last).is_ok());
    drop((the_other, Alarm(Some(alarm))));
    let mut nobody = Nobody;
    let supervised = supervisor.supervise(crew.shards, crew.failed, &mut nobody);
    let in_time = tokio::time::timeout(Duration::from_secs(10), supervised);
    in_time.await.expect("it ends").unwrap();
    let failure = Some(EngineError::Killed);
    let finished = supervisor.finish(2, failure);
    assert_eq!(finished.summary.count(opened.name()), 1);
}

/// One that comes while the load goes on does.
#[tokio::test]
async fn a_signal_in_the_drain_interrupts_nothing() {
    for (is_over, interrupted) in [(true, false), (false, true)] {
        let (launch, crew, _alarm, the_workers) = launched("load.connections = 2");
        let (interrupter, interrupt) = mpsc::channel(2);
        let mut supervisor = Supervisor::new(&launch, &crew, interrupt);
        if is_over {
            crew.state.cut_short(0);
        }
        interrupter.try_send(()).unwrap();
        tokio::spawn(async move {
            interrupter.reserve_many(2).await.expect("it was heard");
            drop(the_workers);
        });
        let mut nobody = Nobody;
        let supervised = supervisor.supervise(crew.shards, crew.failed, &mut nobody);
        let in_time = tokio::time::timeout(Duration::from_secs(10), supervised);
        in_time.await.expect("it ends").unwrap();
        assert_eq!(supervisor.finish(2, None).interrupted, interrupted);
    }
}

#[tokio::test]
async fn one_that_ended_well_raises_no_alarm() {
    let (_, mut crew, alarm, _) = launched("load.connections = 2");
    Alarm(Some(alarm)).put_away();
    assert_eq!(crew.failed.recv().await, None);
}

/// A signal comes in the ramp, and the last dial ends long after it.
#[test]
fn what_settles_after_the_end_begins_no_measuring() {
    let (launch, crew, _alarm, _hand_over) = launched("load.connections = 1");
    let (_interrupter, interrupt) = mpsc::channel(1);
    let supervisor = Supervisor::new(&launch, &crew, interrupt);
    supervisor.state.cut_short(0);
    supervisor.begin(0, &mut Nobody);
    assert_eq!(supervisor.state.measure_from(), None);
}

/// The phase at the end of each of the first seconds.
fn phases<const N: usize>(load: &str, measure_from: Option<Nanos>, end: Nanos) -> [String; N] {
    let plan = plan(load);
    let shape = &plan.scenario.load.shape;
    let at = |second| phase(shape, &plan.windows(), measure_from, end, second * S);
    std::array::from_fn(|second| at(second as Nanos + 1).to_string())
}

#[test]
fn the_phases_of_a_steady_load_follow_one_another() {
    let load = r#"load = { connections = 5, ramp_up = "1s", warm_up = "2s", duration = "2s" }"#;
    // All were open after 1.5 seconds.
    let (from, end) = (3_500_000_000, 5_500_000_000);
    let labels = [
        "ramp_up", "warm_up", "warm_up", "measure", "measure", "drain",
    ];
    assert_eq!(phases(load, Some(from), end), labels);
    // A signal before all are open.
    assert_eq!(phases(load, None, 2 * S), ["ramp_up", "ramp_up", "drain"]);
}

#[test]
fn without_warm_up_there_is_no_such_phase() {
    let load = r#"load = { connections = 5, ramp_up = "1s", duration = "2s" }"#;
    let from = S + NOTICE;
    assert_eq!(
        phases(load, Some(from), from + 2 * S),
        ["ramp_up", "measure", "measure", "drain"]
    );
}

#[test]
fn stages_and_arrivals_have_no_ramp() {
    let stages = r#"load.stages = [{ duration = "1s", connections = 5 }, { duration = "2s", connections = 0 }]"#;
    assert_eq!(
        phases(stages, Some(0), 3 * S),
        ["stage_1", "stage_2", "stage_2", "drain"]
    );
    let arrivals = r#"
        load = { arrivals = { rate = "5/s", lifetime = "1s" }, warm_up = "1s", duration = "1s" }
        "#;
    assert_eq!(
        phases(arrivals, Some(S), 2 * S),
        ["warm_up", "measure", "drain"]
    );
}
