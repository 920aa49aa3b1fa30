//! What the steps of a possible run may come to, and what is heard of them in rooms.

use wsbench::measure::{Cells, CohortShard, Shard, Window};
use wsbench::metric::{CloseKind, Counter, Side, Timer};
use wsbench::scenario::Verb;
use wsbench::units::{Nanos, Timestamp};

use super::possible::Run;
use super::steps::Due;

impl Run<'_> {
    /// What a step may come to in each window in which it may be due.
    pub(super) fn step(
        &self,
        due: &Due<'_>,
        cells: &mut CohortShard,
        received: &mut Vec<Timestamp>,
    ) {
        if let Verb::Close { code, .. } = due.step.verb {
            cells.whole.close(CloseKind::Code(code), Side::Local);
        }
        if let Verb::Send(_) | Verb::Http(_) = due.step.verb
            && due.step.expects_answer()
            && self.window(due.span.start).is_none()
        {
            received.push(due.span.start);
        }
        for (index, window) in self.windows.iter().enumerate() {
            if due.span.start >= window.end || due.span.end < window.start {
                continue;
            }
            let cells = cells.window(Window::measured(index));
            let timed = |cells: &mut Cells, times| cells.timed(due.slot, times);
            let mut counters: Vec<Counter> = Vec::new();
            match &due.step.verb {
                Verb::Send(_) | Verb::Http(_) => {
                    counters.extend([
                        Counter::MessagesDue,
                        Counter::MessagesSent,
                        Counter::MessagesHeldUp,
                        Counter::MessagesNotSent,
                        Counter::MessagesNotTaken,
                    ]);
                    cells.time(Timer::ScheduleLateness, Nanos(1));
                }
                Verb::Await(_) => {
                    counters.extend([
                        Counter::AwaitsBegun,
                        Counter::AwaitsMet,
                        Counter::AwaitsWrong,
                        Counter::AwaitsTimedOut,
                        Counter::AwaitsLost,
                        Counter::AwaitsAbandoned,
                    ]);
                    timed(cells, [Some(Nanos(1)), None]);
                }
                Verb::Repeat(repeat) => {
                    if repeat.pace.is_some() {
                        counters.extend([
                            Counter::TurnsDue,
                            Counter::TurnsBegun,
                            Counter::TurnsMissed,
                        ]);
                    }
                    if due.ends {
                        timed(cells, [Some(Nanos(1)), None]);
                    }
                }
                _ => {}
            }
            if due.step.expects_answer() {
                timed(cells, [Some(Nanos(2)), Some(Nanos(1))]);
                received.push(due.span.start.max(window.start));
                counters.extend([
                    Counter::MessagesAnswered,
                    Counter::MessagesMismatched,
                    Counter::MessagesDuplicated,
                    Counter::MessagesTimedOut,
                    Counter::MessagesLate,
                    Counter::MessagesLost,
                    Counter::MessagesRetyped,
                ]);
            }
            if matches!(&due.step.verb, Verb::Send(send) if send.to.is_some()) {
                counters.push(Counter::DeliveryPublished);
            }
            for counter in counters {
                cells.count(counter);
            }
        }
    }

    /// What members of topics may hear, and others by mistake, in each window in which something may be published.
    pub(super) fn deliveries(&self, shard: &mut Shard) {
        for index in 0..self.windows.len() {
            let window = Window::measured(index);
            let mut cohorts = shard.cohorts.iter_mut();
            let published = |cells: &mut CohortShard| {
                cells.window(window).counter(Counter::DeliveryPublished) > 0
            };
            if !cohorts.any(published) {
                continue;
            }
            for (cohort, cells) in self.plan.scenario.cohorts.iter().zip(&mut shard.cohorts) {
                let cells = cells.window(window);
                cells.count(Counter::DeliveryStray);
                if cohort.joined().is_empty() {
                    continue;
                }
                cells.time(Timer::DeliveryLatency, Nanos(1));
                for counter in [
                    Counter::DeliveryExpected,
                    Counter::DeliveryReceived,
                    Counter::DeliveryLate,
                    Counter::DeliveryDuplicated,
                    Counter::DeliveryUnordered,
                    Counter::DeliveryUnsure,
                ] {
                    cells.count(counter);
                }
            }
        }
    }
}
