//! Gates with how far they are from their limits, and what the server promised.

use crate::report::picture::{Svg, gate_bar, times_the_limit};
use crate::report::run::Run;
use crate::report::words::{expected, origin, seen};
use crate::units::{human_count, human_ns, visible};
use crate::verdict::{ContractResult, GateResult};

/// Whether something held, in a class, a character and a word.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    pub(super) class: &'static str,
    pub(super) symbol: &'static str,
    pub(super) word: &'static str,
}

impl Mark {
    fn of(passed: bool, doubted: bool) -> Self {
        let (class, symbol, word) = match (passed, doubted) {
            (_, true) => ("maybe", "?", "in doubt"),
            (true, false) => ("ok", "✓", "held"),
            (false, false) => ("no", "✗", "broken"),
        };
        Self {
            class,
            symbol,
            word,
        }
    }
}

/// A row of the table of gates.
pub(super) struct GateRow {
    pub(super) mark: Mark,
    pub(super) gate: String,
    pub(super) seen: String,
    pub(super) bar: Option<Svg>,
    /// `15.7 × the limit`, where it is above.
    pub(super) far: Option<String>,
}

pub(super) fn gates(run: &Run) -> Vec<GateRow> {
    let row = |gate: &GateResult| {
        let both = gate.observed.zip(gate.limit());
        let both = both.map(|(seen, limit)| (seen.value, limit.value));
        GateRow {
            mark: Mark::of(gate.passed, gate.doubted),
            gate: visible(&gate.gate),
            seen: visible(&seen(gate)),
            bar: both.and_then(|(seen, limit)| gate_bar(seen, limit, gate.passed)),
            far: both
                .filter(|_| !gate.passed)
                .and_then(|(seen, limit)| times_the_limit(seen, limit)),
        }
    };
    run.verdict.gates.iter().map(row).collect()
}

/// What one cohort was promised.
pub(super) struct Promised {
    pub(super) cohort: String,
    /// The preset and its settings, if they come from one.
    pub(super) preset: String,
    pub(super) promises: Vec<Promise>,
}

/// One promise.
pub(super) struct Promise {
    pub(super) mark: Mark,
    pub(super) key: &'static str,
    pub(super) expected: String,
    /// What its times count from.
    pub(super) from: Option<String>,
    /// The times that were seen.
    pub(super) times: String,
    pub(super) why: String,
    pub(super) n: String,
}

pub(super) fn promised(run: &Run) -> Vec<Promised> {
    let contracts = &run.verdict.contracts;
    let groups = contracts.chunk_by(|one, next| one.cohort == next.cohort);
    let group = |group: &[ContractResult]| {
        let cohort = &group[0].cohort;
        let mut cohorts = run.scenario.cohorts.iter();
        let record = cohorts.find(|record| record.name == *cohort);
        let preset = record.and_then(|record| record.preset.as_deref());
        Promised {
            cohort: cohort.clone(),
            preset: preset.map(visible).unwrap_or_default(),
            promises: group.iter().map(promise).collect(),
        }
    };
    groups.map(group).collect()
}

fn promise(promise: &ContractResult) -> Promise {
    let times = promise.times.map(|times| {
        let [min, p50, p99, max] =
            [times.min_ns, times.p50_ns, times.p99_ns, times.max_ns].map(|ns| human_ns(ns.0));
        format!("{min} · p50 {p50} · p99 {p99} · {max}")
    });
    Promise {
        mark: Mark::of(promise.passed, promise.doubted),
        key: promise.contract.key(),
        expected: visible(&expected(promise)),
        from: promise.from.map(|from| format!("from {}", origin(from))),
        times: times.unwrap_or_default(),
        why: visible(&promise.why),
        n: human_count(promise.n),
    }
}
