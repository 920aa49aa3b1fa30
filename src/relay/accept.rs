//! Accepts the clients of one cohort, whatever error `accept` returns: skips a client that has left, resets a client
//! for which there is no descriptor, and after any other error waits, longer after each error in a row.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

/// The pause after the first error in a row; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A source of clients.
pub(super) trait ClientSource {
    /// Accepts the next client.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>>;

    /// Duplicates the descriptor of the source, which takes one more place in this process's table.
    fn duplicate(&self) -> io::Result<OwnedFd>;
}

impl ClientSource for TcpListener {
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        Self::poll_accept(self, cx).map_ok(|(client, _)| client)
    }

    fn duplicate(&self) -> io::Result<OwnedFd> {
        self.as_fd().try_clone_to_owned()
    }
}

/// The result of an accept.
pub(super) enum Accepted {
    /// A client to serve.
    Client(TcpStream),
    /// A client for which there is no descriptor; the caller must reset it.
    Refused(TcpStream),
    /// An error; the pause after it is over.
    Failed,
}

/// Accepts clients from one source.
pub(super) struct Acceptor<'a, S> {
    source: S,
    /// A spare descriptor. If no other is free, it is closed for a moment, so that a client can be accepted and reset.
    /// All acceptors of a relay share it.
    spare: &'a RefCell<Option<OwnedFd>>,
    /// The number of errors in a row.
    failures: u32,
}

impl<'a, S: ClientSource> Acceptor<'a, S> {
    pub(super) fn new(source: S, spare: &'a RefCell<Option<OwnedFd>>) -> Self {
        Self {
            source,
            spare,
            failures: 0,
        }
    }

    /// Returns the next client; or after an error and the pause that follows it, returns the failure.
    pub(super) async fn next(&mut self) -> Accepted {
        self.hold_spare();
        let error = match poll_fn(|cx| self.source.poll_accept(cx)).await {
            Ok(client) => {
                self.failures = 0;
                return Accepted::Client(client);
            }
            Err(error) => error,
        };
        if is_out_of_descriptors(&error) {
            drop(self.spare.take());
            if let Some(client) = self.next_now().await {
                self.failures = 0;
                return Accepted::Refused(client);
            }
            // Linux reports this error even if no client waits.
            self.hold_spare();
        }
        sleep(pause(self.failures)).await;
        self.failures = self.failures.saturating_add(1);
        Accepted::Failed
    }

    /// Accepts a client if one is waiting.
    async fn next_now(&self) -> Option<TcpStream> {
        poll_fn(|cx| match self.source.poll_accept(cx) {
            Poll::Ready(Ok(client)) => Poll::Ready(Some(client)),
            _ => Poll::Ready(None),
        })
        .await
    }

    /// Takes the spare descriptor again if it was closed and one is free.
    fn hold_spare(&self) {
        let mut spare = self.spare.borrow_mut();
        if spare.is_none() {
            *spare = self.source.duplicate().ok();
        }
    }
}

/// The pause after an error that follows this many others in a row.
fn pause(failures: u32) -> Duration {
    let doubled = 1u32.checked_shl(failures).unwrap_or(u32::MAX);
    FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
}

/// Whether this process, or the system, has no descriptor left.
fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::time::Instant;

    /// A source that fails with the same error each time.
    struct Broken {
        errno: i32,
        asked: Cell<u32>,
    }

    impl ClientSource for Broken {
        fn poll_accept(&self, _cx: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
            self.asked.set(self.asked.get() + 1);
            Poll::Ready(Err(io::Error::from_raw_os_error(self.errno)))
        }

        fn duplicate(&self) -> io::Result<OwnedFd> {
            Err(io::Error::from_raw_os_error(self.errno))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_accept_says_it_does_not_spin() {
        for errno in [
            libc::ENOBUFS,
            libc::ENOMEM,
            libc::ECONNABORTED,
            libc::EPERM,
            libc::EPROTO,
            libc::EMFILE,
            libc::ENFILE,
            libc::EINVAL,
        ] {
            let (spare, began) = (RefCell::new(None), Instant::now());
            let source = Broken {
                errno,
                asked: Cell::new(0),
            };
            let mut acceptor = Acceptor::new(source, &spare);
            for _ in 0..20 {
                assert!(matches!(acceptor.next().await, Accepted::Failed));
            }
            // Pauses of 1, 2, 4 … 512 ms, and ten of one second.
            assert_eq!(began.elapsed().as_millis(), 11_023, "{errno}");
            assert!(acceptor.source.asked.get() <= 40);
        }
    }

    #[test]
    fn a_pause_is_bounded() {
        assert_eq!(pause(0), FIRST_PAUSE);
        assert_eq!(pause(u32::MAX), LONGEST_PAUSE);
    }
}
