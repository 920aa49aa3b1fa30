//! Judges the server's decision to end a connection: when, with which code, and how it looks to the client.
//! `closed_between`, `code` and `ends_with`.

use std::collections::BTreeMap;

use super::case::{Case, Finding, end_of, is_reconnect, of};
use super::result::Bounds;
use super::window::{Moment, Occurrence, Of, judge, look};
use crate::measure::{ConnectionRecord, EndedBy};
use crate::scenario::End;
use crate::units::{Nanos, human_count};

/// Judges `closed_between`.
pub(super) fn between(case: &Case<'_>, bounds: Bounds) -> Finding {
    let hi = bounds.hi_ns.unwrap_or(Nanos::MAX);
    let seen: Vec<Of<'_, Occurrence>> = (case.records.iter())
        .map(|record| (*record, look(case, record, Moment::decision(record), hi)))
        .collect();
    let mut finding = judge(bounds, case.contract.from, &seen);
    let mut said = vec![std::mem::take(&mut finding.why)];
    said.extend(bare_ends(case));
    said.extend(others(case));
    said.retain(|part| !part.is_empty());
    finding.why = said.join("; ");
    finding
}

/// Describes ends of TCP without a Close frame: the client cannot tell whether the server or a proxy ended it.
fn bare_ends(case: &Case<'_>) -> Option<String> {
    if case.is_direct() {
        return None;
    }
    let decided = case
        .records
        .iter()
        .filter(|record| record.ended_by == EndedBy::Server);
    let (mut fin, mut rst) = (0, 0);
    for record in decided {
        match end_of(record) {
            End::Fin => fin += 1,
            End::Rst => rst += 1,
            End::CloseFrame | End::Nothing => {}
        }
    }
    let parts = [(fin, "FIN"), (rst, "RST")];
    let named: Vec<String> = (parts.iter())
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{} {name}", human_count(*count)))
        .collect();
    (!named.is_empty()).then(|| {
        let named = named.join(" and ");
        match case.cohort.sees_frames() {
            true => format!("{named} without a Close frame (a proxy's cut, or the server's own)"),
            false => format!("{named}; whether a Close frame came before was not read"),
        }
    })
}

/// Explains why some connections could not be decided: something else than the server ended them.
fn others(case: &Case<'_>) -> Option<String> {
    let by = |who| {
        case.records
            .iter()
            .filter(|record| record.ended_by == who)
            .count()
    };
    let (fault, heartbeat) = (by(EndedBy::Fault), by(EndedBy::Heartbeat));
    let mut said = Vec::new();
    if fault > 0 {
        said.push(format!(
            "{} ended by the client's fault",
            human_count(fault as u64)
        ));
    }
    if heartbeat > 0 {
        let heartbeat = human_count(heartbeat as u64);
        said.push(format!(
            "{heartbeat} given up by the client's own heartbeat"
        ));
    }
    (!said.is_empty()).then(|| said.join("; "))
}

/// Judges `code`: the codes with which the server ended connections, and its answers to a Close frame that is the
/// client's fault.
pub(super) fn code(case: &Case<'_>, codes: &[u16]) -> Finding {
    let judged: Vec<&&ConnectionRecord> = (case.records.iter())
        .filter(|record| !is_cut_short(record))
        .collect();
    let mut wrong: BTreeMap<String, usize> = BTreeMap::new();
    for record in &judged {
        let came = record.close_received_ns.and(record.close_code);
        let is_ours = matches!(record.ended_by, EndedBy::Plan | EndedBy::Heartbeat);
        let found = match came {
            _ if is_ours => "were not ended by the server".to_owned(),
            Some(code) if codes.contains(&code) => continue,
            Some(1005) => "had no code (1005)".to_owned(),
            Some(code) => format!("had {code}"),
            None => "had no Close frame (1006)".to_owned(),
        };
        *wrong.entry(found).or_default() += 1;
    }
    let all = judged.len();
    let why: Vec<String> = (wrong.iter())
        .map(|(found, count)| format!("{} {found}", of(*count, all)))
        .collect();
    Finding::counted(all, wrong.is_empty() && all > 0, why.join("; "))
}

/// Judges `ends_with`.
pub(super) fn ends_with(case: &Case<'_>, ends: &[End]) -> Finding {
    let judged: Vec<&&ConnectionRecord> = (case.records.iter())
        .filter(|record| !is_cut_short(record) || ends.contains(&End::Nothing))
        .collect();
    let mut wrong: BTreeMap<End, usize> = BTreeMap::new();
    for record in &judged {
        let end = end_of(record);
        if !ends.contains(&end) {
            *wrong.entry(end).or_default() += 1;
        }
    }
    let all = judged.len();
    let why: Vec<String> = (wrong.iter())
        .map(|(end, count)| format!("{} {}", of(*count, all), with(*end)))
        .collect();
    Finding::counted(all, wrong.is_empty() && all > 0, why.join("; "))
}

fn with(end: End) -> &'static str {
    match end {
        End::CloseFrame => "ended with a Close frame",
        End::Fin => "ended with a FIN, without a Close frame",
        End::Rst => "ended with a RST, without a Close frame",
        End::Nothing => "were not ended by the server",
    }
}

/// Whether the end of the run cut short the last connection of a client that reconnects, so that neither side decided to
/// end it.
fn is_cut_short(record: &ConnectionRecord) -> bool {
    is_reconnect(record) && record.ended_by == EndedBy::Plan
}
