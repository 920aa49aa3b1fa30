//! Turns what was recorded of a cohort into rows of the summary.

use super::cells::Cells;
use super::layout::{Layout, Window};
use super::shard::CohortShard;
use super::summary::{Metric, Value};
use crate::metric::{Counter, Timed, covers_whole_run};

/// Turns one cohort's cells into rows.
pub(super) struct CohortRows<'a> {
    pub(super) cohort: &'a str,
    pub(super) slots: &'a [Timed],
    pub(super) shard: &'a CohortShard,
    /// Which histograms are turned into rows.
    pub(super) wanted: &'a dyn Fn(&str) -> bool,
}

impl CohortRows<'_> {
    pub(super) fn whole(&self, seconds: f64, out: &mut Vec<Metric>) {
        self.rows(
            &self.shard.whole,
            None,
            seconds,
            |c| covers_whole_run(c.name()),
            out,
        );
    }

    /// Adds rows for each measured window, even if nothing was recorded in it.
    pub(super) fn windows(&self, layout: &Layout, windows: &[f64], out: &mut Vec<Metric>) {
        let nothing = Cells::new(self.slots.len());
        for index in 0..layout.measured() {
            let cells = self.shard.recorded(Window::measured(index));
            let stage = (layout.stages > 0).then_some(index as u32 + 1);
            let seconds = windows.get(index).copied().unwrap_or(0.0);
            let cells = cells.unwrap_or(&nothing);
            self.rows(cells, stage, seconds, |c| !covers_whole_run(c.name()), out);
        }
    }

    pub(super) fn totals(&self, seconds: f64, out: &mut Vec<Metric>) {
        self.rows(&self.shard.together(), None, seconds, |_| true, out);
    }

    fn rows(
        &self,
        cells: &Cells,
        stage: Option<u32>,
        seconds: f64,
        wanted: impl Fn(Counter) -> bool,
        out: &mut Vec<Metric>,
    ) {
        let mut push = |name: String, value: Value| {
            out.push(Metric {
                name,
                cohort: Some(self.cohort.to_owned()),
                stage,
                seconds,
                value,
            });
        };
        for counter in Counter::ALL.iter().copied().filter(|c| wanted(*c)) {
            push(
                counter.name().to_owned(),
                Value::Counter(cells.counter(counter)),
            );
        }
        let others = cells
            .counts()
            .filter(|(name, _)| Counter::from_name(name).is_none());
        for (name, count) in others {
            push(name.into_owned(), Value::Counter(count));
        }
        for (name, times) in cells.times(self.slots) {
            if (self.wanted)(&name) {
                let times = Box::new(times.clone().packed());
                push(name.into_owned(), Value::Histogram(times));
            }
        }
    }
}
