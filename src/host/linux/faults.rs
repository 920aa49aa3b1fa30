//! Carries out the faults of the target: a thread that stops its process, lets it go on, and ends it, on time.
//! However a run ends, a process that was stopped goes on.

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

/// The faults of the target, waiting for the start of measuring or on their way. Dropped, no more are carried out, and
/// the process goes on.
#[derive(Debug)]
pub struct Faults {
    /// Breaks when no more shall be done.
    start: Option<Sender<Instant>>,
    thread: Option<JoinHandle<Incidents>>,
    /// In case this process is killed while the target is stopped; a command has one of its own.
    _guard: Option<Guard>,
}

impl Faults {
    /// Gets ready to carry out these faults. Nothing happens before [`Faults::measuring`].
    ///
    /// A freeze stops all of a command's process group; of a process that was there before only itself, not its
    /// children. Freezes that overlap are one.
    ///
    /// # Errors
    /// The system gives no thread or no shell.
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

    /// Measuring starts, or started, at this time: the faults count from here. Only the first call has an effect.
    pub fn measuring(&self, from: Instant) {
        if let Some(start) = &self.start {
            // Fails only if all faults are done and the thread has ended.
            let _ = start.send(from);
        }
    }

    /// Carries out no more of them, lets the process go on, and tells what happened.
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

/// Takes the steps one by one, until all are done, one fails, or the sender of `told` is gone.
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

/// Whether the time has come; otherwise all is over.
fn wait_until(at: Instant, told: &Receiver<Instant>) -> bool {
    loop {
        match told.recv_timeout(at.saturating_duration_since(Instant::now())) {
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
            // Told again: the first time counts.
            Ok(_) => {}
        }
    }
}

/// What holds the process, and what it did to it. Dropped, it lets go.
struct Hands<'a> {
    reach: &'a Reach,
    /// Freezes that should last now.
    freezes: u32,
    /// Since when it is stopped.
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
        // Taken before: it may have answered someone before the system returns.
        let ended = Instant::now();
        let sent = self.reach.send(Posix::CONT);
        self.note(Signal::Stop, began, Some(ended));
        sent
    }

    /// Sends a signal and tells when, as seen just before: what it brings about may come before we run again.
    fn send(&self, signal: Posix) -> io::Result<Instant> {
        let at = Instant::now();
        self.reach.send(signal)?;
        Ok(at)
    }

    fn note(&mut self, kind: Signal, began: Instant, ended: Option<Instant>) {
        self.done.happened.push(Happened { kind, began, ended });
    }

    fn finish(mut self) -> Incidents {
        // An error means that it has ended.
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
