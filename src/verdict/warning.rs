//! What a reader of the numbers should know about the run itself.
//! Typed, so that others can count on the kinds; the advice depends on the run.

use std::fmt;

use super::facts::Throttling;
use super::failures::Failures;
use crate::units::{human_count, human_ns};

/// Something a reader of the numbers should know about the run itself.
#[derive(Debug, Clone, PartialEq)]
pub enum Warning {
    /// The generator had no core to spare.
    GeneratorBusy {
        /// Of all its seconds, in percent of one core.
        mean: f64,
        /// Of its busiest second, in percent of one core.
        peak: f64,
        /// What its workers may use, in percent of one core.
        limit: f64,
        /// Whether sends follow a schedule; else the generator's speed is part of the throughput.
        open_model: bool,
    },
    /// wsbench stood still for a while.
    HeldUp {
        /// The longest time, in nanoseconds.
        longest_ns: u64,
        /// The part of the time that was lost so.
        share: f64,
    },
    /// The kernel kept wsbench from running.
    Throttled(Throttling),
    /// Messages had no answer, or a wrong one, and no gate looks at that.
    Unanswered {
        /// Messages with none in time.
        timed_out: u64,
        /// Messages with a wrong one.
        mismatched: u64,
        /// Messages sent.
        sent: u64,
    },
    /// Sends were late, but not so late that nothing can be trusted.
    SendsLate {
        /// 99 % of the sends were at most so late, in nanoseconds.
        p99_ns: u64,
        /// Whether sends follow a schedule; else some have waited for the server.
        open_model: bool,
    },
    /// Some messages were never sent.
    NotSent {
        /// Messages not sent.
        not_sent: u64,
        /// Messages due.
        due: u64,
    },
    /// Some answers may belong to another message or ping than they were taken for.
    Uncertain {
        /// Echoes and answers to text heartbeats that were not timed.
        uncertain: u64,
        /// All of them.
        answers: u64,
        /// Timeouts in cohorts with a message whose answers do not name it.
        timed_out: u64,
    },
    /// Some connections did not open.
    FewerConnections {
        /// How many were to be opened, or were tried where the run was cut short.
        asked: u64,
        /// How many were.
        opened: u64,
        /// Attempts that failed.
        failed: u64,
        /// Why.
        failures: Failures,
    },
    /// Dials went on from an address of the target to the next one.
    Fallbacks {
        /// How many, of all addresses.
        count: u64,
        /// The address that most of them went on from.
        address: String,
        /// The cause that it gave first.
        why: String,
    },
    /// The server's certificate was not checked.
    Insecure,
    /// A percentile stands on too few samples to mean much, and so do all above it.
    TooFewSamples {
        /// The metric.
        metric: String,
        /// The lowest percentile that is not covered, of those a gate looks at.
        percentile: f64,
        /// How many samples there are.
        samples: u64,
        /// How many it wants.
        wanted: u64,
    },
    /// Some times were longer than a histogram holds.
    Clipped {
        /// The metric.
        metric: String,
        /// How many.
        count: u64,
    },
    /// The server sends text back as binary, or the reverse.
    Retyped {
        /// How many echoes.
        count: u64,
    },
    /// More connections ended unplanned than `connections.csv` holds.
    EndingsOverflow {
        /// Rows that are there.
        kept: u64,
        /// Rows that are not.
        more: u64,
    },
    /// More connections with a contract ended than can be kept to judge it by.
    NotJudged {
        /// Connections that were judged.
        kept: u64,
        /// Connections that were not.
        more: u64,
    },
    /// Arrivals were not dialled because too many connections were open.
    ArrivalsSkipped {
        /// How many.
        skipped: u64,
        /// How many may be open at once.
        max_open: u32,
    },
    /// A fault of the target could not be carried out, and none after it.
    TargetFaultFailed {
        /// What the system said.
        why: String,
    },
    /// Connections came as far as the relay of the path, and the target did not take them.
    PathUnreachable {
        /// How many.
        unreachable: u64,
        /// How many the relay took.
        connections: u64,
    },
    /// The relay of the path could not take connections for a while.
    PathAccepts {
        /// Accepts that failed.
        failed: u64,
    },
    /// The relay of the path held all that it may for some connections, and made a sender wait.
    PathBackedUp {
        /// For how many.
        backed_up: u64,
        /// How many the relay took.
        connections: u64,
    },
    /// This system has no timer of nanoseconds for us.
    NoPreciseTimer,
    /// This system does not tell who acknowledged what.
    NoKernelView,
}

impl Warning {
    /// A stable name, as in `run.json`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::GeneratorBusy { .. } => "generator_busy",
            Self::HeldUp { .. } => "held_up",
            Self::Throttled(_) => "throttled",
            Self::Unanswered { .. } => "unanswered",
            Self::SendsLate { .. } => "sends_late",
            Self::NotSent { .. } => "not_sent",
            Self::Uncertain { .. } => "uncertain",
            Self::FewerConnections { .. } => "fewer_connections",
            Self::Fallbacks { .. } => "fallbacks",
            Self::Insecure => "insecure",
            Self::TooFewSamples { .. } => "too_few_samples",
            Self::Clipped { .. } => "clipped",
            Self::Retyped { .. } => "retyped",
            Self::EndingsOverflow { .. } => "endings_overflow",
            Self::NotJudged { .. } => "not_judged",
            Self::ArrivalsSkipped { .. } => "arrivals_skipped",
            Self::TargetFaultFailed { .. } => "target_fault_failed",
            Self::PathUnreachable { .. } => "path_unreachable",
            Self::PathAccepts { .. } => "path_accepts",
            Self::PathBackedUp { .. } => "path_backed_up",
            Self::NoPreciseTimer => "no_precise_timer",
            Self::NoKernelView => "no_kernel_view",
        }
    }

    /// What to do about it, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::GeneratorBusy { open_model, .. } if *open_model => {
                "offer less, or give it more cores and `--workers`"
            }
            Self::GeneratorBusy { .. } => {
                "the rates are at least partly the generator's; give it more cores and `--workers`"
            }
            Self::HeldUp { .. } => {
                "times are longer, rates lower by that; give it more cores, or a quieter machine"
            }
            Self::Throttled(_) => {
                "raise the limit of CPU of this container or group, or offer less"
            }
            Self::Unanswered { .. } => {
                "add the gate `count(messages.timed_out) == 0` or `count(messages.mismatched) == 0`"
            }
            Self::SendsLate { open_model, .. } if *open_model => {
                "this is part of every latency; `pace = \"precise\"` is more punctual for a core"
            }
            Self::SendsLate { .. } => "with `in_flight`, waiting for the server counts as late",
            Self::FewerConnections { failures, .. } => return failures.hint().map(str::to_owned),
            Self::Fallbacks { .. } => {
                "the time of these dials is in `handshake.tcp`; name one address in `url`, or mend the other"
            }
            Self::Insecure => "name its certificate in `ca`: that is checked, and is as quick",
            Self::TooFewSamples { .. } => "a longer `duration` or a higher `rate` gives more",
            Self::ArrivalsSkipped { .. } => {
                "raise `max_open`, or see why connections stay longer than `lifetime`"
            }
            Self::TargetFaultFailed { .. } => {
                "the target has to be there at the time of each of its faults"
            }
            Self::PathUnreachable { .. } => {
                "is the server running, and listening at the url's address?"
            }
            Self::PathAccepts { .. } => "does this machine have memory for its sockets?",
            Self::PathBackedUp { .. } => {
                "where no fault is meant to do this, send less or use a shorter `delay`"
            }
            Self::Uncertain { .. } => {
                "put `{{stamp}}` into the text of a message, so that its answers name it"
            }
            Self::NoPreciseTimer => "run on Linux for latencies below some milliseconds",
            Self::NotSent { .. }
            | Self::Clipped { .. }
            | Self::Retyped { .. }
            | Self::EndingsOverflow { .. }
            | Self::NotJudged { .. }
            | Self::NoKernelView => return None,
        };
        Some(hint.to_owned())
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GeneratorBusy {
                mean,
                peak,
                limit,
                ..
            } => write!(
                f,
                "the generator was busy: {mean:.0} % CPU on average, {peak:.0} % at the peak, of {limit:.0} %"
            ),
            Self::HeldUp { longest_ns, share } => write!(
                f,
                "wsbench itself was held up for {} at once, and for {:.1} % of the time",
                human_ns(*longest_ns),
                share * 100.0
            ),
            Self::Throttled(throttling) => write!(f, "{throttling}"),
            Self::Unanswered {
                timed_out,
                mismatched,
                sent,
            } => {
                let parts = [(timed_out, "timed out"), (mismatched, "came back wrong")];
                let parts = parts.into_iter().filter(|(count, _)| **count > 0);
                let parts: Vec<String> = parts
                    .map(|(count, what)| format!("{} {what}", human_count(*count)))
                    .collect();
                let (parts, sent) = (parts.join(" and "), human_count(*sent));
                write!(f, "of {sent} messages {parts}, and no gate looks at that")
            }
            Self::SendsLate { p99_ns, .. } => {
                write!(f, "sends were late: p99 {}", human_ns(*p99_ns))
            }
            Self::Uncertain {
                uncertain: 0,
                timed_out,
                ..
            } => write!(
                f,
                "{} messages timed out where answers do not name theirs: those before and after may be of other messages",
                human_count(*timed_out)
            ),
            Self::Uncertain {
                uncertain, answers, ..
            } => write!(
                f,
                "{} of {} answers came after a timeout and may be those of other messages: they were not timed",
                human_count(*uncertain),
                human_count(*answers)
            ),
            Self::NotSent { not_sent, due } => write!(
                f,
                "{} of {} messages due were not sent",
                human_count(*not_sent),
                human_count(*due)
            ),
            Self::FewerConnections {
                asked,
                opened,
                failed,
                failures,
            } => write!(
                f,
                "{} of {} connections opened, {} attempts failed{failures}",
                human_count(*opened),
                human_count(*asked),
                human_count(*failed),
            ),
            Self::Fallbacks {
                count,
                address,
                why,
            } => write!(
                f,
                "{} dials went on to another address of the name: `{why}` at {address}",
                human_count(*count)
            ),
            Self::Insecure => f.write_str(
                "`insecure = true`: the server's certificate was not checked, so anybody may have answered",
            ),
            Self::TooFewSamples {
                metric,
                percentile,
                samples,
                wanted,
            } => write!(
                f,
                "{} samples of `{metric}` are too few for p{percentile}, which wants {}",
                human_count(*samples),
                human_count(*wanted)
            ),
            Self::Clipped { metric, count } => write!(
                f,
                "{} times of `{metric}` were longer than an hour: their percentiles are lower bounds",
                human_count(*count)
            ),
            Self::Retyped { count } => write!(
                f,
                "{} echoes came back as binary where text was sent, or the reverse",
                human_count(*count)
            ),
            Self::EndingsOverflow { kept, more } => write!(
                f,
                "connections.csv holds the first {} rows; {} more were only counted",
                human_count(*kept),
                human_count(*more)
            ),
            Self::NotJudged { kept, more } => write!(
                f,
                "contracts were judged by {} connections; for {} more there was no room",
                human_count(*kept),
                human_count(*more)
            ),
            Self::ArrivalsSkipped { skipped, max_open } => write!(
                f,
                "{} arrivals were skipped because {} connections were open (`max_open`)",
                human_count(*skipped),
                human_count(u64::from(*max_open))
            ),
            Self::TargetFaultFailed { why } => write!(
                f,
                "a fault of the target could not be carried out, and none after it: {why}"
            ),
            Self::PathUnreachable {
                unreachable,
                connections,
            } => write!(
                f,
                "{} of {} connections came no further than the relay of `[path]`: the target did not take them",
                human_count(*unreachable),
                human_count(*connections)
            ),
            Self::PathAccepts { failed } => write!(
                f,
                "the relay of `[path]` failed {} times to take a connection, and waited after each",
                human_count(*failed)
            ),
            Self::PathBackedUp {
                backed_up,
                connections,
            } => write!(
                f,
                "the relay of `[path]` held all it may for {} of {} connections, and made their senders wait",
                human_count(*backed_up),
                human_count(*connections)
            ),
            Self::NoPreciseTimer => f.write_str(
                "this system has no precise timer for us: sends may be some milliseconds late",
            ),
            Self::NoKernelView => f.write_str(
                "this system does not tell what was acknowledged: a frozen peer and a dead path both show as `missed_pong`",
            ),
        }
    }
}
