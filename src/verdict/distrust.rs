//! Reasons not to trust any verdict on this run (exit code 4).
//! Each says what was seen, and what to do about it.

use std::fmt;

use super::failures::Failures;
use crate::units::{human_count, human_ns};

/// More than this part of the messages due not sent, and an open model is none.
pub(super) const NOT_SENT_LIMIT: f64 = 0.001;

/// A reason not to trust any verdict on this run.
#[derive(Debug, Clone, PartialEq)]
pub enum Distrust {
    /// Nobody got in.
    NoConnection {
        /// How many connections were to be opened.
        planned: u64,
        /// Why they were not.
        failures: Failures,
    },
    /// Nothing came back.
    NoAnswer {
        /// Messages and pings that were sent.
        sent: u64,
    },
    /// Every gate held, but over connections most of which were gone before their time.
    ConnectionsLost {
        /// Connections that ended before their time.
        lost: u64,
        /// Connections that opened.
        opened: u64,
    },
    /// The schedule was not kept: too much was never sent.
    NotSent {
        /// Messages not sent.
        not_sent: u64,
        /// Messages due.
        due: u64,
    },
    /// The schedule was not kept: too much was sent too late.
    SendsLate {
        /// 99 % of the sends were at most so late, in nanoseconds.
        p99_ns: u64,
        /// How late they may be, in nanoseconds.
        limit_ns: u64,
        /// The latency gate that asks for it; `None` where the limit is the general one.
        gate: Option<String>,
    },
    /// Workers were woken so late that a contract's times are partly theirs.
    WorkersLate {
        /// 99.9 % of the wake-ups were at most so late, in nanoseconds.
        p99_9_ns: u64,
        /// How late they may be, in nanoseconds.
        limit_ns: u64,
        /// The promise that asks for it, such as `closed_between`.
        contract: &'static str,
        /// Whose promise.
        cohort: String,
    },
    /// `pong_within` was broken only because pings were sent late.
    PingsLate {
        /// Whose promise.
        cohort: String,
        /// 99 % of its pongs came so soon after their ping was due, in nanoseconds.
        from_due_ns: u64,
        /// And so soon after it was sent, in nanoseconds.
        from_sent_ns: u64,
    },
    /// The relay of the path turned connections away: for want of a descriptor, not by a fault.
    RelayRefused {
        /// Connections that it reset.
        refused: u64,
        /// Connections that it took.
        connections: u64,
    },
    /// Every contract held, but not by all connections that it is about.
    NotJudged {
        /// Connections that were judged.
        kept: u64,
        /// Connections for which there was no room.
        more: u64,
    },
}

impl Distrust {
    /// A stable name, as in `run.json`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NoConnection { .. } => "no_connection",
            Self::NoAnswer { .. } => "no_answer",
            Self::ConnectionsLost { .. } => "connections_lost",
            Self::NotSent { .. } => "not_sent",
            Self::SendsLate { .. } => "sends_late",
            Self::WorkersLate { .. } => "workers_late",
            Self::PingsLate { .. } => "pings_late",
            Self::RelayRefused { .. } => "relay_refused",
            Self::NotJudged { .. } => "not_judged",
        }
    }

    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoConnection { failures, .. } => failures.hint().map(str::to_owned),
            Self::NoAnswer { sent: 0 } => Some("make `duration` longer than one interval".into()),
            Self::NoAnswer { .. } => {
                Some("does this server answer? set `expect = \"none\"` and `heartbeat = \"off\"` for one that does not".into())
            }
            Self::ConnectionsLost { .. } => Some(
                "see connections.csv; the gate `count(connections.lost) == 0` makes every lost connection a failure"
                    .into(),
            ),
            Self::NotSent { .. } => Some(
                "offer less with `rate` or `connections`, give it more workers, or run it on more cores"
                    .into(),
            ),
            Self::SendsLate { gate: Some(_), .. } => Some(
                "set `pace = \"precise\"`, offer less, or loosen the gate".into(),
            ),
            Self::SendsLate { .. } | Self::PingsLate { .. } => Some(
                "offer less, give it more cores, or run the server on another machine".into(),
            ),
            Self::WorkersLate { .. } => Some(
                "offer less, give it more cores, run the server on another machine, or widen the window"
                    .into(),
            ),
            Self::RelayRefused { .. } => Some(
                "raise the hard limit of file descriptors (`ulimit -Hn`), or ask for fewer connections"
                    .into(),
            ),
            Self::NotJudged { .. } => {
                Some("give fewer connections a contract, or let fewer of them end at once".into())
            }
        }
    }
}

impl fmt::Display for Distrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoConnection { planned, failures } => {
                let planned = human_count(*planned);
                write!(f, "none of the {planned} connections opened{failures}")
            }
            Self::NoAnswer { sent: 0 } => {
                write!(f, "nothing was sent that expects an answer")
            }
            Self::NoAnswer { sent } => {
                let sent = human_count(*sent);
                write!(f, "not one answer came to {sent} messages and pings")
            }
            Self::ConnectionsLost { lost, opened } => write!(
                f,
                "{} of {} connections were lost before their time: most of the load was not there",
                human_count(*lost),
                human_count(*opened)
            ),
            Self::NotSent { not_sent, due } => write!(
                f,
                "{} of {} messages due were never sent, more than {} %",
                human_count(*not_sent),
                human_count(*due),
                NOT_SENT_LIMIT * 100.0
            ),
            Self::SendsLate {
                p99_ns,
                limit_ns,
                gate,
            } => {
                let (p99, limit) = (human_ns(*p99_ns), human_ns(*limit_ns));
                write!(f, "sends were late: p99 {p99}, where {limit} is the limit")?;
                match gate {
                    Some(gate) => write!(f, " for `{gate}`"),
                    None => Ok(()),
                }
            }
            Self::WorkersLate {
                p99_9_ns,
                limit_ns,
                contract,
                cohort,
            } => {
                let (p99_9, limit) = (human_ns(*p99_9_ns), human_ns(*limit_ns));
                write!(
                    f,
                    "workers were woken late: p99.9 {p99_9}, where {limit} is the limit for `{contract}` of `{cohort}`"
                )
            }
            Self::PingsLate {
                cohort,
                from_due_ns,
                from_sent_ns,
            } => write!(
                f,
                "pings of `{cohort}` were sent late: 99 % of the pongs came within {} of the time their ping was due, and within {} of its sending, which keeps `pong_within`",
                human_ns(*from_due_ns),
                human_ns(*from_sent_ns)
            ),
            Self::RelayRefused {
                refused,
                connections,
            } => write!(
                f,
                "the relay of `[path]` had no file descriptor for {} of {} connections, and reset them",
                human_count(*refused),
                human_count(*connections)
            ),
            Self::NotJudged { kept, more } => write!(
                f,
                "the contracts held for {} connections; for {} more there was no room to judge them",
                human_count(*kept),
                human_count(*more)
            ),
        }
    }
}
