//! Gates: conditions on what was measured, and how they compare.

/// What must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gates {
    /// All of them must hold at the end.
    pub pass: Vec<Gate>,
    /// Any of them that *holds* ends the run at once, and fails it.
    pub abort: Vec<Gate>,
}

/// One condition on what was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// What is looked at.
    pub subject: Subject,
    /// How it is compared.
    pub op: Op,
    /// With what: nanoseconds for times, a plain number otherwise (a ratio of 1 % is 0.01).
    pub value: f64,
    /// As the user wrote it.
    pub text: String,
}

/// What a gate looks at.
#[derive(Debug, Clone, PartialEq)]
pub enum Subject {
    /// `<stat>(<metric>)`
    Stat(Stat, Selector),
    /// `ratio(a / b)` of two counts.
    Ratio(Selector, Selector),
}

impl Subject {
    /// What it is made of: one, or the two of a ratio.
    pub fn selectors(&self) -> impl Iterator<Item = &Selector> {
        let (first, second) = match self {
            Self::Stat(_, selector) => (selector, None),
            Self::Ratio(above, below) => (above, Some(below)),
        };
        std::iter::once(first).chain(second)
    }

    /// Whether this metric is part of it.
    pub fn is_of(&self, metric: &str) -> bool {
        self.selectors().any(|selector| selector.metric == metric)
    }
}

/// A metric, and where it is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// A name from the catalogue.
    pub metric: String,
    /// Only this cohort; `None`: those that [`super::Cohort::is_looked_at`] tells, merged.
    pub cohort: Option<String>,
    /// Only this stage, counted from 1; `None`: all, merged.
    pub stage: Option<u32>,
}

/// A statistic of a metric.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stat {
    /// From 0 to 100, exclusive.
    Percentile(f64),
    /// The smallest.
    Min,
    /// The largest.
    Max,
    /// The arithmetic mean.
    Mean,
    /// How many.
    Count,
    /// How many a second of the measured time.
    Rate,
    /// A gauge's highest sample.
    Peak,
    /// A gauge's last sample.
    Last,
}

/// How a gate compares.
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
    /// Whether `left op right`.
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
