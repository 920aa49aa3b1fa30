//! The charts of a report: what each shows, and the sentence that says what it says.

use super::captions;
use super::course::{Course, Step};
use crate::metric::Counter;
use crate::report::picture::{
    About, Bars, Colour, Heat, Limit, Line, Percentiles, Quantiles, Rates, Readings, Series,
    States, Stroke, Svg, Time, Unit, sparkline,
};
use crate::report::run::Run;
use crate::units::{counted, human_count};

/// A picture with its words.
pub(super) struct Figure {
    /// The anchor of the figure; the crosshair finds its values by it.
    pub(super) id: String,
    pub(super) title: String,
    /// What the picture says, as a sentence. May be empty.
    pub(super) sentence: String,
    pub(super) svg: Svg,
}

/// The most small charts of cohorts.
const SPARKS: usize = 24;
/// The most values of a sparkline.
const POINTS: usize = 60;

/// Charts over time, and what the crosshair reads in them.
pub(super) struct OverTime<'a> {
    course: &'a Course,
    time: &'a Time<'a>,
    pub(super) figures: Vec<Figure>,
    series: Vec<(String, Vec<Series>)>,
}

impl<'a> OverTime<'a> {
    pub(super) fn new(course: &'a Course, time: &'a Time<'a>) -> Self {
        Self {
            course,
            time,
            figures: Vec::new(),
            series: Vec::new(),
        }
    }

    /// What the crosshair reads in all charts that were added.
    pub(super) fn readings(&self) -> Readings {
        let all = Readings::of(self.time);
        self.series
            .iter()
            .fold(all, |all, (id, series)| all.chart(id, series))
    }

    fn add(
        &mut self,
        id: &str,
        title: &str,
        sentence: String,
        draw: impl FnOnce(&About<'_>, &Time<'_>) -> (Svg, Vec<Series>),
    ) {
        let about = About {
            id,
            title,
            sentence: &sentence,
        };
        let (svg, series) = draw(&about, self.time);
        self.series.push((id.to_owned(), series));
        self.figures.push(Figure {
            id: id.to_owned(),
            title: title.to_owned(),
            sentence,
            svg,
        });
    }

    /// Percentiles of a time; nothing if no step has any.
    fn percentiles(
        &mut self,
        id: &str,
        title: &str,
        with_phases: bool,
        of: impl Fn(&Step) -> Option<Quantiles>,
    ) {
        let rows = self.course.each(|step| of(step).unwrap_or_default());
        let rows: Vec<Quantiles> = rows.into_iter().map(Option::unwrap_or_default).collect();
        if rows.iter().all(|row| row.max.is_none()) {
            return;
        }
        let sentence = captions::percentiles(self.time, self.course.step, &rows);
        self.add(id, title, sentence, |about, time| {
            let chart = Percentiles {
                rows: &rows,
                with_phases,
            };
            (chart.draw(about, time), chart.series())
        });
    }

    /// The latency of each message, and the heatmap of the first.
    pub(super) fn latency(&mut self) {
        for index in 0..self.course.messages.len() {
            let message = self.course.messages[index].clone();
            let title = match self.course.messages.len() {
                1 => "Latency".to_owned(),
                _ => format!("Latency of {message}"),
            };
            let id = format!("latency-{index}");
            self.percentiles(&id, &title, index == 0, |step| {
                step.latency.get(index).copied()
            });
        }
        let columns = self.course.each(|step| step.heat.clone());
        let columns: Vec<Vec<(u64, u64)>> =
            columns.into_iter().map(Option::unwrap_or_default).collect();
        let samples = columns.iter().flatten().map(|(_, count)| *count);
        let samples = samples.fold(0, u64::saturating_add);
        if samples == 0 {
            return;
        }
        let sentence = format!(
            "{}. The stronger the colour, the more of them took that long. Bands show what percentiles hide.",
            counted(samples, "answer")
        );
        self.add("heat", "Every answer", sentence, |about, time| {
            let chart = Heat { columns: &columns };
            (chart.draw(about, time), chart.series())
        });
    }

    /// Connections by state.
    pub(super) fn states(&mut self) {
        let rows = self.course.each(|step| step.state);
        let sentence = captions::states(&rows, self.course.step);
        self.add("states", "Connections", sentence, |about, time| {
            let chart = States { rows: &rows };
            (chart.draw(about, time), chart.series())
        });
    }

    /// Messages per second, and those that went wrong; nothing if there were none.
    pub(super) fn messages(&mut self) {
        self.rates(
            ("messages", "Messages"),
            160,
            [
                (Counter::MessagesSent, "sent"),
                (Counter::MessagesReceived, "received"),
            ],
            &[
                (Counter::MessagesTimedOut, "timed out", Colour::Bad),
                (Counter::MessagesNotSent, "not sent", Colour::Doubt),
                (Counter::MessagesLost, "lost", Colour::Max),
            ],
        );
    }

    /// Pings and pongs per second, and those that went wrong; nothing if there were none.
    pub(super) fn pings(&mut self) {
        self.rates(
            ("pings", "Pings and pongs"),
            150,
            [
                (Counter::PingsSent, "pings"),
                (Counter::PongsReceived, "pongs"),
            ],
            &[
                (Counter::PingsMissed, "missed", Colour::Bad),
                (Counter::PongsLate, "late", Colour::Doubt),
            ],
        );
        self.percentiles("rtt", "Round trips of pings", false, |step| Some(step.rtt));
    }

    fn rates(
        &mut self,
        (id, title): (&str, &str),
        height: u32,
        lines: [(Counter, &str); 2],
        bars: &[(Counter, &str, Colour)],
    ) {
        let values = lines.map(|(counter, _)| self.course.rate(counter));
        let counts: Vec<Vec<u64>> = (bars.iter())
            .map(|(counter, ..)| self.course.counts(*counter))
            .collect();
        let any = |values: &Vec<Option<f64>>| values.iter().flatten().any(|value| *value > 0.0);
        let is_wrong = |counts: &Vec<u64>| counts.iter().any(|count| *count > 0);
        if !values.iter().any(any) && !counts.iter().any(is_wrong) {
            return;
        }
        let wrong: Vec<(&str, u64)> = (bars.iter().zip(&counts))
            .map(|((_, name, _), counts)| {
                (*name, counts.iter().copied().fold(0, u64::saturating_add))
            })
            .collect();
        let sentence = captions::rates(self.time, lines.map(|(_, name)| name), &values, &wrong);
        let styles = [(Colour::P90, Stroke::Filled), (Colour::P50, Stroke::Dashed)];
        self.add(id, title, sentence, |about, time| {
            let lines = lines.iter().zip(&values).zip(styles);
            let lines = lines.map(|(((_, name), values), (colour, style))| Line {
                name,
                colour,
                values,
                style,
            });
            let lines: Vec<Line<'_>> = lines.collect();
            let shown = bars
                .iter()
                .zip(&counts)
                .filter(|(_, counts)| is_wrong(counts));
            let bars: Vec<Bars<'_>> = shown
                .map(|((_, name, colour), counts)| Bars {
                    name,
                    colour: *colour,
                    counts,
                })
                .collect();
            let chart = Rates {
                height,
                unit: Unit::PerSecond,
                lines: &lines,
                bars: &bars,
                limit: None,
            };
            (chart.draw(about, time), chart.series())
        });
    }

    /// Whether the generator was fast enough: how late it sent, and its processor time.
    pub(super) fn generator(&mut self, run: &Run) {
        self.percentiles("lateness", "How late wsbench itself sent", false, |step| {
            Some(step.lateness)
        });
        let cpu: Vec<Option<f64>> = self
            .course
            .each(|step| step.cpu)
            .into_iter()
            .map(Option::flatten)
            .collect();
        let Some(most) = cpu.iter().flatten().copied().reduce(f64::max) else {
            return;
        };
        let limit = run.facts.cpu_limit();
        let sentence = format!(
            "At most {most:.0} % of one core; {} can use {limit:.0} %.",
            counted(run.facts.workers as u64, "worker")
        );
        self.add(
            "cpu",
            "Processor time of wsbench",
            sentence,
            |about, time| {
                let lines = [Line {
                    name: "CPU",
                    colour: Colour::P90,
                    values: &cpu,
                    style: Stroke::Filled,
                }];
                let chart = Rates {
                    height: 120,
                    unit: Unit::Percent,
                    lines: &lines,
                    bars: &[],
                    limit: Some(Limit {
                        at: limit,
                        name: "all workers",
                    }),
                };
                (chart.draw(about, time), chart.series())
            },
        );
    }

    /// What the load cost the target: its processor time, memory and descriptors; nothing where its process is not known.
    pub(super) fn target(&mut self) {
        self.resource(
            ("target-cpu", "Processor time of the target"),
            ("CPU", Unit::Percent, Colour::P90),
            |step| step.target_cpu,
        );
        self.resource(
            ("target-rss", "Memory of the target"),
            ("memory", Unit::Bytes, Colour::P50),
            |step| step.target_rss,
        );
        self.resource(
            ("target-descriptors", "Descriptors of the target"),
            ("descriptors", Unit::Count, Colour::P99),
            |step| step.target_descriptors,
        );
    }

    fn resource(
        &mut self,
        (id, title): (&str, &str),
        (name, unit, colour): (&str, Unit, Colour),
        of: impl Fn(&Step) -> Option<f64>,
    ) {
        let values = self.course.each(of);
        let values: Vec<Option<f64>> = values.into_iter().map(Option::flatten).collect();
        let Some(most) = values.iter().flatten().copied().reduce(f64::max) else {
            return;
        };
        let sentence = match self.time.middle(&values) {
            Some(middle) => format!(
                "Median {}, at most {}.",
                unit.value(middle),
                unit.value(most)
            ),
            None => format!("At most {}.", unit.value(most)),
        };
        self.add(id, title, sentence, |about, time| {
            let lines = [Line {
                name,
                colour,
                values: &values,
                style: Stroke::Filled,
            }];
            let chart = Rates {
                height: 120,
                unit,
                lines: &lines,
                bars: &[],
                limit: None,
            };
            (chart.draw(about, time), chart.series())
        });
    }
}

/// A small chart of one cohort's open connections.
pub(super) struct Spark {
    pub(super) cohort: String,
    pub(super) svg: Svg,
    pub(super) words: String,
}

/// A small chart for each of several cohorts.
pub(super) fn sparks(run: &Run, course: &Course) -> Vec<Spark> {
    let cohorts = &run.scenario.cohorts;
    if cohorts.len() < 2 {
        return Vec::new();
    }
    let spark = |(index, cohort): (usize, &crate::report::run::CohortRecord)| {
        let open = course.each(|step| step.open.get(index).map(|open| *open as f64));
        let open: Vec<Option<f64>> = open.into_iter().map(Option::flatten).collect();
        let known = || open.iter().flatten().copied();
        let peak = known().fold(0.0, f64::max) as u64;
        let last = known().last().unwrap_or(0.0) as u64;
        let words = format!("peak {}, last {}", human_count(peak), human_count(last));
        let name = format!("Open connections of {}: {words}", cohort.name);
        let open = thinned(&open);
        Spark {
            cohort: cohort.name.clone(),
            svg: sparkline(&name, Colour::Open, &open),
            words,
        }
    };
    cohorts.iter().enumerate().take(SPARKS).map(spark).collect()
}

/// Fewer values, each the last of its part.
fn thinned(values: &[Option<f64>]) -> Vec<Option<f64>> {
    let together = values.len().div_ceil(POINTS).max(1);
    let parts = values.chunks(together);
    parts
        .map(|part| part.iter().rev().find_map(|value| *value))
        .collect()
}
