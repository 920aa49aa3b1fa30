//! The distributions that a session keeps of what gates on a baseline are about: a report draws those of the past beside
//! its own. They decide nothing.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::session::Session;
use crate::measure::{Encoded, Histogram};
use crate::report::{BaselineRecord, BaselineTimes, Run};
use crate::scenario::{BaselineGate, Subject};
use crate::units::is_harmless;

/// Distributions by their metrics, each of all runs of a session and over all cohorts that gates look at.
pub type Times = BTreeMap<String, Encoded>;

/// The most metrics of a session.
const MOST: usize = 8;
/// The longest distribution, in bytes. They have 1 to 6 KB.
const LONGEST: usize = 64 << 10;

/// What a run has of the times that are `asked` for.
pub(super) fn times(run: &Run, asked: &[Subject]) -> Times {
    let view = run.view();
    let mut kept = Times::new();
    for metric in asked.iter().flat_map(metrics) {
        if kept.len() < MOST && !kept.contains_key(metric) {
            let encoded = view.histogram(metric).and_then(|times| encoded(&times));
            kept.extend(encoded.map(|times| (metric.to_owned(), times)));
        }
    }
    kept
}

/// Adds those of runs that followed.
pub(super) fn add(all: &mut Times, later: Times) {
    for (metric, times) in later {
        let is_full = all.len() >= MOST;
        match all.entry(metric) {
            Entry::Vacant(place) if !is_full => {
                place.insert(times);
            }
            Entry::Vacant(_) => {}
            Entry::Occupied(mut place) => {
                let both = merged([place.get(), &times].into_iter());
                if let Some(both) = both.and_then(|both| encoded(&both)) {
                    place.insert(both);
                }
            }
        }
    }
}

/// What is wrong with those of a file.
pub(super) fn check(times: &Times) -> Result<(), String> {
    if times.len() > MOST {
        return Err(format!(
            "has {} distributions: {MOST} are the most",
            times.len()
        ));
    }
    for (metric, times) in times {
        if !metric.chars().all(is_harmless) {
            return Err(format!(
                "has a distribution of {metric:?}, which is no metric"
            ));
        }
        let broken = |why: String| format!("has a broken distribution of `{metric}`: {why}");
        if times.bytes() > LONGEST {
            return Err(broken(format!("it has more than {} KiB", LONGEST >> 10)));
        }
        times
            .decode()
            .map_err(|error| broken(format!("failed to {error}")))?;
    }
    Ok(())
}

/// What sessions of the past have of the times that these gates are about.
pub fn record(sessions: &[Session], gates: &[BaselineGate]) -> BaselineRecord {
    let mut record = BaselineRecord {
        sessions: sessions.len(),
        times: Vec::new(),
    };
    for metric in gates.iter().flat_map(|gate| metrics(&gate.subject)) {
        if record.times.iter().any(|one| one.metric == metric) {
            continue;
        }
        let of_each = sessions
            .iter()
            .filter_map(|session| session.times.get(metric));
        let of_all = merged(of_each.clone());
        record.times.extend(of_all.map(|times| BaselineTimes {
            metric: metric.to_owned(),
            sessions: of_each.count(),
            times,
        }));
    }
    record.times.truncate(MOST);
    record
}

/// The metrics that a gate looks at.
fn metrics(subject: &Subject) -> impl Iterator<Item = &str> {
    subject.selectors().map(|selector| selector.metric.as_str())
}

/// All of them together; `None` if there is none. What cannot be decoded is left out: [`check`] lets none in.
fn merged<'a>(all: impl Iterator<Item = &'a Encoded>) -> Option<Histogram> {
    let decoded = all.filter_map(|times| times.decode().ok());
    decoded.reduce(|mut all, times| {
        all.merge(&times);
        all
    })
}

/// A distribution as it is kept; `None` if it is too long.
fn encoded(times: &Histogram) -> Option<Encoded> {
    let encoded = Encoded::from(times);
    (encoded.bytes() <= LONGEST).then_some(encoded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(times: &[u64]) -> Encoded {
        let mut all = Histogram::new();
        times.iter().for_each(|ns| all.record(*ns));
        Encoded::from(&all)
    }

    #[test]
    fn runs_of_a_session_are_merged_and_no_more_metrics_than_there_is_room_for() {
        let mut all: Times = (0..MOST - 1)
            .map(|number| (format!("latency.m{number}"), of(&[1_000])))
            .collect();
        let later = [
            ("latency.m0".to_owned(), of(&[2_000, 3_000])),
            ("latency.y".to_owned(), of(&[4_000])),
            ("latency.z".to_owned(), of(&[5_000])),
        ];
        add(&mut all, later.into());
        assert_eq!(all["latency.m0"], of(&[1_000, 2_000, 3_000]));
        assert_eq!(all["latency.m1"], of(&[1_000]));
        assert!(all.contains_key("latency.y") && !all.contains_key("latency.z"));
        assert_eq!(check(&all), Ok(()));
    }

    #[test]
    fn what_is_broken_is_told() {
        let with = |metric: &str, times: &str| -> Times {
            [(metric.to_owned(), serde_json::from_str(times).unwrap())].into()
        };
        let cut = r#"{"count":1,"sum":5,"min":5,"max":5,"hdr":"HISTFAAA"}"#;
        let long = format!(
            r#"{{"count":1,"sum":5,"min":5,"max":5,"hdr":"{}"}}"#,
            "A".repeat(LONGEST)
        );
        let other = r#"{"count":7,"sum":0,"min":null,"max":null}"#;
        for (times, why) in [
            (with("latency.echo", cut), "failed to decode a histogram"),
            (with("latency.echo", &long), "more than 64 KiB"),
            (with("latency.echo", other), "contradicts its count"),
            (with("\u{1b}[31m", other), "which is no metric"),
            (
                (0..=MOST).map(|n| (n.to_string(), of(&[1]))).collect(),
                "8 are the most",
            ),
        ] {
            let error = check(&times).unwrap_err();
            assert!(error.contains(why), "{why}: {error}");
        }
    }
}
