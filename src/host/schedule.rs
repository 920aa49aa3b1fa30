//! When faults of the target happen: a pure function of the scenario.
//! Starts follow the golden ratio, so that each freeze comes in another phase of the server's own timers.

use std::time::Duration;

use crate::plan::fraction;
use crate::scenario::{Signal, TargetFault};

use super::error::{HostError, name};

/// Repeats of one fault, at most.
pub(super) const MAX_REPEATS: u32 = 100_000;

/// One time that a fault is planned for, from the start of measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// It begins.
    pub from: Duration,
    /// It ends; `None`: never, as an end by `SIGTERM`.
    pub until: Option<Duration>,
}

/// When one fault is planned for: `after + k * every + fraction(k) * phase` for each `k` below `repeat`.
pub fn fault_times(fault: &TargetFault) -> Vec<Planned> {
    let one = |k| {
        let spread = fault.phase.mul_f64(fraction(k));
        let from =
            (fault.after.saturating_add(fault.every.saturating_mul(k))).saturating_add(spread);
        let until = (fault.kind == Signal::Stop).then(|| from.saturating_add(fault.lasts));
        Planned { from, until }
    };
    (0..fault.repeat).map(one).collect()
}

/// What to do at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// A freeze begins.
    Freeze,
    /// A freeze ends.
    Thaw,
    /// It shall end.
    Terminate,
}

/// Everything that is to be done, in order of time. A freeze that begins as another ends comes after it.
///
/// # Errors
/// A fault is repeated too often.
pub(super) fn steps(faults: &[TargetFault]) -> Result<Vec<(Duration, Step)>, HostError> {
    let mut steps = Vec::new();
    for fault in faults {
        if fault.repeat > MAX_REPEATS {
            return Err(HostError::Repeats {
                kind: name(fault.kind),
                repeat: fault.repeat,
                most: MAX_REPEATS,
            });
        }
        for planned in fault_times(fault) {
            match (fault.kind, planned.until) {
                (Signal::Stop, Some(until)) => {
                    steps.extend([(planned.from, Step::Freeze), (until, Step::Thaw)]);
                }
                _ => steps.push((planned.from, Step::Terminate)),
            }
        }
    }
    let thaw_first = |step: Step| step != Step::Thaw;
    steps.sort_by_key(|(at, step)| (*at, thaw_first(*step)));
    Ok(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn freeze(repeat: u32, phase: u64) -> TargetFault {
        TargetFault {
            kind: Signal::Stop,
            after: Duration::from_secs(1),
            lasts: Duration::from_millis(300),
            repeat,
            every: Duration::from_secs(2),
            phase: Duration::from_millis(phase),
        }
    }

    #[test]
    fn without_a_phase_freezes_come_at_even_gaps() {
        let ms = Duration::from_millis;
        let planned = |from, until| Planned {
            from: ms(from),
            until: Some(ms(until)),
        };
        assert_eq!(
            fault_times(&freeze(3, 0)),
            [
                planned(1000, 1300),
                planned(3000, 3300),
                planned(5000, 5300)
            ]
        );
    }

    #[test]
    fn a_phase_spreads_the_starts_over_all_of_it() {
        let times = fault_times(&freeze(20, 1000));
        let mut phases: Vec<u128> = (0..)
            .zip(&times)
            .map(|(k, planned)| (planned.from.as_millis()) - 1000 - 2000 * k)
            .collect();
        phases.sort_unstable();
        let tenths: Vec<u128> = phases.iter().map(|phase| phase / 100).collect();
        for tenth in 0..10 {
            assert!(
                tenths.contains(&tenth),
                "no freeze in tenth {tenth}: {phases:?}"
            );
        }
    }

    #[test]
    fn sigterm_has_no_end() {
        let terminate = TargetFault {
            kind: Signal::Terminate,
            ..freeze(1, 0)
        };
        let at = Duration::from_secs(1);
        let once = Planned {
            from: at,
            until: None,
        };
        assert_eq!(fault_times(&terminate), [once]);
        assert_eq!(steps(&[terminate]).unwrap(), [(at, Step::Terminate)]);
    }

    #[test]
    fn steps_of_several_faults_are_in_order_of_time() {
        let mut second = freeze(1, 0);
        // As the first freeze ends.
        second.after = Duration::from_millis(1300);
        let steps = steps(&[second, freeze(1, 0)]).unwrap();
        let kinds: Vec<Step> = steps.iter().map(|(_, step)| *step).collect();
        assert_eq!(kinds, [Step::Freeze, Step::Thaw, Step::Freeze, Step::Thaw]);
        assert!(steps.is_sorted_by_key(|(at, _)| *at));
    }

    #[test]
    fn too_many_repeats_are_refused() {
        let error = steps(&[freeze(MAX_REPEATS + 1, 0)]).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("plan `target.fault` (sigstop)")
        );
    }
}
