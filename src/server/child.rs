//! The built-in server as a child process: started for one run, gone with it however that ends.
//! The pipe to its standard input is the tie: when this process ends, the pipe breaks and the child stops.

use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::behaviour::Behaviour;
use super::counts::Counts;

/// The first line a server prints starts with this; the address follows.
pub(crate) const LISTENING: &str = "listening on ";

/// From the start of the process to its first line.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// From the broken pipe to the end of its output. Its own graceful stop takes up to two seconds.
const STOP_TIMEOUT: Duration = Duration::from_secs(4);
/// No line of its is longer.
const MAX_LINE: u64 = 64 << 10;

/// Why the built-in server did not start. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The program could not be run at all.
    #[error("start the built-in server from `{program}`: {source}")]
    Run {
        /// The program.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ran, but did not say where it listens. Its own message is on standard error.
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
    /// Closed to stop the child.
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
        // Ctrl-C goes to the whole group of a terminal: the server has to outlive the closing of the clients.
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

    /// Where it listens: `ws://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Its process id, for those who measure it.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Stops it and returns what it counted; `None` if it did not say within four seconds.
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

    /// Wakes it if it stands still, breaks the tie, waits for the end of the output, and makes sure of the end. Returns the last line.
    fn end(&mut self) -> Option<String> {
        drop(self.tie.take()?);
        // A stopped process sees no broken pipe.
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
        // Its output has ended or its time is over, so nothing is lost by it.
        let _ = self.child.kill();
        let _ = self.child.wait();
        last
    }

    #[cfg(unix)]
    fn resume(&self) {
        use rustix::process::{Pid, Signal, kill_process};

        // It has not been waited for, so no other process has its id. Where it cannot be sent a signal, it is gone.
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

/// The lines of a child as they come; the channel closes at the end of its output.
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
