//! Turns `[cohort.fault]` as the user wrote it into faults: the keys of each kind, their defaults, and what is refused.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use strum::VariantArray as _;

use super::Measured;
use super::client::{Activity, Fault, FaultKind, FaultWord, Illegal, Sweep};
use crate::scenario::reading::hints::one_of;
use crate::scenario::reading::{
    At, Check, Given as _, Key, OneOrMany, Place, Section, Shorthand, Time, TimeOrZero, Whole,
    given, keys,
};

pub(super) const KEY: &str = "cohort.fault";
const MAX_FAULTS: usize = 16;
const SECOND: Duration = Duration::from_secs(1);

/// One duration for all connections of a cohort, or several that they take in turn.
type DelayOrSweep = Shorthand<Time, SweepTable>;

keys! {
    /// One thing that a client does wrong on purpose.
    #[serde(expecting = "a fault such as { kind = \"no_pong\" }, or a list of them")]
    FaultTable = "Fault" {
        /// What the client does. Required.
        kind: FaultWord,
        /// The time from the 101 to the start of the fault.
        after: TimeOrZero = TimeOrZero::ZERO,
        /// From a ping to its pong: one duration, or { from, to, levels }. Required with `late_pong`, only there.
        delay: DelayOrSweep,
        /// The number of pings that are answered. Required with `pong_stops_after`, only there.
        pings: Whole<0, { u32::MAX }>,
        /// What is sent. Required with `only` and `illegal_frame`, only there.
        frame: FrameWord,
        /// Between two frames of `only` (a duration, or { from, to, levels }), or two bytes of `trickle`. Default "1s".
        every: DelayOrSweep,
        /// Between the two `fragments` of a message.
        pause: Time = Time::millis(500),
        /// How long a client that does `vanish` is gone. Default: for good.
        r#for: Time,
        /// The codes that `close` sends, one or a list that connections take in turn; 0 is an empty Close. Default 1000.
        code: OneOrMany<Whole<0, 4999>>,
    }
}

/// A kind of frame: for `only` or for `illegal_frame`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Frame")]
pub(in crate::scenario) enum FrameWord {
    Legal(Activity),
    Illegal(Illegal),
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

/// Resolves the faults of one cohort; `None` if one is invalid. `measured` is `None` if the load is invalid.
pub(in crate::scenario) fn faults(
    check: &mut Check<'_>,
    given: &Key<OneOrMany<FaultTable>>,
    measured: Option<Measured>,
) -> Option<Vec<Fault>> {
    let Some(given) = given else {
        return Some(Vec::new());
    };
    let tables = OneOrMany::each(given);
    if tables.len() > MAX_FAULTS {
        let what = format_args!("has more than {MAX_FAULTS} faults");
        check.problem(KEY, &given.place, what, None);
        return None;
    }
    let mut faults = Vec::new();
    for (place, table) in &tables {
        if let (Some(after), Some(measured)) = (&table.after, measured) {
            let key = format!("{KEY}.after");
            measured.must_hold_after_opening(check, &key, &after.place, after.value.0);
        }
        let (path, check) = (KEY, &mut *check);
        faults.push(table.resolve(&mut Section { check, path, place }));
    }
    let faults: Vec<Fault> = faults.into_iter().collect::<Option<_>>()?;
    let places: Vec<&Place> = tables.iter().map(|(place, _)| *place).collect();
    super::clash::between(check, &faults, &places);
    Some(faults)
}

impl FaultTable {
    fn resolve(&self, section: &mut Section<'_, '_>) -> Option<Fault> {
        let word = section.required("kind", &self.kind, "write `kind = \"no_pong\"`")?;
        self.foreign_keys(section, word);
        Some(Fault {
            kind: self.kind(section, word)?,
            after: self.after().0,
        })
    }

    /// Notes keys that belong to other kinds.
    fn foreign_keys(&self, section: &mut Section<'_, '_>, word: FaultWord) {
        for given in given!(self; delay, pings, frame, every, pause, r#for, code) {
            let has_key = |word: &&FaultWord| word.keys().contains(&given.0);
            if !has_key(&&word) {
                let names = FaultWord::VARIANTS.iter().filter(has_key);
                let names: Vec<_> = names.map(|word| format!("`{}`", word.name())).collect();
                let because = format!("is only for {}", names.join(" and "));
                section.excluded(&[given], &because, "leave it out");
            }
        }
    }

    fn kind(&self, section: &mut Section<'_, '_>, word: FaultWord) -> Option<FaultKind> {
        Some(match word {
            FaultWord::NoPong => FaultKind::NoPong,
            FaultWord::NeverClose => FaultKind::NeverClose,
            FaultWord::LatePong => {
                section.required("delay", &self.delay, "write `delay = \"300ms\"`")?;
                let delay = sweep(section, "delay", &self.delay)?;
                FaultKind::LatePong { delay }
            }
            FaultWord::PongStopsAfter => {
                let pings = section.required("pings", &self.pings, "write `pings = 3`")?;
                FaultKind::PongStopsAfter { pings: pings.0 }
            }
            FaultWord::WrongPong => FaultKind::WrongPong,
            FaultWord::Only => self.only(section)?,
            FaultWord::StopReading => FaultKind::StopReading,
            FaultWord::Trickle => match &self.every {
                Some(At {
                    value: Shorthand::Table(_),
                    ..
                }) => {
                    let hint = "write `every = \"1s\"`";
                    section.wrong("every", &self.every, "is one duration here", hint);
                    return None;
                }
                _ => FaultKind::Trickle {
                    every: sweep(section, "every", &self.every)?.at(0),
                },
            },
            FaultWord::Fragments => FaultKind::Fragments {
                pause: self.pause().0,
            },
            FaultWord::HalfClose => FaultKind::HalfClose,
            FaultWord::Reset => FaultKind::Reset,
            FaultWord::Vanish => FaultKind::Vanish {
                lasts: self.r#for.value(),
            },
            FaultWord::IllegalFrame => {
                let hint = "write `frame = \"long_ping\"`";
                match section.required("frame", &self.frame, hint)? {
                    FrameWord::Illegal(frame) => FaultKind::IllegalFrame(frame),
                    FrameWord::Legal(_) => {
                        let what = "is a frame for `only`, not for `illegal_frame`";
                        return self.wrong_frame(section, what, Illegal::ALL);
                    }
                }
            }
            FaultWord::Close => self.close(section),
            FaultWord::Hold => FaultKind::Hold,
        })
    }

    fn only(&self, section: &mut Section<'_, '_>) -> Option<FaultKind> {
        let frame = section.required("frame", &self.frame, "write `frame = \"ping\"`")?;
        let FrameWord::Legal(frame) = frame else {
            let what = "is a frame for `illegal_frame`, not for `only`";
            return self.wrong_frame(section, what, Activity::ALL);
        };
        if frame == Activity::Nothing {
            let because = "has no meaning for who sends nothing";
            section.excluded(&given!(self; every), because, "leave it out");
        }
        let every = sweep(section, "every", &self.every)?;
        Some(FaultKind::Only { frame, every })
    }

    fn wrong_frame<T: Copy + Into<&'static str>>(
        &self,
        section: &mut Section<'_, '_>,
        what: &str,
        words: &[T],
    ) -> Option<FaultKind> {
        let hint = format!("use {}", one_of(words.iter().map(|word| (*word).into())));
        section.wrong("frame", &self.frame, what, hint);
        None
    }

    fn close(&self, section: &mut Section<'_, '_>) -> FaultKind {
        const KEY: &str = "code";
        let Some(given) = &self.code else {
            let codes = vec![Some(1000)];
            return FaultKind::Close { codes };
        };
        let mut codes = Vec::new();
        for (place, code) in OneOrMany::each(given) {
            match code.0 as u16 {
                0 => codes.push(None),
                code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => codes.push(Some(code)),
                code => {
                    let what = format_args!(
                        "cannot be {code}, which no client may send (RFC 6455 section 7.4)"
                    );
                    let hint = "use 1000, 1001 or 3000 to 4999, or 0 for an empty Close; \
                        a bad one is `kind = \"illegal_frame\", frame = \"bad_close_code\"`";
                    section.wrong_at(KEY, place, what, hint);
                }
            }
        }
        if codes.is_empty() {
            let hint = "write `code = 1000`";
            section.check.empty(&given.place, &section.key(KEY), hint);
        }
        FaultKind::Close { codes }
    }
}

/// The levels of a sweep, at equal distances; one second where the key was left out.
fn sweep(section: &mut Section<'_, '_>, key: &str, given: &Key<DelayOrSweep>) -> Option<Sweep> {
    let (place, keys) = match given {
        None => return Some(SECOND.into()),
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
