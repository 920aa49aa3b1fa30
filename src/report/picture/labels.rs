//! Names at the right end of a chart, in place of a legend: each at the height of its value, pushed apart where two
//! would cover each other. A short sample of the series stands before its name, so that no text needs its colour.

use super::colour::Colour;
use super::path::Path;
use super::svg::{Anchor, Writer};
use super::text::{cut, width};

/// The distance between the baselines of two names.
const APART: f64 = 14.0;
/// The sizes of the text, from that which is wanted to the smallest.
const SIZES: [f64; 3] = [12.0, 11.0, 10.5];
/// From the sample to the name.
const INDENT: f64 = 14.0;

/// How a series is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sample {
    Line,
    Dashes,
    Dots,
    Block,
}

/// A name that is to be placed.
#[derive(Debug, Clone)]
pub(super) struct Label {
    pub(super) name: String,
    /// What stands behind the name; may be empty.
    pub(super) value: String,
    /// The height of what it names.
    pub(super) y: f64,
    pub(super) colour: Colour,
    pub(super) sample: Sample,
}

/// Writes the labels at `left` between two heights, cut to the room that they have.
pub(super) fn write(
    writer: &mut Writer,
    labels: Vec<Label>,
    left: f64,
    room: f64,
    heights: (f64, f64),
) {
    let mut labels = labels;
    labels.sort_by(|a, b| a.y.total_cmp(&b.y));
    let places = apart(labels.iter().map(|label| label.y).collect(), heights);
    for (label, y) in labels.iter().zip(places) {
        sample(writer, label, (left, y));
        text(writer, label, (left + INDENT, y + 4.0), room - INDENT);
    }
}

/// Writes a name in bold and its value, smaller where they would not fit; a name that is still too long is cut.
fn text(writer: &mut Writer, label: &Label, (x, y): (f64, f64), room: f64) {
    let value = match label.value.as_str() {
        "" => String::new(),
        value => format!(" {value}"),
    };
    let fits = |size: &f64| width(&label.name, *size) + width(&value, *size) <= room;
    let size = SIZES
        .into_iter()
        .find(fits)
        .unwrap_or(SIZES[SIZES.len() - 1]);
    let name = cut(&label.name, size, room - width(&value, size));
    let tag = writer.tag("text").at(x, y).fill(Colour::Mute);
    tag.num("font-size", size).open();
    let tag = writer
        .tag("tspan")
        .fill(Colour::Ink)
        .set("font-weight", "600");
    tag.content(&name);
    writer.characters(&value);
    writer.close("text");
}

/// Draws a sample of the series.
fn sample(writer: &mut Writer, label: &Label, (x, y): (f64, f64)) {
    let mut path = Path::new();
    match label.sample {
        Sample::Line | Sample::Dashes => {
            path.move_to(x, y);
            path.line_to(x + 10.0, y);
            let dashes: &[(&str, &str)] = &[("stroke-dasharray", "4 2")];
            let more = if label.sample == Sample::Dashes {
                dashes
            } else {
                &[]
            };
            writer.line(path, label.colour, "2.4", more);
        }
        Sample::Dots => {
            for step in [1.0, 5.0, 9.0] {
                path.dot(x + step, y);
            }
            writer.line(path, label.colour, "3", &[("stroke-linecap", "round")]);
        }
        Sample::Block => {
            path.rect((x, y - 4.5), (x + 10.0, y + 4.5));
            writer.area(path, label.colour, "1");
        }
    }
}

/// Moves sorted heights apart as little as one pass down and one pass up do it, and keeps them between two heights as far
/// as there is room. Their order stays.
pub(super) fn apart(mut ys: Vec<f64>, (top, bottom): (f64, f64)) -> Vec<f64> {
    let mut least = top;
    for y in &mut ys {
        *y = y.max(least);
        least = *y + APART;
    }
    let mut most = bottom;
    for y in ys.iter_mut().rev() {
        *y = y.min(most);
        most = *y - APART;
    }
    ys
}

/// Writes the one name that stands in for labels where there is nothing to draw.
pub(super) fn no_data(writer: &mut Writer, (x, y): (f64, f64)) {
    writer.text((x, y), Anchor::Middle, Colour::Mute, "no data");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_cover_each_other() {
        assert_eq!(
            apart(vec![20.0, 25.0, 100.0], (10.0, 200.0)),
            [20.0, 34.0, 100.0]
        );
        assert_eq!(apart(vec![198.0, 199.0], (10.0, 200.0)), [186.0, 200.0]);
        assert_eq!(apart(vec![-5.0], (10.0, 200.0)), [10.0]);
    }
}
