//! A promise about a time: its window as a band, and each connection that was judged as a dot at its time. One that broke
//! the promise is a red cross.

use super::axis;
use super::colour::Colour;
use super::number::tick_time;
use super::path::Path;
use super::scale::{Scale, span_ticks};
use super::svg::{Anchor, Svg, Writer};
use crate::units::{human_count, human_ns};

/// The size of the picture; the sweep and the survival are as wide.
pub(super) const WIDTH: f64 = 884.0;
const HEIGHT: f64 = 74.0;
/// Where the data begin and end.
const LEFT: f64 = 8.0;
const RIGHT: f64 = 800.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 52.0;
/// The most crosses that tell which connection they are.
const CROSSES: usize = 200;
/// The most dots; more become columns.
const DOTS: usize = 2_000;
/// Columns of density.
const COLUMNS: usize = 400;
/// Levels of density.
const LEVELS: usize = 5;

/// A promised span of time, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Window {
    /// Not sooner than this.
    pub from: Option<u64>,
    /// Not later than this.
    pub to: Option<u64>,
}

/// What one connection did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// Its number.
    pub connection: u64,
    /// Its time in nanoseconds.
    pub ns: u64,
    /// Whether it kept the promise.
    pub held: bool,
}

/// A promise about a time, with what was seen.
#[derive(Debug, Clone, Copy)]
pub struct Strip<'a> {
    /// What was promised.
    pub window: Window,
    /// Each judged connection that has a time.
    pub seen: &'a [Judged],
    /// How many connections broke it without a time: what was promised did not happen at all.
    pub not_seen: u64,
}

impl Strip<'_> {
    /// Draws it. `name` is its accessible name: the finding as a sentence.
    pub fn draw(&self, name: &str) -> Svg {
        let mut writer = Writer::large((WIDTH, HEIGHT), name, &[]);
        let values = self.seen.iter().map(|one| one.ns);
        let domain = domain(values, self.window);
        let x = Scale::linear(domain, (LEFT, RIGHT));
        window(&mut writer, &x, self.window, (TOP, BOTTOM));
        times_axis(&mut writer, &x, domain, BOTTOM);
        let (held, broken): (Vec<&Judged>, Vec<&Judged>) =
            self.seen.iter().partition(|one| one.held);
        dots(&mut writer, &x, &held, Colour::Accent);
        dots(
            &mut writer,
            &x,
            &broken[broken.len().min(CROSSES)..],
            Colour::Bad,
        );
        crosses(&mut writer, &x, &broken[..broken.len().min(CROSSES)]);
        if self.not_seen > 0 {
            let text = format!("✗ {}", human_count(self.not_seen));
            let tag = writer
                .tag("text")
                .at(WIDTH, 27.0)
                .anchor(Anchor::End)
                .fill(Colour::Bad);
            tag.set("font-weight", "600").content(&text);
            writer.note((WIDTH, 42.0), Anchor::End, Colour::Bad, "not seen");
        } else if self.seen.is_empty() {
            super::labels::no_data(&mut writer, ((LEFT + RIGHT) / 2.0, 34.0));
        }
        writer.finish()
    }
}

/// From the least to the greatest of data and window, and 14 % more of their distance, but not below zero.
pub(super) fn domain(values: impl Iterator<Item = u64>, window: Window) -> (f64, f64) {
    let all = values.chain(window.from).chain(window.to.or(window.from));
    let (mut least, mut most) = (u64::MAX, 0);
    for value in all {
        (least, most) = (least.min(value), most.max(value));
    }
    if least > most {
        return (0.0, 1e9);
    }
    // A promise without a lower end begins at zero.
    if window.from.is_none() && window.to.is_some() {
        least = 0;
    }
    let (least, most) = (least as f64, most as f64);
    let more = if most > least {
        (most - least) * 0.14
    } else {
        (most * 0.14).max(1.0)
    };
    ((least - more).max(0.0), most + more)
}

/// Draws the promised window with its ends.
pub(super) fn window(writer: &mut Writer, x: &Scale, window: Window, (top, bottom): (f64, f64)) {
    if window == Window::default() {
        return;
    }
    let (left, right) = x.range();
    let from = window.from.map_or(left, |ns| x.at(ns as f64));
    let to = window.to.map_or(right, |ns| x.at(ns as f64));
    let mut band = Path::new();
    band.rect((from, top), (to, bottom));
    writer.area(band, Colour::Good, ".13");
    let mut ends = Path::new();
    for at in [window.from.map(|_| from), window.to.map(|_| to)]
        .into_iter()
        .flatten()
    {
        ends.move_to(at, top);
        ends.line_to(at, bottom);
    }
    writer.line(ends, Colour::Good, "1.5", &[]);
}

/// Draws an axis of times.
pub(super) fn times_axis(writer: &mut Writer, x: &Scale, domain: (f64, f64), bottom: f64) {
    let ticks = span_ticks(domain, 6.0);
    let largest = ticks.last().copied().unwrap_or(0.0);
    let marks: Vec<(f64, String)> = ticks
        .iter()
        .map(|tick| (x.at(*tick), tick_time(*tick, largest)))
        .collect();
    axis::line(writer, x.range(), bottom);
    axis::marks(writer, &marks, bottom);
}

/// The height of a connection's dot, from a hash of its number: the same in each drawing.
fn height(connection: u64) -> f64 {
    // The finalizer of SplitMix64.
    let mut hash = connection.wrapping_add(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    let share = ((hash ^ (hash >> 31)) >> 11) as f64 / (1u64 << 53) as f64;
    TOP + 5.0 + share * (BOTTOM - TOP - 10.0)
}

/// Draws connections as translucent dots, or as columns of density where they are many.
fn dots(writer: &mut Writer, x: &Scale, seen: &[&Judged], colour: Colour) {
    if seen.len() > DOTS {
        return density(writer, x, seen, colour);
    }
    let mut path = Path::new();
    for one in seen {
        path.dot(x.at(one.ns as f64), height(one.connection));
    }
    writer.line(
        path,
        colour,
        "4.4",
        &[("stroke-linecap", "round"), ("stroke-opacity", ".5")],
    );
}

/// Draws how many connections there are in each of 400 columns: darker is more, on a logarithmic scale.
fn density(writer: &mut Writer, x: &Scale, seen: &[&Judged], colour: Colour) {
    let (left, right) = x.range();
    let width = (right - left) / COLUMNS as f64;
    let mut columns = [0u64; COLUMNS];
    for one in seen {
        let column = ((x.at(one.ns as f64) - left) / width) as usize;
        columns[column.min(COLUMNS - 1)] += 1;
    }
    let most = columns.iter().copied().max().unwrap_or(1).max(2) as f64;
    let level =
        |count: u64| 1 + ((count as f64).ln() / most.ln() * (LEVELS - 1) as f64).round() as usize;
    for level_drawn in 1..=LEVELS {
        let mut path = Path::new();
        for (column, count) in columns.iter().enumerate() {
            if *count > 0 && level(*count) == level_drawn {
                let from = left + column as f64 * width;
                path.rect((from, TOP + 3.0), (from + width, BOTTOM - 3.0));
            }
        }
        writer.area(
            path,
            colour,
            &format!("{:.2}", 0.15 + 0.15 * level_drawn as f64),
        );
    }
}

/// Draws connections that broke a promise, each with its number and time for the pointer.
fn crosses(writer: &mut Writer, x: &Scale, broken: &[&Judged]) {
    if broken.is_empty() {
        return;
    }
    writer
        .tag("g")
        .stroke(Colour::Bad)
        .set("stroke-width", "1.8")
        .open();
    for one in broken {
        let (x, y) = (x.at(one.ns as f64) - 3.0, height(one.connection) - 3.0);
        let mut cross = Path::new();
        cross.move_to(x, y);
        cross.line_to(x + 6.0, y + 6.0);
        cross.move_to(x + 6.0, y);
        cross.line_to(x, y + 6.0);
        let title = format!("connection {}: {}", one.connection, human_ns(one.ns));
        writer.tag("path").set("d", &cross.finish()).title(&title);
    }
    writer.close("g");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_has_room_for_window_and_data() {
        let window = |from, to| Window { from, to };
        assert_eq!(
            domain([100, 200].into_iter(), window(Some(150), Some(300))),
            (72.0, 328.0)
        );
        assert_eq!(
            domain([50].into_iter(), window(None, Some(100))),
            (0.0, 114.0)
        );
        assert_eq!(domain([].into_iter(), Window::default()), (0.0, 1e9));
        let (from, to) = domain([7, 7].into_iter(), Window::default());
        assert!(from < 7.0 && to > 7.0);
    }

    #[test]
    fn a_dot_has_its_height_and_they_differ() {
        let heights: Vec<f64> = (0..1_000).map(height).collect();
        assert!(heights.iter().all(|y| (TOP..=BOTTOM).contains(y)));
        let mean = heights.iter().sum::<f64>() / 1_000.0;
        assert!((mean - 30.0).abs() < 1.5, "{mean}");
    }
}
