//! Handles Ctrl-C, SIGTERM and SIGHUP, and the end of the process that this one is tied to. The first signal ends the
//! load, or the program if there is no load yet; the second ends the program in any state.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;

use super::error::CliError;
use super::tie::Tie;
use crate::verdict::Exit;

/// The time from the second signal until the process is ended by force: enough to end what was started.
/// It is needed because a thread that waits for a blocked reader or a disk does not end by itself.
const GRACE: Duration = Duration::from_secs(2);
/// The time between two checks for a signal.
const LOOK: Duration = Duration::from_millis(10);

/// The signals of this process.
pub(super) struct Signals {
    heard: Arc<AtomicU8>,
    /// Where each signal is sent: to the run that goes on.
    sender: Arc<Mutex<mpsc::Sender<()>>>,
}

/// Ends a run as the first Ctrl-C would.
#[derive(Clone)]
pub(super) struct Stopper {
    heard: Arc<AtomicU8>,
    sender: Arc<Mutex<mpsc::Sender<()>>>,
}

impl Stopper {
    /// Ends the run, unless a signal has done so already.
    pub(super) fn stop(&self) {
        let is_first = self
            .heard
            .compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire);
        if is_first.is_ok() {
            let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
            let _ = sender.try_send(());
        }
    }
}

impl Signals {
    /// What ends a run without a signal.
    pub(super) fn stopper(&self) -> Stopper {
        Stopper {
            heard: self.heard.clone(),
            sender: self.sender.clone(),
        }
    }

    /// Starts to listen for signals. The receiver gets one item for each of the first two.
    pub(super) fn listen() -> Result<(Self, mpsc::Receiver<()>), CliError> {
        Self::listen_tied(false)
    }

    /// The same; if `tied`, the end of standard input is a signal too.
    pub(super) fn listen_tied(tied: bool) -> Result<(Self, mpsc::Receiver<()>), CliError> {
        let failed = |source| CliError::System {
            doing: "listen for signals",
            source,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()
            .map_err(failed)?;
        let mut arriving = {
            let _inside = runtime.enter();
            Arriving::new().map_err(failed)?
        };
        let mut tie = Tie::new(tied).map_err(failed)?;
        let (sender, each) = mpsc::channel(2);
        let heard = Arc::new(AtomicU8::new(0));
        let sender = Arc::new(Mutex::new(sender));
        let (hears, sends) = (heard.clone(), sender.clone());
        let forward = async move {
            for _ in 0..2 {
                tokio::select! {
                    () = arriving.next() => {}
                    () = tie.broken() => {}
                }
                hears.fetch_add(1, Ordering::Release);
                let sender = sends.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = sender.try_send(());
            }
            thread::sleep(GRACE);
            end();
        };
        thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || runtime.block_on(forward))
            .map_err(failed)?;
        Ok((Self { heard, sender }, each))
    }

    /// The signals from now on, for the next run: one item for each of the first two.
    ///
    /// # Errors
    /// [`CliError::Interrupted`], when one has come already.
    pub(super) fn interrupts(&self) -> Result<mpsc::Receiver<()>, CliError> {
        let (sender, each) = mpsc::channel(2);
        *self.sender.lock().unwrap_or_else(PoisonError::into_inner) = sender;
        match self.heard() {
            true => Err(CliError::Interrupted),
            false => Ok(each),
        }
    }

    /// Whether a signal has come.
    pub(super) fn heard(&self) -> bool {
        self.count() > 0
    }

    /// How many signals have come; two at most.
    pub(super) fn count(&self) -> u8 {
        self.heard.load(Ordering::Acquire)
    }

    /// Does work that can take long, until more than `known` signals have come. The work must not hold anything that has
    /// to be released.
    ///
    /// # Errors
    /// [`CliError::Interrupted`], when a signal came before the end of the work.
    pub(super) fn unless_more<T: Send + 'static>(
        &self,
        known: u8,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CliError> {
        let (sender, done) = sync_channel(1);
        let thread = thread::Builder::new().spawn(move || {
            // Ignores the error: after a signal nobody waits for the result.
            let _ = sender.send(work());
        });
        let thread = thread.map_err(|source| CliError::System {
            doing: "start a thread",
            source,
        })?;
        loop {
            match done.recv_timeout(LOOK) {
                Ok(result) => return Ok(result),
                Err(RecvTimeoutError::Timeout) if self.count() > known => {
                    return Err(CliError::Interrupted);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => match thread.join() {
                    Err(panic) => std::panic::resume_unwind(panic),
                    Ok(()) => unreachable!("it sends before it ends"),
                },
            }
        }
    }
}

/// The requests by SIGUSR1 to close a report.
pub(super) struct Asked(Arc<AtomicU64>);

impl Asked {
    /// Starts to count them. Elsewhere than on Unix there are none.
    ///
    /// # Errors
    /// When the system cannot listen for the signal.
    pub(super) fn listen() -> Result<Self, CliError> {
        let asked = Arc::new(AtomicU64::new(0));
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};

            let failed = |source| CliError::System {
                doing: "listen for SIGUSR1",
                source,
            };
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .build()
                .map_err(failed)?;
            let mut requests = {
                let _inside = runtime.enter();
                signal(SignalKind::user_defined1()).map_err(failed)?
            };
            let counted = asked.clone();
            let count = async move {
                while requests.recv().await.is_some() {
                    counted.fetch_add(1, Ordering::Release);
                }
            };
            thread::Builder::new()
                .name("requests".to_owned())
                .spawn(move || runtime.block_on(count))
                .map_err(failed)?;
        }
        Ok(Self(asked))
    }

    /// How many have come.
    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

#[expect(clippy::exit, reason = "no other thread can be asked to")]
fn end() -> ! {
    std::process::exit(i32::from(Exit::Interrupted.code()))
}

#[cfg(unix)]
struct Arriving(Vec<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Arriving {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};

        // With this handler, a file that exceeds `ulimit -f` causes an error instead of ending the process.
        let _handled = signal(SignalKind::from_raw(libc::SIGXFSZ))?;
        let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
        // Under `nohup`, SIGHUP is ignored: the process should outlive the terminal.
        if !crate::sys::ignores_hangup() {
            kinds.push(SignalKind::hangup());
        }
        let signals: std::io::Result<Vec<_>> = kinds.into_iter().map(signal).collect();
        Ok(Self(signals?))
    }

    async fn next(&mut self) {
        std::future::poll_fn(|cx| {
            let mut signals = self.0.iter_mut();
            match signals.any(|signal| signal.poll_recv(cx).is_ready()) {
                true => std::task::Poll::Ready(()),
                false => std::task::Poll::Pending,
            }
        })
        .await;
    }
}

#[cfg(not(unix))]
struct Arriving;

#[cfg(not(unix))]
impl Arriving {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        // If no handler can be set, Ctrl-C keeps its default effect.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
