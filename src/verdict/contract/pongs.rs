//! Judges the client's own heartbeat: `pong_within`, `detected_between` and `recovers_within`.

use std::collections::BTreeMap;

use super::case::{Case, Finding, watched_until};
use super::result::{Bounds, Judged, Occurred, Times, promised};
use super::window::{Moment, Occurrence, Of, judge, judge_all, look};
use crate::measure::{ConnectionRecord, EndedBy, Histogram, Metric, Summary, Value};
use crate::metric::{Cause, Counter, Timer};
use crate::units::{Nanos, Timestamp, counted, human_count, were};
use crate::verdict::unnamed::Unnamed;

/// Judges `pong_within`: 99 % of the pings of the whole run, timed from when each was due, so that a ping sent late
/// does not hide a late pong. A ping that was never answered counts as later than any limit.
pub(super) fn within(case: &Case<'_>, bounds: Bounds) -> Finding {
    let limit = bounds.hi_ns.unwrap_or_default();
    let latency = Summary::merged(rows(case, Timer::HeartbeatDelay.name()));
    let missed = count(case, Counter::PingsMissed);
    let Some(latency) = latency else {
        return Finding::no_data(match missed {
            0 => "no ping of ours was answered or missed".to_owned(),
            _ => format!("not one pong came; {} missed", counted(missed, "ping")),
        });
    };
    let never = never_answered(case);
    let n = latency.count() + never;
    let passed = p99(&latency, never).is_some_and(|p99| p99 <= limit);
    let times = match (
        latency.min(),
        latency.percentile(50.0),
        latency.percentile(99.0),
        latency.max(),
    ) {
        (Some(min), Some(p50), Some(p99), Some(max)) => Some(Times {
            n: latency.count(),
            min_ns: Nanos(min),
            p50_ns: Nanos(p50),
            p99_ns: Nanos(p99),
            max_ns: Nanos(max),
        }),
        _ => None,
    };
    let mut said = Vec::new();
    if !passed {
        said.push(format!(
            "more than 1 % of the pongs came later than {}",
            promised(limit)
        ));
    }
    if never > 0 {
        let (part, n) = (human_count(never), counted(n, "ping"));
        said.push(format!("{part} of {n} {} never answered", were(never)));
    }
    Finding {
        n,
        times,
        passed,
        why: said.join("; "),
        judged: Vec::new(),
    }
}

fn never_answered(case: &Case<'_>) -> u64 {
    let late = count(case, Counter::PongsLate);
    count(case, Counter::PingsMissed).saturating_sub(late)
}

/// The 99th percentile, where pings that were never answered are the largest values; `None` if it is one of those.
fn p99(times: &Histogram, never: u64) -> Option<Nanos> {
    let rank = ((times.count() + never) * 99).div_ceil(100);
    let percent = rank as f64 * 100.0 / times.count() as f64;
    (rank <= times.count())
        .then(|| times.percentile(percent.min(100.0)))
        .flatten()
        .map(Nanos)
}

/// If `pong_within` is broken only because pings were sent late: the 99th percentile of the pongs, counted from when
/// the ping was due and counted from when it was sent. A ping is handed to the connection however little the server
/// reads, so its lateness is caused by the generator.
pub(super) fn sent_late(case: &Case<'_>, limit: Nanos) -> Option<(Nanos, Nanos)> {
    let of = |timer: Timer| {
        let times = Summary::merged(rows(case, timer.name()))?;
        p99(&times, never_answered(case))
    };
    let (from_due, from_sent) = (of(Timer::HeartbeatDelay)?, of(Timer::HeartbeatRtt)?);
    (from_due > limit && from_sent <= limit).then_some((from_due, from_sent))
}

/// Whether `pong_within` may have another result: it was kept, but more answers came than pings waited for; or it was
/// broken, but not without the pongs of the connections that lost an answer, whose times are too long.
pub(super) fn may_differ(case: &Case<'_>, limit: Nanos, unnamed: &Unnamed) -> bool {
    let Some(times) = Summary::merged(rows(case, Timer::HeartbeatDelay.name())) else {
        return false;
    };
    let never = never_answered(case);
    if p99(&times, never).is_some_and(|p99| p99 <= limit) {
        return unnamed.surplus > 0;
    }
    let connections = u64::from(case.cohort.connections);
    let touched = times.count() * unnamed.timed_out.min(connections);
    let touched = touched.div_ceil(connections.max(1));
    let rank = ((times.count() + never) * 99).div_ceil(100);
    let rest = rank.saturating_sub(touched) as f64 * 100.0 / times.count() as f64;
    let is_below = || match rest > 0.0 {
        true => times
            .percentile(rest)
            .is_some_and(|rest| Nanos(rest) <= limit),
        false => true,
    };
    touched > 0 && rank <= times.count() && is_below()
}

/// Selects from the totals, not the measured window, because a contract covers the whole run.
fn rows<'a>(case: &'a Case<'_>, name: &'a str) -> impl Iterator<Item = &'a Metric> {
    let cohort = Some(case.cohort.name.as_str());
    let totals = case.summary.totals.iter();
    totals.filter(move |row| row.name == name && row.cohort.as_deref() == cohort)
}

fn count(case: &Case<'_>, counter: Counter) -> u64 {
    let counts = rows(case, counter.name()).map(|row| match row.value {
        Value::Counter(count) => count,
        Value::Histogram(_) | Value::Gauge(_) => 0,
    });
    counts.sum()
}

/// Judges `detected_between`: the client's heartbeat declares a silent server dead.
pub(super) fn detected(case: &Case<'_>, bounds: Bounds) -> Finding {
    let hi = bounds.hi_ns.unwrap_or(Nanos::MAX);
    let seen: Vec<Of<'_, Occurrence>> = (case.records.iter())
        .map(|record| {
            let dead = record.dead_ns.map(Moment::exact);
            (*record, look(case, record, dead, hi))
        })
        .collect();
    let mut finding = judge(bounds, case.contract.from, &seen);
    let mut said = vec![std::mem::take(&mut finding.why)];
    said.extend(fingerprints(&case.records));
    said.retain(|part| !part.is_empty());
    finding.why = said.join("; ");
    finding
}

/// Lists what the kernel knew about the connections that were declared dead.
fn fingerprints(records: &[&ConnectionRecord]) -> Option<String> {
    let mut causes: BTreeMap<Cause, u64> = BTreeMap::new();
    for cause in records.iter().filter_map(|record| record.dead_as) {
        *causes.entry(cause).or_default() += 1;
    }
    let named = (causes.iter()).map(|(cause, count)| format!("{} {cause}", human_count(*count)));
    let named: Vec<String> = named.collect();
    (!named.is_empty()).then(|| named.join(", "))
}

/// Judges `recovers_within`: on each connection, from the end of each fault to the next pong or answer.
pub(super) fn recovers(case: &Case<'_>, bounds: Bounds) -> Finding {
    let mut moments = Vec::new();
    let mut never = Vec::new();
    for records in case.records.chunk_by(|a, b| a.connection == b.connection) {
        // What a connection has in common with its reconnects.
        let one = records.iter().min_by_key(|record| record.level_ns);
        let Some(one) = one else { continue };
        let last = records.iter().map(|record| watched_until(record)).max();
        for (began, ended) in faults(case, records) {
            match silent_until(records, began, ended) {
                Silence::None => {}
                Silence::Until(time) => moments.push((*one, Moment::exact(time))),
                Silence::Forever => {
                    let watched = last.unwrap_or(ended).saturating_since(ended);
                    never.push(Judged::of(one, Occurred::NotIn(watched), false));
                }
            }
        }
    }
    if moments.is_empty() && never.is_empty() {
        return Finding::no_data("no connection missed a pong, so none had to recover");
    }
    judge_all(bounds, &moments, never, "never heard from again")
}

/// The faults that ended while this client was connected: its own, and those of the target and the path.
fn faults(case: &Case<'_>, records: &[&ConnectionRecord]) -> Vec<(Timestamp, Timestamp)> {
    let own = records.iter();
    let own = own.filter_map(|record| Some((record.fault_ns?, record.fault_end_ns?)));
    let opened = records
        .iter()
        .map(|record| record.opened_ns)
        .min()
        .unwrap_or_default();
    let over = records
        .iter()
        .map(|record| record.ended_ns)
        .max()
        .unwrap_or_default();
    let around = case.incidents();
    let around = around
        .filter_map(|incident| Some((incident.began_ns, incident.ended_ns?)))
        .filter(|(_, ended)| (opened..over).contains(ended));
    own.chain(around).collect()
}

/// How long after a fault a client still received nothing.
enum Silence {
    /// It missed no pong.
    None,
    Until(Nanos),
    Forever,
}

fn silent_until(records: &[&ConnectionRecord], began: Timestamp, ended: Timestamp) -> Silence {
    let resumed = records
        .iter()
        .flat_map(|record| record.resumed_ns.iter().copied());
    // A client that declared the server dead and dialled again receives its answers on the next connection.
    let next = records
        .iter()
        .filter(|record| record.lost_before_ns >= Some(began));
    let answers = next.filter_map(|record| record.first_answer_ns);
    let heard = resumed.chain(answers).filter(|at| *at >= ended).min();
    let of_this = |at: Timestamp| at >= began;
    let is_lost = records.iter().any(|record| {
        record.dead_ns.is_some_and(of_this)
            || record.ended_by == EndedBy::Server && of_this(record.ended_ns)
    });
    match heard {
        Some(at) => Silence::Until(at.saturating_since(ended)),
        None if is_lost => Silence::Forever,
        None => Silence::None,
    }
}
