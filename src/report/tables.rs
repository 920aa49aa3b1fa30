//! Tables that the summary and the page have in common. A cell without data is empty, and so is a percentile with too few
//! samples.

use super::run::Run;
use super::times::covered;
use crate::measure::Histogram;
use crate::metric::Counter;
use crate::scenario::{Activity, End, Selector, Stat, Subject};
use crate::units::{ByteSize, cut, format_duration, human_count, human_ns, visible};
use crate::verdict::{ActivityResult, CohortEnds, View, observe};

/// Longer names of cohorts are cut in tables that would not fit otherwise.
const NAME_WIDTH: usize = 20;

/// A table of texts.
pub(super) struct Table {
    /// The head, then the rows.
    pub(super) rows: Vec<Vec<String>>,
    /// How many columns at the left are words; the others are numbers.
    pub(super) words: usize,
}

impl Table {
    pub(super) fn new(
        words: usize,
        head: Vec<String>,
        rows: impl Iterator<Item = Vec<String>>,
    ) -> Self {
        let rows = std::iter::once(head).chain(rows).collect();
        Self { rows, words }
    }
}

/// How connections with a contract ended: by which side, how that looked, and when TCP ended. Shows at most `most` close
/// codes of each cohort.
pub(super) fn ends(all: &[CohortEnds], most: usize) -> Table {
    let head = [
        "ended by the server",
        "n",
        "Close frame",
        "FIN",
        "RST",
        "others",
        "TCP end p50",
        "max",
        "codes",
    ];
    let row = |cohort: &CohortEnds| {
        let ended = |end| human_count(cohort.ended(end));
        let tcp_end = cohort.tcp_end;
        let tcp_end =
            tcp_end.map(|times| [times.p50_ns, times.max_ns].map(|time| human_ns(time.0)));
        let mut row = vec![
            cut(&visible(&cohort.cohort), NAME_WIDTH),
            human_count(cohort.connections),
            ended(End::CloseFrame),
            ended(End::Fin),
            ended(End::Rst),
            human_count(cohort.stayed() + cohort.by_client),
        ];
        row.extend(tcp_end.unwrap_or_default());
        row.push(codes(cohort, most));
        row
    };
    Table::new(1, cells(head), all.iter().map(row))
}

/// The close codes with their counts, the most frequent first, at most so many.
pub(super) fn codes(cohort: &CohortEnds, most: usize) -> String {
    let mut codes: Vec<(u16, u64)> = cohort.codes.iter().map(|(code, n)| (*code, *n)).collect();
    codes.sort_by_key(|(code, n)| (std::cmp::Reverse(*n), *code));
    let more = codes.len().saturating_sub(most);
    let shown = codes.into_iter().take(most);
    let mut shown: Vec<String> = shown
        .map(|(code, n)| format!("{code} ×{}", human_count(n)))
        .collect();
    shown.extend((more > 0).then(|| "…".to_owned()));
    shown.join(", ")
}

fn frame(frame: Activity) -> &'static str {
    match frame {
        Activity::Nothing => "nothing at all",
        Activity::Pong => "pongs",
        Activity::UnsolicitedPong => "unsolicited pongs",
        Activity::Ping => "pings",
        Activity::Text => "text",
        Activity::EmptyText => "empty text",
        Activity::Byte => "bytes of one frame",
    }
}

/// Which frame keeps a connection alive when nothing else is sent.
pub(super) fn activity(matrix: &[ActivityResult]) -> Table {
    let head = [
        "sends only",
        "cohort",
        "connections",
        "survived",
        "closed after",
        "to",
    ];
    let row = |result: &ActivityResult| {
        let closed = result
            .closed
            .map(|times| [times.min_ns, times.max_ns].map(|time| human_ns(time.0)));
        let mut row = vec![
            match result.every_ns {
                None => frame(result.frame).to_owned(),
                Some(gap) => format!("{}, every {}", frame(result.frame), human_ns(gap.0)),
            },
            cut(&visible(&result.cohort), NAME_WIDTH),
            human_count(result.connections),
            human_count(result.survived),
        ];
        row.extend(closed.unwrap_or_default());
        row
    };
    Table::new(2, cells(head), matrix.iter().map(row))
}

/// The stages of the load; `None` if it has none.
pub(super) fn stages(run: &Run, view: &View<'_>) -> Option<Table> {
    let stages = &run.scenario.stages;
    let parts = stages.iter().zip(1..).map(|(stage, number)| Part {
        label: format!("{number}: {}", format_duration(stage.duration())),
        cohort: None,
        stage: Some(number),
    });
    (!stages.is_empty()).then(|| table("stage", parts, run, view))
}

/// The cohorts; `None` if there is only one, or if the table would only repeat what the contracts run.
pub(super) fn cohorts(run: &Run, view: &View<'_>) -> Option<Table> {
    let cohorts = &run.summary.cohorts;
    let shown = Shown::of(run);
    let has_promises = !run.verdict.contracts.is_empty();
    let is_worth_it = shown.messages || shown.heartbeat || !has_promises;
    let parts = cohorts.iter().map(|name| Part {
        label: visible(name),
        cohort: Some(name),
        stage: None,
    });
    (cohorts.len() > 1 && is_worth_it).then(|| table("cohort", parts, run, view))
}

/// How old news was when each cohort heard it, and what was said for that; `None` if not two cohorts hear any.
pub(super) fn news(run: &Run, view: &View<'_>) -> Option<Table> {
    let head = [
        "news to",
        "age p50",
        "age p99",
        "heard",
        "asked",
        "bytes sent",
        "received",
    ];
    let row = |name: &String| {
        let ages = view.merged("age.", Some(name), None)?;
        let part = Part {
            label: visible(name),
            cohort: Some(name),
            stage: None,
        };
        let rate = |counter: Counter| part.of(Stat::Rate, counter.name(), view);
        Some(vec![
            cut(&part.label, NAME_WIDTH),
            percentile(Some(&ages), 50.0),
            percentile(Some(&ages), 99.0),
            rate(Counter::MessagesReceived),
            rate(Counter::MessagesSent),
            rate(Counter::BytesSent),
            rate(Counter::BytesReceived),
        ])
    };
    let rows: Vec<_> = run.summary.cohorts.iter().filter_map(row).collect();
    (rows.len() > 1).then(|| Table::new(1, cells(head), rows.into_iter()))
}

/// So many of these, those first that are wanted most; and how many more there are. Those shown keep their order.
pub(super) fn most<T>(all: Vec<T>, most: usize, is_wanted: impl Fn(&T) -> bool) -> (Vec<T>, usize) {
    let more = all.len().saturating_sub(most);
    if more == 0 {
        return (all, 0);
    }
    let wanted = all.iter().filter(|one| is_wanted(one)).count();
    let mut others = most.saturating_sub(wanted);
    let mut room = most;
    let shown = all.into_iter().filter(|one| {
        let left = if is_wanted(one) {
            &mut room
        } else {
            &mut others
        };
        let fits = *left > 0;
        *left -= usize::from(fits);
        fits
    });
    (shown.collect(), more)
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
struct Part<'a> {
    label: String,
    cohort: Option<&'a str>,
    stage: Option<u32>,
}

impl Part<'_> {
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

/// Which columns are shown of each part.
#[derive(Clone, Copy)]
struct Shown {
    messages: bool,
    heartbeat: bool,
}

impl Shown {
    fn of(run: &Run) -> Self {
        let any = |counter: Counter| run.summary.count(counter.name()) > 0;
        Self {
            messages: any(Counter::MessagesDue),
            heartbeat: any(Counter::PingsSent),
        }
    }
}

/// One row for each part of a run.
fn table<'a>(
    heading: &str,
    parts: impl Iterator<Item = Part<'a>>,
    run: &Run,
    view: &View<'_>,
) -> Table {
    let shown = Shown::of(run);
    let mut head = cells([heading, "peak open"]);
    if shown.messages {
        head.extend(cells(["sent", "echoed", "timed out", "p50", "p99"]));
    }
    if shown.heartbeat {
        head.extend(cells(["missed", "rtt p99"]));
    }
    let row = |part: Part<'_>| {
        let of = |stat, metric| part.of(stat, metric, view);
        let mut row = vec![part.label.clone(), of(Stat::Peak, "connections.open")];
        if shown.messages {
            row.push(of(Stat::Rate, "messages.sent"));
            row.push(of(Stat::Rate, "messages.echoed"));
            row.push(of(Stat::Count, "messages.timed_out"));
            let latency = view.merged("latency.", part.cohort, part.stage);
            row.extend([50.0, 99.0].map(|percent| percentile(latency.as_ref(), percent)));
        }
        if shown.heartbeat {
            row.push(of(Stat::Count, "heartbeat.missed"));
            let rtt = view.merged("heartbeat.rtt", part.cohort, part.stage);
            row.push(percentile(rtt.as_ref(), 99.0));
        }
        row
    };
    Table::new(1, head, parts.map(row))
}

fn percentile(times: Option<&Histogram>, percent: f64) -> String {
    let ns = times.and_then(|times| covered(times, percent));
    ns.map(human_ns).unwrap_or_default()
}

fn cells<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Nanos;

    #[test]
    fn a_gap_that_was_computed_is_shown_with_three_digits() {
        let result = ActivityResult {
            cohort: "only".to_owned(),
            frame: Activity::Text,
            every_ns: Some(Nanos(457_142_857)),
            connections: 2,
            survived: 2,
            closed: None,
        };
        assert_eq!(activity(&[result]).rows[1][0], "text, every 457 ms");
    }

    #[test]
    fn the_wanted_are_shown_first_and_in_order() {
        let odd = |number: &u32| number % 2 == 1;
        assert_eq!(most(vec![1, 2, 3], 3, odd), (vec![1, 2, 3], 0));
        assert_eq!(most((0..10).collect(), 6, odd), (vec![0, 1, 3, 5, 7, 9], 4));
        assert_eq!(most((0..10).collect(), 2, odd), (vec![1, 3], 8));
        assert_eq!(most((0..4).collect(), 0, odd), (vec![], 4));
    }
}
