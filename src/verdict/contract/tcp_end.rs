//! Judges the end of TCP after the server's decision: `tcp_end_between`.
//! If the client closed first, it counts from the server's Close frame, or from the client's if none came. If the client
//! or the path ended one half of TCP and the server sent no Close frame, it counts from then on.

use super::case::{Case, Finding, is_reconnect, of};
use super::result::Bounds;
use super::window::{Moment, judge_times};
use crate::measure::{ConnectionRecord, EndedBy};
use crate::units::{Nanos, Timestamp, human_ns};

/// Judges `tcp_end_between`.
pub(super) fn between(case: &Case<'_>, bounds: Bounds) -> Finding {
    let mut moments = Vec::new();
    let (mut undecided, mut open) = (0, Vec::new());
    for record in &case.records {
        match (begin(case, record), record.tcp_end_ns) {
            (None, _) if is_reconnect(record) && record.ended_by == EndedBy::Plan => {}
            (None, _) => undecided += 1,
            (Some(begin), Some(end)) => moments.push((*record, after(begin, end, record))),
            (Some(begin), None) => open.push(record.ended_ns.saturating_since(begin)),
        }
    }
    let all = moments.len() + open.len() + undecided;
    let mut finding = judge_times(bounds, &moments);
    let mut said = vec![std::mem::take(&mut finding.why)];
    if let Some(least) = open.iter().min() {
        let (part, least) = (of(open.len(), all), human_ns(least.0));
        said.push(format!(
            "{part} without an end of TCP, watched for {least} or longer"
        ));
    }
    if undecided > 0 {
        said.push(format!("{} not ended by the server", of(undecided, all)));
    }
    if all == 0 {
        said.push("every connection was cut short by the end of the run".to_owned());
    }
    said.retain(|part| !part.is_empty());
    Finding {
        n: all as u64,
        passed: finding.passed && open.is_empty() && undecided == 0 && all > 0,
        why: said.join("; "),
        ..finding
    }
}

/// The time from `begin` to the end of TCP. It is zero where the end of TCP is the decision: no Close frame came, and
/// no half of TCP had been ended before.
fn after(begin: Timestamp, end: Timestamp, record: &ConnectionRecord) -> Moment<Nanos> {
    if record.close_received_ns.is_none() && record.decided_ns() == Some(begin) {
        return Moment::exact(Nanos::ZERO);
    }
    Moment::tcp_end(end.saturating_since(begin))
}

/// The earliest time at which TCP could have ended.
fn begin(case: &Case<'_>, record: &ConnectionRecord) -> Option<Timestamp> {
    match record.ended_by {
        EndedBy::Server => (record.close_received_ns)
            .or_else(|| case.half_closed(record))
            .or(record.tcp_end_ns),
        EndedBy::Fault => (record.close_received_ns)
            .or(record.close_sent_ns)
            .or(record.fault_ns),
        EndedBy::Heartbeat | EndedBy::Plan => None,
    }
}
