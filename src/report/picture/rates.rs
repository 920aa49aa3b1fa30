//! Rates over time as lines, and failures as bars beside each other: messages, pings, and also gauges like processor time.

use super::chart::{About, Chart, LEFT, RIGHT, Trace};
use super::colour::Colour;
use super::labels::{Label, Sample};
use super::number::{Unit, short_count};
use super::path::Path;
use super::scale::{Rounding, Scale, linear_ticks};
use super::svg::{Anchor, Svg};
use super::time::{Series, Time};

/// The axis is higher than the data by this, so that a steady line is not its upper edge.
const HEADROOM: f64 = 1.06;

/// Lines and bars on one axis from zero.
#[derive(Debug, Clone, Copy)]
pub struct Rates<'a> {
    /// The height of the chart in pixels, at least 100: 160 for messages, 150 for pings, 120 for processor time.
    pub height: u32,
    /// What the values of the lines are.
    pub unit: Unit,
    /// The lines, at most four of them for a chart that one can read.
    pub lines: &'a [Line<'a>],
    /// The bars; those of an interval stand side by side.
    pub bars: &'a [Bars<'a>],
    /// A value that matters, as a line across.
    pub limit: Option<Limit<'a>>,
}

/// A line.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its colour.
    pub colour: Colour,
    /// One value for each interval, not below zero; what is not finite is a gap.
    pub values: &'a [Option<f64>],
    /// How it is drawn.
    pub style: Stroke,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stroke {
    /// As a line.
    Plain,
    /// As a line with a light area below it.
    Filled,
    /// Dashed, for what covers another line as long as all is well: received over sent.
    Dashed,
}

/// Counts of what should not have happened.
#[derive(Debug, Clone, Copy)]
pub struct Bars<'a> {
    /// Its name, which stands with the sum.
    pub name: &'a str,
    /// Its colour.
    pub colour: Colour,
    /// How many in each interval; drawn as a rate, on the axis of the lines.
    pub counts: &'a [u64],
}

/// A line across the chart.
#[derive(Debug, Clone, Copy)]
pub struct Limit<'a> {
    /// Its value.
    pub at: f64,
    /// What it is.
    pub name: &'a str,
}

impl Rates<'_> {
    /// Draws them.
    pub fn draw(&self, about: &About<'_>, time: &Time<'_>) -> Svg {
        let lines = self.lines.iter().map(|line| Line {
            values: time.shown(line.values),
            ..*line
        });
        let bars = self.bars.iter().map(|bars| Bars {
            counts: time.shown(bars.counts),
            ..*bars
        });
        let (lines, bars): (Vec<Line<'_>>, Vec<Bars<'_>>) = (lines.collect(), bars.collect());
        Rates {
            lines: &lines,
            bars: &bars,
            ..*self
        }
        .draw_shown(about, time)
    }

    fn draw_shown(&self, about: &About<'_>, time: &Time<'_>) -> Svg {
        let mut chart = Chart::begin(about, time, f64::from(self.height.clamp(100, 1_000)), false);
        let lines = self.line_series();
        let bars: Vec<&Bars<'_>> = self
            .bars
            .iter()
            .filter(|bars| bars.counts.iter().any(|count| *count > 0))
            .collect();
        if lines.iter().all(|line| line.most().is_none()) && bars.is_empty() {
            chart.no_data();
            return chart.finish(Vec::new());
        }
        let ticks = self.ticks(&lines, &bars, time);
        let y = Scale::linear((0.0, ticks[ticks.len() - 1]), (chart.bottom, chart.top));
        chart.grid(&y, &ticks, self.unit);
        chart.begin_marks();
        for (line, series) in self.lines.iter().zip(&lines) {
            draw_line(&mut chart, &y, line.style, series);
        }
        draw_bars(&mut chart, &y, &bars);
        chart.end_marks();
        self.draw_limit(&mut chart, &y);
        let labels = self.labels(&lines, &bars, time, &y);
        chart.finish(labels)
    }

    /// What the crosshair reads.
    pub fn series(&self) -> Vec<Series> {
        let bars = self.bars.iter().map(|bars| {
            let counts = bars.counts.iter().map(|count| Some(*count as f64));
            Series::new(bars.name, bars.colour, Unit::Count, counts)
        });
        self.line_series().into_iter().chain(bars).collect()
    }

    fn line_series(&self) -> Vec<Series> {
        let series = |line: &Line<'_>| {
            Series::new(
                line.name,
                line.colour,
                self.unit,
                line.values.iter().copied(),
            )
        };
        self.lines.iter().map(series).collect()
    }

    fn ticks(&self, lines: &[Series], bars: &[&Bars<'_>], time: &Time<'_>) -> Vec<f64> {
        let of_lines = lines.iter().filter_map(Series::most);
        let rates = |bars: &&Bars<'_>| {
            let counts = bars.counts.iter().enumerate();
            counts
                .map(|(index, count)| rate(*count, time, index))
                .fold(0.0, f64::max)
        };
        let of_bars = bars.iter().map(rates);
        let limit = self.limit.map(|limit| limit.at).filter(|at| at.is_finite());
        let data = of_lines.chain(of_bars).fold(0.0, f64::max);
        let most = limit.unwrap_or(0.0).max(data * HEADROOM);
        let rounding = match self.unit {
            Unit::Bytes => Rounding::Binary,
            Unit::Count => Rounding::Whole,
            _ => Rounding::Decimal,
        };
        linear_ticks(most, rounding)
    }

    fn draw_limit(&self, chart: &mut Chart<'_>, y: &Scale) {
        let Some(limit) = self.limit.filter(|limit| limit.at.is_finite()) else {
            return;
        };
        let at = y.at(limit.at);
        let mut path = Path::new();
        path.move_to(LEFT, at);
        path.line_to(RIGHT, at);
        chart
            .writer
            .line(path, Colour::Bad, "1.2", &[("stroke-dasharray", "6 4")]);
        chart.writer.note(
            (RIGHT - 4.0, at + 13.0),
            Anchor::End,
            Colour::Bad,
            limit.name,
        );
    }

    fn labels(
        &self,
        lines: &[Series],
        bars: &[&Bars<'_>],
        time: &Time<'_>,
        y: &Scale,
    ) -> Vec<Label> {
        let lines = self.lines.iter().zip(lines).filter_map(|(line, series)| {
            let middle = time.middle(&series.values)?;
            Some(Label {
                name: line.name.to_owned(),
                value: self.unit.value(middle),
                y: y.at(middle),
                colour: line.colour,
                sample: if line.style == Stroke::Dashed {
                    Sample::Dashes
                } else {
                    Sample::Line
                },
            })
        });
        let bars = bars.iter().map(|bars| Label {
            name: bars.name.to_owned(),
            value: short_count(
                bars.counts
                    .iter()
                    .fold(0, |sum, count| sum.saturating_add(*count)),
            ),
            y: y.range().0 - 6.0,
            colour: bars.colour,
            sample: Sample::Block,
        });
        lines.chain(bars).collect()
    }
}

fn draw_line(chart: &mut Chart<'_>, y: &Scale, style: Stroke, series: &Series) {
    let points = || {
        let values = series.values.iter().enumerate();
        values.map(|(i, value)| value.map(|value| (chart.x_of(i), y.at(value))))
    };
    let trace = Trace::of(points());
    let mut area = Path::new();
    if style == Stroke::Filled {
        let points: Vec<Option<(f64, f64)>> = points().collect();
        for stretch in points
            .split(Option::is_none)
            .filter(|stretch| stretch.len() > 1)
        {
            fill_below(&mut area, stretch.iter().flatten().copied(), y.range().0);
        }
    }
    chart.writer.area(area, series.colour, ".1");
    let dashes = (style == Stroke::Dashed).then_some("5 3");
    trace.draw(&mut chart.writer, series.colour, "1.6", dashes);
}

/// Closes a line down to a baseline.
pub(super) fn fill_below(
    area: &mut Path,
    mut points: impl Iterator<Item = (f64, f64)>,
    bottom: f64,
) {
    let Some((first, y)) = points.next() else {
        return;
    };
    area.move_to(first, bottom);
    area.line_to(first, y);
    let mut last = first;
    for (x, y) in points {
        area.line_to(x, y);
        last = x;
    }
    area.line_to(last, bottom);
    area.close();
}

/// Draws bars as upright strokes, side by side in seven tenths of their interval.
fn draw_bars(chart: &mut Chart<'_>, y: &Scale, all: &[&Bars<'_>]) {
    if all.is_empty() {
        return;
    }
    let seconds = chart.time.width();
    let (from, _) = chart.time.span();
    let room = (chart.x.at(from + seconds) - LEFT) * 0.7;
    let width = room / all.len() as f64;
    chart.writer.tag("g").set("class", "bars").open();
    for (place, bars) in all.iter().enumerate() {
        let mut path = Path::new();
        let aside = (place as f64 + 0.5) * width - room / 2.0;
        let counts = bars.counts.iter().enumerate();
        for (index, count) in counts.filter(|(_, count)| **count > 0) {
            let (begin, end) = chart.time.interval(index);
            let x = chart.x_of(index) + aside * ((end - begin) / seconds).min(1.0);
            let top = y
                .at(rate(*count, chart.time, index))
                .min(chart.bottom - 1.5);
            path.move_to(x, chart.bottom);
            path.line_to(x, top);
        }
        if !path.is_empty() {
            let tag = chart
                .writer
                .tag("path")
                .set("d", &path.finish())
                .set("fill", "none")
                .stroke(bars.colour);
            tag.num("stroke-width", width.max(0.5))
                .set("stroke-opacity", ".9")
                .end();
        }
    }
    chart.writer.close("g");
}

/// How many there were in a second of this interval. A sliver at the end of a run counts as a quarter of an interval, so
/// that a single failure in it is no peak.
fn rate(count: u64, time: &Time<'_>, index: usize) -> f64 {
    let (begin, end) = time.interval(index);
    count as f64 / (end - begin).max(time.width() / 4.0)
}
