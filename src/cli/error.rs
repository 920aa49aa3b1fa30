//! Everything that can go wrong in a command, and which exit code it means.

use std::borrow::Cow;
use std::path::PathBuf;

use super::serve::ServeError;
use crate::engine::EngineError;
use crate::host::{HostError, NamespaceError};
use crate::relay::RelayError;
use crate::report::OutputError;
use crate::scenario::{Problems, Secrets};
use crate::server::SpawnError;
use crate::verdict::Exit;

/// Why a command failed. All but [`CliError::Problems`] fit after "failed to".
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// The scenario is wrong. Speaks for itself, with the lines it is about.
    #[error("{0}")]
    Problems(Problems),
    /// There is no such scenario.
    #[error("read the scenario {}: {source}\nhint: {hint}", path.display())]
    Scenario {
        path: PathBuf,
        source: std::io::Error,
        hint: String,
    },
    /// A file that `init` would write over.
    #[error("write {}: it is there already\nhint: name another file", .0.display())]
    Exists(PathBuf),
    /// A file to write that is needed as it is.
    #[error("write {}: it is {what}\nhint: name another file", path.display())]
    WriteOver { path: PathBuf, what: &'static str },
    /// A file cannot be written.
    #[error("write {}: {source}", path.display())]
    Write {
        path: PathBuf,
        source: std::io::Error,
    },
    /// A file cannot be written to its end, after the run.
    #[error("write {}: {source}", path.display())]
    LateWrite {
        path: PathBuf,
        source: std::io::Error,
    },
    /// A header of the command line without a colon. Never quotes it: it may hold a secret.
    #[error(
        "read `--header`: one has no colon\nhint: write a name, a colon and a value, like \"Authorization: Bearer …\""
    )]
    Header,
    /// An error whose words may hold a secret, with what is shown in place of it.
    #[error("{text}")]
    Masked { text: String, exit: Exit },
    /// An address that names no server.
    #[error(
        "probe the built-in server: it is known\nhint: name a server: wsbench probe ws://127.0.0.1:8080/"
    )]
    NothingToProbe,
    /// The server to probe could not be reached; in words.
    #[error("{0}")]
    NoConnection(String),
    /// A report cannot be written.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// A report cannot be written, after the run.
    #[error(transparent)]
    LateOutput(OutputError),
    /// The built-in server did not start.
    #[error(transparent)]
    Embedded(#[from] SpawnError),
    /// The target's process, its sockets or its resources cannot be reached.
    #[error(transparent)]
    Host(#[from] HostError),
    /// There is no network of our own.
    #[error(transparent)]
    Network(#[from] NamespaceError),
    /// The path has no relay.
    #[error(transparent)]
    Relay(#[from] RelayError),
    /// The run could not begin.
    #[error(transparent)]
    Prepare(EngineError),
    /// A signal came before the first connection.
    #[error("start the run: interrupted")]
    Interrupted,
    /// The run broke off.
    #[error(transparent)]
    Engine(EngineError),
    /// The server could not serve.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The system refused something small.
    #[error("{doing}: {source}")]
    System {
        doing: &'static str,
        source: std::io::Error,
    },
}

impl From<Problems> for CliError {
    fn from(problems: Problems) -> Self {
        Self::Problems(problems)
    }
}

impl CliError {
    /// The same without what these secrets hide.
    pub(super) fn masked(self, secrets: &Secrets) -> Self {
        let text = self.to_string();
        match secrets.mask(&text) {
            Cow::Borrowed(_) => self,
            Cow::Owned(text) => Self::Masked {
                text,
                exit: self.exit(),
            },
        }
    }

    /// What the shell is told.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Masked { exit, .. } => *exit,
            Self::Problems(_)
            | Self::Scenario { .. }
            | Self::Exists(_)
            | Self::WriteOver { .. }
            | Self::Header
            | Self::NothingToProbe
            | Self::Write { .. }
            | Self::Output(_)
            | Self::Embedded(_)
            | Self::Host(_)
            | Self::Network(_)
            | Self::Relay(RelayError::Listen { .. })
            | Self::Prepare(_)
            | Self::Serve(ServeError::Listen { .. }) => Exit::Invalid,
            Self::NoConnection(_) => Exit::Untrusted,
            Self::Interrupted | Self::Engine(EngineError::Killed) => Exit::Interrupted,
            Self::LateOutput(_)
            | Self::LateWrite { .. }
            | Self::Relay(_)
            | Self::Engine(_)
            | Self::Serve(_)
            | Self::System { .. } => Exit::Unexpected,
        }
    }
}
