//! The values of promises: times, numbers, codes and kinds of ends.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use crate::scenario::reading::words;
use crate::units::{ByteSize, format_duration};

/// A promised value. `Form` says of each kind of promise which of these it is.
#[derive(Debug, Clone, PartialEq, strum::EnumDiscriminants)]
#[strum_discriminants(name(Form), vis(pub(in crate::scenario)), doc = "How a value is written.")]
pub enum Promised {
    /// A maximum.
    Count(u64),
    /// The latest time.
    Within(Duration),
    /// The earliest time.
    AtLeast(Duration),
    /// The earliest and the latest time.
    Window(Between),
    /// Close codes. Never empty.
    Codes(Vec<u16>),
    /// Kinds of ends. Never empty.
    Ends(Vec<End>),
    /// A number from 0 to 1.
    Fraction(f64),
    /// The value `true`.
    True,
    /// The times by which parts of a cohort are back.
    Back(Back),
    /// A number of bytes.
    Size(ByteSize),
}

/// The window in which something is promised to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between {
    /// The earliest time. May be zero.
    pub lo: Duration,
    /// The latest time. At least `lo`, above zero.
    pub hi: Duration,
}

/// The times of a promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The earliest time. May be zero.
    pub lo: Duration,
    /// The latest time; `None` if there is none.
    pub hi: Option<Duration>,
}

words! {
    /// How the server's end of a connection looks from outside.
    #[derive(PartialOrd, Ord)]
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
}

/// The times by which parts of a cohort must be back after a loss, with an answer received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Back {
    /// The time for half of the connections.
    pub p50: Option<Duration>,
    /// The time for 90 % of the connections.
    pub p90: Option<Duration>,
    /// The time for 99 % of the connections.
    pub p99: Option<Duration>,
    /// The time for all connections.
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
    /// The times that are given, each with the name of its part.
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
    Duration => Within,
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
