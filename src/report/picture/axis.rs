//! Axes: grid lines with their values at the left, marks with their seconds below.

use super::colour::Colour;
use super::number::{Unit, clock};
use super::path::Path;
use super::scale::{Scale, time_ticks};
use super::svg::{Anchor, Writer};

/// Draws one line of the grid for each mark, and its value left of it.
pub(super) fn rows(
    writer: &mut Writer,
    (left, right): (f64, f64),
    y: &Scale,
    ticks: &[f64],
    unit: Unit,
) {
    let mut lines = Path::new();
    for tick in ticks {
        lines.move_to(left, y.at(*tick));
        lines.line_to(right, y.at(*tick));
    }
    writer.line(lines, Colour::Grid, "1", &[]);
    for tick in ticks {
        let place = (left - 8.0, y.at(*tick) + 4.0);
        writer.text(place, Anchor::End, Colour::Mute, &unit.tick(*tick));
    }
}

/// Draws the axis of a run. The marks are a group of their own, which the script replaces when it zooms.
pub(super) fn seconds(writer: &mut Writer, x: &Scale, span: (f64, f64), bottom: f64) {
    let ticks: Vec<(f64, String)> = time_ticks(span)
        .into_iter()
        .map(|tick| (x.at(tick), clock(tick)))
        .collect();
    line(writer, x.range(), bottom);
    writer.tag("g").set("class", "ticks").open();
    marks(writer, &ticks, bottom);
    writer.close("g");
}

/// Draws the line of an axis.
pub(super) fn line(writer: &mut Writer, (left, right): (f64, f64), bottom: f64) {
    let mut path = Path::new();
    path.move_to(left, bottom);
    path.line_to(right, bottom);
    writer.line(path, Colour::Axis, "1", &[]);
}

/// Draws marks below an axis, each with its text.
pub(super) fn marks(writer: &mut Writer, ticks: &[(f64, String)], bottom: f64) {
    let mut path = Path::new();
    for (x, _) in ticks {
        path.move_to(*x, bottom);
        path.line_to(*x, bottom + 4.0);
    }
    writer.line(path, Colour::Axis, "1", &[]);
    for (x, text) in ticks {
        writer.text((*x, bottom + 17.0), Anchor::Middle, Colour::Mute, text);
    }
}
