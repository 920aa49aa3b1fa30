//! `wsbench try`: plays a scenario with one client of each cohort, and prints each frame with what sent or took it.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::time::{Duration, Instant, SystemTime};

use super::around::Around;
use super::error::CliError;
use super::input::{self, Loaded, Named};
use super::signals::Signals;
use super::start::{self, Started};
use super::term;
use crate::engine;
use crate::measure::{By, Fitting, FrameType, Summary, Trace, Traced, Traces};
use crate::metric::{Counter, Side};
use crate::plan::{Plan, Share};
use crate::scenario::{Cohort, Step, Verb};
use crate::units::counted;
use crate::verdict::Exit;

/// The seed of a trial: each one makes the same choices.
const SEED: u64 = 1;
/// The widest column of names.
const MAX_NAME: usize = 24;

/// Play a scenario once with one client of each cohort, and print each frame.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The longest time; it ends sooner, two seconds after the last step
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = parse_longest)]
    longest: Duration,
    #[command(flatten)]
    input: Named,
}

/// Executes the whole command.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let loaded = args.input.load()?;
    let run = run_loaded(args, &loaded);
    run.map_err(|error| error.masked(&loaded.scenario.secrets))
}

fn run_loaded(args: &Args, loaded: &Loaded) -> Result<Exit, CliError> {
    let scenario = loaded.scenario.clone().trial(args.longest);
    let mut plan = Plan::new(scenario, SEED, start::nonce(SystemTime::now()));
    plan.traces = true;
    start::get_rights(&plan, Share::whole(1))?;
    let (signals, interrupt) = Signals::listen()?;
    let Started {
        target,
        around,
        prepared,
    } = start::start(plan, SEED, Share::whole(1), &signals)?;
    let mut printer = Printer::new(&loaded.scenario.cohorts, &around);
    let finished = prepared.run(interrupt, &mut printer);
    let mut finished = finished.map_err(CliError::Engine)?;
    let Printer {
        cohorts, written, ..
    } = printer;
    let (_, failure) = around.end(finished.origin, &mut finished.summary);
    drop(target);
    written?;
    if let Some(failure) = finished.failure.map(CliError::Engine).or(failure) {
        return Err(failure);
    }
    let (mut out, mut is_as_expected) = (String::from("\n"), true);
    for cohort in &cohorts {
        let findings = cohort.findings(&finished.summary);
        is_as_expected &= findings.iter().all(|finding| !finding.fails);
        let words = match findings.is_empty() {
            true => "all was said, and answered as expected".to_owned(),
            false => {
                let words = findings.into_iter().map(|finding| finding.words);
                Vec::from_iter(words).join("; ")
            }
        };
        let _ = writeln!(out, "{}: {words}", cohort.name());
    }
    term::print(out.as_bytes())?;
    Ok(match (finished.interrupted, is_as_expected) {
        (true, _) => Exit::Interrupted,
        (false, true) => Exit::Passed,
        (false, false) => Exit::Unexpected,
    })
}

/// Prints what happens on the connections.
struct Printer<'a, 's> {
    around: &'a Around,
    cohorts: Vec<Seen<'s>>,
    /// The widths of the names of cohorts, and of what sends or takes a frame.
    widths: (usize, usize),
    written: Result<(), CliError>,
}

/// A cohort, and what was seen of it.
struct Seen<'a> {
    cohort: &'a Cohort,
    /// How each slot is called, and whether one of its frames was seen.
    slots: Vec<(String, bool)>,
}

/// Something that is to be said of a cohort.
struct Finding {
    words: String,
    /// Whether it is not as it should be.
    fails: bool,
}

impl<'a, 's> Printer<'a, 's> {
    fn new(cohorts: &'s [Cohort], around: &'a Around) -> Self {
        let cohorts: Vec<Seen<'s>> = cohorts.iter().map(Seen::new).collect();
        let widest = |names: &mut dyn Iterator<Item = &str>| {
            let widths = names.map(|name| name.chars().count());
            widths.max().unwrap_or(0).min(MAX_NAME)
        };
        let fixed = ["unsolicited", "heartbeat"].into_iter();
        let slots = cohorts.iter().flat_map(|seen| &seen.slots);
        let slots = slots.map(|(name, _)| name.as_str());
        let widths = (
            widest(&mut cohorts.iter().map(Seen::name)),
            widest(&mut slots.chain(fixed)),
        );
        Self {
            widths,
            around,
            cohorts,
            written: Ok(()),
        }
    }

    /// Adds the line of what happened.
    fn line(&mut self, trace: &Trace, out: &mut String) {
        let seen = &mut self.cohorts[trace.cohort];
        let (width, names) = self.widths;
        let seconds = trace.at.as_secs_f64();
        let _ = write!(out, "{seconds:>8.3} s  {:<width$}  ", seen.name());
        let _ = match &trace.what {
            Traced::Connected => writeln!(out, "opened"),
            Traced::Opened { subprotocol: None } => writeln!(out, "opened: 101"),
            Traced::Opened {
                subprotocol: Some(chosen),
            } => writeln!(out, "opened: 101, subprotocol `{chosen}`"),
            Traced::Ended(why) => writeln!(out, "ended: {why}"),
            Traced::Frame {
                from,
                kind,
                by,
                fit,
                text,
            } => {
                let way = match from {
                    Side::Local => '>',
                    Side::Peer => '<',
                };
                let name = seen.frame(*from, *kind, *by);
                let fit = match fit {
                    Fitting::Wrong if *by != By::Nothing => "wrong: ",
                    Fitting::Late => "too late: ",
                    Fitting::Twice => "once more: ",
                    Fitting::Right | Fitting::Wrong => "",
                };
                let kind = match kind {
                    FrameType::Binary => "binary ",
                    _ => "",
                };
                let line = format!("{way} {name:<names$}  {fit}{kind}{text}");
                writeln!(out, "{}", line.trim_end())
            }
        };
    }
}

impl engine::Observer for Printer<'_, '_> {
    fn measuring(&mut self, from: Instant) {
        self.around.measuring(from);
    }

    fn traces(&mut self, traces: Traces) {
        let mut out = String::new();
        for trace in &traces.rows {
            self.line(trace, &mut out);
        }
        if traces.more > 0 {
            let more = counted(traces.more, "frame");
            let _ = writeln!(out, "… and {more} more in this second");
        }
        if self.written.is_ok() {
            self.written = term::print(out.as_bytes());
        }
    }

    fn second(&mut self, _: &engine::Second<'_>) -> ControlFlow<()> {
        match self.written.is_err() || self.around.has_failed() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

impl<'a> Seen<'a> {
    fn new(cohort: &'a Cohort) -> Self {
        let mut names: Vec<String> = Vec::new();
        names.extend(cohort.messages.iter().map(|message| message.name.clone()));
        add_names(&mut names, "setup ", &cohort.setup);
        add_names(&mut names, "step ", &cohort.steps);
        // What a trial adds to the steps.
        names.extend([String::new(), String::new()]);
        names.extend(cohort.on.iter().map(|on| on.name.clone()));
        Self {
            cohort,
            slots: names.into_iter().map(|name| (name, false)).collect(),
        }
    }

    fn name(&self) -> &str {
        &self.cohort.name
    }

    /// Notes that a frame was seen. Returns the name of what sent or took it.
    fn frame(&mut self, from: Side, kind: FrameType, by: By) -> String {
        match (by, kind) {
            (By::Slot(slot), _) => match self.slots.get_mut(slot) {
                Some((name, is_seen)) => {
                    *is_seen = true;
                    name.clone()
                }
                None => String::new(),
            },
            (By::Topic, _) => "delivery".to_owned(),
            (By::Heartbeat, FrameType::Text | FrameType::Binary) => "heartbeat".to_owned(),
            (By::Nothing, FrameType::Text | FrameType::Binary) => match from {
                Side::Peer => "unsolicited".to_owned(),
                Side::Local => String::new(),
            },
            (_, kind) => kind.to_string(),
        }
    }

    /// What is to be said of this cohort.
    fn findings(&self, summary: &Summary) -> Vec<Finding> {
        let count = |counter: Counter| {
            let mut rows = summary.totals.iter();
            let of = |row: &&_| is_of(row, counter, self.name());
            Summary::sum(rows.by_ref().filter(of))
        };
        let is_healthy = self.cohort.faults.is_empty();
        let counts = SAID.iter().filter_map(|(counter, noun, what, fails)| {
            let words = match count(*counter) {
                0 => return None,
                more => format!("{} {what}", counted(more, noun)),
            };
            // A fault begins when its client is ready, and excuses nothing before.
            let is_before = matches!(
                counter,
                Counter::ConnectionsFailed | Counter::SetupFailed | Counter::SetupAbandoned
            );
            let fails = *fails && (is_healthy || is_before);
            Some(Finding { words, fails })
        });
        let silent = self.silent();
        let silent = (!silent.is_empty()).then(|| Finding {
            words: format!("never sent or met: {}", silent.join(", ")),
            fails: is_healthy,
        });
        silent.into_iter().chain(counts).collect()
    }

    /// The messages and steps of which no frame was seen, without those that are left to chance.
    fn silent(&self) -> Vec<String> {
        let steps = self.cohort.each_step();
        let (messages, slots) = self.slots.split_at(self.cohort.messages.len());
        let speaks =
            |step: &Step| matches!(step.verb, Verb::Http(_) | Verb::Send(_) | Verb::Await(_));
        let steps = (slots.iter().zip(steps))
            .filter(|(_, step)| speaks(step) && step.chance >= 1.0)
            .map(|(slot, _)| slot);
        let silent = messages.iter().chain(steps).filter(|(_, is_seen)| !is_seen);
        silent.map(|(name, _)| format!("`{name}`")).collect()
    }
}

/// What is said of a cohort: a counter of the whole run, its noun and its words, and whether it is not as it should be.
const SAID: &[(Counter, &str, &str, bool)] = &[
    (Counter::ConnectionsFailed, "dial", "failed", true),
    (
        Counter::ConnectionsAbandoned,
        "dial",
        "not done in time",
        true,
    ),
    (
        Counter::ConnectionsLost,
        "connection",
        "ended before its time",
        true,
    ),
    (Counter::SetupFailed, "set-up", "failed", true),
    (Counter::SetupAbandoned, "set-up", "not done in time", true),
    (
        Counter::MessagesMismatched,
        "answer",
        "not as expected",
        true,
    ),
    (
        Counter::MessagesTimedOut,
        "message",
        "not answered in time",
        true,
    ),
    (
        Counter::MessagesNotSent,
        "message",
        "not sent in time",
        true,
    ),
    (Counter::MessagesLate, "answer", "too late", true),
    (
        Counter::MessagesDuplicated,
        "answer",
        "came once more",
        true,
    ),
    (
        Counter::MessagesUnsolicited,
        "message",
        "taken by nothing",
        true,
    ),
    (
        Counter::AwaitsWrong,
        "awaited message",
        "not as expected",
        true,
    ),
    (
        Counter::AwaitsTimedOut,
        "wait",
        "for which nothing came in time",
        true,
    ),
    (Counter::PushesWrong, "push", "not as expected", true),
    (Counter::PingsMissed, "ping", "without a pong in time", true),
    (
        Counter::MessagesLost,
        "message",
        "unanswered when the connection ended",
        false,
    ),
    (
        Counter::MessagesRetyped,
        "message",
        "came in the other kind of frame",
        false,
    ),
];

fn is_of(row: &crate::measure::Metric, counter: Counter, cohort: &str) -> bool {
    row.name == counter.name() && row.cohort.as_deref() == Some(cohort)
}

/// Adds how each step is called, each before those inside of it: by its name, or by its place.
fn add_names(names: &mut Vec<String>, before: &str, steps: &[Step]) {
    for (place, step) in steps.iter().enumerate() {
        let place = format!("{before}{}", place + 1);
        names.push(step.name.clone().unwrap_or_else(|| place.clone()));
        add_names(names, &format!("{place}."), step.inside());
    }
}

/// The longest trial: one hour.
const MAX_LONGEST: Duration = Duration::from_secs(3600);

fn parse_longest(text: &str) -> Result<Duration, String> {
    input::time_up_to(text, MAX_LONGEST)
}
