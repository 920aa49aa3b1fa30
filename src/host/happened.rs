//! The faults that were carried out on the target's process, with their times.

use std::time::Instant;

use crate::measure::{Incident, IncidentKind};
use crate::scenario::Signal;
use crate::units::Timestamp;

/// One fault of the target that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Happened {
    /// The signal.
    pub kind: Signal,
    /// A time just before the signal was sent: no effect of the signal is earlier.
    pub began: Instant,
    /// A time just before `SIGCONT` was sent; `None` for `SIGTERM`.
    pub ended: Option<Instant>,
}

impl Happened {
    /// The same fault in the time of the run, which starts at `origin`. Concerns all cohorts.
    pub fn incident(&self, origin: Instant) -> Incident {
        Incident {
            kind: match self.kind {
                Signal::Stop => IncidentKind::Sigstop,
                Signal::Terminate => IncidentKind::Sigterm,
            },
            cohorts: Vec::new(),
            began_ns: Timestamp::of(self.began, origin),
            ended_ns: self.ended.map(|ended| Timestamp::of(ended, origin)),
        }
    }
}

/// All faults that were carried out on the target's process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Incidents {
    /// The faults, in the order in which they began. Freezes that overlap are one.
    pub happened: Vec<Happened>,
    /// Why a signal could not be sent, such as that the target had ended; no signal was sent after that.
    pub failed: Option<String>,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn incidents_are_told_on_the_clock_of_the_run() {
        let origin = Instant::now();
        let ms = Duration::from_millis;
        let freeze = Happened {
            kind: Signal::Stop,
            began: origin + ms(5),
            ended: Some(origin + ms(9)),
        };
        let incident = freeze.incident(origin);
        assert_eq!(incident.kind, IncidentKind::Sigstop);
        assert_eq!(
            (incident.began_ns, incident.ended_ns),
            (
                Timestamp::from_nanos(5_000_000),
                Some(Timestamp::from_nanos(9_000_000))
            )
        );
        assert!(incident.concerns("any"));

        let end = Happened {
            kind: Signal::Terminate,
            ended: None,
            ..freeze
        };
        assert_eq!(end.incident(origin).kind, IncidentKind::Sigterm);
        assert_eq!(end.incident(origin).ended_ns, None);
    }
}
