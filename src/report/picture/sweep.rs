//! A promise that is found by trying levels: how many connections survived each, and how many were cut off. Where the
//! server's limit lies is where the circles change their row.

use super::axis;
use super::colour::Colour;
use super::path::Path;
use super::scale::Scale;
use super::strip::{WIDTH, Window, domain, window};
use super::svg::{Anchor, Svg, Writer};
use super::text::width;
use crate::units::human_ns;

const HEIGHT: f64 = 84.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 876.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 58.0;
/// The heights of the two rows.
const SURVIVED: f64 = 21.0;
const CUT_OFF: f64 = 47.0;

/// What happened at one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// The level in nanoseconds, like the delay of an answer.
    pub ns: u64,
    /// How many connections survived it.
    pub survived: u64,
    /// How many the server cut off.
    pub cut_off: u64,
}

/// All levels that were tried.
#[derive(Debug, Clone, Copy)]
pub struct Sweep<'a> {
    /// Where the server promised its limit to be.
    pub window: Window,
    /// The levels in order. At most a hundred are drawn.
    pub levels: &'a [Level],
}

impl Sweep<'_> {
    /// Draws it. `name` is its accessible name: the finding as a sentence.
    pub fn draw(&self, name: &str) -> Svg {
        let levels = &self.levels[..self.levels.len().min(100)];
        let mut writer = Writer::large((WIDTH, HEIGHT), name, &[]);
        let domain = domain(levels.iter().map(|level| level.ns), self.window);
        let x = Scale::linear(domain, (LEFT, RIGHT));
        window(&mut writer, &x, self.window, (TOP, BOTTOM));
        writer.text(
            (LEFT - 8.0, SURVIVED + 4.0),
            Anchor::End,
            Colour::Mute,
            "survived",
        );
        writer.text(
            (LEFT - 8.0, CUT_OFF + 4.0),
            Anchor::End,
            Colour::Mute,
            "cut off",
        );
        if levels.is_empty() {
            super::labels::no_data(&mut writer, ((LEFT + RIGHT) / 2.0, 38.0));
        }
        for level in levels {
            let at = x.at(level.ns as f64);
            circle(
                &mut writer,
                (at, SURVIVED),
                level,
                level.survived,
                (Colour::Accent, ".45"),
            );
            circle(
                &mut writer,
                (at, CUT_OFF),
                level,
                level.cut_off,
                (Colour::Accent, ".9"),
            );
        }
        axis::line(&mut writer, x.range(), BOTTOM);
        marks(&mut writer, &x, levels);
        writer.finish()
    }
}

/// Draws the share of a level as a circle; the smallest one is still seen.
fn circle(
    writer: &mut Writer,
    (x, y): (f64, f64),
    level: &Level,
    part: u64,
    (colour, opacity): (Colour, &str),
) {
    let all = level.survived.saturating_add(level.cut_off);
    if part == 0 {
        return;
    }
    let radius = 3.0 + 6.0 * (part as f64 / all as f64).sqrt();
    let tag = writer
        .tag("circle")
        .num("cx", x)
        .num("cy", y)
        .num("r", radius);
    let title = format!("{}: {part} of {all}", human_ns(level.ns));
    tag.fill(colour).set("fill-opacity", opacity).title(&title);
}

/// Marks each level on the axis, and writes as many of them as there is room for.
fn marks(writer: &mut Writer, x: &Scale, levels: &[Level]) {
    let mut path = Path::new();
    let mut free = f64::NEG_INFINITY;
    let mut texts = Vec::new();
    for level in levels {
        let (at, text) = (x.at(level.ns as f64), human_ns(level.ns));
        path.move_to(at, BOTTOM);
        path.line_to(at, BOTTOM + 4.0);
        let half = width(&text, 12.0) / 2.0;
        if at - half > free {
            free = at + half + 14.0;
            texts.push((at, text));
        }
    }
    writer.line(path, Colour::Axis, "1", &[]);
    for (at, text) in texts {
        writer.text((at, BOTTOM + 18.0), Anchor::Middle, Colour::Mute, &text);
    }
}
