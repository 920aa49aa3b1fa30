//! `[[setup]]` and `[[step]]`: what a client does in its turn, before it is ready and after.

use std::time::Duration;

use super::expect::Expect;
use super::http::Http;
use super::matching::Match;
use super::message::{FrameKind, Gaps, Phase};
use super::payload::Payload;
use super::save::Save;
use super::topic::{To, Topic};
use crate::units::Rate;

/// One thing that a client does in its turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Names its metrics, as in `latency.<name>`; `None` where nothing of it is timed. Unique in its cohort.
    pub name: Option<String>,
    /// What is done.
    pub verb: Verb,
    /// The probability with which it is played, above 0; from the seed.
    pub chance: f64,
    /// What follows a wrong answer, a timeout or a `save` that found nothing.
    pub on_fail: OnFail,
}

impl Step {
    /// The steps inside of it; empty for all but a repeat.
    pub fn inside(&self) -> &[Self] {
        match &self.verb {
            Verb::Repeat(repeat) => &repeat.steps,
            _ => &[],
        }
    }

    /// Whether it sends something and waits for the answer.
    pub fn expects_answer(&self) -> bool {
        match &self.verb {
            Verb::Send(send) => send.expects_answer(),
            Verb::Http(_) => true,
            _ => false,
        }
    }

    /// The topics that a connection is in when it is done.
    pub fn joins(&self) -> &[Topic] {
        match &self.verb {
            Verb::Send(send) => &send.joins,
            Verb::Await(wait) => &wait.joins,
            _ => &[],
        }
    }

    /// The topics that a connection is no longer in when it is sent.
    pub fn leaves(&self) -> &[Topic] {
        match &self.verb {
            Verb::Send(send) => &send.leaves,
            _ => &[],
        }
    }

    /// The longest time that it takes if it does not fail: answers that come at their last moment, the longest pauses.
    pub fn longest(&self) -> Duration {
        match &self.verb {
            Verb::Send(send) if send.expects_answer() => send.timeout,
            Verb::Http(http) => http.timeout,
            Verb::Await(wait) => wait.timeout,
            Verb::Pause(Pause::Constant(time) | Pause::Even(_, time)) => *time,
            Verb::Pause(Pause::Exponential(mean)) => mean.saturating_mul(Pause::LONGEST),
            Verb::Repeat(repeat) => {
                let gap = repeat.pace.map_or(Duration::ZERO, |pace| {
                    Duration::from_nanos(pace.rate.gap_ns() as u64)
                });
                let turn = longest(&repeat.steps).max(gap);
                let turns = repeat.count.map(|count| turn.saturating_mul(count));
                let timed = repeat.lasts.map(|lasts| lasts.saturating_add(turn));
                turns
                    .into_iter()
                    .chain(timed)
                    .min()
                    .unwrap_or(Duration::MAX)
            }
            Verb::Reconnect { after } => *after,
            Verb::Send(_) | Verb::WaitForMeasuring | Verb::Close { .. } => Duration::ZERO,
        }
    }

    /// How many times of it and of the steps inside of it have a name.
    pub fn timed(&self) -> u64 {
        let inside: u64 = self.inside().iter().map(Self::timed).sum();
        inside + u64::from(self.name.is_some())
    }
}

/// All of these steps and those inside of them, each before those inside of it.
pub(in crate::scenario) fn each<'a>(
    steps: impl DoubleEndedIterator<Item = &'a Step>,
) -> impl Iterator<Item = &'a Step> {
    let mut rest: Vec<&Step> = steps.rev().collect();
    std::iter::from_fn(move || {
        let step = rest.pop()?;
        rest.extend(step.inside().iter().rev());
        Some(step)
    })
}

/// The longest time that these take, one after the other: see [`Step::longest`].
pub(super) fn longest(steps: &[Step]) -> Duration {
    let each = steps.iter().map(Step::longest);
    each.fold(Duration::ZERO, Duration::saturating_add)
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Verb {
    /// Asks a server by HTTP, and waits for its answer.
    Http(Http),
    /// Sends a message, and waits for its answer.
    Send(Send),
    /// Waits for a message that no send asked for.
    Await(Await),
    /// Does nothing for so long.
    Pause(Pause),
    /// Plays steps in turns.
    Repeat(Repeat),
    /// Waits until the measured window begins.
    WaitForMeasuring,
    /// Sends a Close frame: a planned end.
    Close {
        /// RFC 6455 section 7.4: 1000, or 3000 to 4999.
        code: u16,
        /// At most 123 bytes.
        reason: String,
    },
    /// Closes the connection and dials again after this time.
    Reconnect {
        /// From the end of the connection to the next dial.
        after: Duration,
    },
}

/// A message that is sent once, in its turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Send {
    /// The payload.
    pub payload: Payload,
    /// The opcode: text or binary.
    pub frame: FrameKind,
    /// Whose answer is waited for; never `Expect::Echo` without a stamp where placeholders differ.
    pub expect: Expect,
    /// What the answer must be like to be right.
    pub check: Option<Match>,
    /// What is kept of the answer.
    pub save: Vec<Save>,
    /// The longest time from the send to the answer, and from when it was due to a delivery. Above zero.
    pub timeout: Duration,
    /// Who should hear it; then its payload has a stamp.
    pub to: Option<To>,
    /// The topics that a connection is in when the answer has come, if it is right; when it is sent, if there is none.
    pub joins: Vec<Topic>,
    /// The topics that a connection is no longer in when it is sent.
    pub leaves: Vec<Topic>,
}

/// A wait for messages that no send asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Await {
    /// It takes a message that one of these matches. At least one.
    pub any: Vec<Match>,
    /// How many messages it takes. Above zero.
    pub times: u32,
    /// What each of them must be like to be right.
    pub check: Option<Match>,
    /// What is kept of the last one.
    pub save: Vec<Save>,
    /// The longest time from its turn to the last of the messages. Above zero.
    pub timeout: Duration,
    /// The topics that a connection is in when the last of the messages has come.
    pub joins: Vec<Topic>,
}

/// How long a pause lasts; chance comes from the seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pause {
    /// Always so long.
    Constant(Duration),
    /// Evenly between these, the shorter first.
    Even(Duration, Duration),
    /// Exponential, with this mean; at most [`Pause::LONGEST`] times as long.
    Exponential(Duration),
}

impl Pause {
    /// How many times its mean an exponential pause lasts at most.
    pub const LONGEST: u32 = 20;
}

/// Steps that are played in turns.
#[derive(Debug, Clone, PartialEq)]
pub struct Repeat {
    /// At least one; nested at most 3 deep in all.
    pub steps: Vec<Step>,
    /// How many turns. Above zero.
    pub count: Option<u32>,
    /// No turn begins after so long. Above zero.
    pub lasts: Option<Duration>,
    /// When turns are due, whether the server keeps up or not; `None`: each begins when the one before it has ended.
    pub pace: Option<TurnPace>,
}

/// A schedule of turns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TurnPace {
    /// The rate of each connection.
    pub rate: Rate,
    /// How the gaps vary.
    pub gaps: Gaps,
    /// The offset of a connection's first turn within the gap.
    pub phase: Phase,
}

crate::scenario::reading::words! {
    /// What follows a step that failed.
    pub enum OnFail {
        /// The connection is closed.
        Close,
        /// The rest of this turn is left out; outside of a repeat the steps are over.
        Skip,
        /// The next step follows.
        GoOn,
        /// The connection is closed and dialled again.
        Reconnect,
    }
}
