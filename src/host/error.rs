//! Errors while the target's side is prepared. All of them are found before the first connection.

use std::io;

/// Why the target's side is not ready. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The name in the URL has no address.
    #[error(transparent)]
    Resolve(#[from] crate::net::ResolveError),
    /// A server listened there before the command was run, so the contract would judge that server instead.
    #[error(
        "start `target.command`: something listens on {address} already\nhint: end it first, or leave `target.command` out and give its process id as `target.pid`"
    )]
    Taken {
        /// Host and port of the url.
        address: String,
    },
    /// The program could not be started.
    #[error("start `target.command`: run `{program}`: {source}")]
    Run {
        /// The first word of the command.
        program: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The program ended before it listened.
    #[error(
        "start `target.command`: `{program}` {how} before it listened on {address}{output}\nhint: it has to stay in the foreground, and to listen where `target.url` says"
    )]
    Ended {
        /// The first word of the command.
        program: String,
        /// How it ended, such as `ended with status 1`.
        how: String,
        /// Host and port of the url.
        address: String,
        /// The last lines of its output, each after a line break; or nothing.
        output: String,
    },
    /// The program runs but does not listen.
    #[error(
        "start `target.command`: `{program}` did not listen on {address} within ten seconds{output}\nhint: it has to listen where `target.url` says"
    )]
    Silent {
        /// The first word of the command.
        program: String,
        /// Host and port of the url.
        address: String,
        /// The last lines of its output, each after a line break; or nothing.
        output: String,
    },
    /// The start was cancelled before it finished.
    #[error("start `target.command`: given up")]
    GivenUp,
    /// wsbench could not attach to the process.
    #[error("reach process {pid} of `target.pid`: {why}")]
    Attach {
        /// The process id in the scenario.
        pid: u32,
        /// The reason.
        why: String,
    },
    /// The shell that guarantees that a stopped target continues could not be started.
    #[error("start a guard over the target's process (`sh`): {0}")]
    Guard(#[source] io::Error),
    /// The table of sockets cannot be read.
    #[error(
        "read the system's table of sockets (sock_diag): {0}\nhint: the contract keys `reaped_between` and `released_within` need it; it is not there in every container"
    )]
    Sockets(#[source] io::Error),
    /// The resources of the target cannot be read.
    #[error(
        "read the {what} of process {pid}: {source}\nhint: run wsbench as the same user as the target"
    )]
    Usage {
        /// `memory` or `descriptors`.
        what: &'static str,
        /// The process, or one that it started.
        pid: u32,
        /// The error of the system.
        source: io::Error,
    },
    /// wsbench could not enter a network namespace of its own.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// A thread could not be started.
    #[error("start a thread: {0}")]
    Thread(#[source] io::Error),
    /// The function exists only on Linux.
    #[error("{doing}: this system cannot do it\nhint: run wsbench on Linux")]
    Unsupported {
        /// The action that was asked for.
        doing: &'static str,
    },
}

/// Why wsbench could not enter a network namespace of its own. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// The system forbids it.
    #[error(
        "enter a network of its own: this system forbids user namespaces ({why})\nhint: `vanish` needs the right CAP_NET_ADMIN: run wsbench as root, or allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"
    )]
    Forbidden {
        /// The step that was refused, and the error of the system.
        why: String,
    },
    /// Threads run already, so the whole process can no longer move into a namespace.
    #[error("enter a network of its own: {0} threads run already")]
    Threads(usize),
    /// Another error.
    #[error("enter a network of its own: {doing}: {source}")]
    System {
        /// The step that failed.
        doing: &'static str,
        /// The error of the system.
        source: io::Error,
    },
}
