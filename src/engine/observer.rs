//! What a run reports while it is running, and what it returns.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::EngineError;
use crate::measure::{
    Collector, Echoes, Events, Interval, Progress, Sample, Shard, Summary, Traces, Usage,
};
use crate::units::{Nanos, Timestamp};

/// Observes a run. Called by the supervisor, which does nothing else meanwhile, so an implementation must not block.
pub trait Observer {
    /// Measuring starts at this time. Called once, as soon as the time is known: it is in the future, or now. Not
    /// called if the run ends before.
    fn measuring(&mut self, _from: Instant) {}

    /// Each planned connection of this process was open or had failed at this time. Called once, where that is asked.
    fn settled(&mut self, _at: Option<Timestamp>) {}

    /// The resources of the target's processes up to now, with the processor time since they started. Called once a
    /// second; `None` where they are not known.
    fn target(&mut self) -> Option<Usage> {
        None
    }

    /// What one second recorded, of all workers of this process, and the resources that it used: all that another
    /// process needs to count it, with when measuring began or will, if that is known by then. Called where processes start
    /// together; without the secrets of the scenario.
    fn shard(&mut self, _shard: &Shard, _sample: &Sample, _measured_from: Option<Timestamp>) {}

    /// The echoes of one second, message by message, if the plan keeps them.
    fn echoes(&mut self, _echoes: Echoes) {}

    /// What happened on the connections in one second, if the plan traces them.
    fn traces(&mut self, _traces: Traces) {}

    /// What happened to single clients in the second that ended at this time, if the plan tells it.
    fn events(&mut self, _events: Events, _until: Timestamp) {}

    /// A second is over. `Break` ends the run.
    fn second(&mut self, second: &Second<'_>) -> ControlFlow<()>;

    /// Whether the report ends with this second and the next begins. Asked after [`Self::second`], while something is
    /// measured.
    fn closes_report(&mut self, _second: &Second<'_>) -> bool {
        false
    }

    /// A report is closed, and the run goes on.
    fn report(&mut self, _closed: Closed) {}
}

/// A closed report of a run that goes on.
#[derive(Debug)]
pub struct Closed {
    /// Its number, from 1.
    pub number: u64,
    /// When it began.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// Its numbers. Their times count from its begin; what was before is at its begin.
    pub summary: Summary,
    /// Number of threads that sent and received.
    pub workers: usize,
}

/// One second of a run.
pub struct Second<'a> {
    /// Its numbers under the names of the catalogue, to be stored or passed on.
    pub interval: Arc<Interval>,
    /// Its numbers, to be shown to people.
    pub progress: Progress,
    /// Whether the load had ended by then.
    pub is_over: bool,
    pub(super) is_measured: bool,
    /// Whether the load ends within a second: what is left is no report of its own.
    pub(super) ends_soon: bool,
    pub(super) collector: &'a Collector,
    /// Since its report began.
    pub(super) seconds: f64,
    pub(super) windows: Vec<f64>,
}

impl Second<'_> {
    /// How long its report has lasted.
    pub fn report_lasted(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// Whether its report may be closed: something is measured, and will be.
    pub(super) fn may_close(&self) -> bool {
        self.is_measured && !self.ends_soon
    }

    /// Returns the values so far of the metrics that are `wanted`, as [`Collector::snapshot`] computes them.
    pub fn snapshot(&self, wanted: &dyn Fn(&str) -> bool) -> Summary {
        self.collector.snapshot(self.seconds, &self.windows, wanted)
    }
}

/// The result of a run.
#[derive(Debug)]
pub struct Finished {
    /// The metrics: of the last report, if others were closed before.
    pub summary: Summary,
    /// The number of that report, from 1.
    pub number: u64,
    /// When that report began.
    pub began: Timestamp,
    /// The metrics of all reports together, without their course over time; `None` if there is only one.
    pub whole: Option<Summary>,
    /// The origin of all its times: the first dial.
    pub origin: Instant,
    /// Whether a signal ended its load.
    pub interrupted: bool,
    /// When each planned connection was open or had failed; `None` if that never was, or is not asked (stages, arrivals).
    pub settled: Option<Timestamp>,
    /// How long after its begin this process heard of the measured time, if somebody else named it and it did not hear of
    /// it before.
    pub told_late: Option<Nanos>,
    /// When its load ended.
    pub load_ended: Timestamp,
    /// When its last connection had ended.
    pub ended: Timestamp,
    /// Number of threads that sent and received.
    pub workers: usize,
    /// Where the workers were in several processes: of each, what tells how it fared as a generator.
    pub health: Vec<Summary>,
    /// Why it failed. The metrics then cover the time until the failure, as far as they are known.
    pub failure: Option<EngineError>,
}
