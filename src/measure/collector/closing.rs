//! Closes the report of a run that goes on: what it holds is handed out, and the next report begins empty.

use std::borrow::Cow;
use std::time::Duration;

use super::Collector;
use crate::measure::border::{self, Border};
use crate::measure::delivery::Reach;
use crate::measure::interval::Interval;
use crate::measure::stops::Stops;
use crate::measure::summary::{Endings, GaugeStats, States};
use crate::measure::timeline::Timeline;
use crate::metric::Counter;
use crate::units::{Nanos, Timestamp};

impl Collector {
    /// When its report began.
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// Prepares for a run without end: of more endings than have room the newest are kept.
    pub fn endless(self) -> Self {
        Self {
            keeps_newest: true,
            ..self
        }
    }

    /// Prepares for reports that are closed. For each cohort: whether each message that it sends is waited for.
    pub fn asking(self, asks: Vec<bool>) -> Self {
        Self { asks, ..self }
    }

    /// Returns what was recorded so far as a report of its own, and goes on with what is under way. Times of the next report
    /// count from here.
    pub fn close(&mut self) -> Self {
        let mut next = Self {
            asks: self.asks.clone(),
            now: self.now.clone(),
            looked_at: self.looked_at.clone(),
            began: self.reached,
            carried: self.clients(),
            keeps_newest: self.keeps_newest,
            reached: self.reached,
            timeline: Timeline::new(Duration::ZERO),
            reach: std::mem::replace(&mut self.reach, Reach::new(1)),
            ..Self::new(self.layout.clone())
        };
        for (cohort, now) in self.all.cohorts.iter_mut().zip(&self.now) {
            cohort.open = *now;
        }
        let left = border::carry(&mut self.all, &mut next.all, &self.asks);
        self.border.left = left;
        next.border = Border {
            open: self.now.iter().map(|now| now.open).sum(),
            taken: left,
            left: 0,
        };
        std::mem::replace(self, next)
    }

    /// What it took over and left; `None` for a run of one report.
    pub(super) fn border(&self) -> Option<Border> {
        let is_one = self.before() == Nanos::ZERO && self.border == Border::default();
        (!is_one).then_some(self.border)
    }

    /// Adds a later report, but not its course over time. Exact.
    pub fn absorb(&mut self, later: &Self) {
        self.all.merge(&later.all, 0);
        self.reached = self.reached.max(later.reached);
        self.border.left = later.border.left;
        for states in &later.states {
            let mut known = self.states.iter_mut();
            let same = known.find(|known| known.is_of(states));
            match same {
                Some(known) => known.merge(states),
                None => self.states.push(*states),
            }
        }
        merge(&mut self.generator, later.generator);
        merge(&mut self.target, later.target);
        self.endings.more += later.endings.more;
        for ending in &later.endings.rows {
            self.keep_ending(ending);
        }
        for (cause, details) in &later.endings.examples {
            let examples = self.endings.examples.entry(*cause).or_default();
            for detail in details {
                if examples.len() < Endings::MAX_EXAMPLES && !examples.contains(detail) {
                    examples.push(detail.clone());
                }
            }
        }
    }

    /// For each cohort, the clients that have opened a connection so far.
    fn clients(&self) -> Vec<u64> {
        let cohorts = self.all.cohorts.iter().enumerate();
        let clients = cohorts.map(|(place, cohort)| {
            let count = |counter| cohort.whole.counter(counter);
            let again = count(Counter::ConnectionsReconnected);
            let first = count(Counter::ConnectionsOpened).saturating_sub(again);
            first + self.carried.get(place).copied().unwrap_or(0)
        });
        clients.collect()
    }

    /// The interval by the time of the report.
    pub(super) fn in_report<'a>(&self, interval: &'a Interval) -> Cow<'a, Interval> {
        let before = self.before();
        if before == Nanos::ZERO {
            return Cow::Borrowed(interval);
        }
        Cow::Owned(Interval {
            index: interval.index.saturating_sub(before / Interval::SECOND),
            from: interval.from.saturating_sub(before),
            to: interval.to.saturating_sub(before),
            ..interval.clone()
        })
    }

    /// The endings by the time of the report. What was before is at its begin.
    pub(super) fn endings_in_report(&self) -> Endings {
        let before = self.before();
        let mut endings = self.endings.clone();
        for ending in &mut endings.rows {
            ending.earlier(before);
        }
        endings
    }

    /// The stops by the time of the report.
    pub(super) fn stops_in_report(&self) -> Stops {
        let before = self.before();
        let mut stops = self.all.stops.clone();
        for stop in &mut stops.rows {
            stop.from = stop.from.saturating_sub(before);
            stop.to = stop.to.saturating_sub(before);
        }
        stops
    }

    fn before(&self) -> Nanos {
        self.began.saturating_since(Timestamp::ORIGIN)
    }
}

impl States {
    fn is_of(&self, other: &Self) -> bool {
        (self.cohort, self.phase) == (other.cohort, other.phase)
    }

    fn merge(&mut self, later: &Self) {
        let mine = [
            &mut self.connecting,
            &mut self.open,
            &mut self.ready,
            &mut self.closing,
        ];
        let theirs = [later.connecting, later.open, later.ready, later.closing];
        for (mine, theirs) in mine.into_iter().zip(theirs) {
            let mut both = Some(*mine);
            GaugeStats::merge(&mut both, theirs);
            *mine = both.unwrap_or_default();
        }
    }
}

fn merge<const N: usize>(mine: &mut [Option<GaugeStats>; N], later: [Option<GaugeStats>; N]) {
    for (mine, later) in mine.iter_mut().zip(later) {
        if let Some(later) = later {
            GaugeStats::merge(mine, later);
        }
    }
}

#[cfg(test)]
#[path = "closing_tests.rs"]
mod tests;
