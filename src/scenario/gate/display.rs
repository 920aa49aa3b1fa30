//! Writes a gate's subject and operator as text, in the notation of the grammar.

use std::fmt;

use crate::scenario::model::{Op, Selector, Stat, Subject};

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stat(stat, selector) => write!(f, "{stat}({selector})"),
            Self::Ratio(above, below) => write!(f, "ratio({above} / {below})"),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.metric)?;
        match (&self.cohort, self.stage) {
            (None, None) => Ok(()),
            (Some(cohort), None) => write!(f, "{{cohort={cohort}}}"),
            (None, Some(stage)) => write!(f, "{{stage={stage}}}"),
            (Some(cohort), Some(stage)) => write!(f, "{{cohort={cohort}, stage={stage}}}"),
        }
    }
}

impl fmt::Display for Stat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percentile(percent) => write!(f, "p{percent}"),
            Self::Min => f.write_str("min"),
            Self::Max => f.write_str("max"),
            Self::Mean => f.write_str("mean"),
            Self::Count => f.write_str("count"),
            Self::Rate => f.write_str("rate"),
            Self::Peak => f.write_str("peak"),
            Self::Last => f.write_str("last"),
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Equal => "==",
            Self::NotEqual => "!=",
        })
    }
}
