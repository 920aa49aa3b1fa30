//! Estimates which connections ended, or did not open, because the generator stood still and was silent.

use super::generator::{Generator, GeneratorProblem};
use super::lag::{CUT_NS, PART_OF_LIMIT};
use super::view::looked_at;
use crate::measure::Stop;
use crate::metric::{self, Cause, Counter};
use crate::scenario::{Cohort, Selector};
use crate::units::{Nanos, Timestamp};

/// A server may end a connection for a stop until this long after it, and as long again as the stop.
const AFTER_STOP: Nanos = Nanos::from_secs(2);

impl Generator<'_> {
    /// How many ends or failed dials a lag may have caused: those with a cause that a silent client can produce.
    pub(super) fn ends(&self, selector: &Selector, own: GeneratorProblem) -> f64 {
        let limit = (self.scenario.target.connect_timeout.as_nanos() as f64 * PART_OF_LIMIT) as u64;
        let causes = caused_by_silence(&selector.metric);
        let least = match causes.contains(&Cause::ConnectTimeout) {
            true => limit.min(CUT_NS),
            false => CUT_NS,
        };
        let is_so = match own {
            GeneratorProblem::Lag => self.whole.longest_ns() >= least,
            GeneratorProblem::Throttled => true,
            GeneratorProblem::LateSends | GeneratorProblem::Busy => false,
        };
        if !is_so {
            return 0.0;
        }
        let counted = causes.iter().map(|cause| {
            let all = self.count(&Selector {
                metric: metric::error(*cause),
                ..selector.clone()
            });
            match own {
                GeneratorProblem::Lag => {
                    (all - self.without_stop(selector, *cause, least)).max(0.0)
                }
                _ => all,
            }
        });
        counted.sum()
    }

    /// How many ends with this cause no stop of `least` nanoseconds or more can explain: none began before them, or all
    /// were over for longer than [`AFTER_STOP`] and the longest timeout of the target.
    fn without_stop(&self, selector: &Selector, cause: Cause, least: u64) -> f64 {
        let summary = self.view.all();
        let length = |stop: &Stop| stop.to.saturating_since(stop.from);
        let is_long = |stop: &&Stop| length(stop).0 >= least;
        // There was a stop of this length: without its times nothing is known.
        let is_known = summary.stops.rows.iter().any(|stop| is_long(&stop));
        if summary.stops.more > 0 || !is_known {
            return 0.0;
        }
        let target = &self.scenario.target;
        let reach = AFTER_STOP.max(match cause {
            Cause::ConnectTimeout => target.connect_timeout.into(),
            Cause::CloseTimeout | Cause::WriteTimeout => target.close_timeout.into(),
            Cause::MissedPong | Cause::PeerFrozen | Cause::PathDead => {
                let heartbeats = self.scenario.cohorts.iter();
                let watched = heartbeats.filter_map(Cohort::watched);
                let longest = watched.map(|(pings, watch)| {
                    pings.interval.saturating_mul(watch.max_missed) + watch.timeout
                });
                longest.max().unwrap_or_default().into()
            }
            Cause::Silent => {
                let silences = self.scenario.cohorts.iter().filter_map(Cohort::silence);
                silences.max().unwrap_or_default().into()
            }
            _ => Nanos::ZERO,
        });
        let is_explained = |at: Timestamp| {
            let mut stops = summary.stops.rows.iter().filter(is_long);
            stops.any(|stop| stop.from <= at && at <= stop.to + length(stop) + reach)
        };
        let cohorts: Vec<&Cohort> = looked_at(self.scenario, selector).collect();
        let ends = summary.endings.rows.iter().filter(|ending| {
            let name = summary.cohorts.get(ending.cohort);
            ending.cause == cause
                && cohorts.iter().any(|cohort| Some(&cohort.name) == name)
                && ending.ended_ns.is_some_and(|at| !is_explained(at))
        });
        ends.count() as f64
    }
}

/// The causes that a metric about ends counts, as far as a silent client can produce them.
fn caused_by_silence(name: &str) -> &'static [Cause] {
    const DIALS: &[Cause] = &[
        Cause::ConnectTimeout,
        Cause::HandshakeEof,
        Cause::HandshakeReset,
    ];
    const ENDS: &[Cause] = &[
        Cause::ClosedByPeer,
        Cause::Eof,
        Cause::Reset,
        Cause::PeerFrozen,
        Cause::PathDead,
        Cause::MissedPong,
        Cause::Silent,
        Cause::CloseTimeout,
        Cause::WriteTimeout,
    ];
    if name == Counter::ConnectionsFailed.name() {
        return DIALS;
    }
    let Some(cause) = name.strip_prefix("errors.").and_then(Cause::from_name) else {
        return ENDS;
    };
    let one = |causes: &'static [Cause]| {
        let place = causes.iter().position(|known| *known == cause)?;
        Some(&causes[place..=place])
    };
    one(DIALS).or_else(|| one(ENDS)).unwrap_or_default()
}
