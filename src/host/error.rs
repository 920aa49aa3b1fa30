//! What keeps the target's side from being ready. All of it is found before the first connection.

use std::io;

/// Why the target's side is not ready. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The name in the url has no address.
    #[error(transparent)]
    Resolve(#[from] crate::net::ResolveError),
    /// A server is there before the command was run, so it would be judged instead.
    #[error(
        "start `target.command`: something listens on {address} already\nhint: end it first, or leave `target.command` out and give its process id as `target.pid`"
    )]
    Taken {
        /// Host and port of the url.
        address: String,
    },
    /// The program could not be run at all.
    #[error("start `target.command`: run `{program}`: {source}")]
    Run {
        /// The first word of the command.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// It ended before it listened.
    #[error(
        "start `target.command`: `{program}` {how} before it listened on {address}{output}\nhint: it has to stay in the foreground, and to listen where `target.url` says"
    )]
    Ended {
        /// The first word of the command.
        program: String,
        /// `ended with status 1`
        how: String,
        /// Host and port of the url.
        address: String,
        /// Its last lines, each on its own line with a line break before it; or nothing.
        output: String,
    },
    /// It runs, and does not listen.
    #[error(
        "start `target.command`: `{program}` did not listen on {address} within ten seconds{output}\nhint: it has to listen where `target.url` says"
    )]
    Silent {
        /// The first word of the command.
        program: String,
        /// Host and port of the url.
        address: String,
        /// Its last lines, each on its own line with a line break before it; or nothing.
        output: String,
    },
    /// Its start was given up on the way.
    #[error("start `target.command`: given up")]
    GivenUp,
    /// The process cannot be reached.
    #[error("reach process {pid} of `target.pid`: {why}")]
    Attach {
        /// As in the scenario.
        pid: u32,
        /// What is wrong.
        why: String,
    },
    /// What makes sure that the target is left running could not be started.
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
        /// What the system said.
        source: io::Error,
    },
    /// There is no network of our own.
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    /// A thread could not be started.
    #[error("start a thread: {0}")]
    Thread(#[source] io::Error),
    /// Only Linux can.
    #[error("{doing}: this system cannot do it\nhint: run wsbench on Linux")]
    Unsupported {
        /// What was asked for.
        doing: &'static str,
    },
}

/// Why there is no network of our own. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum NamespaceError {
    /// The system forbids it.
    #[error(
        "enter a network of its own: this system forbids user namespaces ({why})\nhint: `vanish` needs the right CAP_NET_ADMIN: run wsbench as root, or allow user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"
    )]
    Forbidden {
        /// The step that was refused, and what the system said.
        why: String,
    },
    /// Threads run already, so a namespace for all of the process is no longer possible.
    #[error("enter a network of its own: {0} threads run already")]
    Threads(usize),
    /// Something else.
    #[error("enter a network of its own: {doing}: {source}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: io::Error,
    },
}
