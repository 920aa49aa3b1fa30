//! Shows the progress of a run: in a terminal a block that is drawn in place, or a line where it has no room for one,
//! and above it what is over; a plain line every few seconds elsewhere. Depends only on snapshots.

use std::io::Write;
use std::time::{Duration, SystemTime};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::block::{self, Block, MIN_WIDTH};
use super::lines::{clock, line, state};
use super::watch::Watched;
use crate::measure::{Events, Progress};
use crate::report::words::phase_name;

/// The seconds between two plain lines.
const EVERY: u64 = 5;
/// The least height of a terminal for a block, in lines.
const MIN_HEIGHT: usize = 12;

/// The live view of a run.
pub struct Live {
    view: View,
    /// The newest snapshot.
    last: Option<Progress>,
}

enum View {
    Bars {
        bar: Option<ProgressBar>,
        /// What is shown below the bar; `None`: nothing, all is in its line.
        block: Option<Block>,
        target: Box<dyn Fn() -> ProgressDrawTarget + Send>,
    },
    Lines {
        out: Box<dyn Write + Send>,
        /// The second of the last line that was shown.
        shown: Option<u64>,
    },
    Watched {
        watched: Box<Watched>,
        /// What the table is drawn with, and the size of the terminal; `None`: there is no table.
        table: Option<Table>,
        /// Where lines go; `None`: above the table.
        out: Option<Box<dyn Write + Send>>,
    },
    Quiet,
}

/// A table that is drawn in place.
struct Table {
    bar: ProgressBar,
    size: fn() -> (usize, usize),
}

impl Live {
    /// Shows a line to `out` when something happens to a client and, where `size` tells the columns and lines of the
    /// terminal on standard error, a table below; without `out` the lines stand above it.
    pub fn watching(
        watched: Watched,
        size: Option<fn() -> (usize, usize)>,
        out: Option<Box<dyn Write + Send>>,
    ) -> Self {
        let view = View::Watched {
            watched: Box::new(watched),
            table: size.map(|size| Table {
                bar: new_bar(ProgressDrawTarget::stderr()).with_style(table_style()),
                size,
            }),
            out,
        };
        Self { view, last: None }
    }

    /// Takes what happened to clients; `now` is the end of that second by the clock of the run and by the wall clock.
    pub fn events(&mut self, events: &Events, now: (Duration, SystemTime)) {
        if let View::Watched { watched, .. } = &mut self.view {
            let lines = watched.take(events, now);
            lines.iter().for_each(|line| self.line(line));
        }
    }

    /// Shows a block that moves, or a line where the terminal on standard error has fewer columns or lines than it
    /// needs; finished phases stay above it.
    pub fn bars((columns, lines): (usize, usize)) -> Self {
        let has_room = columns >= MIN_WIDTH && lines >= MIN_HEIGHT;
        let view = View::Bars {
            bar: None,
            block: has_room.then(Block::default),
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
            View::Watched { watched, table, .. } => {
                let lines = watched.second(now);
                if let Some(Table { bar, size }) = table {
                    bar.set_message(watched.table(size()).join("\n"));
                    bar.tick();
                }
                lines.iter().for_each(|line| self.line(line));
            }
            View::Lines { out, shown } => {
                let second = now.elapsed.as_secs();
                let is_due = shown.is_none_or(|shown| second >= shown + EVERY);
                if changed || is_due {
                    let _ = writeln!(out, "{}", line(now)).and_then(|()| out.flush());
                    *shown = Some(second);
                }
            }
            View::Bars { bar, block, target } => {
                if changed {
                    finish(bar, self.last.as_ref());
                }
                let bar = bar.get_or_insert_with(|| new_bar(target()));
                show(bar, now, block.as_mut());
            }
        }
        self.last = Some(now.clone());
    }

    /// Shows a line that stays, above what is drawn in place.
    pub fn line(&mut self, line: &str) {
        match &mut self.view {
            View::Quiet => {}
            View::Lines { out, .. } => {
                let _ = writeln!(out, "{line}").and_then(|()| out.flush());
            }
            View::Bars { bar, target, .. } => {
                bar.get_or_insert_with(|| new_bar(target())).println(line);
            }
            View::Watched { table, out, .. } => match (table, out) {
                (_, Some(out)) => {
                    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
                }
                (Some(table), None) => table.bar.println(line),
                (None, None) => {}
            },
        }
    }

    /// Ends the view after the run: marks the last phase as done, and releases the terminal.
    pub fn finish(mut self) {
        match &mut self.view {
            View::Bars { bar, .. } => finish(bar, self.last.as_ref()),
            // The last table stays.
            View::Watched {
                table: Some(table), ..
            } => table.bar.finish(),
            View::Watched { .. } | View::Lines { .. } | View::Quiet => {}
        }
    }
}

fn new_bar(target: ProgressDrawTarget) -> ProgressBar {
    ProgressBar::with_draw_target(None, target)
}

fn show(bar: &ProgressBar, now: &Progress, block: Option<&mut Block>) {
    bar.set_style(style(now.planned.is_some(), block.is_some()));
    bar.set_prefix(phase_name(now.phase));
    if let (Some(planned), Some(left)) = (now.planned, now.left) {
        bar.set_length(millis(planned));
        bar.set_position(millis(planned.saturating_sub(left)));
    }
    bar.set_message(match block {
        Some(block) => {
            let mut lines = block.lines(now);
            lines.insert(0, block::times(now));
            lines.join("\n")
        }
        None => {
            let left = now.left.map(|left| format!("{} ", clock(left)));
            format!("{}{}", left.unwrap_or_default(), state(now, true))
        }
    });
    bar.tick();
}

fn finish(bar: &mut Option<ProgressBar>, last: Option<&Progress>) {
    if let Some(bar) = bar.take() {
        bar.set_style(finished_style());
        let message = last.map(|last| state(last, true));
        bar.finish_with_message(message.unwrap_or_default());
    }
}

fn style(has_end: bool, has_block: bool) -> ProgressStyle {
    let template = match (has_end, has_block) {
        (true, true) => "{spinner} {prefix:8}  {bar:36} {msg}",
        (true, false) => "{spinner} {prefix:8} {bar:6} {wide_msg}",
        (false, true) => "{spinner} {prefix:8}  {msg}",
        (false, false) => "{spinner} {prefix:8} {wide_msg}",
    };
    ProgressStyle::with_template(template)
        .expect("the template is a constant that indicatif takes")
        .progress_chars("━╸─")
}

fn table_style() -> ProgressStyle {
    ProgressStyle::with_template("{msg}").expect("the template is a constant that indicatif takes")
}

fn finished_style() -> ProgressStyle {
    ProgressStyle::with_template("✓ {prefix:8} {wide_msg}")
        .expect("the template is a constant that indicatif takes")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use indicatif::InMemoryTerm;

    use super::super::lines::tests::snapshot;
    use super::*;
    use crate::measure::Phase;

    /// A writer whose content tests can read.
    #[derive(Debug, Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Sink {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
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

    /// The view in a terminal of this size.
    fn bars(columns: u16, lines: u16) -> (Live, InMemoryTerm) {
        let terminal = InMemoryTerm::new(lines, columns);
        let mut live = Live::bars((columns.into(), lines.into()));
        let shown = terminal.clone();
        if let View::Bars { target, .. } = &mut live.view {
            *target = Box::new(move || ProgressDrawTarget::term_like(Box::new(shown.clone())));
        }
        (live, terminal)
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
    fn phases_that_are_over_stay_above_the_block() {
        let (mut live, terminal) = bars(80, 24);
        live.update(&snapshot(Phase::RampUp, 1));
        for second in 2..5 {
            live.update(&snapshot(Phase::Measure, second));
        }
        let text = terminal.contents();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 7, "{text}");
        assert!(lines[0].starts_with("✓ ramp-up  1,000 open"), "{text}");
        assert!(lines[1].contains(" measure   ━━━"), "{text}");
        assert!(lines[1].ends_with(" 0:18 left     0:04 in all"), "{text}");
        let names = lines[2..]
            .iter()
            .map(|line| &line[..line.find(' ').unwrap()]);
        let names: Vec<&str> = names.collect();
        let all = [
            "connections",
            "messages",
            "latency",
            "heartbeat",
            "generator",
        ];
        assert_eq!(names, all);
        live.finish();
        let text = terminal.contents();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[1].starts_with("✓ measure  1,000 open"), "{text}");
    }

    #[test]
    fn a_small_terminal_has_one_line() {
        for (columns, lines) in [(79, 24), (80, 11)] {
            let (mut live, terminal) = bars(columns, lines);
            live.update(&snapshot(Phase::RampUp, 1));
            live.update(&snapshot(Phase::Measure, 2));
            let text = terminal.contents();
            let (over, now) = text.split_once('\n').unwrap();
            assert!(over.starts_with("✓ ramp-up  1,000 open"), "{text}");
            assert!(now.contains("measure  ━━╸"), "{text}");
            let brief = "0:18 1,000 open, 0 dead, 9,998/s, p50 74.0 µs, p99 1.2";
            assert!(now.contains(brief), "{text}");
            live.finish();
            assert!(terminal.contents().contains("\n✓ measure  1,000 open"));
        }
    }
}
