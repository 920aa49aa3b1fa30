//! Judges frames: what a server sends, and what it makes of frames that no client may send.

use super::super::breach::Breach;
use super::super::frame::Opcode;
use super::closing::manner;
use super::judged::{Found, Said, each, kept};
use super::log::{Log, Seen, What};
use super::rules::Rule;
use super::trial::{Awaits, LENGTHS, Script, Trial, WHOLE};
use crate::units::human_ns;

/// A frame that no client may send ends the connection.
pub(super) fn fails(rule: &Rule, seen: &Seen) -> Found {
    each(rule, seen, |_, log| match manner(log) {
        Some(how) => kept(how),
        None if log.came.iter().any(|came| came.what == What::Stuck) => Ok(None),
        None => Err(went_on(log)),
    })
}

/// What a server did instead of ending the connection.
fn went_on(log: &Log) -> String {
    let after = human_ns(
        log.until_ns
            .saturating_sub(log.sent_ns.last().copied().unwrap_or(0)),
    );
    let opcodes = || log.frames().map(|(_, frame)| frame.opcode);
    let what = if opcodes().any(|opcode| opcode == Opcode::Pong) {
        "answered by a pong, and "
    } else if opcodes().any(|opcode| matches!(opcode, Opcode::Text | Opcode::Binary)) {
        "answered by a message, and "
    } else {
        ""
    };
    format!("{what}still open after {after}")
}

/// The server does not mask.
pub(super) fn unmasked(rule: &Rule, seen: &Seen) -> Found {
    never(rule, seen, &[Breach::Masked])
}

/// Reserved bits and opcodes are not used, and lengths are written as they should be.
pub(super) fn headers(rule: &Rule, seen: &Seen) -> Found {
    let breaches = [
        Breach::ReservedBits,
        Breach::ReservedOpcode,
        Breach::Length,
        Breach::Http,
    ];
    never(rule, seen, &breaches)
}

/// Control frames are short and whole.
pub(super) fn control(rule: &Rule, seen: &Seen) -> Found {
    never(rule, seen, &[Breach::Control])
}

/// Nothing of this kind came before the server's Close; what comes behind it breaks another rule.
fn never(rule: &Rule, seen: &Seen, breaches: &[Breach]) -> Found {
    each(rule, seen, |_, log| {
        let closed = log.close().map_or(u64::MAX, |(came, _)| came.at_ns);
        match log.breach() {
            Some((came, breach)) if breaches.contains(&breach) && came.at_ns < closed => {
                Err(breach.words().to_owned())
            }
            _ if log.frames().next().is_some() => kept("in no frame that came"),
            _ => Ok(None),
        }
    })
}

/// The fragments of the server's messages do not interleave.
pub(super) fn fragments(rule: &Rule, seen: &Seen) -> Found {
    each(rule, seen, |_, log| {
        let mut is_open = false;
        let mut any = false;
        for (_, frame) in log.frames() {
            match (frame.opcode, is_open) {
                (Opcode::Text | Opcode::Binary, true) => {
                    return Err(Breach::Interleaved.words().to_owned());
                }
                (Opcode::Continuation, false) => {
                    return Err(Breach::NothingToContinue.words().to_owned());
                }
                (Opcode::Text | Opcode::Binary | Opcode::Continuation, _) => {
                    (is_open, any) = (!frame.fin, true);
                }
                (Opcode::Ping | Opcode::Pong | Opcode::Close, _) => {}
            }
        }
        Ok(any.then(|| "in no message that came".to_owned()))
    })
}

/// The server's texts and close reasons are UTF-8.
pub(super) fn utf8(rule: &Rule, seen: &Seen) -> Found {
    each(rule, seen, |_, log| {
        let is_valid = |bytes: &[u8]| std::str::from_utf8(bytes).is_ok();
        let messages = log.messages();
        let mut texts = messages.iter().filter(|message| message.is_text);
        let reasons = log
            .frames()
            .filter(|(_, frame)| frame.opcode == Opcode::Close);
        let reasons: Vec<&[u8]> = reasons
            .filter_map(|(_, frame)| frame.payload.get(2..))
            .collect();
        let any = texts.clone().next().is_some() || reasons.iter().any(|reason| !reason.is_empty());
        if texts.any(|text| !is_valid(&text.payload)) {
            return Err("it sent a text that is not UTF-8".to_owned());
        }
        if reasons.iter().any(|reason| !is_valid(reason)) {
            return Err("it sent a close reason that is not UTF-8".to_owned());
        }
        Ok(any.then(|| "in no text that came".to_owned()))
    })
}

/// Messages of each form of a length come back.
pub(super) fn lengths(rule: &Rule, seen: &Seen) -> Found {
    echoes(rule, seen, |step| {
        format!("a message of {} bytes", LENGTHS[step - 1])
    })
}

/// A message in fragments comes back whole.
pub(super) fn assembled(rule: &Rule, seen: &Seen) -> Found {
    echoes(rule, seen, |_| format!("\"{WHOLE}\" in three fragments"))
}

/// Judges a server that echoes: all that was sent after the first message came back as well.
fn echoes(rule: &Rule, seen: &Seen, name: impl Fn(usize) -> String) -> Found {
    each(rule, seen, |trial, log| -> Said {
        let Script::Steps(steps) = trial.script(Default::default(), None) else {
            return Ok(None);
        };
        let messages = log.messages();
        let came = |step: usize| match &steps[step].awaits {
            Awaits::Message(bytes) => {
                (messages.iter()).any(|message| message.step == step && message.payload == *bytes)
            }
            _ => false,
        };
        if !came(0) {
            return Ok(None);
        }
        // What has no answer may be forbidden to a client, as long messages are; but then it is told.
        match (1..log.sent_ns.len()).find(|step| !came(*step)) {
            None if log.sent_ns.len() == steps.len() => kept("all came back"),
            None => Ok(None),
            Some(step) => {
                match log.close() {
                    Some((_, frame)) if super::log::code(frame) == Some(1009) => Ok((step > 1)
                        .then(|| format!("all came back up to {}: Close 1009", name(step)))),
                    _ => Err(format!("{} did not come back", name(step))),
                }
            }
        }
    })
}

/// The trials with frames that no client may send.
pub(super) const ILLEGAL: &[Trial] = &[
    Trial::LongPing,
    Trial::FragmentedPing,
    Trial::Unmasked,
    Trial::ReservedBit,
    Trial::ReservedOpcode,
    Trial::ReservedControl,
    Trial::BadUtf8,
    Trial::Orphan,
    Trial::Interleaved,
];
