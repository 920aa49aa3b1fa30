//! What a run tells while it goes on, and what it leaves.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use super::error::EngineError;
use crate::measure::{Collector, Echoes, Interval, Progress, Summary};

/// Looks on while a run goes on. Called by the supervisor, which does nothing else meanwhile: it must wait for nothing.
pub trait Observer {
    /// Measuring starts at this time. Told once, as soon as that is known: the time is to come, or is now. Not told
    /// where the run ends before.
    fn measuring(&mut self, _from: Instant) {}

    /// What was answered in a second, message by message, where the plan keeps that.
    fn echoes(&mut self, _echoes: Echoes) {}

    /// A second is over. May end the run.
    fn second(&mut self, second: &Second<'_>) -> ControlFlow<()>;
}

/// A new second to look at.
pub struct Second<'a> {
    /// What it held, by name: for whoever keeps or passes it on.
    pub interval: Arc<Interval>,
    /// What it held, for people.
    pub progress: Progress,
    /// The load had ended by then.
    pub is_over: bool,
    pub(super) collector: &'a Collector,
    pub(super) seconds: f64,
    pub(super) windows: Vec<f64>,
}

impl Second<'_> {
    /// The numbers so far of the metrics that are `wanted`, as [`Collector::snapshot`] tells them.
    pub fn snapshot(&self, wanted: &dyn Fn(&str) -> bool) -> Summary {
        self.collector.snapshot(self.seconds, &self.windows, wanted)
    }
}

/// How a run went.
#[derive(Debug)]
pub struct Finished {
    /// The numbers.
    pub summary: Summary,
    /// The zero of all its times: the first dial.
    pub origin: Instant,
    /// A signal ended its load.
    pub interrupted: bool,
    /// Threads that sent and received.
    pub workers: usize,
    /// Why it broke off; the numbers are then those until there, as far as they are known.
    pub failure: Option<EngineError>,
}
