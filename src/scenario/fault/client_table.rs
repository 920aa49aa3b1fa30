//! Turns `[cohort.fault]` as the user wrote it into faults: the keys of each kind, their defaults, and what is refused.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use strum::VariantArray as _;

use super::client::{Activity, Fault, FaultKind, FaultWord, Illegal, Sweep};
use crate::scenario::file::Key;
use crate::scenario::reading::words::one_of;
use crate::scenario::reading::{At, Check, Place, Several, Short, Time, TimeOrZero, Whole};

pub(super) const KEY: &str = "cohort.fault";
const MAX_FAULTS: usize = 16;
const SECOND: Duration = Duration::from_secs(1);

/// One duration for all connections of a cohort, or several that they take in turn.
type DelayOrSweep = Short<Time, SweepTable>;

/// One thing that a client does wrong on purpose.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a fault such as { kind = \"no_pong\" }, or a list of them"
)]
#[schemars(rename = "Fault")]
pub(in crate::scenario) struct FaultTable {
    /// What the client does. Required.
    kind: Key<FaultWord>,
    /// The time from the 101 to the start of the fault. Default "0s".
    pub(in crate::scenario) after: Key<TimeOrZero>,
    /// From a ping to its pong: one duration, or { from, to, levels }. Required with `late_pong`, only there.
    delay: Key<DelayOrSweep>,
    /// The number of pings that are answered. Required with `pong_stops_after`, only there.
    pings: Key<Whole<0, { u32::MAX }>>,
    /// What is sent. Required with `only` and `illegal_frame`, only there.
    frame: Key<FrameWord>,
    /// Between two frames of `only` (a duration, or { from, to, levels }), or two bytes of `trickle`. Default "1s".
    every: Key<DelayOrSweep>,
    /// Between the two `fragments` of a message. Default "500ms".
    pause: Key<Time>,
    /// How long a client that does `vanish` is gone. Default: for good.
    #[serde(rename = "for")]
    lasts: Key<Time>,
    /// The codes that `close` sends, one or a list that connections take in turn; 0 is an empty Close. Default 1000.
    code: Key<Several<Whole<0, 4999>>>,
}

/// A kind of frame: for `only` or for `illegal_frame`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Frame")]
enum FrameWord {
    Legal(Activity),
    Illegal(Illegal),
}

/// Durations that connections take in turn, from the shortest to the longest.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(rename = "Sweep")]
struct SweepTable {
    /// The shortest. Required.
    from: Key<Time>,
    /// The longest. Required.
    to: Key<Time>,
    /// The number of durations, at equal distances. Default 16.
    levels: Key<Whole<2, 1000>>,
}

impl FaultWord {
    /// The keys of this kind besides `kind` and `after`.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::LatePong => &["delay"],
            Self::PongStopsAfter => &["pings"],
            Self::Only => &["frame", "every"],
            Self::IllegalFrame => &["frame"],
            Self::Trickle => &["every"],
            Self::Fragments => &["pause"],
            Self::Vanish => &["for"],
            Self::Close => &["code"],
            _ => &[],
        }
    }
}

/// Resolves the faults of one cohort; `None` if one is invalid.
pub(in crate::scenario) fn faults(
    check: &mut Check<'_>,
    given: &Key<Several<FaultTable>>,
) -> Option<Vec<Fault>> {
    let Some(given) = given else {
        return Some(Vec::new());
    };
    let tables = Several::each(given);
    if tables.len() > MAX_FAULTS {
        let what = format_args!("has more than {MAX_FAULTS} faults");
        check.problem(KEY, &given.place, what);
        return None;
    }
    let faults: Vec<_> = (tables.iter())
        .map(|(place, table)| Written { place, table }.fault(check))
        .collect();
    let faults: Vec<Fault> = faults.into_iter().collect::<Option<_>>()?;
    let places: Vec<&Place> = tables.iter().map(|(place, _)| *place).collect();
    super::clash::between(check, &faults, &places);
    Some(faults)
}

/// One table and its place.
struct Written<'a> {
    place: &'a Place,
    table: &'a FaultTable,
}

impl Written<'_> {
    fn fault(&self, check: &mut Check<'_>) -> Option<Fault> {
        let Some(word) = &self.table.kind else {
            let hint = "write `kind = \"no_pong\"`";
            check.missing(self.place, "cohort.fault.kind", hint);
            return None;
        };
        self.foreign_keys(check, word.value);
        let after = self.table.after.as_ref();
        Some(Fault {
            kind: self.kind(check, word.value)?,
            after: after.map_or(Duration::ZERO, |after| after.value.0),
        })
    }

    /// Notes keys that belong to other kinds.
    fn foreign_keys(&self, check: &mut Check<'_>, word: FaultWord) {
        fn place<T>(key: &Key<T>) -> Option<&Place> {
            key.as_ref().map(|key| &key.place)
        }
        let keys = self.table;
        let given = [
            ("delay", place(&keys.delay)),
            ("pings", place(&keys.pings)),
            ("frame", place(&keys.frame)),
            ("every", place(&keys.every)),
            ("pause", place(&keys.pause)),
            ("for", place(&keys.lasts)),
            ("code", place(&keys.code)),
        ];
        for (key, place) in given {
            if !word.keys().contains(&key) {
                let takers = FaultWord::VARIANTS.iter();
                let takers = takers.filter(|word| word.keys().contains(&key));
                let names: Vec<String> = takers
                    .map(|word| format!("`{}`", <&str>::from(word)))
                    .collect();
                let because = format!("is only for {}", names.join(" and "));
                let key = format!("{KEY}.{key}");
                check.excluded(&[(&key, place)], &because, "leave it out");
            }
        }
    }

    fn kind(&self, check: &mut Check<'_>, word: FaultWord) -> Option<FaultKind> {
        let keys = self.table;
        Some(match word {
            FaultWord::NoPong => FaultKind::NoPong,
            FaultWord::NeverClose => FaultKind::NeverClose,
            FaultWord::LatePong => FaultKind::LatePong {
                delay: self
                    .required(check, "delay", &keys.delay, "delay = \"300ms\"")
                    .and_then(|delay| sweep(check, "delay", delay))?,
            },
            FaultWord::PongStopsAfter => {
                let pings = self.required(check, "pings", &keys.pings, "pings = 3")?;
                FaultKind::PongStopsAfter {
                    pings: pings.value.0,
                }
            }
            FaultWord::WrongPong => FaultKind::WrongPong,
            FaultWord::Only => self.only(check)?,
            FaultWord::StopReading => FaultKind::StopReading,
            FaultWord::Trickle => FaultKind::Trickle {
                every: self.one_duration(check)?,
            },
            FaultWord::Fragments => FaultKind::Fragments {
                pause: keys
                    .pause
                    .as_ref()
                    .map_or(SECOND / 2, |pause| pause.value.0),
            },
            FaultWord::HalfClose => FaultKind::HalfClose,
            FaultWord::Reset => FaultKind::Reset,
            FaultWord::Vanish => FaultKind::Vanish {
                lasts: keys.lasts.as_ref().map(|time| time.value.0),
            },
            FaultWord::IllegalFrame => self.illegal(check)?,
            FaultWord::Close => self.close(check),
            FaultWord::Hold => FaultKind::Hold,
        })
    }

    fn required<'k, T>(
        &self,
        check: &mut Check<'_>,
        key: &str,
        value: &'k Key<T>,
        example: &str,
    ) -> Option<&'k At<T>> {
        if value.is_none() {
            let hint = format!("write `{example}`");
            check.missing(self.place, &format!("{KEY}.{key}"), &hint);
        }
        value.as_ref()
    }

    fn only(&self, check: &mut Check<'_>) -> Option<FaultKind> {
        let frame = self.required(check, "frame", &self.table.frame, "frame = \"ping\"")?;
        let FrameWord::Legal(activity) = frame.value else {
            let what = "is a frame for `illegal_frame`, not for `only`";
            let words = Activity::VARIANTS.iter().map(<&str>::from);
            let hint = format!("use {}", one_of(words));
            check.problem_with_hint("cohort.fault.frame", &frame.place, what, hint);
            return None;
        };
        if activity == Activity::Nothing {
            let every = self.table.every.as_ref().map(|every| &every.place);
            let because = "has no meaning for who sends nothing";
            check.excluded(&[("cohort.fault.every", every)], because, "leave it out");
        }
        Some(FaultKind::Only {
            frame: activity,
            every: match &self.table.every {
                Some(every) => sweep(check, "every", every)?,
                None => SECOND.into(),
            },
        })
    }

    fn one_duration(&self, check: &mut Check<'_>) -> Option<Duration> {
        match &self.table.every {
            None => Some(SECOND),
            Some(At {
                value: Short::Value(time),
                ..
            }) => Some(time.0),
            Some(At { place, .. }) => {
                let hint = "write `every = \"1s\"`";
                check.problem_with_hint("cohort.fault.every", place, "is one duration here", hint);
                None
            }
        }
    }

    fn illegal(&self, check: &mut Check<'_>) -> Option<FaultKind> {
        let frame = self.required(check, "frame", &self.table.frame, "frame = \"long_ping\"")?;
        let FrameWord::Illegal(illegal) = frame.value else {
            let what = "is a frame for `only`, not for `illegal_frame`";
            let words = Illegal::VARIANTS.iter().map(<&str>::from);
            let hint = format!("use {}", one_of(words));
            check.problem_with_hint("cohort.fault.frame", &frame.place, what, hint);
            return None;
        };
        Some(FaultKind::IllegalFrame(illegal))
    }

    fn close(&self, check: &mut Check<'_>) -> FaultKind {
        const CODE: &str = "cohort.fault.code";
        let Some(given) = &self.table.code else {
            let codes = vec![Some(1000)];
            return FaultKind::Close { codes };
        };
        let mut codes = Vec::new();
        for (place, code) in Several::each(given) {
            match code.0 as u16 {
                0 => codes.push(None),
                code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => codes.push(Some(code)),
                code => {
                    let what = format_args!(
                        "cannot be {code}, which no client may send (RFC 6455 section 7.4)"
                    );
                    let hint = "use 1000, 1001 or 3000 to 4999, or 0 for an empty Close; \
                        a bad one is `kind = \"illegal_frame\", frame = \"bad_close_code\"`";
                    check.problem_with_hint(CODE, place, what, hint);
                }
            }
        }
        if codes.is_empty() {
            check.empty(&given.place, CODE, "write `code = 1000`");
        }
        FaultKind::Close { codes }
    }
}

/// The levels of a sweep, at equal distances.
fn sweep(check: &mut Check<'_>, key: &str, given: &At<DelayOrSweep>) -> Option<Sweep> {
    const LEVELS: u32 = 16;
    let table = match &given.value {
        Short::Value(time) => return Some(time.0.into()),
        Short::Table(table) => table,
    };
    for (end, value) in [("from", &table.from), ("to", &table.to)] {
        if value.is_none() {
            let hint =
                format!("write `{key} = {{ from = \"100ms\", to = \"2s\", levels = {LEVELS} }}`");
            check.missing(&given.place, &format!("{KEY}.{key}.{end}"), &hint);
        }
    }
    let (from, to) = (table.from.as_ref()?.value.0, table.to.as_ref()?);
    if to.value.0 <= from {
        let what = format_args!("is not longer than `{KEY}.{key}.from`");
        check.problem(&format!("{KEY}.{key}.to"), &to.place, what);
        return None;
    }
    let steps = table.levels.as_ref().map_or(LEVELS, |count| count.value.0) - 1;
    let step = |index: u32| from + (to.value.0 - from).mul_f64(f64::from(index) / f64::from(steps));
    Some(Sweep {
        levels: (0..=steps).map(step).collect(),
    })
}
