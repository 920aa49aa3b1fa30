//! Checks that the server closes no healthy connection: `closed` and `alive_for`.
//! If it closed none of `n`, the result states the upper bound of how often it can happen.

use super::case::{Case, Finding, of};
use super::result::{Bounds, Judged, Occurred, Times, promised};
use super::window::{Moment, Occurrence, look};
use crate::measure::{ConnectionRecord, EndedBy};
use crate::units::{Nanos, human_count, human_ns};

/// Judges `closed`: the server ended at most `most` connections.
pub(super) fn at_most(case: &Case<'_>, most: u64) -> Finding {
    let all = case.records.len();
    let closed: Vec<&&ConnectionRecord> = (case.records.iter())
        .filter(|record| record.ended_by == EndedBy::Server)
        .collect();
    let passed = closed.len() as u64 <= most;
    let mut said = Vec::new();
    match closed.iter().filter_map(|record| age(record)).min() {
        Some(first) => said.push(format!(
            "{} ended by the server, the first after {}",
            of(closed.len(), all),
            human_ns(first.0)
        )),
        None if closed.is_empty() => said.push(none_of(all)),
        None => said.push(format!("{} ended by the server", of(closed.len(), all))),
    }
    let dead = (case.records.iter())
        .filter(|record| record.ended_by == EndedBy::Heartbeat)
        .count();
    if dead > 0 {
        let dead = human_count(dead as u64);
        said.push(format!("{dead} given up by the client's own heartbeat"));
    }
    Finding::counted(all, passed, said.join("; "))
}

fn age(record: &ConnectionRecord) -> Option<Nanos> {
    Some(record.decided_ns()?.saturating_since(record.opened_ns))
}

/// Judges `alive_for`: the server ended no connection sooner. The times are how long each connection was seen alive.
pub(super) fn alive_for(case: &Case<'_>, bounds: Bounds) -> Finding {
    let time = bounds.lo_ns;
    let (mut alive, mut judged) = (Vec::new(), Vec::new());
    let (mut cut, mut early, mut short, mut without) = (Vec::new(), 0, Vec::new(), 0);
    for record in &case.records {
        let (seen, held) = match look(case, record, Moment::decision(record), time) {
            Occurrence::After(at) => {
                alive.push(at.at);
                let is_cut = at.at + at.later < time;
                cut.extend(is_cut.then_some(at.at));
                (Occurred::After(at.at), !is_cut)
            }
            Occurrence::NotIn(watched) => {
                alive.push(watched);
                short.extend((watched < time).then_some(watched));
                (Occurred::NotIn(watched), watched >= time)
            }
            Occurrence::Before => {
                early += 1;
                (Occurred::Before, false)
            }
            Occurrence::NoOrigin => {
                without += 1;
                (Occurred::NoOrigin, false)
            }
            Occurrence::CutShort => (Occurred::CutShort, true),
        };
        judged.push(Judged::of(record, seen, held));
    }
    let all = alive.len() + early + without;
    let mut said = Vec::new();
    if let Some(first) = cut.iter().min() {
        let (part, first) = (of(cut.len(), all), human_ns(first.0));
        said.push(format!(
            "{part} ended by the server, the first after {first}"
        ));
    }
    if let Some(least) = short.iter().min() {
        let (part, least) = (of(short.len(), all), human_ns(least.0));
        let time = promised(time);
        said.push(format!(
            "{part} watched for less than {time}, some for {least} only"
        ));
    }
    if early > 0 {
        said.push(format!("{} ended before it began", of(early, all)));
    }
    if without > 0 {
        let from = case.contract.from.name();
        said.push(format!(
            "{} never came to `from = \"{from}\"`",
            of(without, all)
        ));
    }
    let passed = said.is_empty() && all > 0;
    if passed {
        said.push(none_of(all));
    }
    if all == 0 {
        said.push("every connection was cut short by the end of the run".to_owned());
    }
    Finding {
        n: all as u64,
        times: Times::of(alive),
        passed,
        why: said.join("; "),
        judged,
    }
}

/// The exact form of the rule of three: an event seen in none of `n` has a probability below `1 - 0.05^(1/n)`.
fn none_of(all: usize) -> String {
    let most = (1.0 - 0.05_f64.powf(1.0 / all as f64)) * 100.0;
    let most = match most {
        10.0.. => format!("{most:.0}"),
        1.0.. => format!("{most:.1}"),
        _ => format!("{most:.2}"),
    };
    format!(
        "none of {}: with 95 % confidence less than {most} %",
        human_count(all as u64)
    )
}
