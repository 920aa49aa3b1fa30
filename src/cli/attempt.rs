//! One run of a scenario, from its target to its record: what `run`, `run --repeat` and `ab` do once or again.

use std::time::{Duration, SystemTime};

use super::closing;
use super::error::CliError;
use super::input::Loaded;
use super::messages::Messages;
use super::observer::RunObserver;
use super::outputs::{Outputs, Still};
use super::signals::Signals;
use super::start::{self, Started};
use super::term;
use crate::host::{self, Throttled};
use crate::measure::{Summary, Surroundings};
use crate::net;
use crate::plan::{Plan, Share};
use crate::report::{Host, Labels, Options, Parts, Run, Watched};
use crate::scenario::Scenario;
use crate::time;
use crate::units::Timestamp;
use crate::verdict::{Facts, Outcome, Throttling, Verdict, judge};

/// What a run needs besides its scenario.
pub(super) struct Attempt<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) labels: Labels,
    pub(super) seed: u64,
    pub(super) workers: usize,
    pub(super) signals: &'a Signals,
    /// The file of single messages, if it is asked for.
    pub(super) messages: Option<Messages>,
    /// Where its numbers go while it runs.
    pub(super) outputs: Outputs,
    pub(super) quiet: bool,
    pub(super) started_at: SystemTime,
    /// How its reports are closed while it goes on, if they are.
    pub(super) closing: Option<closing::Plan<'a>>,
    /// What is shown where single clients are watched.
    pub(super) watched: Option<Watched>,
}

/// A run that was played, and not written yet.
pub(super) struct Played {
    pub(super) run: Run,
    /// What broke it off.
    pub(super) failure: Option<CliError>,
    /// Whether the file of single messages was written without an error.
    pub(super) messages: Result<(), CliError>,
    /// What shows it still.
    pub(super) still: Still,
    /// How many signals had come when it was over.
    pub(super) heard: u8,
    /// What became of the reports that were closed before this one, if they could be.
    pub(super) closed: Option<closing::Ended>,
    /// All reports together; `None` if there is only one.
    pub(super) whole: Option<Summary>,
}

/// Makes the record of a run, or of one of its reports. Owns all that this needs.
#[derive(Clone)]
pub(super) struct Records {
    pub(super) scenario: Scenario,
    text: String,
    file: Option<String>,
    options: Options,
    host: Host,
}

impl Records {
    pub(super) fn new(loaded: &Loaded, seed: u64, labels: Labels) -> Self {
        Self {
            scenario: loaded.scenario.clone(),
            text: loaded.text.clone(),
            file: loaded.file.clone(),
            options: Options {
                seed,
                overrides: loaded.overrides.clone(),
                labels,
            },
            host: Host::detect(),
        }
    }

    /// The record of what began at this time.
    pub(super) fn run(
        &self,
        started_at: SystemTime,
        facts: Facts,
        summary: Summary,
        verdict: Verdict,
    ) -> Run {
        Run::of(Parts {
            scenario: &self.scenario,
            scenario_text: &self.text,
            scenario_file: self.file.clone(),
            options: self.options.clone(),
            host: self.host.clone(),
            started_at,
            facts,
            summary,
            verdict,
        })
    }
}

/// What must be known of a run in this process besides its numbers, with nothing around it. `before`: how the kernel had
/// throttled it when it began.
pub(super) fn facts(outcome: Outcome, workers: usize, before: Option<Throttled>) -> Facts {
    Facts {
        outcome,
        workers,
        precise_timer: time::PRECISE,
        kernel_view: net::TCP_VIEW,
        cores: host::allowed_cores(),
        throttling: throttling(before),
        surroundings: Surroundings::default(),
        parts: Vec::new(),
    }
}

/// The plan of a run that starts at this time.
pub(super) fn plan(loaded: &Loaded, seed: u64, started_at: SystemTime) -> Plan {
    Plan::new(loaded.scenario.clone(), seed, start::nonce(started_at))
}

impl Attempt<'_> {
    /// Starts the target, runs the load and judges it.
    ///
    /// # Errors
    /// When it cannot begin. What breaks it off later is part of [`Played`].
    pub(super) fn play(self) -> Result<Played, CliError> {
        let Self {
            loaded,
            labels,
            seed,
            workers,
            signals,
            messages,
            outputs,
            quiet,
            started_at,
            closing,
            watched,
        } = self;
        let records = Records::new(loaded, seed, labels);
        let mut plan = plan(loaded, seed, started_at);
        plan.keeps_echoes = messages.is_some();
        plan.tells = watched.is_some();
        let interrupt = signals.interrupts()?;
        let Started {
            target,
            around,
            prepared,
        } = start::start(plan, seed, Share::whole(workers), signals)?;

        let before = host::throttled();
        let view = match watched {
            Some(watched) if !quiet => term::watching(watched),
            _ => term::progress(quiet),
        };
        let observer = RunObserver::new(&loaded.scenario, &around, messages, view);
        let mut observer = observer.sending(outputs);
        if let Some(plan) = closing {
            observer.closes(plan, &records)?;
        }
        let mut finished = prepared
            .run(interrupt, &mut observer)
            .map_err(CliError::Engine)?;
        let heard = signals.count();
        let ended = observer.end();
        let (surroundings, failure) = around.end(finished.origin, &mut finished.summary);
        let failure = finished.failure.map(CliError::Engine).or(failure);
        drop(target);

        let outcome = outcome(failure.as_ref(), finished.interrupted, ended.held);
        let facts = Facts {
            surroundings,
            ..facts(outcome, finished.workers, before)
        };
        let verdict = judge(&loaded.scenario, &finished.summary, &facts);
        let began = Duration::from(finished.began.saturating_since(Timestamp::ORIGIN));
        let mut run = records.run(started_at + began, facts, finished.summary, verdict);
        run.sent_to(ended.outputs);
        Ok(Played {
            run,
            failure,
            messages: ended.messages,
            still: ended.still,
            heard,
            closed: ended.closed,
            whole: finished.whole,
        })
    }
}

fn outcome(failure: Option<&CliError>, interrupted: bool, held: Option<String>) -> Outcome {
    match (failure, interrupted, held) {
        (Some(error), ..) => Outcome::Broken {
            why: format!("failed to {error}"),
        },
        (None, true, _) => Outcome::Interrupted,
        (None, false, Some(gate)) => Outcome::Aborted { gate },
        (None, false, None) => Outcome::Completed,
    }
}

/// The throttling since `before`; `None` if there is no limit.
fn throttling(before: Option<Throttled>) -> Option<Throttling> {
    let Throttled { periods, throttled } = host::throttled()?.since(before?);
    Some(Throttling { periods, throttled })
}
