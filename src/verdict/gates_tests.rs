//! Tests every statistic of every kind of metric, and every case without data.
//! Uses one summary of two cohorts and two stages, made by hand.

use super::super::fixture::{self, gate, selector};
use super::*;
use crate::measure::{Collector, Layout, Open, Phase, Sample, Shard, Window};
use crate::metric::{Cause, CloseKind, Counter, Side, Timer};
use crate::scenario::{Cohort, Op, Scenario, Selector, Stat, Subject};
use crate::units::Nanos;

/// Two cohorts, two stages of 10 s and 20 s.
fn collector() -> Collector {
    let cohort = |name: &str| (name.to_owned(), vec![crate::metric::Timed::sent("echo")]);
    let layout = Layout {
        cohorts: vec![cohort("a"), cohort("b")],
        stages: 2,
        topics: Default::default(),
    };
    let mut collector = Collector::new(layout.clone());
    let mut shard = Shard::new(&layout);
    for (index, cohort) in shard.cohorts.iter_mut().enumerate() {
        let more = index as u64 + 1;
        cohort.whole.add(Counter::ConnectionsOpened, 10 * more);
        cohort.whole.add(Counter::BytesSent, 4_000 * more);
        let first = cohort.window(Window::measured(0));
        first.add(Counter::MessagesSent, 100 * more);
        first.answer(0, Nanos(1_000_000 * more), Nanos(500_000));
        cohort
            .window(Window::measured(1))
            .add(Counter::MessagesSent, 200 * more);
    }
    shard.cohorts[0].whole.cause(Cause::Reset);
    shard.cohorts[0].whole.close(CloseKind::Rst, Side::Peer);
    shard.cohorts[0]
        .whole
        .time(Timer::HandshakeTotal, Nanos(3_000_000));

    // The cohorts reach their peaks at different times: 5 + 1, then 1 + 4, then 0 + 1.
    let states = [
        (Phase::Stage(1), 5, 1),
        (Phase::Stage(2), 1, 4),
        (Phase::Drain, 0, 1),
    ];
    for (second, (phase, a, b)) in states.into_iter().enumerate() {
        shard.interval = second as u64;
        for (cohort, open) in shard.cohorts.iter_mut().zip([a, b]) {
            cohort.open = Open {
                open,
                ..Open::default()
            };
        }
        let sample = Sample {
            cpu: Some(10.0 * (second as f64 + 1.0)),
            ..Sample::default()
        };
        collector.interval(phase, &shard, sample);
        shard.clear();
    }
    collector
}

/// The scenario with the cohorts of that run.
fn scenario() -> Scenario {
    let mut scenario = fixture::scenario();
    let main = &scenario.cohorts[0];
    scenario.cohorts = ["a", "b"]
        .map(|name| Cohort {
            name: name.to_owned(),
            ..main.clone()
        })
        .to_vec();
    scenario
}

/// The lengths in seconds: of the run, and of each stage.
const SECONDS: (f64, &[f64]) = (40.0, &[10.0, 20.0]);

fn summary() -> Summary {
    collector().summary(SECONDS.0, SECONDS.1)
}

/// Looks up a value at the end of the run; an abort gate sees the same value.
fn looked_up(stat: Stat, metric: &str, cohort: Option<&str>, stage: Option<u32>) -> Option<f64> {
    let subject = Subject::Stat(
        stat,
        Selector {
            metric: metric.to_owned(),
            cohort: cohort.map(str::to_owned),
            stage,
        },
    );
    let scenario = scenario();
    let snapshot = collector().snapshot(SECONDS.0, SECONDS.1, &|metric| subject.is_of(metric));
    let [at_the_end, meanwhile] = [summary(), snapshot]
        .map(|summary| observe(&subject, &View::new(&scenario, &summary)).map(|seen| seen.value));
    assert_eq!(at_the_end, meanwhile, "{subject}");
    at_the_end.ok()
}

fn of_all(stat: Stat, metric: &str) -> Option<f64> {
    looked_up(stat, metric, None, None)
}

#[test]
fn counters_have_a_count_and_a_rate() {
    assert_eq!(of_all(Stat::Count, "messages.sent"), Some(900.0));
    assert_eq!(
        looked_up(Stat::Count, "messages.sent", Some("b"), None),
        Some(600.0)
    );
    assert_eq!(
        looked_up(Stat::Count, "messages.sent", None, Some(1)),
        Some(300.0)
    );
    assert_eq!(of_all(Stat::Count, "errors.reset"), Some(1.0));
    assert_eq!(of_all(Stat::Count, "closes.rst.peer"), Some(1.0));
    assert_eq!(of_all(Stat::Mean, "messages.sent"), None);
}

#[test]
fn cohorts_share_a_window_and_stages_add_up() {
    assert_eq!(of_all(Stat::Rate, "messages.sent"), Some(30.0));
    assert_eq!(
        looked_up(Stat::Rate, "messages.sent", Some("a"), Some(2)),
        Some(10.0)
    );
    assert_eq!(
        of_all(Stat::Rate, "bytes.sent"),
        Some(300.0),
        "of the whole run"
    );
    let answers = of_all(Stat::Rate, "latency.echo").unwrap();
    assert!(
        (answers - 2.0 / 30.0).abs() < 1e-12,
        "the empty stage is time too"
    );
    assert_eq!(of_all(Stat::Rate, "errors.refused"), Some(0.0));
}

#[test]
fn what_never_happened_is_zero() {
    assert_eq!(of_all(Stat::Count, "errors.refused"), Some(0.0));
    assert_eq!(of_all(Stat::Count, "closes.1011.peer"), Some(0.0));
    assert_eq!(of_all(Stat::Count, "connections.dead"), Some(0.0));
}

#[test]
fn a_zero_that_was_not_counted_is_no_answer() {
    for metric in ["connections.opened", "errors.refused", "bytes.sent"] {
        assert_eq!(
            looked_up(Stat::Count, metric, None, Some(1)),
            None,
            "{metric}"
        );
    }
    assert_eq!(looked_up(Stat::Count, "messages.sent", None, Some(3)), None);
}

#[test]
fn histograms_have_every_statistic() {
    let within = |seen: Option<f64>, exact: f64| {
        let seen = seen.unwrap();
        assert!(
            (seen - exact).abs() <= exact * 0.001,
            "{seen} is not {exact}"
        );
    };
    within(of_all(Stat::Percentile(50.0), "latency.echo"), 1e6);
    within(of_all(Stat::Percentile(99.99), "latency.echo"), 2e6);
    assert_eq!(of_all(Stat::Min, "latency.echo"), Some(1e6));
    assert_eq!(of_all(Stat::Max, "latency.echo"), Some(2e6));
    assert_eq!(of_all(Stat::Mean, "latency.echo"), Some(1.5e6));
    assert_eq!(of_all(Stat::Count, "latency.echo"), Some(2.0));
    assert_eq!(
        looked_up(Stat::Max, "latency.echo", Some("a"), None),
        Some(1e6)
    );
    assert_eq!(of_all(Stat::Max, "handshake.total"), Some(3e6));
    assert_eq!(of_all(Stat::Last, "latency.echo"), None);
}

#[test]
fn gauges_are_summed_before_they_peak() {
    assert_eq!(
        of_all(Stat::Peak, "connections.open"),
        Some(6.0),
        "not 5 + 4"
    );
    assert_eq!(of_all(Stat::Max, "connections.open"), Some(6.0));
    assert_eq!(of_all(Stat::Min, "connections.open"), Some(5.0));
    assert_eq!(of_all(Stat::Last, "connections.open"), Some(5.0));
    assert_eq!(of_all(Stat::Mean, "connections.open"), Some(5.5));
    assert_eq!(
        looked_up(Stat::Peak, "connections.open", Some("b"), None),
        Some(4.0)
    );
    assert_eq!(
        looked_up(Stat::Last, "connections.open", None, Some(2)),
        Some(5.0)
    );
    assert_eq!(of_all(Stat::Peak, "connections.connecting"), Some(0.0));
    assert_eq!(of_all(Stat::Peak, "connections.closing"), Some(0.0));
    assert_eq!(of_all(Stat::Mean, "generator.cpu"), Some(20.0));
    assert_eq!(of_all(Stat::Peak, "generator.rss"), None, "never sampled");
    assert_eq!(of_all(Stat::Count, "generator.cpu"), None);
}

fn evaluated(gate: &Gate) -> GateResult {
    let summary = summary();
    evaluate(gate, &View::new(&scenario(), &summary))
}

fn ratio(above: &str, below: &str) -> Gate {
    Gate {
        subject: Subject::Ratio(selector(above), selector(below)),
        op: Op::Less,
        value: 0.01,
        text: "ratio".to_owned(),
    }
}

#[test]
fn ratios_want_something_to_divide_by() {
    let held = evaluated(&ratio("errors.reset", "messages.sent"));
    assert!(held.passed);
    assert_eq!(held.observed.unwrap().to_string(), "0.111 %");
    let empty = evaluated(&ratio("errors.reset", "messages.timed_out"));
    assert!(!empty.passed);
    assert_eq!(empty.why, "no data: `messages.timed_out` is zero");
}

#[test]
fn an_empty_histogram_fails_its_gate() {
    let gate = gate(Stat::Percentile(99.0), "heartbeat.rtt", Op::Less, 1e9);
    let result = evaluated(&gate);
    assert!(!result.passed);
    assert_eq!(result.observed, None);
    assert_eq!(result.why, "no samples of `heartbeat.rtt`");
}

#[test]
fn a_failed_gate_says_what_was_seen() {
    let result = evaluated(&gate(Stat::Max, "latency.echo", Op::Less, 1e6));
    assert_eq!(result.why, "observed 2.00 ms");
    assert_eq!(result.observed.unwrap().reported(), 2_000.0);
    assert_eq!(result.observed.unwrap().measure.name(), "us");
}

#[test]
fn the_first_abort_gate_that_holds_is_found() {
    let mut scenario = scenario();
    scenario.gates.abort = vec![
        gate(Stat::Percentile(99.0), "heartbeat.rtt", Op::Greater, 0.0),
        ratio("errors.reset", "messages.timed_out"),
        gate(Stat::Count, "errors.reset", Op::Greater, 5.0),
        gate(Stat::Count, "errors.reset", Op::Greater, 0.0),
    ];
    let holding = first_holding(&scenario, &summary()).unwrap();
    assert_eq!(holding.text, "count(errors.reset) > 0");
    scenario.gates.abort.pop();
    assert_eq!(
        first_holding(&scenario, &summary()),
        None,
        "no data does not hold"
    );
}
