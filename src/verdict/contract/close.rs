//! The close handshake that a client begins: `close_answered_within`, `close_code_echoed`, `silent_after_close`
//! (RFC 6455 section 5.5.1).

use std::collections::BTreeMap;

use super::case::{Case, Finding, of, watched_until};
use super::result::{Bounds, Judged, Occurred};
use super::window::{Moment, judge_all};
use crate::measure::{ConnectionRecord, EndedBy};
use crate::units::{Timestamp, human_count};

/// The records in which the client sent the first Close frame, and not because it declared the server dead.
fn closed_by_us<'a>(case: &'a Case<'_>) -> impl Iterator<Item = (&'a ConnectionRecord, Timestamp)> {
    let records = case.records.iter().copied();
    records
        .filter(|record| matches!(record.ended_by, EndedBy::Fault | EndedBy::Plan))
        .filter_map(|record| Some((record, record.close_sent_ns?)))
}

/// Judges `close_answered_within`.
pub(super) fn answered(case: &Case<'_>, bounds: Bounds) -> Finding {
    let mut moments = Vec::new();
    let mut unanswered = Vec::new();
    for (record, sent) in closed_by_us(case) {
        match record.close_received_ns {
            Some(at) => moments.push((record, Moment::exact(at.saturating_since(sent)))),
            None => {
                let watched = watched_until(record).saturating_since(sent);
                unanswered.push(Judged::of(record, Occurred::NotIn(watched), false));
            }
        }
    }
    if moments.is_empty() && unanswered.is_empty() {
        return Finding::no_data("no client sent a Close frame");
    }
    judge_all(bounds, &moments, unanswered, "never answered")
}

/// Judges `close_code_echoed`. The echo of an empty Close frame is an empty one.
pub(super) fn code_echoed(case: &Case<'_>) -> Finding {
    let mut wrong: BTreeMap<String, u64> = BTreeMap::new();
    let mut all = 0;
    for (record, _) in closed_by_us(case) {
        all += 1;
        let sent = record.close_sent_code.unwrap_or(1005);
        let found = match record.close_received_ns.and(record.close_code) {
            Some(code) if code == sent => continue,
            Some(code) => format!("{sent} was answered with {code}"),
            None => format!("{sent} was not answered"),
        };
        *wrong.entry(found).or_default() += 1;
    }
    if all == 0 {
        return Finding::no_data("no client sent a Close frame");
    }
    let why: Vec<String> = (wrong.iter())
        .map(|(found, count)| format!("{found} ×{}", human_count(*count)))
        .collect();
    Finding::counted(all, wrong.is_empty(), why.join("; "))
}

/// Judges `silent_after_close`.
pub(super) fn silent(case: &Case<'_>) -> Finding {
    let closed = case
        .records
        .iter()
        .filter(|record| record.close_received_ns.is_some());
    let frames: Vec<u32> = closed.map(|record| record.frames_after_close).collect();
    if frames.is_empty() {
        return Finding::no_data("no Close frame came");
    }
    let talking = frames.iter().filter(|frames| **frames > 0).count();
    let most = frames.iter().max().copied().unwrap_or(0);
    let why = match talking {
        0 => String::new(),
        _ => {
            let part = of(talking, frames.len());
            format!("{part} got frames after the server's Close, up to {most}")
        }
    };
    Finding::counted(frames.len(), talking == 0, why)
}
