//! The processes of a run in parts, as reports show them.

use serde::{Deserialize, Serialize};

use crate::measure::{GaugeStats, Summary, Value};
use crate::metric::{Counter, Gauge, Timer};
use crate::verdict::{ClockOffset, PartFacts, Verdict};

/// One process of a run in parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartRecord {
    /// Its number, from 1.
    pub part: u32,
    /// What it is called, if it has a name besides its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The machine, for people.
    pub machine: String,
    /// Worker threads.
    pub workers: usize,
    /// How many cores it could use; `None` if the system does not say.
    pub cores: Option<f64>,
    /// How it ended, as a run does; or `lost`.
    pub outcome: String,
    /// Up to when its numbers are known, in seconds, if it was lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_seconds: Option<f64>,
    /// How many of its connections opened.
    pub opened: u64,
    /// How many of its connections failed to open.
    #[serde(default)]
    pub failed: u64,
    /// When each of its planned connections was open or had failed, in seconds; `None` if that never was, or is not asked.
    pub settled_seconds: Option<f64>,
    /// The processor time that it used on average, in percent of one core.
    pub cpu_percent: Option<f64>,
    /// The most memory that it used, in bytes.
    pub rss_bytes: Option<f64>,
    /// How late its workers were woken at most, in nanoseconds.
    pub longest_lag_ns: Option<u64>,
    /// How late its workers were woken at most in 99 of 100 times, in nanoseconds.
    #[serde(default)]
    pub lag_p99_ns: Option<u64>,
    /// How far its clock was from that of the run; `None` if nobody measured it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<ClockOffset>,
    /// The kinds of the doubts about it, as `verdict.distrust` names them.
    #[serde(default)]
    pub doubts: Vec<String>,
}

impl PartRecord {
    /// What became of one process, and which doubts the verdict has about it.
    pub(super) fn of(part: &PartFacts, verdict: &Verdict) -> Self {
        let health = &part.health;
        let lag = Timer::GeneratorLoopLag.name();
        let lags = Summary::merged(health.totals.iter().filter(|row| row.name == lag));
        let doubts = verdict.distrust.iter().map(|doubt| &doubt.reason);
        let own = doubts.filter(|reason| reason.part() == Some(part.number));
        Self {
            part: part.number,
            name: part.name.clone(),
            machine: part.machine.clone(),
            workers: part.facts.workers,
            cores: part.facts.cores,
            outcome: match part.lost {
                Some(_) => "lost".to_owned(),
                None => part.facts.outcome.name().to_owned(),
            },
            lost_seconds: (part.lost.as_ref()).map(|lost| lost.at.as_secs_f64()),
            opened: health.total(Counter::ConnectionsOpened.name()),
            failed: health.total(Counter::ConnectionsFailed.name()),
            settled_seconds: part.settled.map(|settled| settled.as_secs_f64()),
            cpu_percent: gauge(health, Gauge::GeneratorCpu).map(|cpu| cpu.mean),
            rss_bytes: gauge(health, Gauge::GeneratorRss).map(|rss| rss.max),
            longest_lag_ns: lags.as_ref().and_then(|lags| lags.max()),
            lag_p99_ns: lags.as_ref().and_then(|lags| lags.percentile(99.0)),
            clock: part.clock,
            doubts: own.map(|reason| reason.kind().to_owned()).collect(),
        }
    }

    /// Whether it ended as planned, and nothing about it is doubted.
    pub fn fared_well(&self) -> bool {
        self.outcome == "completed" && self.doubts.is_empty()
    }
}

fn gauge(health: &Summary, gauge: Gauge) -> Option<GaugeStats> {
    let mut rows = health.select(gauge.name(), None, None);
    rows.find_map(|row| match row.value {
        Value::Gauge(stats) => Some(stats),
        _ => None,
    })
}
