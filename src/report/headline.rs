//! The few numbers of a run that a reader wants first.

use super::run::Run;
use crate::measure::Histogram;
use crate::metric::{Counter, Timer};
use crate::verdict::View;

/// The numbers that stand at the top of a report.
pub(super) struct Headline {
    /// Connections opened, of those attempted.
    pub(super) opened: (u64, u64),
    /// Connections that were open when it began; 0 for a run of one report.
    pub(super) before: u64,
    /// Connections of healthy cohorts that never opened.
    pub(super) failed: u64,
    /// Those that opened and ended before their time: as gates on `connections.lost` see it.
    pub(super) lost: u64,
    /// Messages sent in a measured second; `None` if none were sent.
    pub(super) rate: Option<f64>,
    /// The name and the times of what matters first: the latency of the first message, else the round trips of pings,
    /// else handshakes.
    pub(super) times: Option<(String, Histogram)>,
    /// The heartbeat; `None` without any.
    pub(super) pings: Option<Pings>,
}

/// The heartbeat of healthy cohorts in the measured time.
pub(super) enum Pings {
    /// Our pings that were missed, and all; and connections that were declared dead.
    Ours { missed: u64, sent: u64, dead: u64 },
    /// How many the server sent, where none of ours were.
    Servers(u64),
}

impl Headline {
    pub(super) fn of(run: &Run) -> Self {
        let view = run.view();
        let all = |counter: Counter| view.all().count(counter.name());
        let healthy = |counter: Counter| view.count(counter.name());
        let seconds = run.summary.measured_seconds;
        let sent = healthy(Counter::MessagesSent);
        let (pings, of_server) = (healthy(Counter::PingsSent), healthy(Counter::ServerPings));
        Self {
            opened: (
                all(Counter::ConnectionsOpened),
                all(Counter::ConnectionsAttempted),
            ),
            before: run.summary.border.map_or(0, |border| border.open),
            failed: healthy(Counter::ConnectionsFailed),
            lost: healthy(Counter::ConnectionsLost),
            rate: (sent > 0 && seconds > 0.0).then(|| sent as f64 / seconds),
            times: first_times(&view),
            pings: match (pings, of_server) {
                (0, 0) => None,
                (0, received) => Some(Pings::Servers(received)),
                (sent, _) => Some(Pings::Ours {
                    missed: healthy(Counter::PingsMissed),
                    sent,
                    dead: healthy(Counter::ConnectionsDead),
                }),
            },
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
