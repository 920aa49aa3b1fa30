//! The built-in server as a child process: started for one run, and ended with this process, however that ends.
//! The pipe to its standard input ties it to its parent: when the parent ends, the pipe breaks and the child stops.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::behaviour::Behaviour;
use super::counts::Counts;

/// The prefix of the first line that a server prints; the address follows.
pub(crate) const LISTENING: &str = "listening on ";

/// The longest time from the start of the process to its first line.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest time from the broken pipe to the end of its output. The child's own graceful stop takes up to two
/// seconds.
const STOP_TIMEOUT: Duration = Duration::from_secs(4);
/// The longest line that is read, in bytes.
const MAX_LINE: u64 = 64 << 10;

/// Why the built-in server did not start. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The program could not be executed.
    #[error("start the built-in server from `{program}`: {source}")]
    Run {
        /// The program.
        program: String,
        /// The system's error.
        source: io::Error,
    },
    /// It ran, but did not print where it listens. Its own message is on standard error.
    #[error("start the built-in server: it {what}")]
    Silent {
        /// What it did instead.
        what: &'static str,
    },
}

/// A running built-in server. Dropping it stops it too.
#[derive(Debug)]
pub struct EmbeddedServer {
    child: Child,
    /// The child's standard input. Closing it stops the child.
    tie: Option<ChildStdin>,
    lines: Receiver<String>,
    url: String,
}

impl EmbeddedServer {
    /// Starts `<program> serve --port 0 --tied …` and waits until it listens, up to ten seconds.
    ///
    /// # Errors
    /// The program cannot be run, or ends or stays silent instead of saying where it listens.
    pub fn spawn(program: &Path, behaviour: &Behaviour) -> Result<Self, SpawnError> {
        let mut command = Command::new(program);
        command
            .args(["serve", "--port", "0", "--tied"])
            .args(behaviour.arguments())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // A terminal sends Ctrl-C to its whole process group; the server has to run until the clients have closed.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(|source| SpawnError::Run {
            program: program.display().to_string(),
            source,
        })?;
        let tie = child.stdin.take();
        let output = child.stdout.take().expect("standard output is piped");
        let mut server = Self {
            child,
            tie,
            lines: read_lines(output),
            url: String::new(),
        };
        server.url = server.first_line()?;
        Ok(server)
    }

    /// Its address: `ws://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process id, for measuring it.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops it and returns its counts; `None` if it did not print them within four seconds.
    pub fn stop(mut self) -> Option<Counts> {
        let last = self.end()?;
        serde_json::from_str(&last).ok()
    }

    fn first_line(&mut self) -> Result<String, SpawnError> {
        let what = match self.lines.recv_timeout(START_TIMEOUT) {
            Ok(line) => match line.strip_prefix(LISTENING) {
                Some(url) => return Ok(url.to_owned()),
                None => "did not say where it listens",
            },
            Err(RecvTimeoutError::Timeout) => "did not listen within ten seconds",
            Err(RecvTimeoutError::Disconnected) => "ended at once",
        };
        Err(SpawnError::Silent { what })
    }

    /// Breaks the tie, continues the child if it is stopped, waits for the end of the output, and kills the child if
    /// it still runs. Returns the last line.
    fn end(&mut self) -> Option<String> {
        drop(self.tie.take()?);
        // A stopped process cannot notice the broken pipe.
        #[cfg(unix)]
        self.resume();
        let deadline = Instant::now() + STOP_TIMEOUT;
        let mut last = None;
        while let Ok(line) = self
            .lines
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        {
            last = Some(line);
        }
        // Its output has ended or its time is over, so killing it loses nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
        last
    }

    #[cfg(unix)]
    fn resume(&self) {
        use rustix::process::{Pid, Signal, kill_process};

        // Nothing has waited for the process yet, so no other process has its id. Ignores the error: then the process
        // is gone.
        if let Some(pid) = Pid::from_raw(self.child.id().cast_signed()) {
            let _ = kill_process(pid, Signal::CONT);
        }
    }
}

impl Drop for EmbeddedServer {
    fn drop(&mut self) {
        self.end();
    }
}

/// Sends the lines of a child as they come; the channel closes at the end of its output.
fn read_lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = sync_channel(16);
    thread::spawn(move || {
        let mut output = BufReader::new(output);
        loop {
            let mut line = String::new();
            let read = output.by_ref().take(MAX_LINE).read_line(&mut line);
            if !matches!(read, Ok(1..)) || sender.send(line.trim_end().to_owned()).is_err() {
                return;
            }
        }
    });
    receiver
}
