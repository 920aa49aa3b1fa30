//! Plays one part: as a run is played, but from a named time on, and into a file instead of a verdict.

use std::io::BufReader;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use tracing::info;

use super::bundle::{Bundle, again, or_its_name, run_number};
use super::recording::{Recorded, Recording, machine};
use super::{Asked, refused};
use crate::cli::error::CliError;
use crate::cli::files;
use crate::cli::input::Loaded;
use crate::cli::observer::RunObserver;
use crate::cli::signals::Signals;
use crate::cli::start::{self, Started};
use crate::cli::term;
use crate::engine::Finished;
use crate::metric::Counter;
use crate::plan::{Plan, Share};
use crate::record::{Head, PartOf, Reader, RecordError};
use crate::report::utc;
use crate::units::{Nanos, counted, human_count, human_ns, roughly};
use crate::verdict::Exit;

/// The furthest that the start may be away.
const FURTHEST: Duration = Duration::from_secs(24 * 3600);
/// How late a part may begin. One that is later would have to catch up with a good part of its plan.
const LATEST: Duration = Duration::from_millis(500);
/// The time between two looks at the signals while the start is waited for.
const LOOK: Duration = Duration::from_millis(10);

/// One part of a run, and what it needs.
pub(in crate::cli) struct Part<'a> {
    pub(in crate::cli) loaded: &'a Loaded,
    pub(in crate::cli) asked: &'a Asked<'a>,
    /// The scenario as it was named.
    pub(in crate::cli) scenario: &'a str,
    pub(in crate::cli) seed: u64,
    pub(in crate::cli) workers: usize,
    pub(in crate::cli) quiet: bool,
}

impl Part<'_> {
    /// Waits for the start, plays the part, and writes what it saw.
    ///
    /// # Errors
    /// When it cannot be played in parts, cannot begin in time, or cannot be written.
    pub(in crate::cli) fn play(&self) -> Result<Exit, CliError> {
        let Asked {
            part,
            start_at,
            record,
        } = *self.asked;
        let share = Share::part(part.number - 1, part.parts, self.workers);
        let since = start_at.duration_since(SystemTime::UNIX_EPOCH);
        let since = since.map_err(|_| at_another(start_at, "that was before 1970"))?;
        let bundle = Bundle {
            scenario: self.scenario,
            loaded: self.loaded,
            seed: self.seed,
        };
        let head = Head {
            part,
            start_ns: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
            recipe: bundle.recipe()?,
            machine: machine(share.workers()),
            name: None,
        };
        // What `merge` will do is done once before the load: afterwards it would be too late to be told.
        again(&head.recipe, &or_its_name)?;
        let scenario = self.loaded.scenario.clone();
        let which = format!("{} {}", head.start_ns, part.parts);
        let plan = Plan::new(scenario, self.seed, run_number(&head.recipe, &which));
        refused::check(&plan, part, share)?;
        check_start(start_at)?;
        start::get_rights(&plan, share)?;
        check_record(record)?;

        let (signals, _) = Signals::listen()?;
        let layout = plan.layout();
        let file = files::create(record, &self.loaded.files)?;
        let interrupt = signals.interrupts()?;
        let Started {
            target: _target,
            around,
            prepared,
        } = start::start(plan, self.seed, share, &signals)?;
        check_start(start_at)?;
        if !self.quiet {
            let (number, parts) = (part.number, part.parts);
            term::note(format!(
                "part {number} of {parts} begins at {}",
                utc(start_at)
            ));
        }
        let inner = RunObserver::new(
            &self.loaded.scenario,
            &around,
            None,
            term::progress(self.quiet),
        );
        let recording = Recording::begin(file, &head, layout, inner);
        let mut recording = recording.map_err(|source| CliError::write(record, source))?;
        let (origin, late) = wait_until(start_at, &signals)?;
        info!(late_ns = late.as_nanos() as u64, "the part begins");

        let mut finished = prepared
            .begun_at(origin)
            .run(interrupt, &mut recording)
            .map_err(CliError::Engine)?;
        let secrets = &self.loaded.scenario.secrets;
        let seconds = recording.over();
        let Recorded { broken, written } =
            seconds.end(&mut finished, around, late, secrets, record);
        if !self.quiet && written.is_ok() {
            term::print(self.summary(&finished).as_bytes())?;
        }
        let failures = broken.iter().chain(written.as_ref().err());
        failures.for_each(term::error);
        Ok(match (written, broken) {
            (Err(error), _) | (_, Some(error)) => error.exit(),
            _ if finished.interrupted => Exit::Interrupted,
            _ => Exit::Passed,
        })
    }

    /// What the part did, in a few lines. It has no verdict.
    fn summary(&self, finished: &Finished) -> String {
        let total = |counter: Counter| finished.summary.total(counter.name());
        let PartOf { number, parts } = self.asked.part;
        let opened = counted(total(Counter::ConnectionsOpened), "connection");
        let failed = human_count(total(Counter::ConnectionsFailed));
        let sent = counted(total(Counter::MessagesSent), "message");
        let ended = human_ns(finished.ended.as_nanos());
        let record = self.asked.record.display();
        format!(
            "part {number} of {parts}: {opened} opened, {failed} failed, {sent} sent; it ended after {ended}\n\
             recorded in {record}; when all parts are there, `wsbench merge` judges them together\n"
        )
    }
}

fn at_another(at: SystemTime, why: impl Into<String>) -> CliError {
    CliError::StartAt {
        at: utc(at),
        why: why.into(),
    }
}

/// Checks that nothing recorded would be written over: it may have taken hours.
fn check_record(path: &Path) -> Result<(), CliError> {
    let Ok(file) = files::open_file(path) else {
        return Ok(());
    };
    match Reader::begin(BufReader::new(file)) {
        Err(RecordError::Foreign | RecordError::System(_)) => Ok(()),
        Ok(_) | Err(_) => Err(CliError::WriteOver {
            path: path.to_owned(),
            what: "a recorded part already",
        }),
    }
}

/// Checks that a start is neither past nor too far away.
fn check_start(at: SystemTime) -> Result<(), CliError> {
    match at.duration_since(SystemTime::now()) {
        Err(past) => {
            let (past, now) = (roughly(past.duration()), utc(SystemTime::now()));
            let why = format!("that was {past} ago; by this machine's clock it is {now}");
            Err(at_another(at, why))
        }
        Ok(left) if left > FURTHEST => Err(at_another(at, "that is more than a day from now")),
        Ok(_) => Ok(()),
    }
}

/// Waits for the start. Returns it as a time of the monotonic clock, and how much later it is by now.
fn wait_until(at: SystemTime, signals: &Signals) -> Result<(Instant, Duration), CliError> {
    loop {
        if signals.heard() {
            return Err(CliError::Interrupted);
        }
        match at.duration_since(SystemTime::now()) {
            Ok(left) if left > Duration::ZERO => std::thread::sleep(left.min(LOOK)),
            _ => break,
        }
    }
    let (now, wall) = (Instant::now(), SystemTime::now());
    let late = wall.duration_since(at).unwrap_or_default();
    if late > LATEST {
        let late = human_ns(Nanos::from(late).0);
        return Err(at_another(at, format!("this machine came {late} too late")));
    }
    let origin = now.checked_sub(late).unwrap_or(now);
    Ok((origin, late))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_long_ago_is_told_in_lengths_that_people_use() {
        assert_eq!(roughly(Duration::from_millis(1_500)), "1.50 s");
        assert_eq!(roughly(Duration::from_secs(3_725)), "1h 2m");
        assert_eq!(
            roughly(Duration::from_secs(20 * 365 * 86_400)),
            "19years 11months"
        );
        let error = check_start(SystemTime::UNIX_EPOCH).unwrap_err().to_string();
        assert!(
            error.contains("years") && error.contains("by this machine's clock it is 2"),
            "{error}"
        );
    }
}
