//! Estimates what lost answers did to the numbers of messages whose answers name no message.
//!
//! An answer without a stamp is taken for the oldest message that waits. If one is lost while others wait, the answers
//! after it are taken for older messages until the lost one times out: their times are too long, never too short.
//! Where `in_flight` limits how many wait, the lost one takes a place until then, and it is the newest that waits in
//! vain: it times out only when no place is left. So rates are too low, and gaps between answers too long.

use super::lag::Range;
use super::observe::value_of;
use super::view::{View, looked_at};
use crate::measure::Summary;
use crate::metric::{Counter, Timer};
use crate::scenario::{Cohort, Gate, Message, Pacing, Scenario, Selector, Stat, Subject};

/// Doubles the estimate of how many answers came in the time of a timeout, because load comes in bursts.
const BURSTS: f64 = 2.0;

/// What lost answers may have done to the value that a gate looks at.
pub(super) struct Shift {
    /// The messages that timed out in the cohorts that the gate looks at.
    pub(super) timed_out: u64,
    /// Their answers that were not timed, because they may answer another message.
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
    let Subject::Stat(stat, selector) = &gate.subject else {
        return None;
    };
    let cohorts = Vec::from_iter(looked_at(scenario, selector));
    let look = Look {
        view,
        selector,
        stat: *stat,
        cohorts,
    };
    let times = selector.metric.split_once('.');
    let message = times.filter(|(group, _)| matches!(*group, "latency" | "service"));
    match (message, seen) {
        (Some((_, name)), None) => look.untimed(name),
        (Some((_, name)), Some(seen)) => match stat {
            Stat::Count | Stat::Rate => None,
            _ => look.times(name, seen),
        },
        (None, Some(seen)) => look.flow(seen),
        (None, None) => None,
    }
}

/// What a gate looks at.
struct Look<'a> {
    view: &'a View<'a>,
    selector: &'a Selector,
    stat: Stat,
    cohorts: Vec<&'a Cohort>,
}

impl Look<'_> {
    fn count(&self, counter: Counter, cohort: &Cohort) -> u64 {
        self.view.count_of(counter.name(), &cohort.name)
    }

    /// A message without a single time, because after a timeout it was never certain which message was answered.
    fn untimed(&self, name: &str) -> Option<Shift> {
        let cohorts = self.cohorts.iter().filter(|cohort| {
            let mut messages = cohort.messages.iter();
            messages.any(|message| message.name == name && message.is_matched_by_order())
        });
        let (timed_out, uncertain) = cohorts.fold((0, 0), |(timed_out, uncertain), cohort| {
            (
                timed_out + self.count(Counter::MessagesTimedOut, cohort),
                uncertain + self.count(Counter::MessagesUncertain, cohort),
            )
        });
        (uncertain > 0).then_some(Shift {
            timed_out,
            uncertain,
            range: Range {
                lo: 0.0,
                hi: f64::INFINITY,
            },
        })
    }

    /// The times of a message, which were too long.
    fn times(&self, name: &str, seen: f64) -> Option<Shift> {
        let times = Summary::merged(self.view.of(self.selector))?;
        let samples = times.count() as f64;
        let (mut timed_out, mut uncertain, mut touched) = (0, 0, 0.0);
        for cohort in &self.cohorts {
            let mut messages = cohort.messages.iter();
            let message = messages.find(|message| message.name == name);
            let Some(message) = message.filter(|message| is_shifted(message)) else {
                continue;
            };
            let lost = self.count(Counter::MessagesTimedOut, cohort);
            timed_out += lost;
            uncertain += self.count(Counter::MessagesUncertain, cohort);
            let each = samples / f64::from(cohort.connections);
            touched += match window(message) {
                Some(_) => touched_connections(lost, cohort) * each,
                None => {
                    let each_second = each / self.view.all().measured_seconds;
                    lost as f64 * each_second * message.timeout.as_secs_f64() * BURSTS
                }
            };
        }
        if timed_out == 0 {
            return None;
        }
        let touched = touched.ceil().max(1.0) / samples;
        let lowest = match self.stat {
            // The true times of those that were touched may be any lower ones.
            Stat::Percentile(percent) => {
                let rest = percent - 100.0 * touched;
                let rest = (rest > 0.0).then(|| times.percentile(rest)).flatten();
                rest.unwrap_or(0) as f64
            }
            _ => 0.0,
        };
        Some(Shift {
            timed_out,
            uncertain,
            range: Range {
                lo: lowest.min(seen),
                hi: seen,
            },
        })
    }

    /// How often messages went back and forth, which was too rarely where lost answers took places of `in_flight`. A
    /// connection with one place left still makes one part in `in_flight` of its rate.
    fn flow(&self, seen: f64) -> Option<Shift> {
        let is_gap = self.selector.metric == Timer::ReceiveGap.name();
        if !is_gap && !FLOWS.iter().any(|flow| flow.name() == self.selector.metric) {
            return None;
        }
        let (mut timed_out, mut uncertain, mut factor) = (0, 0, 1.0_f64);
        for cohort in &self.cohorts {
            let shifted = cohort.messages.iter().filter(|message| is_shifted(message));
            let lost = self.count(Counter::MessagesTimedOut, cohort);
            if let Some(most) = shifted.filter_map(window).max() {
                let touched = touched_connections(lost, cohort) / f64::from(cohort.connections);
                timed_out += lost;
                uncertain += self.count(Counter::MessagesUncertain, cohort);
                factor = factor.max(1.0 + touched * f64::from(most - 1));
            }
        }
        let range = match self.stat {
            Stat::Count | Stat::Rate => Range {
                lo: seen,
                hi: seen * factor,
            },
            // Until the timeout of the last place nothing came at all.
            Stat::Max => Range { lo: 0.0, hi: seen },
            _ => Range {
                lo: self.usual_gap(timed_out, seen)? / factor,
                hi: seen,
            },
        };
        (timed_out > 0).then_some(Shift {
            timed_out,
            uncertain,
            range,
        })
    }

    /// The gap without those that ended only with a timeout.
    fn usual_gap(&self, timed_out: u64, seen: f64) -> Option<f64> {
        let Stat::Percentile(percent) = self.stat else {
            return Some(0.0);
        };
        let gaps = Summary::merged(self.view.of(self.selector))?;
        let rest = percent - 100.0 * timed_out as f64 / gaps.count() as f64;
        let rest = (rest > 0.0).then(|| value_of(Stat::Percentile(rest), &gaps));
        Some(rest.flatten().unwrap_or(0.0).min(seen))
    }
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
fn touched_connections(lost: u64, cohort: &Cohort) -> f64 {
    (lost as f64).min(f64::from(cohort.connections))
}

#[cfg(test)]
#[path = "shifted_tests.rs"]
mod tests;
