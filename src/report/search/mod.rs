//! A finished search as data and as files: `search.json`, `search.csv` and `search.html`. Each probe is a run with a report
//! of its own.

mod csv;
mod html;
mod probe;
mod varied;
mod words;

use std::io::{self, Write};

use serde::Serialize;

use super::json;
use super::numbers::milli;
use crate::search::{Bound, End, Found, cost, knee};
use crate::verdict::Exit;

pub use csv::write as search_csv;
pub use html::write as search_html;
pub use probe::ProbeRecord;
pub use varied::Varied;

/// The least difference of processor time between the probes that says something, in percent of one core: Linux counts in
/// ticks of 10 ms, which is 1 % of a second.
const TELLING_CPU: f64 = 5.0;

/// The version of `search.json`.
const SCHEMA_VERSION: u32 = 1;

/// One finished search.
#[derive(Debug, Clone)]
pub struct Search {
    /// The version of wsbench.
    pub version: String,
    /// The name of the scenario.
    pub scenario: String,
    /// The server's address for people.
    pub target: String,
    /// The beginning, in UTC.
    pub started_at: String,
    /// What was varied, as on the command line: `connections`, `rate=say`.
    pub vary: String,
    /// What the values are, for people.
    pub what: Varied,
    /// The first value, and the highest.
    pub range: (u64, u64),
    /// The least result that was asked for.
    pub at_least: Option<u64>,
    /// The probes, in the order in which they ended.
    pub probes: Vec<ProbeRecord>,
    /// What was found.
    pub found: Found,
}

/// `search.json`.
#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    version: &'a str,
    scenario: &'a str,
    target: &'a str,
    started_at: &'a str,
    vary: &'a str,
    from: u64,
    to: u64,
    at_least: Option<u64>,
    exit: u8,
    result: FoundRecord<'a>,
    probes: &'a [ProbeRecord],
}

/// What was found.
#[derive(Serialize)]
struct FoundRecord<'a> {
    /// The most that held.
    most: Option<u64>,
    confirmed: bool,
    /// The least value at which the server broke, or wsbench was the limit.
    broke: Option<u64>,
    generator: Option<u64>,
    /// A value that held above one that broke: the larger, the smaller.
    not_monotone: Option<(u64, u64)>,
    ended: End,
    knee: Option<f64>,
    /// The memory of the target for each 1,000 connections, and without any, in bytes.
    bytes_per_1000_connections: Option<f64>,
    bytes_without_connections: Option<f64>,
    /// Its processor time for each 1,000 connections, in percent of one core; unknown where the probes differ too little.
    cpu_per_1000_connections: Option<f64>,
    words: &'a str,
}

impl Search {
    /// How it ends.
    pub fn exit(&self) -> Exit {
        self.found.exit(self.at_least)
    }

    /// The largest load up to which the p99 is at most three times the least p99.
    pub fn knee(&self) -> Option<f64> {
        let points = self
            .told()
            .filter_map(|probe| Some((probe.value as f64, probe.p99_us?)));
        knee(&points.collect::<Vec<_>>())
    }

    /// The memory of the target for each connection, and without any, in bytes. `None` where connections were not varied,
    /// or the target's process is not known.
    pub fn memory(&self) -> Option<(f64, f64)> {
        self.cost(|probe| probe.target_rss)
    }

    /// The processor time of the target for each connection, in percent of one core; as an error what it is below, where
    /// the probes differ too little to tell. `None` as in [`Search::memory`].
    pub fn processor(&self) -> Option<Result<f64, f64>> {
        let (each, _) = self.cost(|probe| probe.target_cpu)?;
        let open = self.held().filter_map(|probe| probe.open);
        let open: Vec<u64> = open.collect();
        let range = (open.iter().max()? - open.iter().min()?) as f64;
        let least = TELLING_CPU / range;
        Some(if each < least { Err(least) } else { Ok(each) })
    }

    fn cost(&self, of: impl Fn(&ProbeRecord) -> Option<f64>) -> Option<(f64, f64)> {
        if !self.vary.starts_with("connections") {
            return None;
        }
        let points = self
            .held()
            .filter_map(|probe| Some((probe.open? as f64, of(probe)?)));
        cost(&points.collect::<Vec<_>>())
    }

    fn held(&self) -> impl Iterator<Item = &ProbeRecord> {
        self.probes.iter().filter(|probe| probe.has_held())
    }

    /// The probes that say something of the server.
    fn told(&self) -> impl Iterator<Item = &ProbeRecord> {
        self.probes.iter().filter(|probe| probe.tells())
    }

    /// The least value at which the server broke, and at which wsbench was the limit: at most one of them.
    fn bounds(&self) -> (Option<u64>, Option<u64>) {
        match self.found.bound {
            Bound::None => (None, None),
            Bound::Broke(value) => (Some(value), None),
            Bound::Generator(value) => (None, Some(value)),
        }
    }
}

/// Writes `search.json`.
///
/// # Errors
/// When writing to `out` fails.
pub fn search_json(search: &Search, out: impl Write) -> io::Result<()> {
    let found = search.found;
    let (broke, generator) = search.bounds();
    let (each, without) = search.memory().unzip();
    let processor = search.processor().and_then(Result::ok);
    let words = search.result();
    let document = Document {
        schema_version: SCHEMA_VERSION,
        version: &search.version,
        scenario: &search.scenario,
        target: &search.target,
        started_at: &search.started_at,
        vary: &search.vary,
        from: search.range.0,
        to: search.range.1,
        at_least: search.at_least,
        exit: search.exit().code(),
        result: FoundRecord {
            most: found.most,
            confirmed: found.is_confirmed,
            broke,
            generator,
            not_monotone: found.not_monotone,
            ended: found.end,
            knee: search.knee(),
            bytes_per_1000_connections: each.map(|each| (each * 1_000.0).round()),
            bytes_without_connections: without.map(f64::round),
            cpu_per_1000_connections: processor.map(|each| milli(each * 1_000.0)),
            words: &words,
        },
        probes: &search.probes,
    };
    json::write(&document, out)
}
