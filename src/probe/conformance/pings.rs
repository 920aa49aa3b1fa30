//! Judges what a server answers to pings.

use super::super::frame::Opcode;
use super::judged::{Found, Outcome, Said, each, kept};
use super::log::{Log, Seen};
use super::rules::Rule;
use super::trial::{ANSWER, BURST, PAYLOADS, Trial, UNASKED};
use crate::units::{counted, format_duration, human_ns};

/// A ping is answered.
pub(super) fn answered(rule: &Rule, seen: &Seen) -> Found {
    each(rule, seen, |_, log| {
        let asked = log.sent_ns.len();
        let is_pong = |step: usize| {
            let mut frames = log.frames().filter(|(came, _)| came.step == step);
            frames.any(|(_, frame)| frame.opcode == Opcode::Pong)
        };
        let slowest = (0..asked)
            .filter_map(|step| log.pong_ns(step, PAYLOADS[step]))
            .max();
        match (0..asked).find(|step| !is_pong(*step)) {
            Some(_) if is_dying(log) => Ok(None),
            Some(step) => Err(format!(
                "a ping of {} was not answered within {}",
                counted(PAYLOADS[step].len() as u64, "byte"),
                limit()
            )),
            None => kept(format!(
                "{asked} of {asked} answered, the slowest after {}",
                slowest.map_or_else(|| "?".to_owned(), human_ns)
            )),
        }
    })
}

/// A pong has the payload of its ping.
pub(super) fn same_payload(rule: &Rule, seen: &Seen) -> Found {
    each(rule, seen, |_, log| {
        let mut same = 0;
        for (step, payload) in PAYLOADS.iter().enumerate().take(log.sent_ns.len()) {
            let pongs = log.frames().filter(|(came, _)| came.step == step);
            let mut pongs = pongs.filter(|(_, frame)| frame.opcode == Opcode::Pong);
            match (log.pong_ns(step, payload), pongs.next()) {
                (Some(_), _) => same += 1,
                (None, Some((_, other))) => {
                    return Err(format!(
                        "a ping of {} was answered by a pong of {}",
                        counted(payload.len() as u64, "byte"),
                        match other.payload.len() == payload.len() {
                            true => "other bytes".to_owned(),
                            false => counted(other.payload.len() as u64, "byte"),
                        }
                    ));
                }
                (None, None) => {}
            }
        }
        match same {
            0 => Ok(None),
            same => kept(format!("{} with the same bytes", counted(same, "pong"))),
        }
    })
}

/// Of many pings at once the last is answered.
pub(super) fn last_of_many(rule: &Rule, seen: &Seen) -> Found {
    each(rule, seen, |_, log| {
        let pongs = log
            .frames()
            .filter(|(_, frame)| frame.opcode == Opcode::Pong);
        let pongs = pongs
            .filter(|(_, frame)| frame.payload.starts_with(b"burst "))
            .count();
        let last = log.pong_ns(0, format!("burst {BURST}").as_bytes());
        match last {
            Some(ns) => kept(format!(
                "{pongs} of {BURST} answered, the last after {}",
                human_ns(ns)
            )),
            None if is_dying(log) => Ok(None),
            None => Err(format!(
                "{pongs} of {BURST} answered, but not the last one within {}",
                limit()
            )),
        }
    })
}

/// A pong nobody asked for changes nothing.
pub(super) fn unasked_pong(rule: &Rule, seen: &Seen) -> Found {
    each(rule, seen, |_, log| {
        let mut frames = log.frames();
        let is_answer = |opcode, payload: &[u8]| opcode == Opcode::Pong && payload == UNASKED;
        if frames.any(|(_, frame)| is_answer(frame.opcode, &frame.payload)) {
            return Err("the pong was answered by a pong".to_owned());
        }
        if log.pong_ns(0, b"after").is_some() {
            return kept("not answered, and the ping behind it was");
        }
        match ended(log) {
            Some(how) => Err(how),
            // It may answer no ping at all, which is another rule.
            None => Ok(None),
        }
    })
}

/// A ping between the fragments of a message is answered before the message is whole.
pub(super) fn within(rule: &Rule, seen: &Seen) -> Found {
    each(rule, seen, |_, log| -> Said {
        match (log.pong_ns(0, b"within"), log.pong_ns(1, b"within")) {
            (Some(ns), _) => kept(format!("answered after {}", human_ns(ns))),
            (None, Some(_)) => Err("answered only when the message was whole".to_owned()),
            (None, None) if is_dying(log) => Ok(None),
            (None, None) => Err("not answered".to_owned()),
        }
    })
}

/// What others do that is illegal does not end a connection that does nothing wrong.
pub(super) fn bystander(rule: &Rule, seen: &Seen) -> Found {
    let quiet_ended =
        (seen.log(Trial::Quiet)).is_some_and(|log| !log.came.is_empty() && is_over(log));
    let (outcome, words) = each(rule, seen, |_, log| {
        match (log.pong_ns(0, b"bystander"), ended(log)) {
            (Some(_), _) => kept("it is still there, and answers"),
            (None, Some(how)) => Err(how),
            (None, None) => Ok(None),
        }
    });
    match outcome {
        // Its limit of silence may be why.
        Outcome::Fail if quiet_ended => (
            Outcome::NotTried,
            format!("{words}; but quiet connections are ended, too"),
        ),
        outcome => (outcome, words),
    }
}

/// The limit in words.
pub(super) fn limit() -> String {
    format_duration(ANSWER)
}

/// How the server ended the connection, in words.
pub(super) fn ended(log: &Log) -> Option<String> {
    let how = super::closing::manner(log)?;
    Some(format!("the connection was ended: {how}"))
}

/// Whether the server ended the connection.
fn is_over(log: &Log) -> bool {
    log.close().is_some() || log.end().is_some()
}

/// Whether the server had said its last word before it could answer.
fn is_dying(log: &Log) -> bool {
    log.close().is_some()
}
