//! What a gate looks at and how it compares: the statistic of a metric, or a ratio, and an operator. Shown in the
//! notation of the grammar.

use std::fmt::{self, Display, Formatter};

/// The measured value of a gate.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// `<stat>(<metric>)`
    Stat(Stat, Selector),
    /// `ratio(a / b)` of two counts.
    Ratio(Selector, Selector),
}

impl Subject {
    /// Its selectors: one for a statistic, two for a ratio.
    pub fn selectors(&self) -> impl Iterator<Item = &Selector> {
        let (first, second) = match self {
            Self::Stat(_, selector) => (selector, None),
            Self::Ratio(above, below) => (above, Some(below)),
        };
        std::iter::once(first).chain(second)
    }

    /// Whether it uses this metric.
    pub fn is_of(&self, metric: &str) -> bool {
        self.selectors().any(|selector| selector.metric == metric)
    }
}

/// A metric, with the cohort and the stage to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// A name from the catalogue.
    pub metric: String,
    /// The only cohort to look at; `None` merges all cohorts for which [`crate::scenario::Cohort::is_looked_at`] holds.
    pub cohort: Option<String>,
    /// The only stage to look at, counted from 1; `None` merges all stages.
    pub stage: Option<u32>,
}

/// A statistic of a metric.
#[derive(Debug, Clone, Copy, PartialEq, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum Stat {
    /// A percentile between 0 and 100, both exclusive.
    #[strum(to_string = "p{0}")]
    Percentile(f64),
    /// The smallest value.
    Min,
    /// The largest value.
    Max,
    /// The arithmetic mean.
    Mean,
    /// The number of events or samples.
    Count,
    /// The number of events per second of the measured time.
    Rate,
    /// The highest sample of a gauge.
    Peak,
    /// The last sample of a gauge.
    Last,
}

/// A comparison operator of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
pub enum Op {
    /// `<`
    #[strum(serialize = "<")]
    Less,
    /// `<=`
    #[strum(serialize = "<=")]
    LessOrEqual,
    /// `>`
    #[strum(serialize = ">")]
    Greater,
    /// `>=`
    #[strum(serialize = ">=")]
    GreaterOrEqual,
    /// `==`
    #[strum(serialize = "==")]
    Equal,
    /// `!=`
    #[strum(serialize = "!=")]
    NotEqual,
}

impl Op {
    /// Whether `left op right` is true.
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
            Self::Equal => left == right,
            Self::NotEqual => left != right,
        }
    }
}

impl Display for Subject {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stat(stat, selector) => write!(f, "{stat}({selector})"),
            Self::Ratio(above, below) => write!(f, "ratio({above} / {below})"),
        }
    }
}

impl Display for Selector {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.metric)?;
        match (&self.cohort, self.stage) {
            (None, None) => Ok(()),
            (Some(cohort), None) => write!(f, "{{cohort={cohort}}}"),
            (None, Some(stage)) => write!(f, "{{stage={stage}}}"),
            (Some(cohort), Some(stage)) => write!(f, "{{cohort={cohort}, stage={stage}}}"),
        }
    }
}
