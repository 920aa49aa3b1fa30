//! The table of a comparison: for each number that matters both values, their ratio, how sure it is, and what could have
//! been seen. Shows much and decides nothing: of forty numbers one in three tables would be beyond any limit by chance.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::judge::{Compared, Evidence, growth, percent};
use super::session::Session;
use super::stat::{FEWEST_PAIRS, FEWEST_SESSIONS, deviation, mean};
use super::values::measure_of;
use crate::metric::{self, Kind};
use crate::scenario::{BaselineGate, Stat, Subject, subject_of};
use crate::units::visible;
use crate::verdict::{GateResult, Observed, Standing};

/// The columns, the name first.
const HEAD: [&str; 6] = ["", "base", "new", "ratio", "interval", "could see"];
/// The most rows.
const MOST: usize = 40;
/// How sure intervals are.
pub(super) const OF_INTERVAL: &str =
    "The truth lies beyond each end of an interval one time in a hundred.";

/// The rank of rates; counts of what goes wrong come after them.
const RATES: usize = 10;

/// A comparison as people read it.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What is compared with what.
    pub(super) evidence: Evidence,
    /// The numbers, those of gates first.
    pub(super) rows: Vec<(Subject, Compared)>,
    /// How many more numbers there are.
    pub(super) more: usize,
    /// The gates on the baseline, and what each came to.
    pub(super) gates: Vec<(BaselineGate, GateResult)>,
    /// What a reader of a file has to know besides.
    remarks: Vec<String>,
}

impl Table {
    /// The numbers of `gates`, then the usual ones. `judged` is what the gates came to, in their order.
    pub fn new(evidence: Evidence, gates: &[BaselineGate], judged: Vec<GateResult>) -> Self {
        let mut subjects: Vec<Subject> = Vec::new();
        let mut add = |subject: Subject| {
            if !subjects.contains(&subject) {
                subjects.push(subject);
            }
        };
        gates.iter().for_each(|gate| add(gate.subject.clone()));
        usual(&evidence).into_iter().for_each(add);
        let rows = subjects.into_iter().filter_map(|subject| {
            let compared = evidence.compare(&subject).ok()?;
            let is_nothing = compared.base == 0.0 && compared.new == 0.0;
            (!is_nothing).then_some((subject, compared))
        });
        let mut rows: Vec<_> = rows.collect();
        let more = rows.len().saturating_sub(MOST);
        rows.truncate(MOST);
        Self {
            evidence,
            rows,
            more,
            gates: gates.iter().cloned().zip(judged).collect(),
            remarks: Vec::new(),
        }
    }

    /// Adds what a reader of a file has to know; a terminal was told it before the table.
    pub fn remark(&mut self, remark: String) {
        self.remarks.push(remark);
    }

    /// Writes it for a terminal.
    ///
    /// # Errors
    /// When writing to `out` fails.
    pub fn text(&self, out: &mut dyn Write) -> io::Result<()> {
        let all: Vec<[String; 6]> = std::iter::once(HEAD.map(str::to_owned))
            .chain(
                self.rows
                    .iter()
                    .map(|(subject, compared)| row(subject, compared)),
            )
            .collect();
        let width = |column: usize| {
            let cells = all.iter().map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: [usize; 6] = std::array::from_fn(width);
        for row in &all {
            let mut line = format!("{:<1$}", row[0], widths[0]);
            for (cell, width) in row.iter().zip(widths).skip(1) {
                line += &format!("  {cell:>width$}");
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        if self.more > 0 {
            writeln!(out, "and {} more", self.more)?;
        }
        writeln!(out)?;
        let width = self.judged().map(|gate| gate.gate.chars().count());
        let width = width.max().unwrap_or(0).min(56);
        for gate in self.judged() {
            let mark = mark(gate);
            let (text, why) = (visible(&gate.gate), visible(&gate.why));
            writeln!(out, "{mark:<16}{text:<width$}  {why}")?;
        }
        self.notes()
            .iter()
            .try_for_each(|note| writeln!(out, "{note}"))
    }

    /// Writes it as Markdown.
    ///
    /// # Errors
    /// When writing to `out` fails.
    pub fn markdown(&self, title: &str, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "### {}\n", escaped(title))?;
        if !self.gates.is_empty() {
            writeln!(out, "| | gate | |\n| --- | --- | --- |")?;
            for gate in self.judged() {
                let (text, why) = (escaped(&gate.gate), escaped(&gate.why));
                writeln!(out, "| {} | {text} | {why} |", mark(gate))?;
            }
            writeln!(out)?;
        }
        writeln!(out, "| {} |", HEAD.join(" | "))?;
        writeln!(out, "| --- | ---: | ---: | ---: | ---: | ---: |")?;
        for (subject, compared) in &self.rows {
            let cells = row(subject, compared);
            let cells: Vec<String> = cells.iter().map(|cell| escaped(cell)).collect();
            writeln!(out, "| {} |", cells.join(" | "))?;
        }
        if self.more > 0 {
            writeln!(out, "\nand {} more", self.more)?;
        }
        for note in self.remarks.iter().chain(&self.notes()) {
            writeln!(out, "\n{}", escaped(note))?;
        }
        Ok(())
    }

    /// What its gates came to.
    pub(super) fn judged(&self) -> impl Iterator<Item = &GateResult> {
        self.gates.iter().map(|(_, judged)| judged)
    }

    /// What a reader of a page has to know of it, besides what the page says of every comparison.
    pub(super) fn cautions(&self) -> Vec<String> {
        let remarks = self.remarks.iter().cloned();
        remarks.chain(self.undecided()).collect()
    }

    /// Why it decides nothing; `None` if it decides something.
    fn undecided(&self) -> Option<String> {
        let lack = self.evidence.lack();
        let no_gate = (self.gates.is_empty() && lack.is_none()).then(|| {
            "Nothing is decided: no gate is about the baseline, as `p50(latency.echo) < 110% of baseline` would be."
                .to_owned()
        });
        let lack = lack.map(|lack| {
            format!(
                "Nothing is decided: {lack} ({FEWEST_SESSIONS} sessions of a baseline, or {FEWEST_PAIRS} pairs, decide)."
            )
        });
        lack.or(no_gate)
    }

    /// What a reader of the table has to know of it.
    fn notes(&self) -> Vec<String> {
        let of_interval = (!self.rows.is_empty()).then(|| OF_INTERVAL.to_owned());
        self.undecided().into_iter().chain(of_interval).collect()
    }
}

/// What a gate came to.
pub(super) fn standing(gate: &GateResult) -> Standing {
    let against = gate.against.map(|against| against.standing);
    against.unwrap_or(Standing::NotCompared)
}

/// The mark of what a gate came to.
pub(super) fn symbol(standing: Standing) -> &'static str {
    match standing {
        Standing::Held => "✓",
        Standing::Worse => "✗",
        Standing::Undecided | Standing::NotCompared => "?",
    }
}

/// The mark and the word of a gate.
fn mark(gate: &GateResult) -> String {
    let standing = standing(gate);
    format!("{} {}", symbol(standing), standing.word().to_uppercase())
}

/// The cells of a row, as in [`HEAD`].
pub(super) fn row(subject: &Subject, compared: &Compared) -> [String; 6] {
    let shown = |value| Observed::of_reported(value, compared.measure).to_string();
    let interval = compared.interval();
    let interval = interval.filter(|(_, hi)| hi.is_finite());
    [
        name(subject),
        shown(compared.base),
        shown(compared.new),
        compared.ratio().map(percent).unwrap_or_default(),
        interval
            .map(|(lo, hi)| format!("{} – {}", percent(lo), percent(hi)))
            .unwrap_or_default(),
        compared.could_see().map(growth).unwrap_or_default(),
    ]
}

/// `latency.echo p50`, so that the metrics of a table stand below each other.
pub(super) fn name(subject: &Subject) -> String {
    match subject {
        Subject::Stat(stat, selector) => visible(&format!("{selector} {stat}")),
        Subject::Ratio(..) => visible(&subject.to_string()),
    }
}

/// The numbers that both sides may have, over all cohorts: first times, then what is sent and received, then what goes
/// wrong.
fn usual(evidence: &Evidence) -> Vec<Subject> {
    let sessions: Vec<_> = match evidence {
        Evidence::History { base, new, .. } => base.iter().chain(new).collect(),
        Evidence::Pairs { base, new } => vec![base, new],
    };
    let names: BTreeSet<&str> = (sessions.iter())
        .flat_map(|session| session.values.keys().map(String::as_str))
        .collect();
    let subjects = names.into_iter().filter_map(subject_of);
    let mut ranked: Vec<(usize, Subject)> = subjects
        .filter_map(|subject| Some((rank(&subject)?, subject)))
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, subject)| subject).collect()
}

/// Where the table shows it; `None` for what it leaves out.
fn rank(subject: &Subject) -> Option<usize> {
    let Subject::Stat(stat, selector) = subject else {
        return None;
    };
    if selector.cohort.is_some() || selector.stage.is_some() {
        return None;
    }
    let (group, message) = selector.metric.split_once('.')?;
    let kind = metric::kind_of(&selector.metric, &[message])?;
    let of_time = [
        "latency",
        "heartbeat",
        "delivery",
        "handshake",
        "setup",
        "age",
    ];
    match (kind, stat) {
        (Kind::Histogram, Stat::Percentile(percent)) if [50.0, 99.0].contains(percent) => {
            of_time.iter().position(|one| *one == group)
        }
        (Kind::Counter, Stat::Rate) => {
            let shown = [
                "messages.sent",
                "messages.echoed",
                "messages.answered",
                "delivery.received",
            ];
            shown.contains(&selector.metric.as_str()).then_some(RATES)
        }
        (Kind::Counter, Stat::Count) => {
            let bad = [
                "connections.failed",
                "connections.lost",
                "connections.dead",
                "messages.timed_out",
                "messages.lost",
                "messages.mismatched",
                "heartbeat.pings_missed",
            ];
            bad.contains(&selector.metric.as_str()).then_some(RATES + 1)
        }
        _ => None,
    }
}

/// How far these sessions differ, a line for each of the main times: the typical one, and the standard deviation as a
/// part of it.
pub fn spread(sessions: &[Session]) -> Vec<String> {
    let names: BTreeSet<&str> = (sessions.iter())
        .flat_map(|session| session.values.keys().map(String::as_str))
        .collect();
    let subjects = names.into_iter().filter_map(subject_of);
    let times = subjects.filter(|subject| rank(subject).is_some_and(|rank| rank < RATES));
    let lines = times.filter_map(|subject| {
        let medians = sessions.iter().map(|session| session.median(&subject));
        let medians: Vec<f64> = medians.collect::<Option<_>>()?;
        let logs = medians
            .iter()
            .map(|value| (*value > 0.0).then(|| value.ln()));
        let logs: Vec<f64> = logs.collect::<Option<_>>()?;
        let off = (logs.len() > 1).then(|| deviation(&logs))?;
        let typical = Observed::of_reported(mean(&logs).exp(), measure_of(&subject));
        Some(format!("{}: {typical}, ± {}", name(&subject), percent(off)))
    });
    lines.collect()
}

/// Escapes a text for a cell of a Markdown table.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in visible(text).chars() {
        if "\\`*_{}[]<>()#|~!&@".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}
