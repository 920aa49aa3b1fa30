//! The wait of a client before it dials again.

use std::future::poll_fn;
use std::task::Poll;

use rand::{Rng as _, SeedableRng as _};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::Client;
use crate::engine::session::Redial;
use crate::metric::Counter;
use crate::scenario::{Jitter, Reconnect};
use crate::units::Nanos;

/// The shortest wait after a failed dial. A dial that fails at once would otherwise be repeated in a
/// busy loop and delay all other connections.
const LEAST_BACK_OFF: Nanos = Nanos::from_millis(1);
/// The stream number for the random reconnect delays; messages use the numbers from 1 up.
const RECONNECTS: u32 = u32::MAX;

impl Client {
    /// Waits before the next dial. Returns whether to dial.
    pub(super) async fn back_off(&mut self, redial: Redial) -> bool {
        // Nothing comes until then.
        self.awaits(false);
        let policy = self.shared.plan.cohort(self.opening.cohort).reconnect;
        let seed = self.shared.plan.seed;
        let seed = seed.stream(self.opening.connection, RECONNECTS);
        let delay = match redial {
            Redial::After(time) => time,
            Redial::NotBefore(asked) => {
                let own = delay(policy, self.tries, || draw(seed, self.back_offs));
                if asked > own {
                    let cohort = self.opening.cohort;
                    (self.shared).whole(cohort, |cells| cells.count(Counter::ReconnectsDeferred));
                }
                own.max(asked)
            }
            Redial::AsAfterLoss => delay(policy, self.tries, || draw(seed, self.back_offs)),
        };
        self.back_offs += 1;
        let least = match self.tries {
            0 => Nanos::ZERO,
            _ => LEAST_BACK_OFF,
        };
        let until = self.shared.clock.now().saturating_add(delay.max(least));
        let waited = poll_fn(|cx| {
            let now = self.shared.clock.now();
            if now >= until || self.is_over(now) {
                return Poll::Ready(!self.is_over(now));
            }
            self.shared.deadlines.set(self.slot, until, cx.waker());
            Poll::Pending
        });
        waited.await
    }
}

/// Draws the random number for one wait of a connection.
fn draw(seed: u64, back_off: u32) -> u64 {
    Xoshiro256PlusPlus::seed_from_u64(seed.wrapping_add(back_off.into())).next_u64()
}

/// Exponential back-off with full jitter: a random part of a delay that doubles with each try.
fn delay(policy: Reconnect, tries: u32, random: impl FnOnce() -> u64) -> Nanos {
    let Reconnect::Backoff {
        initial,
        max,
        jitter,
        ..
    } = policy
    else {
        return Nanos::ZERO;
    };
    let doubled = initial
        .saturating_mul(1u32.checked_shl(tries).unwrap_or(u32::MAX))
        .min(max);
    let longest = Nanos::from(doubled);
    match jitter {
        Jitter::None => longest,
        Jitter::First if tries > 0 => longest,
        Jitter::Full | Jitter::First => longest.mul_f64(random() as f64 / u64::MAX as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::session::tests::plan;
    use std::time::Duration;

    #[test]
    fn each_wait_before_a_dial_draws_anew() {
        let policy = Reconnect::Backoff {
            initial: Duration::from_secs(1000),
            max: Duration::from_secs(1000),
            jitter: Jitter::Full,
            retry_after: false,
        };
        let delays = |connection| {
            let plan = plan("load.connections = 2");
            let seed = plan.seed.stream(connection, RECONNECTS);
            // No dial fails here: each wait follows a connection that was open.
            [0, 1, 2, 3].map(|back_off| delay(policy, 0, || draw(seed, back_off)))
        };
        let mut all = [delays(0), delays(1)].concat();
        assert_eq!(delays(0), delays(0), "the same seed repeats a run");
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 8);
    }

    #[test]
    fn delays_double_up_to_the_longest() {
        let policy = |jitter| Reconnect::Backoff {
            initial: Duration::from_millis(500),
            max: Duration::from_secs(3),
            jitter,
            retry_after: false,
        };
        let plain = |tries| delay(policy(Jitter::None), tries, || 0) / Nanos::from_millis(1);
        assert_eq!([0, 1, 2, 3, 40].map(plain), [500, 1000, 2000, 3000, 3000]);
        assert_eq!(delay(policy(Jitter::Full), 0, || 0), Nanos::ZERO);
        assert_eq!(
            delay(policy(Jitter::Full), 0, || u64::MAX),
            Nanos(500_000_000)
        );
    }
}
