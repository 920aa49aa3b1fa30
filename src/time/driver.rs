//! The one loop that fires the deadlines of a worker.

use std::future::poll_fn;
use std::io;
use std::task::Poll;

use super::clock::Clock;
use super::deadline::Deadlines;
use super::timer::Timer;
use crate::scenario::Pace;
use crate::units::{Nanos, Timestamp};

/// The least time between two wake-ups, so that what is due together is sent together: a wake-up from idle
/// costs as much as several sends.
const APART: Nanos = Nanos(100_000);
/// With `pace = "precise"`, waits for deadlines closer than this without sleeping.
const SPIN: Nanos = Nanos(100_000);

/// The longest sleep, even if nothing is due. It makes every stop of the worker visible.
const PULSE: Nanos = Nanos::from_millis(2);

/// Fires deadlines until it is dropped. Calls `woken_late` at each wake-up with its time and its lateness.
pub(crate) async fn drive(
    clock: &dyn Clock,
    deadlines: &Deadlines,
    pace: Pace,
    woken_late: impl Fn(Timestamp, Nanos),
) -> io::Result<()> {
    let mut timer = Timer::new()?;
    let mut last = Timestamp::ORIGIN;
    let mut asked_for = Timestamp::NEVER;
    poll_fn(|cx| {
        loop {
            let now = clock.now();
            if asked_for <= now {
                woken_late(now, now.saturating_since(asked_for));
                last = now;
            }
            let next = deadlines.fire(now);
            if pace == Pace::Precise && next.saturating_since(now) < SPIN {
                asked_for = next;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            asked_for = match pace {
                Pace::Steady if next != Timestamp::NEVER => next.max(last + APART),
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
