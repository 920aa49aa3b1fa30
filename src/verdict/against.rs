//! What a gate on a baseline came to.

use serde::{Deserialize, Serialize};

/// What a gate on a baseline came to, and the figures behind it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Against {
    /// What it came to.
    pub standing: Standing,
    /// The typical value of the baseline, in the unit that reports have; `None` if nothing was compared.
    pub base: Option<f64>,
    /// The new value as a part of that: 1.1 is 110 %. `None` where a value is zero.
    pub ratio: Option<f64>,
    /// The lower end of the interval that this ratio lies in.
    pub ratio_lo: Option<f64>,
    /// The upper end.
    pub ratio_hi: Option<f64>,
    /// By how much more, as a part, a change had to be so that it could have been seen: 0.23 is +23 %.
    pub could_see: Option<f64>,
}

/// What a gate on a baseline came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The whole interval is within the limit.
    Held,
    /// The whole interval is beyond the limit. Only this fails a gate.
    Worse,
    /// The limit lies within the interval: there is too much noise, or too little was measured.
    Undecided,
    /// Nothing was compared.
    NotCompared,
}

impl Standing {
    /// The word for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Worse => "worse",
            Self::Undecided => "undecided",
            Self::NotCompared => "not compared",
        }
    }

    /// Whether nothing was decided.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Undecided | Self::NotCompared)
    }
}

impl Against {
    /// Nothing was compared.
    pub const NOTHING: Self = Self {
        standing: Standing::NotCompared,
        base: None,
        ratio: None,
        ratio_lo: None,
        ratio_hi: None,
        could_see: None,
    };
}
