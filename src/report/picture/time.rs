//! The time that all charts of a run share: its intervals, phases and incidents.

use super::number::Unit;

/// The axis of a run. All times are seconds since the run began.
#[derive(Debug, Clone, Copy, Default)]
pub struct Time<'a> {
    /// The left end: the start of the first interval.
    pub from: f64,
    /// The right end: the end of the last interval, which may be shorter than the others.
    pub to: f64,
    /// The length of one interval. Value `i` of a series belongs to `from + i * step` to `from + (i + 1) * step`.
    pub step: f64,
    /// The phases of the run, in order.
    pub phases: &'a [Phase<'a>],
    /// What happened on purpose. The first hundred are drawn.
    pub incidents: &'a [Incident<'a>],
}

/// A phase of a run.
#[derive(Debug, Clone, Copy)]
pub struct Phase<'a> {
    /// Its name, which stands above the first chart.
    pub name: &'a str,
    /// Its start in seconds.
    pub from: f64,
    /// Its end in seconds.
    pub to: f64,
    /// Whether numbers count; the others have a grey background.
    pub measured: bool,
}

/// Something that was done to the server or to its path, like `sigstop`.
#[derive(Debug, Clone, Copy)]
pub struct Incident<'a> {
    /// What it was.
    pub name: &'a str,
    /// Its start in seconds.
    pub from: f64,
    /// Its end in seconds; the same as its start for what has no length.
    pub to: f64,
}

/// The longest run that has an axis: a thousand years.
const LONGEST: f64 = 3e10;

impl Time<'_> {
    /// The two ends, finite and in order whatever was given.
    pub(super) fn span(&self) -> (f64, f64) {
        let from = if self.from.is_finite() {
            self.from.clamp(0.0, LONGEST)
        } else {
            0.0
        };
        let to = if self.to.is_finite() {
            self.to.min(2.0 * LONGEST)
        } else {
            from
        };
        (from, if to > from { to } else { from + 1.0 })
    }

    /// The length of an interval in seconds, above zero.
    pub(super) fn width(&self) -> f64 {
        let (from, to) = self.span();
        let usual = self.step.is_finite() && self.step > 0.0;
        if usual { self.step } else { to - from }
    }

    /// The values that belong to an interval; more than there are intervals are left out.
    pub(super) fn shown<'v, T>(&self, values: &'v [T]) -> &'v [T] {
        let (from, to) = self.span();
        let count = ((to - from) / self.width() - 1e-6).ceil().max(1.0) as usize;
        &values[..values.len().min(count)]
    }

    /// The start and end of an interval, in seconds.
    pub(super) fn interval(&self, index: usize) -> (f64, f64) {
        let ((from, to), step) = (self.span(), self.width());
        let start = from + index as f64 * step;
        (start, (start + step).min(to).max(start))
    }

    /// The middle of an interval, where its value is drawn.
    pub(super) fn middle_of(&self, index: usize) -> f64 {
        let (from, to) = self.interval(index);
        from / 2.0 + to / 2.0
    }

    /// Whether an interval lies in a measured phase. Without phases everything is measured.
    fn is_measured(&self, index: usize) -> bool {
        let middle = self.middle_of(index);
        let of = |phase: &&Phase<'_>| phase.from <= middle && middle < phase.to;
        self.phases.is_empty()
            || self
                .phases
                .iter()
                .find(of)
                .is_some_and(|phase| phase.measured)
    }

    /// The middle one of the values in the measured phases (the lower of two), or of all where none was measured.
    /// It is what stands beside a series.
    pub fn middle(&self, values: &[Option<f64>]) -> Option<f64> {
        let measured = (values.iter().enumerate())
            .filter(|(index, _)| self.is_measured(*index))
            .filter_map(|(_, value)| *value);
        lower_median(measured.collect())
            .or_else(|| lower_median(values.iter().flatten().copied().collect()))
    }
}

fn lower_median(mut values: Vec<f64>) -> Option<f64> {
    values.retain(|value| value.is_finite());
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
}

/// One line of a chart over time, as the crosshair reads it.
#[derive(Debug, Clone)]
pub struct Series {
    /// Its name.
    pub name: String,
    /// The colour of its line.
    pub colour: super::Colour,
    /// What its values are.
    pub unit: Unit,
    /// One value for each interval; a finite number, or none.
    pub values: Vec<Option<f64>>,
}

impl Series {
    /// A series in which what is not a finite number is no value.
    pub(super) fn new(
        name: &str,
        colour: super::Colour,
        unit: Unit,
        values: impl Iterator<Item = Option<f64>>,
    ) -> Self {
        let values = values
            .map(|value| value.filter(|value| value.is_finite()))
            .collect();
        Self {
            name: name.to_owned(),
            colour,
            unit,
            values,
        }
    }

    /// The greatest value.
    pub(super) fn most(&self) -> Option<f64> {
        self.values.iter().flatten().copied().reduce(f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_value_is_a_measured_one() {
        let phase = |name, from, to, measured| Phase {
            name,
            from,
            to,
            measured,
        };
        let phases = [
            phase("warmup", 0.0, 2.0, false),
            phase("measure", 2.0, 6.0, true),
        ];
        let time = Time {
            to: 6.0,
            step: 1.0,
            phases: &phases,
            ..Time::default()
        };
        let values = [
            Some(900.0),
            Some(800.0),
            Some(3.0),
            None,
            Some(1.0),
            Some(2.0),
        ];
        assert_eq!(time.middle(&values), Some(2.0));
        assert_eq!(time.middle(&values[..2]), Some(800.0));
        assert_eq!(time.middle(&[None, Some(f64::NAN)]), None);
    }

    #[test]
    fn what_has_no_interval_is_not_shown() {
        let time = Time {
            to: 2.5,
            step: 1.0,
            ..Time::default()
        };
        assert_eq!(time.shown(&[1, 2, 3, 4]), [1, 2, 3]);
        assert_eq!(time.shown(&[1]), [1]);
        let ten_tenths = Time {
            to: 1.0,
            step: 0.1,
            ..Time::default()
        };
        assert_eq!(ten_tenths.shown(&[0; 20]).len(), 10);
    }

    #[test]
    fn a_time_without_sense_has_an_axis() {
        for (from, to, step) in [
            (0.0, 0.0, 0.0),
            (f64::NAN, f64::INFINITY, f64::NAN),
            (5.0, 1.0, -1.0),
        ] {
            let time = Time {
                from,
                to,
                step,
                ..Time::default()
            };
            let (from, to) = time.span();
            assert!(from < to && to.is_finite() && time.width() > 0.0);
        }
    }

    #[test]
    fn the_last_interval_ends_with_the_run() {
        let time = Time {
            to: 2.5,
            step: 1.0,
            ..Time::default()
        };
        assert_eq!(time.interval(2), (2.0, 2.5));
        assert_eq!(time.middle_of(2), 2.25);
    }
}
