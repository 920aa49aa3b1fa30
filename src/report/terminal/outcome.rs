//! The end of the terminal summary: doubts, the verdict, and the folder of the files.
//! With `--quiet`, a run prints only this, and what failed before it.

use std::io::{self, Write};
use std::path::Path;

use super::page::Page;
use super::style::Style;
use crate::report::run::Run;
use crate::report::words::{sentence, word};
use crate::units::visible;
use crate::verdict::{Exit, GateResult};

/// Writes what went wrong: failed gates, broken promises, doubts and the verdict; and gates that are not decided. Writes
/// nothing for a run in which all held. `exit` is how wsbench will end.
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
    if verdict.exit == Exit::Passed && !verdict.gates.iter().any(GateResult::is_open) {
        return Ok(());
    }
    let mut page = Page { style, out };
    let name = page.style.bold(&visible(&run.scenario.name));
    writeln!(page.out, "{name} against {}", visible(&run.scenario.target))?;
    let gates = verdict.gates.iter();
    let gates: Vec<_> = gates.filter(|one| !one.passed || one.is_open()).collect();
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
        let paint = match verdict.exit {
            Exit::Passed => Style::good,
            Exit::Untrusted | Exit::Interrupted => Style::doubtful,
            Exit::Unexpected | Exit::Failed | Exit::Invalid => Style::bad,
        };
        let word = paint(self.style, word(verdict.exit));
        writeln!(self.out, "{word}  {}", sentence(run, exit))?;
        match folder {
            Some(folder) => writeln!(self.out, "report in {}", folder.display()),
            None => Ok(()),
        }
    }
}
