//! A run as it is now, as a block of lines that is drawn in place.

use std::collections::VecDeque;

use super::lines::clock;
use super::style::Style;
use crate::measure::{Progress, Times};
use crate::report::sparkline::sparkline;
use crate::units::{human_count, human_ns};
use crate::verdict::LATE_NS;

/// The least width of a terminal for a block, in columns. All of its lines are narrower.
pub(super) const MIN_WIDTH: usize = 80;
/// How many seconds are shown of the past: those of the last minute.
const SECONDS: usize = 60;
/// How many seconds one letter of the past stands for.
const SECONDS_PER_CELL: usize = 5;
/// Where the text behind the name of a line begins, and that at its right, in columns.
const COLUMNS: (usize, usize) = (13, 53);

/// What a block remembers of the seconds before.
#[derive(Default)]
pub(super) struct Block {
    /// The 99th percentiles of the last seconds, in nanoseconds; the newest at the end.
    past: VecDeque<Option<u64>>,
    /// Whether there was any message so far.
    has_messages: bool,
    /// Whether there was any ping so far.
    has_pings: bool,
}

impl Block {
    /// Takes in one more second, and formats all lines of the block but the first. A line without a number yet is left
    /// out.
    pub(super) fn lines(&mut self, now: &Progress) -> Vec<String> {
        self.has_messages |= now.sent + now.received > 0;
        self.has_pings |= now.pings_sent > 0;
        if self.past.len() == SECONDS {
            self.past.pop_front();
        }
        self.past.push_back(now.latency.p99_ns);
        let mut lines = vec![connections(now)];
        if self.has_messages {
            lines.extend([messages(now), self.latency(now)]);
        }
        if self.has_pings {
            lines.push(heartbeat(now));
        }
        lines.push(generator(now));
        lines
    }

    fn latency(&self, now: &Progress) -> String {
        let past: Vec<_> = self.past.iter().copied().collect();
        let cells: Vec<_> = (past.rchunks(SECONDS_PER_CELL).rev())
            .map(|seconds| seconds.iter().copied().flatten().max())
            .collect();
        let past = match sparkline(&cells) {
            none if none.is_empty() => Vec::new(),
            past => vec![Part::plain(format!("{past}  p99, 1 min"))],
        };
        line("latency", &all_of(now.latency), &past)
    }
}

/// A piece of a line.
struct Part {
    text: String,
    is_bad: bool,
}

impl Part {
    fn plain(text: String) -> Self {
        Self {
            text,
            is_bad: false,
        }
    }

    /// A count that should be zero.
    fn trouble(count: u64, what: &str) -> Self {
        Self {
            text: format!("{} {what}", human_count(count)),
            is_bad: count > 0,
        }
    }
}

fn connections(now: &Progress) -> String {
    let open = human_count(now.open.open);
    let open = match now.connections {
        Some(all) if now.open.open < all => format!("{open} of {} open", human_count(all)),
        _ => format!("{open} open"),
    };
    let troubles = [
        Part::trouble(now.so_far.failed, "failed"),
        Part::trouble(now.so_far.lost, "lost"),
        Part::trouble(now.open.dead, "dead"),
    ];
    line("connections", &open, &troubles)
}

fn messages(now: &Progress) -> String {
    let (sent, received) = (human_count(now.sent), human_count(now.received));
    let troubles = [
        Part::trouble(now.so_far.timed_out, "timed out"),
        Part::trouble(now.so_far.not_sent, "not sent"),
    ];
    let flow = format!("{sent}/s sent · {received}/s received");
    line("messages", &flow, &troubles)
}

fn heartbeat(now: &Progress) -> String {
    let (pings, pongs) = (human_count(now.pings_sent), human_count(now.pongs_received));
    let mut parts = vec![Part::trouble(now.so_far.missed, "missed")];
    let rtt = now.rtt.p99_ns;
    parts.extend(rtt.map(|ns| Part::plain(format!("rtt p99 {}", human_ns(ns)))));
    line(
        "heartbeat",
        &format!("{pings}/s pings · {pongs}/s pongs"),
        &parts,
    )
}

/// Marks lateness that is more than that of waking a thread, and the larger part of the latency that is shown.
fn generator(now: &Progress) -> String {
    let cpu = now.cpu.map(|percent| format!("CPU {percent:.0} %"));
    let late = now.lateness.p99_ns;
    let lateness = late.map(|ns| format!("p99 {} late", human_ns(ns)));
    let is_much = late
        .zip(now.latency.p99_ns)
        .is_some_and(|(late, all)| late > LATE_NS.max(all / 2));
    let much = is_much.then(|| Part {
        text: "! most of the p99 is ours".to_owned(),
        is_bad: true,
    });
    let parts: Vec<String> = cpu.into_iter().chain(lateness).collect();
    line("generator", &parts.join(" · "), much.as_slice())
}

fn all_of(times: Times) -> String {
    let named = [
        ("p50", times.p50_ns),
        ("p99", times.p99_ns),
        ("max", times.max_ns),
    ];
    let shown = named
        .iter()
        .filter_map(|(name, ns)| Some(format!("{name} {}", human_ns((*ns)?))));
    shown.collect::<Vec<_>>().join(" · ")
}

/// The first line, behind the bar: what is left of the phase, and how long the run has taken.
pub(super) fn times(now: &Progress) -> String {
    let left = now.left.map(|left| format!("{} left", clock(left)));
    let left = left.unwrap_or_default();
    format!("{left:<14}{} in all", clock(now.elapsed))
}

/// Joins a line, and cuts it before the width of the terminal.
fn line(name: &str, left: &str, right: &[Part]) -> String {
    let (first, second) = COLUMNS;
    let mut room = MIN_WIDTH - 1;
    let mut line = String::new();
    let mut put = |text: &str, paint: fn(Style, &str) -> String| {
        let cut: String = text.chars().take(room).collect();
        room -= cut.chars().count();
        line.push_str(&paint(Style::COLOUR, &cut));
    };
    let plain = |_, text: &str| text.to_owned();
    put(&format!("{name:<first$}"), Style::dim);
    // At least one space before what follows.
    let width = second - first - 1;
    put(&format!("{left:<width$} "), plain);
    for (index, part) in right.iter().enumerate() {
        if index > 0 {
            put(" · ", plain);
        }
        put(&part.text, if part.is_bad { Style::bad } else { plain });
    }
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::lines::tests::snapshot;
    use super::*;
    use crate::measure::{Open, Phase, Troubles};

    /// The lines as they are seen.
    fn shown(lines: &[String]) -> Vec<String> {
        let plain = |line: &String| {
            let mut parts = line.split('\x1b');
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |all, part| {
                all + part.split_once('m').expect("a colour ends").1
            })
        };
        lines.iter().map(plain).collect()
    }

    #[test]
    fn a_block_says_it_all() {
        let mut block = Block::default();
        let mut now = snapshot(Phase::Measure, 12);
        for p99 in [100_000, 200_000, 400_000, 100_000, 100_000, 1_250_000] {
            now.latency.p99_ns = Some(p99);
            block.lines(&now);
        }
        assert_eq!(
            shown(&block.lines(&now)),
            [
                "connections  1,000 open                              0 failed · 0 lost · 0 dead",
                "messages     9,998/s sent · 9,997/s received         0 timed out · 0 not sent",
                "latency      p50 74.0 µs · p99 1.25 ms · max 4.10 ms ▁█  p99, 1 min",
                "heartbeat    100/s pings · 100/s pongs               0 missed · rtt p99 60.0 µs",
                "generator    CPU 36 % · p99 112 µs late",
            ]
        );
        assert_eq!(times(&now), "0:18 left     0:12 in all");
    }

    #[test]
    fn what_was_never_there_has_no_line() {
        let mut block = Block::default();
        let idle = Progress {
            sent: 0,
            received: 0,
            pings_sent: 0,
            latency: Times::default(),
            lateness: Times::default(),
            cpu: None,
            ..snapshot(Phase::Measure, 12)
        };
        assert_eq!(shown(&block.lines(&idle)).len(), 2);
        assert_eq!(shown(&block.lines(&snapshot(Phase::Measure, 13))).len(), 5);
        // What was there stays, so that the block does not jump.
        assert_eq!(shown(&block.lines(&idle)).len(), 5);
    }

    #[test]
    fn troubles_stay_and_are_marked() {
        let mut block = Block::default();
        let so_far = Troubles {
            failed: 2,
            ..Troubles::default()
        };
        let mut now = Progress {
            so_far,
            ..snapshot(Phase::Measure, 12)
        };
        now.lateness.p99_ns = Some(1_100_000);
        let lines = block.lines(&now);
        assert!(
            lines[0].contains("\x1b[1;31m2 failed\x1b[0m · 0 lost"),
            "{lines:?}"
        );
        let last = shown(&lines).pop().unwrap();
        assert!(last.ends_with("! most of the p99 is ours"), "{last}");
    }

    #[test]
    fn no_line_is_as_wide_as_the_terminal() {
        let most = u64::MAX;
        let times = Times {
            p50_ns: Some(most),
            p99_ns: Some(most),
            max_ns: Some(most),
        };
        let all = Progress {
            open: Open {
                open: most,
                dead: most,
                ..Open::default()
            },
            so_far: Troubles {
                failed: most,
                lost: most,
                timed_out: most,
                not_sent: most,
                missed: most,
            },
            sent: most / 2,
            received: most / 2,
            pings_sent: most,
            pongs_received: most,
            latency: times,
            rtt: times,
            lateness: times,
            cpu: Some(f64::MAX),
            ..snapshot(Phase::Measure, 12)
        };
        for line in shown(&Block::default().lines(&all)) {
            assert!(line.chars().count() < MIN_WIDTH, "{line}");
        }
    }
}
