//! The times at which the faults of the target happen: a pure function of the scenario.
//! Starts follow the golden ratio, so that each freeze meets another phase of the server's own timers.

use std::time::Duration;

use crate::plan::fraction;
use crate::scenario::{Signal, TargetFault};

/// One planned occurrence of a fault, in time from the start of measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// The start.
    pub from: Duration,
    /// The end; `None` for `SIGTERM`, which has none.
    pub until: Option<Duration>,
}

/// The planned times of one fault: `after + k * every + fraction(k) * phase` for each `k` below `repeat`.
pub fn fault_times(fault: &TargetFault) -> Vec<Planned> {
    let one = |k| {
        let from = fault.after + fault.every * k + fault.phase.mul_f64(fraction(k));
        let until = (fault.kind == Signal::Stop).then(|| from + fault.lasts);
        Planned { from, until }
    };
    (0..fault.repeat).map(one).collect()
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
        let starts = times.iter().map(|planned| planned.from.as_millis());
        let tenths: Vec<u128> = (0..)
            .zip(starts)
            .map(|(k, start)| (start - 1000 - 2000 * k) / 100)
            .collect();
        for tenth in 0..10 {
            assert!(tenths.contains(&tenth), "none in tenth {tenth}: {tenths:?}");
        }
    }

    #[test]
    fn sigterm_has_no_end() {
        let terminate = TargetFault {
            kind: Signal::Terminate,
            ..freeze(1, 0)
        };
        let once = Planned {
            from: Duration::from_secs(1),
            until: None,
        };
        assert_eq!(fault_times(&terminate), [once]);
    }
}
