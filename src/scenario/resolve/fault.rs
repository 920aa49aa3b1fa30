//! A cohort's `fault`: what its clients do wrong, and what cannot be done at the same time.

use std::mem::discriminant;
use std::time::Duration;

use super::load::{time_or, zero_or};
use crate::scenario::file::{DelayOrSweep, FaultTable, FaultWord, FrameWord, Key};
use crate::scenario::model::{Activity, Cohort, Fault, FaultKind, OnDead, Sweep};
use crate::scenario::reading::{At, Check, Place, Several, Short};

const KEY: &str = "cohort.fault";
const MAX_FAULTS: usize = 16;
const SECOND: Duration = Duration::from_secs(1);

/// Resolves the faults of one cohort; `None` where one cannot be.
pub(super) fn faults(
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
    let faults: Vec<_> = tables
        .iter()
        .map(|(place, table)| fault(check, place, table))
        .collect();
    let faults: Vec<Fault> = faults.into_iter().collect::<Option<_>>()?;
    for (index, (one, (place, _))) in faults.iter().zip(&tables).enumerate() {
        if let Some(rival) = faults[..index]
            .iter()
            .find(|other| exclude(&one.kind, &other.kind))
        {
            let what = match one.kind.name() == rival.kind.name() {
                true => format!("is given twice: `{}`", one.kind.name()),
                false => format!(
                    "cannot be both `{}` and `{}`",
                    rival.kind.name(),
                    one.kind.name()
                ),
            };
            check.problem_with_hint(
                KEY,
                place,
                what,
                "leave out one of them, or use two cohorts",
            );
        }
    }
    Some(faults)
}

/// Notes what a cohort is to send although a fault lets it send nothing else, or end although it is to be silent.
/// `own` are the keys of the cohort, for the place.
pub(super) fn check(check: &mut Check<'_>, given: &Key<Several<FaultTable>>, cohort: &Cohort) {
    let Some(given) = given else {
        return;
    };
    for (fault, (place, _)) in cohort.faults.iter().zip(Several::each(given)) {
        let name = fault.kind.name();
        let alone = matches!(
            fault.kind,
            FaultKind::Only { .. } | FaultKind::Trickle { .. }
        );
        if alone && !cohort.messages.is_empty() {
            let what =
                format_args!("cannot be `{name}` in a cohort with messages: it sends nothing else");
            check.problem_with_hint(KEY, place, what, "write `message = []` in this cohort");
        }
        if alone && cohort.heartbeat.is_some() {
            let what = format_args!(
                "cannot be `{name}` in a cohort with a heartbeat: it sends nothing else"
            );
            check.problem_with_hint(
                KEY,
                place,
                what,
                "write `heartbeat = \"off\"` in this cohort",
            );
        }
        let deaf = matches!(
            fault.kind,
            FaultKind::StopReading | FaultKind::Vanish { lasts: None }
        );
        let gives_up =
            |heartbeat: &crate::scenario::model::Heartbeat| heartbeat.on_dead != OnDead::Keep;
        if deaf && cohort.heartbeat.as_ref().is_some_and(gives_up) {
            let what = format_args!(
                "cannot be `{name}` in a cohort whose own heartbeat would end the connection"
            );
            let hint = "write `heartbeat = \"off\"` in this cohort, or `on_dead = \"keep\"` in its heartbeat";
            check.problem_with_hint(KEY, place, what, hint);
        }
    }
}

/// Whether one client cannot do both.
fn exclude(one: &FaultKind, other: &FaultKind) -> bool {
    let answers = |kind: &FaultKind| {
        matches!(
            kind,
            FaultKind::NoPong
                | FaultKind::LatePong { .. }
                | FaultKind::PongStopsAfter { .. }
                | FaultKind::WrongPong
                | FaultKind::Only { .. }
        )
    };
    let sends = |kind: &FaultKind| {
        matches!(
            kind,
            FaultKind::Only { .. } | FaultKind::Trickle { .. } | FaultKind::Fragments { .. }
        )
    };
    discriminant(one) == discriminant(other)
        || (answers(one) && answers(other))
        || (sends(one) && sends(other))
}

fn fault(check: &mut Check<'_>, place: &Place, table: &FaultTable) -> Option<Fault> {
    let Some(kind) = &table.kind else {
        check.missing(place, "cohort.fault.kind", "write `kind = \"no_pong\"`");
        return None;
    };
    foreign_keys(check, kind.value, table);
    Some(Fault {
        kind: Part { place, table }.kind(check, kind.value)?,
        after: zero_or(table.after.as_ref(), Duration::ZERO),
    })
}

/// Notes keys that go with other kinds.
fn foreign_keys(check: &mut Check<'_>, kind: FaultWord, table: &FaultTable) {
    use FaultWord::{
        Close, Fragments, IllegalFrame, LatePong, Only, PongStopsAfter, Trickle, Vanish,
    };
    fn place<T>(key: &Key<T>) -> Option<&Place> {
        key.as_ref().map(|key| &key.place)
    }
    let keys: [(&str, Option<&Place>, &[FaultWord], &str); 7] = [
        ("delay", place(&table.delay), &[LatePong], "`late_pong`"),
        (
            "pings",
            place(&table.pings),
            &[PongStopsAfter],
            "`pong_stops_after`",
        ),
        (
            "frame",
            place(&table.frame),
            &[Only, IllegalFrame],
            "`only` and `illegal_frame`",
        ),
        (
            "every",
            place(&table.every),
            &[Only, Trickle],
            "`only` and `trickle`",
        ),
        ("pause", place(&table.pause), &[Fragments], "`fragments`"),
        ("for", place(&table.lasts), &[Vanish], "`vanish`"),
        ("code", place(&table.code), &[Close], "`close`"),
    ];
    for (key, place, kinds, names) in keys {
        if !kinds.contains(&kind) {
            let because = format!("is only for {names}");
            check.excluded(
                &[(&format!("{KEY}.{key}"), place)],
                &because,
                "leave it out",
            );
        }
    }
}

/// One table, and where it is.
struct Part<'a> {
    place: &'a Place,
    table: &'a FaultTable,
}

impl Part<'_> {
    fn kind(&self, check: &mut Check<'_>, kind: FaultWord) -> Option<FaultKind> {
        let keys = self.table;
        Some(match kind {
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
                pause: time_or(keys.pause.as_ref(), Duration::from_millis(500)),
            },
            FaultWord::HalfClose => FaultKind::HalfClose,
            FaultWord::Reset => FaultKind::Reset,
            FaultWord::Vanish => FaultKind::Vanish {
                lasts: keys.lasts.as_ref().map(|time| time.value.0),
            },
            FaultWord::IllegalFrame => self.illegal(check)?,
            FaultWord::Close => self.close(check)?,
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
            check.missing(
                self.place,
                &format!("{KEY}.{key}"),
                &format!("write `{example}`"),
            );
        }
        value.as_ref()
    }

    fn only(&self, check: &mut Check<'_>) -> Option<FaultKind> {
        let frame = self.required(check, "frame", &self.table.frame, "frame = \"ping\"")?;
        let FrameWord::Legal(activity) = frame.value else {
            let what = "is a frame for `illegal_frame`, not for `only`";
            let hint =
                "use `nothing`, `pong`, `unsolicited_pong`, `ping`, `text`, `empty_text` or `byte`";
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
                None => Sweep {
                    levels: vec![SECOND],
                },
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
                let what = "is one duration here";
                check.problem_with_hint(
                    "cohort.fault.every",
                    place,
                    what,
                    "write `every = \"1s\"`",
                );
                None
            }
        }
    }

    fn illegal(&self, check: &mut Check<'_>) -> Option<FaultKind> {
        let frame = self.required(check, "frame", &self.table.frame, "frame = \"long_ping\"")?;
        let FrameWord::Illegal(illegal) = frame.value else {
            let what = "is a frame for `only`, not for `illegal_frame`";
            let hint = "use `long_ping`, `fragmented_ping`, `bad_close_code`, `bad_utf8`, `unmasked` or `reserved_opcode`";
            check.problem_with_hint("cohort.fault.frame", &frame.place, what, hint);
            return None;
        };
        Some(FaultKind::IllegalFrame(illegal))
    }

    fn close(&self, check: &mut Check<'_>) -> Option<FaultKind> {
        const CODE: &str = "cohort.fault.code";
        let Some(given) = &self.table.code else {
            return Some(FaultKind::Close {
                codes: vec![Some(1000)],
            });
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
        Some(FaultKind::Close { codes })
    }
}

/// The levels of a sweep, evenly apart.
fn sweep(check: &mut Check<'_>, key: &str, given: &At<DelayOrSweep>) -> Option<Sweep> {
    const LEVELS: u32 = 16;
    let table = match &given.value {
        Short::Value(time) => {
            return Some(Sweep {
                levels: vec![time.0],
            });
        }
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
