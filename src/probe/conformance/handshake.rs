//! Judges the opening handshake.

use super::super::opener::head;
use super::judged::{Found, Outcome, each, kept};
use super::log::{Log, Seen};
use super::rules::Rule;
use super::trial::Trial;
use crate::metric::Cause;

/// The causes that say that a 101 is not one of RFC 6455.
const NO_UPGRADE: [Cause; 2] = [Cause::BadUpgrade, Cause::BadAccept];
/// The causes that say that a 101 grants what was not asked for.
const UNASKED: [Cause; 2] = [Cause::BadSubprotocol, Cause::BadExtension];

/// Whether this failure of the first connection is one of the server's answer, and breaks a rule.
pub(super) fn breaks_a_rule(cause: Cause) -> bool {
    NO_UPGRADE.contains(&cause) || UNASKED.contains(&cause)
}

/// The 101 is complete.
pub(super) fn switches(_: &Rule, seen: &Seen) -> Found {
    first(
        seen,
        &NO_UPGRADE,
        "101 with Upgrade, Connection and the right Sec-WebSocket-Accept",
    )
}

/// The 101 grants nothing that was not offered.
pub(super) fn grants(_: &Rule, seen: &Seen) -> Found {
    first(
        seen,
        &UNASKED,
        "no subprotocol and no extension that was not offered",
    )
}

fn first(seen: &Seen, causes: &[Cause], fine: &str) -> Found {
    match &seen.refused {
        Some((cause, detail)) if causes.contains(cause) => (
            Outcome::Fail,
            format!("{} ({detail})", cause.meaning().trim_end_matches('.')),
        ),
        Some(_) => (
            Outcome::NotTried,
            "the handshake broke another rule".to_owned(),
        ),
        None => (Outcome::Pass, fine.to_owned()),
    }
}

/// A request that is no upgrade request gets an error, and no 101.
pub(super) fn no_101(rule: &Rule, seen: &Seen) -> Found {
    each(rule, seen, |_, log| match status(log) {
        Some(101) => Err("answered by 101".to_owned()),
        Some(status) => kept(status.to_string()),
        None => Err(ended(log)),
    })
}

/// A request with another version gets an error that names the version which the server speaks.
pub(super) fn version(rule: &Rule, seen: &Seen) -> Found {
    each(rule, seen, |_, log| {
        let (_, headers) = head(&log.answer);
        let mut named = headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Version"));
        match (status(log), named.next()) {
            (Some(101), _) => Err("answered by 101".to_owned()),
            (Some(status), Some((_, version))) => {
                kept(format!("{status}, Sec-WebSocket-Version: {version}"))
            }
            (Some(status), None) => Err(format!("{status} without Sec-WebSocket-Version")),
            (None, _) => Err(ended(log)),
        }
    })
}

/// A request that is right in other capitals is taken.
pub(super) fn other_case(rule: &Rule, seen: &Seen) -> Found {
    each(rule, seen, |_, log| match status(log) {
        Some(101) => kept("101"),
        Some(status) => Err(format!("refused with {status}")),
        None => Err(ended(log)),
    })
}

/// An extension that nobody knows is not agreed on.
pub(super) fn extension(rule: &Rule, seen: &Seen) -> Found {
    each(rule, seen, |_, log| {
        let (_, headers) = head(&log.answer);
        let mut agreed = headers
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("Sec-WebSocket-Extensions"));
        match (status(log), agreed.next()) {
            (Some(101), Some((_, agreed))) => Err(format!("agreed to: {agreed}")),
            (Some(101), None) => kept("not agreed to"),
            (Some(status), _) => Err(format!("refused with {status}")),
            (None, _) => Err(ended(log)),
        }
    })
}

/// The status of an answer.
fn status(log: &Log) -> Option<u16> {
    let (line, _) = head(&log.answer);
    line.split(' ').nth(1)?.parse().ok()
}

/// What came instead of an answer of HTTP.
fn ended(log: &Log) -> String {
    match log.answer.is_empty() {
        true => "no answer".to_owned(),
        false => "an answer that is not HTTP".to_owned(),
    }
}

/// The trials with requests of their own.
pub(super) const REQUESTS: &[Trial] = &[
    Trial::OtherVersion,
    Trial::NoKey,
    Trial::Post,
    Trial::OtherCase,
    Trial::Extension,
];
