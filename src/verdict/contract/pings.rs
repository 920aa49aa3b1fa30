//! Judges the server's pings: how regular they are for one client, and how synchronous across clients.
//! `pings_between` and `max_ping_sync`.

use std::collections::BTreeMap;
use std::f64::consts::TAU;

use super::case::{Case, Finding, of, watched_until};
use super::result::{Bounds, at_rank, promised};
use super::window::{Moment, Of, judge_times};
use crate::measure::ConnectionRecord;
use crate::units::{Nanos, Timestamp, counted, human_ns};

/// With fewer clients than this, phases can coincide by chance.
const FEWEST_CLIENTS: usize = 10;

/// Judges `pings_between`: every gap counts, and a silence longer than the window counts as a gap too.
pub(super) fn between(case: &Case<'_>, bounds: Bounds) -> Finding {
    let gaps: Vec<Of<'_, Moment<Nanos>>> = gaps(&case.records)
        .map(|(record, gap)| (record, Moment::exact(gap)))
        .collect();
    let hi = bounds.hi_ns.unwrap_or(Nanos::MAX);
    let silences = case.records.iter().filter_map(|record| silence(record));
    let silent: Vec<Nanos> = silences.filter(|silence| *silence > hi).collect();
    if gaps.is_empty() && silent.is_empty() {
        return Finding::no_data("no connection got two pings");
    }
    let mut finding = judge_times(bounds, &gaps);
    if let Some(longest) = silent.iter().max() {
        let (part, longest) = (of(silent.len(), case.records.len()), human_ns(longest.0));
        let none = format!(
            "{part} got no ping for longer than {}, one for {longest}",
            promised(hi)
        );
        finding.why = match finding.why.as_str() {
            "" => none,
            why => format!("{why}; {none}"),
        };
        finding.passed = false;
    }
    finding
}

/// The time from the last ping (from the 101 if there was none) to the end; `None` if later pings were not recorded.
fn silence(record: &ConnectionRecord) -> Option<Nanos> {
    if record.pings_ns.len() >= ConnectionRecord::MAX_PINGS {
        return None;
    }
    let last = record.pings_ns.last().copied().unwrap_or(record.opened_ns);
    Some(watched_until(record).saturating_since(last))
}

fn gaps<'a>(records: &'a [&'a ConnectionRecord]) -> impl Iterator<Item = Of<'a, Nanos>> {
    let of = |record: &&'a ConnectionRecord| {
        let record = *record;
        let pairs = record.pings_ns.windows(2);
        pairs.map(move |pair| (record, pair[1].saturating_since(pair[0])))
    };
    records.iter().flat_map(of)
}

/// Judges `max_ping_sync`: the mean resultant length of the phases of pings, one turn (interval) at a time.
///
/// Leaves out the first ping of a connection: it may depend on the 101, and wsbench spreads those itself. Judges each
/// turn of one interval separately, so that drift of the server's clock does not hide synchronous pings.
pub(super) fn sync(case: &Case<'_>, most: f64) -> Finding {
    let clients: Vec<&&ConnectionRecord> = (case.records.iter())
        .filter(|record| record.pings_ns.len() >= 2)
        .collect();
    let few = |clients: usize| {
        Finding::no_data(format!(
            "too few pings: {} with two pings or more, and {FEWEST_CLIENTS} are wanted",
            of(clients, case.records.len())
        ))
    };
    if clients.len() < FEWEST_CLIENTS {
        return few(clients.len());
    }
    let mut sorted: Vec<Nanos> = gaps(&case.records).map(|(_, gap)| gap).collect();
    sorted.sort_unstable();
    let interval = at_rank(&sorted, 50).unwrap_or_default().max(Nanos(1));
    let later = clients
        .iter()
        .flat_map(|record| record.pings_ns[1..].iter());
    let Some(sync) = resultant(interval, later.copied()) else {
        return few(clients.len());
    };
    let count = counted(clients.len() as u64, "connection");
    let mut why = format!(
        "{sync:.2} over {count}, one ping every {}",
        human_ns(interval.0)
    );
    let passed = sync <= most;
    let opened = clients.iter().map(|record| record.opened_ns);
    if !passed && let Some(own) = in_step(interval, opened).filter(|own| *own > most) {
        why += &format!(
            "; the connections themselves opened in step ({own:.2}): spread `ramp_up` over {}",
            human_ns(interval.0)
        );
    }
    Finding::counted(clients.len(), passed, why)
}

/// The mean, weighted by the number of pings in each turn; `None` if no turn has enough pings.
fn resultant(interval: Nanos, pings: impl Iterator<Item = Timestamp> + Clone) -> Option<f64> {
    let (first, last) = (pings.clone().min()?, pings.clone().max()?);
    let mut turns: BTreeMap<u64, (usize, f64, f64)> = BTreeMap::new();
    for ping in pings {
        let passed = ping.saturating_since(first);
        let (sin, cos) = phase(passed, interval).sin_cos();
        let turn = turns.entry(passed / interval).or_default();
        *turn = (turn.0 + 1, turn.1 + sin, turn.2 + cos);
    }
    turns.retain(|_, (count, ..)| *count >= FEWEST_CLIENTS);
    // A turn that the last ping cuts short covers only a part of the circle, and would look like synchronous pings.
    let is_whole = |turn: u64| first + (turn + 1) * interval <= last + interval / 4;
    if turns.keys().any(|turn| is_whole(*turn)) {
        turns.retain(|turn, _| is_whole(*turn));
    }
    let all: usize = turns.values().map(|(count, ..)| count).sum();
    let length: f64 = turns.values().map(|(_, sin, cos)| sin.hypot(*cos)).sum();
    (all > 0).then(|| length / all as f64)
}

fn in_step(interval: Nanos, times: impl Iterator<Item = Timestamp> + Clone) -> Option<f64> {
    let all = times.clone().count();
    let sums =
        times.map(|time| phase(time.saturating_since(Timestamp::ORIGIN), interval).sin_cos());
    let (sin, cos) = sums.fold((0.0, 0.0), |sum, (sin, cos)| (sum.0 + sin, sum.1 + cos));
    (all > 0).then(|| f64::hypot(sin, cos) / all as f64)
}

/// The phase in radians, from 0 to 2π.
fn phase(passed: Nanos, interval: Nanos) -> f64 {
    TAU * (passed.0 % interval.0) as f64 / interval.0 as f64
}
