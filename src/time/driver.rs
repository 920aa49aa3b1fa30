//! The one loop that fires deadlines: those of a worker, and those of the relay.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::pin;
use std::task::Poll;

use super::clock::Clock;
use super::deadline::Deadlines;
use super::timer::Timer;
use crate::scenario::Pace;
use crate::units::{Nanos, Timestamp};

/// The least time between two wake-ups, so that what is due together is sent together: a wake-up from idle
/// costs as much as several sends.
const APART: Nanos = Nanos(100_000);
/// Where a deadline is closer than this and nobody awaits anything, sleeps until then, and looks after what has come later: a
/// wake-up of its own for that would cost as much as all the rest.
const NEAR: Nanos = Nanos(250_000);
/// With `pace = "precise"`, waits for deadlines closer than this without sleeping.
const SPIN: Nanos = Nanos(100_000);

/// Wakes one thread at its deadlines.
pub(crate) struct Driver {
    timer: Timer,
    pace: Pace,
    pulse: Nanos,
}

/// What the owner of a thread tells its driver, and is told by it.
pub(crate) trait Owner {
    /// Whether anybody waits for something to come. Then the thread never sleeps over that.
    fn is_awaited(&self) -> bool {
        true
    }

    /// The runtime is asked at this time to look at all sockets.
    fn looks(&self, _at: Timestamp) {}

    /// It woke up at this time, so much later than it had asked for.
    fn woken(&self, _at: Timestamp, _late: Nanos) {}

    /// Stops the thread for this time.
    fn sleep(&self, span: Nanos) {
        std::thread::sleep(span.into());
    }
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

    /// Fires deadlines until it is dropped.
    ///
    /// # Errors
    /// The timer cannot be set or read.
    pub(crate) async fn run(
        self,
        clock: &dyn Clock,
        deadlines: &Deadlines,
        owner: &impl Owner,
    ) -> io::Result<()> {
        let Self {
            mut timer,
            pace,
            pulse,
        } = self;
        let mut last = Timestamp::ORIGIN;
        let mut asked_for = Timestamp::NEVER;
        // How often somebody had been woken when the runtime was last asked to run all of them.
        let mut let_run = None;
        poll_fn(|cx| {
            loop {
                let now = clock.now();
                if asked_for <= now {
                    owner.woken(now, now.saturating_since(asked_for));
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
                let wait = asked_for.saturating_since(now);
                if pace == Pace::Steady && wait <= NEAR && !owner.is_awaited() {
                    let woken = deadlines.woken();
                    if let_run.replace(woken) != Some(woken) {
                        // First all that was woken runs. Then the runtime looks once at what has come, and that runs too.
                        owner.looks(now);
                        return pin!(tokio::task::yield_now()).poll(cx).map(Ok);
                    }
                    let_run = None;
                    owner.sleep(wait);
                    continue;
                }
                let_run = None;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Manual, Monotonic, OwnedSlot};
    use std::cell::{Cell, RefCell};
    use std::io::Write as _;
    use std::rc::Rc;
    use std::time::Duration;
    use tokio::io::AsyncReadExt as _;
    use tokio::task::LocalSet;

    const US: Nanos = Nanos(1_000);

    fn us(count: u64) -> Timestamp {
        Timestamp::ORIGIN + count * US
    }

    async fn until(clock: &dyn Clock, deadlines: &Deadlines, at: Timestamp) {
        let slot = OwnedSlot::take(deadlines);
        poll_fn(|cx| {
            if clock.now() >= at {
                return Poll::Ready(());
            }
            deadlines.set(slot.id, at, cx.waker());
            Poll::Pending
        })
        .await;
    }

    /// Sleeps by moving a clock that is set by hand.
    struct Sleeper {
        clock: Manual,
        slept: RefCell<Vec<(Timestamp, Nanos)>>,
    }

    impl Owner for Sleeper {
        fn is_awaited(&self) -> bool {
            false
        }

        fn sleep(&self, span: Nanos) {
            let now = self.clock.now();
            self.slept.borrow_mut().push((now, span));
            self.clock.set(now + span);
        }
    }

    /// Returns when those with these deadlines ran, each of whom takes 20 µs, and each sleep of the driver with its begin.
    async fn played(dues: &[u64], fires: bool) -> (Vec<Timestamp>, Vec<(Timestamp, Nanos)>) {
        let clock = Manual::default();
        clock.set(us(1_000));
        let deadlines = Rc::new(Deadlines::default());
        let owner = Sleeper {
            clock: clock.clone(),
            slept: RefCell::default(),
        };
        let ran = Rc::new(RefCell::new(Vec::new()));
        let tasks: Vec<_> = (dues.iter())
            .map(|due| {
                let (clock, deadlines, ran) = (clock.clone(), deadlines.clone(), ran.clone());
                let due = us(*due);
                tokio::task::spawn_local(async move {
                    until(&clock, &deadlines, due).await;
                    ran.borrow_mut().push(clock.now());
                    clock.set(clock.now() + 20 * US);
                    if fires {
                        deadlines.fire(clock.now());
                    }
                })
            })
            .collect();
        let all = async {
            for task in tasks {
                task.await.unwrap();
            }
        };
        // All of them have set their deadlines before the driver begins.
        tokio::task::yield_now().await;
        let driver = Driver::new(Pace::Steady, Nanos::from_millis(2)).unwrap();
        tokio::select! {
            result = driver.run(&clock, &deadlines, &owner) => panic!("{result:?}"),
            () = all => {}
        }
        (ran.take(), owner.slept.take())
    }

    #[tokio::test]
    async fn who_comes_due_while_another_runs_is_not_slept_over() {
        for fires in [false, true] {
            let played = played(&[1_200, 1_210, 1_400], fires);
            let (ran, slept) = LocalSet::new().run_until(played).await;
            assert_eq!(ran, [us(1_200), us(1_220), us(1_400)]);
            assert_eq!(slept, [(us(1_000), 200 * US), (us(1_240), 160 * US)]);
        }
    }

    #[tokio::test]
    async fn what_is_due_together_within_a_tenth_of_a_millisecond_has_one_waking() {
        let played = played(&[1_200, 1_230, 1_260], false);
        let (ran, slept) = LocalSet::new().run_until(played).await;
        assert_eq!(ran, [us(1_200), us(1_300), us(1_320)]);
        assert_eq!(slept.len(), 2, "{slept:?}");
    }

    /// Counts its sleeps.
    struct Counting {
        is_awaited: Cell<bool>,
        sleeps: Cell<u32>,
    }

    impl Owner for Counting {
        fn is_awaited(&self) -> bool {
            self.is_awaited.get()
        }

        fn sleep(&self, span: Nanos) {
            self.sleeps.set(self.sleeps.get() + 1);
            std::thread::sleep(span.into());
        }
    }

    /// Something is due every 100 µs all the time, and a byte comes meanwhile. Returns the number of sleeps.
    async fn heard(is_awaited: bool) -> u32 {
        let clock = Monotonic::start();
        let deadlines = Rc::new(Deadlines::default());
        let owner = Counting {
            is_awaited: Cell::new(is_awaited),
            sleeps: Cell::default(),
        };
        let busy = {
            let deadlines = deadlines.clone();
            async move {
                loop {
                    let next = clock.now() + 100 * US;
                    until(&clock, &deadlines, next).await;
                }
            }
        };
        let busy = tokio::task::spawn_local(busy);
        let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let mut near = tokio::net::UnixStream::from_std(near).unwrap();
        let sender = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(5));
            far.write_all(b"x").unwrap();
            far
        });
        let driver = Driver::new(Pace::Steady, Nanos::from_millis(2)).unwrap();
        tokio::select! {
            result = driver.run(&clock, &deadlines, &owner) => panic!("{result:?}"),
            byte = near.read_u8() => assert_eq!(byte.unwrap(), b'x'),
        }
        busy.abort();
        sender.join().unwrap();
        owner.sleeps.get()
    }

    #[tokio::test]
    async fn what_comes_is_taken_between_two_sleeps() {
        assert!(LocalSet::new().run_until(heard(false)).await > 0);
    }

    #[tokio::test]
    async fn nobody_who_waits_is_slept_over() {
        assert_eq!(LocalSet::new().run_until(heard(true)).await, 0);
    }
}
