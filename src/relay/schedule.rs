//! What happens on the path of one cohort at a given time. Pure: the caller passes the time, and when the faults'
//! clocks began. Times count from the relay's start.

use crate::measure::IncidentKind;
use crate::scenario::{Direction, Path, PathFault, PathFaultKind};
use crate::units::{Nanos, Timestamp};

/// When the two clocks of faults began; `None` means not yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Origins {
    /// When the first connection came: the zero of faults without `after`.
    pub(super) first_byte: Option<Timestamp>,
    /// When measuring started: the zero of faults with `after`.
    pub(super) measuring: Option<Timestamp>,
}

/// The lasting faults at one time. Faults of the same kind add up; of several throttles, the lowest rate holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Conditions {
    /// Whether nothing passes.
    pub(super) frozen: bool,
    /// The constant part of the delay.
    pub(super) delay: Nanos,
    /// The range of the random part of the delay.
    pub(super) jitter: Nanos,
    /// Whether bytes to the server are dropped.
    pub(super) drops_to_server: bool,
    /// Whether bytes to the clients are dropped.
    pub(super) drops_to_client: bool,
    /// The limit in bytes per second.
    pub(super) rate: Option<u64>,
}

impl Conditions {
    /// Whether bytes in this direction are dropped.
    pub(super) fn drops(&self, direction: Direction) -> bool {
        match direction {
            Direction::ToServer => self.drops_to_server,
            Direction::ToClient => self.drops_to_client,
        }
    }
}

/// A fault that strikes a connection once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strike {
    HalfClose(Direction),
    Reset,
    Forget,
    Cut,
}

/// The faults of one cohort.
#[derive(Debug)]
pub(super) struct Schedule {
    faults: Vec<PathFault>,
}

impl Schedule {
    /// The faults of a path that concern a cohort.
    pub(super) fn new(path: &Path, cohort: &str) -> Self {
        let concerning = path.faults.iter().filter(|fault| fault.concerns(cohort));
        Self {
            faults: concerning.cloned().collect(),
        }
    }

    /// The conditions at this time, and the time until which they hold at least.
    pub(super) fn conditions(&self, origins: Origins, now: Timestamp) -> (Conditions, Timestamp) {
        let mut conditions = Conditions::default();
        let mut until = Timestamp::NEVER;
        for fault in &self.faults {
            let Some((begin, end)) = span(fault, origins) else {
                continue;
            };
            until = until.min(if now < begin {
                begin
            } else if now < end {
                end
            } else {
                Timestamp::NEVER
            });
            if begin <= now && now < end {
                conditions.add(fault.kind);
            }
        }
        (conditions, until)
    }

    /// The next strike on a connection that is due and not in `done`; adds it to `done`. A fault with `after` strikes
    /// the connections that are open at its time; one without `after` strikes each connection when it opens.
    pub(super) fn strike(
        &self,
        origins: Origins,
        opened: Timestamp,
        now: Timestamp,
        done: &mut Struck,
    ) -> Option<Strike> {
        for (place, fault) in self.faults.iter().enumerate() {
            let (Some(strike), Some((begin, end))) = (strike(fault.kind), span(fault, origins))
            else {
                continue;
            };
            let at = if fault.after.is_none() { opened } else { begin };
            let hits = begin <= at && at < end && opened <= at && at <= now;
            if hits && !done.0.contains(&place) {
                done.0.push(place);
                return Some(strike);
            }
        }
        None
    }
}

/// The faults that have struck a connection, by their index.
#[derive(Debug, Default)]
pub(super) struct Struck(Vec<usize>);

impl Conditions {
    fn add(&mut self, kind: PathFaultKind) {
        match kind {
            PathFaultKind::Delay { by, jitter } => {
                self.delay = self.delay.saturating_add(by.into());
                self.jitter = self.jitter.saturating_add(jitter.into());
            }
            PathFaultKind::Freeze => self.frozen = true,
            PathFaultKind::Drop(Direction::ToServer) => self.drops_to_server = true,
            PathFaultKind::Drop(Direction::ToClient) => self.drops_to_client = true,
            PathFaultKind::Throttle(rate) => {
                self.rate = Some(self.rate.map_or(rate.0, |other| other.min(rate.0)));
            }
            PathFaultKind::HalfClose(_)
            | PathFaultKind::Reset
            | PathFaultKind::Forget
            | PathFaultKind::Cut => {}
        }
    }
}

/// The name of a fault in the report.
pub(super) const fn incident_kind(kind: PathFaultKind) -> IncidentKind {
    match kind {
        PathFaultKind::Delay { .. } => IncidentKind::Delay,
        PathFaultKind::Freeze => IncidentKind::Freeze,
        PathFaultKind::Drop(_) => IncidentKind::Drop,
        PathFaultKind::HalfClose(_) => IncidentKind::HalfClose,
        PathFaultKind::Reset => IncidentKind::Reset,
        PathFaultKind::Forget => IncidentKind::Forget,
        PathFaultKind::Cut => IncidentKind::Cut,
        PathFaultKind::Throttle(_) => IncidentKind::Throttle,
    }
}

/// When a fault began, and when it ended if it has; both are the same for a strike.
pub(super) fn incident(
    fault: &PathFault,
    origins: Origins,
    now: Timestamp,
) -> Option<(Timestamp, Option<Timestamp>)> {
    let (begin, end) = span(fault, origins)?;
    let end = if strike(fault.kind).is_some() && fault.after.is_some() {
        begin
    } else {
        end
    };
    (begin <= now).then_some((begin, (end <= now).then_some(end)))
}

/// The start and the end of a fault; `None` if its clock has not begun.
fn span(fault: &PathFault, origins: Origins) -> Option<(Timestamp, Timestamp)> {
    let begin = match fault.after {
        Some(after) => origins.measuring?.saturating_add(after.into()),
        None => origins.first_byte?,
    };
    let lasts = (fault.lasts).map_or(Nanos::MAX, Nanos::from);
    Some((begin, begin.saturating_add(lasts)))
}

fn strike(kind: PathFaultKind) -> Option<Strike> {
    match kind {
        PathFaultKind::HalfClose(direction) => Some(Strike::HalfClose(direction)),
        PathFaultKind::Reset => Some(Strike::Reset),
        PathFaultKind::Forget => Some(Strike::Forget),
        PathFaultKind::Cut => Some(Strike::Cut),
        PathFaultKind::Delay { .. }
        | PathFaultKind::Freeze
        | PathFaultKind::Drop(_)
        | PathFaultKind::Throttle(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::ByteSize;
    use std::time::Duration;

    const KNOWN: Origins = Origins {
        first_byte: Some(ns(100)),
        measuring: Some(ns(1_000)),
    };

    fn fault(kind: PathFaultKind, after: Option<u64>, lasts: Option<u64>) -> PathFault {
        PathFault {
            kind,
            after: after.map(Duration::from_nanos),
            lasts: lasts.map(Duration::from_nanos),
            cohorts: Vec::new(),
        }
    }

    const fn ns(nanos: u64) -> Timestamp {
        Timestamp::from_nanos(nanos)
    }

    fn schedule(faults: Vec<PathFault>) -> Schedule {
        Schedule { faults }
    }

    #[test]
    fn a_fault_holds_for_its_time_after_measuring_started() {
        let freeze = schedule(vec![fault(PathFaultKind::Freeze, Some(50), Some(20))]);
        let at = |now| {
            let (conditions, until) = freeze.conditions(KNOWN, now);
            (conditions.frozen, until)
        };
        assert_eq!(at(ns(1_049)), (false, ns(1_050)));
        assert_eq!(at(ns(1_050)), (true, ns(1_070)));
        assert_eq!(at(ns(1_069)), (true, ns(1_070)));
        assert_eq!(at(ns(1_070)), (false, Timestamp::NEVER));
        let unknown = freeze.conditions(Origins::default(), ns(5_000));
        assert_eq!(unknown, (Conditions::default(), Timestamp::NEVER));
    }

    #[test]
    fn a_fault_without_after_holds_from_the_first_byte() {
        let delay = PathFaultKind::Delay {
            by: Duration::from_nanos(7),
            jitter: Duration::from_nanos(3),
        };
        let path = schedule(vec![fault(delay, None, None), fault(delay, Some(0), None)]);
        let measured_later = Origins {
            measuring: None,
            ..KNOWN
        };
        let (early, until) = path.conditions(measured_later, ns(100));
        assert_eq!(
            (early.delay, early.jitter, until),
            (Nanos(7), Nanos(3), Timestamp::NEVER)
        );
        let (both, _) = path.conditions(KNOWN, ns(1_000));
        assert_eq!((both.delay, both.jitter), (Nanos(14), Nanos(6)));
    }

    #[test]
    fn the_narrowest_throttle_holds_and_directions_are_told_apart() {
        let path = schedule(vec![
            fault(PathFaultKind::Throttle(ByteSize(10)), None, None),
            fault(PathFaultKind::Throttle(ByteSize(5)), None, None),
            fault(PathFaultKind::Drop(Direction::ToClient), None, None),
        ]);
        let (conditions, _) = path.conditions(KNOWN, ns(200));
        assert_eq!(conditions.rate, Some(5));
        assert!(conditions.drops(Direction::ToClient));
        assert!(!conditions.drops(Direction::ToServer));
    }

    #[test]
    fn only_connections_that_are_open_are_struck_and_only_once() {
        let path = schedule(vec![fault(PathFaultKind::Reset, Some(50), None)]);
        let strike = |opened, now| path.strike(KNOWN, opened, now, &mut Struck::default());
        assert_eq!(strike(ns(900), ns(1_049)), None);
        assert_eq!(strike(ns(900), ns(1_050)), Some(Strike::Reset));
        assert_eq!(
            strike(ns(900), ns(9_000)),
            Some(Strike::Reset),
            "however late"
        );
        assert_eq!(strike(ns(1_051), ns(9_000)), None, "opened afterwards");
        let mut done = Struck::default();
        assert!(path.strike(KNOWN, ns(900), ns(1_050), &mut done).is_some());
        assert_eq!(path.strike(KNOWN, ns(900), ns(1_050), &mut done), None);
    }

    #[test]
    fn without_after_each_connection_is_struck_as_it_opens() {
        let path = schedule(vec![fault(PathFaultKind::Forget, None, Some(500))]);
        let strike = |opened| path.strike(KNOWN, opened, opened, &mut Struck::default());
        assert_eq!(strike(ns(100)), Some(Strike::Forget));
        assert_eq!(strike(ns(599)), Some(Strike::Forget));
        assert_eq!(strike(ns(600)), None);
    }

    #[test]
    fn incidents_are_what_has_begun() {
        let freeze = fault(PathFaultKind::Freeze, Some(50), Some(20));
        assert_eq!(incident(&freeze, KNOWN, ns(1_049)), None);
        assert_eq!(incident(&freeze, KNOWN, ns(1_060)), Some((ns(1_050), None)));
        assert_eq!(
            incident(&freeze, KNOWN, ns(1_070)),
            Some((ns(1_050), Some(ns(1_070))))
        );
        let reset = fault(PathFaultKind::Reset, Some(50), None);
        assert_eq!(
            incident(&reset, KNOWN, ns(1_050)),
            Some((ns(1_050), Some(ns(1_050))))
        );
        let always = fault(PathFaultKind::Freeze, None, None);
        assert_eq!(incident(&always, KNOWN, ns(2_000)), Some((ns(100), None)));
        assert_eq!(incident(&always, Origins::default(), ns(2_000)), None);
    }
}
