//! `run.json`: the verdict and every metric with its whole distribution, so that runs can be compared years later.
//! The timeline and single connections are in the files beside it.
//! The format is public and versioned; a field that does not apply to a metric is left out.

use std::io::Write;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::host::Host;
use super::json::json;
use super::numbers::{mean_us, milli, us};
use super::run_report::RunReport;
use super::surroundings::Around;
use crate::measure::{Histogram, Metric, Summary, Value};
use crate::metric::{self, Cause, Unit, unit_of};
use crate::units::Nanos;
use crate::verdict::{ContractResult, Doubt, GateResult, Outcome, Times, Verdict, Warning};

/// The version of the format of `run.json`: raised when a reader of the old format could misread the new one.
pub const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    tool: Tool,
    scenario: ScenarioText<'a>,
    options: Options<'a>,
    host: &'a Host,
    started_at: String,
    seconds: f64,
    measured_seconds: f64,
    outcome: &'static str,
    aborted_by: Option<&'a str>,
    broken_by: Option<&'a str>,
    verdict: Judgement<'a>,
    surroundings: Around<'a>,
    warnings: Vec<Note>,
    errors: Vec<Errors<'a>>,
    metrics: Vec<Row<'a>>,
    totals: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
struct ScenarioText<'a> {
    name: &'a str,
    text: &'a str,
    sha256: String,
    target: &'a str,
}

#[derive(Serialize)]
struct Options<'a> {
    seed: u64,
    workers: usize,
    overrides: &'a [String],
}

#[derive(Serialize)]
struct Judgement<'a> {
    passed: bool,
    exit_code: u8,
    gates: Vec<GateLine<'a>>,
    contracts: Vec<ContractLine<'a>>,
    distrust: Vec<Note>,
}

#[derive(Serialize)]
struct GateLine<'a> {
    gate: &'a str,
    observed: Option<f64>,
    unit: Option<&'static str>,
    passed: bool,
    doubted: bool,
    why: &'a str,
}

/// One promise. Times are microseconds.
#[derive(Serialize)]
struct ContractLine<'a> {
    contract: &'a str,
    cohort: &'a str,
    from: Option<&'static str>,
    expected: &'a str,
    unit: Option<&'static str>,
    expected_lo: Option<f64>,
    expected_hi: Option<f64>,
    observed_n: u64,
    min: Option<f64>,
    p50: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
    passed: bool,
    doubted: bool,
    why: &'a str,
}

/// A warning or a doubt.
#[derive(Serialize)]
struct Note {
    kind: &'static str,
    text: String,
    hint: Option<String>,
    /// For a doubt: the gates and promises that have no verdict because of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    concerns: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Errors<'a> {
    kind: &'static str,
    count: u64,
    examples: &'a [String],
}

/// One metric of one cohort in one stage. Times are microseconds.
#[derive(Default, Serialize)]
struct Row<'a> {
    name: &'a str,
    cohort: Option<&'a str>,
    stage: Option<u32>,
    kind: &'static str,
    unit: &'static str,
    count: u64,
    #[serde(flatten)]
    values: Values,
    #[serde(skip_serializing_if = "Option::is_none")]
    hdr: Option<String>,
}

#[derive(Default, Serialize)]
struct Values {
    #[serde(skip_serializing_if = "Option::is_none")]
    sum: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p90: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_9: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_99: Option<f64>,
}

/// Writes `run.json`.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(report: &RunReport<'_>, mut out: impl Write) -> Result<(), serde_json::Error> {
    let text = json(&document(report))?;
    out.write_all(text.as_bytes())
        .map_err(serde_json::Error::io)
}

fn document<'a>(report: &'a RunReport<'_>) -> Document<'a> {
    let summary = report.summary;
    Document {
        schema_version: SCHEMA_VERSION,
        tool: Tool {
            name: env!("CARGO_PKG_NAME"),
            version: env!("CARGO_PKG_VERSION"),
        },
        scenario: ScenarioText {
            name: &report.scenario.name,
            text: report.scenario_text,
            sha256: hex(&Sha256::digest(report.scenario_text)),
            target: report.target(),
        },
        options: Options {
            seed: report.options.seed,
            workers: report.facts.workers,
            overrides: &report.options.overrides,
        },
        host: report.host,
        started_at: report.started_at_utc(),
        seconds: milli(summary.seconds),
        measured_seconds: milli(summary.measured_seconds),
        outcome: report.facts.outcome.name(),
        aborted_by: match &report.facts.outcome {
            Outcome::Aborted { gate } => Some(gate),
            _ => None,
        },
        broken_by: match &report.facts.outcome {
            Outcome::Broken { why } => Some(why),
            _ => None,
        },
        verdict: judgement(report.verdict),
        surroundings: Around::of(&report.facts.surroundings),
        warnings: report.verdict.warnings.iter().map(Note::from).collect(),
        errors: errors(summary),
        metrics: summary
            .metrics
            .iter()
            .map(|metric| row(metric, true))
            .collect(),
        totals: summary
            .totals
            .iter()
            .map(|metric| row(metric, false))
            .collect(),
    }
}

fn judgement(verdict: &Verdict) -> Judgement<'_> {
    Judgement {
        passed: verdict.passed(),
        exit_code: verdict.exit.code(),
        gates: verdict.gates.iter().map(gate).collect(),
        contracts: verdict.contracts.iter().map(contract).collect(),
        distrust: verdict
            .distrust
            .iter()
            .map(|doubt| note_of(doubt, verdict))
            .collect(),
    }
}

fn gate(result: &GateResult) -> GateLine<'_> {
    GateLine {
        gate: &result.gate,
        observed: result.observed.map(|observed| observed.reported()),
        unit: result.observed.map(|observed| observed.measure.name()),
        passed: result.passed,
        doubted: result.doubted,
        why: &result.why,
    }
}

fn contract(result: &ContractResult) -> ContractLine<'_> {
    let (bounds, times) = (result.bounds, result.times);
    let is_timed = bounds.is_some() || times.is_some();
    let time = |of: fn(Times) -> Nanos| times.map(|times| us(of(times).0));
    ContractLine {
        contract: result.contract,
        cohort: &result.cohort,
        from: result.from.map(|from| from.name()),
        expected: &result.expected,
        unit: is_timed.then(|| Unit::Time.name()),
        expected_lo: bounds.map(|bounds| us(bounds.lo_ns.0)),
        expected_hi: bounds.and_then(|bounds| bounds.hi_ns).map(|hi| us(hi.0)),
        observed_n: result.n,
        min: time(|times| times.min_ns),
        p50: time(|times| times.p50_ns),
        p99: time(|times| times.p99_ns),
        max: time(|times| times.max_ns),
        passed: result.passed,
        doubted: result.doubted,
        why: &result.why,
    }
}

impl From<&Warning> for Note {
    fn from(warning: &Warning) -> Self {
        Self {
            kind: warning.kind(),
            text: warning.to_string(),
            hint: warning.hint(),
            concerns: None,
        }
    }
}

/// Converts a doubt, with the gates and promises that it concerns.
fn note_of(doubt: &Doubt, verdict: &Verdict) -> Note {
    let gates = verdict.gates.iter().map(|gate| gate.gate.clone());
    let promises = verdict.contracts.iter().map(ContractResult::name);
    let concerned = gates.chain(promises).filter(|name| doubt.is_about(name));
    Note {
        kind: doubt.reason.kind(),
        text: doubt.reason.to_string(),
        hint: doubt.reason.hint(),
        concerns: Some(concerned.collect()),
    }
}

fn errors(summary: &Summary) -> Vec<Errors<'_>> {
    let causes = Cause::ALL
        .iter()
        .filter(|cause| **cause != Cause::Completed);
    let counted = causes.map(|cause| Errors {
        kind: cause.name(),
        count: summary.total(&metric::error(*cause)),
        examples: summary
            .endings
            .examples
            .get(cause)
            .map_or(&[], Vec::as_slice),
    });
    counted.filter(|errors| errors.count > 0).collect()
}

/// Converts a metric. Measured metrics keep the whole distribution (`with_hdr`), totals only the statistics.
fn row(metric: &Metric, with_hdr: bool) -> Row<'_> {
    let plain = Row {
        name: &metric.name,
        cohort: metric.cohort.as_deref(),
        stage: metric.stage,
        kind: metric.value.kind().name(),
        unit: unit_of(&metric.name).name(),
        ..Row::default()
    };
    match &metric.value {
        Value::Counter(count) => Row {
            count: *count,
            ..plain
        },
        Value::Gauge(stats) => Row {
            count: stats.samples,
            values: Values {
                min: Some(milli(stats.min)),
                max: Some(milli(stats.max)),
                mean: Some(milli(stats.mean)),
                last: Some(milli(stats.last)),
                ..Values::default()
            },
            ..plain
        },
        Value::Histogram(times) => Row {
            unit: Unit::Time.name(),
            count: times.count(),
            values: distribution(times),
            hdr: with_hdr.then(|| times.to_base64()),
            ..plain
        },
    }
}

fn distribution(times: &Histogram) -> Values {
    let percentile = |percent| times.percentile(percent).map(us);
    Values {
        sum: Some(milli(times.sum() as f64 / 1e3)),
        min: times.min().map(us),
        max: times.max().map(us),
        mean: mean_us(times),
        last: None,
        p50: percentile(50.0),
        p90: percentile(90.0),
        p99: percentile(99.0),
        p99_9: percentile(99.9),
        p99_99: percentile(99.99),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
