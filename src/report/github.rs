//! The verdict as annotations of a GitHub job: each gate or promise that did not hold, at its own line of the scenario.
//! The format is that of the workflow commands of GitHub Actions.

use std::io::{self, Write};

use super::run::Run;
use super::words::{expected, seen};
use crate::units::visible;
use crate::verdict::{ContractResult, GateResult};

/// The most annotations of one kind: GitHub keeps ten of each for a step, and drops the others without a word.
const MOST: usize = 9;

/// Writes the annotations of a run, whose scenario is in this file.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(run: &Run, file: Option<&str>, mut out: impl Write) -> io::Result<()> {
    let verdict = &run.verdict;
    let at = |line| Place { file, line };
    let text = &run.scenario.text;
    let gates = verdict
        .gates
        .iter()
        .filter(|one| !one.passed && !one.doubted);
    let gates = gates.map(|one| Annotation {
        title: "gate broken",
        text: of_gate(one),
        place: at(line_of_gate(text, &one.gate)),
    });
    let promises = verdict
        .contracts
        .iter()
        .filter(|one| !one.passed && !one.doubted);
    let promises = promises.map(|one| Annotation {
        title: "promise broken",
        text: of_promise(one),
        place: at(line_of_promise(text, one)),
    });
    let doubts = verdict.distrust.iter().map(|doubt| Annotation {
        title: "no verdict",
        text: doubt.text.clone(),
        place: at(None),
    });
    let warnings = verdict.warnings.iter().map(|warning| Annotation {
        title: "warning",
        text: warning.text.clone(),
        place: at(None),
    });
    annotate("error", gates.chain(promises).chain(doubts), &mut out)?;
    annotate("warning", warnings, &mut out)
}

/// Where an annotation is shown.
struct Place<'a> {
    file: Option<&'a str>,
    /// From 1.
    line: Option<usize>,
}

struct Annotation<'a> {
    title: &'static str,
    text: String,
    place: Place<'a>,
}

fn annotate<'a>(
    kind: &str,
    all: impl Iterator<Item = Annotation<'a>>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut more = 0;
    for (number, Annotation { title, text, place }) in all.enumerate() {
        if number >= MOST {
            more += 1;
            continue;
        }
        let file = place.file.map(|file| format!("file={},", property(file)));
        let line = place.line.filter(|_| file.is_some());
        let line = line.map(|line| format!("line={line},"));
        let [file, line] = [file, line].map(Option::unwrap_or_default);
        writeln!(
            out,
            "::{kind} {file}{line}title=wsbench: {title}::{}",
            data(&text)
        )?;
    }
    match more {
        0 => Ok(()),
        _ => writeln!(out, "::{kind} title=wsbench::and {more} more"),
    }
}

/// Escapes the text of a command.
fn data(text: &str) -> String {
    visible(text).replace('%', "%25")
}

/// Escapes the value of a command's property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

fn of_gate(gate: &GateResult) -> String {
    match gate.observed {
        Some(_) => format!("{}: observed {}", gate.gate, seen(gate)),
        None => format!("{}: {}", gate.gate, gate.why),
    }
}

fn of_promise(promise: &ContractResult) -> String {
    let what = format!("{} {}", promise.contract.key(), expected(promise));
    format!("{} of {}: {}", what.trim_end(), promise.cohort, promise.why)
}

/// The lines of a scenario that say something, with their numbers from 1.
fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate();
    let lines = lines.map(|(index, line)| (index + 1, line.trim_start()));
    lines.filter(|(_, line)| !line.starts_with('#'))
}

/// The line on which a gate stands; `None` if the command line added it.
fn line_of_gate(text: &str, gate: &str) -> Option<usize> {
    let quoted = ['"', '\''].map(|quote| format!("{quote}{gate}{quote}"));
    let mut lines = lines(text);
    let found = lines.find(|(_, line)| quoted.iter().any(|gate| line.contains(gate)));
    found.map(|(number, _)| number)
}

/// The line of a promise's key in the table of its cohort; the line of the cohort's name if a preset made the promise.
fn line_of_promise(text: &str, promise: &ContractResult) -> Option<usize> {
    let key = promise.contract.key();
    let is_key = |line: &str, key: &str| {
        let rest = line.strip_prefix(key);
        rest.is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let name = ['"', '\''].map(|quote| format!("{quote}{}{quote}", promise.cohort));
    let is_name = |line: &str| is_key(line, "name") && name.iter().any(|name| line.contains(name));
    let of_cohort = lines(text).skip_while(|(_, line)| !is_name(line));
    let mut of_cohort = of_cohort.take_while({
        let mut names = 0;
        move |(_, line)| {
            names += usize::from(line.starts_with("[[cohort]]"));
            names == 0
        }
    });
    let (named, _) = of_cohort.next()?;
    let found = of_cohort.find(|(_, line)| is_key(line, key) || line.contains(&format!("{key} =")));
    Some(found.map_or(named, |(number, _)| number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_found_on_its_own_line() {
        let text = "# pass = [\"count(messages.sent) > 1\"]\n[gates]\npass = [\n  \"count(messages.sent) > 1\",\n  'count(messages.lost) == 0',\n]\n";
        assert_eq!(line_of_gate(text, "count(messages.sent) > 1"), Some(4));
        assert_eq!(line_of_gate(text, "count(messages.lost) == 0"), Some(5));
        assert_eq!(line_of_gate(text, "count(messages.late) == 0"), None);
    }

    #[test]
    fn what_a_command_would_take_for_its_own_is_escaped() {
        let mut out = Vec::new();
        let one = Annotation {
            title: "gate broken",
            text: "50 %\r\n::error::x".to_owned(),
            place: Place {
                file: Some("a,b:c.toml"),
                line: Some(3),
            },
        };
        annotate("error", [one].into_iter(), &mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "::error file=a%2Cb%3Ac.toml,line=3,title=wsbench: gate broken::50 %25\\r\\n::error::x\n"
        );
    }

    #[test]
    fn the_rest_is_counted() {
        let mut out = Vec::new();
        let one = |_| Annotation {
            title: "warning",
            text: "w".to_owned(),
            place: Place {
                file: None,
                line: Some(1),
            },
        };
        annotate("warning", (0..12).map(one), &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        assert_eq!(out.lines().count(), 10);
        assert!(
            out.ends_with("::warning title=wsbench::and 3 more\n"),
            "{out}"
        );
    }
}
