//! The table of all times in the terminal summary.
//! A cell without data is empty, and so is a percentile with too few samples.

use crate::measure::Histogram;
use crate::metric::{self, Timer};
use crate::report::tables::Table;
use crate::report::times::covered;
use crate::units::{human_count, human_ns};
use crate::verdict::{View, samples_for};

/// The timers shown after the messages if they have samples, in this order.
const TIMERS: [Timer; 9] = [
    Timer::DeliveryLatency,
    Timer::HeartbeatRtt,
    Timer::HeartbeatDetection,
    Timer::ServerPingInterval,
    Timer::ReceiveGap,
    Timer::HandshakeTotal,
    Timer::ReconnectDuration,
    Timer::CloseDuration,
    Timer::ScheduleLateness,
];

/// The highest percentile in the table of all times.
const HIGHEST: f64 = 99.9;

/// The table of all times, under the names that gates use; `None` if there are none.
pub(super) fn table(view: &View<'_>) -> Option<Table> {
    let mut rows = vec![cells(["", "samples", "p50", "p90", "p99", "p99.9", "max"])];
    for (name, times) in distributions(view) {
        let mut row = vec![name, human_count(times.count())];
        let percentiles = [50.0, 90.0, 99.0, HIGHEST].map(|percent| covered(&times, percent));
        let shown = percentiles.into_iter().chain([times.max()]);
        row.extend(shown.map(|ns| ns.map(human_ns).unwrap_or_default()));
        rows.push(row);
    }
    (rows.len() > 1).then_some(Table { rows, words: 1 })
}

/// Whether [`table`] leaves a cell empty because of too few samples.
pub(super) fn has_thin_percentile(view: &View<'_>) -> bool {
    distributions(view).any(|(_, times)| times.count() < samples_for(HIGHEST))
}

fn distributions(view: &View<'_>) -> impl Iterator<Item = (String, Histogram)> {
    let by_message = (messages(view).into_iter())
        .flat_map(|message| [metric::latency(message), metric::service(message)]);
    let pushed = view
        .distributions()
        .filter(|metric| metric.name.starts_with("gap.") || metric.name.starts_with("age."));
    let mut pushed: Vec<String> = pushed.map(|metric| metric.name.clone()).collect();
    pushed.dedup();
    let names = by_message.chain(pushed);
    let names = names.chain(TIMERS.iter().map(|timer| timer.name().to_owned()));
    names.filter_map(|name| {
        let times = view.histogram(&name)?;
        Some((name, times))
    })
}

/// The names of the messages that were answered, each once, in the order of the summary.
pub(super) fn messages<'a>(view: &View<'a>) -> Vec<&'a str> {
    let mut found = Vec::new();
    for metric in view.distributions() {
        if let Some(message) = metric.name.strip_prefix("latency.")
            && !found.contains(&message)
        {
            found.push(message);
        }
    }
    found
}

fn cells<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}
