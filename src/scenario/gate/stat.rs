//! The statistics of a gate: their names, and the kinds of metric that have them.

use super::check::GateError;
use super::grammar::Piece;
use super::subject::Stat;
use crate::metric::Kind;
use crate::scenario::reading::hints;

/// Reads a statistic, except `ratio`, which has its own rule in the grammar.
pub(super) fn stat(word: &Piece<'_>) -> Result<Stat, GateError> {
    const NAMES: [&str; 8] = [
        "min", "max", "mean", "count", "rate", "peak", "last", "ratio",
    ];
    let percentile = || {
        let percent: f64 = word.text.strip_prefix('p')?.parse().ok()?;
        (percent > 0.0 && percent < 100.0).then_some(Stat::Percentile(percent))
    };
    let known = match word.text {
        "min" => Some(Stat::Min),
        "max" => Some(Stat::Max),
        "mean" => Some(Stat::Mean),
        "count" => Some(Stat::Count),
        "rate" => Some(Stat::Rate),
        "peak" => Some(Stat::Peak),
        "last" => Some(Stat::Last),
        _ => percentile(),
    };
    known.ok_or_else(|| {
        let hint = match (word.text, hints::nearest(word.text, NAMES)) {
            ("avg" | "average", _) => "did you mean `mean`?".to_owned(),
            ("med" | "median", _) => "did you mean `p50`?".to_owned(),
            ("p100", _) => "did you mean `max`?".to_owned(),
            ("p0", _) => "did you mean `min`?".to_owned(),
            (_, Some(nearest)) => format!("did you mean `{nearest}`?"),
            _ => format!("use `p50` to `p99.99`, {}", hints::one_of(NAMES)),
        };
        GateError::new(word, format!("`{}` is not a statistic", word.text)).hint(hint)
    })
}

/// Whether a metric of this kind has this statistic.
pub(super) fn fits(stat: Stat, kind: Kind) -> bool {
    match stat {
        Stat::Percentile(_) => kind == Kind::Histogram,
        Stat::Min | Stat::Max | Stat::Mean => kind != Kind::Counter,
        Stat::Count | Stat::Rate => kind != Kind::Gauge,
        Stat::Peak | Stat::Last => kind == Kind::Gauge,
    }
}

/// Reports that the statistic does not fit, and which statistics a metric of this kind has.
pub(super) fn unfit(word: &Piece<'_>, metric: &str, kind: Kind) -> GateError {
    let hint = match kind {
        Kind::Counter => "use `count` or `rate`",
        Kind::Histogram => "use `p50` to `p99.99`, `min`, `max`, `mean`, `count` or `rate`",
        Kind::Gauge => "use `peak`, `last`, `min`, `max` or `mean`",
    };
    let what = format!(
        "`{}` cannot be taken of `{metric}`, which is a {}",
        word.text,
        kind.name()
    );
    GateError::new(word, what).hint(hint)
}
