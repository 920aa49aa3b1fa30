//! Connections by state, at the end of each interval: open, connecting and closing ones stacked, dead ones as a line.

use super::chart::{About, Chart, Trace};
use super::colour::Colour;
use super::labels::{Label, Sample};
use super::number::Unit;
use super::path::Path;
use super::scale::{Rounding, Scale, linear_ticks};
use super::svg::{Svg, Writer};
use super::time::{Series, Time};
use crate::units::human_count;

/// The height of the chart.
const HEIGHT: f64 = 176.0;

/// How many connections are in each state at the end of an interval.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct State {
    /// Dialled, without an answer yet.
    pub connecting: u64,
    /// Open.
    pub open: u64,
    /// In their closing handshake.
    pub closing: u64,
    /// Declared dead by the heartbeat, and not yet gone.
    pub dead: u64,
}

/// Connections over time.
#[derive(Debug, Clone, Copy)]
pub struct States<'a> {
    /// One row for each interval; `None` where nothing is known.
    pub rows: &'a [Option<State>],
}

impl States<'_> {
    /// Draws them. A run that begins at zero begins without connections.
    pub fn draw(&self, about: &About<'_>, time: &Time<'_>) -> Svg {
        let rows = time.shown(self.rows);
        States { rows }.draw_shown(about, time)
    }

    fn draw_shown(&self, about: &About<'_>, time: &Time<'_>) -> Svg {
        let mut chart = Chart::begin(about, time, HEIGHT, false);
        let known = || self.rows.iter().flatten();
        if known().next().is_none() {
            chart.no_data();
            return chart.finish(Vec::new());
        }
        let height = |row: &State| {
            let stack: f64 = LAYERS.iter().map(|layer| (layer.pick)(row) as f64).sum();
            stack.max(row.dead as f64)
        };
        let most = known().map(height).fold(0.0, f64::max);
        let ticks = linear_ticks(most * 1.04, Rounding::Whole);
        let y = Scale::linear((0.0, ticks[ticks.len() - 1]), (chart.bottom, chart.top));
        chart.grid(&y, &ticks, Unit::Count);

        let points = self.points(&chart);
        chart.begin_marks();
        for stretch in points.split(Option::is_none) {
            let stretch: Vec<(f64, State)> = stretch.iter().flatten().copied().collect();
            draw_stack(&mut chart.writer, &y, &stretch);
            draw_dead(&mut chart.writer, &y, &stretch);
        }
        chart.end_marks();
        let labels = self.labels(&y);
        chart.finish(labels)
    }

    /// What the crosshair reads.
    pub fn series(&self) -> Vec<Series> {
        let dead = Layer {
            name: "dead",
            colour: Colour::Dead,
            opacity: "1",
            pick: |row| row.dead,
        };
        let layers = LAYERS.iter().chain([&dead]);
        let series = layers.map(|layer| {
            let values = self
                .rows
                .iter()
                .map(|row| row.as_ref().map(|row| (layer.pick)(row) as f64));
            Series::new(layer.name, layer.colour, Unit::Count, values)
        });
        series
            .filter(|one| one.most().is_some_and(|most| most > 0.0) || one.name == "open")
            .collect()
    }

    /// Each row at the end of its interval, and an empty one at the start of the run.
    fn points(&self, chart: &Chart<'_>) -> Vec<Option<(f64, State)>> {
        let (from, _) = chart.time.span();
        let start = (from == 0.0).then(|| Some((chart.x.at(0.0), State::default())));
        let end = |index: usize| chart.x.at(chart.time.interval(index).1);
        let rows = self
            .rows
            .iter()
            .enumerate()
            .map(|(i, row)| row.map(|row| (end(i), row)));
        start.into_iter().chain(rows).collect()
    }

    /// The peak of each state; those that are stacked stand at the top of the stack.
    fn labels(&self, y: &Scale) -> Vec<Label> {
        let series = self.series();
        let top = series.iter().filter_map(Series::most).fold(0.0, f64::max);
        let labels = series.iter().map(|one| {
            let peak = one.most().unwrap_or(0.0);
            let is_dead = one.name == "dead";
            Label {
                name: one.name.clone(),
                value: match one.name.as_str() {
                    "open" => format!("peak {}", human_count(peak as u64)),
                    _ => human_count(peak as u64),
                },
                y: y.at(if is_dead { peak } else { top }),
                colour: one.colour,
                sample: if is_dead { Sample::Line } else { Sample::Block },
            }
        });
        labels.collect()
    }
}

/// A state that is part of the stack.
struct Layer {
    name: &'static str,
    colour: Colour,
    opacity: &'static str,
    pick: fn(&State) -> u64,
}

/// From the bottom to the top of the stack.
const LAYERS: [Layer; 3] = [
    Layer {
        name: "open",
        colour: Colour::Open,
        opacity: ".32",
        pick: |row| row.open,
    },
    Layer {
        name: "connecting",
        colour: Colour::Connecting,
        opacity: ".85",
        pick: |row| row.connecting,
    },
    Layer {
        name: "closing",
        colour: Colour::Closing,
        opacity: ".85",
        pick: |row| row.closing,
    },
];

/// Draws the layers of a stretch without gaps on top of each other.
fn draw_stack(writer: &mut Writer, y: &Scale, stretch: &[(f64, State)]) {
    let mut below = vec![0.0; stretch.len()];
    for layer in &LAYERS {
        let rows = stretch.iter().zip(&below);
        let above: Vec<f64> = rows
            .map(|((_, row), below)| below + (layer.pick)(row) as f64)
            .collect();
        if above != below {
            let places = |edge: &[f64]| {
                let points = stretch.iter().zip(edge);
                points
                    .map(|((x, _), value)| (*x, y.at(*value)))
                    .collect::<Vec<_>>()
            };
            draw_layer(writer, layer, &places(&above), &places(&below));
        }
        below = above;
    }
}

/// Fills the room between two edges, and draws the upper one of the open connections.
fn draw_layer(writer: &mut Writer, layer: &Layer, above: &[(f64, f64)], below: &[(f64, f64)]) {
    let mut area = Path::new();
    for (turn, (x, y)) in above.iter().chain(below.iter().rev()).enumerate() {
        match turn {
            0 => area.move_to(*x, *y),
            _ => area.line_to(*x, *y),
        }
    }
    area.close();
    writer.area(area, layer.colour, layer.opacity);
    // A row alone between two gaps has no area; it is seen as a dot.
    if layer.name == "open" || above.len() == 1 {
        let edge = Trace::of(above.iter().copied().map(Some));
        edge.draw(writer, layer.colour, "1.4", None);
    }
}

/// Draws dead connections where there are any: from the last row without them to the first.
fn draw_dead(writer: &mut Writer, y: &Scale, stretch: &[(f64, State)]) {
    let has_dead = |index: usize| stretch.get(index).is_some_and(|(_, row)| row.dead > 0);
    let points = stretch.iter().enumerate().map(|(i, (x, row))| {
        let is_drawn = has_dead(i) || has_dead(i + 1) || (i > 0 && has_dead(i - 1));
        is_drawn.then(|| (*x, y.at(row.dead as f64)))
    });
    Trace::of(points).draw(writer, Colour::Dead, "1.8", None);
}
