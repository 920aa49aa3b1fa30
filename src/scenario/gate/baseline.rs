//! Gates whose limit is a part of what a baseline has: `p99(latency.echo) < 110% of baseline + 2ms`.
//!
//! ```text
//! limit = percent "of" "baseline" [ "+" value ]     after < and <=
//!       | percent "of" "baseline" [ "-" value ]     after > and >=
//! ```

use super::check::GateError;
use super::grammar::{self, Piece, SelectorPieces, SubjectPieces};
use super::section::Gate;
use super::stat::stat;
use super::subject::{Op, Selector, Stat, Subject};
use super::value::{Unit, unit_of};
use crate::metric;
use crate::scenario::reading::hints::nearest;

/// A condition on a measured value, as a part of what the baseline has.
#[derive(Debug, Clone, PartialEq)]
pub struct BaselineGate {
    /// The measured value.
    pub subject: Subject,
    /// The comparison operator: one of the four that know a better and a worse.
    pub op: Op,
    /// What of the baseline is allowed: 110 % is 1.1. Above zero.
    pub factor: f64,
    /// The slack, in the unit of a gate's value: added to that. Negative after `>` and `>=`.
    pub plus: f64,
    /// The text of the gate as the user wrote it.
    pub text: String,
}

/// From this percentile on, noise makes a part of a small value useless as a limit.
const NOISY: f64 = 90.0;
/// Below this, a value is small, in nanoseconds.
const SMALL_NS: f64 = 5e6;

impl BaselineGate {
    /// The limit where the baseline has this value, in the same unit.
    pub fn limit(&self, base: f64) -> f64 {
        self.factor * base + self.plus
    }

    /// Whether more is worse.
    pub fn is_upper(&self) -> bool {
        matches!(self.op, Op::Less | Op::LessOrEqual)
    }

    /// The gate where the baseline has this value.
    pub fn where_base_is(&self, base: f64) -> Gate {
        Gate {
            subject: self.subject.clone(),
            op: self.op,
            value: self.limit(base),
            text: self.text.clone(),
        }
    }

    /// Whether it should have a slack, where the baseline has this value, or an unknown one: a high percentile of a few
    /// milliseconds differs from run to run by more than any part of it.
    pub fn wants_slack(&self, base: Option<f64>) -> bool {
        let is_high = matches!(&self.subject, Subject::Stat(Stat::Percentile(p), _) if *p >= NOISY);
        is_high && self.plus == 0.0 && base.is_none_or(|base| base < SMALL_NS)
    }

    /// Reads a gate without its scenario, as from a stored run; `None` for one with a limit of its own.
    ///
    /// # Errors
    /// What is wrong with it, with a hint on a line of its own.
    pub fn stored(text: &str) -> Result<Option<Self>, String> {
        read_stored(text).map_err(|error| match error.hint {
            Some(hint) => format!("{}\nhint: {hint}", error.what),
            None => error.what,
        })
    }
}

fn read_stored(text: &str) -> Result<Option<BaselineGate>, GateError> {
    let whole = Piece {
        text,
        span: 0..text.len(),
    };
    let unreadable = |(_, expected): (usize, String)| {
        GateError::new(&whole, format!("`{text}` is no gate: expected {expected}"))
    };
    let pieces = grammar::parse(text).map_err(unreadable)?;
    let (subject, unit) = match &pieces.subject {
        SubjectPieces::Ratio(above, below) => {
            (Subject::Ratio(selector(above), selector(below)), Unit::Part)
        }
        SubjectPieces::Stat(word, pieces) => {
            let selector = selector(pieces);
            let message = selector.metric.split_once('.').map_or("", |(_, name)| name);
            let kind = metric::kind_of(&selector.metric, &[message]).ok_or_else(|| {
                GateError::new(
                    &pieces.metric,
                    format!("`{}` is not a metric", selector.metric),
                )
            })?;
            let stat = stat(word)?;
            let unit = unit_of(stat, kind, &selector.metric);
            (Subject::Stat(stat, selector), unit)
        }
    };
    read(text, &subject, pieces.op, &pieces.value, unit)
}

/// What a gate looks at, by the text before its operator; `None` if no gate is written so.
pub fn subject_of(text: &str) -> Option<Subject> {
    let gate = format!("{text} < 1");
    match grammar::parse(&gate).ok()?.subject {
        SubjectPieces::Ratio(above, below) => {
            Some(Subject::Ratio(selector(&above), selector(&below)))
        }
        SubjectPieces::Stat(word, pieces) => {
            Some(Subject::Stat(stat(&word).ok()?, selector(&pieces)))
        }
    }
}

fn selector(pieces: &SelectorPieces<'_>) -> Selector {
    let given = |name: &str| {
        let mut wheres = pieces.wheres.iter();
        wheres.find_map(|(key, value)| (key.text == name).then(|| value.text.to_owned()))
    };
    Selector {
        metric: pieces.metric.text.to_owned(),
        cohort: given("cohort"),
        stage: given("stage").and_then(|stage| stage.parse().ok()),
    }
}

/// Reads the limit of a gate; `None` if it is a value of its own.
pub(super) fn read(
    text: &str,
    subject: &Subject,
    op: Op,
    piece: &Piece<'_>,
    unit: Unit,
) -> Result<Option<BaselineGate>, GateError> {
    let wrong = |what: String, hint: &str| GateError::new(piece, what).hint(hint);
    let Some((share, rest)) = parted(piece.text) else {
        let what = || format!("`{}` is no part of a baseline", piece.text);
        return match is_meant(piece.text) {
            true => Err(wrong(what(), PART)),
            false => Ok(None),
        };
    };
    let percent = share.strip_suffix('%').map(str::trim_end);
    let percent: Option<f64> = percent.and_then(|number| number.parse().ok());
    let Some(percent) = percent.filter(|percent| percent.is_finite() && *percent > 0.0) else {
        let what = format!("`{share}` is no part of a baseline");
        return Err(wrong(what, PART));
    };
    let (is_upper, sign, word) = match op {
        Op::Less | Op::LessOrEqual => (true, '+', "below"),
        Op::Greater | Op::GreaterOrEqual => (false, '-', "above"),
        Op::Equal | Op::NotEqual => {
            let what = format!("`{op}` knows nothing worse than a baseline");
            return Err(wrong(what, "write `<` or `>`"));
        }
    };
    let plus = match rest.strip_prefix(sign) {
        _ if rest.is_empty() => 0.0,
        Some(slack) => unit.read(slack.trim()).map_err(|hint| {
            let what = format!("`{}` is not {}", slack.trim(), unit.name());
            wrong(what, hint)
        })?,
        None => {
            let what = format!("`{rest}` is no slack {word} a limit");
            return Err(wrong(
                what,
                match is_upper {
                    true => "write it behind the baseline: `110% of baseline + 2ms`",
                    false => "write it behind the baseline: `95% of baseline - 10/s`",
                },
            ));
        }
    };
    Ok(Some(BaselineGate {
        subject: subject.clone(),
        op,
        factor: percent / 100.0,
        plus: if is_upper { plus } else { -plus },
        text: text.trim().to_owned(),
    }))
}

/// How a part of a baseline is written.
const PART: &str = "write a percentage, such as `110% of baseline`";

/// Whether a limit that is written otherwise was meant to be about a baseline: no value holds such words.
fn is_meant(text: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_alphanumeric());
    words.any(|word| {
        let word = word.to_lowercase();
        word == "of" || word.starts_with("base") || nearest(&word, ["baseline"]).is_some()
    })
}

/// What stands before and behind `of baseline`; `None` where that is not there.
fn parted(text: &str) -> Option<(&str, &str)> {
    let at = text.find("baseline")?;
    let (before, rest) = (text[..at].trim_end(), &text[at + "baseline".len()..]);
    let share = before.strip_suffix("of")?;
    let is_word = share.ends_with(|c: char| c.is_whitespace() || c == '%');
    is_word.then(|| (share.trim(), rest.trim()))
}

#[cfg(test)]
mod tests {
    use super::super::check::{Read, read, tests::names};
    use super::*;

    fn of_baseline(text: &str) -> BaselineGate {
        match read(text, &names()) {
            Ok(Read::OfBaseline(gate)) => gate,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_limit_is_a_part_of_the_baseline_and_a_slack() {
        for (text, base, limit) in [
            ("p99(latency.echo) < 110% of baseline", 10e6, 11e6),
            (
                "p99(latency.echo) < 110 %  of  baseline  +  2ms",
                10e6,
                13e6,
            ),
            ("rate(messages.echoed) > 95% of baseline", 1000.0, 950.0),
            (
                "rate(messages.echoed) >= 95%of baseline - 10/s",
                1000.0,
                940.0,
            ),
            (
                "count(errors.reset{cohort=main}) <= 100% of baseline + 5",
                0.0,
                5.0,
            ),
            (
                "ratio(messages.timed_out / messages.sent) < 200% of baseline + 0.1%",
                0.01,
                0.021,
            ),
        ] {
            let gate = of_baseline(text);
            assert!((gate.limit(base) - limit).abs() < 1e-9 * limit, "{gate:?}");
            assert_eq!(gate.text, text);
            assert_eq!(BaselineGate::stored(text), Ok(Some(gate)), "{text}");
        }
        let ordinary = "p99(latency.echo) < 50ms";
        assert!(matches!(read(ordinary, &names()), Ok(Read::Gate(_))));
        assert_eq!(BaselineGate::stored(ordinary), Ok(None));
    }

    #[test]
    fn what_is_wrong_is_said_with_a_way_out() {
        for (text, hint) in [
            ("p99(latency.echo) == 110% of baseline", "write `<` or `>`"),
            (
                "p99(latency.echo) < 1.1 of baseline",
                "write a percentage, such as `110% of baseline`",
            ),
            (
                "p99(latency.echo) < 110% of baselin",
                "write a percentage, such as `110% of baseline`",
            ),
            (
                "rate(messages.sent) > 95% of teh bsaeline",
                "write a percentage, such as `110% of baseline`",
            ),
            (
                "count(errors.reset) <= 110% baseline + 5",
                "write a percentage, such as `110% of baseline`",
            ),
            (
                "p99(latency.echo) < 110% Of Base",
                "write a percentage, such as `110% of baseline`",
            ),
            (
                "p99(latency.echo) < 110%",
                "write a whole number and `us`, `ms` or `s`, such as `50ms`, or `110% of baseline`",
            ),
            (
                "rate(messages.sent) > 95%",
                "write a rate or a plain number, such as `100/s`, or `95% of baseline`",
            ),
            (
                "p99(latency.echo) < -5% of baseline",
                "write a percentage, such as `110% of baseline`",
            ),
            (
                "p99(latency.echo) < 110% of baseline + 2",
                "write a whole number and `us`, `ms` or `s`, such as `50ms`",
            ),
            (
                "p99(latency.echo) < 110% of baseline - 2ms",
                "write it behind the baseline: `110% of baseline + 2ms`",
            ),
            (
                "rate(messages.sent) > 95% of baseline + 2/s",
                "write it behind the baseline: `95% of baseline - 10/s`",
            ),
        ] {
            let error = read(text, &names()).unwrap_err();
            assert_eq!(error.hint.as_deref(), Some(hint), "{text}: {}", error.what);
        }
        let error = BaselineGate::stored("p99(latency.echo").unwrap_err();
        assert!(error.contains("expected `)`"), "{error}");
        let error = BaselineGate::stored("p99(latence.echo) < 1% of baseline").unwrap_err();
        assert!(error.contains("`latence.echo` is not a metric"), "{error}");
    }

    #[test]
    fn a_high_percentile_of_little_wants_a_slack() {
        let p99 = of_baseline("p99(latency.echo) < 110% of baseline");
        assert!(p99.wants_slack(None) && p99.wants_slack(Some(1e6)));
        assert!(!p99.wants_slack(Some(6e6)));
        assert!(!of_baseline("p50(latency.echo) < 110% of baseline").wants_slack(Some(1e6)));
        assert!(!of_baseline("p99(latency.echo) < 110% of baseline + 2ms").wants_slack(None));
    }
}
