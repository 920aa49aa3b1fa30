//! All counters and histograms of one group of connections in one window of time.

use std::collections::BTreeMap;

use super::histogram::Histogram;
use super::interval::Name;
use crate::metric::{self, Cause, CloseKind, Counter, Side, Timed, Timer};
use crate::units::Nanos;

/// All counters and histograms of a window. A histogram is created when first used, and takes up to 1 KiB until it
/// holds many times.
#[derive(Debug, Clone, PartialEq)]
pub struct Cells {
    counters: [u64; Counter::COUNT],
    causes: [u64; Cause::COUNT],
    closes: BTreeMap<(CloseKind, Side), u64>,
    timers: [Option<Box<Histogram>>; Timer::COUNT],
    /// For each message, the times from its intended send and from its actual send; empty until there is an answer.
    answers: Vec<[Option<Box<Histogram>>; 2]>,
    messages: usize,
}

impl Cells {
    /// Creates empty cells for this number of messages.
    pub fn new(messages: usize) -> Self {
        Self {
            counters: [0; Counter::COUNT],
            causes: [0; Cause::COUNT],
            closes: BTreeMap::new(),
            timers: [const { None }; Timer::COUNT],
            answers: Vec::new(),
            messages,
        }
    }

    /// Adds one to a counter.
    pub fn count(&mut self, counter: Counter) {
        self.counters[counter as usize] += 1;
    }

    /// Adds `more` to a counter.
    pub fn add(&mut self, counter: Counter, more: u64) {
        self.counters[counter as usize] += more;
    }

    /// Moves `some` of a counter to other cells.
    pub(super) fn carry(&mut self, counter: Counter, some: u64, to: &mut Self) {
        let mine = &mut self.counters[counter as usize];
        let some = some.min(*mine);
        *mine -= some;
        to.counters[counter as usize] += some;
    }

    /// Counts the end of a connection, or of a dial that failed.
    pub fn cause(&mut self, cause: Cause) {
        self.causes[cause as usize] += 1;
    }

    /// Counts a close of this kind, by this side.
    pub fn close(&mut self, kind: CloseKind, side: Side) {
        *self.closes.entry((kind, side)).or_default() += 1;
    }

    /// Adds a time.
    #[inline]
    pub fn time(&mut self, timer: Timer, took: Nanos) {
        self.timers[timer as usize]
            .get_or_insert_with(unused)
            .record(took.0);
    }

    /// Adds the time of one answer to the message with this index: from its intended and its actual send.
    #[inline]
    pub fn answer(&mut self, message: usize, latency: Nanos, service: Nanos) {
        if message >= self.answers.len() {
            self.make_answers();
        }
        let [latencies, services] = &mut self.answers[message];
        latencies.get_or_insert_with(unused).record(latency.0);
        services.get_or_insert_with(unused).record(service.0);
    }

    /// Adds those of the two times of this slot that are known.
    pub fn timed(&mut self, slot: usize, times: [Option<Nanos>; 2]) {
        if slot >= self.answers.len() {
            self.make_answers();
        }
        for (histogram, time) in self.answers[slot].iter_mut().zip(times) {
            if let Some(time) = time {
                histogram.get_or_insert_with(unused).record(time.0);
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn make_answers(&mut self) {
        self.answers = vec![[None, None]; self.messages];
    }

    /// The value of a counter.
    pub fn counter(&self, counter: Counter) -> u64 {
        self.counters[counter as usize]
    }

    /// How many connections or dials ended with this cause.
    pub fn caused(&self, cause: Cause) -> u64 {
        self.causes[cause as usize]
    }

    /// The closes by kind and side, and how many there were of each.
    pub fn closes(&self) -> impl Iterator<Item = (CloseKind, Side, u64)> {
        self.closes
            .iter()
            .map(|((kind, side), count)| (*kind, *side, *count))
    }

    /// The distribution of these times; `None` if there are none.
    pub fn timer(&self, timer: Timer) -> Option<&Histogram> {
        filled(&self.timers[timer as usize])
    }

    /// The latency of the message with this index; `None` if there was no answer.
    pub fn latency(&self, message: usize) -> Option<&Histogram> {
        self.answers
            .get(message)
            .and_then(|[latency, _]| filled(latency))
    }

    /// The service time of the message with this index; `None` if there was no answer.
    pub fn service(&self, message: usize) -> Option<&Histogram> {
        self.answers
            .get(message)
            .and_then(|[_, service]| filled(service))
    }

    /// Adds to the counter with this name. Returns false if there is none.
    pub(super) fn add_named(&mut self, name: &str, more: u64) -> bool {
        if let Some(counter) = Counter::from_name(name) {
            self.counters[counter as usize] += more;
        } else if let Some(cause) = metric::cause_from_name(name) {
            self.causes[cause as usize] += more;
        } else if let Some(how) = metric::close_from_name(name) {
            *self.closes.entry(how).or_default() += more;
        } else {
            return false;
        }
        true
    }

    /// Adds the times with this name; `slots` are what is timed. Returns false if there is no such
    /// timer.
    pub(super) fn merge_named(&mut self, name: &str, times: &Histogram, slots: &[Timed]) -> bool {
        if let Some(timer) = Timer::from_name(name) {
            let slot = &mut self.timers[timer as usize];
            slot.get_or_insert_default().merge(times);
            return true;
        }
        let mut places = slots.iter().map(|slot| slot.place(name)).enumerate();
        let Some((slot, place)) = places.find_map(|(slot, place)| Some((slot, place?))) else {
            return false;
        };
        if slot >= self.answers.len() {
            self.make_answers();
        }
        let slot = &mut self.answers[slot][place];
        slot.get_or_insert_default().merge(times);
        true
    }

    /// All counts by name; zeros are left out.
    pub fn counts(&self) -> impl Iterator<Item = (Name, u64)> {
        let counters = Counter::ALL.iter().zip(&self.counters);
        let counters = counters.map(|(counter, count)| (Name::from(counter.name()), *count));
        let causes = Cause::ALL.iter().zip(&self.causes);
        let causes = causes.filter(|(cause, count)| **cause != Cause::Completed && **count > 0);
        let causes = causes.map(|(cause, count)| (Name::from(metric::error(*cause)), *count));
        let closes = self.closes();
        let closes = closes.map(|(kind, side, count)| (metric::close(kind, side).into(), count));
        let all = counters.chain(causes).chain(closes);
        all.filter(|(_, count)| *count > 0)
    }

    /// All times by name; `slots` are what is timed. Empty histograms are left out.
    pub fn times<'a>(&'a self, slots: &'a [Timed]) -> impl Iterator<Item = (Name, &'a Histogram)> {
        let timers = Timer::ALL.iter().copied();
        let timers = timers.map(|timer| (Name::from(timer.name()), self.timer(timer)));
        let answers = slots.iter().zip(&self.answers).flat_map(|(slot, times)| {
            let [first, second] = slot.metrics().map(Name::from);
            [(first, filled(&times[0])), (second, filled(&times[1]))]
        });
        let all = timers.chain(answers);
        all.filter_map(|(name, times)| Some((name, times?)))
    }

    /// Adds everything in `other`. Exact, in any order.
    pub fn merge(&mut self, other: &Self) {
        self.merge_counts(other);
        let mut answers = other.answers.iter().flatten();
        if self.answers.is_empty() && answers.any(|slot| filled(slot).is_some()) {
            self.make_answers();
        }
        for (mine, theirs) in self.histograms_mut().zip(other.histograms()) {
            if let Some(theirs) = filled(theirs) {
                mine.get_or_insert_default().merge(theirs);
            }
        }
    }

    /// Adds what `other` counted, and none of its times.
    pub(super) fn merge_counts(&mut self, other: &Self) {
        for (mine, theirs) in self.counters.iter_mut().zip(&other.counters) {
            *mine += theirs;
        }
        for (mine, theirs) in self.causes.iter_mut().zip(&other.causes) {
            *mine += theirs;
        }
        for (how, count) in &other.closes {
            *self.closes.entry(*how).or_default() += count;
        }
    }

    /// Resets everything, but keeps the memory of the histograms that were in use.
    pub fn clear(&mut self) {
        self.counters = [0; Counter::COUNT];
        self.causes = [0; Cause::COUNT];
        self.closes.clear();
        let mut is_answered = false;
        for slot in self.answers.iter_mut().flatten() {
            clear(slot);
            is_answered |= slot.is_some();
        }
        if !is_answered {
            self.answers = Vec::new();
        }
        self.timers.iter_mut().for_each(clear);
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        let counts = self.counters.iter().chain(&self.causes);
        self.closes.is_empty()
            && counts.into_iter().all(|count| *count == 0)
            && self.histograms().all(|slot| filled(slot).is_none())
    }

    fn histograms(&self) -> impl Iterator<Item = &Option<Box<Histogram>>> {
        self.timers.iter().chain(self.answers.iter().flatten())
    }

    fn histograms_mut(&mut self) -> impl Iterator<Item = &mut Option<Box<Histogram>>> {
        let answers = self.answers.iter_mut().flatten();
        self.timers.iter_mut().chain(answers)
    }
}

/// Creates a histogram for the first time that is recorded.
#[cold]
#[inline(never)]
fn unused() -> Box<Histogram> {
    Box::default()
}

/// Empties a histogram that was in use, for the next second; frees one that was not, because its phase of the run is
/// over.
fn clear(slot: &mut Option<Box<Histogram>>) {
    match slot {
        Some(histogram) if !histogram.is_empty() => histogram.clear(),
        unused => *unused = None,
    }
}

/// Returns a histogram only if it holds times: a cleared one counts as none.
fn filled(histogram: &Option<Box<Histogram>>) -> Option<&Histogram> {
    histogram.as_deref().filter(|h| !h.is_empty())
}

/// A proptest strategy for everything that a worker may record.
#[cfg(test)]
pub(super) mod script {
    use super::*;
    use proptest::prelude::*;

    #[derive(Debug, Clone)]
    pub(crate) enum Act {
        Add(usize, u64),
        Cause(usize),
        Close(u16, bool),
        Time(usize, u64),
        Answer(usize, u64, u64),
    }

    pub(crate) const MESSAGES: usize = 2;

    pub(crate) fn acts() -> impl Strategy<Value = Vec<Act>> {
        let ns = 0u64..100_000_000_000;
        prop::collection::vec(
            prop_oneof![
                (0..Counter::COUNT, 1u64..1000).prop_map(|(c, n)| Act::Add(c, n)),
                (0..Cause::COUNT).prop_map(Act::Cause),
                (1000u16..1015, any::<bool>()).prop_map(|(c, p)| Act::Close(c, p)),
                (0..Timer::COUNT, ns.clone()).prop_map(|(t, n)| Act::Time(t, n)),
                (0..MESSAGES, ns.clone(), ns).prop_map(|(m, l, s)| Act::Answer(m, l, s)),
            ],
            0..60,
        )
    }

    pub(crate) fn play(cells: &mut Cells, acts: &[Act]) {
        for act in acts {
            match *act {
                Act::Add(counter, more) => cells.add(Counter::ALL[counter], more),
                Act::Cause(cause) => cells.cause(Cause::ALL[cause]),
                Act::Close(code, peer) => cells.close(
                    CloseKind::Code(code),
                    if peer { Side::Peer } else { Side::Local },
                ),
                Act::Time(timer, ns) => cells.time(Timer::ALL[timer], Nanos(ns)),
                Act::Answer(message, latency, service) => {
                    cells.answer(message, Nanos(latency), Nanos(service))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::script::{MESSAGES, acts, play};
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        /// Covers every counter and every histogram: fails if `merge` forgets one.
        #[test]
        fn merging_is_recording_together(a in acts(), b in acts()) {
            let (mut left, mut right, mut together) = (Cells::new(MESSAGES), Cells::new(MESSAGES), Cells::new(MESSAGES));
            play(&mut left, &a);
            play(&mut right, &b);
            play(&mut together, &a);
            play(&mut together, &b);
            let mut ab = left.clone();
            ab.merge(&right);
            let mut ba = right;
            ba.merge(&left);
            prop_assert_eq!(&ab, &together);
            prop_assert_eq!(&ba, &together);
        }

        #[test]
        fn a_cleared_one_adds_nothing(a in acts(), b in acts()) {
            let mut cleared = Cells::new(MESSAGES);
            play(&mut cleared, &a);
            cleared.clear();
            let mut merged = Cells::new(MESSAGES);
            play(&mut merged, &b);
            let before = merged.clone();
            merged.merge(&cleared);
            prop_assert_eq!(merged, before);
        }
    }
}
