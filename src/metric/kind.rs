//! What a metric is: its kind, which decides what statistics it has, and its unit.

/// The kind of a metric; decides which statistics it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A number that only grows. Has `count` and `rate`.
    Counter,
    /// A distribution of times. Has percentiles, `min`, `max`, `mean`, `count` and `rate`.
    Histogram,
    /// A value that is sampled once a second. Has `min`, `max`, `mean`, `peak` and `last`.
    Gauge,
}

impl Kind {
    /// The stable name, as in `run.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Histogram => "histogram",
            Self::Gauge => "gauge",
        }
    }
}

/// The unit of a metric's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Times: nanoseconds internally, microseconds in reports.
    Time,
    /// A count.
    Count,
    /// A number of bytes.
    Bytes,
    /// Percent of one core.
    Percent,
}

impl Unit {
    /// The stable name, as reports write it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "us",
            Self::Count => "count",
            Self::Bytes => "bytes",
            Self::Percent => "percent",
        }
    }

    /// The stable name of the unit per second.
    pub const fn name_per_second(self) -> &'static str {
        match self {
            Self::Bytes => "bytes/s",
            Self::Time | Self::Count | Self::Percent => "1/s",
        }
    }
}
