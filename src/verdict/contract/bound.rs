//! Computes how late the generator may be before a promise cannot be judged.

use super::result::Bounds;
use crate::scenario::{Promise, PromiseKind, Promised};
use crate::units::Nanos;

/// A lag longer than this part of a window visibly changes the times that are compared with the window.
const PART_OF_WINDOW: f64 = 0.1;

/// The lags of the generator above which a promise has no verdict. `None`: no lag voids it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct LagLimits {
    /// The limit for lags that occur repeatedly. Above it, a kept promise is void too.
    pub(in super::super) often_ns: Option<Nanos>,
    /// The limit for a single lag. Above it, only a broken promise is void: one connection is enough to break a
    /// promise.
    pub(in super::super) once_ns: Option<Nanos>,
}

/// Returns the limits of one promise. A lag of `cut` may cost a connection.
pub(in super::super) fn lag_limits(promise: &Promise, cut: Nanos) -> LagLimits {
    let width = match &promise.value {
        Promised::Back(back) => [back.p50, back.p90, back.p99, back.all]
            .into_iter()
            .flatten()
            .min()
            .map(Nanos::from),
        _ => (promise.span().map(Bounds::from))
            .and_then(|Bounds { lo_ns, hi_ns }| Some(hi_ns?.saturating_sub(lo_ns))),
    };
    let often_ns = width.map(|width| width.mul_f64(PART_OF_WINDOW));
    let once_ns = match promise.kind {
        // Measured by the clock of this process.
        PromiseKind::PongWithin
        | PromiseKind::DetectedBetween
        | PromiseKind::RecoversWithin
        | PromiseKind::CloseAnsweredWithin
        | PromiseKind::BackWithin => Some(often_ns.map_or(cut, |often| often.min(cut))),
        // Measured by the kernel, or counted: a lag matters only if it makes a client fall silent.
        PromiseKind::Closed
        | PromiseKind::ClosedPerStall
        | PromiseKind::AliveFor
        | PromiseKind::ClosedBetween
        | PromiseKind::Code
        | PromiseKind::EndsWith
        | PromiseKind::TcpEndBetween
        | PromiseKind::ReapedBetween
        | PromiseKind::ReleasedWithin
        | PromiseKind::EffectiveTimeout
        | PromiseKind::PingsBetween => Some(cut),
        PromiseKind::MaxPingSync
        | PromiseKind::CloseCodeEchoed
        | PromiseKind::SilentAfterClose
        | PromiseKind::MaxRssGrowth
        | PromiseKind::MaxDescriptorGrowth => None,
    };
    LagLimits { often_ns, once_ns }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::between;
    use super::*;
    use std::time::Duration;

    const CUT: Nanos = Nanos::from_millis(100);

    #[test]
    fn a_promise_bears_a_tenth_of_its_window() {
        let limits = lag_limits(&PromiseKind::ClosedBetween.of(between(20_000, 20_400)), CUT);
        assert_eq!(
            (limits.often_ns, limits.once_ns),
            (Some(Nanos::from_millis(40)), Some(CUT))
        );
        let soon = PromiseKind::PongWithin.of(Duration::from_millis(200));
        let limits = lag_limits(&soon, CUT);
        assert_eq!(
            (limits.often_ns, limits.once_ns),
            (Some(Nanos::from_millis(20)), Some(Nanos::from_millis(20)))
        );
        let limits = lag_limits(&PromiseKind::Closed.of(0), CUT);
        assert_eq!((limits.often_ns, limits.once_ns), (None, Some(CUT)));
        let limits = lag_limits(&PromiseKind::CloseCodeEchoed.of(Promised::True), CUT);
        assert_eq!((limits.often_ns, limits.once_ns), (None, None));
    }
}
