//! The few numbers of a run that a reader wants first.

use super::run::Run;
use crate::measure::Histogram;
use crate::metric::{Counter, Timer};
use crate::verdict::View;

/// The numbers that stand at the top of a report.
pub(super) struct Headline {
    /// Connections opened, of those attempted.
    pub(super) opened: (u64, u64),
    /// Connections of healthy cohorts that failed, or were declared dead.
    pub(super) lost: u64,
    /// Messages sent in a measured second; `None` if none were sent.
    pub(super) rate: Option<f64>,
    /// The name and the times of what matters first: the latency of the first message, else the round trips of pings,
    /// else handshakes.
    pub(super) times: Option<(String, Histogram)>,
    /// Pings missed, of those sent; `None` if no cohort pings.
    pub(super) missed: Option<(u64, u64)>,
}

impl Headline {
    pub(super) fn of(run: &Run) -> Self {
        let view = run.view();
        let all = |counter: Counter| view.all().count(counter.name());
        let healthy = |counter: Counter| view.count(counter.name());
        let seconds = run.summary.measured_seconds;
        let sent = healthy(Counter::MessagesSent);
        let pings = healthy(Counter::PingsSent);
        Self {
            opened: (
                all(Counter::ConnectionsOpened),
                all(Counter::ConnectionsAttempted),
            ),
            lost: healthy(Counter::ConnectionsFailed) + healthy(Counter::ConnectionsDead),
            rate: (sent > 0 && seconds > 0.0).then(|| sent as f64 / seconds),
            times: first_times(&view),
            missed: (pings > 0).then(|| (healthy(Counter::PingsMissed), pings)),
        }
    }
}

fn first_times(view: &View<'_>) -> Option<(String, Histogram)> {
    let mut names = view.distributions().map(|metric| metric.name.as_str());
    let latency = names.find(|name| name.starts_with("latency."));
    let others = [Timer::HeartbeatRtt, Timer::HandshakeTotal].map(Timer::name);
    let mut all = latency.into_iter().chain(others);
    all.find_map(|name| Some((name.to_owned(), view.histogram(name)?)))
}
