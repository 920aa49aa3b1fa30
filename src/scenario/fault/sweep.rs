//! Durations of a fault that the connections of a cohort take in turn.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use crate::scenario::reading::{At, Key, Section, Shorthand, Time, Whole, keys};
use crate::units::{counted, format_duration};

/// One delay for all connections of a cohort, or several that they take in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// The delays from the shortest to the longest. Never empty.
    pub levels: Vec<Duration>,
}

keys! {
    /// Durations that connections take in turn, from the shortest to the longest.
    #[serde(expecting = "a table")]
    SweepTable = "Sweep" {
        /// The shortest. Required.
        from: Time,
        /// The longest. Required.
        to: Time,
        /// The number of durations, at equal distances.
        levels: Whole<2, 1000> = Whole(16),
    }
}

/// One duration for all connections of a cohort, or several that they take in turn.
pub(super) type DelayOrSweep = Shorthand<Time, SweepTable>;

impl Sweep {
    /// The delay of the connection at this index in its cohort.
    pub fn at(&self, place: u32) -> Duration {
        self.levels[place as usize % self.levels.len()]
    }
}

impl From<Duration> for Sweep {
    fn from(delay: Duration) -> Self {
        Self {
            levels: vec![delay],
        }
    }
}

/// Resolves a sweep, with levels at equal distances; one second where the key was left out.
pub(super) fn resolve(
    section: &mut Section<'_, '_>,
    key: &str,
    given: &Key<DelayOrSweep>,
) -> Option<Sweep> {
    let (place, keys) = match given {
        None => return Some(Duration::from_secs(1).into()),
        Some(At { value, place }) => match value {
            Shorthand::Value(time) => return Some(time.0.into()),
            Shorthand::Table(keys) => (place, keys),
        },
    };
    let (path, check) = (&section.key(key), &mut *section.check);
    let mut section = Section { check, path, place };
    let hint = format!("write `{key} = {{ from = \"100ms\", to = \"2s\", levels = 16 }}`");
    let from = section.required("from", &keys.from, &hint);
    let to = section.required("to", &keys.to, &hint);
    let (from, to) = (from?.0, to?.0);
    if to <= from {
        let what = format_args!("is not longer than `{path}.from`");
        section.wrong("to", &keys.to, what, None);
        return None;
    }
    let steps = keys.levels().0 - 1;
    let step = |index: u32| from + (to - from).mul_f64(f64::from(index) / f64::from(steps));
    let levels = (0..=steps).map(step).collect();
    Some(Sweep { levels })
}

impl Display for Sweep {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let shown = |at: u32| format_duration(self.at(at));
        match self.levels.len() {
            0 | 1 => f.write_str(&shown(0)),
            levels => write!(
                f,
                "{} to {} in {}",
                shown(0),
                shown(levels as u32 - 1),
                counted(levels as u64, "level")
            ),
        }
    }
}
