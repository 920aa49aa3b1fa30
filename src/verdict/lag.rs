//! How late the workers of the generator were woken, during a part of the run.

use super::facts::Facts;
use super::view::View;
use crate::measure::{Histogram, Stops, Summary};
use crate::metric::Timer;
use crate::scenario::{Scenario, Shape};
use crate::units::Nanos;

/// A lag shorter than this is the normal cost of waking a thread.
const NOTABLE_NS: u64 = 1_000_000;
/// A lag longer than this part of a limit can change the result of a gate.
pub(super) const PART_OF_LIMIT: f64 = 0.1;
/// From this length on, a server with a strict heartbeat may have closed connections that could not answer it.
pub(super) const CUT_NS: u64 = 100_000_000;
/// A worker asks to be woken every 2 ms, so up to this much of a lag is not seen.
pub(super) const UNSEEN_NS: u64 = 2_000_000;
/// Doubles the estimate of what a lag touches, which assumes an even load, because load comes in bursts.
const TOUCHED_FACTOR: f64 = 2.0;

/// How late the workers were woken, during a part of the run.
#[derive(Debug, Clone)]
pub(super) struct Lag {
    lags: Option<Histogram>,
    /// The running time of all workers, added up, in nanoseconds.
    worker_ns: f64,
    /// For a stage: what is known of the times of its lags.
    local: Option<Local>,
}

/// The lengths of the stops whose times are known. What is not one of them is taken to be even over the run.
#[derive(Debug, Clone)]
struct Local {
    /// The whole length of each, and that of the part in the stage.
    stops: Vec<(Nanos, Nanos)>,
    /// The longest that may have delayed an answer to a message of the stage.
    longest: Nanos,
    /// The part of the measured time that the stage is.
    part: f64,
}

impl Lag {
    /// The lags from the start of measuring on.
    pub(super) fn measured(view: &View<'_>, facts: &Facts) -> Self {
        let name = Timer::GeneratorLoopLag.name();
        let lags = view.all().histogram(name);
        Self::new(lags, view.all().measured_seconds, facts)
    }

    /// The lags in one stage of the measured time; all of them if their times are not known.
    pub(super) fn of_stage(
        scenario: &Scenario,
        view: &View<'_>,
        facts: &Facts,
        stage: u32,
    ) -> Self {
        let all = Self::measured(view, facts);
        let summary = view.all();
        let (Shape::Stages(stages), Some(began), 0) = (
            &scenario.load.shape,
            summary.measured_from,
            summary.stops.more,
        ) else {
            return all;
        };
        let index = stage.saturating_sub(1) as usize;
        let Some(length) = stages.get(index).map(|stage| Nanos::from(stage.duration)) else {
            return all;
        };
        let before = stages
            .iter()
            .take(index)
            .map(|stage| Nanos::from(stage.duration));
        let from = before.fold(began, |at, length| at + length);
        let to = from + length;
        let answered = to + Nanos::from(scenario.longest_answer());
        let mut local = Local {
            stops: Vec::new(),
            longest: Nanos::ZERO,
            part: length.as_secs_f64() / summary.measured_seconds.max(length.as_secs_f64()),
        };
        for stop in summary.stops.rows.iter().filter(|stop| stop.to >= began) {
            let length = stop.to.saturating_since(stop.from);
            let inside = stop.to.min(to).saturating_since(stop.from.max(from));
            local.stops.push((length, inside));
            if stop.to > from && stop.from < answered {
                local.longest = local.longest.max(length);
            }
        }
        Self {
            worker_ns: all.worker_ns * local.part,
            local: Some(local),
            ..all
        }
    }

    /// The lags from the first dial on.
    pub(super) fn whole(view: &View<'_>, facts: &Facts) -> Self {
        let name = Timer::GeneratorLoopLag.name();
        let totals = view.all().totals.iter();
        let lags = Summary::merged(totals.filter(|row| row.name == name));
        Self::new(lags, view.all().seconds, facts)
    }

    fn new(lags: Option<Histogram>, seconds: f64, facts: &Facts) -> Self {
        Self {
            lags,
            worker_ns: (seconds * 1e9).max(1.0) * facts.workers.max(1) as f64,
            local: None,
        }
    }

    /// The longest lag, in nanoseconds; zero if none was long enough to matter.
    pub(super) fn longest_ns(&self) -> u64 {
        let longest = self.lags.as_ref().and_then(Histogram::max);
        let longest = match &self.local {
            // The times of shorter ones are not known.
            Some(local) => longest.map(|ns| ns.min(Stops::LEAST.0).max(local.longest.0)),
            None => longest,
        };
        longest.filter(|ns| *ns >= NOTABLE_NS).unwrap_or(0)
    }

    pub(super) fn percentile(&self, percent: f64) -> Option<u64> {
        self.lags.as_ref()?.percentile(percent)
    }

    /// The part of the time that was lost to lags, below 1.
    pub(super) fn share(&self) -> f64 {
        let (_, sum) = self.at_least(NOTABLE_NS);
        (sum / self.worker_ns).min(0.99)
    }

    /// The part of all events that were under way during a lag of `least_ns` or more, if each takes `each_ns`: those
    /// that began in it, and those that it interrupted. At most 1.
    pub(super) fn touched(&self, least_ns: f64, each_ns: f64) -> f64 {
        let (count, sum) = self.at_least((least_ns as u64).max(NOTABLE_NS));
        (TOUCHED_FACTOR * (sum + count * each_ns) / self.worker_ns).min(1.0)
    }

    fn at_least(&self, ns: u64) -> (f64, f64) {
        let lags = self.lags.as_ref();
        let (count, sum) = lags.map_or((0, 0), |lags| lags.at_least(ns));
        let (count, sum) = (count as f64, sum as f64);
        let Some(local) = &self.local else {
            return (count, sum);
        };
        let long = (local.stops.iter()).filter(|(length, _)| length.0 >= ns);
        let (mut others, mut others_sum, mut own, mut own_sum) = (count, sum, 0.0, 0.0);
        for (length, inside) in long {
            others -= 1.0;
            others_sum -= length.0 as f64;
            if *inside > Nanos::ZERO {
                own += 1.0;
                own_sum += inside.0 as f64;
            }
        }
        (
            others.max(0.0) * local.part + own,
            others_sum.max(0.0) * local.part + own_sum,
        )
    }
}
