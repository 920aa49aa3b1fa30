//! Ties this process to the one that started it: a pipe to standard input ends with its writer, however that ends.

use std::future::pending;
use std::io::{self, Read};
use std::thread;

use tokio::sync::oneshot;

/// The tie to the process that started this one; it breaks once, or there is none.
pub(super) struct Tie(Option<oneshot::Receiver<()>>);

impl Tie {
    /// Begins to watch standard input if `tied`, on a thread of its own, because a read of it blocks.
    ///
    /// # Errors
    /// No thread can be started.
    pub(super) fn new(tied: bool) -> io::Result<Self> {
        if !tied {
            return Ok(Self(None));
        }
        let (broken, breaks) = oneshot::channel();
        let watch = move || {
            let mut buffer = [0; 256];
            let mut input = io::stdin();
            while matches!(input.read(&mut buffer), Ok(1..)) {}
            // Ignores the error: nobody waits for it any more.
            let _ = broken.send(());
        };
        thread::Builder::new().name("tie".to_owned()).spawn(watch)?;
        Ok(Self(Some(breaks)))
    }

    /// Completes when the other process has ended: once. May be dropped and called again before.
    pub(super) async fn broken(&mut self) {
        match &mut self.0 {
            // An error means that the thread has ended, which is treated the same.
            Some(breaks) => {
                let _ = breaks.await;
                self.0 = None;
            }
            None => pending().await,
        }
    }
}
