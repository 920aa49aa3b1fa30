//! The one loop that fires the deadlines of a worker.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use super::clock::Clock;
use super::deadline::{Deadlines, NEVER};
use super::nanos::Nanos;
use super::timer::Timer;
use crate::scenario::Pace;

/// The least time between two wake-ups, in nanoseconds, so that what is due together is sent together: a wake-up from
/// idle costs as much as several sends.
const APART: Nanos = 100_000;
/// With `pace = "precise"`, waits for deadlines closer than this without sleeping, in nanoseconds.
const SPIN: Nanos = 100_000;

/// The longest sleep, in nanoseconds, even if nothing is due. It makes every stop of the worker visible.
const PULSE: Nanos = 2_000_000;

/// Fires deadlines until it is dropped. Calls `woken_late` at each wake-up with its time and its lateness.
pub(crate) async fn drive(
    clock: &dyn Clock,
    deadlines: &Deadlines,
    pace: Pace,
    woken_late: impl Fn(Nanos, Nanos),
) -> io::Result<()> {
    let mut timer = Timer::new()?;
    let mut last = 0;
    let mut asked_for = NEVER;
    poll_fn(|cx| {
        loop {
            let now = clock.now();
            if asked_for <= now {
                woken_late(now, now - asked_for);
                last = now;
            }
            let next = deadlines.fire(now);
            if pace == Pace::Precise && next.saturating_sub(now) < SPIN {
                asked_for = next;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            asked_for = match pace {
                Pace::Steady if next != NEVER => next.max(last + APART),
                _ => next,
            };
            asked_for = asked_for.min(now + PULSE);
            deadlines.sleep(asked_for, cx.waker());
            match timer.poll_until(asked_for, now, cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await
}
