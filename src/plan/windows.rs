//! Which times are measured, and in which window.

use crate::measure::Window;
use crate::scenario::Shape;
use crate::units::{Nanos, Timestamp};

/// The measured windows of a run, relative to the start of measuring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows {
    /// The end of each window; the last one is the end of the load.
    ends: Vec<Nanos>,
}

impl Windows {
    pub(super) fn new(shape: &Shape) -> Self {
        let ends = match shape {
            Shape::Steady { duration, .. } => {
                vec![duration.limit().map_or(Nanos::MAX, Nanos::from)]
            }
            Shape::Arrivals { duration, .. } => vec![Nanos::from(*duration)],
            Shape::Stages(stages) => stages
                .iter()
                .scan(Nanos::ZERO, |end, stage| {
                    *end += Nanos::from(stage.duration);
                    Some(*end)
                })
                .collect(),
        };
        Self { ends }
    }

    /// Returns the window that contains a time, if measuring began at `start` (`None`: not yet).
    pub fn at(&self, time: Timestamp, start: Option<Timestamp>) -> Window {
        let Some(since) = start.and_then(|start| time.checked_since(start)) else {
            return Window::OUTSIDE;
        };
        let passed = self.ends.partition_point(|end| *end <= since);
        if passed < self.ends.len() {
            Window::measured(passed)
        } else {
            Window::OUTSIDE
        }
    }

    /// Returns whether they have no end.
    pub fn are_endless(&self) -> bool {
        self.length() == Nanos::MAX
    }

    /// Returns the length of all windows together; [`Nanos::MAX`] without end.
    pub fn length(&self) -> Nanos {
        self.ends.last().copied().unwrap_or(Nanos::ZERO)
    }

    /// Returns the length of each window in seconds, if measuring began at `start` and the load ended at `end`.
    pub fn seconds(&self, start: Option<Timestamp>, end: Timestamp) -> Vec<f64> {
        let lasted = start.map_or(Nanos::ZERO, |start| end.saturating_since(start));
        let mut from = Nanos::ZERO;
        self.ends
            .iter()
            .map(|to| {
                let seconds = (*to).min(lasted).saturating_sub(from).as_secs_f64();
                from = *to;
                seconds
            })
            .collect()
    }

    /// Returns the end of each window, relative to the start of measuring.
    pub fn ends(&self) -> &[Nanos] {
        &self.ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Stage;
    use std::time::Duration;

    fn stages() -> Windows {
        let stage = |seconds| Stage {
            duration: Duration::from_secs(seconds),
            connections: 1,
        };
        Windows::new(&Shape::Stages(vec![stage(1), stage(2)]))
    }

    #[test]
    fn a_time_belongs_to_one_window() {
        let second = 1_000_000_000;
        let windows = stages();
        assert_eq!(windows.at(Timestamp::from_nanos(5), None), Window::OUTSIDE);
        assert_eq!(
            windows.at(Timestamp::from_nanos(5), Some(Timestamp::from_nanos(10))),
            Window::OUTSIDE
        );
        assert_eq!(
            windows.at(Timestamp::from_nanos(10), Some(Timestamp::from_nanos(10))),
            Window::measured(0)
        );
        assert_eq!(
            windows.at(Timestamp::from_nanos(second), Some(Timestamp::ORIGIN)),
            Window::measured(1)
        );
        assert_eq!(
            windows.at(
                Timestamp::from_nanos(3 * second - 1),
                Some(Timestamp::ORIGIN)
            ),
            Window::measured(1)
        );
        assert_eq!(
            windows.at(Timestamp::from_nanos(3 * second), Some(Timestamp::ORIGIN)),
            Window::OUTSIDE
        );
    }

    #[test]
    fn a_run_that_was_cut_short_measured_less() {
        let second = 1_000_000_000;
        assert_eq!(
            stages().seconds(Some(Timestamp::ORIGIN), Timestamp::from_nanos(3 * second)),
            [1.0, 2.0]
        );
        assert_eq!(
            stages().seconds(Some(Timestamp::ORIGIN), Timestamp::from_nanos(2 * second)),
            [1.0, 1.0]
        );
        assert_eq!(
            stages().seconds(None, Timestamp::from_nanos(2 * second)),
            [0.0, 0.0]
        );
    }
}
