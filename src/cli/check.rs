//! `wsbench check`: explains what a scenario will do and what it needs, before anything is opened.

use serde::Serialize;

use super::error::CliError;
use super::input::Input;
use super::term;
use crate::engine::{Limits, check_sources, cores};
use crate::net::check_tls;
use crate::plan::{Budget, Deliveries, Lonely, Plan, probed_within, sent_by_setup};
use crate::scenario::{Data, Gate, PromiseKind, Scenario, TargetUrl, Trust};
use crate::units::{ByteSize, counted, format_duration, human_count};
use crate::verdict::{Exit, looked_at};

/// Explain what a scenario will do and what it needs.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    input: Input,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Print the scenario as its dialect makes it, with nothing of the dialect left
    #[arg(long, conflicts_with_all = ["json", "Access", "Changes", "pid"])]
    expand: bool,
}

/// Prints the explanation; fails if this machine cannot run the scenario.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let scenario = args.input.load()?.scenario;
    if args.expand {
        term::print(args.input.expanded()?.as_bytes())?;
        return Ok(Exit::Passed);
    }
    let limits = Limits::of_this_machine();
    let budget = Budget::new(&scenario, cores());
    let explanation = Explanation::new(&scenario, &budget, limits);
    let text = if args.json {
        term::json(&explanation)?
    } else {
        explanation.text(&scenario)
    };
    term::print(text.as_bytes())?;
    limits.check(&budget, 1)?;
    check_sources(&scenario.target.source_addresses)?;
    check_tls(&scenario).map_err(|error| CliError::Engine(error.into()))?;
    Ok(Exit::Passed)
}

/// The output of `--json`. Times are seconds, sizes are bytes; `null` is "depends on the server".
#[derive(Serialize)]
struct Explanation {
    name: String,
    target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    dialect: Option<DialectRow>,
    insecure: bool,
    connections: u64,
    open_at_once: u64,
    sends_per_second: Option<f64>,
    sends_in_all: u64,
    setup: Vec<SetupRow>,
    pings_per_second: f64,
    planned_s: f64,
    longest_s: f64,
    connect_timeout_s: f64,
    answer_timeout_s: f64,
    close_timeout_s: f64,
    descriptors: u64,
    descriptors_limit: u64,
    ports: u64,
    ports_limit: Option<u64>,
    memory_bytes: u64,
    data: Vec<DataRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<Deliveries>,
    /// Those that must hold, then those that end the run.
    gates: Vec<GateRow>,
    faults: usize,
    promises: usize,
}

/// A dialect, and the servers that wsbench was tried against with it.
#[derive(Serialize)]
struct DialectRow {
    name: &'static str,
    tried: Vec<String>,
}

/// What each client of a cohort does before it is ready.
#[derive(Serialize)]
struct SetupRow {
    cohort: String,
    requests: u64,
    messages: u64,
    longest_s: f64,
}

/// A table of data, and how many of its rows the connections take.
#[derive(Serialize)]
struct DataRow {
    name: String,
    taken: u64,
    rows: u64,
}

/// A gate, and the cohorts that it looks at; none if it is about wsbench itself.
#[derive(Serialize)]
struct GateRow {
    gate: String,
    cohorts: Vec<String>,
    ends_the_run: bool,
}

impl Explanation {
    fn new(scenario: &Scenario, budget: &Budget, limits: Limits) -> Self {
        let target = &scenario.target;
        Self {
            name: scenario.name.clone(),
            target: match &target.url {
                TargetUrl::Embedded => "the built-in server".to_owned(),
                TargetUrl::Url(url) => url.shown.clone(),
            },
            dialect: target.dialect.map(|dialect| DialectRow {
                name: dialect.name,
                tried: dialect.tried(),
            }),
            insecure: target.access.tls.trust == Trust::Anyone,
            connections: budget.dials,
            open_at_once: budget.open_at_once,
            sends_per_second: budget.sends_per_second,
            sends_in_all: budget.sends_in_all,
            setup: setup(scenario),
            pings_per_second: budget.pings_per_second,
            planned_s: budget.planned.as_secs_f64(),
            longest_s: budget.longest().as_secs_f64(),
            connect_timeout_s: target.connect_timeout.as_secs_f64(),
            answer_timeout_s: scenario.longest_answer().as_secs_f64(),
            close_timeout_s: target.close_timeout.as_secs_f64(),
            descriptors: budget.descriptors,
            descriptors_limit: limits.descriptors,
            ports: budget.ports,
            ports_limit: limits.ports,
            memory_bytes: budget.memory,
            data: data(scenario),
            deliveries: (scenario.patience())
                .and_then(|_| Plan::new(scenario.clone(), 1, 0).deliveries()),
            gates: gates(scenario),
            faults: count(&faults(scenario)),
            promises: count(&promises(scenario)),
        }
    }

    fn text(&self, scenario: &Scenario) -> String {
        let target = &scenario.target;
        let seconds = |seconds: f64| format_duration(std::time::Duration::from_secs_f64(seconds));
        let sends = match self.sends_per_second {
            Some(0.0) if self.sends_in_all > 0 => None,
            Some(rate) => Some(format!("{} a second", number(rate))),
            None => Some("as fast as the server answers".to_owned()),
        };
        let in_all = format!("{} in all", human_count(self.sends_in_all));
        let in_all = (self.sends_in_all > 0).then_some(in_all);
        let sends: Vec<String> = sends.into_iter().chain(in_all).collect();
        let ports = match self.ports_limit {
            None => counted(self.ports, "local port"),
            Some(limit) => {
                let (needed, limit) = (human_count(self.ports), counted(limit, "local port"));
                format!("{needed} of {limit}")
            }
        };
        let memory = ByteSize(self.memory_bytes.next_multiple_of(1 << 20));
        let waits = [
            (target.connect_timeout, "more to connect"),
            (scenario.longest_setup(), "to set up"),
            (scenario.longest_answer(), "for the last answers"),
            (target.close_timeout, "to close"),
        ];
        let waits = waits.into_iter().filter(|(time, _)| !time.is_zero());
        let waits: Vec<String> = waits
            .map(|(time, what)| format!("{} {what}", format_duration(time)))
            .collect();
        let dialect = self.dialect.as_ref().map(DialectRow::text);
        let joins = scenario
            .cohorts
            .iter()
            .any(|cohort| !cohort.joined().is_empty());
        let rows = [
            ("dialect", dialect.unwrap_or_default()),
            (
                "connections",
                format!(
                    "{}, at most {} open at once",
                    human_count(self.connections),
                    human_count(self.open_at_once)
                ),
            ),
            ("sends", sends.join(", and ")),
            (
                "set-up",
                self.setup
                    .iter()
                    .map(|row| row.text(scenario))
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
            (
                "pings",
                format!("{} a second", number(self.pings_per_second)),
            ),
            ("takes", format!("{} as planned", seconds(self.planned_s))),
            (
                "at most",
                format!("{}: {}", seconds(self.longest_s), waits.join(", ")),
            ),
            (
                "needs",
                format!(
                    "{} of {}",
                    human_count(self.descriptors),
                    counted(self.descriptors_limit, "file descriptor")
                ),
            ),
            ("", format!("{ports} on each source address")),
            ("", format!("about {memory} of memory")),
            (
                "data",
                self.data
                    .iter()
                    .map(DataRow::text)
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
            (
                "topics",
                match &self.deliveries {
                    Some(deliveries) => delivered(deliveries),
                    None if joins => "nothing is published to those that are joined".to_owned(),
                    None => String::new(),
                },
            ),
            (
                "insecure",
                "the server's certificate is not checked (`target.insecure`)".to_owned(),
            ),
        ];
        let rows = rows
            .into_iter()
            .filter(|(name, _)| *name != "insecure" || self.insecure)
            .filter(|(name, _)| *name != "dialect" || self.dialect.is_some())
            .filter(|(name, _)| *name != "set-up" || !self.setup.is_empty())
            .filter(|(name, _)| *name != "data" || !self.data.is_empty())
            .filter(|(name, _)| *name != "topics" || self.deliveries.is_some() || joins);
        let mut text = format!("{} against {}\n", self.name, self.target);
        if !scenario.description.is_empty() {
            text += &format!("{}\n", scenario.description);
        }
        text.push('\n');
        for (name, value) in rows {
            text += &format!("  {name:<12} {value}\n");
        }
        let gates = |gates: &[Gate]| {
            let longest = gates.iter().map(|gate| gate.text.chars().count()).max();
            let width = longest.unwrap_or(0).min(56);
            let line =
                |gate: &Gate| format!("{:<width$}  of {}", gate.text, looks_at(scenario, gate));
            gates.iter().map(line).collect()
        };
        text += &rows_by_group("goes wrong", &faults(scenario));
        text += &rows_by_group("promised", &promises(scenario));
        text += &rows_of("must hold", gates(&scenario.gates.pass));
        text += &rows_of("ends it", gates(&scenario.gates.abort));
        text
    }
}

impl DialectRow {
    fn text(&self) -> String {
        match &self.tried[..] {
            [] => format!("{}, not tried against a server", self.name),
            servers => format!("{}, tried with {}", self.name, servers.join(", ")),
        }
    }
}

impl SetupRow {
    /// Names the cohort where there are several.
    fn text(&self, scenario: &Scenario) -> String {
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
    fn text(&self) -> String {
        let (taken, rows) = (human_count(self.taken), counted(self.rows, "row"));
        format!("{}: {taken} of {rows}", self.name)
    }
}

/// What is published and delivered, in words.
fn delivered(deliveries: &Deliveries) -> String {
    /// More deliveries a second than a worker can take.
    const MANY: f64 = 100_000.0;
    let topics = human_count(deliveries.topics);
    let alone = |lonely: &Option<Lonely>, what: &str| {
        let Some(Lonely { topics, first }) = lonely else {
            return String::new();
        };
        format!(" ({what} {}, such as `{first}`)", human_count(*topics))
    };
    let alone = alone(&deliveries.joined_by_nobody, "nobody joins")
        + &alone(&deliveries.published_by_nobody, "nothing is published to");
    let (Some(published), Some(delivered)) = (
        deliveries.published_per_second,
        deliveries.deliveries_per_second,
    ) else {
        return format!("{topics}{alone}");
    };
    let (published, all) = (number(published), number(delivered));
    let text = format!("{topics}: {published} published and {all} delivered a second{alone}");
    match delivered > MANY * cores() as f64 {
        true => format!(
            "{text}, more than {} for each worker",
            human_count(MANY as u64)
        ),
        false => text,
    }
}

/// The set-up of each cohort that has one.
fn setup(scenario: &Scenario) -> Vec<SetupRow> {
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
fn data(scenario: &Scenario) -> Vec<DataRow> {
    let tables = scenario.data.iter().enumerate();
    let row = |(table, data): (usize, &Data)| DataRow {
        name: data.name.clone(),
        taken: scenario.rows_taken(table),
        rows: data.rows(),
    };
    tables.map(row).collect()
}

/// All gates, each with the cohorts that it looks at.
fn gates(scenario: &Scenario) -> Vec<GateRow> {
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
    let abort = scenario.gates.abort.iter().map(|gate| row(gate, true));
    pass.chain(abort).collect()
}

/// The names of the cohorts that a gate looks at; for a ratio, one list for each of its parts.
fn cohorts_of<'a>(scenario: &'a Scenario, gate: &'a Gate) -> Vec<Vec<&'a str>> {
    let selectors = gate.subject.selectors();
    let names = selectors.map(|selector| {
        let cohorts = looked_at(scenario, selector);
        cohorts.map(|cohort| cohort.name.as_str()).collect()
    });
    names.collect()
}

/// The cohorts that a gate looks at, as text; for a ratio, both lists if they differ.
fn looks_at(scenario: &Scenario, gate: &Gate) -> String {
    let mut parts: Vec<String> = Vec::new();
    for names in cohorts_of(scenario, gate) {
        let part = match names.len() {
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

/// Formats lines under one name.
fn rows_of(name: &str, lines: Vec<String>) -> String {
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    let rows = names.zip(lines);
    rows.map(|(name, line)| format!("  {name:<12} {line}\n"))
        .collect()
}

/// The cohort or target that something concerns, and the lines about it.
type Topic = (String, Vec<String>);

fn count(groups: &[Topic]) -> usize {
    groups.iter().map(|(_, lines)| lines.len()).sum()
}

/// Formats groups under one name, each with its subject on the left, in lines of 100 characters.
fn rows_by_group(name: &str, groups: &[Topic]) -> String {
    const WIDE: usize = 100 - 15;
    let longest = groups.iter().map(|(whom, _)| whom.chars().count()).max();
    let width = longest.unwrap_or(0).min(WIDE / 3);
    let mut lines = Vec::new();
    for (whom, items) in groups {
        let mut line = format!("{whom:<width$}  ");
        for (place, item) in items.iter().enumerate() {
            let comma = if place + 1 < items.len() { "," } else { "" };
            let length = line.chars().count() + item.chars().count() + 1;
            if place > 0 && length > WIDE {
                lines.push(std::mem::replace(&mut line, " ".repeat(width + 2)));
            } else if place > 0 {
                line.push(' ');
            }
            line += &format!("{item}{comma}");
        }
        lines.push(line);
    }
    rows_of(
        name,
        lines
            .into_iter()
            .map(|line| line.trim_end().to_owned())
            .collect(),
    )
}

/// The planned faults, and which cohorts or target they affect.
fn faults(scenario: &Scenario) -> Vec<Topic> {
    let clients = scenario.cohorts.iter().map(|cohort| {
        let faults = cohort.faults.iter().map(ToString::to_string);
        let probes = probed_within(scenario, cohort).map(|within| {
            let within = format_duration(within);
            format!("then each asks once, by a pong within {within}, whether the server is there")
        });
        (cohort.name.clone(), faults.chain(probes).collect())
    });
    let path = scenario.path.iter().flat_map(|path| &path.faults);
    let path = path.map(|fault| match fault.cohorts.as_slice() {
        [] => fault.to_string(),
        cohorts => format!("{fault} ({})", cohorts.join(", ")),
    });
    let target = scenario.target.faults.iter().map(ToString::to_string);
    let around = [
        ("the path".to_owned(), path.collect()),
        ("the target".to_owned(), target.collect()),
    ];
    let groups = clients.chain(around);
    groups
        .filter(|(_, items): &Topic| !items.is_empty())
        .collect()
}

/// The server's promises, by cohort.
fn promises(scenario: &Scenario) -> Vec<Topic> {
    let contracts = scenario.cohorts.iter();
    let contracts = contracts.filter_map(|cohort| Some((cohort, cohort.contract.as_ref()?)));
    contracts
        .map(|(cohort, contract)| {
            let promises = contract.promises.iter();
            let may_be_void = scenario.only_the_server_may_end(cohort);
            let promises = promises.map(|promise| match promise.kind {
                kind if kind.has_origin() => format!("{promise} from {}", contract.from.name()),
                PromiseKind::BackWithin if may_be_void => {
                    format!(
                        "{promise} (fails unless the server ends connections: nothing else does)"
                    )
                }
                _ => promise.to_string(),
            });
            (cohort.name.clone(), promises.collect())
        })
        .collect()
}

/// Formats large numbers without decimals, and small ones with a digit or two.
fn number(value: f64) -> String {
    if value >= 100.0 || value.fract() == 0.0 {
        human_count(value.round() as u64)
    } else {
        format!("{value:.2}")
    }
}
