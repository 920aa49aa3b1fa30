//! A shard in the form that travels between processes: MessagePack with names from the catalogue, because indices are
//! valid only locally. Nothing that is read is believed: what is no shard of this plan, contradicts itself, or could make
//! a sum overflow is refused.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::agreed::Agreed;
use super::cells::Cells;
use super::connection_record::ConnectionRecord;
use super::delivery::DeliveriesOnWire;
use super::ending::Ending;
use super::fallbacks::Fallbacks;
use super::histogram::Histogram;
use super::interval::Name;
use super::layout::{Layout, Window};
use super::named::{NamedRows, UnknownCohort};
use super::shard::{Open, Shard};
use super::stops::Stops;
use crate::metric::Timed;
use crate::units::{Timestamp, counted};

/// The version of the format of an encoded shard.
const VERSION: u32 = 3;
/// The highest count of anything in one interval: so high that the sums of any run fit.
const MOST: u64 = 1 << 40;
/// The latest time in a row: two of them can be added.
const LATEST: Timestamp = Timestamp::from_nanos(1 << 62);

/// An encoded shard that could not be read. Fits after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// It is longer than a shard can be.
    #[error("read a shard of {0} bytes, more than one may have")]
    TooLong(usize),
    /// It is not MessagePack, or does not have the format of a shard.
    #[error("read a shard: {0}")]
    Format(#[from] rmp_serde::decode::Error),
    /// Written by another version.
    #[error("read a shard of version {0}, which is not {VERSION}")]
    Version(u32),
    /// It belongs to another plan: it has a cohort, window or metric that this plan does not have.
    #[error("read a shard of another plan: it has {0}, which this one has not")]
    Unknown(String),
    /// It has a number that no second can have.
    #[error("read a shard with {0}, which no second can have")]
    Impossible(String),
    /// It has more rows of one kind than a shard may hold.
    #[error("read a shard with {}, more than one may have", counted(*.0 as u64, "row"))]
    TooMany(usize),
}

#[derive(Serialize, Deserialize)]
struct ShardOnWire<'a> {
    version: u32,
    interval: u64,
    cohorts: BTreeMap<String, CohortOnWire>,
    loop_lag: Histogram,
    early_lag: Histogram,
    stops: Stops,
    look_ups: Histogram,
    fallbacks: Fallbacks,
    agreed: Agreed,
    endings: NamedRows<'a, Ending>,
    more_endings: u64,
    unexpected: Vec<String>,
    records: NamedRows<'a, ConnectionRecord>,
    more_records: u64,
    deliveries: DeliveriesOnWire,
}

#[derive(Serialize, Deserialize)]
struct CohortOnWire {
    open: Open,
    whole: Numbers,
    /// By the number of the window; 0 is the time that is not measured.
    windows: BTreeMap<usize, Numbers>,
}

/// Counts and times by name, without zeros and empty histograms.
#[derive(Serialize, Deserialize)]
struct Numbers {
    counts: BTreeMap<Name, u64>,
    times: BTreeMap<Name, Histogram>,
}

impl Numbers {
    fn of(cells: &Cells, slots: &[Timed]) -> Self {
        let times = cells.times(slots);
        Self {
            counts: cells.counts().collect(),
            times: times.map(|(name, times)| (name, times.clone())).collect(),
        }
    }

    fn add_to(&self, cells: &mut Cells, slots: &[Timed]) -> Result<(), WireError> {
        let mut unknown = None;
        for (name, count) in &self.counts {
            if !cells.add_named(name, possible(name, *count)?) {
                unknown = Some(name);
            }
        }
        for (name, times) in &self.times {
            if !cells.merge_named(name, times, slots) {
                unknown = Some(name);
            }
        }
        match unknown {
            Some(name) => Err(WireError::Unknown(format!("`{name}`"))),
            None => Ok(()),
        }
    }
}

/// Returns a count that one second can have.
fn possible(name: &str, count: u64) -> Result<u64, WireError> {
    match count <= MOST {
        true => Ok(count),
        false => Err(WireError::Impossible(format!("{count} of `{name}`"))),
    }
}

/// The first rows that a shard may hold, and how many more there are.
fn first<T>(rows: &[T], most: usize) -> (&[T], u64) {
    let kept = &rows[..rows.len().min(most)];
    (kept, (rows.len() - kept.len()) as u64)
}

impl Shard {
    /// The longest encoded shard in bytes; longer ones are refused.
    pub const MAX_BYTES: usize = 64 << 20;
    /// The number of intervals that a run may have, about 48 days.
    pub const MAX_INTERVALS: u64 = 1 << 22;

    /// Encodes the shard for another process with the same plan; of the merged shards of several workers, as many rows
    /// as one may hold, and how many more there are. Leaves out single messages ([`Shard::echoes`]): they stay in the
    /// process that recorded them.
    pub fn encode(&self, layout: &Layout) -> Vec<u8> {
        let Self {
            interval,
            cohorts,
            loop_lag,
            early_lag,
            stops,
            look_ups,
            fallbacks,
            agreed,
            endings,
            more_endings,
            unexpected,
            records,
            more_records,
            echoes: _,
            traces: _,
            // Nobody watches single clients of another process.
            events: _,
            deliveries,
        } = self;
        let names = layout.names();
        let named = layout.cohorts.iter().zip(cohorts);
        let (endings, other_endings) = first(endings, Self::MAX_ENDINGS);
        let (records, other_records) = first(records, Self::MAX_RECORDS);
        let wire = ShardOnWire {
            version: VERSION,
            interval: *interval,
            cohorts: named
                .map(|((name, slots), cohort)| {
                    let windows = cohort.windows();
                    let cohort = CohortOnWire {
                        open: cohort.open,
                        whole: Numbers::of(&cohort.whole, slots),
                        windows: windows
                            .map(|(window, cells)| (window.number(), Numbers::of(cells, slots)))
                            .collect(),
                    };
                    (name.clone(), cohort)
                })
                .collect(),
            loop_lag: loop_lag.clone(),
            early_lag: early_lag.clone(),
            stops: stops.clone(),
            look_ups: look_ups.clone(),
            fallbacks: fallbacks.clone(),
            agreed: agreed.clone(),
            endings: NamedRows::of(endings, &names),
            more_endings: more_endings + other_endings,
            unexpected: unexpected.clone(),
            records: NamedRows::of(records, &names),
            more_records: more_records + other_records,
            deliveries: DeliveriesOnWire::of(deliveries, layout),
        };
        let mut bytes = Vec::new();
        // Addresses are texts within rows, whose form is known only while they are read.
        let mut out = rmp_serde::Serializer::new(&mut bytes)
            .with_struct_map()
            .with_human_readable();
        wire.serialize(&mut out)
            .expect("writing to a vector does not fail");
        bytes
    }

    /// All that was counted and timed, added up. While that stays within bounds, so does each sum of a part of it.
    pub fn weight(&self, layout: &Layout) -> u64 {
        let cohorts = layout.cohorts.iter().zip(&self.cohorts);
        let cells = cohorts.flat_map(|((_, slots), cohort)| {
            let windows = cohort.windows().map(|(_, cells)| cells);
            let all = std::iter::once(&cohort.whole).chain(windows);
            all.map(move |cells| (cells, slots))
        });
        let of_cells = cells.map(|(cells, slots)| {
            let counts = cells.counts().map(|(_, count)| count);
            let times = cells.times(slots).map(|(_, times)| times.count());
            counts.chain(times).fold(0, u64::saturating_add)
        });
        let own = [&self.loop_lag, &self.early_lag, &self.look_ups].map(Histogram::count);
        let rest = [self.more_endings, self.more_records, self.stops.more];
        let rest = own.into_iter().chain(rest);
        let dials = self.fallbacks.iter().map(|(_, fallback)| fallback.count);
        let agreed = self.agreed.all().map(|(_, count)| count);
        let all = of_cells.chain(rest).chain(dials).chain(agreed);
        all.fold(0, u64::saturating_add)
    }

    /// Decodes a shard with this layout that [`Self::encode`] wrote. Exact: merging it gives the same result as the
    /// original.
    ///
    /// # Errors
    /// If it is no shard, has another version or plan, or holds more than a shard may.
    pub fn decode(bytes: &[u8], layout: &Layout) -> Result<Self, WireError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(WireError::TooLong(bytes.len()));
        }
        let mut from = rmp_serde::Deserializer::from_read_ref(bytes).with_human_readable();
        let wire = ShardOnWire::deserialize(&mut from)?;
        if wire.version != VERSION {
            return Err(WireError::Version(wire.version));
        }
        if wire.interval >= Self::MAX_INTERVALS {
            return Err(WireError::Impossible(format!("interval {}", wire.interval)));
        }
        let names = layout.names();
        let unknown = |cohort: UnknownCohort| WireError::Unknown(cohort.to_string());
        let endings = wire.endings.into_rows(&names).map_err(unknown)?;
        let records = wire.records.into_rows(&names).map_err(unknown)?;
        for (rows, most) in [
            (endings.len(), Self::MAX_ENDINGS),
            (records.len(), Self::MAX_RECORDS),
            (wire.stops.rows.len(), Stops::MAX),
        ] {
            if rows > most {
                return Err(WireError::TooMany(rows));
            }
        }
        let are_possible = endings.iter().all(|row| row.is_before(LATEST))
            && records.iter().all(|row| row.is_before(LATEST))
            && (wire.stops.rows.iter()).all(|stop| stop.from <= stop.to && stop.to < LATEST);
        if !are_possible {
            return Err(WireError::Impossible("a time after all times".to_owned()));
        }
        possible("endings", wire.more_endings)?;
        possible("records", wire.more_records)?;
        possible("stops", wire.stops.more)?;
        for (address, fallback) in wire.fallbacks.iter() {
            possible(address, fallback.count)?;
        }
        for (value, count) in wire.agreed.all() {
            possible(value, count)?;
        }
        let mut shard = Self {
            interval: wire.interval,
            loop_lag: wire.loop_lag,
            early_lag: wire.early_lag,
            stops: wire.stops,
            look_ups: wire.look_ups,
            fallbacks: wire.fallbacks,
            agreed: wire.agreed,
            endings,
            more_endings: wire.more_endings,
            unexpected: wire.unexpected,
            records,
            more_records: wire.more_records,
            deliveries: wire.deliveries.deliveries(layout)?,
            ..Self::new(layout)
        };
        for (name, cohort) in &wire.cohorts {
            let of_name = (layout.cohorts.iter()).position(|(known, _)| known == name);
            let index = of_name.ok_or_else(|| WireError::Unknown(format!("cohort `{name}`")))?;
            let slots = &layout.cohorts[index].1;
            let all = &mut shard.cohorts[index];
            let Open {
                connecting,
                open,
                ready,
                closing,
                dead,
                pinged,
            } = cohort.open;
            for count in [connecting, open, ready, closing, dead, pinged] {
                possible("connections", count)?;
            }
            all.open = cohort.open;
            cohort.whole.add_to(&mut all.whole, slots)?;
            for (number, numbers) in &cohort.windows {
                let window = Window::numbered(*number, layout)
                    .ok_or_else(|| WireError::Unknown(format!("window {number}")))?;
                numbers.add_to(all.window(window), slots)?;
            }
        }
        Ok(shard)
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
