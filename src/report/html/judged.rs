//! Gates with how far they are from their limits, and what the server promised, with a picture of each promise of a time.

use std::collections::BTreeMap;

use super::piece::{Piece, pieces};
use super::room::Room;
use super::tables::CODES;
use crate::report::picture::{
    Judged as Dot, Level, Strip, Survival, Svg, Sweep, Window, gate_bar, times_the_limit,
};
use crate::report::run::Run;
use crate::report::tables::codes;
use crate::report::tables::most;
use crate::report::words::{Stands, expected, origin, seen};
use crate::scenario::PromiseKind;
use crate::units::{counted, cut, human_count, human_ns, visible};
use crate::verdict::{Bounds, CohortEnds, ContractResult, GateResult, Judged, Occurred};

/// The longest text of a gate or promise, in characters.
const LONGEST: usize = 300;

/// Whether something held, in a class, a character and a word.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    pub(super) class: &'static str,
    pub(super) symbol: &'static str,
    pub(super) word: &'static str,
}

impl Mark {
    fn of(stands: Stands) -> Self {
        let (class, word) = match stands {
            Stands::InDoubt => ("maybe", "in doubt"),
            Stands::Open => ("maybe", "not decided"),
            Stands::Held => ("ok", "held"),
            Stands::Broken => ("no", "broken"),
        };
        Self {
            class,
            symbol: stands.symbol(),
            word,
        }
    }
}

/// A row of the table of gates.
pub(super) struct GateRow {
    pub(super) mark: Mark,
    pub(super) gate: String,
    pub(super) seen: Vec<Piece>,
    pub(super) bar: Option<Svg>,
    /// `15.7 × the limit`, where it is above.
    pub(super) far: Option<String>,
}

pub(super) fn gates(run: &Run, room: &Room) -> (Vec<GateRow>, usize) {
    let all = run.verdict.gates.iter().collect();
    let (shown, more) = most(all, room.rows, |gate: &&GateResult| {
        !gate.passed || gate.doubted
    });
    let row = |gate: &GateResult| {
        let both = gate.observed.zip(gate.limit());
        let both = both.map(|(seen, limit)| (seen.value, limit.value));
        GateRow {
            mark: Mark::of(Stands::of_gate(gate)),
            gate: cut(&visible(&gate.gate), LONGEST),
            seen: pieces(&cut(&seen(gate), LONGEST)),
            bar: both.and_then(|(seen, limit)| gate_bar(seen, limit, gate.passed)),
            far: both
                .filter(|_| !gate.passed)
                .and_then(|(seen, limit)| times_the_limit(seen, limit)),
        }
    };
    (shown.into_iter().map(row).collect(), more)
}

/// What one cohort was promised.
pub(super) struct Promised {
    pub(super) cohort: String,
    /// How many connections were looked at, and the preset with its settings if the promises come from one.
    pub(super) about: String,
    pub(super) promises: Vec<Promise>,
}

/// One promise.
pub(super) struct Promise {
    pub(super) mark: Mark,
    pub(super) key: &'static str,
    pub(super) expected: String,
    /// What its times count from.
    pub(super) from: Option<String>,
    /// The times or close codes that were seen.
    pub(super) seen: String,
    pub(super) why: Vec<Piece>,
    pub(super) n: String,
    /// What each connection did; `None` if that was not judged one by one, or is not known any more.
    pub(super) picture: Option<Svg>,
}

pub(super) fn promised(run: &Run, room: &Room) -> (Vec<Promised>, usize) {
    let is_wanted = |promise: &&ContractResult| !promise.passed || promise.doubted;
    let (contracts, more) = most(run.verdict.contracts.iter().collect(), room.rows, is_wanted);
    let mut pictures = room.pictures;
    let groups = contracts.chunk_by(|one, next| one.cohort == next.cohort);
    let group = |group: &[&ContractResult]| {
        let cohort = &group[0].cohort;
        let mut cohorts = run.scenario.cohorts.iter();
        let record = cohorts.find(|record| record.name == *cohort);
        let preset = record.and_then(|record| record.preset.as_deref());
        let ends = run.verdict.ends.iter().find(|ends| ends.cohort == *cohort);
        let size = ends.map(|ends| counted(ends.connections, "connection"));
        let about: Vec<String> = size.into_iter().chain(preset.map(visible)).collect();
        Promised {
            cohort: visible(cohort),
            about: about.join(" · "),
            promises: (group.iter())
                .map(|one| promise(one, ends, &mut pictures))
                .collect(),
        }
    };
    (groups.map(group).collect(), more)
}

fn promise(promise: &ContractResult, ends: Option<&CohortEnds>, room: &mut usize) -> Promise {
    let seen = match (promise.times, promise.contract) {
        (Some(times), _) => {
            let [min, p50, p99, max] =
                [times.min_ns, times.p50_ns, times.p99_ns, times.max_ns].map(|ns| human_ns(ns.0));
            format!("min {min} · p50 {p50} · p99 {p99} · max {max}")
        }
        (None, PromiseKind::Code) => ends.map_or_else(String::new, |ends| codes(ends, CODES)),
        (None, _) => String::new(),
    };
    let drawn = picture(promise);
    let picture = drawn.filter(|picture| picture.as_str().len() <= *room);
    *room -= picture.as_ref().map_or(0, |picture| picture.as_str().len());
    Promise {
        mark: Mark::of(Stands::of_promise(promise)),
        key: promise.contract.key(),
        expected: cut(&visible(&expected(promise)), LONGEST),
        from: promise.from.map(|from| format!("from {}", origin(from))),
        seen,
        why: pieces(&cut(&promise.why, LONGEST)),
        n: human_count(promise.n),
        picture,
    }
}

/// Draws what each connection did against what was promised.
fn picture(promise: &ContractResult) -> Option<Svg> {
    let rows = &promise.evidence.rows;
    let bounds = promise.bounds?;
    if rows.is_empty() {
        return None;
    }
    let words = if promise.passed { "held" } else { "broken" };
    let name = format!("{} {}: {words}", promise.contract.key(), expected(promise));
    Some(match promise.contract {
        PromiseKind::EffectiveTimeout => Sweep {
            window: window(bounds),
            levels: &levels(rows),
        }
        .draw(&name),
        PromiseKind::AliveFor => survival(rows, bounds, &name),
        _ => strip(rows, bounds, &name),
    })
}

fn window(bounds: Bounds) -> Window {
    Window {
        from: Some(bounds.lo_ns.0).filter(|from| *from > 0),
        to: bounds.hi_ns.map(|to| to.0),
    }
}

fn strip(rows: &[Judged], bounds: Bounds, name: &str) -> Svg {
    let seen = rows.iter().filter_map(|row| match row.seen {
        Occurred::After(time) => Some(Dot {
            connection: row.connection.into(),
            ns: time.0,
            held: row.held,
        }),
        _ => None,
    });
    let seen: Vec<Dot> = seen.collect();
    let broken = rows.iter().filter(|row| !row.held).count();
    let broken_dots = seen.iter().filter(|dot| !dot.held).count();
    let strip = Strip {
        window: window(bounds),
        seen: &seen,
        not_seen: (broken - broken_dots) as u64,
    };
    strip.draw(name)
}

fn survival(rows: &[Judged], bounds: Bounds, name: &str) -> Svg {
    let ended = rows.iter().filter_map(|row| match row.seen {
        Occurred::After(time) => Some(time.0),
        _ => None,
    });
    let watched = rows.iter().filter_map(|row| match row.seen {
        Occurred::NotIn(watched) => Some(watched.0),
        _ => None,
    });
    let (ended, watched): (Vec<u64>, Vec<u64>) = (ended.collect(), watched.collect());
    let looked = watched.iter().chain(&ended).max().copied();
    let survival = Survival {
        promised: bounds.lo_ns.0,
        ended: &ended,
        open: watched.len() as u64,
        looked: looked.unwrap_or(bounds.lo_ns.0),
    };
    survival.draw(name)
}

/// How many connections survived each level.
fn levels(rows: &[Judged]) -> Vec<Level> {
    let mut levels: BTreeMap<u64, Level> = BTreeMap::new();
    for row in rows {
        let ns = row.level_ns.map_or(0, |level| level.0);
        let level = levels.entry(ns).or_insert(Level {
            ns,
            survived: 0,
            cut_off: 0,
        });
        match row.seen {
            Occurred::After(_) => level.cut_off += 1,
            _ => level.survived += 1,
        }
    }
    levels.into_values().collect()
}
