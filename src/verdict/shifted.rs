//! Estimates what lost answers did to the numbers of messages whose answers name no message.
//!
//! An answer without a stamp is taken for the oldest message that waits. If one is lost while others wait, the answers
//! after it are taken for older messages until the lost one times out: their times are too long, never too short.
//! Where `in_flight` limits how many wait, the lost one takes a place until then, and it is the newest that waits in
//! vain: it times out only when no place is left. So rates are too low, and gaps between answers too long.
//! After a timeout, answers that may be late ones of another message give no sample, so that samples are too few.

use std::time::Duration;

use super::lag::Range;
use super::observe::value_of;
use super::view::{View, looked_at};
use crate::measure::Summary;
use crate::metric::{Counter, Timer};
use crate::scenario::{
    Cohort, Gate, Heartbeat, HeartbeatKind, Message, Pacing, Scenario, Selector, Stat, Subject,
};

/// Doubles the estimate of how many answers came in the time of a timeout, because load comes in bursts.
const BURSTS: f64 = 2.0;

/// What lost answers may have done to the value that a gate looks at.
pub(super) struct Shift {
    /// Whether these are answers to messages; otherwise they are answers to text heartbeats.
    pub(super) are_messages: bool,
    /// What timed out in the cohorts that the gate looks at.
    pub(super) timed_out: u64,
    /// The answers that were not timed, because they may answer another message.
    pub(super) uncertain: u64,
    /// The range in which the true value may lie; any, if no value was seen.
    pub(super) range: Range,
}

/// Looks at a gate; `None` if lost answers cannot have changed its value. `seen` is `None` if there was none.
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
            _ if metric == Timer::ReceiveGap.name() => Self::Gaps,
            _ if FLOWS.iter().any(|flow| flow.name() == metric) => Self::Flow,
            _ => Self::Other,
        }
    }
}

/// What timed out, and the answers that were not timed, added up over cohorts.
#[derive(Clone, Copy, Default)]
struct Lost {
    timed_out: u64,
    uncertain: u64,
}

/// Answers whose times are too long while one is missing.
struct Shifted {
    /// How many can be waited for at once; `None` for any number.
    window: Option<u32>,
    /// After this time a missing one shifts no other.
    timeout: Duration,
}

/// A count, and how low and how high it could be if no lost answer had taken a place of `in_flight`.
struct Full {
    seen: f64,
    least: f64,
    most: f64,
    lost: Lost,
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

    fn shift(&self, lost: Lost, range: Range) -> Shift {
        Shift {
            are_messages: self.metric != Looked::Pings,
            timed_out: lost.timed_out,
            uncertain: lost.uncertain,
            range,
        }
    }

    /// Adds up what these cohorts lost.
    fn lost<'c>(&self, cohorts: impl Iterator<Item = &'c Cohort>) -> Lost {
        let counters = match self.metric {
            Looked::Pings => [Counter::PingsMissed, Counter::PongsUncertain],
            _ => [Counter::MessagesTimedOut, Counter::MessagesUncertain],
        };
        cohorts.fold(Lost::default(), |lost, cohort| {
            let [timed_out, uncertain] =
                counters.map(|counter| self.view.count_of(counter.name(), &cohort.name));
            Lost {
                timed_out: lost.timed_out + timed_out,
                uncertain: lost.uncertain + uncertain,
            }
        })
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
        let cohorts = self.cohorts.iter().copied();
        let lost = self.lost(cohorts.filter(|cohort| self.has_untimed(cohort)));
        let any = Range {
            lo: 0.0,
            hi: f64::INFINITY,
        };
        (lost.uncertain > 0).then(|| self.shift(lost, any))
    }

    fn shifted(&self, cohort: &Cohort) -> Option<Shifted> {
        if self.metric == Looked::Pings {
            let heartbeat = text_heartbeat(cohort)?;
            let (window, timeout) = (None, heartbeat.timeout);
            return (timeout > heartbeat.interval).then_some(Shifted { window, timeout });
        }
        let message = self.messages(cohort).find(|message| is_shifted(message))?;
        Some(Shifted {
            window: window(message),
            timeout: message.timeout,
        })
    }

    /// The times of answers, which were too long.
    fn times(&self, stat: Stat, seen: f64) -> Option<Shift> {
        let times = Summary::merged(self.view.of(self.selector))?;
        let samples = times.count() as f64;
        let (mut lost, mut touched) = (Lost::default(), 0.0);
        for cohort in &self.cohorts {
            let Some(shifted) = self.shifted(cohort) else {
                continue;
            };
            let own = self.lost(std::iter::once(*cohort));
            lost.timed_out += own.timed_out;
            lost.uncertain += own.uncertain;
            let each = samples / f64::from(cohort.connections);
            touched += match shifted.window {
                Some(_) => touched_connections(own, cohort) * each,
                None => {
                    let each_second = each / self.view.all().measured_seconds;
                    own.timed_out as f64 * each_second * shifted.timeout.as_secs_f64() * BURSTS
                }
            };
        }
        if lost.timed_out == 0 {
            return None;
        }
        let touched = touched.ceil().max(1.0) / samples;
        let lowest = match stat {
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
            hi: seen,
        };
        Some(self.shift(lost, range))
    }

    /// How many times as often messages could have gone back and forth without the places of `in_flight` that lost
    /// answers took, and what was lost there. A connection with one place left still makes one part in `in_flight` of
    /// its rate.
    fn slowed(&self) -> (f64, Lost) {
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
        let cohorts = self.cohorts.iter().copied();
        let untimed = self.lost(cohorts.filter(|cohort| self.has_untimed(cohort)));
        let (factor, slowed) = match self.metric {
            Looked::Message(_) | Looked::Flow | Looked::Gaps => self.slowed(),
            Looked::Pings | Looked::Other => (1.0, Lost::default()),
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
            lost: Lost {
                timed_out: untimed.timed_out.max(slowed.timed_out),
                uncertain: untimed.uncertain.max(slowed.uncertain),
            },
        }
    }

    /// A count or a rate, which was too low.
    fn count(&self, seen: f64) -> Option<Shift> {
        let full = self.full();
        let range = Range {
            lo: seen,
            hi: seen * full.most / full.seen.max(1.0),
        };
        (range.hi > range.lo).then(|| self.shift(full.lost, range))
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
        (lost.timed_out > 0).then(|| self.shift(lost, range))
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
    (range.hi > range.lo).then(|| Shift {
        are_messages: true,
        timed_out: above.lost.timed_out.max(below.lost.timed_out),
        uncertain: above.lost.uncertain.max(below.lost.uncertain),
        range,
    })
}

/// The heartbeat of a cohort, if its answers are texts that name no ping.
fn text_heartbeat(cohort: &Cohort) -> Option<&Heartbeat> {
    let heartbeat = cohort.heartbeat.as_ref();
    heartbeat.filter(|heartbeat| matches!(heartbeat.kind, HeartbeatKind::Text { .. }))
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
fn touched_connections(lost: Lost, cohort: &Cohort) -> f64 {
    (lost.timed_out as f64).min(f64::from(cohort.connections))
}

#[cfg(test)]
#[path = "shifted_tests.rs"]
mod tests;
