//! Connections that cannot see their own end: `reaped_between` and `released_within`.
//! On the same host the system's table of sockets tells; elsewhere one probe of each connection, which says only
//! "sooner than this" or "not yet".

use super::case::{Case, Finding, of};
use super::result::Bounds;
use super::window::{Moment, Seen, judge, look, promised};
use crate::measure::{Life, SocketEnd, Sockets};
use crate::units::human_ns;

/// `reaped_between`.
pub(super) fn reaped(case: &Case<'_>, bounds: Bounds) -> Finding {
    match &case.surroundings.sockets {
        Some(sockets) => by_table(case, bounds, sockets, |end| end.left_ns),
        None => by_probes(case, bounds),
    }
}

/// `released_within`.
pub(super) fn released(case: &Case<'_>, bounds: Bounds) -> Finding {
    match &case.surroundings.sockets {
        Some(sockets) => by_table(case, bounds, sockets, |end| end.gone_ns),
        None => Finding::no_data("the server's sockets could not be seen"),
    }
}

/// An event between two looks may have been just after the first.
fn by_table(
    case: &Case<'_>,
    bounds: Bounds,
    sockets: &Sockets,
    event: fn(&SocketEnd) -> Option<u64>,
) -> Finding {
    let hi = bounds.hi_ns.unwrap_or(u64::MAX);
    let found = case.lives.iter().map(|life| (life, socket(life, sockets)));
    let (known, unknown): (Vec<_>, Vec<_>) = found.partition(|(_, end)| end.is_some());
    let seen: Vec<Seen> = (known.iter())
        .filter_map(|(life, end)| Some((life, (*end)?)))
        .map(|(life, end)| {
            let moment = event(end).map(|ns| Moment {
                ns,
                sooner: sockets.resolution_ns,
                later: 0,
            });
            match look(case, life, moment, hi) {
                // Our end of a connection that was given up may be long gone; its socket was watched to the end.
                Seen::NotIn(_) | Seen::CutShort => Seen::NotIn(watched(case, life)),
                seen => seen,
            }
        })
        .collect();
    let mut finding = judge(bounds, case.contract.from, &seen);
    if !unknown.is_empty() {
        let part = of(unknown.len(), case.lives.len());
        let more = match sockets.more {
            0 => "",
            _ => ", for which there was no room",
        };
        let missing = format!("{part} never seen in the system's table of sockets{more}");
        finding.why = match finding.why.as_str() {
            why if !why.is_empty() && !seen.is_empty() => format!("{why}; {missing}"),
            _ => missing,
        };
        finding.n = case.lives.len() as u64;
        finding.passed = false;
    }
    finding
}

fn watched(case: &Case<'_>, life: &Life) -> u64 {
    let end = (case.summary.seconds * 1e9) as u64;
    let origin = case.origin(life).unwrap_or(life.opened_ns);
    end.max(life.ended_ns).saturating_sub(origin)
}

/// The socket at the other end: of those with this port the one first seen nearest to the 101.
fn socket<'a>(life: &Life, sockets: &'a Sockets) -> Option<&'a SocketEnd> {
    let port = life.local_port?;
    let of_port = sockets.ends.iter().filter(|end| end.client_port == port);
    let alive = of_port.filter(|end| end.gone_ns.is_none_or(|gone| gone >= life.opened_ns));
    alive.min_by_key(|end| end.seen_ns.abs_diff(life.opened_ns))
}

/// What the probes of a cohort leave possible.
#[derive(Debug, Default)]
struct Probes {
    alive: Vec<u64>,
    gone: Vec<u64>,
    without_origin: usize,
    not_probed: usize,
}

/// A probe tells the two sides of one moment apart, so a window is tested only by probes on both sides of it.
fn by_probes(case: &Case<'_>, bounds: Bounds) -> Finding {
    let hi = bounds.hi_ns.unwrap_or(u64::MAX);
    let mut probes = Probes::default();
    for life in &case.lives {
        // Who has seen the end itself needs no probe: until then it was there.
        let seen = life.probe.or(life.decided_ns().map(|ns| (ns, false)));
        match (seen, case.origin(life)) {
            (None, _) => probes.not_probed += 1,
            (_, None) => probes.without_origin += 1,
            (Some((at, true)), Some(origin)) => probes.alive.push(at.saturating_sub(origin)),
            (Some((at, false)), Some(origin)) => probes.gone.push(at.saturating_sub(origin)),
        }
    }
    let all = case.lives.len();
    let early = probes.gone.iter().filter(|ns| **ns < bounds.lo_ns).count();
    let late = probes.alive.iter().filter(|ns| **ns > hi).count();
    let mut said = Vec::new();
    let (lo, hi_shown) = (promised(bounds.lo_ns), promised(hi));
    if early > 0 {
        said.push(format!("{} gone before {lo}", of(early, all)));
    }
    if late > 0 {
        said.push(format!("{} still there after {hi_shown}", of(late, all)));
    }
    if bounds.lo_ns > 0 && !(probes.alive.iter().chain(&probes.gone)).any(|ns| *ns < bounds.lo_ns) {
        said.push(format!("none was probed before {lo}"));
    }
    if !(probes.alive.iter().chain(&probes.gone)).any(|ns| *ns >= hi) {
        said.push(format!("none was probed after {hi_shown}"));
    }
    if probes.without_origin > 0 {
        let from = case.contract.from.name();
        let part = of(probes.without_origin, all);
        said.push(format!("{part} never came to `from = \"{from}\"`"));
    }
    if probes.not_probed > 0 {
        said.push(format!("{} were not probed", of(probes.not_probed, all)));
    }
    let passed = said.is_empty();
    said.push(probes.bounds());
    Finding::counted(all, passed, said.join("; "))
}

impl Probes {
    /// The server gave up its last one after the latest sign of life, and its first one before the earliest of death.
    fn bounds(&self) -> String {
        let alive = match self.alive.iter().max() {
            Some(latest) => format!("the latest found alive after {}", human_ns(*latest)),
            None => "none found alive".to_owned(),
        };
        let gone = match self.gone.iter().min() {
            Some(earliest) => format!("the earliest found gone after {}", human_ns(*earliest)),
            None => "none found gone".to_owned(),
        };
        format!("{alive}, {gone} (one probe each)")
    }
}
