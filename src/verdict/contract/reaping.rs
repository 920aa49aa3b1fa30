//! Judges connections whose clients cannot see their end: `reaped_between` and `released_within`.
//! On the same host it reads the system's table of sockets; elsewhere it uses one probe of each connection, which
//! tells only "sooner than this" or "not yet".

use std::collections::HashMap;

use super::case::{Case, Finding, of};
use super::result::{Bounds, promised};
use super::window::{Moment, Occurrence, judge, look};
use crate::measure::{ConnectionRecord, EndedBy, SocketEnd, Sockets};
use crate::scenario::{FaultKind, Origin};
use crate::units::{Nanos, Timestamp, human_ns};

/// Judges `reaped_between`.
pub(super) fn reaped(case: &Case<'_>, bounds: Bounds) -> Finding {
    match &case.surroundings.sockets {
        Some(sockets) => by_table(case, bounds, sockets, Event::Left),
        None => by_probes(case, bounds),
    }
}

/// Judges `released_within`.
pub(super) fn released(case: &Case<'_>, bounds: Bounds) -> Finding {
    match &case.surroundings.sockets {
        Some(sockets) => by_table(case, bounds, sockets, Event::Gone),
        None => Finding::no_data("the server's sockets could not be seen"),
    }
}

/// What happens to the server's socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    /// It leaves `ESTABLISHED`.
    Left,
    /// It is no longer in the table.
    Gone,
}

/// Judges by the table of sockets. An event between two reads of the table may have happened just after the first
/// read.
fn by_table(case: &Case<'_>, bounds: Bounds, sockets: &Sockets, event: Event) -> Finding {
    let hi = bounds.hi_ns.unwrap_or(Nanos::MAX);
    let ports = by_port(sockets, route(case));
    let mut seen = Vec::with_capacity(case.records.len());
    let mut unknown = 0;
    let mut closed_by_us = 0;
    for record in &case.records {
        let of_port = record.local_port.and_then(|port| ports.get(&port));
        let Some(end) = of_port.and_then(|ends| socket(record, ends)) else {
            unknown += 1;
            continue;
        };
        // A socket that leaves `ESTABLISHED` after wsbench closed its end does so because of that close.
        let own = own_end(case, record).filter(|_| event == Event::Left);
        let at = match event {
            Event::Left => end.left_ns,
            Event::Gone => end.gone_ns,
        };
        let is_ours = at.zip(own).is_some_and(|(at, own)| at >= own);
        closed_by_us += usize::from(is_ours);
        let moment = at.filter(|_| !is_ours).map(|at| Moment {
            at,
            sooner: sockets.resolution_ns,
            later: Nanos::ZERO,
        });
        let occurrence = match look(case, record, moment, hi) {
            // If wsbench did not end the connection itself, the socket was watched to the end of the run.
            Occurrence::NotIn(_) | Occurrence::CutShort => {
                Occurrence::NotIn(watched(case, record, own))
            }
            seen => seen,
        };
        seen.push((*record, occurrence));
    }
    let mut finding = judge(bounds, case.contract.from, &seen);
    if closed_by_us > 0 && !finding.passed {
        let part = of(closed_by_us, case.records.len());
        finding.why += &format!("; {part} closed by wsbench first");
    }
    if unknown > 0 {
        let part = of(unknown, case.records.len());
        let more = match sockets.more {
            0 => "",
            _ => ", for which there was no room",
        };
        let missing = format!("{part} never seen in the system's table of sockets{more}");
        finding.why = match finding.why.as_str() {
            why if !why.is_empty() && !seen.is_empty() => format!("{why}; {missing}"),
            _ => missing,
        };
        finding.n = case.records.len() as u64;
        finding.passed = false;
    }
    finding
}

/// How long the socket was watched. From `own` on, its changes are no longer the server's decision.
fn watched(case: &Case<'_>, record: &ConnectionRecord, own: Option<Timestamp>) -> Nanos {
    let end = Timestamp::from_nanos((case.summary.seconds * 1e9) as u64);
    let origin = case.origin(record).unwrap_or(record.opened_ns);
    own.unwrap_or_else(|| end.max(record.ended_ns))
        .saturating_since(origin)
}

/// When wsbench itself began to end this connection in a way that the server could see; `None` if it did not.
fn own_end(case: &Case<'_>, record: &ConnectionRecord) -> Option<Timestamp> {
    if record.ended_by == EndedBy::Server {
        return None;
    }
    let mut faults = case.cohort.faults.iter();
    // A client that vanished and did not come back ends its connection without sending a packet.
    let is_gone = faults.any(|fault| matches!(fault.kind, FaultKind::Vanish { .. }))
        && record.fault_ns.is_some()
        && record.fault_end_ns.is_none();
    let ended = (!is_gone).then_some(record.ended_ns);
    // If the times begin with the client's Close, the promise is about what the server does after that Close.
    let closed = record
        .close_sent_ns
        .filter(|_| case.contract.from != Origin::Close);
    [ended, closed, case.half_closed_by_client(record)]
        .into_iter()
        .flatten()
        .min()
}

/// The route by which the cohort's connections reach the server, as recorded for the server's sockets.
fn route(case: &Case<'_>) -> Option<usize> {
    let path = case.scenario.path.as_ref();
    path.is_some_and(|path| path.leads(&case.cohort.name))
        .then_some(case.index)
}

/// Groups the server's sockets by the client's port. On another route the same port can belong to another client.
fn by_port(sockets: &Sockets, route: Option<usize>) -> HashMap<u16, Vec<&SocketEnd>> {
    let mut ports: HashMap<u16, Vec<&SocketEnd>> = HashMap::new();
    for end in sockets.ends.iter().filter(|end| end.relayed == route) {
        ports.entry(end.client_port).or_default().push(end);
    }
    ports
}

/// The server's socket of this connection: of those with this port, the one first seen nearest to the time of the 101.
fn socket<'a>(record: &ConnectionRecord, of_port: &[&'a SocketEnd]) -> Option<&'a SocketEnd> {
    let alive = |end: &&&SocketEnd| end.gone_ns.is_none_or(|gone| gone >= record.opened_ns);
    let alive = of_port.iter().filter(alive);
    alive
        .min_by_key(|end| end.seen_ns.abs_diff(record.opened_ns))
        .copied()
}

/// What the probes of a cohort show.
#[derive(Debug, Default)]
struct Probes {
    alive: Vec<Nanos>,
    gone: Vec<Nanos>,
    without_origin: usize,
    not_probed: usize,
    /// Ends that the client's own kernel reported.
    exact: usize,
}

/// Judges by probes. One probe shows only whether the end came before or after it, so a window is tested only by
/// probes on both sides of it.
fn by_probes(case: &Case<'_>, bounds: Bounds) -> Finding {
    let hi = bounds.hi_ns.unwrap_or(Nanos::MAX);
    let mut probes = Probes::default();
    for record in &case.records {
        match (record.probe, record.decided_ns(), case.origin(record)) {
            (None, None, _) => probes.not_probed += 1,
            (_, _, None) => probes.without_origin += 1,
            (Some((at, true)), _, Some(origin)) => probes.alive.push(at.saturating_since(origin)),
            (Some((at, false)), _, Some(origin)) => probes.gone.push(at.saturating_since(origin)),
            // If the client's own kernel saw the end, no probe is needed: the server was there until then, and not
            // after.
            (None, Some(at), Some(origin)) => {
                probes.exact += 1;
                probes.alive.push(at.saturating_since(origin));
                probes.gone.push(at.saturating_since(origin));
            }
        }
    }
    let all = case.records.len();
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
    let is_exact = probes.exact > 0;
    if bounds.lo_ns > Nanos::ZERO
        && !is_exact
        && !(probes.alive.iter().chain(&probes.gone)).any(|ns| *ns < bounds.lo_ns)
    {
        said.push(format!("none was probed before {lo}"));
    }
    if !is_exact && !(probes.alive.iter().chain(&probes.gone)).any(|ns| *ns >= hi) {
        said.push(format!("none was probed after {hi_shown}"));
    }
    if probes.without_origin > 0 {
        let from = case.contract.from.name();
        let part = of(probes.without_origin, all);
        said.push(format!("{part} never came to `from = \"{from}\"`"));
    }
    if probes.not_probed > 0 {
        let why = match case.promises_its_end() {
            true => ": a probe would move the end that `closed_between` is about",
            false => "",
        };
        said.push(format!("{} not probed{why}", of(probes.not_probed, all)));
    }
    let passed = said.is_empty();
    said.push(probes.bounds());
    Finding::counted(all, passed, said.join("; "))
}

impl Probes {
    /// Says when the server gave up connections: the last one after the latest probe that found one alive, the first
    /// one before the earliest probe that found one gone.
    fn bounds(&self) -> String {
        let alive = match self.alive.iter().max() {
            Some(latest) => format!("the latest found alive after {}", human_ns(latest.0)),
            None => "none found alive".to_owned(),
        };
        let gone = match self.gone.iter().min() {
            Some(earliest) => format!("the earliest found gone after {}", human_ns(earliest.0)),
            None => "none found gone".to_owned(),
        };
        match self.alive.len() + self.gone.len() - 2 * self.exact {
            0 => format!("{alive}, {gone}"),
            _ => format!("{alive}, {gone} (one probe each, by a pong)"),
        }
    }
}
