//! What keeps a run from starting or going on. What befalls a single connection is counted instead.

/// Found before the first connection, but for [`EngineError::Worker`] and [`EngineError::Killed`]. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] crate::net::TlsError),
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
