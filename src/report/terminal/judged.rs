//! The judged part of the terminal summary: gates, then contracts with tables about their connections.
//! Brief if everything held; a broken promise is explained.

use std::io::{self, Write};

use super::page::Page;
use super::style::{WIDTH, columns, wrapped};
use crate::report::run::Run;
use crate::report::tables;
use crate::report::words::{Stands, expected, origin, seen};
use crate::scenario::Origin;
use crate::units::{human_count, human_ns, visible};
use crate::verdict::{ContractResult, GateResult};

/// The widest gate text that the column of observed values is aligned to.
const GATE_WIDTH: usize = 56;
/// The width of contract tables, which need a wider terminal.
const WIDE: usize = 100;
/// The width of the column of marks.
const MARK: usize = 8;
/// The widest expectation that the next column is aligned to.
const EXPECTED_WIDTH: usize = 24;
/// The most close codes of a cohort that are shown.
const MAX_CODES: usize = 2;

impl<W: Write> Page<W> {
    fn mark(&self, stands: Stands) -> String {
        match stands {
            Stands::InDoubt => self.style.doubtful("? VOID"),
            Stands::Open => self.style.doubtful("? OPEN"),
            Stands::Held => self.style.good("✓ PASS"),
            Stands::Broken => self.style.bad("✗ FAIL"),
        }
    }

    /// Writes each gate with its observed value.
    pub(super) fn gates(&mut self, gates: &[&GateResult]) -> io::Result<()> {
        if gates.is_empty() {
            return Ok(());
        }
        writeln!(self.out)?;
        let longest = gates.iter().map(|gate| gate.gate.chars().count()).max();
        let width = longest.unwrap_or(0).min(GATE_WIDTH);
        for gate in gates {
            let mark = match gate.ended_the_run {
                true if gate.doubted => format!("{} ", self.style.doubtful("? ABORT")),
                true => format!("{} ", self.style.bad("✗ ABORT")),
                false => format!("{}  ", self.mark(Stands::of_gate(gate))),
            };
            let (text, seen) = (visible(&gate.gate), seen(gate));
            let fits = width.max(text.chars().count()) + seen.chars().count() <= WIDTH - 10;
            if fits {
                writeln!(self.out, "{mark}{text:<width$}  {seen}")?;
            } else {
                writeln!(self.out, "{mark}{text}\n{:MARK$}{seen}", "")?;
            }
        }
        Ok(())
    }

    /// Writes each promise, and how the connections that it covers ended.
    pub(super) fn contracts(&mut self, run: &Run) -> io::Result<()> {
        let contracts: Vec<&ContractResult> = run.verdict.contracts.iter().collect();
        if contracts.is_empty() {
            return Ok(());
        }
        self.promises(run, &contracts)?;
        self.table(&tables::ends(&run.verdict.ends, MAX_CODES))?;
        let matrix = &run.verdict.activity;
        if matrix.len() > 1 {
            self.table(&tables::activity(matrix))?;
        }
        Ok(())
    }

    /// Writes these promises, grouped under the names of their cohorts. There must be at least one promise.
    pub(super) fn promises(&mut self, run: &Run, contracts: &[&ContractResult]) -> io::Result<()> {
        let lines = columns(&promises(contracts), 2);
        let (head, rows) = lines.split_at(1);
        writeln!(self.out, "\n{:MARK$}{}", "", self.style.bold(&head[0]))?;
        let mut cohort = "";
        for (contract, row) in contracts.iter().zip(rows) {
            if contract.cohort != cohort {
                cohort = &contract.cohort;
                self.cohort(run, cohort)?;
            }
            writeln!(
                self.out,
                "{}  {row}",
                self.mark(Stands::of_promise(contract))
            )?;
            self.beside(contract)?;
        }
        Ok(())
    }

    /// Writes the heading of a cohort's promises: its name, the origin of its times, and the preset that they come
    /// from.
    fn cohort(&mut self, run: &Run, name: &str) -> io::Result<()> {
        let mut cohorts = run.scenario.cohorts.iter();
        let cohort = cohorts.find(|cohort| cohort.name == name);
        let preset = cohort.and_then(|cohort| cohort.preset.as_ref()).into_iter();
        let preset: String = preset.map(|preset| format!(" · {preset}")).collect();
        let promises = run.verdict.contracts.iter();
        let settings = match timed(promises.filter(|promise| promise.cohort == name)) {
            Some(timed) => format!("{timed}{preset}"),
            None => preset.trim_start_matches(" · ").to_owned(),
        };
        let room = WIDE.saturating_sub(name.chars().count() + 2);
        let name = self.style.bold(name);
        if settings.chars().count() <= room {
            let line = format!("{name}  {}", self.style.dim(&settings));
            return writeln!(self.out, "{}", line.trim_end());
        }
        writeln!(self.out, "{name}")?;
        let mut lines = wrapped(&settings, WIDE - MARK).into_iter();
        lines.try_for_each(|line| writeln!(self.out, "{:MARK$}{}", "", self.style.dim(&line)))
    }

    /// Writes what does not fit into the table, and the reason; not dimmed if the promise is broken.
    fn beside(&mut self, contract: &ContractResult) -> io::Result<()> {
        let expected = expected(contract);
        let expected = match is_long(&expected) {
            true => format!("expected: {expected}"),
            false => String::new(),
        };
        for text in [expected, contract.why.clone()] {
            self.remark(&text, contract.passed)?;
        }
        Ok(())
    }

    fn remark(&mut self, text: &str, passed: bool) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        for line in wrapped(&visible(text), WIDE - MARK) {
            let line = match passed {
                true => self.style.dim(&line),
                false => line,
            };
            writeln!(self.out, "{:MARK$}{line}", "")?;
        }
        Ok(())
    }
}

/// Says which promises count their times from the contract's origin, and what that origin is.
fn timed<'a>(promises: impl Iterator<Item = &'a ContractResult>) -> Option<String> {
    let timed = promises.filter_map(|promise| Some((promise.contract.key(), promise.from?)));
    let (keys, from): (Vec<&str>, Vec<Origin>) = timed.unzip();
    let origin = origin(*from.first()?);
    Some(format!("{} from {origin}", keys.join(", ")))
}

fn promises(contracts: &[&ContractResult]) -> Vec<Vec<String>> {
    let head = ["promise", "expected", "n", "min", "p50", "p99", "max"];
    let row = |contract: &&ContractResult| {
        let times = contract.times.map(|times| {
            [times.min_ns, times.p50_ns, times.p99_ns, times.max_ns].map(|time| human_ns(time.0))
        });
        let mut row = vec![
            contract.contract.key().to_owned(),
            Some(expected(contract))
                .filter(|words| !is_long(words))
                .unwrap_or_default(),
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

fn is_long(expected: &str) -> bool {
    expected.chars().count() > EXPECTED_WIDTH
}
