//! Percentiles of a time, interval by interval: four lines, a band below the 99th, dots for the slowest.

use super::chart::{About, Chart, Trace};
use super::colour::Colour;
use super::labels::{Label, Sample};
use super::number::Unit;
use super::path::Path;
use super::scale::{Scale, log_ends, log_ticks};
use super::svg::Svg;
use super::time::{Series, Time};

/// What one interval says of a time, in nanoseconds. `None` where there are too few samples for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// The median.
    pub p50: Option<u64>,
    /// The 90th percentile.
    pub p90: Option<u64>,
    /// The 99th percentile.
    pub p99: Option<u64>,
    /// The 99.9th percentile.
    pub p999: Option<u64>,
    /// The slowest sample.
    pub max: Option<u64>,
}

/// Percentiles over time.
#[derive(Debug, Clone, Copy)]
pub struct Percentiles<'a> {
    /// One row for each interval.
    pub rows: &'a [Quantiles],
    /// Whether the names of the phases stand above it; for the first chart of a page.
    pub with_phases: bool,
}

impl Percentiles<'_> {
    /// Draws them. An axis of 236 pixels, or 258 with the names of phases.
    pub fn draw(&self, about: &About<'_>, time: &Time<'_>) -> Svg {
        let rows = time.shown(self.rows);
        Self { rows, ..*self }.draw_shown(about, time)
    }

    fn draw_shown(&self, about: &About<'_>, time: &Time<'_>) -> Svg {
        let height = if self.with_phases { 258.0 } else { 236.0 };
        let mut chart = Chart::begin(about, time, height, self.with_phases);
        let series = self.series();
        let values = || {
            series
                .iter()
                .flat_map(|series| series.values.iter().flatten().copied())
        };
        if values().next().is_none() {
            chart.no_data();
            return chart.finish(Vec::new());
        }
        let ends = log_ends(values());
        let y = Scale::log(ends, (chart.bottom, chart.top));
        chart.grid(&y, &log_ticks(ends), Unit::Nanoseconds);
        chart.begin_marks();
        let band = self.band(&chart, &y);
        chart.writer.area(band, Colour::P99, ".08");
        for one in series.iter().rev() {
            let points = one.values.iter().enumerate();
            let points = points.map(|(i, value)| value.map(|value| (chart.x_of(i), y.at(value))));
            if one.name == "max" {
                let mut path = Path::new();
                points.flatten().for_each(|(x, y)| path.dot(x, y));
                let dots = [("stroke-linecap", "round"), ("stroke-opacity", ".75")];
                chart.writer.line(path, one.colour, "5", &dots);
            } else {
                let width = if one.name == "p99" { "1.8" } else { "1.5" };
                Trace::of(points).draw(&mut chart.writer, one.colour, width, None);
            }
        }
        chart.end_marks();
        let labels = series.iter().filter_map(|one| {
            // Beside the slowest of all stands that one, as its name says; beside the others a usual value.
            let value = match one.name.as_str() {
                "max" => one.most(),
                _ => time.middle(&one.values),
            }?;
            Some(Label {
                name: one.name.clone(),
                value: one.unit.value(value),
                y: y.at(value),
                colour: one.colour,
                sample: if one.name == "max" {
                    Sample::Dots
                } else {
                    Sample::Line
                },
            })
        });
        let labels = labels.collect();
        chart.finish(labels)
    }

    /// What the crosshair reads.
    pub fn series(&self) -> Vec<Series> {
        type Pick = fn(&Quantiles) -> Option<u64>;
        let all: [(&str, Colour, Pick); 5] = [
            ("p50", Colour::P50, |row| row.p50),
            ("p90", Colour::P90, |row| row.p90),
            ("p99", Colour::P99, |row| row.p99),
            ("p99.9", Colour::P999, |row| row.p999),
            ("max", Colour::Max, |row| row.max),
        ];
        let series = all.into_iter().map(|(name, colour, pick)| {
            let values = self.rows.iter().map(|row| pick(row).map(|ns| ns as f64));
            Series::new(name, colour, Unit::Nanoseconds, values)
        });
        series.filter(|series| series.most().is_some()).collect()
    }

    /// The band between the 50th and the 99th percentile, in one piece for each stretch that has both.
    fn band(&self, chart: &Chart<'_>, y: &Scale) -> Path {
        let mut path = Path::new();
        let edges = self
            .rows
            .iter()
            .enumerate()
            .map(|(i, row)| Some((i, row.p50?, row.p99?)));
        let edges: Vec<Option<(usize, u64, u64)>> = edges.collect();
        for stretch in edges.split(Option::is_none) {
            if stretch.len() < 2 {
                continue;
            }
            let stretch = || stretch.iter().flatten();
            for (turn, (i, _, p99)) in stretch().enumerate() {
                match turn {
                    0 => path.move_to(chart.x_of(*i), y.at(*p99 as f64)),
                    _ => path.line_to(chart.x_of(*i), y.at(*p99 as f64)),
                }
            }
            for (i, p50, _) in stretch().rev() {
                path.line_to(chart.x_of(*i), y.at(*p50 as f64));
            }
            path.close();
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_is_named_beside_the_chart_and_not_the_usual_of_the_slowest() {
        let row = |ms: u64| Quantiles {
            p50: Some(1_000_000),
            max: Some(ms * 1_000_000),
            ..Quantiles::default()
        };
        let rows = [row(2), row(1_000), row(3)];
        let chart = Percentiles {
            rows: &rows,
            with_phases: false,
        };
        let about = About {
            id: "latency",
            title: "Latency",
            sentence: "",
        };
        let time = Time {
            to: 3.0,
            step: 1.0,
            ..Time::default()
        };
        let svg = chart.draw(&about, &time);
        let (_, label) = svg.as_str().rsplit_once(">max<").unwrap();
        assert!(
            label.contains("1.00 s") && !label.contains("3.00 ms"),
            "{label}"
        );
    }
}
