//! `wsbench run --repeat N`: so many runs of one scenario are a session, which counts as one value where versions are
//! compared.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use super::attempt::{Attempt, Played};
use super::error::CliError;
use super::files;
use super::formats::Opened;
use super::input::Loaded;
use super::outputs::Outputs;
use super::past::Past;
use super::signals::Signals;
use super::term;
use crate::compare::{self, Session, StoredSession};
use crate::report::{self, Labels, OutputSet, Run};
use crate::units::counted;
use crate::verdict::Exit;

/// The time between two runs: what the one left behind is over when the next begins.
pub(super) const PAUSE: Duration = Duration::from_secs(2);

/// What is repeated, and how often.
pub(super) struct Repeat<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) labels: &'a Labels,
    pub(super) past: Option<&'a Past>,
    pub(super) times: u16,
    pub(super) seed: u64,
    pub(super) workers: usize,
    pub(super) signals: &'a Signals,
    pub(super) out: Option<&'a Path>,
    pub(super) quiet: bool,
    pub(super) json: bool,
    pub(super) formats: Opened,
}

/// Waits until the next run may begin.
///
/// # Errors
/// When a signal comes.
pub(super) fn pause(signals: &Signals) -> Result<(), CliError> {
    signals.unless_more(0, || thread::sleep(PAUSE))
}

/// The folder of a session: the one that is asked for, or a dated one.
pub(super) fn folder(
    out: Option<&Path>,
    name: &str,
    started_at: SystemTime,
) -> Result<PathBuf, CliError> {
    match out {
        Some(folder) => Ok(folder.to_owned()),
        None => Ok(OutputSet::dated_folder(
            super::conclude::REPORTS.as_ref(),
            name,
            started_at,
        )?),
    }
}

impl Repeat<'_> {
    /// Runs all, and writes `session.json` beside their folders. Exits as the run that ended worst, or worse where the
    /// session is worse than the baseline.
    pub(super) fn run(self, started_at: SystemTime) -> Result<Exit, CliError> {
        let folder = folder(self.out, &self.loaded.scenario.name, started_at)?;
        let subjects = self.past.map_or_else(Vec::new, Past::subjects);
        let mut all = Runs::default();
        for number in 1..=self.times {
            if number > 1 && pause(self.signals).is_err() {
                all.exit = Exit::Interrupted;
                break;
            }
            let (run, exit) = match self.once(&folder.join(number.to_string()), &mut all) {
                Ok(ended) => ended,
                // Nothing has begun that could be told of.
                Err(error) if number == 1 => return Err(error),
                Err(error) => {
                    all.exit = all.exit.max(error.exit());
                    all.failures.push(error);
                    break;
                }
            };
            if !self.quiet {
                term::note(format!(
                    "run {number} of {}: {}",
                    self.times,
                    report::in_short(&run, exit)
                ));
            }
            all.add(run, exit, &subjects);
            if matches!(exit, Exit::Interrupted | Exit::Unexpected) {
                break;
            }
        }
        self.finish(&folder, all)
    }

    /// Runs once, and writes the report of that.
    fn once(&self, folder: &Path, all: &mut Runs) -> Result<(Run, Exit), CliError> {
        let started_at = SystemTime::now();
        let output = OutputSet::create(folder, &self.loaded.scenario)?;
        let attempt = Attempt {
            loaded: self.loaded,
            labels: self.labels.clone(),
            seed: self.seed,
            workers: self.workers,
            signals: self.signals,
            messages: None,
            outputs: Outputs::default(),
            quiet: self.quiet,
            started_at,
            closing: None,
            watched: None,
        };
        let Played {
            mut run, failure, ..
        } = attempt.play()?;
        if let Some(past) = self.past {
            past.postpone(&mut run);
        }
        let written = output.commit(&run).map_err(CliError::LateOutput);
        let mut exit = run.verdict.exit;
        for error in failure.into_iter().chain(written.err()) {
            exit = exit.max(error.exit());
            all.failures.push(error);
        }
        Ok((run, exit))
    }

    /// Judges the session, and tells of it.
    fn finish(self, folder: &Path, mut all: Runs) -> Result<Exit, CliError> {
        let is_whole = all.count == usize::from(self.times);
        let results = self.past.map(|past| match (&all.session, &all.why) {
            (Some(session), None) if is_whole => past.judge(session.clone()),
            (_, Some(why)) => past.nothing(why),
            _ => past.nothing("the session was broken off"),
        });
        let mut text = Vec::new();
        if let Some(mut worst) = all.worst.take() {
            if let (Some(past), Some(results)) = (self.past, results.clone()) {
                compare::settle(&mut worst, results, past.open_gates());
                all.exit = all.exit.max(worst.verdict.exit);
            }
            let exit = worst.verdict.exit;
            let written = match (self.json, self.quiet) {
                (true, _) => Ok(()),
                (_, true) => report::failures(&worst, exit, term::style(), None, &mut text),
                (_, false) => report::text(&worst, exit, term::style(), None, &mut text),
            };
            let annotations = written.and_then(|()| self.formats.annotations(&worst));
            text.extend(annotations.map_err(|source| CliError::System {
                doing: "write the summary",
                source,
            })?);
            let formats = self
                .formats
                .render(&worst)
                .and_then(|formats| formats.write());
            all.failures.extend(formats.err());
        }
        if !is_whole {
            all.session = None;
        }
        let stored = StoredSession::new(
            all.exit,
            all.count,
            results.unwrap_or_default(),
            all.session,
        );
        let json = stored.text().map_err(|source| CliError::System {
            doing: "write session.json",
            source,
        })?;
        let path = folder.join(StoredSession::FILE);
        let written = files::replace(&path, json.as_bytes());
        all.failures.extend(
            written
                .err()
                .map(|source| CliError::LateWrite { path, source }),
        );
        match self.json {
            true => text.extend(json.into_bytes()),
            false if !self.quiet => {
                let runs = counted(all.count as u64, "run");
                let mut line = format!(
                    "the summary is of the run that ended worst; {runs} in {}\n",
                    folder.display()
                );
                if !is_whole {
                    let code = all.exit.code();
                    line += &format!("the session was broken off (exit code {code})\n");
                }
                text.extend(line.into_bytes());
            }
            false => {}
        }
        term::print(&text)?;
        all.failures.iter().for_each(term::error);
        let failed = all.failures.iter().map(CliError::exit).max();
        Ok(all.exit.max(failed.unwrap_or(Exit::Passed)))
    }
}

/// The runs of a session so far.
struct Runs {
    count: usize,
    /// The greatest exit code.
    exit: Exit,
    /// The run that ended worst, the first of several.
    worst: Option<Run>,
    session: Option<Session>,
    /// Why they are no session.
    why: Option<String>,
    failures: Vec<CliError>,
}

impl Default for Runs {
    fn default() -> Self {
        Self {
            count: 0,
            exit: Exit::Passed,
            worst: None,
            session: None,
            why: None,
            failures: Vec::new(),
        }
    }
}

impl Runs {
    fn add(&mut self, run: Run, exit: Exit, asked: &[crate::scenario::Subject]) {
        self.count += 1;
        match Session::of([&run], asked) {
            Err(error) => {
                self.why.get_or_insert_with(|| error.to_string());
            }
            Ok(one) => match &mut self.session {
                None => self.session = Some(one),
                Some(session) => {
                    if let Err(error) = session.add(one) {
                        self.why.get_or_insert_with(|| error.to_string());
                    }
                }
            },
        }
        if self.why.is_some() {
            self.session = None;
        }
        let is_worse = self
            .worst
            .as_ref()
            .is_none_or(|worst| run.verdict.exit > worst.verdict.exit);
        self.exit = self.exit.max(exit);
        if is_worse {
            self.worst = Some(run);
        }
    }
}
