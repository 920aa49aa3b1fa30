//! Watches the server's own sockets: a thread that looks at the system's table of them again and again.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::diag::Table;
use super::error::HostError;
use super::ledger::Ledger;
use crate::measure::Sockets;

/// From the beginning of one look to that of the next, at least.
const LOOK: Duration = Duration::from_millis(20);
/// A look costs the load some time of a core: not more than one part in so many.
const SHARE: u32 = 5;

/// A watch over the server's sockets. Dropped, it ends.
#[derive(Debug)]
pub struct Watch {
    /// Breaks when it shall end.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<Ledger>>,
}

impl Watch {
    /// Watches all sockets with this local port whose other end is on this machine too: every 20 ms, and less often
    /// where a look takes more than 4 ms.
    ///
    /// # Errors
    /// The system has no table of sockets (`sock_diag`), or gives no thread.
    pub fn start(port: u16) -> Result<Self, HostError> {
        let mut looker = Looker::open(port).map_err(HostError::Sockets)?;
        // The first look is taken here, so that a table which cannot be read is known before the run.
        looker.look().map_err(HostError::Sockets)?;
        let (end, told) = channel();
        let thread = thread::Builder::new()
            .name("sockets".to_owned())
            .spawn(move || looker.watch(&told))
            .map_err(HostError::Thread)?;
        Ok(Self {
            end: Some(end),
            thread: Some(thread),
        })
    }

    /// Takes a last look, and tells what became of the sockets, on the clock of the run, which began at `origin`.
    /// `None` if the watch broke.
    pub fn stop(mut self, origin: Instant) -> Option<Sockets> {
        let ledger = self.finish()?;
        Some(ledger.close(Instant::now(), origin))
    }

    fn finish(&mut self) -> Option<Ledger> {
        drop(self.end.take());
        self.thread.take()?.join().ok()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.finish();
    }
}

struct Looker {
    port: u16,
    table: Table,
    ledger: Ledger,
    rows: Vec<super::diag::Row>,
}

impl Looker {
    fn open(port: u16) -> io::Result<Self> {
        Ok(Self {
            port,
            table: Table::open()?,
            ledger: Ledger::default(),
            rows: Vec::new(),
        })
    }

    fn watch(mut self, told: &Receiver<()>) -> Ledger {
        loop {
            let began = Instant::now();
            // A look that failed widens the gap to the next, which is told.
            let _ = self.look();
            let rest = rest(began.elapsed());
            if told.recv_timeout(rest) != Err(RecvTimeoutError::Timeout) {
                let _ = self.look();
                return self.ledger;
            }
        }
    }

    fn look(&mut self) -> io::Result<()> {
        self.rows.clear();
        let began = Instant::now();
        self.table.read(self.port, &mut self.rows)?;
        self.ledger.look(began, Instant::now(), &self.rows);
        Ok(())
    }
}

/// How long to wait after a look that took so long.
fn rest(took: Duration) -> Duration {
    (LOOK.saturating_sub(took)).max(took * (SHARE - 1))
}
