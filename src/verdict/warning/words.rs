//! Warnings in words: what was seen, and what to do about it, which may depend on the run.

use std::fmt;

use super::Warning;
use crate::units::{counted, human_count, human_ns, were};
use crate::verdict::distrust::CLOSER;

/// The most addresses that are named.
const ADDRESSES_SHOWN: usize = 4;

impl Warning {
    /// What to do about it, if there is something to do.
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
            Self::SetupsFailed { gate, .. } | Self::Undelivered { gate, .. } => {
                return Some(format!("add the gate `{gate}`"));
            }
            Self::Unanswered { gates, .. } => {
                let gates = gates.iter().map(|gate| format!("`{gate}`"));
                let gates: Vec<String> = gates.collect();
                return Some(format!("add the gate {}", gates.join(" and ")));
            }
            Self::ClocksApart { .. } => CLOSER,
            Self::NoAge { .. } => {
                "look at `time`; an answer of 204 or 304 has no content, and so no time"
            }
            Self::SendsLate { held_up: 1.., .. } => {
                "this is part of every latency, and at least partly the server's doing"
            }
            Self::SendsLate { open_model, .. } if *open_model => {
                "this is part of every latency; `pace = \"precise\"` is more punctual for a core"
            }
            Self::SendsLate { .. } => "with `in_flight`, waiting for the server counts as late",
            Self::FewerConnections { failures, .. } => return failures.hint(),
            Self::Fallbacks {
                any_opened: true, ..
            } => {
                "the time of these dials is in `handshake.tcp`; name an address that answers in `url`, or mend the others"
            }
            // Failures are told with their own hint.
            Self::Fallbacks { .. } => return None,
            Self::Caution(caution) => caution.hint(),
            Self::LookUpsFailed { .. } => {
                "dials went on to the addresses that were known; ask the name server why it does not answer"
            }
            Self::FewerStreams { .. } => {
                "raise the server's limit (SETTINGS_MAX_CONCURRENT_STREAMS), or write its number as `streams_per_connection`"
            }
            Self::Insecure => "name its certificate in `ca`: that is checked, and is as quick",
            Self::KeyLog { .. } => "delete it when it is no longer needed",
            Self::TooFewSamples { .. } => "a longer `duration` or a higher `rate` gives more",
            Self::ArrivalsSkipped { .. } => "raise `max_open`, or see why connections stay so long",
            Self::TargetFaultFailed { .. } => {
                "the target has to be there at the time of each of its faults"
            }
            Self::PathUnreachable { .. } => {
                "is the server running, and listening at the url's address?"
            }
            Self::PathAccepts { .. } => "does this machine have memory for its sockets?",
            Self::PathStrangers { .. } => {
                "they went on to the target: does something on this machine try all ports?"
            }
            Self::PathBackedUp { .. } => {
                "where no fault is meant to do this, send less or use a shorter `delay`"
            }
            Self::Uncertain { unnamed, .. } => unnamed.hint(),
            Self::PingsUnanswered { .. } => {
                "add the gate `count(heartbeat.missed) == 0`, or set `heartbeat = \"off\"` for a server that answers no ping"
            }
            Self::NoPreciseTimer => "run on Linux for latencies below some milliseconds",
            Self::NotSent {
                not_sent,
                not_taken,
                ..
            } if not_taken == not_sent => "see why the server does not read: it sets the pace",
            Self::NotSent { .. } => {
                "no time was left for them before their connection ended: see connections.csv"
            }
            Self::Clipped { .. } => "a `timeout` of less than an hour keeps times exact",
            Self::Retyped { .. } => {
                "their bytes are compared all the same; mend the server if its clients care"
            }
            Self::PartLost { .. } => "gates are judged by what was heard of it and of the others",
            Self::EndingsOverflow { .. } => "counts and gates know all of them",
            Self::NotJudged { .. } => {
                "give fewer connections a contract, or let fewer of them end at once"
            }
            Self::NoKernelView => "run on Linux to tell them apart",
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
                ..
            } => {
                let parts = [(timed_out, "timed out"), (mismatched, "came back wrong")];
                let parts = parts.into_iter().filter(|(count, _)| **count > 0);
                let parts: Vec<String> = parts
                    .map(|(count, what)| format!("{} {what}", human_count(*count)))
                    .collect();
                let (parts, sent) = (parts.join(" and "), counted(*sent, "message"));
                write!(f, "of {sent} {parts}, and no gate looks at that")
            }
            Self::Undelivered {
                missing, expected, ..
            } => write!(
                f,
                "{} of {} expected deliveries did not come in time, and no gate looks at that",
                human_count(*missing),
                human_count(*expected)
            ),
            Self::ClocksApart { error_ns, half_ns } => {
                let half = human_ns(*half_ns);
                match error_ns {
                    Some(error) => write!(
                        f,
                        "`delivery.latency` may be wrong by {}, as far as the clocks of the machines are known; half took up to {half}",
                        human_ns(*error)
                    ),
                    None => write!(
                        f,
                        "how far the clocks of the machines are apart is not known, so that `delivery.latency` may be wrong by any time"
                    ),
                }
            }
            Self::NoAge { names } => write!(
                f,
                "nothing that came for `{}` told when it was made: how old it was is not known",
                names.join("`, `")
            ),
            Self::SendsLate {
                p99_ns,
                max_ns,
                held_up,
                ..
            } => {
                match p99_ns {
                    Some(p99) => write!(f, "sends were late: p99 {}", human_ns(*p99)),
                    None => write!(f, "sends were late: at most {}", human_ns(*max_ns)),
                }?;
                match held_up {
                    0 => Ok(()),
                    held_up => write!(
                        f,
                        "; for {} the server took no bytes before",
                        counted(*held_up, "message")
                    ),
                }
            }
            Self::Uncertain { unnamed, answers } => {
                let (words, noun) = (unnamed.words(), unnamed.noun());
                write!(f, "{words}: answers may have been taken for those of other {noun}s")?;
                match unnamed.uncertain {
                    0 => Ok(()),
                    count => {
                        let (were, answers) = (were(count), counted(*answers, "answer"));
                        write!(f, "; {} of {answers} {were} not timed", human_count(count))
                    }
                }
            }
            Self::PingsUnanswered { unanswered, sent } => write!(
                f,
                "of {} {} got no pong in time, and no gate or promise looks at that",
                counted(*sent, "ping"),
                human_count(*unanswered)
            ),
            Self::NotSent {
                not_sent,
                not_taken,
                due,
            } => {
                let (all, were) = (counted(*due, "message"), were(*not_sent));
                write!(f, "{} of {all} due {were} not sent", human_count(*not_sent))?;
                const WHY: &str = "because the server took no bytes";
                match not_taken {
                    0 => Ok(()),
                    all if all == not_sent => write!(f, ", {WHY}"),
                    some => write!(f, ", {} {WHY}", human_count(*some)),
                }
            }
            Self::FewerConnections {
                asked,
                opened,
                failed,
                failures,
            } => write!(
                f,
                "{} of {} opened, {} failed{failures}",
                human_count(*opened),
                counted(*asked, "connection"),
                counted(*failed, "attempt"),
            ),
            Self::SetupsFailed {
                failed,
                begun,
                example,
                ..
            } => {
                let begun = counted(*begun, "set-up");
                write!(f, "of {begun} {} failed", human_count(*failed))?;
                if let Some(example) = example {
                    write!(f, " ({example})")?;
                }
                f.write_str(", and no gate looks at that")
            }
            Self::LookUpsFailed { count, why } => {
                write!(f, "{} failed, the last to {why}", counted(*count, "look-up"))
            }
            Self::Fallbacks {
                count, addresses, ..
            } => {
                let (dials, shown) = (counted(*count, "dial"), ADDRESSES_SHOWN);
                write!(f, "{dials} went on to another address of the name")?;
                for (place, (address, why)) in addresses.iter().take(shown).enumerate() {
                    let before = if place == 0 { ": " } else { ", " };
                    write!(f, "{before}`{why}` at {address}")?;
                }
                match addresses.len().saturating_sub(shown) {
                    0 => Ok(()),
                    more => write!(f, " and {more} more"),
                }
            }
            Self::FewerStreams { allowed, asked } => write!(
                f,
                "the server allows {} on a TCP connection, and `streams_per_connection` asks for {asked}: there were more TCP connections",
                counted(u64::from(*allowed), "stream")
            ),
            Self::Insecure => f.write_str(
                "`insecure = true`: the server's certificate was not checked, so anybody may have answered",
            ),
            Self::KeyLog { path } => write!(
                f,
                "the secrets of TLS were written to {path}: who has this file can read all that was captured of this run, and times are a little longer"
            ),
            Self::Caution(caution) => write!(f, "{caution}"),
            Self::TooFewSamples {
                metric,
                percentile,
                samples,
                wanted,
            } => write!(
                f,
                "{} of `{metric}` {} too few for p{percentile}, which wants {}",
                counted(*samples, "sample"),
                if *samples == 1 { "is" } else { "are" },
                human_count(*wanted)
            ),
            Self::Clipped { metric, count } => write!(
                f,
                "{} of `{metric}` {} longer than an hour: percentiles are lower bounds",
                counted(*count, "time"),
                were(*count)
            ),
            Self::Retyped { count } => write!(
                f,
                "{} came back as binary where text was sent, or the reverse",
                counted(*count, "message")
            ),
            Self::PartLost {
                part,
                at_ns,
                why,
                opened: [own, all],
            } => write!(
                f,
                "part {part} was lost {} after the start, with {} of {}: {why}",
                human_ns(*at_ns),
                human_count(*own),
                counted(*all, "connection")
            ),
            Self::EndingsOverflow { kept, more } => write!(
                f,
                "connections.csv holds the first {}; {} more {} only counted",
                counted(*kept, "row"),
                human_count(*more),
                were(*more)
            ),
            Self::NotJudged { kept, more } => write!(
                f,
                "contracts were judged by {}; for {} more there was no room",
                counted(*kept, "connection"),
                human_count(*more)
            ),
            Self::ArrivalsSkipped { skipped, max_open } => write!(
                f,
                "{} {} skipped because {} {} open (`max_open`)",
                counted(*skipped, "arrival"),
                were(*skipped),
                counted(u64::from(*max_open), "connection"),
                were(u64::from(*max_open))
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
                "{} of {} came no further than the relay of `[path]`: the target did not take them",
                human_count(*unreachable),
                counted(*connections, "connection")
            ),
            Self::PathAccepts { failed } => write!(
                f,
                "the relay of `[path]` failed {} to take a connection, and waited after each",
                counted(*failed, "time")
            ),
            Self::PathStrangers { strangers } => write!(
                f,
                "{} to the relay of `[path]` {} not of this run",
                counted(*strangers, "connection"),
                were(*strangers)
            ),
            Self::PathBackedUp {
                backed_up,
                connections,
            } => write!(
                f,
                "the relay of `[path]` held all it may for {} of {}, and made their senders wait",
                human_count(*backed_up),
                counted(*connections, "connection")
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
