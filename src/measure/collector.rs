//! Merges the shards of all workers, interval by interval, into the numbers of the run.

use std::sync::Arc;

use super::cells::Cells;
use super::shard::{CohortShard, Layout, Open, Shard, Window};
use super::summary::{Endings, GaugeStats, Lives, Metric, Summary, Value};
use super::timeline::{Phase, Row, Timeline};
use crate::metric::{self, Cause, Counter, Gauge, Timer};

/// How the generator itself fared in an interval.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sample {
    /// CPU used, in percent of one core.
    pub cpu: Option<f64>,
    /// Memory used, in bytes.
    pub rss: Option<f64>,
    /// Growth of it for each open connection, in bytes.
    pub bytes_per_connection: Option<f64>,
}

/// The gauges of each cohort.
const STATES: [Gauge; 3] = [Gauge::Connecting, Gauge::Open, Gauge::Closing];
/// Those of the generator itself.
const OWN: [Gauge; 3] = [
    Gauge::GeneratorCpu,
    Gauge::GeneratorRss,
    Gauge::BytesPerConnection,
];

/// Everything seen so far.
#[derive(Debug)]
pub struct Collector {
    layout: Layout,
    all: Shard,
    timeline: Timeline,
    gauges: Vec<[Option<GaugeStats>; 3]>,
    generator: [Option<GaugeStats>; 3],
    endings: Endings,
    lives: Lives,
}

impl Collector {
    /// Nothing seen yet.
    pub fn new(layout: Layout) -> Self {
        Self {
            all: Shard::new(&layout),
            timeline: Timeline::default(),
            gauges: vec![[None; 3]; layout.cohorts.len()],
            generator: [None; 3],
            endings: Endings::default(),
            lives: Lives::default(),
            layout,
        }
    }

    /// The target's name was looked up, once for the run.
    pub fn name_looked_up(&mut self, ns: u64) {
        if let Some(first) = self.all.cohorts.first_mut() {
            first.whole.time(Timer::HandshakeDns, ns);
        }
    }

    /// Takes one interval of all workers, already merged. Its states become a row of the timeline.
    pub fn interval(&mut self, phase: Phase, interval: &Shard, sample: Sample) {
        self.all.merge(interval, 0);
        self.keep_endings(interval);
        self.keep_lives(interval);
        for (index, cohort) in interval.cohorts.iter().enumerate() {
            let row = Row::of(interval.interval, phase, index, cohort);
            Arc::make_mut(&mut self.timeline).push(row);
            let Open {
                connecting,
                open,
                closing,
                ..
            } = cohort.open;
            for (stats, now) in self.gauges[index]
                .iter_mut()
                .zip([connecting, open, closing])
            {
                GaugeStats::push(stats, now as f64);
            }
        }
        let now = [sample.cpu, sample.rss, sample.bytes_per_connection];
        for (stats, now) in self.generator.iter_mut().zip(now) {
            if let Some(now) = now {
                GaugeStats::push(stats, now);
            }
        }
    }

    fn keep_lives(&mut self, interval: &Shard) {
        let room = Lives::MAX_ROWS - self.lives.rows.len();
        let kept = interval.lives.len().min(room);
        self.lives.rows.extend_from_slice(&interval.lives[..kept]);
        self.lives.more += interval.more_lives + (interval.lives.len() - kept) as u64;
    }

    fn keep_endings(&mut self, interval: &Shard) {
        let endings = &mut self.endings;
        for ending in &interval.endings {
            let examples = endings.examples.entry(ending.cause).or_default();
            if !ending.detail.is_empty()
                && examples.len() < Endings::MAX_EXAMPLES
                && !examples.contains(&ending.detail)
            {
                examples.push(ending.detail.clone());
            }
            if endings.rows.len() < Endings::MAX_ROWS {
                endings.rows.push(ending.clone());
            } else {
                endings.more += 1;
            }
        }
        endings.more += interval.more_endings;
    }

    /// The newest rows of the timeline, one for each cohort.
    pub fn newest(&self) -> &[Row] {
        let cohorts = self.layout.cohorts.len();
        &self.timeline[self.timeline.len().saturating_sub(cohorts)..]
    }

    /// The numbers so far, where the measured windows were so many seconds long.
    pub fn summary(&self, seconds: f64, windows: &[f64]) -> Summary {
        let mut totals = Vec::new();
        for cohort in self.cohorts(&|_| true) {
            cohort.totals(seconds, &mut totals);
        }
        Summary {
            totals,
            endings: self.endings.clone(),
            lives: self.lives.clone(),
            ..self.glimpse(seconds, windows, &|_| true)
        }
    }

    /// As [`Self::summary`], and cheap enough for every second: counters, gauges, and of the histograms and the timeline
    /// what the metrics that are `wanted` come from. Totals, endings and lives are left out.
    pub fn glimpse(&self, seconds: f64, windows: &[f64], wanted: &dyn Fn(&str) -> bool) -> Summary {
        let mut metrics = Vec::new();
        for (cohort, gauges) in self.cohorts(wanted).zip(&self.gauges) {
            cohort.whole(seconds, &mut metrics);
            cohort.windows(&self.layout, windows, &mut metrics);
            push_gauges(&mut metrics, Some(cohort.cohort), seconds, STATES, *gauges);
        }
        push_gauges(&mut metrics, None, seconds, OWN, self.generator);
        let loop_lag = Timer::GeneratorLoopLag.name();
        if !self.all.loop_lag.is_empty() && wanted(loop_lag) {
            metrics.push(Metric {
                name: loop_lag.to_owned(),
                cohort: None,
                stage: None,
                seconds,
                value: Value::Histogram(Box::new(self.all.loop_lag.clone())),
            });
        }
        let timeline = if STATES.iter().any(|state| wanted(state.name())) {
            self.timeline.clone()
        } else {
            Timeline::default()
        };
        Summary {
            cohorts: self
                .layout
                .cohorts
                .iter()
                .map(|(name, _)| name.clone())
                .collect(),
            seconds,
            measured_seconds: windows.iter().sum(),
            metrics,
            totals: Vec::new(),
            timeline,
            endings: Endings::default(),
            lives: Lives::default(),
        }
    }

    fn cohorts<'a>(
        &'a self,
        wanted: &'a dyn Fn(&str) -> bool,
    ) -> impl Iterator<Item = CohortRows<'a>> {
        let shards = self.layout.cohorts.iter().zip(&self.all.cohorts);
        shards.map(move |((cohort, messages), shard)| CohortRows {
            cohort,
            messages,
            shard,
            wanted,
        })
    }
}

fn push_gauges(
    out: &mut Vec<Metric>,
    cohort: Option<&str>,
    seconds: f64,
    gauges: [Gauge; 3],
    stats: [Option<GaugeStats>; 3],
) {
    for (gauge, stats) in gauges.into_iter().zip(stats) {
        let Some(stats) = stats else { continue };
        out.push(Metric {
            name: gauge.name().to_owned(),
            cohort: cohort.map(str::to_owned),
            stage: None,
            seconds,
            value: Value::Gauge(stats),
        });
    }
}

/// Turns one cohort's cells into rows.
struct CohortRows<'a> {
    cohort: &'a str,
    messages: &'a [String],
    shard: &'a CohortShard,
    /// Which histograms are.
    wanted: &'a dyn Fn(&str) -> bool,
}

impl CohortRows<'_> {
    fn whole(&self, seconds: f64, out: &mut Vec<Metric>) {
        self.rows(&self.shard.whole, None, seconds, covers_whole_run, out);
    }

    /// Each measured window has its rows, whether something was recorded there or not.
    fn windows(&self, layout: &Layout, windows: &[f64], out: &mut Vec<Metric>) {
        let nothing = Cells::new(self.messages.len());
        for index in 0..layout.measured() {
            let cells = self.shard.recorded(Window::measured(index));
            let stage = (layout.stages > 0).then_some(index as u32 + 1);
            let seconds = windows.get(index).copied().unwrap_or(0.0);
            let cells = cells.unwrap_or(&nothing);
            self.rows(cells, stage, seconds, |c| !covers_whole_run(c), out);
        }
    }

    fn totals(&self, seconds: f64, out: &mut Vec<Metric>) {
        self.rows(&self.shard.together(), None, seconds, |_| true, out);
    }

    fn rows(
        &self,
        cells: &Cells,
        stage: Option<u32>,
        seconds: f64,
        wanted: impl Fn(Counter) -> bool,
        out: &mut Vec<Metric>,
    ) {
        let mut push = |name: String, value: Value| {
            out.push(Metric {
                name,
                cohort: Some(self.cohort.to_owned()),
                stage,
                seconds,
                value,
            });
        };
        for counter in Counter::ALL.iter().copied().filter(|c| wanted(*c)) {
            push(
                counter.name().to_owned(),
                Value::Counter(cells.counter(counter)),
            );
        }
        for cause in Cause::ALL
            .iter()
            .copied()
            .filter(|c| *c != Cause::Completed)
        {
            let count = cells.caused(cause);
            if count > 0 {
                push(metric::error(cause), Value::Counter(count));
            }
        }
        for (kind, side, count) in cells.closes() {
            push(metric::close(kind, side), Value::Counter(count));
        }
        let timers = (Timer::ALL.iter().copied())
            .filter_map(|timer| Some((timer.name().to_owned(), cells.timer(timer)?)));
        let answers = (self.messages.iter().enumerate()).flat_map(|(index, message)| {
            let latency = cells.latency(index);
            let service = cells.service(index);
            let latency = latency.map(|times| (metric::latency(message), times));
            let service = service.map(|times| (metric::service(message), times));
            latency.into_iter().chain(service)
        });
        for (name, times) in timers.chain(answers) {
            if (self.wanted)(&name) {
                push(name, Value::Histogram(Box::new(times.clone().packed())));
            }
        }
    }
}

/// Connection metrics and bytes cover the whole run; messages and pings belong to a window.
pub(super) fn covers_whole_run(counter: Counter) -> bool {
    let name = counter.name();
    name.starts_with("connections.") || name.starts_with("bytes.")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run grows, and a look at it each second must not.
    #[test]
    fn a_glimpse_copies_no_more_than_is_wanted() {
        let layout = Layout {
            cohorts: vec![("main".to_owned(), vec!["echo".to_owned()])],
            stages: 0,
        };
        let mut collector = Collector::new(layout.clone());
        let mut shard = Shard::new(&layout);
        let window = shard.cohorts[0].window(Window::measured(0));
        window.count(Counter::MessagesSent);
        window.answer(0, 2_000, 1_000);
        shard.loop_lag.record(1_000);
        shard.more_endings = 1;
        shard.more_lives = 1;
        collector.interval(Phase::Measure, &shard, Sample::default());
        let histograms = |wanted: &str| {
            let glimpse = collector.glimpse(1.0, &[1.0], &|metric| metric == wanted);
            assert_eq!(glimpse.count("messages.sent"), 1);
            assert_eq!(glimpse.totals, []);
            assert_eq!(glimpse.endings, Endings::default());
            assert_eq!(glimpse.lives, Lives::default());
            let is_shared = Arc::ptr_eq(&glimpse.timeline, &collector.timeline);
            assert_eq!(is_shared, wanted == "connections.open");
            let rows = glimpse.metrics.into_iter();
            let histograms = rows.filter(|row| matches!(row.value, Value::Histogram(_)));
            histograms.map(|row| row.name).collect::<Vec<_>>()
        };
        assert_eq!(histograms("connections.failed"), [""; 0]);
        assert_eq!(histograms("connections.open"), [""; 0]);
        assert_eq!(histograms("latency.echo"), ["latency.echo"]);
        assert_eq!(histograms("generator.loop_lag"), ["generator.loop_lag"]);
        let whole = collector.summary(1.0, &[1.0]);
        assert_eq!((whole.endings.more, whole.lives.more), (1, 1));
    }
}
