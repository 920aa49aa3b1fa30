//! A heatmap: how many samples took how long in each interval. One hue, whose opacity grows with the logarithm of the
//! count, so that one palette serves light and dark.

use super::chart::{About, Chart, LEFT, NAMES};
use super::colour::Colour;
use super::number::{Unit, short_count};
use super::path::Path;
use super::scale::{Scale, log_ends, log_ticks};
use super::svg::{Anchor, Svg};
use super::time::{Series, Time};

/// The height of the chart.
const HEIGHT: f64 = 220.0;
/// Rows, at equal distances on the logarithmic axis.
const ROWS: usize = 44;
/// The most columns; intervals are put together until there are so few.
const COLUMNS: usize = 180;
/// Levels of opacity.
const LEVELS: usize = 9;

/// All samples of a time.
#[derive(Debug, Clone, Copy)]
pub struct Heat<'a> {
    /// For each interval the samples of its histogram as pairs: nanoseconds, and how many took so long.
    pub columns: &'a [Vec<(u64, u64)>],
}

impl Heat<'_> {
    /// Draws the map, and a key of its levels at the right.
    pub fn draw(&self, about: &About<'_>, time: &Time<'_>) -> Svg {
        let columns = time.shown(self.columns);
        Heat { columns }.draw_shown(about, time)
    }

    fn draw_shown(&self, about: &About<'_>, time: &Time<'_>) -> Svg {
        let mut chart = Chart::begin(about, time, HEIGHT, false);
        let some = || {
            self.columns
                .iter()
                .flatten()
                .filter(|(_, count)| *count > 0)
        };
        if some().next().is_none() {
            chart.no_data();
            return chart.finish(Vec::new());
        }
        let ends = log_ends(some().map(|(ns, _)| *ns as f64));
        let y = Scale::log(ends, (chart.bottom, chart.top));
        chart.grid(&y, &log_ticks(ends), Unit::Nanoseconds);
        let together = self.columns.len().div_ceil(COLUMNS);
        let rows = Scale::log(ends, (0.0, ROWS as f64));
        let cells: Vec<[u64; ROWS]> = self
            .columns
            .chunks(together)
            .map(|columns| cells(columns, &rows))
            .collect();
        let most = cells.iter().flatten().copied().max().unwrap_or(1);
        chart.begin_marks();
        let (from, _) = time.span();
        let width = chart.x.at(from + time.width() * together as f64) - LEFT;
        map(&mut chart, &cells, most, width);
        chart.end_marks();
        key(&mut chart, most);
        chart.finish(Vec::new())
    }

    /// What the crosshair reads: how many samples there were.
    pub fn series(&self) -> Vec<Series> {
        let total = |column: &Vec<(u64, u64)>| {
            column
                .iter()
                .fold(0u64, |sum, (_, count)| sum.saturating_add(*count))
        };
        let totals = self.columns.iter().map(|column| Some(total(column) as f64));
        vec![Series::new("samples", Colour::Heat, Unit::Count, totals)]
    }
}

/// Counts the samples of some intervals by row; row 0 is the fastest.
fn cells(columns: &[Vec<(u64, u64)>], rows: &Scale) -> [u64; ROWS] {
    let mut cells = [0u64; ROWS];
    for (ns, count) in columns.iter().flatten() {
        let row = (rows.at(*ns as f64) as usize).min(ROWS - 1);
        cells[row] = cells[row].saturating_add(*count);
    }
    cells
}

/// The level of a count: 0 for none, up to [`LEVELS`] for the most.
fn level(count: u64, most: u64) -> usize {
    match (count, most) {
        (0, _) => 0,
        (_, 1) => LEVELS,
        _ => {
            let share = (count as f64).ln() / (most as f64).ln();
            1 + (share * (LEVELS - 1) as f64).round() as usize
        }
    }
}

fn opacity(level: usize) -> String {
    format!("{:.2}", (level as f64 / LEVELS as f64).powf(1.35))
}

/// Draws the cells, one path a level. In a coordinate system of cells, equal neighbours of a column are one upright
/// stroke as wide as the column: six bytes for a cell, so that pure noise stays below 60 KB.
fn map(chart: &mut Chart<'_>, cells: &[[u64; ROWS]], most: u64, width: f64) {
    let height = (chart.bottom - chart.top) / ROWS as f64;
    let place = format!(
        "translate({} {}) scale({width:.4} {:.4})",
        LEFT + width / 2.0,
        chart.bottom,
        -height,
    );
    let group = chart
        .writer
        .tag("g")
        .set("class", "cells")
        .set("transform", &place);
    group.set("shape-rendering", "crispEdges").open();
    for level_drawn in 1..=LEVELS {
        let mut path = Path::new();
        for (column, cells) in cells.iter().enumerate() {
            let mut row = 0;
            for run in cells.chunk_by(|a, b| level(*a, most) == level(*b, most)) {
                if level(run[0], most) == level_drawn {
                    path.move_to(column as f64, row as f64);
                    path.line_to(column as f64, (row + run.len()) as f64);
                }
                row += run.len();
            }
        }
        chart.writer.line(
            path,
            Colour::Heat,
            "1",
            &[("stroke-opacity", &opacity(level_drawn))],
        );
    }
    chart.writer.close("g");
}

/// Draws the levels side by side, with the counts at both ends; one level where no cell has two samples.
fn key(chart: &mut Chart<'_>, most: u64) {
    const CELL: f64 = 10.0;
    let (left, _) = NAMES;
    let least = if most > 1 { 1 } else { LEVELS };
    let right = left + (LEVELS + 1 - least) as f64 * CELL;
    for level in least..=LEVELS {
        let mut path = Path::new();
        let x = left + (level - least) as f64 * CELL;
        path.rect((x, 16.0), (x + CELL, 26.0));
        chart.writer.area(path, Colour::Heat, &opacity(level));
    }
    if most > 1 {
        chart
            .writer
            .note((left, 40.0), Anchor::Start, Colour::Mute, "1");
    }
    chart
        .writer
        .note((right, 40.0), Anchor::End, Colour::Mute, &short_count(most));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_follow_the_logarithm() {
        assert_eq!(level(0, 100), 0);
        assert_eq!(level(1, 100), 1);
        assert_eq!(level(10, 100), 5);
        assert_eq!(level(100, 100), LEVELS);
        assert_eq!(level(1, 1), LEVELS);
        assert_eq!(level(u64::MAX, u64::MAX), LEVELS);
    }

    #[test]
    fn each_sample_is_in_one_cell() {
        let rows = Scale::log((1e3, 1e9), (0.0, ROWS as f64));
        let seen = cells(
            &[
                vec![(0, 1), (1_000, 2), (1_000_000_000, 4)],
                vec![(u64::MAX, 8)],
            ],
            &rows,
        );
        assert_eq!(
            (seen[0], seen[ROWS - 1], seen.iter().sum::<u64>()),
            (3, 12, 15)
        );
    }
}
