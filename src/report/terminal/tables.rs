//! The tables of the terminal summary: one with all times, then one by stage and one by cohort.
//! A cell without data is empty, and so is a percentile with too few samples.

use super::style::columns;
use crate::measure::Histogram;
use crate::metric::{self, Timer};
use crate::report::run::PartRecord;
use crate::scenario::{Selector, Stat, Subject};
use crate::units::{ByteSize, human_count, human_ns, visible};
use crate::verdict::{View, observe, samples_for};

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

/// The table of all times, under the names that gates use. Empty if there are none.
pub(super) fn times(view: &View<'_>) -> Vec<String> {
    let mut rows = vec![cells(["", "samples", "p50", "p90", "p99", "p99.9", "max"])];
    for (name, times) in distributions(view) {
        let mut row = vec![name, human_count(times.count())];
        row.extend([50.0, 90.0, 99.0, HIGHEST].map(|percent| percentile(&times, percent)));
        row.push(times.max().map(human_ns).unwrap_or_default());
        rows.push(row);
    }
    if rows.len() == 1 {
        return Vec::new();
    }
    columns(&rows)
}

/// Whether [`times`] leaves a cell empty because of too few samples.
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

/// The processes of a run in parts, in the order of their numbers.
pub(super) fn processes(parts: &[PartRecord]) -> Vec<String> {
    let head = [
        "part", "workers", "opened", "CPU", "memory", "held up", "settled",
    ];
    let mut rows = vec![cells(head)];
    for part in parts {
        let percent = |cpu: f64| format!("{cpu:.0} %");
        let seconds = |settled: f64| human_ns((settled.max(0.0) * 1e9) as u64);
        let ended = match part.outcome.as_str() {
            "completed" => String::new(),
            other => visible(other),
        };
        rows.push(vec![
            part.part.to_string(),
            part.workers.to_string(),
            human_count(part.opened),
            part.cpu_percent.map(percent).unwrap_or_default(),
            part.rss_bytes.map(size).unwrap_or_default(),
            part.longest_lag_ns.map(human_ns).unwrap_or_default(),
            part.settled_seconds.map(seconds).unwrap_or_default(),
            ended,
        ]);
    }
    columns(&rows)
}

/// Formats bytes for people, with one decimal.
pub(super) fn size(bytes: f64) -> String {
    match bytes {
        1_048_576.0.. => format!("{:.1} MiB", bytes / 1_048_576.0),
        1_024.0.. => format!("{:.1} KiB", bytes / 1_024.0),
        _ => ByteSize(bytes.max(0.0).round() as u64).to_string(),
    }
}

/// One part of a run: a stage or a cohort.
pub(super) struct TableRow<'a> {
    pub(super) label: String,
    pub(super) cohort: Option<&'a str>,
    pub(super) stage: Option<u32>,
}

impl TableRow<'_> {
    fn of(&self, stat: Stat, metric: &str, view: &View<'_>) -> String {
        let selector = Selector {
            metric: metric.to_owned(),
            cohort: self.cohort.map(str::to_owned),
            stage: self.stage,
        };
        observe(&Subject::Stat(stat, selector), view)
            .map_or_else(|_| String::new(), |seen| seen.to_string())
    }
}

/// Which columns to show for each part.
#[derive(Clone, Copy)]
pub(super) struct Shown {
    pub(super) messages: bool,
    pub(super) heartbeat: bool,
}

/// A table with one row for each part of a run, under its own heading.
pub(super) fn parts(
    heading: &str,
    parts: &[TableRow<'_>],
    shown: Shown,
    view: &View<'_>,
) -> Vec<String> {
    let mut head = cells([heading, "peak open"]);
    if shown.messages {
        head.extend(cells(["sent", "echoed", "timed out", "p50", "p99"]));
    }
    if shown.heartbeat {
        head.extend(cells(["missed", "rtt p99"]));
    }
    let row = |part: &TableRow<'_>| {
        let of = |stat, metric| part.of(stat, metric, view);
        let mut row = vec![part.label.clone(), of(Stat::Peak, "connections.open")];
        if shown.messages {
            row.push(of(Stat::Rate, "messages.sent"));
            row.push(of(Stat::Rate, "messages.echoed"));
            row.push(of(Stat::Count, "messages.timed_out"));
            let latency = view.merged("latency.", part.cohort, part.stage);
            row.extend([50.0, 99.0].map(|percent| cell(latency.as_ref(), percent)));
        }
        if shown.heartbeat {
            row.push(of(Stat::Count, "heartbeat.missed"));
            let rtt = view.merged("heartbeat.rtt", part.cohort, part.stage);
            row.push(cell(rtt.as_ref(), 99.0));
        }
        row
    };
    let rows: Vec<Vec<String>> = std::iter::once(head).chain(parts.iter().map(row)).collect();
    columns(&rows)
}

/// Formats a percentile; empty if there are too few samples to be meaningful.
fn percentile(times: &Histogram, percent: f64) -> String {
    let is_covered = times.count() >= samples_for(percent);
    let ns = times.percentile(percent).filter(|_| is_covered);
    ns.map(human_ns).unwrap_or_default()
}

fn cell(times: Option<&Histogram>, percent: f64) -> String {
    times.map_or_else(String::new, |times| percentile(times, percent))
}

fn cells<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}
