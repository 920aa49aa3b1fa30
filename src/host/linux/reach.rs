//! The processes that a signal reaches: the group of a command that wsbench started, or one process that runs already.
//! Never signals a process id that the system may have given to another process since.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open,
    pidfd_send_signal, test_kill_process, waitid,
};

use super::tree;
use crate::host::error::HostError;

/// The time from SIGTERM to SIGKILL.
const STOP_TIMEOUT: Duration = Duration::from_secs(3);
/// The time between two checks whether all processes have ended.
const LOOK: Duration = Duration::from_millis(10);

/// The processes that a signal reaches.
#[derive(Debug)]
pub(super) enum Reach {
    /// A command and all processes in its group. When it is ended, also those that it started and that left the group.
    Group(ProcessGroup),
    /// One process, without its children.
    One(One),
}

impl Reach {
    /// Sends a signal, which is queued when this returns.
    ///
    /// # Errors
    /// The process has ended.
    pub(super) fn send(&self, signal: Signal) -> io::Result<()> {
        match self {
            Self::Group(group) => group.send(signal),
            Self::One(one) => Ok(pidfd_send_signal(&one.process, signal)?),
        }
    }

    /// Whether any process is alive. A process that has ended accepts signals without effect until it is waited for.
    pub(super) fn lives(&self) -> bool {
        match self {
            Self::Group(group) => tree::group_lives(group.leader.as_raw_pid().unsigned_abs()),
            Self::One(one) => tree::row(one.pid).is_some_and(|row| row.lives),
        }
    }
}

/// A process that was there before the run.
#[derive(Debug)]
pub(super) struct One {
    pid: u32,
    /// A handle of the process (pidfd), which stays valid whatever happens to its id.
    process: OwnedFd,
}

impl One {
    /// Opens the process.
    ///
    /// # Errors
    /// There is no such process, it is wsbench itself, or it belongs to another user.
    pub(super) fn open(pid: u32) -> Result<Self, HostError> {
        let refused = |why: &str| HostError::Attach {
            pid,
            why: why.to_owned(),
        };
        if pid == std::process::id() {
            return Err(refused("it is wsbench itself"));
        }
        match open(pid) {
            Ok(process) => Ok(Self { pid, process }),
            Err(Errno::SRCH) => Err(refused("there is no such process")),
            Err(Errno::PERM) => Err(refused(
                "it belongs to another user\nhint: run wsbench as the same user",
            )),
            Err(other) => Err(refused(&other.to_string())),
        }
    }
}

fn open(pid: u32) -> rustix::io::Result<OwnedFd> {
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let number = number.ok_or(Errno::SRCH)?;
    let process = pidfd_open(number, PidfdFlags::empty())?;
    test_kill_process(number)?;
    Ok(process)
}

/// The group of a command, identified by its first process.
#[derive(Debug)]
pub(super) struct ProcessGroup {
    leader: Pid,
    /// The value of [`tree::MARK`] in the environment of all processes that the command started.
    mark: String,
    /// Whether the leader was waited for. After that, its id and the group's may belong to other processes.
    is_over: Mutex<bool>,
}

impl ProcessGroup {
    /// The group of a child that was started with this mark as the first process of its own group.
    pub(super) fn of(child: &Child, mark: String) -> Self {
        Self {
            leader: Pid::from_child(child),
            mark,
            is_over: Mutex::new(false),
        }
    }

    /// How its first process ended, such as `ended with status 1`; `None` while it runs.
    pub(super) fn ended(&self) -> Option<String> {
        if *self.lock() {
            return Some("has been ended".to_owned());
        }
        // Does not wait for the process (WNOWAIT), so that its id is not reused.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(self.leader), options).ok()??;
        Some(match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => format!("ended with status {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended".to_owned(),
        })
    }

    /// Ends all processes of the group, and those that it started outside the group: sends SIGCONT and SIGTERM, waits
    /// up to three seconds, and sends SIGKILL.
    pub(super) fn end(&self, leader: &mut Child) {
        // Ignores errors, which mean that the process has ended.
        let send = |signal: Signal| {
            let _ = self.send(signal);
            for stray in self.strays() {
                let _ = pidfd_send_signal(&stray, signal);
            }
        };
        send(Signal::CONT);
        send(Signal::TERM);
        let deadline = Instant::now() + STOP_TIMEOUT;
        while self.any_lives() && Instant::now() < deadline {
            thread::sleep(LOOK);
        }
        send(Signal::KILL);
        let mut is_over = self.lock();
        let _ = leader.wait();
        *is_over = true;
    }

    fn any_lives(&self) -> bool {
        tree::group_lives(self.leader.as_raw_pid().unsigned_abs())
            || !tree::marked(&self.mark).is_empty()
    }

    /// Handles of the processes that it started and that are not in its group, so that a signal cannot reach another
    /// process.
    fn strays(&self) -> Vec<OwnedFd> {
        let group = self.leader.as_raw_pid().unsigned_abs();
        let in_group = |pid: u32| tree::row(pid).is_some_and(|row| row.group == group);
        let opened: Vec<(u32, OwnedFd)> = (tree::marked(&self.mark).into_iter())
            .filter(|pid| !in_group(*pid))
            .filter_map(|pid| Some((pid, open(pid).ok()?)))
            .collect();
        // Checks the mark again: an id that was reused before it was opened belongs to a process without the mark.
        let marked = tree::marked(&self.mark);
        let still = opened.into_iter().filter(|(pid, _)| marked.contains(pid));
        still.map(|(_, process)| process).collect()
    }

    fn send(&self, signal: Signal) -> io::Result<()> {
        let is_over = self.lock();
        if *is_over {
            return Err(Errno::SRCH.into());
        }
        Ok(kill_process_group(self.leader, signal)?)
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
