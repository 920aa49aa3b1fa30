//! Checks the meaning of a gate: whether its metric, cohort and stage exist, and its statistic and value fit.

use std::ops::Range;

use super::baseline::{self, BaselineGate};
use super::grammar::{self, Piece, SelectorPieces, SubjectPieces};
use super::names::{Names, looks_at_a_cohort};
use super::possible::{can_have_data, says_something};
use super::section::Gate;
use super::stat::{fits, stat, unfit};
use super::subject::{Op, Selector, Subject};
use super::value::{Unit, unit_of};
use crate::metric::{self, Kind, covers_whole_run};
use crate::scenario::reading::hints;

/// Why a text is not a gate, and the range of bytes at fault.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::scenario) struct GateError {
    pub(in crate::scenario) span: Range<usize>,
    pub(in crate::scenario) what: String,
    pub(in crate::scenario) hint: Option<String>,
}

impl GateError {
    pub(super) fn new(piece: &Piece<'_>, what: String) -> Self {
        Self {
            span: piece.span.clone(),
            what,
            hint: None,
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A gate, by what it compares with.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::scenario) enum Read {
    /// A value of its own.
    Gate(Gate),
    /// A part of what a baseline has.
    OfBaseline(BaselineGate),
}

impl Read {
    pub(super) fn subject(&self) -> &Subject {
        match self {
            Self::Gate(gate) => &gate.subject,
            Self::OfBaseline(gate) => &gate.subject,
        }
    }
}

/// Reads and checks a gate.
pub(in crate::scenario) fn read(text: &str, names: &Names<'_>) -> Result<Read, GateError> {
    let pieces = grammar::parse(text).map_err(|(at, expected)| unreadable(text, at, &expected))?;
    let (subject, unit) = match &pieces.subject {
        SubjectPieces::Ratio(above, below) => {
            let subject = Subject::Ratio(counter(above, names)?, counter(below, names)?);
            (subject, Unit::Part)
        }
        SubjectPieces::Stat(word, pieces) => {
            let (selector, kind) = selector(pieces, names)?;
            let stat = stat(word)?;
            if !fits(stat, kind) {
                return Err(unfit(word, &selector.metric, kind));
            }
            says_something(word, stat, &selector.metric)?;
            let unit = unit_of(stat, kind, &selector.metric);
            (Subject::Stat(stat, selector), unit)
        }
    };
    let of_baseline = baseline::read(text, &subject, pieces.op, &pieces.value, unit)?;
    if let Some(gate) = of_baseline {
        return Ok(Read::OfBaseline(gate));
    }
    let value = unit.read(pieces.value.text).map_err(|hint| {
        let what = format!(
            "`{}` is not {}, which `{subject}` is compared with",
            pieces.value.text,
            unit.name()
        );
        let error = GateError::new(&pieces.value, what);
        match pieces.value.text.ends_with('%') && unit.is_of_speed() {
            true => error.hint(format!("{hint}, or `{} of baseline`", pieces.value.text)),
            false => error.hint(hint),
        }
    })?;
    says_anything(pieces.op, value, &pieces.value)?;
    Ok(Read::Gate(Gate {
        subject,
        op: pieces.op,
        value,
        text: text.trim().to_owned(),
    }))
}

/// Refuses a comparison with zero that has one result whatever happens, because nothing that is measured is negative.
fn says_anything(op: Op, value: f64, piece: &Piece<'_>) -> Result<(), GateError> {
    let (what, hint) = match op {
        _ if value != 0.0 => return Ok(()),
        Op::Less => (
            "can never hold: nothing is less than zero",
            "write `== 0`, or a limit above zero",
        ),
        Op::GreaterOrEqual => (
            "always holds: nothing is less than zero",
            "write `> 0`, or a limit above zero",
        ),
        Op::LessOrEqual | Op::Greater | Op::Equal | Op::NotEqual => return Ok(()),
    };
    Err(GateError::new(piece, format!("`{op} {}` {what}", piece.text)).hint(hint))
}

fn unreadable(text: &str, at: usize, expected: &str) -> GateError {
    let found = text[at..].chars().next();
    let end = at + found.map_or(0, char::len_utf8);
    let found = found.map_or_else(|| "the end".to_owned(), |c| format!("`{c}`"));
    GateError {
        span: at..end,
        what: format!("expected {expected}, found {found}"),
        hint: Some("a gate is written like `p99(latency.echo) < 50ms`".into()),
    }
}

fn counter(pieces: &SelectorPieces<'_>, names: &Names<'_>) -> Result<Selector, GateError> {
    let (selector, kind) = selector(pieces, names)?;
    if kind != Kind::Counter {
        let what = format!(
            "a ratio is of two counters, and `{}` is a {}",
            selector.metric,
            kind.name()
        );
        return Err(
            GateError::new(&pieces.metric, what).hint("use a metric such as `messages.sent`")
        );
    }
    Ok(selector)
}

fn selector(pieces: &SelectorPieces<'_>, names: &Names<'_>) -> Result<(Selector, Kind), GateError> {
    let metric = &pieces.metric;
    let kind = metric::kind_of(metric.text, &names.messages(None))
        .ok_or_else(|| unknown(metric, &names.messages(None)))?;
    let mut selector = Selector {
        metric: metric.text.to_owned(),
        cohort: None,
        stage: None,
    };
    for (key, value) in &pieces.wheres {
        match key.text {
            "cohort" if selector.cohort.is_none() => {
                selector.cohort = Some(cohort(metric, value, names)?)
            }
            "stage" if selector.stage.is_none() => {
                selector.stage = Some(stage(metric, value, names)?)
            }
            "cohort" | "stage" => {
                return Err(GateError::new(
                    key,
                    format!("`{}` is given twice", key.text),
                ));
            }
            _ => {
                let error = GateError::new(key, format!("a metric has no `{}`", key.text));
                return Err(error.hint("use `cohort` or `stage`"));
            }
        }
    }
    if let Some(cohort) = &selector.cohort {
        let own = names.messages(Some(cohort));
        if metric::kind_of(metric.text, &own).is_none() {
            let what = format!("cohort `{cohort}` has no `{}`", metric.text);
            return Err(GateError::new(metric, what).hint("name a message of that cohort"));
        }
    }
    if selector.cohort.is_none() {
        looks_at_a_cohort(metric, names)?;
    }
    can_have_data(metric, &selector, names)?;
    Ok((selector, kind))
}

fn unknown(metric: &Piece<'_>, messages: &[&str]) -> GateError {
    let error = GateError::new(metric, format!("`{}` is not a metric", metric.text));
    let all = metric::names(messages);
    let nearest = hints::nearest(metric.text, all.iter().map(String::as_str));
    let group = metric.text.split('.').next().unwrap_or_default();
    let related: Vec<&str> = all
        .iter()
        .map(String::as_str)
        .filter(|name| name.split('.').any(|part| part == group))
        .take(12)
        .collect();
    match (nearest, group) {
        (Some(nearest), _) => error.hint(format!("did you mean `{nearest}`?")),
        (None, "latency" | "service") if messages.is_empty() => {
            error.hint("this scenario has no `[[message]]`")
        }
        (None, _) if !related.is_empty() => {
            error.hint(format!("there is {}", hints::one_of(related)))
        }
        _ => error.hint(
            "use a metric such as `latency.<message>`, `heartbeat.rtt` or `connections.dead`",
        ),
    }
}

fn cohort(metric: &Piece<'_>, value: &Piece<'_>, names: &Names<'_>) -> Result<String, GateError> {
    if metric::is_of_run(metric.text) {
        let what = format!("`{}` belongs to no cohort", metric.text);
        return Err(GateError::new(value, what).hint("leave `cohort` out"));
    }
    if names.cohorts.iter().any(|group| group.name == value.text) {
        return Ok(value.text.to_owned());
    }
    let there = hints::one_of(names.cohorts.iter().map(|group| group.name));
    let what = format!("there is no cohort `{}`", value.text);
    Err(GateError::new(value, what).hint(format!("there is {there}")))
}

fn stage(metric: &Piece<'_>, value: &Piece<'_>, names: &Names<'_>) -> Result<u32, GateError> {
    if covers_whole_run(metric.text) || names.are_of_setups(metric.text) {
        let what = format!("`{}` covers the whole run", metric.text);
        return Err(GateError::new(value, what).hint("leave `stage` out"));
    }
    let number: Option<u32> = value.text.parse().ok();
    if let Some(number) = number.filter(|number| (1..=names.stages).contains(number)) {
        return Ok(number);
    }
    let error = GateError::new(value, format!("there is no stage `{}`", value.text));
    Err(error.hint(match names.stages {
        0 => "this scenario has no `load.stages`".to_owned(),
        last => format!("stages are counted from 1 to {last}"),
    }))
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::names::CohortNames;
    use super::*;
    use crate::scenario::{Op, Stat};
    use proptest::prelude::*;

    pub(in crate::scenario::gate) fn names() -> Names<'static> {
        Names {
            cohorts: vec![
                CohortNames {
                    name: "main",
                    messages: vec!["echo", "chat"],
                },
                CohortNames {
                    name: "slow",
                    messages: vec!["echo"],
                },
            ],
            run: None,
            stages: 3,
        }
    }

    /// A gate with a value of its own.
    fn own(text: &str) -> Result<Gate, GateError> {
        match read(text, &names())? {
            Read::Gate(gate) => Ok(gate),
            Read::OfBaseline(gate) => panic!("{gate:?}"),
        }
    }

    #[test]
    fn a_gate_means_what_it_says() {
        let gate = own(" p99.9(latency.echo{cohort=slow, stage=2}) <= 50ms ").unwrap();
        assert_eq!(
            gate.subject.to_string(),
            "p99.9(latency.echo{cohort=slow, stage=2})"
        );
        assert_eq!((gate.op, gate.value), (Op::LessOrEqual, 50e6));
        assert_eq!(
            gate.text,
            "p99.9(latency.echo{cohort=slow, stage=2}) <= 50ms"
        );
    }

    #[test]
    fn every_kind_of_value_is_taken() {
        for (text, value) in [
            ("ratio(messages.timed_out / messages.sent) < 0.1%", 0.001),
            ("count(connections.dead) == 0", 0.0),
            ("count(latency.echo) > 1000", 1000.0),
            ("rate(latency.echo) > 100", 100.0),
            ("rate(messages.sent) >= 100/s", 100.0),
            ("count(bytes.sent) > 1MiB", 1048576.0),
            ("peak(generator.cpu) < 80%", 80.0),
            ("last(connections.open) != 0", 0.0),
            ("peak(generator.rss) < 1GiB", 1073741824.0),
            ("count(closes.1011.peer) == 0", 0.0),
            ("count(errors.refused) == 0", 0.0),
        ] {
            assert_eq!(own(text).unwrap().value, value, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        for (text, blamed, hint) in [
            (
                "p99(latency.ecko) < 1ms",
                "latency.ecko",
                "did you mean `latency.echo`?",
            ),
            (
                "p99(latency) < 1ms",
                "latency",
                "there is `delivery.latency`, `latency.chat` or `latency.echo`",
            ),
            ("p95(connections.dead) < 1", "p95", "use `count` or `rate`"),
            ("avg(latency.echo) < 1ms", "avg", "did you mean `mean`?"),
            ("p100(latency.echo) < 1ms", "p100", "did you mean `max`?"),
            (
                "p99(latency.echo) < 50",
                "50",
                "write a whole number and `us`, `ms` or `s`, such as `50ms`",
            ),
            (
                "count(connections.dead) < 1%",
                "1%",
                "write a plain number, such as `0`",
            ),
            (
                "count(messages.sent{cohort=fast}) > 0",
                "fast",
                "there is `main` or `slow`",
            ),
            (
                "count(messages.sent{stage=4}) > 0",
                "4",
                "stages are counted from 1 to 3",
            ),
            (
                "p50(latency.chat{cohort=slow}) < 1s",
                "latency.chat",
                "name a message of that cohort",
            ),
            (
                "count(connections.dead{stage=1}) > 0",
                "1",
                "leave `stage` out",
            ),
            (
                "ratio(latency.echo / messages.sent) < 1",
                "latency.echo",
                "use a metric such as `messages.sent`",
            ),
        ] {
            let error = read(text, &names()).unwrap_err();
            assert_eq!(&text[error.span.clone()], blamed, "{text}");
            assert_eq!(error.hint.as_deref(), Some(hint), "{text}");
        }
    }

    fn any_gate() -> impl Strategy<Value = String> {
        let all: Vec<String> = metric::names(&names().messages(None));
        let stat = prop_oneof![
            (1u32..9999).prop_map(|p| Stat::Percentile(f64::from(p) / 100.0)),
            prop::sample::select(vec![
                Stat::Min,
                Stat::Max,
                Stat::Mean,
                Stat::Count,
                Stat::Rate,
                Stat::Peak,
                Stat::Last,
            ]),
        ];
        let filter = prop_oneof![
            Just(""),
            Just("{cohort=slow}"),
            Just("{stage=1}"),
            Just("{cohort=main, stage=3}")
        ];
        let op = prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]);
        let value = prop::sample::select(vec!["1", "50ms", "0.1%", "4KiB", "10/s"]);
        (stat, prop::sample::select(all), filter, op, value).prop_map(
            |(stat, metric, filter, op, value)| format!("{stat}({metric}{filter}) {op} {value}"),
        )
    }

    proptest! {
        /// A gate that is accepted is written back unchanged; one that is refused has a reason with a place in its
        /// text.
        #[test]
        fn what_was_read_is_written_back(text in any_gate()) {
            match read(&text, &names()) {
                Ok(gate) => {
                    let subject = text.split(") ").next().unwrap().to_owned() + ")";
                    prop_assert_eq!(gate.subject().to_string(), subject);
                }
                Err(error) => prop_assert!(text.get(error.span).is_some()),
            }
        }
    }
}
