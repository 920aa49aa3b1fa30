//! Whom a signal reaches: the group of a command that wsbench started, or one process that runs already.
//! A number that the system may have given to another process since is never signalled.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open,
    pidfd_send_signal, test_kill_process, waitid,
};

use super::error::HostError;
use super::tree;

/// From SIGTERM to SIGKILL.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);
/// Between two looks whether all have ended.
const LOOK: Duration = Duration::from_millis(10);

/// Whom a signal reaches.
#[derive(Debug)]
pub(super) enum Reach {
    /// A command and everything it has started that stayed in its group.
    Group(Group),
    /// One process, without its children. The descriptor stands for it, whatever becomes of its number.
    One(OwnedFd),
}

impl Reach {
    /// Sends a signal, which has been queued when this returns.
    ///
    /// # Errors
    /// It has ended.
    pub(super) fn send(&self, signal: Signal) -> io::Result<()> {
        match self {
            Self::Group(group) => group.send(signal),
            Self::One(process) => Ok(pidfd_send_signal(process, signal)?),
        }
    }
}

/// Opens a process that runs already.
///
/// # Errors
/// There is none, it is this one, or it belongs to another user.
pub(super) fn open(pid: u32) -> Result<OwnedFd, HostError> {
    let refused = |why: String| HostError::Attach { pid, why };
    if pid == std::process::id() {
        return Err(refused("it is wsbench itself".to_owned()));
    }
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let opened = number.map(|number| {
        let process = pidfd_open(number, PidfdFlags::empty())?;
        test_kill_process(number).map(|()| process)
    });
    match opened {
        Some(Ok(process)) => Ok(process),
        None | Some(Err(rustix::io::Errno::SRCH)) => {
            Err(refused("there is no such process".to_owned()))
        }
        Some(Err(rustix::io::Errno::PERM)) => Err(refused(
            "it belongs to another user\nhint: run wsbench as the same user".to_owned(),
        )),
        Some(Err(other)) => Err(refused(other.to_string())),
    }
}

/// The group of a command, named after its first process.
#[derive(Debug)]
pub(super) struct Group {
    leader: Pid,
    /// Once the leader has been waited for, its number and the group's may become another's.
    is_over: Mutex<bool>,
}

impl Group {
    /// The group of a child that was started as the first of its own.
    pub(super) fn of(child: &Child) -> Self {
        Self {
            leader: Pid::from_child(child),
            is_over: Mutex::new(false),
        }
    }

    /// How its first process ended, as `ended with status 1`; `None` while it runs.
    pub(super) fn ended(&self) -> Option<String> {
        if *self.lock() {
            return Some("has been ended".to_owned());
        }
        // It is not waited for, so that its number stays its own.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(self.leader), options).ok()??;
        Some(match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => format!("ended with status {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended".to_owned(),
        })
    }

    /// Ends all of it: lets it go on, asks, waits up to three seconds, and makes sure.
    pub(super) fn end(&self, leader: &mut Child) {
        // Errors here mean that nobody is left.
        let _ = self.send(Signal::CONT);
        let _ = self.send(Signal::TERM);
        let deadline = Instant::now() + STOP_TIMEOUT;
        while tree::group_lives(leader.id()) && Instant::now() < deadline {
            thread::sleep(LOOK);
        }
        let _ = self.send(Signal::KILL);
        let mut is_over = self.lock();
        let _ = leader.wait();
        *is_over = true;
    }

    fn send(&self, signal: Signal) -> io::Result<()> {
        let is_over = self.lock();
        if *is_over {
            return Err(rustix::io::Errno::SRCH.into());
        }
        Ok(kill_process_group(self.leader, signal)?)
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
