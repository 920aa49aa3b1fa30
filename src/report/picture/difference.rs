//! How far a new value is from that of the past, and how sure that is: a bar over the interval, beside the line of no
//! change and the limit. All bars of a table have the same ends, so that they can be compared by eye.

use super::colour::Colour;
use super::path::Path;
use super::scale::Scale;
use super::svg::{Anchor, Svg, Writer};
use super::text::width;

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 22.0;
/// The height of the axis above the bars.
const AXIS: f64 = 16.0;
/// The room at both ends, for the marks of what lies beyond.
const SIDE: f64 = 6.0;
const MIDDLE: f64 = HEIGHT / 2.0;
/// From the middle to the upper and lower edge of the bar.
const HALF: f64 = 4.0;
/// The least room between two marks of the axis.
const APART: f64 = 8.0;

/// One difference, on a scale where 0 is no change: of logarithms, where values are compared as ratios.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The new value less that of the past.
    pub by: f64,
    /// The ends of the interval around it; `None` where there is too little for one.
    pub interval: Option<(f64, f64)>,
    /// What is allowed, if a gate says so.
    pub limit: Option<Bound>,
    /// The colour of the bar.
    pub colour: Colour,
}

/// What is allowed of a difference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bound {
    /// Where what is allowed ends.
    pub at: f64,
    /// Whether more is not allowed; else less is not.
    pub is_upper: bool,
}

impl Difference {
    /// Draws it between these ends of the scale. `name` is its accessible name.
    pub fn draw(&self, ends: (f64, f64), name: &str) -> Svg {
        let mut writer = Writer::small((WIDTH, HEIGHT), name);
        let x = scale(ends);
        if let Some(limit) = self.limit.filter(|limit| !limit.at.is_nan()) {
            let at = x.at(limit.at);
            let mut beyond = Path::new();
            match limit.is_upper {
                true => beyond.rect((at, 0.0), (WIDTH, HEIGHT)),
                false => beyond.rect((0.0, 0.0), (at, HEIGHT)),
            }
            writer.area(beyond, Colour::Bad, "0.1");
            upright(&mut writer, at, (0.0, HEIGHT), Colour::Bad);
        }
        upright(&mut writer, x.at(0.0), (0.0, HEIGHT), Colour::Mute);
        let known = |(lo, hi): &(f64, f64)| !lo.is_nan() && !hi.is_nan();
        if let Some((lo, hi)) = self.interval.filter(known) {
            let mut bar = Path::new();
            bar.rect((x.at(lo), MIDDLE - HALF), (x.at(hi), MIDDLE + HALF));
            writer.area(bar, self.colour, "0.35");
            end(
                &mut writer,
                x.at(lo),
                (lo < ends.0).then_some(1.0),
                self.colour,
            );
            end(
                &mut writer,
                x.at(hi),
                (hi > ends.1).then_some(-1.0),
                self.colour,
            );
        }
        if self.by >= ends.0 && self.by <= ends.1 {
            let dot = writer
                .tag("circle")
                .num("cx", x.at(self.by))
                .num("cy", MIDDLE);
            dot.num("r", 3.5).fill(self.colour).end();
        }
        writer.finish()
    }
}

/// Draws the axis above such bars: of these marks, the first ones first, as many as do not cover each other.
pub fn difference_axis(ends: (f64, f64), marks: &[(f64, &str)], name: &str) -> Svg {
    let mut writer = Writer::small((WIDTH, AXIS), name);
    let x = scale(ends);
    let mut taken: Vec<(f64, f64)> = Vec::new();
    for (at, text) in marks {
        let half = width(text, 11.0) / 2.0;
        let (from, to) = (x.at(*at) - half, x.at(*at) + half);
        let is_inside = *at >= ends.0 && *at <= ends.1 && from >= 0.0 && to <= WIDTH;
        let is_free = |(left, right): &(f64, f64)| to + APART < *left || from > right + APART;
        if is_inside && taken.iter().all(is_free) {
            writer.note((x.at(*at), 12.0), Anchor::Middle, Colour::Mute, text);
            taken.push((from, to));
        }
    }
    writer.finish()
}

fn scale(ends: (f64, f64)) -> Scale {
    Scale::linear(ends, (SIDE, WIDTH - SIDE))
}

fn upright(writer: &mut Writer, x: f64, (from, to): (f64, f64), colour: Colour) {
    let mut line = Path::new();
    line.move_to(x, from);
    line.line_to(x, to);
    writer.line(line, colour, "1.5", &[]);
}

/// Draws an end of the bar: a stroke, or where it lies beyond the scale, an arrow there that opens in this direction.
fn end(writer: &mut Writer, x: f64, opens: Option<f64>, colour: Colour) {
    let (above, below) = (MIDDLE - HALF - 2.0, MIDDLE + HALF + 2.0);
    let Some(opens) = opens else {
        return upright(writer, x, (above, below), colour);
    };
    let mut arrow = Path::new();
    arrow.move_to(x + opens * 5.0, above);
    arrow.line_to(x - opens * 2.0, MIDDLE);
    arrow.line_to(x + opens * 5.0, below);
    writer.line(arrow, colour, "1.5", &[]);
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDS: (f64, f64) = (-1.0, 1.0);

    fn drawn(lo: f64, hi: f64) -> String {
        let difference = Difference {
            by: 0.0,
            interval: Some((lo, hi)),
            limit: None,
            colour: Colour::Good,
        };
        difference.draw(ENDS, "wide").as_str().to_owned()
    }

    #[test]
    fn what_lies_beyond_the_scale_is_an_arrow() {
        let arrows = |svg: &str| svg.matches("<path").count();
        assert_eq!(
            arrows(&drawn(-0.5, 0.5)),
            arrows(&drawn(-9.0, f64::INFINITY))
        );
        assert_ne!(drawn(-1.0, 1.0), drawn(-9.0, f64::INFINITY));
    }

    #[test]
    fn marks_do_not_cover_each_other_and_the_first_stay() {
        let marks = [
            (0.0, "100 %"),
            (0.01, "101 %"),
            (0.9, "250 %"),
            (5.0, "far"),
        ];
        let svg = difference_axis(ENDS, &marks, "scale");
        let shown = |text: &str| svg.as_str().contains(text);
        assert!(shown("100 %") && shown("250 %"), "{svg}");
        assert!(!shown("101 %") && !shown("far"), "{svg}");
    }
}
