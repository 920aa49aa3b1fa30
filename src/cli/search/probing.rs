//! Runs the probes of a search: one process after the other, each with the options of the search that a run has too.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::cli::error::CliError;
use crate::cli::signals::Signals;
use crate::cli::term;
use crate::engine::Limits;
use crate::host;
use crate::plan::Budget;
use crate::report::{ProbeRecord, Run};
use crate::search::Outcome;
use crate::units::counted;

/// The gate that ends a probe whose server refuses its clients, so that it does not last to its end.
const ABORT: &str = "ratio(connections.failed / connections.attempted) > 20%";
/// The time between two looks whether a probe has ended.
const LOOK: Duration = Duration::from_millis(20);
/// The longest wait for local ports that earlier probes have left in TIME_WAIT, which lasts a minute.
const PORTS: Duration = Duration::from_secs(65);

/// Runs probes.
pub(super) struct Prober<'a> {
    /// What the search has in common with its probes: options, and what stands behind `--`.
    shared: (Vec<OsString>, Vec<OsString>),
    signals: &'a Signals,
    settle: Duration,
    ran: bool,
}

/// How a probe ended.
pub(super) enum Ended {
    /// It has a verdict.
    Ran(Box<Run>, Outcome),
    /// This machine has no room for it.
    NoRoom(String),
    /// A signal came.
    Interrupted,
    /// It could not be run; it has told why.
    Failed,
}

impl<'a> Prober<'a> {
    /// Takes the command line of this process, without the options named `own`.
    pub(super) fn new(own: &[&str], signals: &'a Signals, settle: Duration) -> Self {
        Self {
            // The first two are the program and `search`.
            shared: shared(own, std::env::args_os().skip(2)),
            signals,
            settle,
            ran: false,
        }
    }

    /// Runs a probe with one more option, and reads what it left in `folder`.
    pub(super) fn run(
        &mut self,
        more: &[String; 2],
        folder: &Path,
        budget: &Budget,
    ) -> Result<Ended, CliError> {
        if std::mem::replace(&mut self.ran, true) {
            self.wait(self.settle, || false);
            self.wait_for_ports(budget);
        }
        if self.signals.heard() {
            return Ok(Ended::Interrupted);
        }
        let status = self.execute(more, folder)?;
        if self.signals.heard() {
            return Ok(Ended::Interrupted);
        }
        // 0, 3 and 4 are verdicts.
        if !matches!(status.code(), Some(0 | 3 | 4)) {
            return Ok(Ended::Failed);
        }
        let run = Run::read(folder)?;
        Ok(match ProbeRecord::outcome_of(&run) {
            Some(outcome) => Ended::Ran(Box::new(run), outcome),
            None => Ended::Failed,
        })
    }

    fn execute(&self, more: &[String; 2], folder: &Path) -> Result<ExitStatus, CliError> {
        let failed = |source| CliError::System {
            doing: "run a probe",
            source,
        };
        let program = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(program);
        let (options, named) = &self.shared;
        command.arg("run").args(options).args(more);
        command
            .args(["--tied", "--quiet", "--abort", ABORT, "--out"])
            .arg(folder)
            .args(named);
        // The pipe ends with this process, however that ends, and the probe with the pipe.
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        // A terminal sends Ctrl-C to its whole process group, and a signal is passed on below.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(failed)?;
        let mut passed_on = 0;
        loop {
            if let Some(status) = child.try_wait().map_err(failed)? {
                return Ok(status);
            }
            for _ in passed_on..self.signals.count() {
                interrupt(&mut child);
            }
            passed_on = self.signals.count();
            thread::sleep(LOOK);
        }
    }

    /// Waits while earlier probes hold the local ports that this one needs.
    fn wait_for_ports(&self, budget: &Budget) {
        let Some(ports) = Limits::of_this_machine().ports else {
            return;
        };
        let fits = || host::time_waits().is_none_or(|waiting| waiting + budget.ports <= ports);
        if fits() {
            return;
        }
        term::note(format!(
            "note: {} of earlier probes are still in TIME_WAIT: waits for their ports, up to {} s",
            counted(host::time_waits().unwrap_or_default(), "connection"),
            PORTS.as_secs()
        ));
        self.wait(PORTS, fits);
    }

    /// Waits so long, until a signal comes, or until it is `over`.
    fn wait(&self, time: Duration, over: impl Fn() -> bool) {
        let begun = Instant::now();
        while begun.elapsed() < time && !self.signals.heard() && !over() {
            thread::sleep(LOOK.min(time));
        }
    }
}

/// Asks a probe to end, and to write its report.
#[cfg(unix)]
fn interrupt(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process};

    // Ignores the error: it has ended.
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, Signal::INT);
    }
}

#[cfg(not(unix))]
fn interrupt(child: &mut Child) {
    let _ = child.kill();
}

/// These arguments without the options named `own`, each of which has a value: those before `--`, and the rest with it.
fn shared(
    own: &[&str],
    mut arguments: impl Iterator<Item = OsString>,
) -> (Vec<OsString>, Vec<OsString>) {
    let mut options = Vec::new();
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        let name = text.split_once('=').map(|(name, _)| name);
        if text == "--" {
            let named = std::iter::once(argument).chain(arguments);
            return (options, named.collect());
        } else if own.contains(&&*text) {
            // Its value is the next argument.
            arguments.next();
        } else if name.is_none_or(|name| !own.contains(&name)) {
            options.push(argument);
        }
    }
    (options, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_probe_has_the_options_that_a_run_has_too() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        let given = words("--vary rate=say --gate a=b --to=5 --rate say=1/s --out folder -- --to");
        let (options, named) = shared(&["--vary", "--to", "--out"], given.into_iter());
        assert_eq!(options, words("--gate a=b --rate say=1/s"));
        assert_eq!(named, words("-- --to"));
        let (options, named) = shared(&[], words("echo").into_iter());
        assert_eq!((options, named.len()), (words("echo"), 0));
    }
}
