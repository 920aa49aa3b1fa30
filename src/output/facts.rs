//! The numbers of a second, and those of a run so far, one by one under the names of the catalogue.

use std::collections::BTreeMap;

use crate::measure::{Histogram, Interval, Name};
use crate::metric::{Counter, Exported, Gauge, Kind, Timer, exported};

/// One number of a cohort, or of the run as a whole.
#[derive(Debug)]
pub(super) struct Fact<'a> {
    /// The index of the cohort; `None` for the run.
    pub(super) cohort: Option<usize>,
    /// Its name in the catalogue.
    pub(super) name: &'a str,
    pub(super) value: Value<'a>,
}

/// What was measured.
#[derive(Debug, Clone, Copy)]
pub(super) enum Value<'a> {
    Count(u64),
    /// In the unit of the catalogue.
    Level(f64),
    /// In nanoseconds.
    Times(&'a Histogram),
}

impl Fact<'_> {
    /// The name, labels and scale that other systems know it by.
    pub(super) fn exported(&self) -> Exported {
        let kind = match self.value {
            Value::Count(_) => Kind::Counter,
            Value::Level(_) => Kind::Gauge,
            Value::Times(_) => Kind::Histogram,
        };
        exported(self.name, kind)
    }
}

/// The numbers of one second. What did not happen is left out.
pub(super) fn facts(interval: &Interval) -> Vec<Fact<'_>> {
    let mut all = Vec::new();
    for (index, part) in interval.cohorts.iter().enumerate() {
        let of_cohort = |name, value| Fact {
            cohort: Some(index),
            name,
            value,
        };
        let counts = part.counts.iter();
        all.extend(counts.map(|(name, count)| of_cohort(&**name, Value::Count(*count))));
        let times = part.times.iter();
        all.extend(times.map(|(name, times)| of_cohort(&**name, Value::Times(times))));
        let now = part.gauges;
        let states = [
            (Gauge::Connecting, now.connecting),
            (Gauge::Open, now.open),
            (Gauge::Ready, now.ready),
            (Gauge::Closing, now.closing),
        ];
        all.extend(states.map(|(gauge, now)| of_cohort(gauge.name(), Value::Level(now as f64))));
    }
    let of_run = |name, value| Fact {
        cohort: None,
        name,
        value,
    };
    let seconds = interval.seconds();
    let mut level = |gauge: Gauge, value: Option<f64>| {
        let value = value.filter(|value| value.is_finite());
        all.extend(value.map(|value| of_run(gauge.name(), Value::Level(value))));
    };
    let own = || interval.sources.values();
    let cpu = own().filter_map(|own| own.cpu).reduce(|a, b| a + b);
    let percent = |used: crate::units::Nanos| 100.0 * used.as_secs_f64() / seconds;
    level(Gauge::GeneratorCpu, cpu.map(percent));
    let rss = own().filter_map(|own| own.rss);
    let rss = rss.reduce(u64::saturating_add);
    level(Gauge::GeneratorRss, rss.map(|bytes| bytes as f64));
    if let Some(target) = interval.target {
        level(Gauge::TargetCpu, target.cpu.map(percent));
        level(Gauge::TargetRss, Some(target.rss as f64));
        level(Gauge::TargetDescriptors, Some(target.descriptors as f64));
    }
    for own in own() {
        let times = [
            (Timer::GeneratorLoopLag, &own.loop_lag),
            (Timer::HandshakeDns, &own.look_ups),
        ];
        let times = times
            .into_iter()
            .filter_map(|(timer, times)| Some(of_run(timer.name(), Value::Times(times.as_ref()?))));
        all.extend(times);
    }
    all
}

/// The numbers of a run so far: counts and times added up, and the newest levels. Takes as much memory as the run has
/// names and cohorts, however long it is.
#[derive(Debug, Default)]
pub(super) struct Totals {
    counts: BTreeMap<(Option<usize>, Name), u64>,
    times: BTreeMap<(Option<usize>, Name), Histogram>,
    levels: BTreeMap<(Option<usize>, Name), f64>,
    /// The number of the newest second.
    newest: Option<u64>,
}

impl Totals {
    /// Those of a run that has not begun: its counters are there from the start, at zero, so that the first thing that
    /// happens is seen as a change.
    pub(super) fn new(cohorts: usize) -> Self {
        let counters = |cohort| {
            let names = Counter::ALL.iter();
            names.map(move |counter| ((Some(cohort), Name::from(counter.name())), 0))
        };
        Self {
            counts: (0..cohorts).flat_map(counters).collect(),
            ..Self::default()
        }
    }

    /// Adds a second, unless it is the one that was added last.
    pub(super) fn add(&mut self, interval: &Interval) {
        if self.newest.replace(interval.index) == Some(interval.index) {
            return;
        }
        self.levels.clear();
        for Fact {
            cohort,
            name,
            value,
        } in facts(interval)
        {
            let key = (cohort, Name::from(name.to_owned()));
            match value {
                Value::Count(count) => {
                    let all = self.counts.entry(key).or_default();
                    *all = all.saturating_add(count);
                }
                Value::Level(level) => {
                    self.levels.insert(key, level);
                }
                Value::Times(times) => self.times.entry(key).or_default().merge(times),
            }
        }
    }

    /// All of them.
    pub(super) fn facts(&self) -> impl Iterator<Item = Fact<'_>> {
        fn of<'a>((cohort, name): &'a (Option<usize>, Name), value: Value<'a>) -> Fact<'a> {
            Fact {
                cohort: *cohort,
                name,
                value,
            }
        }
        let counts = self.counts.iter();
        let counts = counts.map(|(key, count)| of(key, Value::Count(*count)));
        let times = self.times.iter();
        let times = times.map(|(key, times)| of(key, Value::Times(times)));
        let levels = self.levels.iter();
        let levels = levels.map(|(key, level)| of(key, Value::Level(*level)));
        counts.chain(times).chain(levels)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::measure::{Open, Own, Part, Phase, Usage};
    use crate::units::{Nanos, Timestamp};

    /// A second of two cohorts: the first echoes and has an error, the other is idle.
    pub(in crate::output) fn second(index: u64) -> Interval {
        let mut latency = Histogram::new();
        for ms in 1..=100 {
            latency.record(ms * 1_000_000);
        }
        let busy = Part {
            gauges: Open {
                open: 10,
                ready: 9,
                ..Open::default()
            },
            counts: [
                (Name::from("messages.sent"), 100),
                (Name::from("errors.reset"), 1),
                (Name::from("closes.1011.peer"), 2),
            ]
            .into(),
            times: [(Name::from("latency.echo, 2"), latency)].into(),
        };
        let own = Own {
            cpu: Some(Nanos::from_millis(250)),
            rss: Some(1 << 20),
            ..Own::default()
        };
        Interval {
            index,
            from: Timestamp::ORIGIN + index * Interval::SECOND,
            to: Timestamp::ORIGIN + (index + 1) * Interval::SECOND,
            phase: Phase::Measure,
            cohorts: vec![busy, Part::default()],
            sources: [(Name::from(Interval::GENERATOR), own)].into(),
            target: Some(Usage {
                rss: 4096,
                descriptors: 7,
                cpu: None,
            }),
        }
    }

    fn shown(facts: impl IntoIterator<Item = (Option<usize>, String, String)>) -> Vec<String> {
        let mut all: Vec<String> = facts
            .into_iter()
            .map(|(cohort, name, value)| format!("{cohort:?} {name} {value}"))
            .collect();
        all.sort();
        all
    }

    fn owned(fact: &Fact<'_>) -> (Option<usize>, String, String) {
        let value = match fact.value {
            Value::Count(count) => count.to_string(),
            Value::Level(level) => level.to_string(),
            Value::Times(times) => format!("×{}", times.count()),
        };
        (fact.cohort, fact.name.to_owned(), value)
    }

    #[test]
    fn a_second_is_told_by_the_names_of_the_catalogue() {
        let second = second(0);
        let all = shown(facts(&second).iter().map(owned));
        let states = |cohort, [connecting, open, ready, closing]: [u64; 4]| {
            [
                format!("Some({cohort}) connections.connecting {connecting}"),
                format!("Some({cohort}) connections.open {open}"),
                format!("Some({cohort}) connections.ready {ready}"),
                format!("Some({cohort}) connections.closing {closing}"),
            ]
        };
        let mut wanted = vec![
            "Some(0) messages.sent 100".to_owned(),
            "Some(0) errors.reset 1".to_owned(),
            "Some(0) closes.1011.peer 2".to_owned(),
            "Some(0) latency.echo, 2 ×100".to_owned(),
            "None generator.cpu 25".to_owned(),
            "None generator.rss 1048576".to_owned(),
            "None target.rss 4096".to_owned(),
            "None target.descriptors 7".to_owned(),
        ];
        wanted.extend(states(0, [0, 10, 9, 0]));
        wanted.extend(states(1, [0; 4]));
        wanted.sort();
        assert_eq!(all, wanted);
    }

    #[test]
    fn totals_are_the_sum_of_all_seconds_and_begin_at_zero() {
        let mut totals = Totals::new(2);
        let zeros = totals.facts().filter(|fact| owned(fact).2 == "0");
        assert_eq!(zeros.count(), 2 * Counter::COUNT);
        (0..3).for_each(|index| totals.add(&second(index)));
        let all = shown(totals.facts().map(|fact| owned(&fact)));
        for wanted in [
            "Some(0) messages.sent 300",
            "Some(0) messages.received 0",
            "Some(1) messages.sent 0",
            "Some(0) closes.1011.peer 6",
            "Some(0) latency.echo, 2 ×300",
            "Some(0) connections.open 10",
            "None generator.cpu 25",
        ] {
            assert!(all.iter().any(|one| one == wanted), "{wanted}: {all:?}");
        }
    }
}
