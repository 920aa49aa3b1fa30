//! The shards of workers are the same run, whether one process merges them or several, whose files are put together.

use std::io;
use std::ops::ControlFlow;

use proptest::prelude::*;

use super::*;
use crate::engine::observer::Second;
use crate::engine::session::tests::plan;
use crate::measure::{Open, Phase, Usage, Value, Window};
use crate::metric::Counter;
use crate::units::Nanos;

const STEADY: &str = r#"
load = { connections = 9, ramp_up = "1s", warm_up = "1s", duration = "3s" }
message = [{ name = "echo", rate = "1/s" }]
"#;

/// The shards of one worker, in the order of their intervals.
type Worker = Vec<Shard>;

struct Kept {
    shards: std::vec::IntoIter<Shard>,
    from: Timestamp,
    ended: Timestamp,
}

impl Recorded for Kept {
    type Error = io::Error;

    fn next(&mut self) -> io::Result<Option<(Shard, Sample)>> {
        Ok(self.shards.next().map(|shard| (shard, Sample::default())))
    }

    fn workers(&self) -> usize {
        1
    }

    fn measured_from(&self) -> Option<Timestamp> {
        Some(self.from)
    }

    fn ended(&self) -> (Timestamp, Timestamp) {
        (self.ended, self.ended)
    }
}

struct Silent;

impl Observer for Silent {
    fn second(&mut self, _second: &Second<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// One worker: for each second in which it handed over, how much it did.
fn worker() -> impl Strategy<Value = Worker> {
    let seconds = prop::collection::btree_map(0u64..7, (0u64..9, 1u64..1 << 40), 1..6);
    seconds.prop_map(|seconds| {
        let shard = |(interval, (count, ns)): (u64, (u64, u64))| {
            let mut shard = Shard::new(&plan(STEADY).layout());
            shard.interval = interval;
            let cohort = &mut shard.cohorts[0];
            cohort.whole.add(Counter::ConnectionsOpened, count);
            cohort.open = Open {
                open: count,
                ..Open::default()
            };
            let window = cohort.window(Window::measured(0));
            window.add(Counter::MessagesSent, count);
            window.answer(0, Nanos(ns), Nanos(ns / 2));
            shard.loop_lag.record(ns / 1_000);
            shard.more_endings = count;
            shard
        };
        seconds.into_iter().map(shard).collect()
    })
}

/// The merged shards of these workers, as their process records them, once through bytes.
fn recorded(workers: &[Worker]) -> Worker {
    let layout = plan(STEADY).layout();
    let mut merging = Merging::new(&layout, workers.len());
    for (worker, shards) in workers.iter().enumerate() {
        for shard in shards {
            merging.add(Handover {
                worker,
                shard: shard.clone(),
                last: false,
            });
        }
    }
    merging.end();
    let merged = std::iter::from_fn(|| merging.next());
    let again = |shard: Shard| Shard::decode(&shard.encode(&layout), &layout).unwrap();
    merged.map(again).collect()
}

fn second(second: u64) -> Timestamp {
    Timestamp::ORIGIN + Nanos::from_secs(second)
}

fn replayed(parts: Vec<Worker>) -> Replayed {
    let plan = plan(STEADY);
    let ended = second(7);
    let kept = |shards: Worker| Kept {
        shards: shards.into_iter(),
        from: second(2),
        ended,
    };
    let mut parts: Vec<Kept> = parts.into_iter().map(kept).collect();
    replay(&plan, &mut parts, &mut Silent).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn parts_merged_are_the_same_shards_merged_in_one_process(
        workers in prop::collection::vec(worker(), 1..6), cuts in prop::collection::vec(0usize..6, 0..3),
    ) {
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(workers.len())).collect();
        cuts.extend([0, workers.len()]);
        cuts.sort_unstable();
        cuts.dedup();
        let parts = cuts.windows(2).map(|cut| recorded(&workers[cut[0]..cut[1]]));
        let parts: Vec<Worker> = parts.collect();
        let count = parts.len();
        let several = replayed(parts);
        let one = replayed(vec![recorded(&workers)]);
        prop_assert_eq!(&several.summary, &one.summary);
        prop_assert_eq!(several.health.len(), count);
        let sent = |summary: &Summary| summary.count("messages.sent");
        prop_assert_eq!(several.health.iter().map(sent).sum::<u64>(), sent(&one.summary));
    }
}

/// A part that ended early is not waited for, and measuring lasts as long as any part went on.
#[test]
fn a_part_that_ended_early_holds_nobody_up() {
    let layout = plan(STEADY).layout();
    let at = |interval| {
        let mut shard = Shard::new(&layout);
        shard.interval = interval;
        shard
    };
    let plan = plan(STEADY);
    let part = |seconds: u64| Kept {
        shards: (0..seconds).map(at).collect::<Vec<_>>().into_iter(),
        from: second(2),
        ended: second(seconds),
    };
    let mut parts = [part(3), part(6)];
    let replayed = replay(&plan, &mut parts, &mut Silent).unwrap();
    assert_eq!(replayed.summary.measured_seconds, 3.0);
    assert_eq!(replayed.health[0].measured_seconds, 1.0);
    assert_eq!(replayed.summary.seconds, 6.0);
}

/// Where somebody led the parts, measuring began when he said so, and not when the plan alone would have it.
#[test]
fn measuring_began_when_the_parts_say() {
    let plan = plan(STEADY);
    let part = |from: u64| Kept {
        shards: (0..7)
            .map(|interval| {
                let mut shard = Shard::new(&plan.layout());
                shard.interval = interval;
                shard
            })
            .collect::<Vec<_>>()
            .into_iter(),
        from: second(from),
        ended: second(6),
    };
    let replayed = replay(&plan, &mut [part(4), part(4)], &mut Silent).unwrap();
    assert_eq!(replayed.summary.measured_from, Some(second(4)));
    assert_eq!(replayed.summary.measured_seconds, 2.0);
    assert!(replayed.health.iter().all(|of| of.measured_seconds == 2.0));
}

/// The last connection opens just before a full second, and measuring begins then: that second was not measured, and the
/// last of the measured time was.
#[test]
fn a_second_is_of_the_phase_of_most_of_it() {
    let plan = plan(STEADY);
    let mut phases = Phases::led(&plan);
    phases.schedule(second(2).saturating_sub(Nanos::from_millis(100)));
    let mut intake = Intake::new(&plan, 1, Share::whole(1));
    for interval in 0..7 {
        let mut shard = Shard::new(&plan.layout());
        shard.interval = interval;
        let target = Usage {
            rss: interval,
            descriptors: 1,
            cpu: None,
        };
        let sample = Sample {
            target: Some(target),
            ..Sample::default()
        };
        intake.second(shard, Timestamp::NEVER, sample, &phases, &mut Silent);
    }
    let summary = intake.last(&phases, second(7)).summary;
    let phases: Vec<Phase> = summary.timeline.iter().map(|row| row.phase).collect();
    let [ramp_up, warm_up] = [Phase::RampUp, Phase::WarmUp];
    let [measure, drain] = [Phase::Measure, Phase::Drain];
    assert_eq!(
        phases,
        [ramp_up, warm_up, measure, measure, measure, drain, drain]
    );
    let steps: Vec<Phase> = summary.intervals.iter().map(|step| step.phase).collect();
    assert_eq!(steps, phases);
    let mut rss = summary.select("target.rss", None, None);
    let rss = rss.find_map(|row| match row.value {
        Value::Gauge(rss) => Some((rss.samples, rss.min, rss.max)),
        _ => None,
    });
    assert_eq!(rss, Some((3, 2.0, 4.0)));
    // The states of connections are those at the end of each second, so they are of the phase at that time.
    let states = (summary.states.iter()).filter(|states| states.cohort.is_none());
    let states: Vec<(Phase, u64)> = states.map(|of| (of.phase, of.open.samples)).collect();
    assert_eq!(states, [(warm_up, 1), (measure, 3), (drain, 3)]);
}
