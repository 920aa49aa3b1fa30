//! Judges how a server closes.

use super::super::endings::close_frame;
use super::super::frame::{Frame, Opcode};
use super::super::talk::CLOSING;
use super::judged::{Found, Said, each, kept, untold};
use super::log::{Came, Log, Seen, What, code};
use super::rules::Rule;
use super::trial::{Trial, sent_code};
use crate::frame::{BROKEN, may_be_sent};
use crate::measure::TcpEnding;
use crate::units::{Nanos, counted, human_ns};

/// How the server ended the connection, in words; `None` where it did not.
pub(super) fn manner(log: &Log) -> Option<String> {
    let sent = log.sent_ns.last().copied().unwrap_or_default();
    let after = |ns: u64| human_ns(ns.saturating_sub(sent));
    if let Some((came, frame)) = log.close() {
        return Some(format!("{} after {}", shown(frame), after(came.at_ns)));
    }
    log.end().map(|(at, end)| {
        let end = match end {
            TcpEnding::Fin => "FIN",
            TcpEnding::Rst => "RST",
        };
        format!("{end} without a Close frame after {}", after(at))
    })
}

fn shown(frame: &Frame) -> String {
    let reason = frame.payload.get(2..).unwrap_or_default();
    close_frame(code(frame), &String::from_utf8_lossy(reason))
}

/// Neither data nor a second Close follows the server's Close.
pub(super) fn nothing_follows(rule: &Rule, seen: &Seen) -> Found {
    each(rule, seen, |_, log| {
        let Some(mut behind) = log.behind_close() else {
            return Ok(None);
        };
        match behind.next() {
            None => kept("nothing"),
            Some(first) => Err(followed(first, behind.count() as u64)),
        }
    })
}

/// What came behind a Close, and how much more.
fn followed(first: &Came, more: u64) -> String {
    let first = match &first.what {
        What::Frame(frame) => match frame.opcode {
            Opcode::Close => format!("a second Close: {}", shown(frame)),
            _ => format!("a frame of {}", counted(frame.payload.len() as u64, "byte")),
        },
        What::Breach(breach) => breach.words().to_owned(),
        What::End(_) | What::Stuck => "nothing".to_owned(),
    };
    match more {
        0 => first,
        more => format!("{first}, and {more} more"),
    }
}

/// A Close is answered by a Close.
pub(super) fn answered(rule: &Rule, seen: &Seen) -> Found {
    each(rule, seen, |_, log| match manner(log) {
        Some(how) if log.close().is_some() => kept(how),
        Some(how) => Err(how),
        None => Err(format!("not answered within {}", super::pings::limit())),
    })
}

/// The answer has the code of the Close.
pub(super) fn echoed(rule: &Rule, seen: &Seen) -> Found {
    each(rule, seen, |trial, log| {
        let Some((_, frame)) = log.close() else {
            return Ok(None);
        };
        // An empty Close may be answered by any.
        match (sent_code(trial), code(frame)) {
            (None, _) => Ok(None),
            (sent, came) if sent == came => kept(shown(frame)),
            _ => Err(format!("answered by {}", shown(frame))),
        }
    })
}

/// After both Close frames the server ends TCP.
pub(super) fn tcp_ends(rule: &Rule, seen: &Seen) -> Found {
    each(rule, seen, |_, log| {
        let Some(closed) = log.closed_ns else {
            return Ok(None);
        };
        let waited = log.until_ns.saturating_sub(closed);
        match log.end() {
            Some((at, _)) => {
                let took = at.saturating_sub(closed);
                match took <= CLOSING.0 {
                    true => kept(format!("after {}", human_ns(took))),
                    false => Err(format!("only after {}", human_ns(took))),
                }
            }
            None if waited < CLOSING.0 / 2 => Ok(None),
            None => Err(format!("TCP still open after {}", human_ns(waited))),
        }
    })
}

/// Nobody is known to wait longer for the answer to a Close: `ws` and Tomcat wait half a minute.
const LONGEST_WAIT: Nanos = Nanos::from_secs(31);

/// After a Close that is not answered, the server ends TCP without being asked to.
pub(super) fn ends_alone(rule: &Rule, seen: &Seen) -> Found {
    let open = |log: &Log| {
        let (came, _) = log.close()?;
        log.end()
            .is_none()
            .then(|| log.until_ns.saturating_sub(came.at_ns))
    };
    let waited = seen.log(Trial::Deaf).and_then(open);
    if let Some(waited) = waited.filter(|waited| *waited < LONGEST_WAIT.0) {
        return untold(format!(
            "TCP still open {} after its Close; some wait 30 s, so watch longer by `--for`",
            human_ns(waited)
        ));
    }
    each(rule, seen, |_, log| match (log.close(), log.end()) {
        (Some((came, _)), Some((at, _))) => kept(format!(
            "{} after its Close",
            human_ns(at.saturating_sub(came.at_ns))
        )),
        (Some(_), None) => Err(format!(
            "TCP still open {} after its Close",
            human_ns(waited.unwrap_or_default())
        )),
        (None, _) => Ok(None),
    })
}

/// The code of every Close of the server may be sent.
pub(super) fn codes(rule: &Rule, seen: &Seen) -> Found {
    each(rule, seen, |_, log| -> Said {
        let closes = log
            .frames()
            .filter(|(_, frame)| frame.opcode == Opcode::Close);
        let mut any = false;
        for (_, frame) in closes {
            any = true;
            if let Some(code) = code(frame).filter(|code| !may_be_sent(*code)) {
                return Err(format!("it sent a Close {code}"));
            }
        }
        Ok(any.then(|| "only codes that may be sent".to_owned()))
    })
}

/// A Close that is not allowed is answered as such.
pub(super) fn illegal_close(rule: &Rule, seen: &Seen) -> Found {
    each(rule, seen, |_, log| match (manner(log), log.close()) {
        (Some(how), None) => kept(how),
        (Some(how), Some((_, frame))) => match code(frame) {
            Some(BROKEN | 1007) => kept(how),
            _ => Err(format!("taken for a legal one: {how}")),
        },
        (None, _) => Err(format!("not answered within {}", super::pings::limit())),
    })
}

/// Who fails a connection says so by a Close.
pub(super) fn says_so(rule: &Rule, seen: &Seen) -> Found {
    each(rule, seen, |_, log| match manner(log) {
        Some(how) if log.close().is_some() => kept(how),
        Some(how) => Err(how),
        None => Ok(None),
    })
}

/// A rule about clients, or one that nobody can break.
pub(super) fn not_the_servers(rule: &Rule, _: &Seen) -> Found {
    untold(match rule.id {
        "R11" => "says what a client calls an end; wsbench keeps the four apart",
        _ => "a rule for clients: `reconnect` of wsbench keeps it",
    })
}

/// Every trial on an open connection.
pub(super) const OPEN: &[Trial] = &[
    Trial::Quiet,
    Trial::Deaf,
    Trial::Bystander,
    Trial::LongPing,
    Trial::FragmentedPing,
    Trial::Unmasked,
    Trial::ReservedBit,
    Trial::ReservedOpcode,
    Trial::ReservedControl,
    Trial::BadUtf8,
    Trial::Orphan,
    Trial::Interleaved,
    Trial::HalfCode,
    Trial::BadCode,
    Trial::BadReason,
    Trial::Pings,
    Trial::Burst,
    Trial::UnaskedPong,
    Trial::Within,
    Trial::Close1000,
    Trial::Close1001,
    Trial::Close3000,
    Trial::Close4999,
    Trial::CloseEmpty,
    Trial::Lengths,
    Trial::Fragments,
];
