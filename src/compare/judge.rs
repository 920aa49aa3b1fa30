//! Judges gates on a baseline: only where the whole interval is beyond the limit is something worse.

use super::session::Session;
use super::stat::{Difference, FEWEST_PAIRS, FEWEST_SESSIONS, from_history, from_pairs, mean};
use super::values::measure_of;
use crate::scenario::{BaselineGate, Subject};
use crate::units::{are, counted};
use crate::verdict::{Against, GateResult, Measure, Observed, Standing};

/// What is compared with what.
#[derive(Debug, Clone, PartialEq)]
pub enum Evidence {
    /// Sessions of the past on this machine, and new ones.
    History {
        /// Those of the past.
        base: Vec<Session>,
        /// How many more there are of other machines.
        elsewhere: usize,
        /// The new ones. At least one.
        new: Vec<Session>,
    },
    /// Runs of one session that took turns: the first of the one with the first of the other.
    Pairs {
        /// Against the server of the past.
        base: Box<Session>,
        /// Against the new one.
        new: Box<Session>,
    },
}

/// One number of both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compared {
    /// The typical number of the past, in the unit of reports.
    pub base: f64,
    /// The typical new one.
    pub new: f64,
    /// The unit of both.
    pub measure: Measure,
    /// Whether they are compared as ratios; else, because one is zero, as they are.
    pub are_ratios: bool,
    /// How far they differ: of logarithms for ratios. `None` where there is too little for an interval.
    pub difference: Option<Difference>,
}

impl Evidence {
    /// What is missing so that it decides anything; `None` if nothing is.
    pub fn lack(&self) -> Option<String> {
        let (there, wanted, noun) = match self {
            Self::History { base, .. } => (base.len(), FEWEST_SESSIONS, "session"),
            Self::Pairs { base, new } => (base.runs.min(new.runs), FEWEST_PAIRS, "pair"),
        };
        match self {
            _ if there >= wanted => None,
            Self::History { elsewhere, new, .. } if there == 0 && *elsewhere > 0 => Some(format!(
                "the baseline is of another machine: none of its {} is of this one ({})",
                counted(*elsewhere as u64, "session"),
                new.first()
                    .map_or_else(String::new, |new| new.machine.to_string()),
            )),
            _ => {
                let (is, missing) = (are(there as u64), wanted - there);
                let needed = are(missing as u64);
                Some(format!(
                    "there {is} {there} of {wanted} {noun}s, {missing} more {needed} needed"
                ))
            }
        }
    }

    /// One number of both, or why it cannot be compared.
    ///
    /// # Errors
    /// Which side has no data for it.
    pub fn compare(&self, subject: &Subject) -> Result<Compared, String> {
        let all = |values: Vec<Option<f64>>, whose: &str| {
            let values: Option<Vec<f64>> = values.into_iter().collect();
            values
                .filter(|values| !values.is_empty())
                .ok_or_else(|| format!("not {whose} has data enough for `{subject}`"))
        };
        let sessions = |sessions: &[Session], whose: &str| {
            let medians = sessions.iter().map(|session| session.median(subject));
            all(medians.collect(), whose)
        };
        let runs = |session: &Session, whose: &str| {
            let runs = (0..session.runs).map(|run| session.of_one(subject, run));
            all(runs.collect(), whose)
        };
        let (base, new) = match self {
            Self::History { base, new, .. } => (
                sessions(base, "every session of the baseline")?,
                sessions(new, "every new run")?,
            ),
            Self::Pairs { base, new } => (
                runs(base, "every run of the base")?,
                runs(new, "every new run")?,
            ),
        };
        let are_ratios = base.iter().chain(&new).all(|value| *value > 0.0);
        let scaled = |values: &[f64]| -> Vec<f64> {
            let scaled = values.iter().map(|value| match are_ratios {
                true => value.ln(),
                false => *value,
            });
            scaled.collect()
        };
        let typical = |values: &[f64]| match are_ratios {
            true => mean(&scaled(values)).exp(),
            false => mean(values),
        };
        let difference = match self {
            Self::History { .. } => from_history(&scaled(&base), &scaled(&new)),
            Self::Pairs { .. } => {
                let pairs = scaled(&base).into_iter().zip(scaled(&new));
                from_pairs(&pairs.map(|(base, new)| new - base).collect::<Vec<_>>())
            }
        };
        Ok(Compared {
            base: typical(&base),
            new: typical(&new),
            measure: measure_of(subject),
            are_ratios,
            difference,
        })
    }
}

impl Compared {
    /// The new number as a part of that of the past, and the ends of its interval; `None` where one is zero.
    pub fn ratio(&self) -> Option<f64> {
        self.are_ratios.then(|| self.new / self.base)
    }

    /// The ends of the interval of that ratio.
    pub fn interval(&self) -> Option<(f64, f64)> {
        let difference = self.difference.filter(|_| self.are_ratios)?;
        Some((difference.lo().exp(), difference.hi().exp()))
    }

    /// By how much more, as a part, a change had to be so that it could have been seen.
    pub fn could_see(&self) -> Option<f64> {
        let difference = self.difference.filter(|_| self.are_ratios)?;
        Some(difference.visible().exp() - 1.0)
    }

    /// The base in the unit of a gate's value.
    pub fn base_of_gate(&self) -> f64 {
        Observed::of_reported(self.base, self.measure).value
    }

    /// The limit of a gate in the scale of the difference, in which 0 is no change. Not finite where nothing is within.
    pub(super) fn limit(&self, gate: &BaselineGate) -> f64 {
        let base = self.base_of_gate();
        let limit = gate.limit(base);
        match self.are_ratios {
            true => (limit.max(0.0) / base).ln(),
            false => {
                let limit = Observed {
                    value: limit,
                    measure: self.measure,
                };
                limit.reported() - self.base
            }
        }
    }

    fn standing(&self, gate: &BaselineGate) -> Standing {
        let Some(difference) = self.difference else {
            return Standing::NotCompared;
        };
        let limit = self.limit(gate);
        let (nearest, farthest) = match gate.is_upper() {
            true => (difference.lo(), difference.hi()),
            false => (difference.hi(), difference.lo()),
        };
        match (
            gate.op.holds(nearest, limit),
            gate.op.holds(farthest, limit),
        ) {
            (false, _) => Standing::Worse,
            (true, true) => Standing::Held,
            (true, false) => Standing::Undecided,
        }
    }
}

/// Judges a gate. What is undecided or not compared passes, and says so in `why`.
pub fn judge(gate: &BaselineGate, evidence: &Evidence) -> GateResult {
    let compared = match (evidence.lack(), evidence.compare(&gate.subject)) {
        (Some(lack), _) => Err(lack),
        (None, compared) => compared,
    };
    match compared {
        Ok(compared) => judged(gate, &compared),
        Err(why) => GateResult {
            why,
            ..open(gate, Against::NOTHING)
        },
    }
}

/// The result of a gate that was not compared yet.
pub fn not_compared(gate: &BaselineGate, why: impl Into<String>) -> GateResult {
    GateResult {
        why: why.into(),
        ..open(gate, Against::NOTHING)
    }
}

fn open(gate: &BaselineGate, against: Against) -> GateResult {
    GateResult {
        gate: gate.text.clone(),
        observed: None,
        limit: None,
        passed: true,
        doubted: false,
        why: String::new(),
        ended_the_run: false,
        against: Some(against),
    }
}

fn judged(gate: &BaselineGate, compared: &Compared) -> GateResult {
    let standing = compared.standing(gate);
    let against = Against {
        standing,
        base: Some(compared.base),
        ratio: finite(compared.ratio()),
        ratio_lo: finite(compared.interval().map(|(lo, _)| lo)),
        ratio_hi: finite(compared.interval().map(|(_, hi)| hi)),
        could_see: finite(compared.could_see()),
    };
    GateResult {
        observed: Some(Observed::of_reported(compared.new, compared.measure)),
        limit: Some(gate.limit(compared.base_of_gate())),
        passed: standing != Standing::Worse,
        why: why(gate, compared, standing),
        ..open(gate, against)
    }
}

fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

/// The figures behind a standing.
fn why(gate: &BaselineGate, compared: &Compared, standing: Standing) -> String {
    let Some((lo, hi)) = compared.interval() else {
        let shown = |value| Observed::of_reported(value, compared.measure).to_string();
        return format!(
            "{} instead of {}",
            shown(compared.new),
            shown(compared.base)
        );
    };
    let ratio = percent(compared.new / compared.base);
    let is_upper = gate.is_upper();
    match standing {
        Standing::Held | Standing::Worse => {
            // The end that decided.
            let (word, end) = match is_upper == (standing == Standing::Worse) {
                true => ("at least", lo),
                false => ("at most", hi),
            };
            format!("{ratio} of the baseline, {word} {}", percent(end))
        }
        Standing::Undecided | Standing::NotCompared => format!(
            "{ratio} of the baseline, from {} to {}: the noise hides changes below {}; repeat more",
            percent(lo),
            percent(hi),
            growth(compared.could_see().unwrap_or(f64::INFINITY)),
        ),
    }
}

/// Formats a ratio: `104 %`, or `×12` from ten times on.
pub(super) fn percent(ratio: f64) -> String {
    match ratio {
        0.0..0.1 => format!("{:.1} %", ratio * 100.0),
        0.1..10.0 => format!("{:.0} %", ratio * 100.0),
        _ => times(ratio),
    }
}

/// Formats by how much more: `+23 %`, or `×4.7` from twice on.
pub(super) fn growth(more: f64) -> String {
    match more {
        0.0..0.995 => format!("+{:.0} %", (more * 100.0).ceil()),
        _ => times(more + 1.0),
    }
}

fn times(ratio: f64) -> String {
    match ratio {
        ratio if ratio < 9.95 => format!("×{ratio:.1}"),
        ratio if ratio < 1000.0 => format!("×{ratio:.0}"),
        _ => "×1000 and more".to_owned(),
    }
}

/// The typical number of these sessions, in the unit of reports; `None` where they decide nothing about it.
pub fn base_of(sessions: &[Session], subject: &Subject) -> Option<f64> {
    if sessions.len() < FEWEST_SESSIONS {
        return None;
    }
    let medians = sessions.iter().map(|session| session.median(subject));
    let medians: Vec<f64> = medians.collect::<Option<_>>()?;
    match medians.iter().all(|value| *value > 0.0) {
        true => Some(mean(&medians.iter().map(|value| value.ln()).collect::<Vec<_>>()).exp()),
        false => Some(mean(&medians)),
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
