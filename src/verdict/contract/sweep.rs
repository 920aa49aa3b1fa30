//! Judges `effective_timeout`: finds how late a pong may be by giving each connection another delay.
//! Assumes only that a longer delay kills at least as many connections, and no shape of the curve.

use std::collections::BTreeMap;

use super::case::{Case, Finding};
use super::result::{Bounds, Judged, Occurred, Times, promised};

use crate::measure::{ConnectionRecord, EndedBy};
use crate::units::{Nanos, Timestamp, counted, human_ns};

/// The quantile of the normal distribution at 97.5 %.
const Z: f64 = 1.959_964;

/// The connections with one delay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Level {
    delay: Nanos,
    all: u64,
    killed: u64,
}

/// Judges `effective_timeout`.
pub(super) fn judge(case: &Case<'_>, bounds: Bounds) -> Finding {
    let levels = levels(case);
    let n: u64 = levels.iter().map(|level| level.all).sum();
    let asked = n as usize;
    let finding = Finding {
        judged: asked_records(case).map(judged).collect(),
        ..found(bounds, &levels, n)
    };
    finding.without_unasked(asked, case.records.len() - asked)
}

/// Whether a connection was cut off. A single one neither keeps nor breaks the promise.
fn judged(record: &ConnectionRecord) -> Judged {
    let lived = |until: Timestamp| until.saturating_since(record.opened_ns);
    let seen = match record.ended_by {
        EndedBy::Server => Occurred::After(lived(record.decided_ns().unwrap_or(record.ended_ns))),
        _ => Occurred::NotIn(lived(record.ended_ns)),
    };
    Judged::of(record, seen, true)
}

fn found(bounds: Bounds, levels: &[Level], n: u64) -> Finding {
    let (Some(first), Some(last)) = (levels.first(), levels.last()) else {
        return Finding::no_data("no connection got a ping");
    };
    let Some(threshold) = threshold(levels) else {
        let why = if last.killed * 2 < last.all {
            format!("even pongs {} late were in time", human_ns(last.delay.0))
        } else {
            format!("even pongs {} late were too late", human_ns(first.delay.0))
        };
        return Finding {
            n,
            ..Finding::no_data(why)
        };
    };
    let (lo, hi) = interval(levels);
    let hi_ns = bounds.hi_ns.unwrap_or(Nanos::MAX);
    let passed = (bounds.lo_ns..=hi_ns).contains(&threshold);
    let shown = |bound: Option<Nanos>, open: &str| {
        bound.map_or_else(|| open.to_owned(), |bound| human_ns(bound.0))
    };
    let why = format!(
        "half of the pongs are too late from {} on; 95 %: {} to {}; {} of {} to {}",
        human_ns(threshold.0),
        shown(lo, "any"),
        shown(hi, "any"),
        counted(levels.len() as u64, "delay"),
        promised(first.delay),
        promised(last.delay),
    );
    let upper = hi.unwrap_or(last.delay);
    Finding {
        n,
        times: Some(Times {
            n,
            min_ns: lo.unwrap_or(first.delay),
            p50_ns: threshold,
            p99_ns: upper,
            max_ns: upper,
        }),
        passed,
        why,
        judged: Vec::new(),
    }
}

/// The records of clients with a delay. Leaves out those that received no ping, because they sent no pong.
fn asked_records<'a>(case: &'a Case<'_>) -> impl Iterator<Item = &'a ConnectionRecord> {
    let records = case.records.iter().copied();
    let is_asked = |record: &&ConnectionRecord| {
        let got_ping = !record.pings_ns.is_empty() || record.unanswered_ping_ns.is_some();
        record.level_ns.is_some() && got_ping
    };
    records.filter(is_asked)
}

/// Groups the connections by delay.
fn levels(case: &Case<'_>) -> Vec<Level> {
    let mut levels: BTreeMap<Nanos, Level> = BTreeMap::new();
    for record in asked_records(case) {
        let delay = record.level_ns.unwrap_or_default();
        let level = levels.entry(delay).or_default();
        level.delay = delay;
        level.all += 1;
        level.killed += u64::from(record.ended_by == EndedBy::Server);
    }
    levels.into_values().collect()
}

/// The delay at which the share of killed connections, made non-decreasing (pool adjacent violators), passes one half.
fn threshold(levels: &[Level]) -> Option<Nanos> {
    let rising = isotonic(levels);
    let above = rising.iter().position(|share| *share >= 0.5)?;
    let below = above.checked_sub(1)?;
    let (from, to) = (levels[below].delay.0 as f64, levels[above].delay.0 as f64);
    let (low, high) = (rising[below], rising[above]);
    // If the share jumps from 0 to 1, the threshold may be anywhere between the two levels: takes the middle.
    let part = (0.5 - low) / (high - low);
    Some(Nanos((from + part * (to - from)).round() as u64))
}

fn isotonic(levels: &[Level]) -> Vec<f64> {
    let mut pools: Vec<(u64, u64, usize)> = Vec::new();
    for level in levels {
        pools.push((level.killed, level.all, 1));
        while let [.., (killed, all, count), last] = pools[..]
            && killed * last.1 > last.0 * all
        {
            pools.truncate(pools.len() - 2);
            pools.push((killed + last.0, all + last.1, count + last.2));
        }
    }
    let shares = pools.into_iter();
    shares
        .flat_map(|(killed, all, count)| std::iter::repeat_n(killed as f64 / all as f64, count))
        .collect()
}

/// The longest delay that surely kills fewer than half, and the shortest that surely kills more. Neighbouring levels
/// count as evidence too, because the share only rises.
fn interval(levels: &[Level]) -> (Option<Nanos>, Option<Nanos>) {
    let fewer = |at: usize| {
        let mut pools = pooled(levels[at..].iter());
        pools.any(|(killed, all)| wilson(killed, all).1 < 0.5)
    };
    let more = |at: usize| {
        let mut pools = pooled(levels[..=at].iter().rev());
        pools.any(|(killed, all)| wilson(killed, all).0 > 0.5)
    };
    let lo = (0..levels.len()).rev().find(|at| fewer(*at));
    let hi = (0..levels.len()).find(|at| more(*at));
    (lo.map(|at| levels[at].delay), hi.map(|at| levels[at].delay))
}

fn pooled<'a>(levels: impl Iterator<Item = &'a Level>) -> impl Iterator<Item = (u64, u64)> {
    levels.scan((0, 0), |sum, level| {
        *sum = (sum.0 + level.killed, sum.1 + level.all);
        Some(*sum)
    })
}

/// The 95 % interval of a share (Wilson).
fn wilson(part: u64, all: u64) -> (f64, f64) {
    let (n, p) = (all as f64, part as f64 / all as f64);
    let middle = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    ((middle - half) / scale, (middle + half) / scale)
}
