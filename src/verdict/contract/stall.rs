//! Judges `closed_per_stall`: how many connections each freeze of the target, or of the path, costs.
//! Reports every freeze separately, because a mean would hide one freeze that closed all connections.

use std::collections::BTreeMap;

use super::case::{Case, Finding, watched_until};
use crate::measure::{ConnectionRecord, Incident};
use crate::units::{Timestamp, human_count};

/// The most freezes that are listed.
const LISTED: usize = 20;

/// Judges `closed_per_stall`. A connection that the server ends before the next freeze counts for this one.
pub(super) fn judge(case: &Case<'_>, most: u64) -> Finding {
    let mut stalls: Vec<&Incident> = (case.incidents())
        .filter(|incident| incident.kind.is_stall())
        .collect();
    stalls.sort_by_key(|incident| incident.began_ns);
    if stalls.is_empty() {
        return Finding::no_data("nothing was frozen");
    }
    let ends = stalls.iter().skip(1).map(|next| next.began_ns);
    let spans = stalls.iter().zip(ends.chain([Timestamp::NEVER]));
    let costs: Vec<Cost> = spans
        .map(|(stall, end)| Cost::of(&case.records, stall.began_ns, end))
        .collect();
    let highest = costs.iter().map(|cost| cost.closed).max().unwrap_or(0);
    Finding::counted(stalls.len(), highest <= most, told(&costs, highest))
}

/// The cost of one freeze.
struct Cost {
    /// Connections that were open when it began.
    open: u64,
    closed: u64,
    /// The closed connections by close code; `None`: without a Close frame.
    codes: BTreeMap<Option<u16>, u64>,
}

impl Cost {
    fn of(records: &[&ConnectionRecord], began: Timestamp, end: Timestamp) -> Self {
        let mut cost = Self {
            open: 0,
            closed: 0,
            codes: BTreeMap::new(),
        };
        for record in records {
            if (record.opened_ns..=watched_until(record)).contains(&began) {
                cost.open += 1;
            }
            if record
                .decided_ns()
                .is_some_and(|at| (began..end).contains(&at))
            {
                cost.closed += 1;
                *cost.codes.entry(record.close_code).or_default() += 1;
            }
        }
        cost
    }
}

fn told(costs: &[Cost], highest: u64) -> String {
    let listed = costs.iter().take(LISTED);
    let listed: Vec<String> = listed
        .map(|cost| format!("{}/{}", cost.closed, cost.open))
        .collect();
    let more = if costs.len() > LISTED { ", …" } else { "" };
    let closed: u64 = costs.iter().map(|cost| cost.closed).sum();
    let mean = closed as f64 / costs.len() as f64;
    let mut told = format!(
        "closed of open, freeze by freeze: {}{more}; max {highest}, mean {mean:.1}",
        listed.join(", ")
    );
    let mut codes: BTreeMap<Option<u16>, u64> = BTreeMap::new();
    for (code, count) in costs.iter().flat_map(|cost| &cost.codes) {
        *codes.entry(*code).or_default() += count;
    }
    for (code, count) in codes {
        let code = code.map_or_else(|| "no Close frame".to_owned(), |code| code.to_string());
        told += &format!("; {code} ×{}", human_count(count));
    }
    told
}
