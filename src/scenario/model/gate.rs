//! Gates: conditions on the measured values, and their comparison operators.

/// The conditions of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gates {
    /// The conditions that must all hold at the end.
    pub pass: Vec<Gate>,
    /// The conditions that end the run at once and fail it, as soon as any of them *holds*.
    pub abort: Vec<Gate>,
}

/// One condition on a measured value.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// The measured value.
    pub subject: Subject,
    /// The comparison operator.
    pub op: Op,
    /// The value to compare with: nanoseconds for times, a plain number otherwise (a ratio of 1 % is 0.01).
    pub value: f64,
    /// The text of the gate as the user wrote it.
    pub text: String,
}

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
    /// The only cohort to look at; `None` merges all cohorts for which [`super::Cohort::is_looked_at`] holds.
    pub cohort: Option<String>,
    /// The only stage to look at, counted from 1; `None` merges all stages.
    pub stage: Option<u32>,
}

/// A statistic of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stat {
    /// A percentile between 0 and 100, both exclusive.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
    /// `!=`
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
