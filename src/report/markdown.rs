//! The verdict and the main numbers as Markdown, for comments on a change and for summaries of CI jobs.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::headline::{Headline, Pings};
use super::processes::{self, Detail};
use super::run::Run;
use super::sparkline::sparkline;
use super::times::{covered, names};
use super::words::{Stands, began, expected, seen, sentence, symbol, word};
use crate::measure::{Encoded, Histogram, Interval, Phase};
use crate::units::{counted, cut, human_count, human_ns, visible};
use crate::verdict::View;

/// The longest text in bytes: a comment on GitHub holds 65,536 characters.
const MAX_BYTES: usize = 60_000;
/// Up to so many gates and promises are all shown at once; of more, only those that did not hold.
const MAX_SHOWN: usize = 12;
/// The most rows of a table, and the most warnings.
const MAX_ROWS: usize = 200;
/// The most rows of the table of times.
const MAX_TIMES: usize = 12;
/// The most parts, those in trouble first.
const MAX_PARTS: usize = 16;
/// The longest text in a cell, in characters.
const MAX_TEXT: usize = 200;
/// The number of cells of a course over time.
const CELLS: usize = 24;

/// Writes the verdict and the main numbers of a run as Markdown, at most 60,000 bytes.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(run: &Run, mut out: impl Write) -> io::Result<()> {
    let mut text = Text::default();
    text.heading(run);
    text.judged(run);
    text.numbers(run);
    text.times(run);
    text.processes(run);
    text.notes(run);
    text.footer(run);
    out.write_all(text.0.as_bytes())
}

/// Text that is safe where Markdown and HTML are read: what has a meaning there is written by its number.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in cut(&visible(text), MAX_TEXT).chars() {
        match c {
            '&' | '<' | '>' | '"' | '\'' | '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '~' | '#'
            | '@' | '$' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

/// One row of the table of gates and promises.
struct Judged {
    symbol: &'static str,
    what: String,
    seen: String,
    is_held: bool,
}

#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        self.0 += line;
        self.0.push('\n');
    }

    /// Adds a line unless the text would become too long; says whether there was room.
    fn fits(&mut self, line: &str) -> bool {
        let fits = self.0.len() + line.len() < MAX_BYTES;
        if fits {
            self.line(line);
        }
        fits
    }

    /// Adds as many rows as there is room for, and says how many are missing.
    fn rows(&mut self, rows: &[String], most: usize, more: &str) {
        let shown = rows
            .iter()
            .take(most)
            .take_while(|row| self.fits(row))
            .count();
        if shown < rows.len() {
            self.line(&more.replace("{}", &human_count((rows.len() - shown) as u64)));
        }
    }

    fn heading(&mut self, run: &Run) {
        let exit = run.verdict.exit;
        self.line(&format!(
            "### {} {} · {}\n\n{}, against {}\n",
            symbol(exit),
            word(exit),
            escaped(&run.scenario.name),
            sentence_of(run),
            code(&run.scenario.target)
        ));
    }

    fn judged(&mut self, run: &Run) {
        let all = judged(run);
        if all.is_empty() {
            return;
        }
        let row = |one: &Judged| format!("| {} | {} | {} |", one.symbol, one.what, one.seen);
        let head = "| | gate or promise | seen |\n|---|---|---|";
        let (held, not): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.is_held);
        let first: Vec<_> = match all.len() <= MAX_SHOWN {
            true => all.iter().collect(),
            false => not,
        };
        let rows: Vec<String> = first.into_iter().map(row).collect();
        if !rows.is_empty() {
            self.line(head);
            self.rows(&rows, MAX_ROWS, "| | and {} more | |");
            self.line("");
        }
        if all.len() > MAX_SHOWN && !held.is_empty() {
            let rows: Vec<String> = held.into_iter().map(row).collect();
            let all = human_count(rows.len() as u64);
            self.line(&format!(
                "<details><summary>{all} that held</summary>\n\n{head}"
            ));
            self.rows(&rows, MAX_ROWS, "| | and {} more | |");
            self.line("\n</details>\n");
        }
    }

    fn numbers(&mut self, run: &Run) {
        let Headline {
            opened: (opened, attempted),
            before,
            failed,
            lost,
            rate,
            pings,
            ..
        } = Headline::of(run);
        let of = |some, all| format!("{} of {}", human_count(some), human_count(all));
        let mut parts = vec![format!("connections: {} opened", of(opened, attempted))];
        parts.extend((before > 0).then(|| format!("{} open before", human_count(before))));
        parts.extend((failed > 0).then(|| format!("{} failed", human_count(failed))));
        parts.push(format!("{} lost", human_count(lost)));
        parts.extend(
            rate.map(|rate| format!("messages: {}/s sent", human_count(rate.round() as u64))),
        );
        parts.extend(pings.map(|pings| match pings {
            Pings::Ours { missed, sent, dead } => {
                let dead = match dead {
                    0 => String::new(),
                    dead => format!(", {} dead", counted(dead, "connection")),
                };
                format!("pings: {} missed{dead}", of(missed, sent))
            }
            Pings::Servers(received) => format!("pings of the server: {}", human_count(received)),
        }));
        self.line(&format!("{}\n", parts.join(" · ")));
    }

    fn times(&mut self, run: &Run) {
        let view = run.view();
        let names = names(&view);
        let rows: Vec<String> = (names.iter())
            .filter_map(|name| times_row(run, &view, name))
            .collect();
        if rows.is_empty() {
            return;
        }
        self.line(
            "| time | samples | p50 | p99 | max | p99 over time |\n|---|--:|--:|--:|--:|---|",
        );
        self.rows(
            &rows,
            MAX_TIMES,
            "| and {} more, see the report | | | | | |",
        );
        self.line("");
    }

    /// How each process of a run in parts fared.
    fn processes(&mut self, run: &Run) {
        if run.parts.is_empty() {
            return;
        }
        let (table, more) = processes::table(&run.parts, Detail::Short, MAX_PARTS);
        let row = |row: &Vec<String>| {
            let cells = row.iter().map(|cell| escaped(cell));
            format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
        };
        let [head, rows @ ..] = table.rows.as_slice() else {
            return;
        };
        let rule = (0..head.len()).map(|column| if column < table.words { "---|" } else { "--:|" });
        self.line(&format!("{}\n|{}", row(head), rule.collect::<String>()));
        let rows: Vec<String> = rows.iter().map(row).collect();
        self.rows(&rows, MAX_PARTS, "| and {} more |");
        if more > 0 {
            self.line(&format!(
                "| and {} more, see the report |",
                human_count(more as u64)
            ));
        }
        self.line("");
    }

    fn notes(&mut self, run: &Run) {
        let verdict = &run.verdict;
        let doubts = verdict.distrust.iter();
        let doubts = doubts.map(|doubt| ("doubt", &doubt.text, &doubt.hint));
        let warnings = verdict.warnings.iter();
        let warnings = warnings.map(|warning| ("warning", &warning.text, &warning.hint));
        let rows: Vec<String> = doubts
            .chain(warnings)
            .map(|(kind, text, hint)| {
                let hint = hint.iter().map(|hint| format!("<br>hint: {}", code(hint)));
                format!("- **{kind}**: {}{}", code(text), hint.collect::<String>())
            })
            .collect();
        if !rows.is_empty() {
            self.rows(&rows, MAX_ROWS, "- and {} more");
            self.line("");
        }
    }

    fn footer(&mut self, run: &Run) {
        let (host, labels) = (&run.host, &run.options.labels);
        let cpus = host.cpus.map(|cpus| counted(cpus as u64, "core"));
        let parts = [
            Some(format!("wsbench {}", run.tool.version)),
            cpus,
            host.cpu_model.clone(),
            Some(host.os.clone()),
            Some(format!("began {}", began(run))),
            (!labels.is_empty()).then(|| labels.shown()),
        ];
        let parts: Vec<String> = parts
            .into_iter()
            .flatten()
            .map(|part| escaped(&part))
            .collect();
        self.line(&format!("<sub>{}</sub>", parts.join(" · ")));
    }
}

fn sentence_of(run: &Run) -> String {
    let sentence = sentence(run, run.verdict.exit);
    let mut letters = sentence.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    escaped(&(first.unwrap_or_default() + letters.as_str()))
}

fn judged(run: &Run) -> Vec<Judged> {
    let gates = run.verdict.gates.iter().map(|gate| Judged {
        symbol: Stands::of_gate(gate).symbol(),
        what: code(&gate.gate),
        seen: escaped(&seen(gate)),
        is_held: Stands::of_gate(gate) == Stands::Held,
    });
    let promises = run.verdict.contracts.iter().map(|promise| {
        let what = format!("{} {}", promise.contract.key(), expected(promise));
        Judged {
            symbol: Stands::of_promise(promise).symbol(),
            what: format!("{} of {}", code(what.trim_end()), code(&promise.cohort)),
            seen: match promise.why.is_empty() {
                true => format!("{} judged", human_count(promise.n)),
                false => code(&promise.why),
            },
            is_held: Stands::of_promise(promise) == Stands::Held,
        }
    });
    gates.chain(promises).collect()
}

fn times_row(run: &Run, view: &View<'_>, name: &str) -> Option<String> {
    let times = view.histogram(name)?;
    let percentile = |percent| covered(&times, percent).map(human_ns).unwrap_or_default();
    Some(format!(
        "| {} | {} | {} | {} | {} | {} |",
        code(name),
        human_count(times.count()),
        percentile(50.0),
        percentile(99.0),
        times.max().map(human_ns).unwrap_or_default(),
        course(run, name)
    ))
}

/// The p99 over the measured time, from the lowest to the highest; empty if there are fewer than two steps.
fn course(run: &Run, name: &str) -> String {
    let is_measured = |phase| matches!(phase, Phase::Measure | Phase::Stage(_));
    let steps = run.summary.intervals.iter();
    let steps: Vec<_> = steps.filter(|step| is_measured(step.phase)).collect();
    let width = steps.len().div_ceil(CELLS).max(1);
    let p99 = |steps: &[&Interval<Encoded>]| {
        let mut all = Histogram::new();
        let healthy = run
            .scenario
            .cohorts
            .iter()
            .map(|cohort| cohort.is_healthy());
        let healthy: Vec<bool> = healthy.collect();
        for step in steps {
            let parts = step.cohorts.iter().zip(&healthy);
            for (part, _) in parts.filter(|(_, is_healthy)| **is_healthy) {
                let times = part.times.get(name).and_then(|times| times.decode().ok());
                times.iter().for_each(|times| all.merge(times));
            }
        }
        covered(&all, 99.0)
    };
    let cells: Vec<Option<u64>> = steps.chunks(width).map(p99).collect();
    sparkline(&cells)
}
