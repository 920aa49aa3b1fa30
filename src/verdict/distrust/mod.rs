//! Reasons not to trust a verdict (exit code 4), and which gates each concerns.

mod words;

use super::answers::{Asked, Idle};
use super::facts::Throttling;
use super::failures::Failures;
use super::presence::Openings;
use super::seen::Seen;
use super::unnamed::Unnamed;

pub(super) use words::CLOSER;

/// If more than this part of the messages due was never sent, the load was no open model.
pub(super) const NOT_SENT_LIMIT: f64 = 0.001;

/// A reason not to trust a verdict, and the gates and promises that it concerns.
#[derive(Debug, Clone, PartialEq)]
pub struct Doubt {
    /// What was seen.
    pub reason: Distrust,
    /// The gates and promises that have no verdict because of it: gates as written, promises as `closed of main`.
    pub concerns: Concerns,
}

/// What a doubt concerns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Concerns {
    /// The whole run.
    Everything,
    /// These gates and promises; never empty.
    Only(Vec<String>),
}

impl Doubt {
    /// Whether this gate or promise has no verdict because of this doubt.
    pub fn is_about(&self, judged: &str) -> bool {
        match &self.concerns {
            Concerns::Everything => true,
            Concerns::Only(these) => these.iter().any(|one| one == judged),
        }
    }
}

/// A reason not to trust a verdict.
#[derive(Debug, Clone, PartialEq)]
pub enum Distrust {
    /// No connection opened.
    NoConnection {
        /// How many connections were to be opened.
        planned: u64,
        /// Why they did not open.
        failures: Failures,
    },
    /// No connection of some cohorts came through their proxies, so nothing is known of their servers.
    NoTunnel {
        /// The names of the cohorts. Never empty.
        cohorts: Vec<String>,
        /// What the proxies said.
        failures: Failures,
    },
    /// No expected answer was received.
    NoAnswer {
        /// How many were sent, or begun.
        sent: u64,
        /// What `sent` counts.
        asked: Asked,
        /// The cohort that was asked; `None`: all healthy cohorts together.
        cohort: Option<String>,
        /// What the server did to these cohorts instead.
        seen: Seen,
    },
    /// A gate on what steps do held, but they did nothing in the measured time.
    NoStep {
        /// What they did not do.
        kind: Idle,
        /// The cohorts of which that is so.
        cohorts: Vec<String>,
    },
    /// A gate or promise held, but most of the planned connections never opened, or were never ready.
    NeverOpened {
        /// The connections of the cohorts of which that is so.
        openings: Openings,
        /// Why the others did not open, or were not ready.
        failures: Failures,
    },
    /// A gate held, but most of the connections that it covers ended too early; where clients reconnect, most of their
    /// load was missing.
    ConnectionsLost {
        /// Connections that ended too early.
        lost: u64,
        /// Connections that a failed step closed for good.
        closed: u64,
        /// Connections that opened.
        opened: u64,
        /// Of clients that reconnect: messages that were due without a connection, or were lost with one.
        missed: u64,
        /// Of clients that reconnect: messages that were due.
        due: u64,
        /// Whether a gate makes such an end a failure already.
        gated: bool,
        /// What the server did.
        seen: Seen,
    },
    /// The schedule was not kept: too many messages were never sent.
    NotSent {
        /// Messages not sent.
        not_sent: u64,
        /// Messages due.
        due: u64,
    },
    /// A latency limit was broken, but it held when counted from the actual send.
    SendsLate {
        /// The 99th percentile of how late sends were, in nanoseconds; `None` where there were too few for it.
        p99_ns: Option<u64>,
        /// The longest lateness of a send, in nanoseconds.
        max_ns: u64,
    },
    /// Workers were woken so late that this may be the cause of a failure.
    WorkersLate {
        /// The longest lag, in nanoseconds.
        longest_ns: u64,
        /// The 99.9th percentile of how late wake-ups were, in nanoseconds.
        p99_9_ns: u64,
        /// The part of the time that was lost to lags.
        share: f64,
    },
    /// The kernel throttled wsbench, and this may be the cause of a failure.
    Throttled(Throttling),
    /// The generator used up its processor time, and this may be the cause of a failure.
    GeneratorBusy {
        /// The average that it used, in percent of one core.
        mean: f64,
        /// The most that it may use, in percent of one core.
        of: f64,
    },
    /// `pong_within` was broken only because pings were sent late.
    PingsLate {
        /// The cohort with the promise.
        cohort: String,
        /// The 99th percentile from when a ping was due to its pong, in nanoseconds.
        from_due_ns: u64,
        /// The 99th percentile from when a ping was sent to its pong, in nanoseconds.
        from_sent_ns: u64,
    },
    /// Answers that do not say what they answer may have been matched with another message or ping, and this may have
    /// changed the result.
    AnswersShifted(Unnamed),
    /// The relay of the path refused connections because it had no free descriptor, not because of a fault.
    RelayRefused {
        /// Connections that it reset.
        refused: u64,
        /// Connections that it accepted.
        connections: u64,
    },
    /// Measuring began before all connections of a process were open: it could not ask the others to wait.
    NotSettled {
        /// When the last of them was open or had failed, in nanoseconds; `None` if that never was.
        settled_ns: Option<u64>,
        /// When measuring began, in nanoseconds.
        measured_ns: u64,
    },
    /// A process heard of the measured time when it had begun: what it sent until then was not counted as measured, and
    /// what was answered was.
    ToldLate {
        /// How late it heard of it, in nanoseconds.
        late_ns: u64,
    },
    /// Times from one machine to another may be wrong by this, which may have changed the result.
    ClocksApart {
        /// The most that they may be wrong by, in nanoseconds; `None` if that is not known.
        error_ns: Option<u64>,
    },
    /// A process was lost, and the others ended their load because of it.
    Lost {
        /// When it was last heard of, in nanoseconds.
        at_ns: u64,
        /// What is known of it.
        why: String,
    },
    /// A reason that concerns one process of a run in parts.
    OfPart {
        /// The number of the part, from 1.
        part: u32,
        /// What it is called, if it has a name besides its number.
        name: Option<String>,
        /// The reason.
        reason: Box<Self>,
    },
    /// Every contract held, but not all connections that it covers were judged.
    NotJudged {
        /// Connections that were judged.
        kept: u64,
        /// Connections that were not kept, because the memory for records is bounded.
        more: u64,
    },
}

impl Distrust {
    /// The number of the part that it concerns, if it is about one.
    pub fn part(&self) -> Option<u32> {
        match self {
            Self::OfPart { part, .. } => Some(*part),
            _ => None,
        }
    }

    /// The stable name, as in `run.json`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoConnection { .. } => "no_connection",
            Self::NoTunnel { .. } => "no_tunnel",
            Self::NoAnswer { .. } => "no_answer",
            Self::NoStep { .. } => "no_step",
            Self::ConnectionsLost { .. } => "connections_lost",
            Self::NotSent { .. } => "not_sent",
            Self::NeverOpened { .. } => "never_opened",
            Self::Throttled(_) => "throttled",
            Self::GeneratorBusy { .. } => "generator_busy",
            Self::SendsLate { .. } => "sends_late",
            Self::WorkersLate { .. } => "workers_late",
            Self::PingsLate { .. } => "pings_late",
            Self::AnswersShifted(_) => "answers_shifted",
            Self::RelayRefused { .. } => "relay_refused",
            Self::NotJudged { .. } => "not_judged",
            Self::NotSettled { .. } => "not_settled",
            Self::ToldLate { .. } => "told_late",
            Self::ClocksApart { .. } => "clocks_apart",
            Self::Lost { .. } => "part_lost",
            Self::OfPart { reason, .. } => reason.kind(),
        }
    }
}
