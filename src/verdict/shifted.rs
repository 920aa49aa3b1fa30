//! Estimates what answers that name no message did to the numbers, where one was lost or one came too many.
//!
//! An answer without a stamp is taken for the oldest message that waits. If one is lost while others wait, the answers
//! after it are taken for older messages, and their times are too long: to the end of the connection, or until so many
//! are lost that the oldest times out. Where `in_flight` limits how many wait, the lost one takes a place until then,
//! and it is the newest that waits in vain: it times out only when no place is left. So rates are too low, and gaps
//! between answers too long. After a timeout, answers that may be late ones of another message give no sample, so that
//! samples are too few.
//!
//! A duplicate, or an equal message that others were sent, is taken for the answer to a message that waits, and the
//! times are too short. It shows only when an answer comes that nothing waits for, so from then on nothing is known of
//! any time of this run; and with `in_flight`, rates are too high.

use super::observe::value_of;
use super::range::Range;
use super::unnamed::{Unnamed, overlaps, text_heartbeat};
use super::view::{View, looked_at};
use crate::measure::Summary;
use crate::metric::{Counter, Timer};
use crate::scenario::{Cohort, Gate, Message, Pacing, Scenario, Selector, Stat, Subject};

/// What answers without a name may have done to the value that a gate looks at.
pub(super) struct Shift {
    /// Why they may have been matched with another message or ping.
    pub(super) unnamed: Unnamed,
    /// The range in which the true value may lie; any, if no value was seen.
    pub(super) range: Range,
}

/// Looks at a gate; `None` if such answers cannot have changed its value. `seen` is `None` if there was none.
pub(super) fn of(
    scenario: &Scenario,
    view: &View<'_>,
    gate: &Gate,
    seen: Option<f64>,
) -> Option<Shift> {
    match &gate.subject {
        Subject::Ratio(above, below) => {
            let full = |selector| Look::new(scenario, view, selector).full();
            ratio(&full(above), &full(below), seen?)
        }
        Subject::Stat(stat, selector) => Look::new(scenario, view, selector).at(*stat, seen),
    }
}

/// What a gate looks at.
struct Look<'a> {
    view: &'a View<'a>,
    selector: &'a Selector,
    cohorts: Vec<&'a Cohort>,
    metric: Looked<'a>,
}

/// What a metric is about, as far as lost answers change it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Looked<'a> {
    /// The times of the message with this name.
    Message(&'a str),
    /// The times of heartbeats.
    Pings,
    /// The gaps between answers.
    Gaps,
    /// Messages or bytes, which `in_flight` makes fewer when answers are lost.
    Flow,
    /// Anything else.
    Other,
}

impl<'a> Looked<'a> {
    fn of(metric: &'a str) -> Self {
        match metric.split_once('.') {
            Some(("latency" | "service", name)) => Self::Message(name),
            _ if metric == Timer::HeartbeatRtt.name() => Self::Pings,
            _ if metric == Timer::HeartbeatDelay.name() => Self::Pings,
            _ if metric == Timer::ReceiveGap.name() => Self::Gaps,
            _ if FLOWS.iter().any(|flow| flow.name() == metric) => Self::Flow,
            _ => Self::Other,
        }
    }
}

/// A count, and how low and how high it could be if no lost answer had taken a place of `in_flight`.
struct Full {
    seen: f64,
    least: f64,
    most: f64,
    lost: Unnamed,
}

impl<'a> Look<'a> {
    fn new(scenario: &'a Scenario, view: &'a View<'a>, selector: &'a Selector) -> Self {
        Self {
            view,
            selector,
            cohorts: looked_at(scenario, selector).collect(),
            metric: Looked::of(&selector.metric),
        }
    }

    fn at(&self, stat: Stat, seen: Option<f64>) -> Option<Shift> {
        match (self.metric, seen) {
            (Looked::Message(_) | Looked::Pings, None) => self.untimed(),
            (_, Some(seen)) if matches!(stat, Stat::Count | Stat::Rate) => self.count(seen),
            (Looked::Message(_) | Looked::Pings, Some(seen)) => self.times(stat, seen),
            (Looked::Gaps, Some(seen)) => self.gaps(stat, seen),
            (Looked::Flow | Looked::Other, _) | (Looked::Gaps, None) => None,
        }
    }

    fn shift(unnamed: Unnamed, range: Range) -> Option<Shift> {
        (range.lo < range.hi).then_some(Shift { unnamed, range })
    }

    /// Adds up what these cohorts lost or had too many.
    fn lost<'c>(&self, cohorts: impl Iterator<Item = &'c Cohort>) -> Unnamed {
        let are_messages = self.metric != Looked::Pings;
        let each = cohorts.map(|cohort| Unnamed::of(self.view, cohort, are_messages));
        each.fold(Unnamed::none(are_messages), Unnamed::and)
    }

    /// The cohorts of the gate for which this holds.
    fn cohorts(&self, which: impl Fn(&Cohort) -> bool) -> impl Iterator<Item = &'a Cohort> {
        self.cohorts
            .iter()
            .copied()
            .filter(move |cohort| which(cohort))
    }

    /// The messages of a cohort that the metric is about: those of one name, or all.
    fn messages<'c>(&'c self, cohort: &'c Cohort) -> impl Iterator<Item = &'c Message> {
        cohort
            .messages
            .iter()
            .filter(move |message| match self.metric {
                Looked::Message(name) => message.name == name,
                _ => true,
            })
    }

    /// Whether answers of this cohort can be uncertain, and then give the metric no sample.
    fn has_untimed(&self, cohort: &Cohort) -> bool {
        match self.metric {
            Looked::Message(_) => self.messages(cohort).any(Message::is_matched_by_order),
            Looked::Pings => text_heartbeat(cohort).is_some(),
            Looked::Gaps | Looked::Flow | Looked::Other => false,
        }
    }

    /// Not a single time, because after a timeout it was never certain what was answered.
    fn untimed(&self) -> Option<Shift> {
        let lost = self.lost(self.cohorts(|cohort| self.has_untimed(cohort)));
        let any = Range {
            lo: 0.0,
            hi: f64::INFINITY,
        };
        (Self::shift(lost, any)).filter(|_| lost.uncertain > 0)
    }

    /// Whether a lost answer of this cohort makes times of the metric too long.
    fn is_shifted(&self, cohort: &Cohort) -> bool {
        match self.metric {
            Looked::Pings => text_heartbeat(cohort).is_some_and(overlaps),
            _ => self.messages(cohort).any(is_shifted),
        }
    }

    /// The times of answers: too long where one was lost, too short where one came too many.
    fn times(&self, stat: Stat, seen: f64) -> Option<Shift> {
        let times = Summary::merged(self.view.of(self.selector))?;
        let samples = times.count() as f64;
        let mut unnamed = self.lost(self.cohorts(|cohort| self.is_shifted(cohort)));
        unnamed.surplus = (self.lost(self.cohorts(|cohort| self.has_untimed(cohort)))).surplus;
        let touched = self
            .cohorts(|cohort| self.is_shifted(cohort))
            .map(|cohort| {
                let lost = self.lost(std::iter::once(cohort));
                touched_connections(lost, cohort) * samples / f64::from(cohort.connections)
            });
        let touched = touched.sum::<f64>().ceil() / samples;
        let lowest = match stat {
            _ if unnamed.timed_out == 0 => seen,
            // The true times of those that were touched may be any lower ones.
            Stat::Percentile(percent) => {
                let rest = percent - 100.0 * touched;
                let rest = (rest > 0.0).then(|| times.percentile(rest)).flatten();
                rest.unwrap_or(0) as f64
            }
            _ => 0.0,
        };
        let range = Range {
            lo: lowest.min(seen),
            hi: match unnamed.surplus {
                0 => seen,
                _ => f64::INFINITY,
            },
        };
        Self::shift(unnamed, range)
    }

    /// How many times as often messages could have gone back and forth without the places of `in_flight` that lost
    /// answers took, and what was lost there. A connection with one place left still makes one part in `in_flight` of
    /// its rate.
    fn slowed(&self) -> (f64, Unnamed) {
        let windows = self.cohorts.iter().filter_map(|cohort| {
            let shifted = self.messages(cohort).filter(|message| is_shifted(message));
            Some((*cohort, shifted.filter_map(window).max()?))
        });
        let windows: Vec<_> = windows.collect();
        let factors = windows.iter().map(|(cohort, most)| {
            let lost = self.lost(std::iter::once(*cohort));
            let touched = touched_connections(lost, cohort) / f64::from(cohort.connections);
            1.0 + touched * f64::from(most - 1)
        });
        let factor = factors.fold(1.0, f64::max);
        (factor, self.lost(windows.iter().map(|(cohort, _)| *cohort)))
    }

    /// The count of the metric without the loss of places, and with the answers that gave no sample.
    fn full(&self) -> Full {
        let rows: Vec<_> = self.view.of(self.selector).collect();
        let times = Summary::merged(rows.iter().copied()).map_or(0, |times| times.count());
        let seen = (Summary::sum(rows.into_iter()) + times) as f64;
        let untimed = self.lost(self.cohorts(|cohort| self.has_untimed(cohort)));
        let (factor, slowed) = match self.metric {
            Looked::Message(_) | Looked::Flow | Looked::Gaps => self.slowed(),
            Looked::Pings | Looked::Other => (1.0, Unnamed::none(untimed.are_messages)),
        };
        // More messages need not lose more answers.
        let answers = [Counter::MessagesReceived, Counter::MessagesEchoed];
        let is_answer = seen > 0.0 && answers.iter().any(|one| one.name() == self.selector.metric);
        let answered = match is_answer {
            true => slowed.timed_out as f64 * (factor - 1.0),
            false => 0.0,
        };
        Full {
            seen,
            least: seen * factor,
            most: (seen + untimed.uncertain as f64) * factor + answered,
            lost: untimed.most(slowed),
        }
    }

    /// A count or a rate: too low where answers were lost, too high where answers that came too many let `in_flight`
    /// send more.
    fn count(&self, seen: f64) -> Option<Shift> {
        let full = self.full();
        let hurried = match self.metric {
            Looked::Message(_) | Looked::Flow => self.lost(self.cohorts(|cohort| {
                let mut messages = self.messages(cohort);
                messages.any(|message| message.is_matched_by_order() && window(message).is_some())
            })),
            Looked::Pings | Looked::Gaps | Looked::Other => full.lost,
        };
        let is_hurried = self.metric != Looked::Pings && hurried.surplus > 0;
        let range = Range {
            lo: if is_hurried { 0.0 } else { seen },
            hi: seen * full.most / full.seen.max(1.0),
        };
        Self::shift(full.lost.most(hurried), range)
    }

    /// Gaps between answers, which were too long.
    fn gaps(&self, stat: Stat, seen: f64) -> Option<Shift> {
        let (factor, lost) = self.slowed();
        let range = match stat {
            // Until the timeout of the last place nothing came at all.
            Stat::Max => Range { lo: 0.0, hi: seen },
            _ => Range {
                lo: self.usual_gap(stat, lost.timed_out, seen)? / factor,
                hi: seen,
            },
        };
        Self::shift(lost, range).filter(|_| lost.timed_out > 0)
    }

    /// The gap without those that ended only with a timeout.
    fn usual_gap(&self, stat: Stat, timed_out: u64, seen: f64) -> Option<f64> {
        let Stat::Percentile(percent) = stat else {
            return Some(0.0);
        };
        let gaps = Summary::merged(self.view.of(self.selector))?;
        let rest = percent - 100.0 * timed_out as f64 / gaps.count() as f64;
        let rest = (rest > 0.0).then(|| value_of(Stat::Percentile(rest), &gaps));
        Some(rest.flatten().unwrap_or(0.0).min(seen))
    }
}

/// A ratio of two counts: both as they were seen, or both without the loss of places.
fn ratio(above: &Full, below: &Full, seen: f64) -> Option<Shift> {
    let range = Range {
        lo: seen.min(above.least / below.most),
        hi: seen.max(above.most / below.least),
    };
    Look::shift(above.lost.most(below.lost), range)
}

/// What `in_flight` makes slower when answers are lost.
const FLOWS: [Counter; 6] = [
    Counter::MessagesDue,
    Counter::MessagesSent,
    Counter::MessagesReceived,
    Counter::MessagesEchoed,
    Counter::BytesSent,
    Counter::BytesReceived,
];

/// Whether a lost answer to this message shifts the answers after it: they carry no stamp, and several messages can
/// wait for their answers.
fn is_shifted(message: &Message) -> bool {
    message.is_matched_by_order() && window(message) != Some(1)
}

/// How many of these messages can wait for their answers; `None` for any number.
fn window(message: &Message) -> Option<u32> {
    match message.pacing {
        Pacing::Open { in_flight, .. } => in_flight,
        Pacing::Closed { in_flight, .. } => Some(in_flight),
    }
}

/// How many connections of a cohort lost answers, at most.
fn touched_connections(lost: Unnamed, cohort: &Cohort) -> f64 {
    (lost.timed_out as f64).min(f64::from(cohort.connections))
}

#[cfg(test)]
#[path = "shifted_tests.rs"]
mod tests;
