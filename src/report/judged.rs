//! What was judged, in the terminal summary: gates, then contracts and what they are about.
//! Short where everything held; a broken promise says why.

use std::io::{self, Write};

use super::page::Page;
use super::run_report::RunReport;
use super::style::{WIDTH, columns, harmless, wrapped};
use crate::scenario::{Activity, End};
use crate::units::{format_duration, human_count, human_ns};
use crate::verdict::{
    ActivityResult, Bounds, ContractResult, GateResult, Tally, activities, tally,
};

/// What gates saw stands in a column behind this width at most.
const GATE_WIDTH: usize = 56;
/// Tables of contracts are made for a wider terminal.
const WIDE: usize = 100;
/// Between a mark and what it is about.
const MARK: usize = 8;

impl<W: Write> Page<W> {
    fn mark(&self, passed: bool) -> String {
        match passed {
            true => self.style.good("✓ PASS"),
            false => self.style.bad("✗ FAIL"),
        }
    }

    /// Each gate, and what it saw.
    pub(super) fn gates(&mut self, gates: &[GateResult]) -> io::Result<()> {
        if gates.is_empty() {
            return Ok(());
        }
        writeln!(self.out)?;
        let longest = gates.iter().map(|gate| gate.gate.chars().count()).max();
        let width = longest.unwrap_or(0).min(GATE_WIDTH);
        for gate in gates {
            let mark = self.mark(gate.passed);
            let (text, seen) = (harmless(&gate.gate), seen(gate));
            let fits = width.max(text.chars().count()) + seen.chars().count() <= WIDTH - 10;
            if fits {
                writeln!(self.out, "{mark}  {text:<width$}  {seen}")?;
            } else {
                writeln!(self.out, "{mark}  {text}\n{:MARK$}{seen}", "")?;
            }
        }
        Ok(())
    }

    /// Each promise, and how the connections that it is about ended.
    pub(super) fn contracts(&mut self, report: &RunReport<'_>) -> io::Result<()> {
        let contracts = &report.verdict.contracts;
        if contracts.is_empty() {
            return Ok(());
        }
        let lines = columns(&promises(contracts));
        let (head, rows) = lines.split_at(1);
        writeln!(self.out, "\n{:MARK$}{}", "", self.style.bold(&head[0]))?;
        for (contract, row) in contracts.iter().zip(rows) {
            writeln!(self.out, "{}  {row}", self.mark(contract.passed))?;
            self.why(contract)?;
        }
        let (scenario, summary) = (report.scenario, report.summary);
        self.table(&columns(&ends(&tally(scenario, summary))))?;
        let matrix = activities(scenario, summary);
        if matrix.len() > 1 {
            self.table(&columns(&activity(&matrix)))?;
        }
        Ok(())
    }

    /// Beside a broken promise at full strength.
    fn why(&mut self, contract: &ContractResult) -> io::Result<()> {
        if contract.why.is_empty() {
            return Ok(());
        }
        for line in wrapped(&harmless(&contract.why), WIDE - MARK) {
            let line = match contract.passed {
                true => self.style.dim(&line),
                false => line,
            };
            writeln!(self.out, "{:MARK$}{line}", "")?;
        }
        Ok(())
    }
}

/// What a gate saw, or why it saw nothing.
fn seen(gate: &GateResult) -> String {
    match gate.observed {
        Some(observed) => observed.to_string(),
        None => gate.why.clone(),
    }
}

fn promises(contracts: &[ContractResult]) -> Vec<Vec<String>> {
    let head = [
        "cohort", "promise", "expected", "n", "min", "p50", "p99", "max",
    ];
    let row = |contract: &ContractResult| {
        let times = contract
            .times
            .map(|times| [times.min_ns, times.p50_ns, times.p99_ns, times.max_ns].map(human_ns));
        let mut row = vec![
            contract.cohort.clone(),
            contract.contract.to_owned(),
            expected(contract),
            human_count(contract.n),
        ];
        row.extend(times.unwrap_or_default());
        row
    };
    let head = head.map(str::to_owned).to_vec();
    std::iter::once(head)
        .chain(contracts.iter().map(row))
        .collect()
}

/// The window, where it begins, and what else was promised.
fn expected(contract: &ContractResult) -> String {
    let window = contract.bounds.map(|bounds| {
        let from = contract.from.map(|from| format!(" from {}", from.name()));
        window(bounds) + &from.unwrap_or_default()
    });
    match (window, contract.expected.as_str()) {
        (None, words) => words.to_owned(),
        (Some(window), "") => window,
        // A curve has said how long all may take.
        (Some(_), words) if contract.contract == "back_within" => words.to_owned(),
        (Some(window), words) => format!("{words} {window}"),
    }
}

fn window(Bounds { lo_ns, hi_ns }: Bounds) -> String {
    let shown = |ns| format_duration(std::time::Duration::from_nanos(ns));
    match (lo_ns, hi_ns) {
        (lo, None) => format!("{} or more", shown(lo)),
        (0, Some(hi)) => format!("within {}", shown(hi)),
        (lo, Some(hi)) => format!("{} to {}", shown(lo), shown(hi)),
    }
}

/// Who ended the connections of a contract, how that looked, and when TCP was over.
fn ends(tallies: &[Tally]) -> Vec<Vec<String>> {
    let head = [
        "ended by the server",
        "connections",
        "Close frame",
        "FIN",
        "RST",
        "not",
        "codes",
        "TCP end p50",
        "max",
    ];
    let row = |tally: &Tally| {
        let ended = |end| human_count(tally.ended(end));
        let codes = tally.codes.iter();
        let codes: Vec<String> = codes
            .map(|(code, count)| format!("{code} ×{}", human_count(*count)))
            .collect();
        let tcp_end = tally
            .tcp_end
            .map(|times| [times.p50_ns, times.max_ns].map(human_ns));
        let mut row = vec![
            tally.cohort.clone(),
            human_count(tally.connections),
            ended(End::CloseFrame),
            ended(End::Fin),
            ended(End::Rst),
            human_count(tally.stayed() + tally.by_client),
            codes.join(", "),
        ];
        row.extend(tcp_end.unwrap_or_default());
        row
    };
    let head = head.map(str::to_owned).to_vec();
    std::iter::once(head)
        .chain(tallies.iter().map(row))
        .collect()
}

fn frame(frame: Activity) -> &'static str {
    match frame {
        Activity::Nothing => "nothing at all",
        Activity::Pong => "pongs",
        Activity::UnsolicitedPong => "unsolicited pongs",
        Activity::Ping => "pings",
        Activity::Text => "text",
        Activity::EmptyText => "empty text",
        Activity::Byte => "bytes of one frame",
    }
}

/// Which frame keeps a connection alive, each sent alone.
fn activity(matrix: &[ActivityResult]) -> Vec<Vec<String>> {
    let head = [
        "sends only",
        "cohort",
        "connections",
        "survived",
        "closed after",
        "to",
    ];
    let row = |result: &ActivityResult| {
        let closed = result
            .closed
            .map(|times| [times.min_ns, times.max_ns].map(human_ns));
        let mut row = vec![
            frame(result.frame).to_owned(),
            result.cohort.clone(),
            human_count(result.connections),
            human_count(result.survived),
        ];
        row.extend(closed.unwrap_or_default());
        row
    };
    let head = head.map(str::to_owned).to_vec();
    std::iter::once(head)
        .chain(matrix.iter().map(row))
        .collect()
}
