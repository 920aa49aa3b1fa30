//! What keeps a run from starting or going on. What befalls a single connection is counted instead.

use std::path::PathBuf;

/// Found before the first connection, but for [`EngineError::Worker`] and [`EngineError::Killed`]. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The certificates in `ca` are no use.
    #[error("read the certificates of `target.ca` from {}: {why}", path.display())]
    Certificates {
        /// As in the scenario.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// `wss://` and no certificate to trust.
    #[error(
        "find any certificate of the system's to check `target.url` with\nhint: install the system's certificates (package ca-certificates), or name a file in `target.ca`"
    )]
    NoSystemRoots,
    /// TLS could not be set up.
    #[error("set up TLS: {0}")]
    Tls(String),
    /// The plan needs more than this machine gives.
    #[error(transparent)]
    Limit(#[from] super::preflight::LimitError),
    /// The built-in server did not start.
    #[error("start the built-in echo server: {0}")]
    Embedded(String),
    /// A worker could not be started, or ended before its time.
    #[error("run worker {worker}: {why}")]
    Worker {
        /// From 0.
        worker: usize,
        /// What happened.
        why: String,
    },
    /// A second signal came while the first was being obeyed.
    #[error("finish the run: interrupted twice")]
    Killed,
    /// The system refused something else.
    #[error("{doing}: {source}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}
