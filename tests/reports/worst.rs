//! The page of the largest run that can be: it stays below its limit, and says what it left out.

use wsbench::measure::{Encoded, Histogram, Interval, Metric, Own, Part, Phase, Usage, Value};
use wsbench::metric::{Cause, Counter, Timer, error, latency, service};
use wsbench::report::{self, BaselineRecord, BaselineTimes, Run};
use wsbench::units::{Nanos, Timestamp};
use wsbench::verdict::{Judged, Occurred};

use super::promises::promises;
use super::{troubled, written};

const LIMIT: usize = 400 << 10;
const COHORTS: usize = 24;
const INTERVALS: u64 = 720;
const MESSAGES: usize = 64;
const JUDGED: usize = 200_000;

/// Numbers without a pattern, the same in each run of the test.
struct Noise(u64);

impl Noise {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    /// Times over four decades, so that no two seconds look alike.
    fn times(&mut self) -> Histogram {
        let mut times = Histogram::new();
        let scale = 10_u64.pow(4 + self.below(4) as u32);
        (0..40).for_each(|_| times.record(scale + self.below(scale * 20)));
        times
    }
}

fn name(kind: &str, index: usize) -> String {
    format!("{kind}-{index:02}-{}", "long_".repeat(10))
}

/// A message whose chart is drawn is heard of in few cohorts: what is merged of many takes no more room, but time.
fn part(noise: &mut Noise, kept: &[Encoded], cohort: usize, drawn: usize) -> Part<Encoded> {
    let mut part = Part::default();
    part.gauges.open = noise.below(100_000);
    part.gauges.connecting = noise.below(1_000);
    part.gauges.closing = noise.below(1_000);
    part.gauges.dead = noise.below(100);
    for counter in Counter::ALL {
        part.counts
            .insert(counter.name().into(), noise.below(100_000));
    }
    let mut time = |name: String| {
        let times = kept[noise.below(kept.len() as u64) as usize].clone();
        part.times.insert(name.into(), times);
    };
    if cohort < 2 {
        (0..drawn).for_each(|message| time(latency(&name("message", message))));
        time(Timer::HeartbeatRtt.name().to_owned());
        time(Timer::ScheduleLateness.name().to_owned());
    }
    part
}

/// So many messages have a chart over time.
fn worst(drawn: usize) -> Run {
    let mut noise = Noise(1);
    let mut run = promises().run;
    run.scenario.description = "<&\"'>".repeat(1_000);
    run.scenario.text = "message = \"<&'>\" # and so on\n".repeat(100_000);
    run.options.overrides = vec!["--gate \"p99(latency.echo) < 5ms\"".to_owned(); 100];
    let record = run.scenario.cohorts[0].clone();
    let names: Vec<String> = (0..COHORTS).map(|index| name("cohort", index)).collect();
    let records = names.iter().map(|name| {
        let mut record = record.clone();
        record.name.clone_from(name);
        record
    });
    run.scenario.cohorts = records.collect();
    run.summary.cohorts.clone_from(&names);

    let kept: Vec<Encoded> = (0..60).map(|_| Encoded::from(&noise.times())).collect();
    let second = |index: u64| Timestamp::ORIGIN + index * Interval::SECOND;
    run.summary.intervals = (0..INTERVALS)
        .map(|index| Interval {
            index,
            from: second(index),
            to: second(index + 1),
            phase: Phase::Measure,
            cohorts: (0..COHORTS)
                .map(|cohort| part(&mut noise, &kept, cohort, drawn))
                .collect(),
            sources: [(
                Interval::GENERATOR.into(),
                Own {
                    cpu: Some(Nanos(noise.below(2_000_000_000))),
                    rss: Some(noise.below(1 << 30)),
                    loop_lag: Some(kept[0].clone()),
                    look_ups: None,
                },
            )]
            .into(),
            target: Some(Usage {
                cpu: Some(Nanos(noise.below(1_000_000_000))),
                rss: noise.below(1 << 32),
                descriptors: noise.below(100_000),
            }),
        })
        .collect();

    let metric = |name: String, cohort: &String, value| Metric {
        name,
        cohort: Some(cohort.clone()),
        stage: None,
        seconds: 720.0,
        value,
    };
    for cohort in &names {
        for message in 0..MESSAGES {
            let message = name("message", message);
            for name in [latency(&message), service(&message)] {
                let times = Value::Histogram(Box::new(noise.times()));
                run.summary.metrics.push(metric(name, cohort, times));
            }
        }
        for cause in Cause::ALL {
            let count = Value::Counter(1 + noise.below(1_000_000));
            run.summary
                .totals
                .push(metric(error(*cause), cohort, count));
        }
    }
    for cause in Cause::ALL {
        let examples = vec!["<\u{202e}>".repeat(100); 5];
        run.summary.endings.examples.insert(*cause, examples);
    }

    let contracts = run.verdict.contracts.clone();
    let strips = contracts.iter().filter(|one| one.bounds.is_some());
    let strips: Vec<_> = strips.collect();
    let each = JUDGED / (COHORTS * 8);
    run.verdict.contracts = (0..COHORTS * 8)
        .map(|index| {
            let mut contract = strips[index % strips.len()].clone();
            contract.cohort.clone_from(&names[index / 8]);
            contract.passed = index % 3 != 0;
            contract.evidence.rows = (0..each)
                .map(|connection| Judged {
                    connection: connection as u32,
                    level_ns: Some(Nanos(noise.below(1 << 32))),
                    seen: Occurred::After(Nanos(noise.below(1 << 33))),
                    held: connection > 300,
                })
                .collect();
            contract
        })
        .collect();
    let judged: usize = run
        .verdict
        .contracts
        .iter()
        .map(|one| one.evidence.rows.len())
        .sum();
    assert!(judged > JUDGED - 300, "{judged}");

    let troubled = troubled().run;
    let gates = troubled.verdict.gates.iter().cycle();
    run.verdict.gates = gates.take(500).cloned().collect();
    let warnings = troubled.verdict.warnings.iter().cycle();
    run.verdict.warnings = warnings.take(300).cloned().collect();
    let rtt = Timer::HeartbeatRtt.name().to_owned();
    let messages = (0..drawn).map(|message| name("message", message));
    let times = messages.flat_map(|message| [latency(&message), service(&message)]);
    run.baseline = Some(BaselineRecord {
        sessions: 500,
        times: (times.chain([rtt]))
            .map(|metric| BaselineTimes {
                metric,
                sessions: 500,
                times: (0..100)
                    .map(|_| noise.times())
                    .fold(Histogram::new(), |mut all, times| {
                        all.merge(&times);
                        all
                    }),
            })
            .collect(),
    });
    let mut ending = troubled.summary.endings.rows[0].clone();
    ending.close_reason = "<\u{202e}>".repeat(30);
    run.summary.endings.rows = vec![ending; 10_000];
    run
}

#[test]
fn the_page_of_the_largest_run_stays_below_its_limit() {
    for drawn in 0..3 {
        let run = worst(drawn);
        let page = written(|out| report::html(&run, out));
        assert!(
            page.len() <= LIMIT,
            "{} bytes, {drawn} messages",
            page.len()
        );
    }
    let run = worst(3);
    let page = written(|out| report::html(&run, out));
    assert!(page.len() <= LIMIT, "{} bytes", page.len());
    assert!(
        page.len() > LIMIT / 2,
        "{} bytes: it is not so large",
        page.len()
    );
    for left_out in [
        "Grey: the baseline, 500 sessions together.",
        "more, see run.json",
        "more, see contracts.csv",
        "more, see summary.csv",
        "more, see connections.csv",
        "… and more: see run.json",
    ] {
        assert!(page.contains(left_out), "{left_out}");
    }
    assert!(
        !page.contains("id=\"run-json\""),
        "a copy would be too long"
    );
    let broken = run
        .verdict
        .contracts
        .iter()
        .filter(|one| !one.passed)
        .count();
    let shown = page.matches("class=\"promise no\"").count();
    assert!(
        shown >= broken.min(20),
        "{shown} broken promises of {broken}"
    );
}

/// What most runs have has room, and their copy too.
#[test]
fn nothing_is_left_out_of_an_ordinary_run() {
    for run in [troubled().run, promises().run] {
        let page = written(|out| report::html(&run, out));
        assert!(!page.contains(" more, see "), "{page}");
        assert!(page.contains("id=\"run-json\""));
    }
}
