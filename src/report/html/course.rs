//! A run over time as its charts show it: at most 360 steps, each reduced to the numbers that are drawn.

use std::collections::BTreeMap;

use crate::measure::{Encoded, Histogram, Interval, Open, Part};
use crate::metric::{self, Counter, Timer};
use crate::report::picture::{Phase, Quantiles, State, Time};
use crate::report::run::Run;
use crate::report::times::covered;
use crate::report::words::phase_name;

/// The most steps, by the number of messages: each has a chart of its own, and together they have to find room.
const MOST: [u64; 1 + MESSAGES] = [360, 300, 200, 150];
/// The most messages that are shown over time.
pub(super) const MESSAGES: usize = 3;

/// A run over time.
pub(super) struct Course {
    /// The length of a step in seconds.
    pub(super) step: f64,
    /// The end of the last step, in seconds.
    pub(super) to: f64,
    /// `None`: nothing is known of that time.
    pub(super) steps: Vec<Option<Step>>,
    /// The phases: name, start and end in seconds, and whether they are measured.
    pub(super) phases: Vec<(String, f64, f64, bool)>,
    /// Incidents: name, start and end in seconds.
    pub(super) incidents: Vec<(String, f64, f64)>,
    /// The messages whose latency is in `Step::latency`.
    pub(super) messages: Vec<String>,
}

/// What is drawn of one step.
#[derive(Default)]
pub(super) struct Step {
    /// Its length in seconds.
    pub(super) seconds: f64,
    /// Of each message.
    pub(super) latency: Vec<Quantiles>,
    /// The latencies of the first message: nanoseconds, and how many took so long.
    pub(super) heat: Vec<(u64, u64)>,
    /// The round trips of pings.
    pub(super) rtt: Quantiles,
    /// How late the generator sent.
    pub(super) lateness: Quantiles,
    /// The connections of all cohorts.
    pub(super) state: State,
    /// The open connections of each cohort.
    pub(super) open: Vec<u64>,
    /// The processor time of all generators, in percent of one core.
    pub(super) cpu: Option<f64>,
    /// The processor time of the target, in percent of one core.
    pub(super) target_cpu: Option<f64>,
    /// The memory of the target at the end of the step, in bytes.
    pub(super) target_rss: Option<f64>,
    /// The descriptors that the target had open at the end of the step.
    pub(super) target_descriptors: Option<f64>,
    counts: BTreeMap<&'static str, u64>,
}

/// The counters that are drawn.
const COUNTERS: [Counter; 9] = [
    Counter::MessagesSent,
    Counter::MessagesReceived,
    Counter::MessagesTimedOut,
    Counter::MessagesNotSent,
    Counter::MessagesLost,
    Counter::PingsSent,
    Counter::PongsReceived,
    Counter::PingsMissed,
    Counter::PongsLate,
];

impl Course {
    /// `None`: the run has no intervals.
    pub(super) fn of(run: &Run) -> Option<Self> {
        let intervals = &run.summary.intervals;
        let last = intervals.last()?;
        let second = Interval::SECOND;
        let width = intervals
            .iter()
            .map(|interval| (interval.to.saturating_since(interval.from)) / second)
            .min();
        let width = width.unwrap_or(1).max(1);
        let seconds = last.to.as_nanos() / second.0;
        let messages = messages(intervals);
        let most = MOST[messages.len().min(MESSAGES)];
        let together = seconds.div_ceil(width).div_ceil(most).max(1);
        let step = width * together;
        let mut steps: Vec<Option<Step>> = Vec::new();
        steps.resize_with(seconds.div_ceil(step).max(1) as usize, || None);
        let place =
            |interval: &Interval<Encoded>| (interval.from.as_nanos() / second.0 / step) as usize;
        for group in intervals.chunk_by(|one, next| place(one) == place(next)) {
            steps[place(&group[0])] = Some(Step::of(run, group, &messages));
        }
        Some(Self {
            step: step as f64,
            to: seconds as f64,
            steps,
            phases: phases(intervals),
            incidents: incidents(run, seconds as f64),
            messages,
        })
    }

    /// Calls with the axis of its charts.
    pub(super) fn with_time<T>(&self, draw: impl FnOnce(&Time<'_>) -> T) -> T {
        let phases = self.phases.iter().map(|(name, from, to, measured)| Phase {
            name,
            from: *from,
            to: *to,
            measured: *measured,
        });
        let incidents = self.incidents.iter();
        let incidents = incidents.map(|(name, from, to)| crate::report::picture::Incident {
            name,
            from: *from,
            to: *to,
        });
        let (phases, incidents): (Vec<_>, Vec<_>) = (phases.collect(), incidents.collect());
        draw(&Time {
            from: 0.0,
            to: self.to,
            step: self.step,
            phases: &phases,
            incidents: &incidents,
        })
    }

    /// One value of each step.
    pub(super) fn each<T>(&self, of: impl Fn(&Step) -> T) -> Vec<Option<T>> {
        self.steps
            .iter()
            .map(|step| step.as_ref().map(&of))
            .collect()
    }

    /// How often something happened in each second.
    pub(super) fn rate(&self, counter: Counter) -> Vec<Option<f64>> {
        self.each(|step| step.count(counter) as f64 / step.seconds)
    }

    /// How often something happened in each step.
    pub(super) fn counts(&self, counter: Counter) -> Vec<u64> {
        let each = self.each(|step| step.count(counter));
        each.into_iter().map(Option::unwrap_or_default).collect()
    }
}

impl Step {
    /// Merges what belongs to one step. Times and counts are those of healthy cohorts.
    fn of(run: &Run, group: &[Interval<Encoded>], messages: &[String]) -> Self {
        let cohorts = &run.scenario.cohorts;
        let parts = group
            .iter()
            .flat_map(|interval| interval.cohorts.iter().zip(cohorts));
        let healthy = parts.filter(|(_, cohort)| cohort.is_healthy());
        let parts: Vec<&Part<Encoded>> = healthy.map(|(part, _)| part).collect();
        let times = |name: &str| {
            let mut all = Histogram::new();
            let times = parts
                .iter()
                .filter_map(|part| part.times.get(name)?.decode().ok());
            times.for_each(|times| all.merge(&times));
            all
        };
        let latency: Vec<Histogram> = messages
            .iter()
            .map(|message| times(&metric::latency(message)))
            .collect();
        let last = group.last().expect("a step has an interval");
        let Open {
            connecting,
            open,
            closing,
            dead,
            ..
        } = last.open();
        let seconds: f64 = group.iter().map(Interval::seconds).sum();
        let used = group.iter().flat_map(|interval| interval.sources.values());
        let used = used
            .filter_map(|own| own.cpu)
            .reduce(|one, other| one + other);
        let target = group.iter().filter_map(|interval| interval.target?.cpu);
        let target_used = target.reduce(|one, other| one + other);
        let target = group.iter().rev().find_map(|interval| interval.target);
        let count = |counter: &Counter| {
            let each = parts.iter().map(|part| part.count(*counter));
            (counter.name(), each.fold(0, u64::saturating_add))
        };
        Self {
            seconds,
            heat: latency.first().map(Histogram::recorded).unwrap_or_default(),
            latency: latency.iter().map(quantiles).collect(),
            rtt: quantiles(&times(Timer::HeartbeatRtt.name())),
            lateness: quantiles(&times(Timer::ScheduleLateness.name())),
            state: State {
                connecting,
                open,
                closing,
                dead,
            },
            open: last.cohorts.iter().map(|part| part.gauges.open).collect(),
            cpu: used.map(|used| 100.0 * used.as_secs_f64() / seconds),
            target_cpu: target_used.map(|used| 100.0 * used.as_secs_f64() / seconds),
            target_rss: target.map(|used| used.rss as f64),
            target_descriptors: target.map(|used| used.descriptors as f64),
            counts: COUNTERS.iter().map(count).collect(),
        }
    }

    fn count(&self, counter: Counter) -> u64 {
        self.counts.get(counter.name()).copied().unwrap_or(0)
    }
}

/// The percentiles that have enough samples.
fn quantiles(times: &Histogram) -> Quantiles {
    let at = |percent| covered(times, percent);
    Quantiles {
        p50: at(50.0),
        p90: at(90.0),
        p99: at(99.0),
        p999: at(99.9),
        max: times.max(),
    }
}

/// The first messages that were answered, by name.
fn messages(intervals: &[Interval<Encoded>]) -> Vec<String> {
    let parts = intervals.iter().flat_map(|interval| &interval.cohorts);
    let names = parts.flat_map(|part| part.times.keys());
    let names = names.filter_map(|name| name.strip_prefix("latency."));
    let names: std::collections::BTreeSet<&str> = names.collect();
    names
        .into_iter()
        .take(MESSAGES)
        .map(str::to_owned)
        .collect()
}

fn phases(intervals: &[Interval<Encoded>]) -> Vec<(String, f64, f64, bool)> {
    let seconds = |at: crate::units::Timestamp| at.as_secs_f64();
    let same = intervals.chunk_by(|one, next| one.phase == next.phase);
    let phases = same.map(|same| {
        let (first, last) = (&same[0], &same[same.len() - 1]);
        let is_measured = first.phase.is_measured();
        (
            phase_name(first.phase),
            seconds(first.from),
            seconds(last.to),
            is_measured,
        )
    });
    phases.collect()
}

fn incidents(run: &Run, end: f64) -> Vec<(String, f64, f64)> {
    let incidents = run.facts.surroundings.incidents.iter();
    let incidents = incidents.map(|incident| {
        let ended = incident.ended_ns.map_or(end, |ended| ended.as_secs_f64());
        let began = incident.began_ns.as_secs_f64();
        (incident.kind.name().to_owned(), began, ended)
    });
    incidents.collect()
}
