//! The percentile spectrum: how long the fastest share of all samples took. Each nine gets the same room, so that the
//! slow end, which users feel, is most of the picture.

use super::axis;
use super::chart::{LEFT, NAMES, RIGHT, WIDTH};
use super::colour::Colour;
use super::labels::{self, Label, Sample};
use super::number::Unit;
use super::path::Path;
use super::scale::{Scale, log_ends, log_ticks};
use super::svg::{Anchor, Svg, Writer};
use super::text::width;

const HEIGHT: f64 = 330.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 290.0;
/// The least distance between two points of a curve.
const APART: f64 = 0.8;
/// How far a point may be from the line that replaces it.
const TOLERANCE: f64 = 0.12;
/// The length of the dash of a gate.
const DASH: f64 = 52.0;

/// One distribution.
#[derive(Debug, Clone, Copy)]
pub struct Curve<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its colour.
    pub colour: Colour,
    /// Whether it is dashed, like `service` beside `latency`.
    pub is_dashed: bool,
    /// The recorded values in order: the share of samples (0 to 1) that took at most so many nanoseconds.
    pub points: &'a [(f64, u64)],
    /// The number of samples: the curve ends at the slowest one.
    pub samples: u64,
}

/// What a gate allows at a percentile.
#[derive(Debug, Clone, Copy)]
pub struct Allowed<'a> {
    /// The share of samples, from 0 to 1: 0.99 for `p99`.
    pub share: f64,
    /// The limit in nanoseconds.
    pub ns: u64,
    /// The limit as written in the gate: `50ms`.
    pub limit: &'a str,
}

/// Distributions, and what gates allow of them.
#[derive(Debug, Clone, Copy)]
pub struct Spectrum<'a> {
    /// The curves; seven of them are as many as one can read.
    pub curves: &'a [Curve<'a>],
    /// What a baseline had of some of them: drawn below them, as far as they go.
    pub past: &'a [Curve<'a>],
    /// The gates.
    pub gates: &'a [Allowed<'a>],
}

impl Spectrum<'_> {
    /// Draws it. `name` is its accessible name.
    pub fn draw(&self, name: &str) -> Svg {
        let mut writer = Writer::large((WIDTH, HEIGHT), name, &[]);
        let curves: Vec<&Curve<'_>> = self
            .curves
            .iter()
            .filter(|curve| !curve.points.is_empty())
            .collect();
        if curves.is_empty() {
            axis::line(&mut writer, (LEFT, RIGHT), BOTTOM);
            labels::no_data(&mut writer, ((LEFT + RIGHT) / 2.0, (TOP + BOTTOM) / 2.0));
            return writer.finish();
        }
        let most = curves.iter().map(|curve| curve.samples).max().unwrap_or(1);
        let nines = (most as f64).log10().max(1.0);
        let x = Scale::linear((0.0, nines), (LEFT, RIGHT));
        let past = self.past.iter().map(|curve| {
            let points = within(curve, nines);
            let is_whole = points.len() == curve.points.len();
            (Curve { points, ..*curve }, is_whole)
        });
        let curves: Vec<(Curve<'_>, bool)> = past
            .filter(|(curve, _)| !curve.points.is_empty())
            .chain(curves.into_iter().map(|curve| (*curve, true)))
            .collect();
        let values = curves
            .iter()
            .flat_map(|(curve, _)| curve.points)
            .map(|(_, ns)| *ns as f64);
        let ends = log_ends(values);
        let y = Scale::log(ends, (BOTTOM, TOP));
        axis::rows(
            &mut writer,
            (LEFT, RIGHT),
            &y,
            &log_ticks(ends),
            Unit::Nanoseconds,
        );
        columns(&mut writer, &x, nines);
        let mut names = Vec::new();
        for (curve, is_whole) in &curves {
            let last = draw_curve(&mut writer, curve, *is_whole, (&x, &y));
            names.push(Label {
                name: curve.name.to_owned(),
                value: String::new(),
                y: last,
                colour: curve.colour,
                sample: if curve.is_dashed {
                    Sample::Dashes
                } else {
                    Sample::Line
                },
            });
        }
        for gate in self.gates {
            draw_gate(&mut writer, gate, ends, &x, &y);
        }
        labels::write(
            &mut writer,
            names,
            NAMES.0,
            NAMES.1,
            (TOP + 4.0, BOTTOM - 2.0),
        );
        writer.finish()
    }
}

/// The number of nines of a share, as the slowest sample of so many has it at most.
fn nines_of(share: f64, samples: u64) -> f64 {
    let share = if share.is_finite() {
        share.clamp(0.0, 1.0)
    } else {
        0.0
    };
    let slowest = 1.0 / samples.max(1) as f64;
    -(1.0 - share).max(slowest).log10()
}

/// The points of a curve that are not slower than the slowest sample of others, which has so many nines.
fn within<'a>(curve: &Curve<'a>, nines: f64) -> &'a [(f64, u64)] {
    let is_within = |(share, _): &(f64, u64)| nines_of(*share, curve.samples) <= nines;
    &curve.points[..curve.points.partition_point(is_within)]
}

/// Draws a line of the grid at each nine.
fn columns(writer: &mut Writer, x: &Scale, nines: f64) {
    let all = [(0.0, "0 %"), (0.301, "50 %"), (1.0, "90 %"), (2.0, "99 %")];
    let more = (3..=19u32).map(|nine| {
        (
            f64::from(nine),
            format!("99.{} %", "9".repeat(nine as usize - 2)),
        )
    });
    let all: Vec<(f64, String)> = all
        .into_iter()
        .map(|(at, text)| (at, text.to_owned()))
        .chain(more)
        .collect();
    let marks: Vec<(f64, String)> = all
        .into_iter()
        .filter(|(at, _)| *at <= nines)
        .map(|(at, text)| (x.at(at), text))
        .collect();
    let mut lines = Path::new();
    for (x, _) in &marks {
        lines.move_to(*x, TOP);
        lines.line_to(*x, BOTTOM);
    }
    writer.line(lines, Colour::Grid, "1", &[]);
    axis::line(writer, x.range(), BOTTOM);
    axis::marks(writer, &marks, BOTTOM);
    let middle = (LEFT + RIGHT) / 2.0;
    writer.text(
        (middle, BOTTOM + 36.0),
        Anchor::Middle,
        Colour::Mute,
        "of all samples took no longer than this",
    );
}

/// Draws a curve, and a dot at its slowest sample if it is whole. Returns the height of its end.
fn draw_curve(
    writer: &mut Writer,
    curve: &Curve<'_>,
    is_whole: bool,
    (x, y): (&Scale, &Scale),
) -> f64 {
    let mut points: Vec<(f64, f64)> = Vec::new();
    let mut end = (LEFT, BOTTOM);
    for (share, ns) in curve.points {
        end = (x.at(nines_of(*share, curve.samples)), y.at(*ns as f64));
        if points
            .last()
            .is_none_or(|last| (end.0 - last.0).abs() >= APART)
        {
            points.push(end);
        }
    }
    points.push(end);
    let mut path = Path::new();
    for (turn, (x, y)) in simplified(&points).into_iter().enumerate() {
        match turn {
            0 => path.move_to(x, y),
            _ => path.line_to(x, y),
        }
    }
    let round = [("stroke-linejoin", "round")];
    let dashed = [("stroke-linejoin", "round"), ("stroke-dasharray", "5 3")];
    let more: &[(&str, &str)] = if curve.is_dashed { &dashed } else { &round };
    writer.line(path, curve.colour, "1.8", more);
    if is_whole {
        let dot = writer
            .tag("circle")
            .num("cx", end.0)
            .num("cy", end.1)
            .num("r", 3.2);
        dot.fill(curve.colour).end();
    }
    end.1
}

/// Leaves out points that lie on the way between their neighbours (Douglas and Peucker).
fn simplified(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut stays = vec![false; points.len()];
    let mut open = vec![(0, points.len() - 1)];
    while let Some((from, to)) = open.pop() {
        (stays[from], stays[to]) = (true, true);
        let (a, b) = (points[from], points[to]);
        let length = (b.0 - a.0).hypot(b.1 - a.1).max(1e-9);
        let off =
            |p: (f64, f64)| ((b.0 - a.0) * (p.1 - a.1) - (b.1 - a.1) * (p.0 - a.0)).abs() / length;
        let inner = (from + 1..to).map(|i| (i, off(points[i])));
        if let Some((i, distance)) = inner.max_by(|a, b| a.1.total_cmp(&b.1))
            && distance > TOLERANCE
        {
            open.extend([(from, i), (i, to)]);
        }
    }
    let kept = points.iter().zip(stays).filter(|(_, stays)| *stays);
    kept.map(|(point, _)| *point).collect()
}

/// Draws what a gate allows: a dash at its percentile, or an arrow at the edge beyond which it lies.
fn draw_gate(writer: &mut Writer, gate: &Allowed<'_>, ends: (f64, f64), x: &Scale, y: &Scale) {
    let middle = x.at(nines_of(gate.share, u64::MAX));
    let ns = gate.ns as f64;
    let (at, arrow) = match ns {
        _ if ns > ends.1 => (TOP - 7.0, "↑ "),
        _ if ns < ends.0 => (BOTTOM - 8.0, "↓ "),
        _ => (y.at(ns), ""),
    };
    let text = format!("{arrow}{} allowed", gate.limit);
    let (from, to) = (
        (middle - DASH / 2.0).max(LEFT),
        (middle + DASH / 2.0).min(RIGHT),
    );
    let mut place = (from, Anchor::Start);
    if arrow.is_empty() {
        let mut dash = Path::new();
        dash.move_to(from, at);
        dash.line_to(to, at);
        writer.line(dash, Colour::Bad, "2", &[]);
        place = match to + 4.0 + width(&text, 11.0) > RIGHT {
            true => (from - 4.0, Anchor::End),
            false => (to + 4.0, Anchor::Start),
        };
    }
    // The page around the letters, where they stand on a curve.
    let class = format!("f-{} s-{}", Colour::Bad.name(), Colour::Page.name());
    let tag = writer
        .tag("text")
        .at(place.0, at + 4.0)
        .anchor(place.1)
        .set("font-size", "11");
    let tag = tag
        .set("class", &class)
        .set("fill", Colour::Bad.light())
        .set("stroke", Colour::Page.light());
    tag.set("stroke-width", "4")
        .set("stroke-linejoin", "round")
        .set("paint-order", "stroke")
        .content(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_as_many_nines() {
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(
            near(nines_of(0.0, 100), 0.0)
                && near(nines_of(0.9, 100), 1.0)
                && near(nines_of(0.99, 1_000), 2.0)
        );
        assert!(near(nines_of(1.0, 100), 2.0) && near(nines_of(1.0, 1), 0.0));
    }

    #[test]
    fn points_on_a_line_are_left_out_and_corners_stay() {
        let line: Vec<(f64, f64)> = (0..100)
            .map(|i| (f64::from(i), f64::from(i) * 2.0))
            .collect();
        assert_eq!(simplified(&line), [line[0], line[99]]);
        let corner = [(0.0, 0.0), (5.0, 0.0), (5.0, 5.0), (10.0, 5.0)];
        assert_eq!(simplified(&corner), corner);
        assert_eq!(simplified(&[(1.0, 1.0)]), [(1.0, 1.0)]);
    }
}
