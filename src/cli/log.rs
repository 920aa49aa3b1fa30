//! `wsbench run --log FILE`: a line for each event (phases, dials, why connections ended), to find out why a long run
//! failed. Off by default. A separate thread writes the lines, and the run never waits for it.

use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::error::CliError;
use super::files::{self, Needed};
use crate::scenario::Secrets;
use crate::units::counted;

/// The most lines that may wait to be written.
const WAITING: usize = 10_000;
/// The longest wait for the last lines to be written.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// The log of this process. Dropping it writes the waiting lines, but waits at most [`MAX_WAIT`] for that.
pub(super) struct Log {
    lines: SyncSender<LogLine>,
    finished: Receiver<()>,
}

enum LogLine {
    Text(Vec<u8>),
    /// Ends the writing thread.
    End,
}

impl Log {
    /// Logs all events from now on into a file or, for `-`, to standard error; masks these secrets.
    ///
    /// # Errors
    /// When the file cannot be written, or is an input of the run.
    pub(super) fn start(
        path: &Path,
        needed: &[Needed],
        secrets: &Secrets,
    ) -> Result<Self, CliError> {
        let out: Box<dyn Write + Send> = match path == Path::new("-") {
            true => Box::new(io::stderr()),
            false => Box::new(files::create(path, needed)?),
        };
        let failed = |source| CliError::System {
            doing: "start the log",
            source,
        };
        let (lines, come) = sync_channel(WAITING);
        let (done, finished) = sync_channel(1);
        let lost = Arc::new(AtomicU64::new(0));
        let loses = lost.clone();
        let secrets = secrets.clone();
        std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(move || {
                // Ignores the error: a log that cannot be written ends, and other output of the run reports a full
                // disk.
                let _ = write_all(out, &come, &loses, &secrets);
                let _ = done.send(());
            })
            .map_err(failed)?;
        let subscriber = tracing_subscriber::fmt()
            .with_writer(Queue {
                lines: lines.clone(),
                lost,
            })
            .with_max_level(LevelFilter::DEBUG)
            .with_ansi(false)
            .with_target(false)
            .finish();
        tracing::subscriber::set_global_default(subscriber)
            .map_err(|error| failed(io::Error::other(error)))?;
        Ok(Self { lines, finished })
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // If the queue is full, its reader is blocked: does not wait for it.
        if self.lines.try_send(LogLine::End).is_ok() {
            let _ = self.finished.recv_timeout(MAX_WAIT);
        }
    }
}

fn write_all(
    mut out: impl Write,
    lines: &Receiver<LogLine>,
    lost: &AtomicU64,
    secrets: &Secrets,
) -> io::Result<()> {
    for line in lines {
        let LogLine::Text(text) = line else {
            break;
        };
        let text = String::from_utf8_lossy(&text);
        out.write_all(secrets.mask(&text).as_bytes())?;
    }
    match lost.load(Ordering::Relaxed) {
        0 => Ok(()),
        lost => writeln!(out, "{} had no room", counted(lost, "line")),
    }
}

/// Sends the lines to the writing thread: each call of `write` is one line.
struct Queue {
    lines: SyncSender<LogLine>,
    lost: Arc<AtomicU64>,
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

impl Write for &Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.try_send(LogLine::Text(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_without_room_are_counted() {
        let (lines, come) = sync_channel(2);
        let lost = Arc::new(AtomicU64::new(0));
        let queue = Queue {
            lines: lines.clone(),
            lost: lost.clone(),
        };
        for line in ["one\n", "two\n", "three\n", "four\n"] {
            queue.make_writer().write_all(line.as_bytes()).unwrap();
        }
        drop((queue, lines));
        let mut out = Vec::new();
        write_all(&mut out, &come, &lost, &Secrets::default()).unwrap();
        assert_eq!(out, b"one\ntwo\n2 lines had no room\n");
    }
}
