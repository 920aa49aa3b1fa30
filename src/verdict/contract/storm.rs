//! Judges `back_within`: when 50, 90, 99 and 100 % are connected again after a loss and have received an answer, or are
//! ready again where they have a set-up.
//! A client that never comes back counts as later than any time.

use super::case::{Case, Finding, watched_until};
use super::result::{Times, at_rank, promised};
use crate::measure::{ConnectionRecord, EndedBy};
use crate::scenario::Back;
use crate::units::{Nanos, Timestamp, human_count, human_ns};

/// Judges `back_within`.
pub(super) fn judge(case: &Case<'_>, promised_back: &Back) -> Finding {
    let mut back: Vec<Option<Nanos>> = (case.records)
        .chunk_by(|a, b| a.connection == b.connection)
        .flat_map(|records| losses(records, !case.cohort.setup.is_empty()))
        .collect();
    if back.is_empty() {
        return Finding::no_data("no connection was lost, so none had to come back");
    }
    // Sorts `None` ("never") last.
    back.sort_by_key(|time| time.unwrap_or(Nanos::MAX));
    let levels = [
        (50, promised_back.p50),
        (90, promised_back.p90),
        (99, promised_back.p99),
        (100, promised_back.all),
    ];
    let mut said = Vec::new();
    let mut passed = true;
    for (percent, limit) in levels {
        let seen = at_rank(&back, percent).flatten();
        let part = if percent == 100 {
            "all".to_owned()
        } else {
            format!("{percent} %")
        };
        let mut told = match seen {
            Some(time) => format!("{part} back after {}", human_ns(time.0)),
            None => format!("{part} never back"),
        };
        if let Some(limit) = limit.map(Nanos::from)
            && seen.is_none_or(|time| time > limit)
        {
            passed = false;
            told += &format!(", promised by {}", promised(limit));
        }
        said.push(told);
    }
    let never = back.iter().filter(|time| time.is_none()).count();
    if never > 0 {
        said.push(format!(
            "{} had no answer to the end",
            human_count(never as u64)
        ));
    }
    Finding {
        n: back.len() as u64,
        times: Times::of(back.into_iter().flatten().collect()),
        passed,
        why: said.join("; "),
        judged: Vec::new(),
    }
}

/// The losses of one client: for each, the time until it was back; `None`: never.
///
/// A connection that is lost again before that does not end the outage of its client.
fn losses(records: &[&ConnectionRecord], has_setup: bool) -> Vec<Option<Nanos>> {
    let back = |record: &ConnectionRecord| match has_setup {
        true => record.ready_ns,
        false => record.first_answer_ns,
    };
    let mut found = Vec::new();
    let mut lost: Option<Timestamp> = None;
    for record in records {
        if let Some(at) = lost.or(record.lost_before_ns)
            && let Some(back) = back(record)
        {
            found.push(Some(back.saturating_since(at)));
            lost = None;
        }
        if record.ended_by != EndedBy::Plan {
            lost.get_or_insert_with(|| loss(record));
        }
    }
    found.extend(lost.map(|_| None));
    found
}

fn loss(record: &ConnectionRecord) -> Timestamp {
    match record.ended_by {
        EndedBy::Server => watched_until(record),
        EndedBy::Heartbeat => record.dead_ns.unwrap_or(record.ended_ns),
        EndedBy::Fault | EndedBy::Plan => record.ended_ns,
    }
}
