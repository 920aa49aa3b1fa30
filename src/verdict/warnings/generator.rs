//! wsbench's own part in the numbers: it was busy or held up, or did not send in time.

use crate::metric::{Counter, Timer};
use crate::scenario::Scenario;
use crate::verdict::facts::{Facts, is_open_model};
use crate::verdict::generator::{BUSY_MEAN, cpu};
use crate::verdict::lag::{CUT_NS, Lag};
use crate::verdict::view::View;
use crate::verdict::warning::Warning;
use crate::verdict::warnings::covered;

/// If it uses this part of all its cores in any one second, the generator may limit the run.
const BUSY_PEAK: f64 = 0.95;
/// Throttling in a smaller part of the periods than this is noise.
const THROTTLED: f64 = 0.01;
/// Lateness below this is the normal cost of waking a thread. In nanoseconds.
pub const LATE_NS: u64 = 1_000_000;

pub(super) fn busy(scenario: &Scenario, view: &View<'_>, facts: &Facts) -> Option<Warning> {
    let (cpu, limit) = (cpu(view)?, facts.cpu_limit());
    (cpu.mean >= BUSY_MEAN * limit || cpu.max >= BUSY_PEAK * limit).then_some(
        Warning::GeneratorBusy {
            mean: cpu.mean,
            peak: cpu.max,
            limit,
            open_model: is_open_model(scenario),
        },
    )
}

/// Warns of a stop of this length whether it made a gate fail or not.
pub(super) fn held_up(view: &View<'_>, facts: &Facts) -> Option<Warning> {
    let lag = Lag::measured(view, facts);
    (lag.longest_ns() >= CUT_NS).then(|| Warning::HeldUp {
        longest_ns: lag.longest_ns(),
        share: lag.share(),
    })
}

pub(super) fn throttled(facts: &Facts) -> Option<Warning> {
    let throttling = facts.throttling?;
    (throttling.share() >= THROTTLED).then_some(Warning::Throttled(throttling))
}

pub(super) fn sends_late(scenario: &Scenario, view: &View<'_>) -> Option<Warning> {
    let late = view.histogram(Timer::ScheduleLateness.name())?;
    (late.percentile(99.0)? > LATE_NS).then(|| Warning::SendsLate {
        p99_ns: covered(&late, 99.0),
        max_ns: late.max().unwrap_or(0),
        open_model: is_open_model(scenario),
        held_up: view.count(Counter::MessagesHeldUp.name()),
    })
}

pub(super) fn not_sent(view: &View<'_>) -> Option<Warning> {
    let not_sent = view.count(Counter::MessagesNotSent.name());
    (not_sent > 0).then(|| Warning::NotSent {
        not_sent,
        not_taken: view.count(Counter::MessagesNotTaken.name()),
        due: view.count(Counter::MessagesDue.name()),
    })
}
