//! What was judged, in the terminal summary: gates, then contracts and what they are about.
//! Short where everything held; a broken promise says why.

use std::io::{self, Write};

use super::page::Page;
use super::run_report::RunReport;
use super::style::{WIDTH, columns, columns_of_words, harmless, wrapped};
use crate::scenario::{Activity, End};
use crate::units::{human_count, human_ns};
use crate::verdict::{ActivityResult, ContractResult, GateResult, Tally, activities, tally};

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
        let lines = columns_of_words(&promises(contracts), 2);
        let (head, rows) = lines.split_at(1);
        writeln!(self.out, "\n{:MARK$}{}", "", self.style.bold(&head[0]))?;
        let mut cohort = "";
        for (contract, row) in contracts.iter().zip(rows) {
            if contract.cohort != cohort {
                cohort = &contract.cohort;
                self.cohort(report, cohort)?;
            }
            writeln!(self.out, "{}  {row}", self.mark(contract.passed))?;
            self.why(contract)?;
        }
        let (scenario, summary) = (report.scenario, report.summary);
        self.table(&columns(&ends(&tally(scenario, summary))))?;
        let matrix = activities(scenario, summary);
        if matrix.len() > 1 {
            self.table(&columns_of_words(&activity(&matrix), 2))?;
        }
        Ok(())
    }

    /// Whose promises follow, where their times begin, and which settings they were computed from.
    fn cohort(&mut self, report: &RunReport<'_>, name: &str) -> io::Result<()> {
        let mut cohorts = report.scenario.cohorts.iter();
        let cohort = cohorts.find(|cohort| cohort.name == name);
        let Some(contract) = cohort.and_then(|cohort| cohort.contract.as_ref()) else {
            return Ok(());
        };
        let preset = contract.preset.iter();
        let preset: String = preset.map(|preset| format!(" · {preset}")).collect();
        let settings = format!("from {}{preset}", contract.from.name());
        let (name, settings) = (self.style.bold(name), self.style.dim(&settings));
        writeln!(self.out, "{name}  {settings}")
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
    let head = ["promise", "expected", "n", "min", "p50", "p99", "max"];
    let row = |contract: &ContractResult| {
        let times = contract
            .times
            .map(|times| [times.min_ns, times.p50_ns, times.p99_ns, times.max_ns].map(human_ns));
        let mut row = vec![
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

/// The window, and what else was promised.
fn expected(contract: &ContractResult) -> String {
    match (contract.bounds, contract.expected.as_str()) {
        // A curve says itself how long all may take.
        (Some(bounds), words) if contract.contract != "back_within" => {
            format!("{words} {bounds}").trim_start().to_owned()
        }
        (_, words) => words.to_owned(),
    }
}

/// Who ended the connections of a contract, how that looked, and when TCP was over.
fn ends(tallies: &[Tally]) -> Vec<Vec<String>> {
    let head = [
        "ended by the server",
        "n",
        "Close frame",
        "FIN",
        "RST",
        "not",
        "TCP end p50",
        "max",
        "codes",
    ];
    let row = |tally: &Tally| {
        let ended = |end| human_count(tally.ended(end));
        let tcp_end = tally.tcp_end;
        let tcp_end = tcp_end.map(|times| [times.p50_ns, times.max_ns].map(human_ns));
        let codes = tally.codes.iter();
        let codes: Vec<String> = codes
            .map(|(code, count)| format!("{code} ×{}", human_count(*count)))
            .collect();
        let mut row = vec![
            tally.cohort.clone(),
            human_count(tally.connections),
            ended(End::CloseFrame),
            ended(End::Fin),
            ended(End::Rst),
            human_count(tally.stayed() + tally.by_client),
        ];
        row.extend(tcp_end.unwrap_or_default());
        row.push(codes.join(", "));
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
