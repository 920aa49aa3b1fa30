//! Merges the shards of all workers, interval by interval, into the numbers of the run.

mod closing;

use std::sync::Arc;
use std::time::Duration;

use super::agreed::Agreed;
use super::border::Border;
use super::cohort_rows::CohortRows;
use super::delivery::Reach;
use super::ending::Ending;
use super::fallbacks::Fallbacks;
use super::histogram::Histogram;
use super::interval::{Interval, Sample};
use super::layout::Layout;
use super::shard::{Open, Shard};
use super::stops::Stops;
use super::summary::{ConnectionRecords, Endings, GaugeStats, Metric, States, Summary, Value};
use super::timeline::{InPhases, Phase, Timeline};
use crate::metric::{Counter, Gauge, Timer};
use crate::units::Timestamp;

/// The gauges of each cohort.
const STATES: [Gauge; 4] = [Gauge::Connecting, Gauge::Open, Gauge::Ready, Gauge::Closing];
/// The gauges of the generator itself.
const OWN: [Gauge; 3] = [
    Gauge::GeneratorCpu,
    Gauge::GeneratorRss,
    Gauge::BytesPerConnection,
];
/// The gauges of the target's process.
const TARGET: [Gauge; 3] = [Gauge::TargetCpu, Gauge::TargetRss, Gauge::TargetDescriptors];

/// Everything that was recorded so far, in bounded memory.
#[derive(Debug, Clone)]
pub struct Collector {
    layout: Layout,
    /// For each cohort, whether its states are added up.
    looked_at: Vec<bool>,
    all: Shard,
    /// When this report began: its times count from here.
    began: Timestamp,
    /// For each cohort, the clients that had opened a connection before; empty in the first report.
    carried: Vec<u64>,
    /// For each cohort, whether each message that it sends is waited for; a missing one: no.
    asks: Vec<bool>,
    /// The states of each cohort as they are.
    now: Vec<Open>,
    border: Border,
    /// Whether of more endings than have room the newest are kept.
    keeps_newest: bool,
    /// The end of the newest interval.
    reached: Timestamp,
    timeline: Timeline,
    states: Vec<States>,
    generator: [Option<GaugeStats>; 3],
    /// Those of the measured time.
    target: [Option<GaugeStats>; 3],
    endings: Endings,
    records: ConnectionRecords,
    reach: Reach,
}

impl Collector {
    /// Creates an empty collector for a short run. Adds up the states of all cohorts.
    pub fn new(layout: Layout) -> Self {
        Self {
            all: Shard::new(&layout),
            began: Timestamp::ORIGIN,
            carried: Vec::new(),
            asks: Vec::new(),
            now: Vec::new(),
            border: Border::default(),
            keeps_newest: false,
            reached: Timestamp::ORIGIN,
            timeline: Timeline::new(Duration::ZERO),
            looked_at: vec![true; layout.cohorts.len()],
            states: Vec::new(),
            generator: [None; 3],
            target: [None; 3],
            endings: Endings::default(),
            records: ConnectionRecords::default(),
            reach: Reach::new(1),
            layout,
        }
    }

    /// Prepares for the shards of so many workers; one, if this is not called.
    pub fn of_workers(self, workers: usize) -> Self {
        Self {
            reach: Reach::new(workers),
            ..self
        }
    }

    /// Some of the workers told nothing more, though they went on: from here on nobody knows what was to be expected.
    pub fn expects_nothing_more(&mut self) {
        self.reach = Reach::over();
    }

    /// Counts the deliveries of the seconds that all workers have told of: adds them to this shard, which is taken in
    /// next.
    pub fn count_deliveries(&mut self, shard: &mut Shard) {
        self.reach.add(&shard.deliveries);
        self.reach.take(|cohort, window, outcome| {
            let cells = shard.cohorts[cohort].window(window);
            cells.add(Counter::DeliveryExpected, outcome.expected);
            cells.add(Counter::DeliveryReceived, outcome.received);
            cells.add(Counter::DeliveryUnsure, outcome.unsure);
        });
    }

    /// Prepares for a run with this planned length. Adds up the states of only those cohorts whose flag is set: the
    /// ones that gates look at if they name no cohort. There is one flag for each cohort.
    pub fn planned(self, length: Duration, looked_at: Vec<bool>) -> Self {
        Self {
            timeline: Timeline::new(length),
            looked_at,
            ..self
        }
    }

    /// Takes one interval, merged from all workers, and returns it by name.
    pub fn interval(
        &mut self,
        phases: impl Into<InPhases>,
        shard: &Shard,
        sample: Sample,
    ) -> Arc<Interval> {
        let InPhases { mostly, at_end } = phases.into();
        self.all.merge(shard, 0);
        self.now.clear();
        (self.now).extend(shard.cohorts.iter().map(|cohort| cohort.open));
        self.keep_endings(shard);
        self.keep_records(shard);
        let mut interval = Interval::of(shard, mostly, sample, &self.layout);
        // If a worker fell behind and its shard covers two intervals, so does this one.
        interval.from = self.reached.min(interval.from);
        self.reached = interval.to;
        let in_report = self.in_report(&interval);
        self.timeline.push(&in_report);
        self.keep_states(at_end, &interval);
        let now = [sample.cpu, sample.rss, sample.bytes_per_connection];
        push(&mut self.generator, now);
        if let Some(target) = sample.target
            && mostly.is_measured()
        {
            let cpu = target
                .cpu
                .map(|cpu| 100.0 * cpu.as_secs_f64() / Interval::SECOND.as_secs_f64());
            let (rss, descriptors) = (target.rss as f64, target.descriptors as f64);
            push(&mut self.target, [cpu, Some(rss), Some(descriptors)]);
        }
        Arc::new(interval)
    }

    /// Sets what the generator used, where that was added up elsewhere: processor time, memory, and memory by connection.
    pub(super) fn generator_used(&mut self, used: [Option<GaugeStats>; 3]) {
        self.generator = used;
    }

    /// Adds the states of one second, which are those at its end, to the states of the phase that it ends in.
    fn keep_states(&mut self, phase: Phase, interval: &Interval) {
        let cohorts = interval.cohorts.iter().enumerate();
        let mut now: Vec<(Option<usize>, Open)> = cohorts
            .map(|(index, part)| (Some(index), part.gauges))
            .collect();
        let looked_at = self.looked_at.iter().zip(&interval.cohorts);
        let looked_at = looked_at.filter(|(is_looked_at, _)| **is_looked_at);
        let together = looked_at.fold(None, |all: Option<Open>, (_, part)| {
            let mut all = all.unwrap_or_default();
            all.merge(&part.gauges);
            Some(all)
        });
        now.extend(together.map(|together| (None, together)));
        let known = self.states.iter().rposition(|states| states.phase != phase);
        let mut of_phase = self.states.split_off(known.map_or(0, |last| last + 1));
        let is_new = of_phase.is_empty();
        for (place, (cohort, open)) in now.into_iter().enumerate() {
            let now = [open.connecting, open.open, open.ready, open.closing];
            let [connecting, open, ready, closing] = now.map(|now| now as f64);
            if is_new {
                let now = [connecting, open, ready, closing];
                let [connecting, open, ready, closing] = now.map(GaugeStats::of);
                of_phase.push(States {
                    cohort,
                    phase,
                    connecting,
                    open,
                    ready,
                    closing,
                });
            } else {
                let states = &mut of_phase[place];
                states.connecting.add(connecting);
                states.open.add(open);
                states.ready.add(ready);
                states.closing.add(closing);
            }
        }
        self.states.append(&mut of_phase);
    }

    fn keep_records(&mut self, interval: &Shard) {
        let room = ConnectionRecords::MAX_ROWS - self.records.rows.len();
        let kept = interval.records.len().min(room);
        self.records
            .rows
            .extend_from_slice(&interval.records[..kept]);
        self.records.more += interval.more_records + (interval.records.len() - kept) as u64;
    }

    /// Keeps an ending if there is room, or counts one that has none.
    fn keep_ending(&mut self, ending: &Ending) {
        let Endings { rows, more, .. } = &mut self.endings;
        if self.keeps_newest && rows.len() >= Endings::MAX_NEWEST {
            let oldest = Endings::MAX_NEWEST / 10;
            rows.drain(..oldest);
            *more += oldest as u64;
        }
        if rows.len() < Endings::MAX_ROWS {
            rows.push(ending.clone());
        } else {
            *more += 1;
        }
    }

    fn keep_endings(&mut self, interval: &Shard) {
        for ending in &interval.endings {
            if !ending.detail.is_empty() {
                let examples = self.endings.examples.entry(ending.cause).or_default();
                if examples.len() < Endings::MAX_EXAMPLES && !examples.contains(&ending.detail) {
                    examples.push(ending.detail.clone());
                }
            }
            self.keep_ending(ending);
        }
        let endings = &mut self.endings;
        endings.more += interval.more_endings;
        for words in &interval.unexpected {
            if endings.unexpected.len() < Endings::MAX_EXAMPLES
                && !endings.unexpected.contains(words)
            {
                endings.unexpected.push(words.clone());
            }
        }
    }

    /// The numbers so far; `windows` are the lengths of the measured windows in seconds.
    pub fn summary(&self, seconds: f64, windows: &[f64]) -> Summary {
        let mut totals = Vec::new();
        for cohort in self.cohorts(&|_| true) {
            cohort.totals(seconds, &mut totals);
        }
        let mut lag = self.all.loop_lag.clone();
        lag.merge(&self.all.early_lag);
        push_own(&mut totals, Timer::GeneratorLoopLag, &lag, seconds);
        Summary {
            totals,
            timeline: self.timeline.rows(),
            intervals: self.timeline.intervals(),
            endings: self.endings_in_report(),
            records: self.records.clone(),
            fallbacks: self.all.fallbacks.clone(),
            agreed: self.all.agreed.clone(),
            stops: self.stops_in_report(),
            ..self.snapshot(seconds, windows, &|_| true)
        }
    }

    /// As [`Self::summary`], but cheap enough for every second: counters, gauges, states, and only the histograms that
    /// are `wanted`. Leaves out totals, timeline, endings and records.
    pub fn snapshot(
        &self,
        seconds: f64,
        windows: &[f64],
        wanted: &dyn Fn(&str) -> bool,
    ) -> Summary {
        let mut metrics = Vec::new();
        for (index, cohort) in self.cohorts(wanted).enumerate() {
            cohort.whole(seconds, &mut metrics);
            cohort.windows(&self.layout, windows, &mut metrics);
            let gauges = STATES.map(|gauge| self.gauge(index, gauge));
            push_gauges(&mut metrics, Some(cohort.cohort), seconds, STATES, gauges);
        }
        push_gauges(&mut metrics, None, seconds, OWN, self.generator);
        let measured = windows.iter().sum();
        push_gauges(&mut metrics, None, measured, TARGET, self.target);
        // These timers belong to no cohort.
        for (timer, times) in [
            (Timer::HandshakeDns, &self.all.look_ups),
            (Timer::GeneratorLoopLag, &self.all.loop_lag),
        ] {
            if wanted(timer.name()) {
                push_own(&mut metrics, timer, times, seconds);
            }
        }
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
            states: self.states.clone(),
            timeline: Vec::new(),
            intervals: Vec::new(),
            endings: Endings::default(),
            records: ConnectionRecords::default(),
            fallbacks: Fallbacks::default(),
            agreed: Agreed::default(),
            stops: Stops::default(),
            measured_from: None,
            carried: self.carried.clone(),
            border: self.border(),
        }
    }

    /// A gauge of one cohort over the whole run.
    fn gauge(&self, cohort: usize, gauge: Gauge) -> Option<GaugeStats> {
        let phases = self
            .states
            .iter()
            .filter(|states| states.cohort == Some(cohort));
        let mut all = None;
        for stats in phases.filter_map(|states| states.gauge(gauge)) {
            GaugeStats::merge(&mut all, stats);
        }
        all
    }

    fn cohorts<'a>(
        &'a self,
        wanted: &'a dyn Fn(&str) -> bool,
    ) -> impl Iterator<Item = CohortRows<'a>> {
        let shards = self.layout.cohorts.iter().zip(&self.all.cohorts);
        shards.map(move |((cohort, slots), shard)| CohortRows {
            cohort,
            slots,
            shard,
            wanted,
        })
    }
}

fn push<const N: usize>(stats: &mut [Option<GaugeStats>; N], now: [Option<f64>; N]) {
    for (stats, now) in stats.iter_mut().zip(now) {
        if let Some(now) = now {
            GaugeStats::push(stats, now);
        }
    }
}

fn push_gauges<const N: usize>(
    out: &mut Vec<Metric>,
    cohort: Option<&str>,
    seconds: f64,
    gauges: [Gauge; N],
    stats: [Option<GaugeStats>; N],
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

fn push_own(out: &mut Vec<Metric>, timer: Timer, times: &Histogram, seconds: f64) {
    if !times.is_empty() {
        out.push(Metric {
            name: timer.name().to_owned(),
            cohort: None,
            stage: None,
            seconds,
            value: Value::Histogram(Box::new(times.clone())),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::layout::Window;
    use crate::metric::Timed;
    use crate::units::Nanos;

    fn layout(cohorts: &[&str]) -> Layout {
        let cohort = |name: &&str| ((*name).to_owned(), vec![Timed::sent("echo")]);
        Layout {
            cohorts: cohorts.iter().map(cohort).collect(),
            stages: 0,
            topics: Default::default(),
        }
    }

    /// A run's data grows with time; the data copied each second must not.
    #[test]
    fn a_snapshot_copies_no_more_than_is_wanted() {
        let layout = layout(&["main"]);
        let mut collector = Collector::new(layout.clone());
        let mut shard = Shard::new(&layout);
        let window = shard.cohorts[0].window(Window::measured(0));
        window.count(Counter::MessagesSent);
        window.answer(0, Nanos(2_000), Nanos(1_000));
        shard.loop_lag.record(1_000);
        shard.more_endings = 1;
        shard.more_records = 1;
        collector.interval(Phase::Measure, &shard, Sample::default());
        let histograms = |wanted: &str| {
            let snapshot = collector.snapshot(1.0, &[1.0], &|metric| metric == wanted);
            assert_eq!(snapshot.count("messages.sent"), 1);
            assert_eq!(snapshot.totals, []);
            assert_eq!(snapshot.timeline, []);
            assert_eq!(snapshot.endings, Endings::default());
            assert_eq!(snapshot.records, ConnectionRecords::default());
            let rows = snapshot.metrics.into_iter();
            let histograms = rows.filter(|row| matches!(row.value, Value::Histogram(_)));
            histograms.map(|row| row.name).collect::<Vec<_>>()
        };
        assert_eq!(histograms("connections.failed"), [""; 0]);
        assert_eq!(histograms("connections.open"), [""; 0]);
        assert_eq!(histograms("latency.echo"), ["latency.echo"]);
        assert_eq!(histograms("generator.loop_lag"), ["generator.loop_lag"]);
        let whole = collector.summary(1.0, &[1.0]);
        assert_eq!((whole.endings.more, whole.records.more), (1, 1));
    }

    /// The states that a gate on `connections.open` looks at: they do not grow with the run, and count every second.
    #[test]
    fn states_are_folded_by_phase() {
        let layout = layout(&["good", "bad", "fair"]);
        let mut collector = Collector::new(layout.clone())
            .planned(Duration::from_secs(100_000), vec![true, false, true]);
        let mut shard = Shard::new(&layout);
        use Phase::{Drain, Measure, RampUp};
        let mut second = |phase, open: [u64; 3]| {
            for (cohort, open) in shard.cohorts.iter_mut().zip(open) {
                cohort.open.open = open;
            }
            collector.interval(phase, &shard, Sample::default());
            shard.interval += 1;
        };
        second(RampUp, [1, 5, 0]);
        second(Measure, [4, 5, 1]);
        second(Measure, [1, 5, 3]);
        second(Drain, [0, 5, 0]);
        let summary = collector.summary(4.0, &[2.0]);
        let seen = |cohort| {
            let states = summary
                .states
                .iter()
                .filter(move |one| one.cohort == cohort);
            let open = states.map(|one| (one.phase, one.open.min, one.open.max, one.open.last));
            open.collect::<Vec<_>>()
        };
        assert_eq!(
            seen(Some(0)),
            [
                (RampUp, 1.0, 1.0, 1.0),
                (Measure, 1.0, 4.0, 1.0),
                (Drain, 0.0, 0.0, 0.0)
            ]
        );
        // The bad cohort is not included, and the peak of the sum is 5, not 4 + 3.
        assert_eq!(
            seen(None),
            [
                (RampUp, 1.0, 1.0, 1.0),
                (Measure, 4.0, 5.0, 4.0),
                (Drain, 0.0, 0.0, 0.0)
            ]
        );
        assert_eq!(collector.states.len(), 3 * 4);
    }
}
