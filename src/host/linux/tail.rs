//! Keeps the last lines of a process's output, for the message that explains why it did not start.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{io, thread};

/// The number of lines that are kept.
const LINES: usize = 20;
/// The most bytes of a line; a longer one is split.
const MAX_LINE: u64 = 1 << 10;
/// The longest wait for the last output of a process that has ended, which may still be in the pipe.
const SETTLE: Duration = Duration::from_millis(200);

/// The last twenty lines of an output, which is read until its end.
#[derive(Debug)]
pub(super) struct Tail {
    lines: Arc<Mutex<VecDeque<String>>>,
    /// Nothing is ever sent on this channel: it breaks at the end of the output.
    end: Receiver<()>,
}

impl Tail {
    /// Reads an output on a thread of its own.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub(super) fn follow(output: impl Read + Send + 'static) -> io::Result<Self> {
        let lines = Arc::new(Mutex::new(VecDeque::new()));
        let kept = Arc::clone(&lines);
        let (open, end) = sync_channel(0);
        thread::Builder::new()
            .name("target's output".to_owned())
            .spawn(move || {
                keep_last(output, &kept);
                drop::<std::sync::mpsc::SyncSender<()>>(open);
            })?;
        Ok(Self { lines, end })
    }

    /// The last lines so far.
    pub(super) fn lines(&self) -> Vec<String> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().cloned().collect()
    }

    /// Waits briefly for the end of the output: after a process has ended, its last lines may still be in the pipe.
    pub(super) fn settle(&self) {
        // Ignores the result: either the end has come, or it does not come in time because a child holds the output
        // open.
        let _ = self.end.recv_timeout(SETTLE);
    }
}

fn keep_last(output: impl Read, kept: &Mutex<VecDeque<String>>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while matches!(
        output.by_ref().take(MAX_LINE).read_until(b'\n', &mut line),
        Ok(1..)
    ) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == LINES {
            kept.pop_front();
        }
        kept.push_back(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_lines_are_kept() {
        let said: Vec<String> = (0..100).map(|number| format!("line {number}")).collect();
        let tail = Tail::follow(io::Cursor::new(said.join("\n"))).unwrap();
        tail.settle();
        assert_eq!(tail.lines(), said[80..]);
    }

    #[test]
    fn a_line_without_an_end_is_cut() {
        let tail = Tail::follow(io::repeat(b'x').take(100_000)).unwrap();
        tail.settle();
        let lines = tail.lines();
        assert_eq!(lines.len(), LINES);
        assert!(lines.iter().all(|line| line.len() <= MAX_LINE as usize));
    }
}
