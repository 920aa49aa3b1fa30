//! What a server can promise about: times, numbers, codes and ends.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::{ByteSize, format_duration};

/// A promised value.
#[derive(Debug, Clone, PartialEq)]
pub enum Promised {
    /// At most so many.
    Count(u64),
    /// One time; whether not later or not sooner says the promise.
    Time(Duration),
    /// Two times.
    Window(Between),
    /// Close codes. Never empty.
    Codes(Vec<u16>),
    /// Ends. Never empty.
    Ends(Vec<End>),
    /// From 0 to 1.
    Fraction(f64),
    /// That it is so.
    True,
    /// Times for parts of a cohort.
    Back(Back),
    /// Bytes.
    Size(ByteSize),
}

/// From when to when something is promised to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between {
    /// Not sooner. May be zero.
    pub lo: Duration,
    /// Not later. At least `lo`, above zero.
    pub hi: Duration,
}

/// The times that a promise is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Not sooner. May be zero.
    pub lo: Duration,
    /// Not later; `None`: at any time after.
    pub hi: Option<Duration>,
}

/// How the server's end of a connection looks from outside.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Deserialize,
    JsonSchema,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum End {
    /// A Close frame.
    CloseFrame,
    /// The end of TCP without a Close frame.
    Fin,
    /// A reset of TCP without a Close frame.
    Rst,
    /// Nothing: it was still open when the run ended.
    Nothing,
}

impl End {
    /// The stable name, as in scenarios and `contracts.csv`.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// When so much of a cohort is back after a loss, and has had an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Back {
    /// Half of it.
    pub p50: Option<Duration>,
    /// 90 %.
    pub p90: Option<Duration>,
    /// 99 %.
    pub p99: Option<Duration>,
    /// Every connection.
    pub all: Option<Duration>,
}

impl Back {
    /// The latest of its times.
    pub fn longest(&self) -> Duration {
        let times = [self.p50, self.p90, self.p99, self.all];
        times.into_iter().flatten().max().unwrap_or_default()
    }
}

impl Back {
    /// Each time with the name of its part.
    pub(super) fn parts(
        &self,
        names: [&'static str; 4],
    ) -> impl Iterator<Item = (&'static str, Duration)> {
        let times = [self.p50, self.p90, self.p99, self.all];
        let named = names.into_iter().zip(times);
        named.filter_map(|(name, time)| Some((name, time?)))
    }
}

impl Display for Between {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (lo, hi) = (format_duration(self.lo), format_duration(self.hi));
        match self.lo.is_zero() {
            true => write!(f, "within {hi}"),
            false => write!(f, "{lo} to {hi}"),
        }
    }
}

macro_rules! promised_from {
    ($($from:ty => $variant:ident),+ $(,)?) => {$(
        impl From<$from> for Promised {
            fn from(value: $from) -> Self {
                Self::$variant(value)
            }
        }
    )+};
}

promised_from!(
    u64 => Count,
    Duration => Time,
    Between => Window,
    Vec<u16> => Codes,
    Vec<End> => Ends,
    f64 => Fraction,
    Back => Back,
    ByteSize => Size,
);

impl From<()> for Promised {
    fn from((): ()) -> Self {
        Self::True
    }
}
