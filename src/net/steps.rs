//! How long the steps of a handshake took.

use crate::metric::Timer;
use crate::time::Nanos;

/// How long the steps of a handshake took, in nanoseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steps {
    pub(crate) tcp: Nanos,
    pub(crate) tls: Option<Nanos>,
    pub(crate) upgrade: Nanos,
}

impl Steps {
    /// Each step, and all of them together.
    pub(crate) fn timers(&self) -> impl Iterator<Item = (Timer, Nanos)> {
        let total = self.tcp + self.tls.unwrap_or(0) + self.upgrade;
        [
            Some((Timer::HandshakeTcp, self.tcp)),
            self.tls.map(|ns| (Timer::HandshakeTls, ns)),
            Some((Timer::HandshakeUpgrade, self.upgrade)),
            Some((Timer::HandshakeTotal, total)),
        ]
        .into_iter()
        .flatten()
    }
}
