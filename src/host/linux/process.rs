//! The target's process: a command that wsbench starts and ends, or a process that runs already, to which it attaches.

use std::io::{self, PipeReader};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::guard::Guard;
use super::reach::{One, ProcessGroup, Reach};
use super::tail::Tail;
use super::tree;
use crate::host::error::HostError;
use crate::net::{ResolveError, resolve};
use crate::scenario::{Process, Servers};

/// The longest time from the start of a command until it listens.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// The time between two checks whether it listens.
const LOOK: Duration = Duration::from_millis(10);
/// The timeout of one check. A listening port of this machine answers at once.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// The target's process. When dropped, ends a command: sends SIGCONT and SIGTERM to its group and to the processes that
/// it started outside the group, and SIGKILL after three seconds. Leaves a process that was there before as it was.
#[derive(Debug)]
pub struct TargetProcess {
    pid: u32,
    reach: Arc<Reach>,
    /// `None` if the process was there before.
    own: Option<StartedCommand>,
}

#[derive(Debug)]
struct StartedCommand {
    child: Child,
    tail: Tail,
    /// Ends the command if this process is killed. Dropped last.
    _guard: Guard,
}

impl TargetProcess {
    /// The process that the scenario gives; `None` where it gives none. Until a command listens, `gives_up` is
    /// asked whether to cancel.
    ///
    /// # Errors
    /// See [`TargetProcess::start`] and [`TargetProcess::attach`]; [`HostError::GivenUp`].
    pub fn of(
        process: &Process,
        servers: &Servers,
        gives_up: &dyn Fn() -> bool,
    ) -> Result<Option<Self>, HostError> {
        match process {
            Process::Unknown => Ok(None),
            Process::Command(command) => {
                let listeners = servers.urls().map(|url| match &url.unix {
                    Some(path) => Ok(Listener::Unix(path.clone())),
                    None => Listener::find(&url.host, url.port, gives_up),
                });
                let listeners: Vec<Listener> = listeners.collect::<Result<_, _>>()?;
                Self::start_unless(command, &listeners, gives_up).map(Some)
            }
            Process::Pid(pid) => Self::attach(*pid).map(Some),
        }
    }

    /// Runs a command in a process group of its own, and waits up to ten seconds until something listens on the port.
    /// The standard input of the command is a pipe that stays open as long as it may run; the last twenty lines of its
    /// output are kept.
    ///
    /// # Errors
    /// Something listens there already, the command cannot be run, or it ends or does not listen in time.
    pub fn start(command: &[String], host: &str, port: u16) -> Result<Self, HostError> {
        let listener = Listener::find(host, port, &|| false)?;
        Self::start_unless(command, &[listener], &|| false)
    }

    fn start_unless(
        command: &[String],
        listeners: &[Listener],
        gives_up: &dyn Fn() -> bool,
    ) -> Result<Self, HostError> {
        if let Some(taken) = listeners.iter().find(|listener| listener.is_there()) {
            return Err(HostError::Taken {
                address: taken.shown(),
            });
        }
        let program = command.first().cloned().unwrap_or_default();
        let mark = mark();
        let (child, output) = run(command, &mark).map_err(|source| HostError::Run {
            program: program.clone(),
            source,
        })?;
        let process = Self::own(child, output, mark)?;
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            let Some(missing) = listeners.iter().find(|listener| !listener.is_there()) else {
                return Ok(process);
            };
            if let Some(how) = process.ended() {
                return Err(HostError::Ended {
                    program,
                    how,
                    address: missing.shown(),
                    output: process.said(),
                });
            }
            if gives_up() {
                return Err(HostError::GivenUp);
            }
            if Instant::now() > deadline {
                return Err(HostError::Silent {
                    program,
                    address: missing.shown(),
                    output: process.said(),
                });
            }
            thread::sleep(LOOK);
        }
    }

    /// Attaches to a process that runs already. Signals go to this process only, not to its children; it is never
    /// ended.
    ///
    /// # Errors
    /// There is no such process, or this user may not send signals to it.
    pub fn attach(pid: u32) -> Result<Self, HostError> {
        Ok(Self {
            pid,
            reach: Arc::new(Reach::One(One::open(pid)?)),
            own: None,
        })
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended, such as `ended with status 1`; `None` while it runs.
    pub fn ended(&self) -> Option<String> {
        match &*self.reach {
            Reach::Group(group) => group.ended(),
            one => (!one.lives()).then(|| "ended".to_owned()),
        }
    }

    /// The last lines of its output, twenty at most, standard output and standard error together; empty for a process
    /// that was there before.
    pub fn last_lines(&self) -> Vec<String> {
        let own = self.own.as_ref();
        own.map_or_else(Vec::new, |own| own.tail.lines())
    }

    /// The processes that its signals reach.
    pub(super) fn reach(&self) -> &Arc<Reach> {
        &self.reach
    }

    /// Whether wsbench started it.
    pub(super) fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// Takes over a child process; ends it if that fails.
    fn own(mut child: Child, output: PipeReader, mark: String) -> Result<Self, HostError> {
        let guard = Guard::of_group(child.id(), &mark).map_err(HostError::Guard);
        let group = ProcessGroup::of(&child, mark);
        let tail = Tail::follow(output).map_err(HostError::Thread);
        match (guard, tail) {
            (Ok(guard), Ok(tail)) => Ok(Self {
                pid: child.id(),
                reach: Arc::new(Reach::Group(group)),
                own: Some(StartedCommand {
                    child,
                    tail,
                    _guard: guard,
                }),
            }),
            (Err(error), _) | (_, Err(error)) => {
                group.end(&mut child);
                Err(error)
            }
        }
    }

    /// The last lines of its output, as part of a message.
    fn said(&self) -> String {
        if let Some(own) = &self.own {
            own.tail.settle();
        }
        let lines = self.last_lines().into_iter();
        lines.map(|line| format!("\n  | {line}")).collect()
    }
}

impl Drop for TargetProcess {
    fn drop(&mut self) {
        if let (Reach::Group(group), Some(own)) = (&*self.reach, &mut self.own) {
            group.end(&mut own.child);
        }
    }
}

/// A value of [`tree::MARK`] that is unique to this command.
fn mark() -> String {
    static COMMANDS: AtomicU32 = AtomicU32::new(0);
    let number = COMMANDS.fetch_add(1, Ordering::Relaxed);
    format!("{}.{number}", std::process::id())
}

/// Runs a command as the first process of a new group, with one pipe for standard output and standard error.
fn run(command: &[String], mark: &str) -> io::Result<(Child, PipeReader)> {
    let (program, arguments) = command
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no program is named"))?;
    let (output, input) = io::pipe()?;
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(input.try_clone()?)
        .stderr(input)
        .process_group(0)
        .env(tree::MARK, mark)
        .spawn()?;
    Ok((child, output))
}

/// Where the target should listen.
enum Listener {
    /// On any of these addresses, and how they are shown.
    Tcp(Vec<SocketAddr>, String),
    Unix(PathBuf),
}

impl Listener {
    fn find(host: &str, port: u16, gives_up: &dyn Fn() -> bool) -> Result<Self, HostError> {
        let addresses = resolve(host, port, START_TIMEOUT, gives_up);
        let addresses = addresses.map_err(|error| match error {
            ResolveError::GivenUp { .. } => HostError::GivenUp,
            other => other.into(),
        })?;
        let shown = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        Ok(Self::Tcp(addresses, shown))
    }

    fn shown(&self) -> String {
        match self {
            Self::Tcp(_, shown) => shown.clone(),
            Self::Unix(path) => path.display().to_string(),
        }
    }

    /// Whether any of the addresses, or the socket, accepts a connection.
    fn is_there(&self) -> bool {
        let addresses = match self {
            Self::Tcp(addresses, _) => addresses,
            Self::Unix(path) => return UnixStream::connect(path).is_ok(),
        };
        addresses.iter().any(|address| {
            let dialled = TcpStream::connect_timeout(address, CONNECT_TIMEOUT);
            dialled.is_ok_and(|stream| !met_itself(&stream))
        })
    }
}

/// Whether a dial has connected to itself. This is possible if nothing listens and the port is in the range for clients
/// (TCP simultaneous open).
fn met_itself(stream: &TcpStream) -> bool {
    let ends = (stream.local_addr(), stream.peer_addr());
    matches!(ends, (Ok(local), Ok(peer)) if local == peer)
}
