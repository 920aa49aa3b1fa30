//! What the stream still knows of runs, by who said what in them; what was said is not read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::broker::Broker;
use super::error::Error;
use super::subjects::{Kind, RunId, Subject};

/// A run of which the stream still knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub run: RunId,
    /// When it was first heard of, in nanoseconds since 1970.
    pub begun_ns: i128,
    /// Whether it was given up before its start.
    pub is_given_up: bool,
    /// How many agents have said that they can begin, or why not.
    pub ready: usize,
    /// How many agents have ended.
    pub done: usize,
}

/// What was heard in a run: when first, and who has said each kind; `None` is the coordinator.
struct Heard {
    first_ns: i128,
    by: BTreeMap<Kind, BTreeSet<Option<u32>>>,
}

impl Heard {
    fn said(&self, kind: Kind) -> usize {
        self.by.get(&kind).map_or(0, BTreeSet::len)
    }

    fn known(self, run: RunId) -> Known {
        Known {
            run,
            begun_ns: self.first_ns,
            is_given_up: self.said(Kind::Stop) > 0 && self.said(Kind::Start) == 0,
            ready: self.said(Kind::Ready),
            done: self.said(Kind::Done),
        }
    }
}

impl Broker {
    /// The runs of which the stream still knows, the oldest first.
    ///
    /// # Errors
    /// When the stream is not there, or the server does not permit it.
    pub async fn runs(&self, limit: Duration) -> Result<Vec<Known>, Error> {
        let mut runs: BTreeMap<RunId, Heard> = BTreeMap::new();
        // A run that nobody has planned is known by the order that ended it.
        for kind in [Kind::Plan, Kind::Start, Kind::Stop, Kind::Ready, Kind::Done] {
            let mut feed = self.glance(&Subject::of_every_run(kind), limit).await?;
            let mut pending = feed.pending;
            while pending > 0 {
                let Some(entry) = feed.next(limit).await? else {
                    break;
                };
                pending = entry.pending;
                let Some((run, kind, number)) = Subject::parse(&entry.subject) else {
                    continue;
                };
                let heard = runs.entry(run).or_insert_with(|| Heard {
                    first_ns: entry.stored_ns,
                    by: BTreeMap::new(),
                });
                heard.first_ns = heard.first_ns.min(entry.stored_ns);
                heard.by.entry(kind).or_default().insert(number);
            }
        }
        let runs = runs.into_iter().map(|(run, heard)| heard.known(run));
        let mut runs: Vec<Known> = runs.collect();
        runs.sort_by_key(|known| known.begun_ns);
        Ok(runs)
    }
}
