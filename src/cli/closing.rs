//! The reports that are closed while a run goes on: when, and what becomes of each. A thread of its own judges and writes
//! them, and the run never waits for it.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use super::attempt::{Records, facts};
use super::error::CliError;
use super::input::time_up_to;
use super::progress::Lines;
use super::signals::Asked;
use crate::engine::{Closed, Second};
use crate::host::{self, Throttled};
use crate::measure::Interval;
use crate::metric::Counter;
use crate::report::{self, OutputSet, Run};
use crate::scenario::{Scenario, Shape};
use crate::units::counted;
use crate::verdict::{Exit, Outcome, judge};

/// The most closed reports that may wait to be judged.
const WAITING: usize = 4;
/// The most folders of reports; after that the oldest is replaced.
const KEPT: u64 = 1000;
/// How long connections may take to end after a signal, which is part of the last report.
const DRAIN: Duration = Duration::from_secs(2);
/// The longest time between two reports.
const LONGEST: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// When reports are closed.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Report")]
pub(super) struct ClosingArgs {
    /// Close a report this often and begin the next, like 1h: each is judged and written, in folders 1, 2 and so on
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time_up_to(text, LONGEST))]
    every: Option<Duration>,
}

impl ClosingArgs {
    /// Whether reports of this scenario are closed while it runs: where that is asked for, and where it has no end.
    ///
    /// # Errors
    /// When they cannot be.
    pub(super) fn applies_to(&self, scenario: &Scenario) -> Result<bool, CliError> {
        if self.every.is_none() {
            return Ok(scenario.is_endless());
        }
        let hint = "`--every`";
        let refused = |what| Err(CliError::Closing { what, hint });
        if !matches!(scenario.load.shape, Shape::Steady { .. }) {
            return refused(
                "with `load.stages` or `load.arrivals`: what they do is not the same in each report",
            );
        }
        if scenario.cohorts.iter().any(|one| one.contract.is_some()) {
            return refused("with a contract: it is judged when its connections have ended");
        }
        if scenario.path.is_some() || !scenario.target.faults.is_empty() {
            return refused("with `[path]` or `[[target.fault]]`: their faults happen once");
        }
        Ok(true)
    }
}

/// The folder of the report with this number, from 1.
pub(super) fn folder(base: &Path, number: u64) -> PathBuf {
    let place = (number - 1) % KEPT + 1;
    base.join(place.to_string())
}

/// What is needed to close reports.
pub(super) struct Plan<'a> {
    pub(super) args: &'a ClosingArgs,
    /// Where the folders of the reports are.
    pub(super) base: PathBuf,
    /// The first of them.
    pub(super) first: OutputSet,
}

/// Closes reports of the run that goes on.
pub(super) struct Closing {
    every: Option<Duration>,
    /// The requests by a signal, and how many of them are done.
    asked: Asked,
    done: u64,
    reports: SyncSender<(Closed, SystemTime)>,
    /// How many had no room to be judged.
    lost: u64,
    keeper: JoinHandle<Kept>,
}

/// What became of the closed reports.
pub(super) struct Ended {
    pub(super) all: All,
    /// The files of the report that is not closed yet.
    pub(super) output: Result<OutputSet, CliError>,
}

/// The closed reports together.
pub(super) struct All {
    /// How many were judged.
    pub(super) judged: u64,
    /// How many of them did not pass.
    pub(super) not_passed: u64,
    /// How many had no room to be judged.
    pub(super) lost: u64,
    /// The greatest exit code.
    pub(super) exit: Exit,
}

impl All {
    /// How the last report ended, which is closed by the end of the run.
    pub(super) fn last(&self, run: &Run, scenario: &Scenario, exit: Exit) -> Exit {
        let asked = [Counter::PingsSent, Counter::MessagesSent];
        let asked = asked
            .iter()
            .map(|counter| run.summary.count(counter.name()));
        let pings = scenario.cohorts.iter();
        let pings = pings.filter_map(|one| one.heartbeat.as_ref()?.pings.as_ref());
        let gap = pings.map(|pings| pings.interval).max();
        let lasted = run.summary.intervals.iter().map(Interval::seconds).sum();
        let began_only = began_only(asked.sum(), lasted, gap.unwrap_or_default());
        match (self.judged, began_only, exit) {
            (1.., true, Exit::Untrusted) => Exit::Passed,
            _ => exit,
        }
    }

    /// All reports in a sentence; the last one, which is not closed by the way, passed or did not. `None` where it is the
    /// only one.
    pub(super) fn sentence(&self, last: Exit) -> Option<String> {
        let all = self.judged + 1;
        let not_passed = self.not_passed + u64::from(last != Exit::Passed);
        if self.judged + self.lost == 0 {
            return None;
        }
        let passed = match not_passed {
            0 => "all passed".to_owned(),
            some => format!("{some} did not pass"),
        };
        let lost = match self.lost {
            0 => String::new(),
            lost => format!("; {} had no room to be judged", counted(lost, "report")),
        };
        Some(format!("{}: {passed}{lost}", counted(all, "report")))
    }
}

/// Whether a report of so many seconds, in which so much was asked, ended before the next ping was due: it decides nothing
/// beside those before. A longer one in which nothing was asked has no verdict.
fn began_only(asked: u64, lasted: f64, gap: Duration) -> bool {
    asked == 0 && lasted <= (gap + DRAIN).as_secs_f64()
}

impl Closing {
    /// Prepares to close reports. Tells of each in a line.
    ///
    /// # Errors
    /// When the system cannot listen for the signal, or start a thread.
    pub(super) fn start(plan: Plan<'_>, records: Records, lines: Lines) -> Result<Self, CliError> {
        let Plan { args, base, first } = plan;
        let (reports, come) = sync_channel(WAITING);
        let keeper = Keeper {
            records,
            lines,
            throttled: host::throttled(),
            base,
            kept: Kept {
                judged: 0,
                not_passed: 0,
                exit: Exit::Passed,
                output: Ok(first),
            },
        };
        let thread = std::thread::Builder::new().name("reports".to_owned());
        let keeper = thread.spawn(move || keeper.keep(&come));
        Ok(Self {
            every: args.every,
            asked: Asked::listen()?,
            done: 0,
            reports,
            lost: 0,
            keeper: keeper.map_err(|source| CliError::System {
                doing: "start a thread that judges reports",
                source,
            })?,
        })
    }

    /// Whether the report ends with this second.
    pub(super) fn is_due(&mut self, second: &Second<'_>) -> bool {
        let asked = self.asked.count();
        let is_asked = asked > self.done;
        self.done = asked;
        is_asked || (self.every).is_some_and(|every| second.report_lasted() >= every)
    }

    /// Takes a closed report.
    pub(super) fn take(&mut self, closed: Closed) {
        let lasted = Duration::from(closed.ended.saturating_since(closed.began));
        let began = SystemTime::now() - lasted;
        match self.reports.try_send((closed, began)) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.lost += 1,
        }
    }

    /// Waits until all closed reports are judged and written.
    pub(super) fn end(self) -> Ended {
        drop(self.reports);
        let kept = match self.keeper.join() {
            Ok(kept) => kept,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        Ended {
            all: All {
                judged: kept.judged,
                not_passed: kept.not_passed,
                lost: self.lost,
                exit: match self.lost {
                    0 => kept.exit,
                    _ => kept.exit.max(Exit::Untrusted),
                },
            },
            output: kept.output,
        }
    }
}

/// Judges and writes closed reports.
struct Keeper {
    records: Records,
    lines: Lines,
    throttled: Option<Throttled>,
    base: PathBuf,
    kept: Kept,
}

struct Kept {
    judged: u64,
    not_passed: u64,
    exit: Exit,
    /// The files of the report that is written next.
    output: Result<OutputSet, CliError>,
}

impl Keeper {
    fn keep(mut self, come: &Receiver<(Closed, SystemTime)>) -> Kept {
        for (closed, began) in come {
            self.judge(closed, began);
        }
        self.kept
    }

    fn judge(&mut self, closed: Closed, began: SystemTime) {
        let before = std::mem::replace(&mut self.throttled, host::throttled());
        let facts = facts(Outcome::Completed, closed.workers, before);
        let verdict = judge(&self.records.scenario, &closed.summary, &facts);
        let run = self.records.run(began, facts, closed.summary, verdict);
        let exit = run.verdict.exit;
        let number = closed.number;
        let short = report::in_short(&run, exit);
        let next = self.open(number + 1);
        let output = std::mem::replace(&mut self.kept.output, next);
        let written = output.and_then(|output| output.commit(&run).map_err(CliError::LateOutput));
        let exit = match &written {
            Ok(_) => exit,
            Err(error) => exit.max(error.exit()),
        };
        let place = match written {
            Ok(folder) => folder.display().to_string(),
            Err(error) => format!("failed to {error}"),
        };
        let now = humantime::format_rfc3339_millis(SystemTime::now());
        let line = format!("{now}  report {number}  {short}  {place}");
        self.lines.add(line);
        if number == KEPT {
            let place = folder(&self.base, 1);
            let line = format!(
                "note: the next report replaces the oldest, {}",
                place.display()
            );
            self.lines.add(line);
        }
        self.kept.judged += 1;
        self.kept.not_passed += u64::from(exit != Exit::Passed);
        self.kept.exit = self.kept.exit.max(exit);
    }

    fn open(&self, number: u64) -> Result<OutputSet, CliError> {
        let folder = folder(&self.base, number);
        Ok(OutputSet::create(&folder, &self.records.scenario)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_without_a_ping_is_not_one_that_only_began() {
        let gap = Duration::from_secs(10);
        assert!(began_only(0, 3.0, gap));
        assert!(!began_only(1, 3.0, gap));
        assert!(!began_only(0, 3600.0, gap));
        assert!(!began_only(0, 5.0, Duration::ZERO), "no heartbeat is due");
    }
}
