//! What each reason not to trust a verdict says to people: what was seen, and what to do about it.

use std::fmt;

use super::{Distrust, NOT_SENT_LIMIT};
use crate::units::{counted, human_count, human_ns, were};
use crate::verdict::answers::Asked;
use crate::verdict::presence::Openings;
use crate::verdict::unnamed::Unnamed;

/// What to do where the steps were over before the measured time.
const BEGIN_LATER: &str = "a first step with `wait_for = \"measuring\"` keeps the others until then; `wsbench try` shows if one fails";

/// What makes the difference of two clocks surer.
pub(in crate::verdict) const CLOSER: &str = "half of a round trip by way of the NATS server is the error of a clock: let it be near to all agents, and give it a core";

impl Distrust {
    /// What to do about it, if there is something to do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoConnection { failures, .. }
            | Self::NeverOpened { failures, .. }
            | Self::NoTunnel { failures, .. } => failures.hint(),
            Self::NoAnswer {
                sent, asked, seen, ..
            } => {
                let seen = match asked {
                    Asked::Messages | Asked::Pings => seen.hint(),
                    Asked::Steps | Asked::Awaits => seen.hint_of_close(),
                };
                let hint = match (seen, *sent, asked) {
                    (Some(hint), ..) => hint,
                    (None, 0, Asked::Steps) => BEGIN_LATER,
                    (None, 0, _) => "make `duration` longer than one interval",
                    (None, _, Asked::Messages) => {
                        "does this server echo? set `expect = \"none\"` for one that does not"
                    }
                    (None, _, Asked::Steps) => {
                        "`wsbench try` shows what comes to each step"
                    }
                    (None, _, Asked::Awaits) => {
                        "`wsbench try` shows what comes; the gate `count(awaits.met) == 0` says that nothing should"
                    }
                    (None, _, Asked::Pings) => {
                        "set `heartbeat = \"off\"` for a server that answers no ping"
                    }
                };
                Some(hint.into())
            }
            Self::NoStep { .. } => Some(BEGIN_LATER.into()),
            Self::ConnectionsLost {
                lost,
                closed,
                gated,
                seen,
                ..
            } => {
                let by_steps = *lost == 0 && *closed > 0;
                let hint = match (seen.hint_of_close(), gated) {
                    (Some(hint), _) if !by_steps => hint,
                    (_, true) => "see connections.csv for when and why each of them ended",
                    (_, false) if by_steps => {
                        "see connections.csv; the gate `count(errors.step_failed) == 0` makes each of them a failure"
                    }
                    (_, false) => {
                        "see connections.csv; the gate `count(connections.lost) == 0` makes every lost connection a failure"
                    }
                };
                Some(hint.into())
            }
            Self::NotSent { .. } => Some(
                "offer less with `rate` or `connections`, give it more workers, or run it on more cores"
                    .into(),
            ),
            Self::SendsLate { .. } => Some(
                "set `pace = \"precise\"`, offer less, give it more cores, or loosen the gate".into(),
            ),
            Self::WorkersLate { .. } | Self::PingsLate { .. } | Self::GeneratorBusy { .. } => Some(
                "offer less, give it more cores, or run the server on another machine".into(),
            ),
            Self::Throttled(_) => {
                Some("raise the limit of CPU of this container or group, or offer less".into())
            }
            Self::AnswersShifted(unnamed) => Some(unnamed.hint().into()),
            Self::RelayRefused { .. } => Some(
                "raise the hard limit of file descriptors (`ulimit -Hn`), or ask for fewer connections"
                    .into(),
            ),
            Self::NotSettled { .. } => Some(
                "give connections more time to open: a longer `ramp_up` or `warm_up`".into(),
            ),
            Self::ToldLate { .. } => Some(
                "give the agents, the NATS server and the coordinator more processor time, or a longer `warm_up`"
                    .into(),
            ),
            Self::ClocksApart { .. } => Some(CLOSER.into()),
            Self::Lost { .. } => Some(
                "look what became of it on its machine; `--on-agent-loss continue` judges what the others saw"
                    .into(),
            ),
            Self::OfPart { reason, .. } => reason.hint(),
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
                write!(f, "no connection opened, of {planned} planned{failures}")
            }
            Self::NoTunnel { cohorts, failures } => write!(
                f,
                "no connection of `{}` came through its proxy, so nothing is known of the server{failures}",
                cohorts.join("`, `")
            ),
            Self::NoAnswer {
                sent,
                asked,
                cohort,
                seen,
            } => {
                let answer = |noun| match sent {
                    0 => "nothing was sent that expects an answer".to_owned(),
                    sent => format!("not one expected answer came to {}", counted(*sent, noun)),
                };
                let (what, end) = match asked {
                    Asked::Messages | Asked::Steps => (answer("message"), ""),
                    Asked::Pings => (answer("ping"), ""),
                    Asked::Awaits => (
                        format!("not one of {}", counted(*sent, "await")),
                        " was met",
                    ),
                };
                f.write_str(&what)?;
                if let Some(cohort) = cohort {
                    write!(f, " of `{cohort}`")?;
                }
                write!(f, "{end} in the whole run{seen}")
            }
            Self::NoStep { kind, cohorts } => write!(
                f,
                "no {} of `{}` {} in the measured time",
                kind.subject(),
                cohorts.join("`, `"),
                kind.predicate()
            ),
            Self::NeverOpened { openings, failures } => {
                let Openings {
                    planned,
                    opened,
                    ready,
                } = *openings;
                let did = match ready < opened {
                    true => "were ready",
                    false => "opened",
                };
                write!(
                    f,
                    "only {} of {} {did}: most of the load was never there{failures}",
                    human_count(ready),
                    counted(planned, "connection")
                )
            }
            Self::ConnectionsLost {
                lost,
                closed,
                opened,
                missed,
                due,
                seen,
                ..
            } => {
                let all = counted(*opened, "connection");
                let mut ends = Vec::new();
                if *lost > 0 || *closed == 0 {
                    ends.push((*lost, "lost too early"));
                }
                if *closed > 0 {
                    ends.push((*closed, "closed by a failed step"));
                }
                let ends = ends.into_iter().map(|(count, how)| {
                    format!("{} of {all} {} {how}", human_count(count), were(count))
                });
                f.write_str(&Vec::from_iter(ends).join(" and "))?;
                if *missed > 0 {
                    let (missed, due) = (human_count(*missed), counted(*due, "message"));
                    write!(f, ", and with them {missed} of {due} due")?;
                }
                f.write_str(": most of the load was not there")?;
                match &seen.close {
                    Some(close) => write!(f, " ({close})"),
                    None => Ok(()),
                }
            }
            Self::NotSent { not_sent, due } => write!(
                f,
                "{} of {} due {} never sent, more than {} %",
                human_count(*not_sent),
                counted(*due, "message"),
                were(*not_sent),
                NOT_SENT_LIMIT * 100.0
            ),
            Self::SendsLate { p99_ns, max_ns } => {
                f.write_str("sends were late, ")?;
                if let Some(p99) = p99_ns {
                    write!(f, "p99 {} and ", human_ns(*p99))?;
                }
                let most = human_ns(*max_ns);
                write!(f, "at most {most}: counted from the actual send the limit was kept")
            }
            Self::WorkersLate {
                longest_ns,
                p99_9_ns,
                share,
            } => write!(
                f,
                "wsbench itself was held up for {} at once (p99.9 {}), and for {:.1} % of the time: that may be why",
                human_ns(*longest_ns),
                human_ns(*p99_9_ns),
                share * 100.0
            ),
            Self::Throttled(throttling) => write!(f, "{throttling}: that may be why"),
            Self::GeneratorBusy { mean, of } => write!(
                f,
                "wsbench itself used {mean:.0} % of the {of:.0} % CPU that it may have: it may be the limit"
            ),
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
            Self::AnswersShifted(unnamed) => answers_shifted(unnamed, f),
            Self::RelayRefused {
                refused,
                connections,
            } => write!(
                f,
                "the relay of `[path]` had no file descriptor for {} of {}, and reset them",
                human_count(*refused),
                counted(*connections, "connection")
            ),
            Self::NotSettled {
                settled_ns,
                measured_ns,
            } => {
                let began = human_ns(*measured_ns);
                write!(
                    f,
                    "measuring began {began} after the start, and not all of its connections were open then: "
                )?;
                match settled_ns {
                    Some(settled) => {
                        write!(f, "the last was {} after the start", human_ns(*settled))
                    }
                    None => f.write_str("some never were"),
                }
            }
            Self::ToldLate { late_ns } => write!(
                f,
                "it heard of the measured time {} after its begin: what it sent until then is not counted in it",
                human_ns(*late_ns)
            ),
            Self::ClocksApart { error_ns } => match error_ns {
                Some(error) => write!(
                    f,
                    "times from one machine to another may be wrong by {}, and this may be why",
                    human_ns(*error)
                ),
                None => f.write_str(
                    "how far the clocks of the machines are apart is not known, and times from one to another need that",
                ),
            },
            Self::Lost { at_ns, why } => write!(
                f,
                "{why}, {} after the start: what its connections saw from then on is not known",
                human_ns(*at_ns)
            ),
            Self::OfPart { part, name, reason } => match name {
                Some(name) => write!(f, "part {part} ({name}): {reason}"),
                None => write!(f, "part {part}: {reason}"),
            },
            Self::NotJudged { kept, more } => write!(
                f,
                "the contracts held for {}; for {} more there was no room to judge them",
                counted(*kept, "connection"),
                human_count(*more)
            ),
        }
    }
}

fn answers_shifted(unnamed: &Unnamed, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let noun = unnamed.noun();
    let rates = |how: &str| match unnamed.are_messages {
        true => format!(", and rates too {how} where `in_flight` limits them"),
        false => String::new(),
    };
    let mut effects = Vec::new();
    if unnamed.timed_out > 0 {
        let rates = rates("low");
        effects.push(format!(
            "later answers were taken for those of earlier {noun}s, so that times are too long{rates}"
        ));
    }
    if unnamed.surplus > 0 {
        let rates = rates("high");
        effects.push(format!(
            "others like them may have been taken for the answers to {noun}s sent just before, so that times are too short{rates}"
        ));
    }
    write!(f, "{}: {}", unnamed.words(), effects.join("; "))?;
    match unnamed.uncertain {
        0 => Ok(()),
        count => write!(
            f,
            "; {} {} not timed",
            counted(count, "answer"),
            were(count)
        ),
    }
}
