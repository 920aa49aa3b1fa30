//! Errors that keep a run from starting or continuing. Failures of a single connection are counted instead.

/// Found before the first connection, except [`EngineError::Worker`] and [`EngineError::Killed`]. Fits after "failed
/// to".
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] crate::net::TlsError),
    /// The plan needs more resources than this machine has.
    #[error(transparent)]
    Limit(#[from] super::preflight::LimitError),
    /// A request that is sent once for all clients was not answered as it should be.
    #[error("ask `{name}` once for all clients: {why}")]
    Once {
        /// The name of the step.
        name: String,
        /// What is wrong.
        why: String,
    },
    /// The built-in server did not start.
    #[error("start the built-in server: {0}")]
    Embedded(String),
    /// A worker could not be started, or ended too early.
    #[error("run worker {worker}: {why}")]
    Worker {
        /// The number of the worker, from 0.
        worker: usize,
        /// What happened.
        why: String,
    },
    /// The workers in other processes cannot be heard of any more.
    #[error("lead the agents: {why}")]
    Agents {
        /// What happened.
        why: String,
    },
    /// A second signal came while the run was ending because of the first.
    #[error("finish the run: interrupted twice")]
    Killed,
    /// The system refused another operation.
    #[error("{doing}: {source}")]
    System {
        /// The operation.
        doing: &'static str,
        /// The system's error.
        source: std::io::Error,
    },
}
