//! Makes the record of a run from its parts.

use std::time::SystemTime;

use sha2::{Digest, Sha256};

use super::doubts;
use super::{
    CohortRecord, DoubtNote, Judgement, Note, Options, PartRecord, Run, ScenarioRecord,
    ServerRecord, StageRecord, Tool,
};
use crate::measure::Summary;
use crate::report::host::Host;
use crate::scenario::{Cohort, Scenario, Server, Shape, TargetUrl};
use crate::verdict::{
    Concerns, ContractResult, Doubt, Facts, Verdict, Warning, activities, cohort_ends,
};

/// All parts of a finished run.
#[derive(Debug, Clone)]
pub struct Parts<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// The scenario as text, as the user wrote it: `${NAME}` is not replaced.
    pub scenario_text: &'a str,
    /// The path of its file, if it came from a file.
    pub scenario_file: Option<String>,
    /// What the command line asked for.
    pub options: Options,
    /// The machine that ran it.
    pub host: Host,
    /// The time of the first dial.
    pub started_at: SystemTime,
    /// How the run ended, and which features the system had.
    pub facts: Facts,
    /// The numbers.
    pub summary: Summary,
    /// The verdict.
    pub verdict: Verdict,
}

impl Run {
    /// Makes the record of a run. Copies no measured number.
    pub fn of(parts: Parts<'_>) -> Self {
        let Parts {
            scenario,
            scenario_text,
            scenario_file,
            options,
            host,
            started_at,
            mut facts,
            summary,
            verdict,
        } = parts;
        let parts = std::mem::take(&mut facts.parts);
        let parts = parts.iter().map(|part| PartRecord::of(part, &verdict));
        let parts = parts.collect();
        Self {
            tool: Tool {
                name: env!("CARGO_PKG_NAME").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
            },
            scenario: ScenarioRecord::of(scenario, scenario_text, scenario_file),
            options,
            host,
            started_at: utc(started_at),
            verdict: Judgement::of(verdict, scenario, &summary),
            facts,
            parts,
            summary,
            baseline: None,
            outputs: Vec::new(),
        }
    }
}

/// Formats a time in UTC. A clock before 1970 is shown as 1970.
pub fn utc(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time.max(SystemTime::UNIX_EPOCH)).to_string()
}

impl ScenarioRecord {
    fn of(scenario: &Scenario, text: &str, file: Option<String>) -> Self {
        let stages = match &scenario.load.shape {
            Shape::Stages(stages) => stages.as_slice(),
            Shape::Steady { .. } | Shape::Arrivals { .. } => &[],
        };
        Self {
            name: scenario.name.clone(),
            description: scenario.description.clone(),
            file,
            text: text.to_owned(),
            sha256: hex(&Sha256::digest(text)),
            target: scenario.target.url.shown(),
            cohorts: (scenario.cohorts.iter())
                .map(|cohort| CohortRecord::of(cohort, &scenario.target.url))
                .collect(),
            stages: (stages.iter())
                .map(|stage| StageRecord {
                    seconds: stage.duration.as_secs_f64(),
                    connections: stage.connections,
                })
                .collect(),
        }
    }
}

impl CohortRecord {
    fn of(cohort: &Cohort, target: &TargetUrl) -> Self {
        let faults = cohort.faults.iter();
        let servers = cohort.dialled(target);
        let server = |Server { url, weight }: &Server| ServerRecord {
            address: url.shown.clone(),
            weight: *weight,
        };
        Self {
            name: cohort.name.clone(),
            connections: cohort.connections,
            proxy: cohort.access.proxy.as_ref().map(|proxy| proxy.shown()),
            servers: servers
                .iter()
                .flat_map(|servers| servers.iter())
                .map(server)
                .collect(),
            http: cohort.access.http.word(),
            heartbeat: cohort.watched().is_some(),
            faults: faults.map(|fault| fault.kind.name().to_owned()).collect(),
            expects_end: cohort.expects_end(),
            preset: (cohort.contract.as_ref()).and_then(|contract| contract.preset.clone()),
        }
    }
}

impl Judgement {
    fn of(verdict: Verdict, scenario: &Scenario, summary: &Summary) -> Self {
        let distrust = verdict.distrust.iter();
        Self {
            exit: verdict.exit,
            ends: cohort_ends(scenario, summary),
            activity: activities(scenario, summary),
            distrust: doubts::told(distrust.map(|doubt| {
                let note = doubt_note(doubt, &verdict);
                (doubt.reason.part(), note)
            })),
            warnings: verdict.warnings.iter().map(Note::from).collect(),
            gates: verdict.gates,
            contracts: verdict.contracts,
        }
    }
}

impl From<&Warning> for Note {
    fn from(warning: &Warning) -> Self {
        Self {
            kind: warning.kind().to_owned(),
            text: warning.to_string(),
            hint: warning.hint(),
        }
    }
}

fn doubt_note(doubt: &Doubt, verdict: &Verdict) -> DoubtNote {
    let gates = verdict.gates.iter().map(|gate| gate.gate.clone());
    let promises = verdict.contracts.iter().map(ContractResult::name);
    let judged = gates.chain(promises);
    DoubtNote {
        kind: doubt.reason.kind().to_owned(),
        text: doubt.reason.to_string(),
        hint: doubt.reason.hint(),
        concerns: judged.filter(|name| doubt.is_about(name)).collect(),
        whole_run: doubt.concerns == Concerns::Everything,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
