//! What `check` tells of a scenario, as JSON and as text.

use serde::Serialize;

use super::compression::{CompressionRow, compression};
use super::groups::{count, faults, promises, rows_by_group, rows_of};
use super::rows::{DataRow, DialectRow, GateRow, SetupRow, data, gates, looks_at, setup};
use super::ways::{WayRow, ways};
use crate::engine::{Limits, cores};
use crate::plan::{Budget, Deliveries, Lonely, Plan};
use crate::scenario::{Caution, Gate, Scenario};
use crate::units::{ByteSize, counted, format_duration, human_count};

/// The output of `--json`. Times are seconds, sizes are bytes; `null` is "depends on the server".
#[derive(Serialize)]
pub(super) struct Explanation {
    name: String,
    target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    dialect: Option<DialectRow>,
    ways: Vec<WayRow>,
    insecure: bool,
    connections: u64,
    open_at_once: u64,
    sends_per_second: Option<f64>,
    sends_in_all: u64,
    setup: Vec<SetupRow>,
    pings_per_second: f64,
    planned_s: Option<f64>,
    longest_s: Option<f64>,
    connect_timeout_s: f64,
    answer_timeout_s: f64,
    close_timeout_s: f64,
    descriptors: u64,
    descriptors_limit: u64,
    ports: u64,
    /// The proxy that they are for, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    ports_to: Option<String>,
    ports_limit: Option<u64>,
    memory_bytes: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    compression: Vec<CompressionRow>,
    data: Vec<DataRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<Deliveries>,
    /// Those that must hold, then those that end the run.
    gates: Vec<GateRow>,
    faults: usize,
    promises: usize,
}

impl Explanation {
    pub(super) fn new(scenario: &Scenario, budget: &Budget, limits: Limits) -> Self {
        let target = &scenario.target;
        Self {
            name: scenario.name.clone(),
            target: target.url.shown(),
            dialect: target.dialect.map(|dialect| DialectRow {
                name: dialect.name,
                tried: dialect.tried(),
            }),
            ways: ways(scenario),
            insecure: scenario.trusts_anyone(),
            connections: budget.dials,
            open_at_once: budget.open_at_once,
            sends_per_second: budget.sends_per_second,
            sends_in_all: budget.sends_in_all,
            setup: setup(scenario),
            pings_per_second: budget.pings_per_second,
            planned_s: budget.planned.map(|time| time.as_secs_f64()),
            longest_s: budget.longest().map(|time| time.as_secs_f64()),
            connect_timeout_s: target.connect_timeout.as_secs_f64(),
            answer_timeout_s: scenario.longest_answer().as_secs_f64(),
            close_timeout_s: target.close_timeout.as_secs_f64(),
            descriptors: budget.descriptors,
            descriptors_limit: limits.descriptors,
            ports: budget.ports,
            ports_to: budget.ports_to.clone(),
            ports_limit: limits.ports,
            memory_bytes: budget.memory,
            compression: compression(scenario, budget),
            data: data(scenario),
            deliveries: (scenario.patience())
                .and_then(|_| Plan::new(scenario.clone(), 1, 0).deliveries()),
            gates: gates(scenario),
            faults: count(&faults(scenario)),
            promises: count(&promises(scenario)),
        }
    }

    pub(super) fn text(&self, scenario: &Scenario) -> String {
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
        let to = (self.ports_to.iter()).map(|proxy| format!(" to {proxy}"));
        let to = to.collect::<String>();
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
            (
                "takes",
                match self.planned_s {
                    Some(planned) => format!("{} as planned", seconds(planned)),
                    None => "until a signal ends it".to_owned(),
                },
            ),
            (
                "at most",
                match self.longest_s {
                    Some(longest) => format!("{}: {}", seconds(longest), waits.join(", ")),
                    None => String::new(),
                },
            ),
            (
                "needs",
                format!(
                    "{} of {}",
                    human_count(self.descriptors),
                    counted(self.descriptors_limit, "file descriptor")
                ),
            ),
            ("", format!("{ports}{to} on each source address")),
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
                "compression",
                self.compression
                    .iter()
                    .map(CompressionRow::text)
                    .collect::<Vec<_>>()
                    .join(", "),
            ),
            (
                "insecure",
                match self.insecure {
                    true => "a server's certificate is not checked (`insecure`)".to_owned(),
                    false => String::new(),
                },
            ),
            (
                "key log",
                (scenario.key_log()).map_or_else(String::new, |path| {
                    format!("the secrets of TLS go to {}", path.display())
                }),
            ),
        ];
        let cautions = scenario.cautions();
        let cautions = cautions
            .iter()
            .flat_map(|caution| [("warning", caution.to_string()), ("", hint(caution))]);
        let rows = rows.into_iter().chain(cautions);
        let rows = rows.filter(|(_, value)| !value.is_empty());
        let is_alone = self.ways.len() == 1;
        let ways = self.ways.iter().map(|way| way.text(is_alone));
        let mut text = format!("{} against {}\n", self.name, self.target);
        if !scenario.description.is_empty() {
            text += &format!("{}\n", scenario.description);
        }
        text.push('\n');
        text += &rows_of("way", ways.collect());
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
        let of_baseline = scenario.gates.baseline.iter();
        let of_baseline: Vec<Gate> = of_baseline.map(|gate| gate.where_base_is(1.0)).collect();
        text += &rows_of("compared", gates(&of_baseline));
        text += &rows_of("ends it", gates(&scenario.gates.abort));
        text
    }
}

fn hint(caution: &Caution) -> String {
    format!("hint: {}", caution.hint())
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

/// Formats large numbers without decimals, and small ones with a digit or two.
fn number(value: f64) -> String {
    if value >= 100.0 || value.fract() == 0.0 {
        human_count(value.round() as u64)
    } else {
        format!("{value:.2}")
    }
}
