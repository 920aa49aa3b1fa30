//! Orders the actions on the target's process by time, for all its faults together.

use std::time::Duration;

use crate::host::schedule::fault_times;
use crate::scenario::TargetFault;

/// An action on the target's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TargetAction {
    /// Ends a freeze.
    Thaw,
    /// Starts a freeze.
    Freeze,
    /// Asks the process to end.
    Terminate,
}

/// All actions with their times from the start of measuring, in order. If one freeze ends when another starts, the end
/// comes first.
pub(super) fn steps(faults: &[TargetFault]) -> Vec<(Duration, TargetAction)> {
    let mut steps = Vec::new();
    for planned in faults.iter().flat_map(fault_times) {
        match planned.until {
            Some(until) => steps.extend([
                (planned.from, TargetAction::Freeze),
                (until, TargetAction::Thaw),
            ]),
            None => steps.push((planned.from, TargetAction::Terminate)),
        }
    }
    steps.sort_unstable();
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Signal;

    #[test]
    fn steps_of_several_faults_are_in_order_of_time() {
        let ms = Duration::from_millis;
        let first = TargetFault {
            kind: Signal::Stop,
            after: ms(1000),
            lasts: ms(300),
            repeat: 1,
            every: ms(2000),
            phase: Duration::ZERO,
        };
        let second = TargetFault {
            after: ms(1300),
            ..first.clone()
        };
        let terminate = TargetFault {
            kind: Signal::Terminate,
            after: ms(1400),
            ..first.clone()
        };
        let expected = [
            (ms(1000), TargetAction::Freeze),
            (ms(1300), TargetAction::Thaw),
            (ms(1300), TargetAction::Freeze),
            (ms(1400), TargetAction::Terminate),
            (ms(1600), TargetAction::Thaw),
        ];
        assert_eq!(steps(&[second, terminate, first]), expected);
    }
}
