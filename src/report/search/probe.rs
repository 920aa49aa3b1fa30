//! One probe of a search: what is taken from its run.

use serde::Serialize;

use crate::measure::{GaugeStats, Value};
use crate::metric::{Counter, Gauge, Timer};
use crate::report::headline::Headline;
use crate::report::numbers::{milli, us};
use crate::report::run::Run;
use crate::report::times::covered;
use crate::search::{Evidence, Outcome};
use crate::units::visible;

/// One probe.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProbeRecord {
    /// Its number, from 1.
    pub probe: usize,
    /// Its value.
    pub value: u64,
    /// Which try of this value it is, from 1.
    pub r#try: usize,
    /// `held`, `broke`, `generator` or `nothing`.
    pub outcome: &'static str,
    /// The first gate or promise that was broken, or the first doubt; empty where it held.
    pub why: String,
    /// Connections that were tried.
    pub attempted: Option<u64>,
    /// Connections that opened.
    pub connections: Option<u64>,
    /// The mean number of connections that were open in the measured time.
    pub open: Option<u64>,
    /// What was to be done in each second: messages, or connections where clients arrive at a rate. Unknown where neither
    /// is so: the connections of the ramp-up are not offered at a rate.
    pub offered_per_s: Option<f64>,
    /// What was done of it.
    pub achieved_per_s: Option<f64>,
    /// What the percentiles are of.
    pub times: Option<String>,
    /// Percentiles in microseconds; those with too few samples are unknown.
    pub p50_us: Option<f64>,
    /// As `p50_us`.
    pub p90_us: Option<f64>,
    /// As `p50_us`.
    pub p99_us: Option<f64>,
    /// As `p50_us`.
    pub p99_9_us: Option<f64>,
    /// What a gate allows of the p99, in microseconds.
    pub p99_limit_us: Option<f64>,
    /// Connections that failed.
    pub failed: Option<u64>,
    /// Messages that timed out.
    pub timed_out: Option<u64>,
    /// How late wsbench sent, in microseconds.
    pub lateness_p99_us: Option<f64>,
    /// Percent of one core.
    pub generator_cpu: Option<f64>,
    /// The mean memory of the target in the measured time, in bytes.
    pub target_rss: Option<f64>,
    /// The mean processor time of the target in the measured time, in percent of one core.
    pub target_cpu: Option<f64>,
    /// The folder of its report, in that of the search; empty where it was not run.
    pub folder: String,
}

impl ProbeRecord {
    /// The outcome of a run as a probe; `None` if it was interrupted or failed.
    pub fn outcome_of(run: &Run) -> Option<Outcome> {
        let verdict = &run.verdict;
        let doubts = verdict.distrust.iter();
        let doubts: Vec<&str> = doubts.map(|doubt| doubt.kind.as_str()).collect();
        let view = run.view();
        let evidence = Evidence {
            exit: verdict.exit,
            gates: &verdict.gates,
            broke_promise: verdict.contracts.iter().any(|promise| !promise.passed),
            doubts: &doubts,
            failed: view.total(Counter::ConnectionsFailed.name()),
        };
        Outcome::of(&evidence, |name| run.summary.total(name))
    }

    /// What is known of a probe that was run. `arrives`: its clients arrive at a rate.
    pub fn of(
        probe: usize,
        value: u64,
        r#try: usize,
        outcome: Outcome,
        run: &Run,
        arrives: bool,
        folder: String,
    ) -> Self {
        let view = run.view();
        let Headline { times, .. } = Headline::of(run);
        let percentile = |percent: f64| covered(&times.as_ref()?.1, percent).map(us);
        let lateness = view.histogram(Timer::ScheduleLateness.name());
        let (offered, achieved) = rates(run, arrives).unzip();
        Self {
            attempted: Some(run.summary.total(Counter::ConnectionsAttempted.name())),
            connections: Some(run.summary.total(Counter::ConnectionsOpened.name())),
            open: open(run),
            offered_per_s: offered,
            achieved_per_s: achieved,
            p50_us: percentile(50.0),
            p90_us: percentile(90.0),
            p99_us: percentile(99.0),
            p99_9_us: percentile(99.9),
            p99_limit_us: times.as_ref().and_then(|(name, _)| limit(run, name)),
            times: times.as_ref().map(|(name, _)| name.clone()),
            failed: Some(run.summary.total(Counter::ConnectionsFailed.name())),
            timed_out: Some(view.total(Counter::MessagesTimedOut.name())),
            lateness_p99_us: lateness.and_then(|times| covered(&times, 99.0)).map(us),
            generator_cpu: gauge(run, Gauge::GeneratorCpu).map(|cpu| milli(cpu.mean)),
            target_rss: gauge(run, Gauge::TargetRss).map(|rss| rss.mean.round()),
            target_cpu: gauge(run, Gauge::TargetCpu).map(|cpu| milli(cpu.mean)),
            folder,
            ..Self::not_run(probe, value, r#try, outcome, why(run, outcome))
        }
    }

    /// A probe that was not run, because of this.
    pub fn not_run(probe: usize, value: u64, r#try: usize, outcome: Outcome, why: String) -> Self {
        Self {
            probe,
            value,
            r#try,
            outcome: outcome.name(),
            why,
            attempted: None,
            connections: None,
            open: None,
            offered_per_s: None,
            achieved_per_s: None,
            times: None,
            p50_us: None,
            p90_us: None,
            p99_us: None,
            p99_9_us: None,
            p99_limit_us: None,
            failed: None,
            timed_out: None,
            lateness_p99_us: None,
            generator_cpu: None,
            target_rss: None,
            target_cpu: None,
            folder: String::new(),
        }
    }

    /// Whether it held.
    pub fn has_held(&self) -> bool {
        self.outcome == Outcome::Held.name()
    }

    /// Whether it says something of the server.
    pub(super) fn tells(&self) -> bool {
        self.has_held() || self.outcome == Outcome::Broke.name()
    }
}

/// The first gate or promise that was broken, or the first doubt.
fn why(run: &Run, outcome: Outcome) -> String {
    let verdict = &run.verdict;
    let doubt = verdict.distrust.first().map(|doubt| doubt.text.clone());
    let gate = verdict.gates.iter().find(|gate| !gate.passed);
    let gate = gate.map(|gate| format!("{}: {}", gate.gate, gate.why));
    let promise = verdict.contracts.iter().find(|promise| !promise.passed);
    let promise = promise.map(|promise| {
        format!(
            "{} of {}: {}",
            promise.contract.key(),
            promise.cohort,
            promise.why
        )
    });
    let words = match outcome {
        Outcome::Held => None,
        Outcome::Broke | Outcome::Near => gate.or(promise).or(doubt),
        Outcome::Generator | Outcome::Nothing => doubt.or(gate),
    };
    visible(&words.unwrap_or_default())
}

/// What was to be done in each second, and what was done of it; `None` if nothing was to be done at a rate.
fn rates(run: &Run, arrives: bool) -> Option<(f64, f64)> {
    let view = run.view();
    let measured = |counter: Counter| view.count(counter.name()) as f64;
    let whole = |counter: Counter| run.summary.total(counter.name()) as f64;
    let due = measured(Counter::MessagesDue);
    let answered = measured(Counter::MessagesEchoed) + measured(Counter::MessagesAnswered);
    let (offered, achieved, seconds) = match due > 0.0 {
        true if answered > 0.0 => (due, answered, run.summary.measured_seconds),
        true => (
            due,
            measured(Counter::MessagesSent),
            run.summary.measured_seconds,
        ),
        false if !arrives => return None,
        false => (
            whole(Counter::ConnectionsAttempted) + whole(Counter::ConnectionsSkipped),
            whole(Counter::ConnectionsOpened),
            run.summary.seconds,
        ),
    };
    let rate = |count: f64| milli(count / seconds);
    (seconds > 0.0).then(|| (rate(offered), rate(achieved)))
}

/// The mean number of open connections in the measured time.
fn open(run: &Run) -> Option<u64> {
    let mut all: Option<GaugeStats> = None;
    let states = run.summary.states.iter();
    for states in states.filter(|states| states.cohort.is_none() && states.phase.is_measured()) {
        GaugeStats::merge(&mut all, states.open);
    }
    all.map(|open| open.mean.round() as u64)
}

fn gauge(run: &Run, gauge: Gauge) -> Option<GaugeStats> {
    let mut rows = run.summary.select(gauge.name(), None, None);
    rows.find_map(|row| match row.value {
        Value::Gauge(stats) => Some(stats),
        _ => None,
    })
}

/// What a gate allows of the p99 of this metric, in microseconds.
fn limit(run: &Run, metric: &str) -> Option<f64> {
    let begins = format!("p99({metric})");
    let mut gates = run.verdict.gates.iter();
    let gate = gates.find(|gate| gate.gate.starts_with(&begins))?;
    Some(us(gate.limit? as u64))
}
