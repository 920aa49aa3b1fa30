//! The text for Prometheus: as documented, and true whatever was measured.

use std::collections::BTreeMap;

use proptest::prelude::*;
use wsbench::measure::{Histogram, Metric, Value};
use wsbench::report::{self, Run};

use super::fixture::{doubtful, healthy, troubled};
use super::promises::promises;
use super::{golden, written};

fn text(run: &Run) -> String {
    written(|out| report::openmetrics(run, out))
}

#[test]
fn the_text_for_prometheus_is_as_documented() {
    golden("metrics.txt", &text(&troubled().run));
}

/// A sample of the text: its name and labels, and its value.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &str| {
        let (name, value) = line.rsplit_once(' ').unwrap();
        (name.to_owned(), value.parse().unwrap())
    };
    lines.map(sample).collect()
}

#[test]
fn numbers_are_those_of_the_other_formats() {
    for case in [troubled(), healthy(), doubtful(), promises()] {
        let run = case.run;
        let samples = samples(&text(&run));
        let scenario = &run.scenario.name;
        let of = |name: &str| {
            let ours = samples.iter().filter(|(sample, _)| {
                sample.starts_with(&format!("wsbench_{name}{{scenario=\"{scenario}\""))
            });
            ours.map(|(_, value)| value).sum::<f64>()
        };
        let all = |name: &str| {
            let rows = run.summary.metrics.iter().filter(|row| row.name == name);
            rows.map(|row| match &row.value {
                Value::Counter(count) => *count,
                Value::Histogram(times) => times.count(),
                Value::Gauge(_) => 0,
            })
            .sum::<u64>() as f64
        };
        for (ours, name) in [
            ("connections_attempted_total", "connections.attempted"),
            ("messages_sent_total", "messages.sent"),
            ("heartbeat_rtt_seconds_count", "heartbeat.rtt"),
            ("handshake_redirects_total", "handshake.redirects"),
        ] {
            assert_eq!(of(ours), all(name), "{name} of {scenario}");
        }
        let judged = run.verdict.gates.iter().filter(|gate| !gate.doubted);
        let held = judged.clone().filter(|gate| gate.passed).count();
        assert_eq!(of("gate_held"), held as f64);
        assert_eq!(of("exit_code"), f64::from(run.verdict.exit.code()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Buckets grow up to the count, and each lies where the times do, within the precision of a histogram.
    #[test]
    fn buckets_are_cumulative_and_hold_every_time(
        times in prop::collection::vec((0_u64..1 << 37).prop_map(|ns| ns >> (ns % 30)), 1..200),
    ) {
        let mut histogram = Histogram::new();
        times.iter().for_each(|ns| histogram.record(*ns));
        let mut run = healthy().run;
        run.summary.metrics = vec![Metric {
            name: "latency.a\"b\\".to_owned(),
            cohort: Some("main".to_owned()),
            stage: None,
            seconds: 1.0,
            value: Value::Histogram(Box::new(histogram)),
        }];
        let samples = samples(&text(&run));
        let mut buckets = Vec::new();
        let mut count = None;
        for (name, value) in &samples {
            if let Some(labels) = name.strip_prefix("wsbench_latency_seconds_bucket{") {
                prop_assert!(labels.contains("message=\"a\\\"b\\\\\""), "{}", labels);
                let (_, limit) = labels.split_once("le=\"").unwrap();
                let limit = limit.split('"').next().unwrap();
                buckets.push((limit.parse::<f64>().unwrap(), *value));
            }
            if name.starts_with("wsbench_latency_seconds_count{") {
                count = Some(*value);
            }
        }
        buckets.sort_by(|one, other| one.0.total_cmp(&other.0));
        prop_assert_eq!(buckets.len(), 20);
        prop_assert!(buckets.is_sorted_by(|one, other| one.1 <= other.1), "{:?}", buckets);
        prop_assert_eq!(buckets.last().copied(), Some((f64::INFINITY, times.len() as f64)));
        prop_assert_eq!(count, Some(times.len() as f64));
        for (limit, seen) in &buckets[..19] {
            let up_to = |ns: f64| times.iter().filter(|time| (**time as f64) <= ns).count() as f64;
            let ns = limit * 1e9;
            prop_assert!(up_to(ns) <= *seen && *seen <= up_to(ns * 1.001 + 64.0), "{limit}: {seen}");
        }
    }
}
