//! Wakes connections at their deadlines: a timerfd on Linux, because the runtime's own timer is one to two
//! milliseconds late, which would be measured as the server's latency.

use std::io;
use std::task::{Context, Poll};

use crate::units::Timestamp;

#[cfg(target_os = "linux")]
mod system {
    use super::{Context, Poll, Timestamp, io};
    use crate::sys;
    use rustix::thread::set_current_timer_slack;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use std::num::NonZeroU64;
    use std::os::fd::OwnedFd;
    use tokio::io::unix::AsyncFd;

    /// Wakes one task at one time.
    pub(crate) struct Timer {
        fd: AsyncFd<OwnedFd>,
        set_for: Timestamp,
    }

    impl Timer {
        pub(crate) const PRECISE: bool = true;

        /// Makes the timer of the current thread.
        ///
        /// # Errors
        /// The system provides none.
        pub(crate) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let fd = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            // Otherwise this thread would sleep for up to 50 µs longer than it asks for, and does where this is forbidden.
            let _ = set_current_timer_slack(Some(NonZeroU64::MIN));
            Ok(Self {
                fd: sys::watch(fd)?,
                set_for: Timestamp::NEVER,
            })
        }

        /// Wakes the task at `at`, sometimes earlier. Ready means that the caller checks its deadlines now.
        pub(crate) fn poll_until(
            &mut self,
            at: Timestamp,
            now: Timestamp,
            cx: &mut Context<'_>,
        ) -> Poll<io::Result<()>> {
            let Poll::Ready(expired) = self.fd.poll_read_ready(cx) else {
                return self
                    .set(at, now)
                    .map_or_else(|error| Poll::Ready(Err(error)), |()| Poll::Pending);
            };
            // Clears the readiness before the timer is set again; otherwise the old expiry would be taken for the new
            // one.
            expired?.clear_ready();
            self.set_for = Timestamp::NEVER;
            self.set(at, now)?;
            let again = self.fd.poll_read_ready(cx);
            again.map(|ready| ready.map(drop))
        }

        fn set(&mut self, at: Timestamp, now: Timestamp) -> io::Result<()> {
            if at == self.set_for {
                return Ok(());
            }
            // A wait of zero would disarm the timer.
            let wait = if at == Timestamp::NEVER {
                0
            } else {
                at.saturating_since(now).0.max(1)
            };
            let value = Timespec {
                tv_sec: (wait / 1_000_000_000) as i64,
                tv_nsec: (wait % 1_000_000_000) as _,
            };
            let once = Itimerspec {
                it_interval: Timespec::default(),
                it_value: value,
            };
            // Setting the timer also clears an expiry that was not read: no read call is needed.
            timerfd_settime(self.fd.get_ref(), TimerfdTimerFlags::empty(), &once)?;
            self.set_for = at;
            Ok(())
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    use super::{Context, Poll, Timestamp, io};
    use std::future::Future as _;
    use std::pin::Pin;

    /// The runtime's timer, which is one to two milliseconds late; the report says so.
    pub(crate) struct Timer {
        sleep: Option<Pin<Box<tokio::time::Sleep>>>,
        set_for: Timestamp,
    }

    impl Timer {
        pub(crate) const PRECISE: bool = false;

        pub(crate) fn new() -> io::Result<Self> {
            Ok(Self {
                sleep: None,
                set_for: Timestamp::NEVER,
            })
        }

        pub(crate) fn poll_until(
            &mut self,
            at: Timestamp,
            now: Timestamp,
            cx: &mut Context<'_>,
        ) -> Poll<io::Result<()>> {
            if at != self.set_for {
                self.set_for = at;
                self.sleep = (at != Timestamp::NEVER)
                    .then(|| Box::pin(tokio::time::sleep(at.saturating_since(now).into())));
            }
            let Some(sleep) = &mut self.sleep else {
                return Poll::Pending;
            };
            match sleep.as_mut().poll(cx) {
                Poll::Ready(()) => {
                    self.sleep = None;
                    self.set_for = Timestamp::ORIGIN;
                    Poll::Ready(Ok(()))
                }
                Poll::Pending => Poll::Pending,
            }
        }
    }
}

pub(crate) use system::Timer;

/// Whether this system has a timer that is late by microseconds rather than milliseconds.
pub const PRECISE: bool = Timer::PRECISE;
