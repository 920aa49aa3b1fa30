//! How one process of a run fared as a generator: its lags, what it used, and what it counted. So it can be doubted by
//! itself, and nothing is averaged away among the others.

use super::collector::Collector;
use super::interval::Sample;
use super::layout::Layout;
use super::shard::Shard;
use super::summary::{GaugeStats, Summary};
use super::timeline::Phase;
use crate::units::Timestamp;

/// What one process told of itself so far. Takes as much memory after a day as after a minute.
#[derive(Debug, Clone)]
pub struct Health {
    layout: Layout,
    all: Shard,
    used: [Option<GaugeStats>; 3],
}

impl Health {
    /// Nothing yet, of a run with this layout.
    pub fn new(layout: &Layout) -> Self {
        // Times of messages are of no use here, and would take most of the memory.
        let cohorts = layout.cohorts.iter();
        let layout = Layout {
            cohorts: cohorts
                .map(|(name, _)| (name.clone(), Vec::new()))
                .collect(),
            stages: layout.stages,
            topics: Default::default(),
        };
        Self {
            all: Shard::new(&layout),
            layout,
            used: [None; 3],
        }
    }

    /// Adds one second.
    pub fn add(&mut self, shard: &Shard, sample: &Sample) {
        for (mine, theirs) in self.all.cohorts.iter_mut().zip(&shard.cohorts) {
            mine.whole.merge_counts(&theirs.whole);
            for (window, cells) in theirs.windows() {
                mine.window(window).merge_counts(cells);
            }
        }
        self.all.loop_lag.merge(&shard.loop_lag);
        self.all.early_lag.merge(&shard.early_lag);
        self.all.stops.merge(&shard.stops);
        let now = [sample.cpu, sample.rss, sample.bytes_per_connection];
        for (used, now) in self.used.iter_mut().zip(now) {
            if let Some(now) = now {
                GaugeStats::push(used, now);
            }
        }
    }

    /// Its counts, its lags, and what it used, as a summary without the times of messages. `windows` are the lengths of
    /// the measured windows in seconds.
    pub fn summary(
        &self,
        ended: Timestamp,
        windows: &[f64],
        measured_from: Option<Timestamp>,
    ) -> Summary {
        let mut collector = Collector::new(self.layout.clone());
        collector.interval(Phase::Measure, &self.all, Sample::default());
        collector.generator_used(self.used);
        Summary {
            measured_from,
            timeline: Vec::new(),
            intervals: Vec::new(),
            ..collector.summary(ended.as_secs_f64(), windows)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Stop, Window};
    use crate::metric::{Counter, Gauge, Timed, Timer};
    use crate::units::Nanos;

    #[test]
    fn what_a_process_tells_of_itself_is_kept_and_nothing_more() {
        let layout = Layout {
            cohorts: vec![("main".to_owned(), vec![Timed::sent("echo")])],
            stages: 0,
            topics: Default::default(),
        };
        let mut health = Health::new(&layout);
        for second in 0..3 {
            let mut shard = Shard::new(&layout);
            shard.interval = second;
            let cells = shard.cohorts[0].window(Window::measured(0));
            cells.add(Counter::MessagesDue, 10);
            cells.add(Counter::MessagesNotSent, second);
            cells.answer(0, Nanos(5), Nanos(4));
            shard.loop_lag.record(1_000_000 * (second + 1));
            shard.early_lag.record(9_000_000);
            shard.stops.add(Stop {
                from: Timestamp::ORIGIN,
                to: Timestamp::ORIGIN + Nanos::from_millis(20),
            });
            let cpu = Some(50.0 + second as f64);
            let sample = Sample {
                cpu,
                ..Sample::default()
            };
            health.add(&shard, &sample);
        }
        let summary = health.summary(Timestamp::ORIGIN + Nanos::from_secs(3), &[3.0], None);
        assert_eq!(summary.count("messages.due"), 30);
        assert_eq!(summary.count("messages.not_sent"), 3);
        assert_eq!(summary.histogram("latency.echo"), None);
        assert_eq!(summary.stops.rows.len(), 3);
        let lag = summary.histogram(Timer::GeneratorLoopLag.name());
        assert_eq!(lag.and_then(|lag| lag.max()), Some(3_000_000));
        let mut cpu = summary.select(Gauge::GeneratorCpu.name(), None, None);
        let cpu = cpu.next().map(|row| row.value.clone());
        let Some(crate::measure::Value::Gauge(cpu)) = cpu else {
            panic!("{cpu:?}");
        };
        assert_eq!((cpu.samples, cpu.mean, cpu.max), (3, 51.0, 52.0));
    }
}
