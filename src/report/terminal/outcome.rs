//! The end of the terminal summary: doubts, the verdict, and the folder of the files.
//! With `--quiet`, a run prints only this, and what failed before it.

use std::io::{self, Write};
use std::path::Path;

use super::page::Page;
use super::style::Style;
use crate::report::run::{Judgement, Run};
use crate::units::{counted, visible, were};
use crate::verdict::{Exit, Outcome};

/// Writes what went wrong: failed gates, broken promises, doubts and the verdict. Writes nothing for a run
/// that passed. `exit` is how wsbench will end.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(
    run: &Run,
    exit: Exit,
    style: Style,
    folder: Option<&Path>,
    out: impl Write,
) -> io::Result<()> {
    let verdict = &run.verdict;
    if verdict.exit == Exit::Passed {
        return Ok(());
    }
    let mut page = Page { style, out };
    let name = page.style.bold(&run.scenario.name);
    writeln!(page.out, "{name} against {}", visible(&run.scenario.target))?;
    let gates: Vec<_> = verdict.gates.iter().filter(|one| !one.passed).collect();
    page.gates(&gates)?;
    let broken: Vec<_> = verdict.contracts.iter().filter(|one| !one.passed).collect();
    if !broken.is_empty() {
        page.promises(run, &broken)?;
    }
    page.outcome(run, exit, folder)
}

impl<W: Write> Page<W> {
    /// Writes the doubts, the verdict as a sentence, and the folder of the files if there are any.
    pub(super) fn outcome(
        &mut self,
        run: &Run,
        exit: Exit,
        folder: Option<&Path>,
    ) -> io::Result<()> {
        writeln!(self.out)?;
        let verdict = &run.verdict;
        for doubt in &verdict.distrust {
            let mut text = doubt.text.clone();
            if !doubt.whole_run {
                let these = doubt.concerns.iter().map(|one| format!("`{one}`"));
                let these: Vec<String> = these.collect();
                text += &format!("; no verdict on {}", these.join(", "));
            }
            self.note("doubt", Style::bad, &text, doubt.hint.as_deref())?;
        }
        if !verdict.distrust.is_empty() {
            writeln!(self.out)?;
        }
        let word = match verdict.exit {
            Exit::Passed => self.style.good("PASS"),
            Exit::Untrusted => self.style.doubtful("NO VERDICT"),
            Exit::Interrupted => self.style.doubtful("INTERRUPTED"),
            Exit::Unexpected => self.style.bad("BROKEN OFF"),
            Exit::Failed | Exit::Invalid => self.style.bad("FAIL"),
        };
        writeln!(self.out, "{word}  {}", sentence(run, exit))?;
        match folder {
            Some(folder) => writeln!(self.out, "report in {}", folder.display()),
            None => Ok(()),
        }
    }
}

fn sentence(run: &Run, exit: Exit) -> String {
    let verdict = &run.verdict;
    let result = match verdict.exit {
        Exit::Passed => held(verdict.gates.len(), verdict.contracts.len()),
        Exit::Untrusted if !verdict.distrust.iter().any(|doubt| doubt.whole_run) => {
            in_doubt(verdict)
        }
        Exit::Untrusted => {
            let what = match (verdict.gates.len(), verdict.contracts.len()) {
                (0, 0) => "it says nothing about the server",
                (_, 0) => "its gates decide nothing",
                (0, _) => "its promises decide nothing",
                _ => "its gates and promises decide nothing",
            };
            format!("the run is in doubt, so {what}")
        }
        Exit::Interrupted => "these numbers cover the run until the signal".to_owned(),
        _ => match &run.facts.outcome {
            Outcome::Aborted { .. } => "an abort gate ended the run".to_owned(),
            Outcome::Broken { why } => format!("these numbers cover the run until it {why}"),
            _ => failed(verdict),
        },
    };
    let code = exit.code();
    match (exit == verdict.exit, exit) {
        (true, Exit::Passed) => result,
        (true, _) => format!("{result} (exit code {code})"),
        (false, _) => format!("{result} (exit code {code}, because not all could be written)"),
    }
}

/// Says what held, for a run in which everything held.
fn held(gates: usize, promises: usize) -> String {
    let gates = match gates {
        0 => None,
        1 => Some("the gate".to_owned()),
        all => Some(format!("all {all} gates")),
    };
    let promises = match promises {
        0 => None,
        1 => Some("the promise".to_owned()),
        all => Some(format!("all {all} promises")),
    };
    let all: Vec<String> = gates.into_iter().chain(promises).collect();
    match all.is_empty() {
        true => "there was no gate to hold".to_owned(),
        false => format!("{} held", all.join(" and ")),
    }
}

/// Says what is in doubt, for a run in which everything else held.
fn in_doubt(verdict: &Judgement) -> String {
    let gates = verdict.gates.iter().map(|gate| gate.doubted);
    let all = gates.chain(verdict.contracts.iter().map(|one| one.doubted));
    let all: Vec<bool> = all.collect();
    let doubted = all.iter().filter(|doubted| **doubted).count();
    let what = match (verdict.gates.len(), verdict.contracts.len()) {
        (_, 0) => "gates",
        (0, _) => "promises",
        _ => "gates and promises",
    };
    match doubted == all.len() {
        true => format!("no verdict on any of its {what}"),
        false => format!(
            "{doubted} of {} {what} in doubt, the others held",
            all.len()
        ),
    }
}

/// Says what failed, for a run in which something failed.
fn failed(verdict: &Judgement) -> String {
    let gates = verdict
        .gates
        .iter()
        .filter(|gate| !gate.passed && !gate.doubted)
        .count();
    let promises = verdict
        .contracts
        .iter()
        .filter(|one| !one.passed && !one.doubted)
        .count();
    let (all_gates, all_promises) = (verdict.gates.len(), verdict.contracts.len());
    let all_gates = counted(all_gates as u64, "gate");
    let gates_failed = format!("{gates} of {all_gates} did not hold");
    let (all_promises, were) = (
        counted(all_promises as u64, "promise"),
        were(promises as u64),
    );
    let promises_broken = format!("{promises} of {all_promises} {were} broken");
    match (gates, promises) {
        (_, 0) => gates_failed,
        (0, _) => promises_broken,
        _ => format!("{gates_failed}, {promises_broken}"),
    }
}
