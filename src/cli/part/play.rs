//! Plays one part: as a run is played, but from a named time on, and into a file instead of a verdict.

use std::fs::File;
use std::io::{self, BufWriter};
use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime};

use tracing::info;

use super::bundle::{Bundle, again, run_number};
use super::{Asked, refused};
use crate::cli::error::CliError;
use crate::cli::files;
use crate::cli::input::Loaded;
use crate::cli::observer::RunObserver;
use crate::cli::signals::Signals;
use crate::cli::start::{self, Started};
use crate::cli::term;
use crate::engine::{self, Finished};
use crate::host::{self, Throttled};
use crate::measure::{Sample, Shard, Usage};
use crate::metric::Counter;
use crate::net;
use crate::plan::{Plan, Share};
use crate::record::{End, Machine, PartOf, Writer};
use crate::report::{Host, utc};
use crate::time;
use crate::units::{Nanos, counted, human_count, human_ns};
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
            start_ns: u64::try_from(since.as_nanos()).unwrap_or(u64::MAX),
        };
        let machine = machine(share.workers());
        let head = bundle.head(part, machine)?;
        // What `merge` will do is done once before the load: afterwards it would be too late to be told.
        again(&head)?;
        let scenario = self.loaded.scenario.clone();
        let plan = Plan::new(scenario, self.seed, run_number(&head));
        refused::check(&plan, part, share)?;
        check_start(start_at)?;
        start::get_rights(&plan, share)?;

        let (signals, _) = Signals::listen()?;
        let layout = plan.layout();
        let file = files::create(record, &self.loaded.files)?;
        let writer = Writer::begin(BufWriter::new(file), &head, layout);
        let writer = writer.map_err(|source| CliError::write(record, source))?;
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
        let (origin, late) = wait_until(start_at, &signals)?;
        info!(late_ns = late.as_nanos() as u64, "the part begins");

        let before = host::throttled();
        let mut observer = PartObserver {
            inner: RunObserver::new(&self.loaded.scenario, &around, None, self.quiet),
            writer,
            failure: None,
        };
        let mut finished = prepared
            .begun_at(origin)
            .run(interrupt, &mut observer)
            .map_err(CliError::Engine)?;
        let PartObserver {
            inner,
            writer,
            failure,
        } = observer;
        inner.end();
        let (surroundings, failed) = around.end(finished.origin, &mut finished.summary);
        let broken = finished.failure.take().map(CliError::Engine).or(failed);
        let throttling = host::throttled().zip(before).map(|(now, before)| {
            let Throttled { periods, throttled } = now.since(before);
            (periods, throttled)
        });
        let secrets = &self.loaded.scenario.secrets;
        let shown = |text: String| secrets.mask(&text).into_owned();
        let end = End {
            seconds: 0,
            opened: 0,
            interrupted: finished.interrupted,
            failure: broken.as_ref().map(|error| shown(error.to_string())),
            settled_ns: finished.settled,
            load_ended_ns: finished.load_ended,
            ended_ns: finished.ended,
            late_ns: Nanos::from(late).0,
            throttling,
            look_ups_failed: (surroundings.look_ups_failed)
                .map(|(count, last)| (count, shown(last))),
        };
        let written = match failure {
            Some(failure) => Err(failure),
            None => writer.end(end).and_then(in_whole),
        };
        let written = written.map_err(|source| CliError::LateWrite {
            path: record.to_owned(),
            source,
        });
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

/// Syncs a file that was written to its end.
fn in_whole(out: BufWriter<File>) -> io::Result<()> {
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    match file.metadata()?.is_file() {
        true => file.sync_all(),
        // Pipes and devices cannot be synced.
        false => Ok(()),
    }
}

/// What the system gives this process.
fn machine(workers: usize) -> Machine {
    let Host {
        os,
        arch,
        kernel,
        cpus,
        cpu_model,
    } = Host::detect();
    Machine {
        workers: workers as u32,
        precise_timer: time::PRECISE,
        kernel_view: net::TCP_VIEW,
        cores: host::allowed_cores(),
        os,
        arch,
        kernel,
        cpus,
        cpu_model,
    }
}

fn at_another(at: SystemTime, why: impl Into<String>) -> CliError {
    CliError::StartAt {
        at: utc(at),
        why: why.into(),
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

/// A length of time in its two largest units, such as `2days 3h`; in seconds where it is shorter than a minute.
fn roughly(length: Duration) -> String {
    if length < Duration::from_secs(60) {
        return human_ns(Nanos::from(length).0);
    }
    let whole = humantime::format_duration(Duration::from_secs(length.as_secs())).to_string();
    let largest: Vec<&str> = whole.split(' ').take(2).collect();
    largest.join(" ")
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

/// Writes each second to the file, besides what is done for any run. The supervisor waits for that, and the workers do
/// not: a shard that finds no room covers the next second as well.
struct PartObserver<'a> {
    inner: RunObserver<'a>,
    writer: Writer<BufWriter<File>>,
    /// Why a second could not be written.
    failure: Option<io::Error>,
}

impl engine::Observer for PartObserver<'_> {
    fn measuring(&mut self, from: Instant) {
        self.inner.measuring(from);
    }

    fn target(&mut self) -> Option<Usage> {
        None
    }

    fn shard(&mut self, shard: &Shard, sample: &Sample) {
        if self.failure.is_none() {
            self.failure = self.writer.second(shard, sample).err();
        }
    }

    fn second(&mut self, second: &engine::Second<'_>) -> ControlFlow<()> {
        match self.failure {
            // What is not written is of no use to anybody.
            Some(_) => ControlFlow::Break(()),
            None => self.inner.second(second),
        }
    }
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
