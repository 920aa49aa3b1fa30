//! Compares times with a window, and explains those outside of it.
//! Allows for the uncertainty of a time: it is outside only if that is certain; where this mattered, the result says
//! so.

use super::case::{Case, Finding, is_reconnect, of, watched_until};
use super::result::{Bounds, Judged, Occurred, Times, promised};
use crate::measure::ConnectionRecord;
use crate::scenario::{Origin, Span};
use crate::units::{Nanos, Timestamp, human_ns};

/// The resolution of the time at which TCP ended: the kernel's clock of ticks, at 250 ticks a second.
pub(super) const TCP_END_GRAIN: Nanos = Nanos::from_millis(4);

/// A time, of the run or after an origin, and its uncertainty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment<T> {
    pub(super) at: T,
    /// How much earlier it may have been.
    pub(super) sooner: Nanos,
    /// How much later it may have been.
    pub(super) later: Nanos,
}

impl<T> Moment<T> {
    /// A moment stamped by the kernel.
    pub(super) const fn exact(at: T) -> Self {
        Self {
            at,
            sooner: Nanos::ZERO,
            later: Nanos::ZERO,
        }
    }

    /// A moment at which TCP ended.
    pub(super) const fn tcp_end(at: T) -> Self {
        Self {
            at,
            sooner: TCP_END_GRAIN,
            later: TCP_END_GRAIN,
        }
    }
}

impl Moment<Timestamp> {
    /// The moment at which the server decided to end this connection.
    pub(super) fn decision(record: &ConnectionRecord) -> Option<Self> {
        let at = record.decided_ns()?;
        Some(match record.close_received_ns {
            Some(_) => Self::exact(at),
            None => Self::tcp_end(at),
        })
    }
}

/// What was seen of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Occurrence {
    /// It happened at this time after the origin.
    After(Moment<Nanos>),
    /// It happened before the origin, or although the origin never came.
    Before,
    /// It did not happen within this time.
    NotIn(Nanos),
    /// The origin never came, so there was nothing to time.
    NoOrigin,
    /// The end of the run cut short a reconnect, so it proves nothing.
    CutShort,
}

/// What was seen of one connection, with its record.
pub(super) type Of<'a, T> = (&'a ConnectionRecord, T);

impl Judged {
    /// What was seen of the connection with this record.
    pub(super) fn of(record: &ConnectionRecord, seen: Occurred, held: bool) -> Self {
        Self {
            connection: record.connection,
            level_ns: record.level_ns,
            seen,
            held,
        }
    }
}

impl Bounds {
    /// Whether a time is not certainly outside.
    fn allow(self, at: &Moment<Nanos>) -> bool {
        let is_late = self
            .hi_ns
            .is_some_and(|hi| at.at.saturating_sub(at.sooner) > hi);
        at.at + at.later >= self.lo_ns && !is_late
    }
}

/// One row of evidence where something had to happen within these bounds.
fn judged(bounds: Bounds, (record, seen): &Of<'_, Occurrence>) -> Judged {
    let (seen, held) = match seen {
        Occurrence::After(at) => (Occurred::After(at.at), bounds.allow(at)),
        Occurrence::Before => (Occurred::Before, false),
        Occurrence::NotIn(watched) => (Occurred::NotIn(*watched), false),
        Occurrence::NoOrigin => (Occurred::NoOrigin, false),
        Occurrence::CutShort => (Occurred::CutShort, true),
    };
    Judged::of(record, seen, held)
}

/// Looks for an event in a record that is promised at most `hi` after the contract's origin.
pub(super) fn look(
    case: &Case<'_>,
    record: &ConnectionRecord,
    event: Option<Moment<Timestamp>>,
    hi: Nanos,
) -> Occurrence {
    match (case.origin(record), event) {
        (Some(origin), Some(event)) if event.at + event.later >= origin => {
            Occurrence::After(Moment {
                at: event.at.saturating_since(origin),
                sooner: event.sooner,
                later: event.later,
            })
        }
        (_, Some(_)) => Occurrence::Before,
        (None, None) if is_reconnect(record) => Occurrence::CutShort,
        (None, None) => Occurrence::NoOrigin,
        (Some(origin), None) => match watched_until(record).saturating_since(origin) {
            watched if watched < hi && is_reconnect(record) => Occurrence::CutShort,
            watched => Occurrence::NotIn(watched),
        },
    }
}

/// Judges what was seen against a window whose times begin at `from`.
pub(super) fn judge(bounds: Bounds, from: Origin, all_seen: &[Of<'_, Occurrence>]) -> Finding {
    let seen: Vec<Occurrence> = all_seen.iter().map(|(_, seen)| *seen).collect();
    let after = |seen: &Occurrence| match seen {
        Occurrence::After(at) => Some(*at),
        _ => None,
    };
    let moments: Vec<Moment<Nanos>> = seen.iter().filter_map(after).collect();
    let count = |wanted: Occurrence| seen.iter().filter(|seen| **seen == wanted).count();
    let all = seen.len() - count(Occurrence::CutShort);
    let mut broken = outside(bounds, &moments, all);
    let before = count(Occurrence::Before);
    if before > 0 {
        broken.push(format!("{} {}", of(before, all), before_origin(from)));
    }
    broken.extend(not_seen(bounds, &seen, all));
    let without = count(Occurrence::NoOrigin);
    if without > 0 {
        broken.push(format!("{} {}", of(without, all), no_origin(from)));
    }
    let passed = broken.is_empty() && all > 0;
    let mut said = broken;
    if all == 0 {
        said.push("every connection was cut short by the end of the run".to_owned());
    } else {
        said.extend(passed.then(|| close_calls(bounds, &moments)).flatten());
    }
    Finding {
        n: all as u64,
        times: Times::of(moments.iter().map(|at| at.at).collect()),
        passed,
        why: said.join("; "),
        judged: all_seen.iter().map(|one| judged(bounds, one)).collect(),
    }
}

/// As [`judge`], for times with another origin than the contract's, all of which were seen.
pub(super) fn judge_times(bounds: Bounds, seen: &[Of<'_, Moment<Nanos>>]) -> Finding {
    let moments: Vec<Moment<Nanos>> = seen.iter().map(|(_, at)| *at).collect();
    let broken = outside(bounds, &moments, moments.len());
    let passed = broken.is_empty();
    let mut said = broken;
    said.extend(passed.then(|| close_calls(bounds, &moments)).flatten());
    let judged = seen.iter();
    let judged =
        judged.map(|(record, at)| Judged::of(record, Occurred::After(at.at), bounds.allow(at)));
    Finding {
        n: moments.len() as u64,
        times: Times::of(moments.iter().map(|at| at.at).collect()),
        passed,
        why: said.join("; "),
        judged: judged.collect(),
    }
}

/// As [`judge_times`], where `never` were not seen, which breaks the promise: `what` says what those did not do.
pub(super) fn judge_all(
    bounds: Bounds,
    moments: &[Of<'_, Moment<Nanos>>],
    never: Vec<Judged>,
    what: &str,
) -> Finding {
    let mut finding = judge_times(bounds, moments);
    if !never.is_empty() {
        let all = moments.len() + never.len();
        let part = format!("{} {what}", of(never.len(), all));
        finding.judged.extend(never);
        finding.why = match finding.why.as_str() {
            "" => part,
            why => format!("{why}; {part}"),
        };
        finding.passed = false;
        finding.n = all as u64;
    }
    finding
}

/// Describes the times that were certainly too early or too late.
pub(super) fn outside(bounds: Bounds, moments: &[Moment<Nanos>], all: usize) -> Vec<String> {
    let mut said = Vec::new();
    let early = moments.iter().filter(|at| at.at + at.later < bounds.lo_ns);
    let early: Vec<Nanos> = early.map(|at| at.at).collect();
    if let Some(first) = early.iter().min() {
        let (first, lo) = (human_ns(first.0), promised(bounds.lo_ns));
        said.push(format!(
            "{} sooner than {lo}, the first after {first}",
            of(early.len(), all)
        ));
    }
    if let Some(hi) = bounds.hi_ns {
        let late = moments
            .iter()
            .filter(|at| at.at.saturating_sub(at.sooner) > hi);
        let late: Vec<Nanos> = late.map(|at| at.at).collect();
        if let Some(last) = late.iter().max() {
            let (last, hi) = (human_ns(last.0), promised(hi));
            said.push(format!(
                "{} later than {hi}, the last after {last}",
                of(late.len(), all)
            ));
        }
    }
    said
}

/// Describes the connections to which it did not happen, by whether they were watched for long enough.
fn not_seen(bounds: Bounds, seen: &[Occurrence], all: usize) -> Vec<String> {
    let until = bounds.hi_ns.unwrap_or(bounds.lo_ns);
    let watched = seen.iter().filter_map(|seen| match seen {
        Occurrence::NotIn(watched) => Some(*watched),
        _ => None,
    });
    let (long, short): (Vec<Nanos>, Vec<Nanos>) = watched.partition(|watched| *watched >= until);
    let mut said = Vec::new();
    if let Some(least) = long.iter().min() {
        said.push(format!(
            "{} not seen by {}, watched for {} or longer",
            of(long.len(), all),
            promised(until),
            human_ns(least.0)
        ));
    }
    if let Some(least) = short.iter().min() {
        said.push(format!(
            "{} undecided when they ended, some after {} only",
            of(short.len(), all),
            human_ns(least.0)
        ));
    }
    said
}

/// Describes the times that count as inside only because of their uncertainty.
fn close_calls(bounds: Bounds, moments: &[Moment<Nanos>]) -> Option<String> {
    let is_outside =
        |at: &&Moment<Nanos>| at.at < bounds.lo_ns || bounds.hi_ns.is_some_and(|hi| at.at > hi);
    let close: Vec<&Moment<Nanos>> = moments.iter().filter(is_outside).collect();
    let grain = close.iter().map(|at| at.sooner.max(at.later)).max()?;
    Some(format!(
        "{} outside by less than {}, the uncertainty of these times",
        of(close.len(), moments.len()),
        human_ns(grain.0)
    ))
}

fn before_origin(from: Origin) -> &'static str {
    match from {
        Origin::Open => "before their 101",
        Origin::Ready => "before they were ready",
        Origin::Fault => "before the fault",
        Origin::Ping => "before any unanswered ping",
        Origin::LastByte => "before the client's last byte",
        Origin::Close => "before the client's Close frame",
    }
}

fn no_origin(from: Origin) -> &'static str {
    match from {
        Origin::Open => "never opened",
        Origin::Ready => "never was ready",
        Origin::Fault => "saw no fault begin",
        Origin::Ping => "got no ping to leave unanswered",
        Origin::LastByte => "never sent a byte",
        Origin::Close => "sent no Close frame",
    }
}

impl From<Span> for Bounds {
    fn from(span: Span) -> Self {
        Self {
            lo_ns: span.lo.into(),
            hi_ns: span.hi.map(Nanos::from),
        }
    }
}
