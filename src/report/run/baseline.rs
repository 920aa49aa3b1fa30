//! The baseline that a run was held against, as far as pictures show it.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::measure::{Encoded, Histogram};

/// The baseline that a run was held against.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct BaselineRecord {
    /// How many sessions it has of the machine that ran.
    pub sessions: usize,
    /// What these had of the times that gates on it are about, in the order of the gates.
    pub times: Vec<BaselineTimes>,
}

/// What a baseline has of one metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaselineTimes {
    /// The metric: `latency.echo`. Over all cohorts that gates look at.
    pub metric: String,
    /// How many sessions are behind it: those that were added before a gate was about it do not hold it.
    pub sessions: usize,
    /// All of these together.
    #[serde(serialize_with = "as_text", deserialize_with = "of_text")]
    pub times: Histogram,
}

/// Writes a histogram as `intervals.jsonl` does.
fn as_text<S: Serializer>(times: &Histogram, serializer: S) -> Result<S::Ok, S::Error> {
    Encoded::from(times).serialize(serializer)
}

fn of_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Histogram, D::Error> {
    let encoded = Encoded::deserialize(deserializer)?;
    let times = encoded.decode();
    times.map_err(|error| D::Error::custom(format_args!("failed to {error}")))
}
