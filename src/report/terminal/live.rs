//! Shows the progress of a run: a line for each phase in a terminal, a plain line every few seconds
//! elsewhere. Depends only on snapshots.

use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::measure::Progress;
use crate::report::words::phase_name;
use crate::units::{human_count, human_ns};

/// The seconds between two plain lines.
const EVERY: u64 = 5;

/// The live view of a run.
pub struct Live {
    view: View,
    /// The newest snapshot.
    last: Option<Progress>,
}

enum View {
    Bars {
        bar: Option<ProgressBar>,
        target: Box<dyn Fn() -> ProgressDrawTarget + Send>,
    },
    Lines {
        out: Box<dyn Write + Send>,
        /// The second of the last line that was shown.
        shown: Option<u64>,
    },
    Quiet,
}

impl Live {
    /// Shows a moving line for each phase; finished phases stay above it. For a terminal on standard error.
    pub fn bars() -> Self {
        let view = View::Bars {
            bar: None,
            target: Box::new(ProgressDrawTarget::stderr),
        };
        Self { view, last: None }
    }

    /// Shows nothing.
    pub fn quiet() -> Self {
        Self {
            view: View::Quiet,
            last: None,
        }
    }

    /// Writes a plain line to `out` every five seconds and at each change of phase, for logs. Drops a line that cannot
    /// be written: that must not end a run.
    pub fn lines(out: Box<dyn Write + Send>) -> Self {
        Self {
            view: View::Lines { out, shown: None },
            last: None,
        }
    }

    /// Shows a snapshot; meant to be called once a second.
    pub fn update(&mut self, now: &Progress) {
        let changed = (self.last.as_ref()).is_some_and(|last| last.phase != now.phase);
        match &mut self.view {
            View::Quiet => {}
            View::Lines { out, shown } => {
                let second = now.elapsed.as_secs();
                let is_due = shown.is_none_or(|shown| second >= shown + EVERY);
                if changed || is_due {
                    let _ = writeln!(out, "{}", line(now)).and_then(|()| out.flush());
                    *shown = Some(second);
                }
            }
            View::Bars { bar, target } => {
                if changed {
                    finish(bar, self.last.as_ref());
                }
                show(bar.get_or_insert_with(|| new_bar(target())), now);
            }
        }
        self.last = Some(now.clone());
    }

    /// Ends the view after the run: marks the last phase as done, and releases the terminal.
    pub fn finish(mut self) {
        if let View::Bars { bar, .. } = &mut self.view {
            finish(bar, self.last.as_ref());
        }
    }
}

fn new_bar(target: ProgressDrawTarget) -> ProgressBar {
    ProgressBar::with_draw_target(None, target)
}

fn show(bar: &ProgressBar, now: &Progress) {
    bar.set_style(style(now.planned.is_some()));
    bar.set_prefix(phase_name(now.phase));
    if let (Some(planned), Some(left)) = (now.planned, now.left) {
        bar.set_length(millis(planned));
        bar.set_position(millis(planned.saturating_sub(left)));
    }
    let left = now.left.map(|left| format!("{} ", clock(left)));
    bar.set_message(format!("{}{}", left.unwrap_or_default(), state(now, true)));
    bar.tick();
}

fn finish(bar: &mut Option<ProgressBar>, last: Option<&Progress>) {
    if let Some(bar) = bar.take() {
        bar.set_style(finished_style());
        let message = last.map(|last| state(last, true));
        bar.finish_with_message(message.unwrap_or_default());
    }
}

fn style(has_end: bool) -> ProgressStyle {
    let template = if has_end {
        "{spinner} {prefix:8} {bar:6} {wide_msg}"
    } else {
        "{spinner} {prefix:8} {wide_msg}"
    };
    ProgressStyle::with_template(template)
        .expect("the template is a constant that indicatif takes")
        .progress_chars("━╸─")
}

fn finished_style() -> ProgressStyle {
    ProgressStyle::with_template("✓ {prefix:8} {wide_msg}")
        .expect("the template is a constant that indicatif takes")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Formats one snapshot as a plain line: `0:12 measure  1,000 open, 0 dead, …`.
fn line(now: &Progress) -> String {
    let left = now.left.map(|left| format!(", {} left", clock(left)));
    format!(
        "{:>5} {:8} {}{}",
        clock(now.elapsed),
        phase_name(now.phase),
        state(now, false),
        left.unwrap_or_default()
    )
}

/// Formats open connections, the traffic of the last second, and its latency. If `brief`, shows only the
/// greater of both rates: what is received usually answers what was sent.
fn state(now: &Progress, brief: bool) -> String {
    let open = human_count(now.open.open);
    let mut parts = vec![match now.connections {
        Some(all) if now.open.open < all => format!("{open} of {} open", human_count(all)),
        _ => format!("{open} open"),
    }];
    parts.push(format!("{} dead", human_count(now.open.dead)));
    let mut if_any = |count: u64, word: &str| {
        if count > 0 {
            parts.push(format!("{}{word}", human_count(count)));
        }
    };
    if_any(now.failed, " failed");
    if_any(now.timed_out, " timed out/s");
    if_any(now.missed, " missed/s");
    let is_idle = now.sent + now.received == 0;
    if is_idle {
        if_any(now.pings_sent, " pings/s");
    } else if brief {
        if_any(now.sent.max(now.received), "/s");
    } else {
        if_any(now.sent, " sent/s");
        if_any(now.received, " received/s");
    }
    let (p50, p99) = if is_idle {
        (now.rtt_p50_ns, now.rtt_p99_ns)
    } else {
        (now.latency_p50_ns, now.latency_p99_ns)
    };
    for (name, ns) in [("p50", p50), ("p99", p99)] {
        parts.extend(ns.map(|ns| format!("{name} {}", human_ns(ns))));
    }
    parts.join(", ")
}

/// Formats `0:07`, `12:30`, `1:00:00`; rounds up, so that less than a second is not shown as zero.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Open;
    use crate::measure::Phase;
    use indicatif::TermLike;
    use std::io;
    use std::sync::{Arc, Mutex};

    fn snapshot(phase: Phase, second: u64) -> Progress {
        Progress {
            phase,
            elapsed: Duration::from_secs(second),
            left: Some(Duration::from_millis(17_400)),
            planned: Some(Duration::from_secs(30)),
            open: Open {
                open: 1_000,
                ..Open::default()
            },
            connections: Some(1_000),
            failed: 0,
            sent: 9_998,
            received: 9_997,
            timed_out: 0,
            pings_sent: 100,
            pongs_received: 100,
            missed: 0,
            latency_p50_ns: Some(74_000),
            latency_p99_ns: Some(1_250_000),
            rtt_p50_ns: Some(50_000),
            rtt_p99_ns: Some(60_000),
        }
    }

    #[test]
    fn a_line_says_it_all() {
        assert_eq!(
            line(&snapshot(Phase::Measure, 12)),
            " 0:12 measure  1,000 open, 0 dead, 9,998 sent/s, 9,997 received/s, p50 74.0 µs, p99 1.25 ms, 0:18 left"
        );
    }

    #[test]
    fn idle_connections_show_their_heartbeat() {
        let idle = Progress {
            sent: 0,
            received: 0,
            missed: 3,
            failed: 2,
            open: Open {
                open: 990,
                dead: 8,
                ..Open::default()
            },
            left: None,
            latency_p50_ns: None,
            latency_p99_ns: None,
            ..snapshot(Phase::Stage(2), 3_661)
        };
        assert_eq!(
            line(&idle),
            "1:01:01 stage 2  990 of 1,000 open, 8 dead, 2 failed, 3 missed/s, 100 pings/s, p50 50.0 µs, p99 60.0 µs"
        );
    }

    #[test]
    fn of_connections_that_come_and_go_none_are_missing() {
        let arrivals = Progress {
            connections: None,
            ..snapshot(Phase::Measure, 12)
        };
        assert!(line(&arrivals).starts_with(" 0:12 measure  1,000 open, 0 dead, "));
        let few = Progress {
            connections: Some(2_000),
            ..arrivals
        };
        assert!(line(&few).starts_with(" 0:12 measure  1,000 of 2,000 open, "));
    }

    /// A writer and a terminal whose content tests can read.
    #[derive(Debug, Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Sink {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }

        /// Wraps as terminals do: a full line ends only when the next letter comes.
        fn put(&self, text: &str) -> io::Result<()> {
            for letter in text.chars() {
                let full = self
                    .text()
                    .lines()
                    .last()
                    .map_or(0, |line| line.chars().count());
                if full == usize::from(self.width()) && !self.text().ends_with('\n') {
                    self.clone().write_all(b"\n")?;
                }
                self.clone()
                    .write_all(letter.encode_utf8(&mut [0; 4]).as_bytes())?;
            }
            Ok(())
        }
    }

    /// Clears a line back to its beginning; the cursor is always on the last line.
    impl TermLike for Sink {
        fn width(&self) -> u16 {
            80
        }

        fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
            assert_eq!(lines, 0, "one line is drawn at a time");
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, text: &str) -> io::Result<()> {
            self.put(text)?;
            self.put("\n")
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.put(text)
        }

        fn clear_line(&self) -> io::Result<()> {
            let mut bytes = self.0.lock().unwrap();
            let begin = bytes.iter().rposition(|byte| *byte == b'\n');
            bytes.truncate(begin.map_or(0, |end| end + 1));
            Ok(())
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_come_every_five_seconds_and_with_each_phase() {
        let sink = Sink::default();
        let mut live = Live::lines(Box::new(sink.clone()));
        for second in 1..=7 {
            live.update(&snapshot(Phase::RampUp, second));
        }
        for second in 8..=13 {
            live.update(&snapshot(Phase::Measure, second));
        }
        live.finish();
        let text = sink.text();
        let starts: Vec<&str> = text.lines().map(|line| &line[..13]).collect();
        assert_eq!(
            starts,
            [
                " 0:01 ramp-up",
                " 0:06 ramp-up",
                " 0:08 measure",
                " 0:13 measure"
            ]
        );
    }

    #[test]
    fn phases_that_are_over_stay_with_a_tick() {
        let sink = Sink::default();
        let terminal = sink.clone();
        let target = move || ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let mut live = Live {
            view: View::Bars {
                bar: None,
                target: Box::new(target),
            },
            last: None,
        };
        live.update(&snapshot(Phase::RampUp, 1));
        live.update(&snapshot(Phase::Measure, 2));
        let text = sink.text();
        let (over, now) = text.split_once('\n').unwrap();
        assert!(over.starts_with("✓ ramp-up  1,000 open"), "{text}");
        assert!(now.contains("measure  ━━╸"), "{text}");
        assert!(
            now.contains("0:18 1,000 open, 0 dead, 9,998/s, p50 74.0 µs, p99 1.25 ms"),
            "{text}"
        );
        live.finish();
        assert!(
            sink.text().contains("\n✓ measure  1,000 open"),
            "{}",
            sink.text()
        );
    }
}
