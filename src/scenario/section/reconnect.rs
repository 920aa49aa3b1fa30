//! `load.reconnect` and a cohort's own `reconnect`: what a client does when its connection is lost.

use std::time::Duration;

use crate::scenario::reading::{
    At, Check, Given as _, Key, Section, Switch, Switched, TimeOrZero, keys, words,
};

/// What to do when a connection is lost, or could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconnect {
    /// The client does not reconnect.
    None,
    /// The client dials again, after a delay that doubles from `initial` to `max`.
    Backoff {
        /// The first delay. If `max` is zero too, a zero means to dial at once, every time.
        initial: Duration,
        /// The longest delay; at least `initial`.
        max: Duration,
        /// How the delay is randomised.
        jitter: Jitter,
        /// Whether `Retry-After` of an answer 429 or 503 is waited for.
        retry_after: bool,
    },
}

impl Reconnect {
    /// Whether `Retry-After` is waited for.
    pub fn heeds_retry_after(self) -> bool {
        matches!(
            self,
            Self::Backoff {
                retry_after: true,
                ..
            }
        )
    }
}

words! {
    /// How a delay before a reconnect is spread.
    pub enum Jitter {
        /// Not at all.
        None,
        /// Evenly between zero and the delay.
        Full,
        /// The first delay evenly between zero and `initial`, later ones as they are (RFC 6455 section 7.2.3).
        First,
    }
}

keys! {
    /// Dial again after a delay that doubles.
    #[serde(expecting = "a table")]
    ReconnectTable = "Reconnect" {
        /// The first delay; "0s" dials again at once, every time.
        initial: TimeOrZero = TimeOrZero::millis(500),
        /// The longest delay. Default "30s"; "0s" where `initial` is.
        max: TimeOrZero,
        /// How the delay is spread.
        jitter: Jitter = Jitter::Full,
        /// After an answer 429 or 503 with `Retry-After`, wait for so long at least.
        retry_after: bool = false,
    }
}

impl Switched for ReconnectTable {
    const OFF: &'static str = "none";
    const EXPECTING: &'static str =
        "\"none\" or a table such as { initial = \"500ms\", max = \"30s\" }";
}

/// Resolves what a client does when its connection is lost. `path` is the key, such as `load.reconnect`.
pub(super) fn resolve(
    check: &mut Check<'_>,
    path: &str,
    given: &Key<Switch<ReconnectTable>>,
) -> Reconnect {
    let Some(At { value: keys, place }) = &Switch::on(given) else {
        return Reconnect::None;
    };
    let mut section = Section { check, path, place };
    let initial = keys.initial().0;
    let default = match initial.is_zero() {
        true => Duration::ZERO,
        false => Duration::from_secs(30),
    };
    let max = keys.max.value_or(default);
    if max < initial {
        let what = format_args!("is shorter than `{path}.initial`");
        section.wrong("max", &keys.max, what, None);
    }
    if initial.is_zero() && !max.is_zero() {
        let what =
            format_args!("is never reached: `{path}.initial` is zero, and twice zero is zero");
        section.wrong("max", &keys.max, what, "leave it out");
    }
    let jitter = keys.jitter();
    Reconnect::Backoff {
        initial,
        max,
        jitter,
        retry_after: keys.retry_after(),
    }
}
