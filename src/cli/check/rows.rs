//! What `check` tells of the dialect, the set-ups, the data and the gates, one row for each.

use serde::Serialize;

use crate::plan::sent_by_setup;
use crate::scenario::{Data, Gate, Scenario};
use crate::units::{counted, human_count};
use crate::verdict::looked_at;

/// A dialect, and the servers that wsbench was tried against with it.
#[derive(Serialize)]
pub(super) struct DialectRow {
    pub(super) name: &'static str,
    pub(super) tried: Vec<String>,
}

/// What each client of a cohort does before it is ready.
#[derive(Serialize)]
pub(super) struct SetupRow {
    pub(super) cohort: String,
    pub(super) requests: u64,
    pub(super) messages: u64,
    pub(super) longest_s: f64,
}

/// A table of data, and how many of its rows the connections take.
#[derive(Serialize)]
pub(super) struct DataRow {
    pub(super) name: String,
    pub(super) taken: u64,
    pub(super) rows: u64,
}

/// A gate, and the cohorts that it looks at; none if it is about wsbench itself, or the
/// target's process.
#[derive(Serialize)]
pub(super) struct GateRow {
    pub(super) gate: String,
    pub(super) cohorts: Vec<String>,
    pub(super) ends_the_run: bool,
}

impl DialectRow {
    pub(super) fn text(&self) -> String {
        match &self.tried[..] {
            [] => format!("{}, not tried against a server", self.name),
            servers => format!("{}, tried with {}", self.name, servers.join(", ")),
        }
    }
}

impl SetupRow {
    /// Names the cohort where there are several.
    pub(super) fn text(&self, scenario: &Scenario) -> String {
        let requests = Some(self.requests).filter(|requests| *requests > 0);
        let requests = requests.map(|requests| counted(requests, "HTTP request") + " and ");
        let sent = requests.unwrap_or_default() + &counted(self.messages, "message");
        match scenario.cohorts.len() {
            1 => format!("{sent} for each client"),
            _ => format!("{sent} for each of {}", self.cohort),
        }
    }
}

impl DataRow {
    pub(super) fn text(&self) -> String {
        let (taken, rows) = (human_count(self.taken), counted(self.rows, "row"));
        format!("{}: {taken} of {rows}", self.name)
    }
}

/// The set-up of each cohort that has one.
pub(super) fn setup(scenario: &Scenario) -> Vec<SetupRow> {
    let cohorts = scenario.cohorts.iter();
    let with_setup = cohorts.filter(|cohort| !cohort.setup.is_empty());
    let rows = with_setup.map(|cohort| {
        let (requests, messages) = sent_by_setup(cohort);
        SetupRow {
            cohort: cohort.name.clone(),
            requests,
            messages,
            longest_s: cohort.longest_setup().as_secs_f64(),
        }
    });
    rows.collect()
}

/// All tables of data.
pub(super) fn data(scenario: &Scenario) -> Vec<DataRow> {
    let tables = scenario.data.iter().enumerate();
    let row = |(table, data): (usize, &Data)| DataRow {
        name: data.name.clone(),
        taken: scenario.rows_taken(table),
        rows: data.rows(),
    };
    tables.map(row).collect()
}

/// All gates, each with the cohorts that it looks at.
pub(super) fn gates(scenario: &Scenario) -> Vec<GateRow> {
    let row = |gate: &Gate, ends_the_run: bool| {
        let mut cohorts: Vec<String> = Vec::new();
        for name in cohorts_of(scenario, gate).concat() {
            if !cohorts.iter().any(|known| known == name) {
                cohorts.push(name.to_owned());
            }
        }
        GateRow {
            gate: gate.text.clone(),
            cohorts,
            ends_the_run,
        }
    };
    let pass = scenario.gates.pass.iter().map(|gate| row(gate, false));
    let of_baseline = scenario.gates.baseline.iter();
    // What it allows is not shown.
    let of_baseline = of_baseline.map(|gate| row(&gate.where_base_is(1.0), false));
    let abort = scenario.gates.abort.iter().map(|gate| row(gate, true));
    pass.chain(of_baseline).chain(abort).collect()
}

/// The names of the cohorts that a gate looks at; for a ratio, one list for each of its parts.
pub(super) fn cohorts_of<'a>(scenario: &'a Scenario, gate: &'a Gate) -> Vec<Vec<&'a str>> {
    let selectors = gate.subject.selectors();
    let names = selectors.map(|selector| {
        let cohorts = looked_at(scenario, selector);
        cohorts.map(|cohort| cohort.name.as_str()).collect()
    });
    names.collect()
}

/// The cohorts that a gate looks at, as text; for a ratio, both lists if they differ.
pub(super) fn looks_at(scenario: &Scenario, gate: &Gate) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (selector, names) in gate.subject.selectors().zip(cohorts_of(scenario, gate)) {
        let part = match names.len() {
            0 if selector.metric.starts_with("target.") => "the target's process".to_owned(),
            0 => "wsbench itself".to_owned(),
            all if all > 1 && all == scenario.cohorts.len() => "all cohorts".to_owned(),
            _ => names.join(", "),
        };
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts.join(" / ")
}
