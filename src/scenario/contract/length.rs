//! Checks whether a run is long enough for its contracts: reports before the run what could not be decided before its
//! end.

use std::time::Duration;

use super::Origin;
use super::promise::{Promise, PromiseKind};
use super::resolve::Case;
use super::value::Promised;
use crate::scenario::Shape;
use crate::scenario::fault::{FaultKind, PathFaultKind};
use crate::scenario::gate::{Period, Schedule};
use crate::scenario::reading::Check;
use crate::scenario::section::{long_enough, whole_seconds};
use crate::units::format_duration;

/// What is needed at least of a promise about connections that stay.
const SOME_TIME: Duration = Duration::from_millis(1);

impl Case<'_> {
    /// Notes a contract that cannot be decided before the run ends.
    pub(super) fn is_decided_in_time(&self, check: &mut Check<'_>) {
        self.pings_in_time(check);
        let needs = self
            .given
            .iter()
            .map(|given| (self.needed(&given.promise), given));
        let Some((longest, promise)) = needs.max_by_key(|(time, _)| *time) else {
            return;
        };
        if longest.is_zero() {
            return;
        }
        let key = self.written.key(promise.key);
        let Shape::Steady {
            warm_up, duration, ..
        } = &self.environment.load.shape
        else {
            let what = "needs connections that stay, and `load.stages` and `load.arrivals` close them as planned";
            let hint = "use `connections`, `ramp_up` and `duration` in `[load]`";
            return check.problem(&key, &promise.place, what, hint);
        };
        let Some(duration) = duration.limit() else {
            return; // Refused as a whole, with the reason.
        };
        if longest > *warm_up + duration {
            let what = format_args!(
                "is decided {} after a connection opens, and this run ends after {}",
                whole_seconds(longest),
                format_duration(*warm_up + duration)
            );
            check.problem(&key, &promise.place, what, long_enough(longest - *warm_up));
        }
    }

    /// Notes a promise about our own pings if none of them is due.
    fn pings_in_time(&self, check: &mut Check<'_>) {
        let mut given = self.given.iter();
        let within = given.find(|given| given.promise.kind == PromiseKind::PongWithin);
        let (Some(given), Some(pings)) = (within, self.cohort.pings()) else {
            return;
        };
        let pings = [Schedule::of_pings(pings)];
        if !self
            .run
            .is_due(self.cohort, &pings, Period::Whole, 1.0, 0.0)
        {
            let key = self.written.key(given.key);
            let what = "needs a ping of ours, and none is due before the run ends";
            let hint = "write a shorter `heartbeat.interval`, or a longer `duration` in `[load]`";
            check.problem(&key, &given.place, what, hint);
        }
    }

    /// How long a connection must be open until a promise is decided.
    fn needed(&self, promise: &Promise) -> Duration {
        let span = promise.span();
        let hi = span.and_then(|span| span.hi).unwrap_or_default();
        match promise.kind {
            // wsbench sends its own Close at the end of the load, and waits for the answer, so this needs no time of
            // the run.
            PromiseKind::ClosedBetween | PromiseKind::ReapedBetween | PromiseKind::AliveFor
                if self.begins_at_the_end() =>
            {
                Duration::ZERO
            }
            PromiseKind::ClosedBetween => {
                let tcp_end = self.contract.latest(PromiseKind::TcpEndBetween);
                self.begin() + hi + tcp_end.unwrap_or_default()
            }
            // Without a Close frame of the server it counts from the half-close.
            PromiseKind::TcpEndBetween => {
                (self.half_close()).map_or(Duration::ZERO, |half_close| half_close + hi)
            }
            PromiseKind::ReapedBetween | PromiseKind::DetectedBetween => self.begin() + hi,
            PromiseKind::AliveFor => self.begin() + span.map_or(hi, |span| span.lo),
            PromiseKind::EffectiveTimeout => self.ping() + hi,
            // A silence longer than the window breaks it; without one, a gap between two pings is needed.
            PromiseKind::PingsBetween => {
                let server = self.environment.target.embedded_heartbeat;
                let gap = server.map_or(Duration::ZERO, |own| 2 * own.interval + SOME_TIME);
                gap.max(2 * hi)
            }
            // A second ping to each client, and then a whole turn of one interval.
            PromiseKind::MaxPingSync => (3 * self.ping()).max(SOME_TIME),
            PromiseKind::RecoversWithin => self.recovery() + hi,
            PromiseKind::BackWithin => {
                let longest = match &promise.value {
                    Promised::Back(back) => back.longest(),
                    _ => hi,
                };
                self.happening() + longest
            }
            _ => Duration::ZERO,
        }
    }

    /// Whether times count from a Close that is not sent by a fault.
    fn begins_at_the_end(&self) -> bool {
        let closes = |kind: &FaultKind| matches!(kind, FaultKind::Close { .. });
        self.contract.from == Origin::Close
            && !self.cohort.faults.iter().any(|fault| closes(&fault.kind))
    }

    /// The time from the opening of a connection to the event from which its times count.
    fn begin(&self) -> Duration {
        match self.contract.from {
            // Measuring begins when all are ready.
            Origin::Open | Origin::Ready => Duration::ZERO,
            Origin::Fault => self.happening(),
            Origin::Ping => self.ping(),
            Origin::LastByte | Origin::Close => self.own_fault().unwrap_or_default(),
        }
    }

    /// The time from the opening to the start of this client's last fault.
    fn own_fault(&self) -> Option<Duration> {
        self.cohort.faults.iter().map(|fault| fault.after).max()
    }

    /// The time from the opening to the client's last fault, or without one to the first fault of the path or the
    /// target.
    fn happening(&self) -> Duration {
        let on_path = self
            .environment
            .on_path(self.cohort)
            .filter_map(|fault| fault.after);
        let target = self
            .environment
            .target
            .faults
            .iter()
            .map(|fault| fault.after);
        self.own_fault().unwrap_or_else(|| {
            let first = on_path.chain(target).min();
            first.map_or(Duration::ZERO, |after| self.warm_up() + after)
        })
    }

    /// The time from the opening to the first fault, of the client or of the path, that ends one half of TCP.
    fn half_close(&self) -> Option<Duration> {
        let own = self.cohort.faults.iter();
        let own = own.filter(|fault| fault.kind == FaultKind::HalfClose);
        let on_path = (self.environment.on_path(self.cohort))
            .filter(|fault| matches!(fault.kind, PathFaultKind::HalfClose(_)));
        let on_path = on_path.map(|fault| match fault.after {
            Some(after) => self.warm_up() + after,
            None => Duration::ZERO,
        });
        own.map(|fault| fault.after).chain(on_path).min()
    }

    /// The time from the opening to the first ping that has no answer.
    fn ping(&self) -> Duration {
        let embedded = self
            .environment
            .target
            .embedded_heartbeat
            .map(|own| own.interval);
        let interval = self.written.first_ping().or(embedded);
        let answered = self.cohort.faults.iter().map(|fault| match fault.kind {
            FaultKind::PongStopsAfter { pings } => pings,
            _ => 0,
        });
        let pings = answered.max().unwrap_or(0).saturating_add(1);
        self.own_fault().unwrap_or_default() + interval.unwrap_or_default().saturating_mul(pings)
    }

    /// The time from the opening to the earliest end of a fault.
    fn recovery(&self) -> Duration {
        let own = self
            .cohort
            .faults
            .iter()
            .filter_map(|fault| match fault.kind {
                FaultKind::Vanish { lasts: Some(lasts) } => Some(fault.after + lasts),
                _ => None,
            });
        let on_path = self.environment.on_path(self.cohort).filter_map(|fault| {
            Some(self.warm_up() + fault.after.unwrap_or_default() + fault.lasts?)
        });
        let target = self.environment.target.faults.iter();
        let target = target.map(|fault| self.warm_up() + fault.after + fault.lasts);
        own.chain(on_path).chain(target).min().unwrap_or_default()
    }

    fn warm_up(&self) -> Duration {
        match self.environment.load.shape {
            Shape::Steady { warm_up, .. } | Shape::Arrivals { warm_up, .. } => warm_up,
            Shape::Stages(_) => Duration::ZERO,
        }
    }
}
