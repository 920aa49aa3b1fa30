//! The shape of `run.json`. The format is public and versioned: names are those of the catalogue, and units stand in the
//! names of fields or beside them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::surroundings::StoredSurroundings;
use super::{
    BaselineRecord, DoubtNote, Judgement, Labels, Note, Options, OutputRecord, PartRecord, Run,
    ScenarioRecord, Tool,
};
use crate::measure::{
    Agreed, Border, ConnectionRecord, ConnectionRecords, Ending, Endings, Fallbacks, Metric,
    NamedRows, OfCohort, Row, States, Summary, UnknownCohort,
};
use crate::metric::{self, Cause};
use crate::report::host::Host;
use crate::report::json;
use crate::units::is_harmless;
use crate::verdict::{
    ActivityResult, CohortEnds, ContractResult, Exit, Facts, GateResult, Outcome, Throttling,
};

/// The version of the format of `run.json`: raised when a reader of the old format could misread the new one.
pub const SCHEMA_VERSION: u32 = 1;

/// Writes `run.json`.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(run: &Run, out: impl Write) -> io::Result<()> {
    json::write(run, out)
}

fn is_nothing(agreed: &Agreed) -> bool {
    agreed.is_empty()
}

fn is_in_one(parts: &[PartRecord]) -> bool {
    parts.is_empty()
}

fn is_sent_nowhere(outputs: &[OutputRecord]) -> bool {
    outputs.is_empty()
}

fn is_without(labels: &Labels) -> bool {
    labels.is_empty()
}

/// Borrows a run to write it, or owns what was read.
#[derive(Serialize, Deserialize)]
struct Document<'a> {
    schema_version: u32,
    tool: Cow<'a, Tool>,
    scenario: Cow<'a, ScenarioRecord>,
    options: Asked<'a>,
    host: Cow<'a, Host>,
    started_at: Cow<'a, str>,
    seconds: f64,
    measured_seconds: f64,
    outcome: Cow<'a, str>,
    aborted_by: Option<Cow<'a, str>>,
    broken_by: Option<Cow<'a, str>>,
    verdict: Judged<'a>,
    /// The baseline that it was held against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    baseline: Option<Cow<'a, BaselineRecord>>,
    surroundings: StoredSurroundings<'a>,
    generator: Generator,
    /// The processes of a run in parts.
    #[serde(default, skip_serializing_if = "is_in_one")]
    parts: Cow<'a, [PartRecord]>,
    /// Where its numbers went while it ran.
    #[serde(default, skip_serializing_if = "is_sent_nowhere")]
    outputs: Cow<'a, [OutputRecord]>,
    warnings: Cow<'a, [Note]>,
    errors: Vec<Errors<'a>>,
    unexpected: Cow<'a, [String]>,
    fallbacks: Cow<'a, Fallbacks>,
    /// By what it is, such as a version of TLS: each value, and how many connections agreed on it.
    #[serde(default, skip_serializing_if = "is_nothing")]
    agreed: Cow<'a, Agreed>,
    /// Of one report of several: what it took over and left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    border: Option<Border>,
    metrics: Cow<'a, [Metric]>,
    totals: Cow<'a, [Metric]>,
    states: NamedRows<'a, States>,
    timeline: NamedRows<'a, Row>,
    /// The number of steps in `intervals.jsonl`; that file holds them.
    #[serde(default)]
    intervals: usize,
    endings: Kept<'a, Ending>,
    records: Kept<'a, ConnectionRecord>,
}

#[derive(Serialize, Deserialize)]
struct Asked<'a> {
    seed: u64,
    workers: usize,
    overrides: Cow<'a, [String]>,
    #[serde(default, skip_serializing_if = "is_without")]
    labels: Cow<'a, Labels>,
}

#[derive(Serialize, Deserialize)]
struct Judged<'a> {
    passed: bool,
    exit_code: Exit,
    gates: Cow<'a, [GateResult]>,
    contracts: Cow<'a, [ContractResult]>,
    ends: Cow<'a, [CohortEnds]>,
    activity: Cow<'a, [ActivityResult]>,
    distrust: Cow<'a, [DoubtNote]>,
}

/// What the system gave wsbench. `None`: it does not say.
#[derive(Serialize, Deserialize)]
struct Generator {
    precise_timer: bool,
    kernel_view: bool,
    cores: Option<f64>,
    throttling: Option<Throttling>,
}

/// A cause of ends, and how often it occurred in the whole run.
#[derive(Serialize, Deserialize)]
struct Errors<'a> {
    kind: Cause,
    count: u64,
    examples: Cow<'a, [String]>,
}

/// The rows that were kept, and how many more there were.
#[derive(Serialize, Deserialize)]
#[serde(bound(
    serialize = "T: OfCohort + Serialize",
    deserialize = "T: OfCohort + Deserialize<'de>"
))]
struct Kept<'a, T: OfCohort> {
    more: u64,
    rows: NamedRows<'a, T>,
}

impl Serialize for Run {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Document::of(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Run {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Document::deserialize(deserializer)?;
        document.into_run().map_err(D::Error::custom)
    }
}

/// What is wrong with a document whose shape is right.
#[derive(Debug, thiserror::Error)]
enum Contradiction {
    #[error("it has {0}, which its scenario has not")]
    Cohort(#[from] UnknownCohort),
    #[error("it has the name {0:?}, which no scenario allows")]
    Name(String),
    #[error("there is no outcome `{0}`, or it lacks `aborted_by` or `broken_by`")]
    Outcome(String),
}

impl<'a> Document<'a> {
    fn of(run: &'a Run) -> Self {
        let (facts, summary) = (&run.facts, &run.summary);
        let cohorts = &summary.cohorts;
        Self {
            schema_version: SCHEMA_VERSION,
            tool: Cow::Borrowed(&run.tool),
            scenario: Cow::Borrowed(&run.scenario),
            options: Asked {
                seed: run.options.seed,
                workers: facts.workers,
                overrides: Cow::from(&run.options.overrides),
                labels: Cow::Borrowed(&run.options.labels),
            },
            host: Cow::Borrowed(&run.host),
            started_at: Cow::from(&run.started_at),
            seconds: summary.seconds,
            measured_seconds: summary.measured_seconds,
            outcome: facts.outcome.name().into(),
            aborted_by: match &facts.outcome {
                Outcome::Aborted { gate } => Some(gate.into()),
                _ => None,
            },
            broken_by: match &facts.outcome {
                Outcome::Broken { why } => Some(why.into()),
                _ => None,
            },
            verdict: Judged::of(&run.verdict),
            baseline: run.baseline.as_ref().map(Cow::Borrowed),
            surroundings: StoredSurroundings::of(&facts.surroundings, cohorts),
            generator: Generator {
                precise_timer: facts.precise_timer,
                kernel_view: facts.kernel_view,
                cores: facts.cores,
                throttling: facts.throttling,
            },
            parts: Cow::from(&run.parts),
            outputs: Cow::from(&run.outputs),
            warnings: Cow::from(&run.verdict.warnings),
            errors: errors(summary),
            unexpected: Cow::from(&summary.endings.unexpected),
            fallbacks: Cow::Borrowed(&summary.fallbacks),
            agreed: Cow::Borrowed(&summary.agreed),
            border: summary.border,
            metrics: Cow::from(&summary.metrics),
            totals: Cow::from(&summary.totals),
            states: NamedRows::of(&summary.states, cohorts),
            timeline: NamedRows::of(&summary.timeline, cohorts),
            intervals: summary.intervals.len(),
            endings: Kept {
                more: summary.endings.more,
                rows: NamedRows::of(&summary.endings.rows, cohorts),
            },
            records: Kept {
                more: summary.records.more,
                rows: NamedRows::of(&summary.records.rows, cohorts),
            },
        }
    }

    fn into_run(self) -> Result<Run, Contradiction> {
        let scenario = self.scenario.into_owned();
        let cohorts: Vec<String> = (scenario.cohorts.iter())
            .map(|cohort| cohort.name.clone())
            .collect();
        // A terminal shows these as they are.
        let metrics = self.metrics.iter().chain(&*self.totals);
        let past = self.baseline.iter().flat_map(|past| &past.times);
        let names = (metrics.map(|metric| &metric.name))
            .chain(past.map(|past| &past.metric))
            .chain(&cohorts);
        let is_strange = |name: &&String| !name.chars().all(is_harmless);
        if let Some(name) = names.into_iter().find(is_strange) {
            return Err(Contradiction::Name(name.clone()));
        }
        let outcome = match (&*self.outcome, self.aborted_by, self.broken_by) {
            ("completed", ..) => Outcome::Completed,
            ("interrupted", ..) => Outcome::Interrupted,
            ("aborted", Some(gate), _) => Outcome::Aborted { gate: gate.into() },
            ("broken", _, Some(why)) => Outcome::Broken { why: why.into() },
            (other, ..) => return Err(Contradiction::Outcome(other.to_owned())),
        };
        let examples = self.errors.into_iter();
        let examples = examples.filter(|errors| !errors.examples.is_empty());
        Ok(Run {
            tool: self.tool.into_owned(),
            options: Options {
                seed: self.options.seed,
                overrides: self.options.overrides.into_owned(),
                labels: self.options.labels.into_owned(),
            },
            host: self.host.into_owned(),
            started_at: self.started_at.into_owned(),
            facts: Facts {
                outcome,
                workers: self.options.workers,
                precise_timer: self.generator.precise_timer,
                kernel_view: self.generator.kernel_view,
                cores: self.generator.cores,
                throttling: self.generator.throttling,
                surroundings: self.surroundings.into_surroundings(&cohorts)?,
                parts: Vec::new(),
            },
            parts: self.parts.into_owned(),
            summary: Summary {
                seconds: self.seconds,
                measured_seconds: self.measured_seconds,
                metrics: self.metrics.into_owned(),
                totals: self.totals.into_owned(),
                states: self.states.into_rows(&cohorts)?,
                timeline: self.timeline.into_rows(&cohorts)?,
                intervals: Vec::new(),
                endings: Endings {
                    rows: self.endings.rows.into_rows(&cohorts)?,
                    more: self.endings.more,
                    examples: examples
                        .map(|errors| (errors.kind, errors.examples.into_owned()))
                        .collect::<BTreeMap<_, _>>(),
                    unexpected: self.unexpected.into_owned(),
                },
                records: ConnectionRecords {
                    rows: self.records.rows.into_rows(&cohorts)?,
                    more: self.records.more,
                },
                fallbacks: self.fallbacks.into_owned(),
                agreed: self.agreed.into_owned(),
                stops: Default::default(),
                measured_from: None,
                carried: Vec::new(),
                border: self.border,
                cohorts,
            },
            verdict: self.verdict.with_warnings(self.warnings.into_owned()),
            baseline: self.baseline.map(Cow::into_owned),
            outputs: self.outputs.into_owned(),
            scenario,
        })
    }
}

impl<'a> Judged<'a> {
    fn of(verdict: &'a Judgement) -> Self {
        Self {
            passed: verdict.exit == Exit::Passed,
            exit_code: verdict.exit,
            gates: Cow::from(&verdict.gates),
            contracts: Cow::from(&verdict.contracts),
            ends: Cow::from(&verdict.ends),
            activity: Cow::from(&verdict.activity),
            distrust: Cow::from(&verdict.distrust),
        }
    }

    fn with_warnings(self, warnings: Vec<Note>) -> Judgement {
        Judgement {
            exit: self.exit_code,
            gates: self.gates.into_owned(),
            contracts: self.contracts.into_owned(),
            ends: self.ends.into_owned(),
            activity: self.activity.into_owned(),
            distrust: self.distrust.into_owned(),
            warnings,
        }
    }
}

/// The causes that occurred, apart from the planned end.
fn errors(summary: &Summary) -> Vec<Errors<'_>> {
    let causes = Cause::ALL
        .iter()
        .filter(|cause| **cause != Cause::Completed);
    let counted = causes.map(|cause| Errors {
        kind: *cause,
        count: summary.total(&metric::error(*cause)),
        examples: (summary.endings.examples.get(cause)).map_or_else(Cow::default, Cow::from),
    });
    let occurred = |errors: &Errors<'_>| errors.count > 0 || !errors.examples.is_empty();
    counted.filter(occurred).collect()
}
