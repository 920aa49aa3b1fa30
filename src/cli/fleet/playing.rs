//! An agent's share of one run: prepared at the offer, played from the start that all know, handed in as it is recorded.

use std::time::{Duration, Instant};

use tracing::info;

use super::keep::{Keep, Kept};
use crate::cli::error::CliError;
use crate::cli::input::Loaded;
use crate::cli::observer::RunObserver;
use crate::cli::part::{Recorded, Recording, again, of_one_machine, run_number};
use crate::cli::signals::Signals;
use crate::cli::start::{self, Started};
use crate::cli::term;
use crate::cluster::RunId;
use crate::engine::{self, Limits};
use crate::fleet::{Agent, Handing, Joined, Offer, Pattern, Waited, check_allowed, origin_of};
use crate::measure::{Layout, Sample, Shard};
use crate::plan::{Budget, Plan, Share};
use crate::record::{Head, Machine, PartOf};
use crate::scenario::{Process, Scenario};
use crate::units::{Timestamp, human_ns};
use crate::verdict::Exit;

/// How late a share may begin. One that is later would have to catch up with a good part of its plan.
const LATEST: Duration = Duration::from_millis(500);
/// How long an agent tries to hand in what is left when its load has ended.
const HAND_IN: Duration = Duration::from_secs(120);
/// The longest that the answer to the preparations may take.
const ANSWER: Duration = Duration::from_secs(30);
/// The longest that an agent waits for a start, whatever a coordinator says.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What an agent plays with.
pub(super) struct Play<'a> {
    pub(super) agent: &'a Agent,
    pub(super) machine: Machine,
    pub(super) allowed: &'a [Pattern],
    pub(super) keep: Keep,
    pub(super) signals: &'a Signals,
    pub(super) quiet: bool,
}

/// A share that can be played as far as is known at the offer.
pub(super) struct Prepared<'a> {
    play: &'a Play<'a>,
    offer: &'a Offer,
    run: RunId,
    loaded: Loaded,
}

/// How far a share was played.
pub(super) enum Played {
    /// To its end, with this exit code of the agent.
    ToItsEnd(Exit),
    /// Not at all, for this reason.
    NotBegun(String),
}

impl<'a> Play<'a> {
    /// Reads the scenario of an offer, and checks all that can be told by now.
    ///
    /// # Errors
    /// Why it is refused, which fits behind the name of the agent.
    pub(super) fn prepared(&'a self, offer: &'a Offer) -> Result<Prepared<'a>, String> {
        let own = env!("CARGO_PKG_VERSION");
        let recipe = &offer.recipe;
        if recipe.wsbench != own {
            let theirs = crate::units::visible(&recipe.wsbench);
            return Err(format!(
                "it is wsbench {own}, and the run is one of wsbench {theirs}"
            ));
        }
        let run = offer
            .run
            .parse::<RunId>()
            .map_err(|error| error.to_string())?;
        let env = |name: &str| std::env::var(name).ok();
        let mut loaded = again(recipe, &env).map_err(|error| why(&error))?;
        let scenario = &mut loaded.scenario;
        if let Some(refused) = of_one_machine(scenario) {
            return Err(format!("it cannot play {}", refused.what));
        }
        check_allowed(scenario, self.allowed).map_err(|not| not.to_string())?;
        only_ours(scenario);
        Ok(Prepared {
            play: self,
            offer,
            run,
            loaded,
        })
    }
}

/// Leaves to the coordinator what only it can know or do: the target's process and what happens to it, and whether a gate
/// ends the run.
fn only_ours(scenario: &mut Scenario) {
    scenario.target.process = Process::Unknown;
    scenario.target.faults.clear();
    scenario.gates.abort.clear();
}

impl Prepared<'_> {
    /// Plays the share.
    ///
    /// # Errors
    /// When something keeps it from being played to its end.
    pub(super) fn play(self) -> Result<Played, CliError> {
        let Self {
            play,
            offer,
            run,
            loaded,
        } = self;
        let signals = play.signals;
        let leaves = || signals.heard();
        let patience = Duration::from_millis(offer.patience_ms).min(LONGEST);
        let until = Instant::now() + patience;
        let mut joined = Joined::join(play.agent, run.clone());
        let not_begun = |waited: Waited| {
            Ok(Played::NotBegun(match waited {
                Waited::GivenUp(why) => why,
                Waited::TooLate => "its coordinator named no start in time".to_owned(),
                Waited::Left => "it was left".to_owned(),
            }))
        };
        let assigned = match joined.plan(until, &leaves) {
            Ok(assigned) => assigned,
            Err(waited) => return not_begun(waited),
        };
        let own = play.agent.id().to_string();
        let mut seats = (1..).zip(&assigned.seats);
        let Some((number, seat)) = seats.find(|(_, seat)| seat.agent == own) else {
            return Ok(Played::NotBegun("others play it".to_owned()));
        };
        let share = Share::range(
            seat.first as usize,
            play.machine.workers as usize,
            assigned.workers as usize,
        );
        joined.lives(number);
        if !play.quiet {
            let agents = assigned.seats.len();
            term::note(format!("run {run}: plays share {number} of {agents}"));
        }
        let number_of_run = run_number(&offer.recipe, &offer.run);
        let plan = Plan::new(loaded.scenario.clone(), offer.recipe.seed, number_of_run);
        let layout = plan.layout();
        let secrets = &loaded.scenario.secrets;
        // Who leads has to know why, and not only that nothing comes.
        let refuse = |joined: &Joined, error: &CliError| {
            let why = secrets.mask(&why(error)).into_owned();
            joined.ready(number, Some(why), Instant::now() + ANSWER)
        };
        let ready = prepare(plan, offer.recipe.seed, share, signals);
        let ready = ready.and_then(|ready| Ok((ready, play.keep.file(&run, number)?)));
        let (started, kept) = match ready {
            Ok(ready) => {
                joined.ready(number, None, Instant::now() + ANSWER)?;
                ready
            }
            Err(error) => {
                refuse(&joined, &error)?;
                return Ok(Played::NotBegun(format!("failed to {error}")));
            }
        };
        let start = match joined.start(until, &leaves) {
            Ok(start) => start,
            Err(waited) => return not_begun(waited),
        };
        let named = origin_of(&start, number).and_then(|named| play.agent.instant(named.at_ns));
        let Some(named) = named else {
            let why = "the start names no time of this machine".to_owned();
            let said = Some(format!("it cannot begin: {why}"));
            joined.ready(number, said, Instant::now() + ANSWER)?;
            return Ok(Played::NotBegun(why));
        };
        std::thread::sleep(named.saturating_duration_since(Instant::now()).min(LONGEST));
        let late = named.elapsed();
        if late > LATEST {
            let late = human_ns(late.as_nanos() as u64);
            let why = format!("it came {late} too late to the start");
            joined.ready(number, Some(why.clone()), Instant::now() + ANSWER)?;
            return Ok(Played::NotBegun(why));
        }
        info!(late_ns = late.as_nanos() as u64, "the share begins");

        let head = Head {
            part: PartOf {
                number,
                parts: assigned.seats.len() as u32,
            },
            start_ns: start.wall_ns,
            recipe: offer.recipe.clone(),
            machine: play.machine.clone(),
            name: Some(seat.name.clone()),
        };
        let grace = Duration::from_millis(assigned.orphan_grace_ms);
        joined.ends_alone(grace, named);
        let begun = Begun {
            play,
            joined: &joined,
            scenario: &loaded.scenario,
            number,
            named,
            late,
        };
        let played = begun.play(started, kept, &head, layout);
        if let Err(error) = &played
            && is_untold(error)
        {
            // The error itself is what the agent ends with, whoever hears of it.
            let _ = refuse(&joined, error);
        }
        let exit = played?;
        if joined.silence() > grace && !play.quiet {
            let silence = human_ns(grace.as_nanos() as u64);
            term::note(format!(
                "run {run}: ended its load, for nothing was heard of its coordinator for {silence}; `wsbench attach {run}` makes the report"
            ));
        }
        Ok(Played::ToItsEnd(exit))
    }
}

/// A share from its first dial on.
struct Begun<'a> {
    play: &'a Play<'a>,
    joined: &'a Joined,
    scenario: &'a Scenario,
    number: u32,
    /// The first dial, and how late this machine came to it.
    named: Instant,
    late: Duration,
}

impl Begun<'_> {
    /// Plays it to its end, and hands in what it saw.
    fn play(
        &self,
        started: Started,
        mut kept: Kept,
        head: &Head,
        layout: Layout,
    ) -> Result<Exit, CliError> {
        let Self { joined, number, .. } = *self;
        let Started {
            target: _target,
            around,
            prepared,
        } = started;
        let path = kept.path().to_owned();
        let inner = RunObserver::new(
            self.scenario,
            &around,
            None,
            term::progress(self.play.quiet),
        );
        let recording = (kept.written())
            .and_then(|file| Recording::begin(file, head, layout, inner))
            .map_err(|source| CliError::write(&path, source))?;
        let mut share = Sharing {
            handing: joined.hand_in(number, path.clone()),
            recording,
            joined,
            number,
        };
        let interrupt = self.play.signals.interrupts()?;
        let finished = prepared
            .led_from(self.named, joined.orders())
            .run(interrupt, &mut share);
        let mut finished = finished.map_err(CliError::Engine)?;
        let Sharing {
            handing, recording, ..
        } = share;
        let bytes = recording.written();
        let seconds = recording.over();
        let secrets = &self.scenario.secrets;
        let Recorded { broken, written } =
            seconds.end(&mut finished, around, self.late, secrets, &path);
        written?;
        let bytes = std::fs::metadata(&path).map_or(bytes, |metadata| metadata.len());
        // A second signal ends the process itself.
        match handing.finish(bytes, Instant::now() + HAND_IN, &|| false) {
            Ok(()) => kept.handed_in(),
            Err(why) => return Err(CliError::NotHandedIn { path, why }),
        }
        if let Some(broken) = broken {
            return Err(broken);
        }
        if let Some(error) = joined.refused() {
            return Err(CliError::Broker(error));
        }
        Ok(match self.play.signals.heard() {
            true => Exit::Interrupted,
            false => Exit::Passed,
        })
    }
}

/// Whether it is of use to tell the coordinator: it is not what keeps the agent from telling anything.
fn is_untold(error: &CliError) -> bool {
    !matches!(
        error,
        CliError::NotHandedIn { .. } | CliError::Broker(_) | CliError::Fleet(_)
    )
}

/// Why an agent refuses, to stand behind its name.
fn why(error: &CliError) -> String {
    match error {
        // Its text is complete.
        CliError::Problems(problems) => {
            let text = problems.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            format!("it cannot read the scenario: {text}")
        }
        other => format!("it failed to {other}"),
    }
}

/// Does what can fail before the first dial.
fn prepare(plan: Plan, seed: u64, share: Share, signals: &Signals) -> Result<Started, CliError> {
    Limits::of_this_machine().check_process(&Budget::of_share(&plan.scenario, share))?;
    start::start(plan, seed, share, signals)
}

/// Records each second, and has it handed in.
struct Sharing<'a> {
    recording: Recording<'a>,
    handing: Handing,
    joined: &'a Joined,
    number: u32,
}

impl engine::Observer for Sharing<'_> {
    fn measuring(&mut self, from: Instant) {
        self.recording.measuring(from);
    }

    fn settled(&mut self, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.joined.settled(self.number, at);
        }
    }

    fn shard(&mut self, shard: &Shard, sample: &Sample, measured_from: Option<Timestamp>) {
        self.recording.shard(shard, sample, measured_from);
        self.handing.wrote(self.recording.written());
    }

    fn second(&mut self, second: &engine::Second<'_>) -> std::ops::ControlFlow<()> {
        self.recording.second(second)
    }
}
