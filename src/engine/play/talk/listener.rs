//! What one `[[on]]` of a client has heard.

use crate::engine::play::fact::Facts;
use crate::metric::Counter;
use crate::units::Timestamp;

/// What one `[[on]]` of a client has heard.
#[derive(Debug, Default)]
pub(super) struct Listener {
    /// When the last message came.
    last: Option<Timestamp>,
}

impl Listener {
    /// A message came that it takes.
    pub(super) fn hear(&mut self, slot: usize, is_wrong: bool, now: Timestamp, facts: &mut Facts) {
        facts.count(Counter::PushesReceived, now);
        if is_wrong {
            facts.count(Counter::PushesWrong, now);
        }
        let _ = slot;
        self.last = Some(now);
    }

    /// A new connection: what comes is not compared with what came on the one before.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }
}
