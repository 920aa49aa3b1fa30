//! Carries out the faults of the target, on a thread that stops, continues and ends its process at the planned times.
//! However a run ends, a stopped process is continued.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{io, mem};

use rustix::process::Signal as Posix;

use super::agenda::{TargetAction, steps};
use super::guard::Guard;
use super::process::TargetProcess;
use super::reach::Reach;
use crate::host::error::HostError;
use crate::host::happened::{Happened, Incidents};
use crate::scenario::{Signal, TargetFault};

/// The faults of the target, waiting for the start of measuring or under way. When dropped, carries out no more faults
/// and continues the process.
#[derive(Debug)]
pub struct Faults {
    /// Tells the start of measuring. Dropping it ends the thread.
    start: Option<Sender<Instant>>,
    thread: Option<JoinHandle<Incidents>>,
    /// Continues the target if this process is killed meanwhile; a command has its own guard.
    _guard: Option<Guard>,
}

impl Faults {
    /// Prepares these faults. Nothing happens before [`Faults::measuring`].
    ///
    /// A freeze stops the whole process group of a command, but of a process that was there before only the process
    /// itself, not its children. Freezes that overlap are one.
    ///
    /// # Errors
    /// The system cannot start a thread or a shell.
    pub fn start(process: &TargetProcess, faults: &[TargetFault]) -> Result<Self, HostError> {
        let steps = steps(faults);
        let freezes = steps.iter().any(|(_, step)| *step == TargetAction::Freeze);
        let guard = (freezes && !process.is_own())
            .then(|| Guard::of_process(process.pid()))
            .transpose()
            .map_err(HostError::Guard)?;
        let reach = Arc::clone(process.reach());
        let (start, told) = channel();
        let thread = thread::Builder::new()
            .name("target's faults".to_owned())
            .spawn(move || carry_out(&reach, &steps, &told))
            .map_err(HostError::Thread)?;
        Ok(Self {
            start: Some(start),
            thread: Some(thread),
            _guard: guard,
        })
    }

    /// Sets the time at which measuring starts, from which the faults count. Only the first call has an effect.
    pub fn measuring(&self, from: Instant) {
        if let Some(start) = &self.start {
            // Fails only if all faults are done and the thread has ended.
            let _ = start.send(from);
        }
    }

    /// Carries out no more faults, continues the process, and returns what happened.
    pub fn stop(mut self) -> Incidents {
        self.end().unwrap_or_default()
    }

    fn end(&mut self) -> Option<Incidents> {
        drop(self.start.take());
        self.thread.take()?.join().ok()
    }
}

impl Drop for Faults {
    fn drop(&mut self) {
        self.end();
    }
}

/// Carries out the actions in order, until all are done, one fails, or the sender of `told` is dropped.
fn carry_out(
    reach: &Reach,
    steps: &[(Duration, TargetAction)],
    told: &Receiver<Instant>,
) -> Incidents {
    let mut hands = Hands::new(reach);
    let Ok(from) = told.recv() else {
        return hands.finish();
    };
    for (after, step) in steps {
        if !wait_until(from + *after, told) {
            break;
        }
        if let Err(error) = hands.take(*step) {
            hands.done.failed = Some(error.to_string());
            break;
        }
    }
    hands.finish()
}

/// Waits until `at`; returns false if the sender was dropped before.
fn wait_until(at: Instant, told: &Receiver<Instant>) -> bool {
    loop {
        match told.recv_timeout(at.saturating_duration_since(Instant::now())) {
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
            // Ignores a repeated start time: the first one counts.
            Ok(_) => {}
        }
    }
}

/// Carries out actions on the process and notes them. Continues the process when dropped.
struct Hands<'a> {
    reach: &'a Reach,
    /// The number of freezes that are under way.
    freezes: u32,
    /// When the process was stopped; `None` while it runs.
    stopped: Option<Instant>,
    done: Incidents,
}

impl<'a> Hands<'a> {
    fn new(reach: &'a Reach) -> Self {
        Self {
            reach,
            freezes: 0,
            stopped: None,
            done: Incidents::default(),
        }
    }

    fn take(&mut self, step: TargetAction) -> io::Result<()> {
        if step != TargetAction::Thaw && !self.reach.lives() {
            return Err(io::Error::other("the target has ended"));
        }
        match step {
            TargetAction::Freeze => {
                self.freezes += 1;
                if self.stopped.is_none() {
                    self.stopped = Some(self.send(Posix::STOP)?);
                }
                Ok(())
            }
            TargetAction::Thaw => {
                self.freezes = self.freezes.saturating_sub(1);
                match self.freezes {
                    0 => self.let_go(),
                    _ => Ok(()),
                }
            }
            TargetAction::Terminate => {
                let began = self.send(Posix::TERM)?;
                self.note(Signal::Terminate, began, None);
                Ok(())
            }
        }
    }

    fn let_go(&mut self) -> io::Result<()> {
        let Some(began) = self.stopped.take() else {
            return Ok(());
        };
        // Takes the time before the signal, because the target may send an answer before the system call returns.
        let ended = Instant::now();
        let sent = self.reach.send(Posix::CONT);
        self.note(Signal::Stop, began, Some(ended));
        sent
    }

    /// Sends a signal, and returns a time just before, because its effects may start before this thread continues.
    fn send(&self, signal: Posix) -> io::Result<Instant> {
        let at = Instant::now();
        self.reach.send(signal)?;
        Ok(at)
    }

    fn note(&mut self, kind: Signal, began: Instant, ended: Option<Instant>) {
        self.done.happened.push(Happened { kind, began, ended });
    }

    fn finish(mut self) -> Incidents {
        // Ignores the error, which means that the process has ended.
        let _ = self.let_go();
        let mut done = mem::take(&mut self.done);
        done.happened.sort_by_key(|happened| happened.began);
        done
    }
}

impl Drop for Hands<'_> {
    fn drop(&mut self) {
        let _ = self.let_go();
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::host::linux::reach::One;

    #[test]
    fn a_process_that_has_ended_cannot_be_frozen_and_that_is_told() {
        let mut cat = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let reach = Reach::One(One::open(cat.id()).unwrap());
        // Does not wait for the child here: its number stays valid, so signals still reach the rest of its group.
        drop(cat.stdin.take());
        while reach.lives() {
            thread::yield_now();
        }
        reach.send(Posix::STOP).unwrap();

        let (start, told) = channel();
        start.send(Instant::now()).unwrap();
        let steps = [
            TargetAction::Freeze,
            TargetAction::Thaw,
            TargetAction::Terminate,
        ]
        .map(|step| (Duration::ZERO, step));
        let incidents = carry_out(&reach, &steps, &told);
        assert_eq!(incidents.happened, []);
        assert_eq!(incidents.failed.unwrap(), "the target has ended");
        cat.wait().unwrap();
        assert!(reach.send(Posix::STOP).is_err());
    }
}
