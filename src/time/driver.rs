//! The one loop that fires deadlines: those of a worker, and those of the relay.

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

/// Wakes one thread at its deadlines.
pub(crate) struct Driver {
    timer: Timer,
    pace: Pace,
    pulse: Nanos,
}

impl Driver {
    /// Makes a driver that sleeps for `pulse` at most, even if nothing is due.
    ///
    /// # Errors
    /// The system provides no timer.
    pub(crate) fn new(pace: Pace, pulse: Nanos) -> io::Result<Self> {
        let timer = Timer::new()?;
        Ok(Self { timer, pace, pulse })
    }

    /// Fires deadlines until it is dropped. Calls `woken_late` at each wake-up with its time and its lateness.
    ///
    /// # Errors
    /// The timer cannot be set or read.
    pub(crate) async fn run(
        self,
        clock: &dyn Clock,
        deadlines: &Deadlines,
        woken_late: impl Fn(Timestamp, Nanos),
    ) -> io::Result<()> {
        let Self {
            mut timer,
            pace,
            pulse,
        } = self;
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
                asked_for = asked_for.min(now.saturating_add(pulse));
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
}
