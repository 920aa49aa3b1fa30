//! The processes of a run in parts, as reports show them.

use serde::{Deserialize, Serialize};

use crate::measure::{GaugeStats, Summary, Value};
use crate::metric::{Counter, Gauge, Timer};
use crate::verdict::PartFacts;

/// One process of a run in parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartRecord {
    /// Its number, from 1.
    pub part: u32,
    /// The machine, for people.
    pub machine: String,
    /// Worker threads.
    pub workers: usize,
    /// How many cores it could use; `None` if the system does not say.
    pub cores: Option<f64>,
    /// How it ended, as a run does.
    pub outcome: String,
    /// How many of its connections opened.
    pub opened: u64,
    /// When each of its planned connections was open or had failed, in seconds; `None` if that never was, or is not asked.
    pub settled_seconds: Option<f64>,
    /// The processor time that it used on average, in percent of one core.
    pub cpu_percent: Option<f64>,
    /// The most memory that it used, in bytes.
    pub rss_bytes: Option<f64>,
    /// How late its workers were woken at most, in nanoseconds.
    pub longest_lag_ns: Option<u64>,
}

impl From<&PartFacts> for PartRecord {
    fn from(part: &PartFacts) -> Self {
        let health = &part.health;
        let lag = Timer::GeneratorLoopLag.name();
        let lags = health.totals.iter().filter(|row| row.name == lag);
        Self {
            part: part.number,
            machine: part.machine.clone(),
            workers: part.facts.workers,
            cores: part.facts.cores,
            outcome: part.facts.outcome.name().to_owned(),
            opened: health.total(Counter::ConnectionsOpened.name()),
            settled_seconds: part.settled.map(|settled| settled.as_secs_f64()),
            cpu_percent: gauge(health, Gauge::GeneratorCpu).map(|cpu| cpu.mean),
            rss_bytes: gauge(health, Gauge::GeneratorRss).map(|rss| rss.max),
            longest_lag_ns: Summary::merged(lags).and_then(|lags| lags.max()),
        }
    }
}

fn gauge(health: &Summary, gauge: Gauge) -> Option<GaugeStats> {
    let mut rows = health.select(gauge.name(), None, None);
    rows.find_map(|row| match row.value {
        Value::Gauge(stats) => Some(stats),
        _ => None,
    })
}
