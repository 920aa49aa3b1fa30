//! Tells whether a message that is late was held up by the peer, which took no bytes, or by the generator.

use crate::units::{Nanos, Timestamp};

/// How long the peer took no bytes since messages were last sent on time.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// When it stopped taking bytes for the first time since then.
    from: Timestamp,
    /// When it stopped; `None` while it takes them.
    since: Option<Timestamp>,
    /// When it last took bytes again. Messages that are due from then on have not waited for it.
    until: Timestamp,
    /// The time it took no bytes, up to `until`.
    total: Nanos,
}

impl Held {
    /// Notes whether the peer takes bytes.
    pub(super) fn observe(&mut self, is_blocked: bool, now: Timestamp) {
        match (is_blocked, self.since) {
            (true, None) => {
                if self.total == Nanos::ZERO {
                    self.from = now;
                }
                self.since = Some(now);
            }
            (false, Some(since)) => {
                self.total += now.saturating_since(since);
                self.until = now;
                self.since = None;
            }
            _ => {}
        }
    }

    /// Returns whether a message that is sent now was held up by the peer.
    pub(super) fn sends(&mut self, intended: Timestamp, now: Timestamp) -> bool {
        if intended < self.until {
            return self.is_why(intended, now);
        }
        self.total = Nanos::ZERO;
        false
    }

    /// Returns whether the peer is why a message has not been sent until now: it took no bytes for at least half of
    /// the time. In the other half, the generator may have been late.
    pub(super) fn is_why(&self, intended: Timestamp, now: Timestamp) -> bool {
        let current = self.since.map(|since| now.saturating_since(since));
        let blocked = self.total + current.unwrap_or(Nanos::ZERO);
        let waited = now.saturating_since(intended.min(self.from));
        (intended < self.until || self.since.is_some()) && blocked * 2 >= waited
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::after;

    const S: Nanos = Nanos::from_secs(1);

    fn blocked(times: impl IntoIterator<Item = (u64, u64)>) -> Held {
        let mut held = Held::default();
        for (from, until) in times {
            held.observe(true, after(from * S));
            held.observe(false, after(until * S));
        }
        held
    }

    #[test]
    fn what_became_due_while_the_peer_took_no_bytes_was_held_up() {
        let mut held = blocked([(10, 13)]);
        assert!(held.sends(after(11 * S), after(13 * S)));
        assert!(!held.sends(after(13 * S), after(14 * S)), "due since");
        held.observe(true, after(20 * S));
        assert!(held.is_why(after(21 * S), after(25 * S)));
    }

    #[test]
    fn what_the_generator_was_late_with_is_its_own() {
        // Ten seconds late already when the peer took no bytes for one second.
        let mut held = blocked([(10, 11)]);
        assert!(!held.sends(after(Nanos::ZERO), after(11 * S)));
        // The same again and again: a short stop of the peer does not explain a backlog, however many there are.
        let mut held = blocked((1..100).map(|n| (10 * n, 10 * n + 1)));
        assert!(!held.sends(after(985 * S), after(991 * S)));
        // A peer that takes a little now and then does.
        let mut held = blocked((1..100).map(|n| (10 * n, 10 * n + 9)));
        assert!(held.sends(after(985 * S), after(999 * S)));
    }
}
