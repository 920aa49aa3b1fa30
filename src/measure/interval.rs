//! The measurements of one span of time, merged from all workers: created once a second, and merged into longer ones.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::convert::Infallible;

use serde::{Deserialize, Serialize};

use super::histogram::{Encoded, Histogram, HistogramError};
use super::layout::Layout;
use super::shard::{CohortShard, Open, Shard};
use super::surroundings::Usage;
use super::timeline::Phase;
use crate::metric::{Counter, Timed, Timer};
use crate::units::{Nanos, Timestamp};

/// A name of the catalogue.
pub type Name = Cow<'static, str>;

/// The resources of the generator, and those of the target, in an interval.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sample {
    /// CPU used, in percent of one core.
    pub cpu: Option<f64>,
    /// Memory used, in bytes.
    pub rss: Option<f64>,
    /// Memory growth for each open connection, in bytes.
    pub bytes_per_connection: Option<f64>,
    /// Those of the target; `None` where its process is not known. The processor time is that of a second.
    pub target: Option<Usage>,
}

/// The measurements of one span of time. All are deltas, except the states, which are those at its end.
///
/// Merging is exact, in any order: merging the seconds of a minute gives the minute. One that is kept holds its times
/// [`Encoded`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Interval<H = Histogram> {
    /// The number of its first second, from 0.
    pub index: u64,
    /// Its start.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// The phase of the run in the middle of its last second.
    pub phase: Phase,
    /// One part for each cohort, in the order of the [`Layout`].
    pub cohorts: Vec<Part<H>>,
    /// The resources of each load generator, by name. Today there is only one, [`Interval::GENERATOR`].
    pub sources: BTreeMap<Name, Own<H>>,
    /// The resources of the target: processor time in the interval, the others at its end. `None` where its process is
    /// not known, or has ended.
    pub target: Option<Usage>,
}

/// One cohort's part of an interval: all windows together, without zeros and empty histograms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Part<H = Histogram> {
    /// The states of connections at its end.
    pub gauges: Open,
    /// The counts, by name.
    pub counts: BTreeMap<Name, u64>,
    /// The times in nanoseconds, as whole histograms, by name.
    pub times: BTreeMap<Name, H>,
}

/// The resources of one load generator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Own<H = Histogram> {
    /// Processor time that was used; `None` if the system does not say.
    pub cpu: Option<Nanos>,
    /// Memory at the end of the interval, in bytes.
    pub rss: Option<u64>,
    /// How late workers were woken, in nanoseconds.
    pub loop_lag: Option<H>,
    /// How long look-ups of the target's name took, in nanoseconds.
    pub look_ups: Option<H>,
}

impl<H> Default for Part<H> {
    fn default() -> Self {
        Self {
            gauges: Open::default(),
            counts: BTreeMap::new(),
            times: BTreeMap::new(),
        }
    }
}

impl<H> Default for Own<H> {
    fn default() -> Self {
        Self {
            cpu: None,
            rss: None,
            loop_lag: None,
            look_ups: None,
        }
    }
}

impl Interval {
    /// The name of this process in `sources`.
    pub const GENERATOR: &'static str = "generator";
    /// The length of a shard's interval.
    pub const SECOND: Nanos = Nanos::from_secs(1);

    /// Converts the merged shards of one second, most of which was in this phase.
    pub fn of(shard: &Shard, phase: Phase, sample: Sample, layout: &Layout) -> Self {
        let from = Timestamp::ORIGIN + shard.interval * Self::SECOND;
        let names = layout.cohorts.iter().map(|(_, slots)| slots);
        let mut loop_lag = shard.early_lag.clone();
        loop_lag.merge(&shard.loop_lag);
        let own = Own {
            cpu: sample
                .cpu
                .map(|percent| Self::SECOND.mul_f64(percent / 100.0)),
            rss: sample.rss.map(|bytes| bytes as u64),
            loop_lag: if_any(&shard.loop_lag),
            look_ups: if_any(&shard.look_ups),
        };
        Self {
            index: shard.interval,
            from,
            to: from + Self::SECOND,
            phase,
            cohorts: (shard.cohorts.iter().zip(names))
                .map(|(cohort, slots)| Part::of(cohort, slots))
                .collect(),
            sources: [(Name::from(Self::GENERATOR), own)].into(),
            target: sample.target,
        }
    }

    /// Adds another span of the same run. Exact; the states and the phase are those of the later span.
    pub fn merge(&mut self, other: &Self) {
        let is_later = other.to > self.to;
        for (mine, theirs) in self.cohorts.iter_mut().zip(&other.cohorts) {
            mine.merge(theirs, is_later);
        }
        for (name, theirs) in &other.sources {
            let mine = self.sources.entry(name.clone()).or_default();
            mine.merge(theirs, is_later);
        }
        self.target = match (self.target, other.target) {
            (Some(mine), Some(theirs)) => Some(Usage {
                cpu: sum(mine.cpu, theirs.cpu),
                ..if is_later { theirs } else { mine }
            }),
            (mine, theirs) => mine.or(theirs),
        };
        if is_later {
            self.phase = other.phase;
        }
        self.index = self.index.min(other.index);
        self.from = self.from.min(other.from);
        self.to = self.to.max(other.to);
    }

    /// The form in which it is kept.
    pub fn encode(&self) -> Interval<Encoded> {
        let encoded = self.try_map(|times| Ok::<_, Infallible>(Encoded::from(times)));
        encoded.unwrap_or_else(|never| match never {})
    }
}

impl Interval<Encoded> {
    /// The form with whole histograms.
    ///
    /// # Errors
    /// If one of its times cannot be decoded. What [`Interval::encode`] made can.
    pub fn decode(&self) -> Result<Interval, HistogramError> {
        self.try_map(Encoded::decode)
    }
}

impl<H> Interval<H> {
    /// Its length in seconds.
    pub fn seconds(&self) -> f64 {
        self.to.saturating_since(self.from).as_secs_f64()
    }

    /// A counter, added up over all cohorts.
    pub fn count(&self, counter: Counter) -> u64 {
        self.cohorts.iter().map(|part| part.count(counter)).sum()
    }

    /// The states, added up over all cohorts.
    pub fn open(&self) -> Open {
        let mut all = Open::default();
        self.cohorts.iter().for_each(|part| all.merge(&part.gauges));
        all
    }

    /// The same with its times in another form.
    fn try_map<T, E>(&self, form: impl Fn(&H) -> Result<T, E>) -> Result<Interval<T>, E> {
        let any = |times: &Option<H>| times.as_ref().map(&form).transpose();
        let part = |part: &Part<H>| {
            let times = part.times.iter();
            let times = times.map(|(name, times)| Ok((name.clone(), form(times)?)));
            Ok(Part {
                gauges: part.gauges,
                counts: part.counts.clone(),
                times: times.collect::<Result<_, E>>()?,
            })
        };
        let own = |(name, own): (&Name, &Own<H>)| {
            let own = Own {
                cpu: own.cpu,
                rss: own.rss,
                loop_lag: any(&own.loop_lag)?,
                look_ups: any(&own.look_ups)?,
            };
            Ok((name.clone(), own))
        };
        Ok(Interval {
            index: self.index,
            from: self.from,
            to: self.to,
            phase: self.phase,
            cohorts: self.cohorts.iter().map(part).collect::<Result<_, E>>()?,
            sources: self.sources.iter().map(own).collect::<Result<_, E>>()?,
            target: self.target,
        })
    }
}

impl Part {
    fn of(cohort: &CohortShard, slots: &[Timed]) -> Self {
        let mut part = Self {
            gauges: cohort.open,
            ..Self::default()
        };
        let windows = cohort.windows().map(|(_, cells)| cells);
        for cells in std::iter::once(&cohort.whole).chain(windows) {
            for (name, count) in cells.counts() {
                *part.counts.entry(name).or_default() += count;
            }
            for (name, times) in cells.times(slots) {
                add(&mut part.times, &name, times);
            }
        }
        part
    }

    fn merge(&mut self, other: &Self, is_later: bool) {
        if is_later {
            self.gauges = other.gauges;
        }
        for (name, count) in &other.counts {
            *self.counts.entry(name.clone()).or_default() += count;
        }
        for (name, times) in &other.times {
            add(&mut self.times, name, times);
        }
    }
}

impl<H> Part<H> {
    /// The value of a counter.
    pub fn count(&self, counter: Counter) -> u64 {
        self.counts.get(counter.name()).copied().unwrap_or(0)
    }

    /// The times of one timer; `None` if there were none.
    pub fn timer(&self, timer: Timer) -> Option<&H> {
        self.times.get(timer.name())
    }

    /// The latencies of each message that was answered.
    pub fn latencies(&self) -> impl Iterator<Item = &H> {
        let from = self.times.range(Name::from("latency.")..);
        let all = from.take_while(|(name, _)| name.starts_with("latency."));
        all.map(|(_, times)| times)
    }
}

fn add(all: &mut BTreeMap<Name, Histogram>, name: &Name, times: &Histogram) {
    match all.get_mut(name) {
        Some(all) => all.merge(times),
        None => {
            all.insert(name.clone(), times.clone());
        }
    }
}

impl Own {
    fn merge(&mut self, other: &Self, is_later: bool) {
        self.cpu = sum(self.cpu, other.cpu);
        if is_later || self.rss.is_none() {
            self.rss = other.rss.or(self.rss);
        }
        add_any(&mut self.loop_lag, other.loop_lag.as_ref());
        add_any(&mut self.look_ups, other.look_ups.as_ref());
    }
}

/// What is known of both together.
fn sum(mine: Option<Nanos>, theirs: Option<Nanos>) -> Option<Nanos> {
    match (mine, theirs) {
        (Some(mine), Some(theirs)) => Some(mine + theirs),
        (mine, theirs) => mine.or(theirs),
    }
}

fn if_any(times: &Histogram) -> Option<Histogram> {
    (!times.is_empty()).then(|| times.clone())
}

fn add_any(mine: &mut Option<Histogram>, theirs: Option<&Histogram>) {
    match (mine, theirs) {
        (Some(mine), Some(theirs)) => mine.merge(theirs),
        (mine @ None, theirs) => *mine = theirs.cloned(),
        (Some(_), None) => {}
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::cells::script::{Act, MESSAGES, acts, play};
    use super::super::layout::Window;
    use super::*;
    use proptest::prelude::*;

    const PHASES: [Phase; 3] = [Phase::RampUp, Phase::Measure, Phase::Drain];

    pub(in crate::measure) fn layout() -> Layout {
        let messages = (0..MESSAGES)
            .map(|index| Timed::sent(&format!("m{index}")))
            .collect();
        Layout {
            cohorts: vec![("a".to_owned(), messages), ("b".to_owned(), Vec::new())],
            stages: 2,
            topics: ["all".to_owned(), "staff".to_owned()].into(),
        }
    }

    /// One second: the acts in each window, the whole run's first, and the number of open connections at its end.
    type Second = (Vec<Vec<Act>>, u64);

    fn seconds() -> impl Strategy<Value = Vec<Second>> {
        let second = (prop::collection::vec(acts(), 4), 0u64..100);
        prop::collection::vec(second, 1..6)
    }

    fn shard(number: usize, (acts, open): &Second) -> Shard {
        let mut shard = Shard::new(&layout());
        shard.interval = number as u64;
        let cohort = &mut shard.cohorts[0];
        play(&mut cohort.whole, &acts[0]);
        play(cohort.window(Window::OUTSIDE), &acts[1]);
        play(cohort.window(Window::measured(0)), &acts[2]);
        play(cohort.window(Window::measured(1)), &acts[3]);
        cohort.open.open = *open;
        shard.loop_lag.record(1_000 * open);
        shard
    }

    fn interval(shard: &Shard) -> Interval {
        let sample = Sample {
            cpu: Some(50.0),
            rss: Some(1_000.0),
            target: Some(Usage {
                rss: 1 + shard.interval,
                descriptors: 10 * (1 + shard.interval),
                cpu: Some(Nanos::from_millis(200)),
            }),
            ..Sample::default()
        };
        let phase = PHASES[shard.interval as usize % PHASES.len()];
        Interval::of(shard, phase, sample, &layout())
    }

    fn merged(intervals: impl IntoIterator<Item = Interval>) -> Interval {
        let all = intervals.into_iter().reduce(|mut all, next| {
            all.merge(&next);
            all
        });
        all.expect("there is one")
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn seconds_merged_are_the_whole(seconds in seconds()) {
            let shards: Vec<Shard> = seconds.iter().enumerate().map(|(n, s)| shard(n, s)).collect();
            let intervals: Vec<Interval> = shards.iter().map(interval).collect();
            let forwards = merged(intervals.clone());
            let backwards = merged(intervals.iter().rev().cloned());
            prop_assert_eq!(&forwards, &backwards, "the order makes no difference");
            let (some, others) = intervals.split_at(intervals.len() / 2);
            if !some.is_empty() {
                let halves = merged([merged(others.to_vec()), merged(some.to_vec())]);
                prop_assert_eq!(&forwards, &halves, "nor how they are grouped");
            }

            let mut together = Shard::new(&layout());
            shards.iter().for_each(|shard| together.merge(shard, 0));
            let last = intervals.last().expect("there is one");
            together.cohorts[0].open = last.cohorts[0].gauges;
            let mut whole = interval(&together);
            (whole.phase, whole.to) = (last.phase, last.to);
            whole.sources.clone_from(&forwards.sources);
            whole.target = forwards.target;
            prop_assert_eq!(&forwards, &whole);
            prop_assert_eq!(forwards.encode().decode().unwrap(), forwards, "the kept form loses nothing");
        }
    }

    #[test]
    fn nothing_takes_no_room() {
        let nothing = interval(&Shard::new(&layout()));
        let is_empty = |part: &Part| part.counts.is_empty() && part.times.is_empty();
        assert!(nothing.cohorts.iter().all(is_empty));
        assert_eq!(
            (nothing.from, nothing.to),
            (Timestamp::ORIGIN, Timestamp::ORIGIN + Interval::SECOND)
        );
    }

    #[test]
    fn what_belongs_to_an_instant_is_the_later_ones() {
        let seconds = [0, 1, 2].map(|n| interval(&shard(n, &(vec![Vec::new(); 4], 10 + n as u64))));
        let all = merged(seconds);
        assert_eq!(all.phase, Phase::Drain);
        assert_eq!(all.open().open, 12);
        let own = &all.sources[Interval::GENERATOR];
        assert_eq!(own.cpu, Some(Nanos::from_millis(1_500)));
        assert_eq!(own.loop_lag.as_ref().map(Histogram::count), Some(3));
        let target = Usage {
            rss: 3,
            descriptors: 30,
            cpu: Some(Nanos::from_millis(600)),
        };
        assert_eq!(all.target, Some(target));
    }
}
