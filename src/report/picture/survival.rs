//! A promise that connections stay open: how many are, as steps, with the promised time as a line.

use super::colour::Colour;
use super::path::Path;
use super::scale::Scale;
use super::strip::{WIDTH, Window, domain, times_axis, window};
use super::svg::{Anchor, Svg, Writer};
use crate::units::{human_count, human_ns};

const HEIGHT: f64 = 96.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 800.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 74.0;
/// More steps than this are not told apart, and not drawn.
const STEPS: usize = 800;

/// How long connections lived.
#[derive(Debug, Clone, Copy)]
pub struct Survival<'a> {
    /// How long each of them was promised to live, in nanoseconds.
    pub promised: u64,
    /// How long those lived that ended, in nanoseconds, in any order.
    pub ended: &'a [u64],
    /// How many were still open when nobody looked any more.
    pub open: u64,
    /// How long they were looked at, in nanoseconds.
    pub looked: u64,
}

impl Survival<'_> {
    /// Draws it. `name` is its accessible name: the finding as a sentence.
    pub fn draw(&self, name: &str) -> Svg {
        let mut writer = Writer::large((WIDTH, HEIGHT), name, &[]);
        let promise = Window {
            from: Some(self.promised),
            to: None,
        };
        let (_, most) = domain(self.ended.iter().copied().chain([self.looked]), promise);
        let x = Scale::linear((0.0, most), (LEFT, RIGHT));
        window(&mut writer, &x, promise, (TOP, BOTTOM));
        times_axis(&mut writer, &x, (0.0, most), BOTTOM);
        let all = self.open.saturating_add(self.ended.len() as u64);
        if all == 0 {
            super::labels::no_data(&mut writer, ((LEFT + RIGHT) / 2.0, 44.0));
            return writer.finish();
        }
        let y = Scale::linear((0.0, all as f64), (BOTTOM, TOP + 4.0));
        writer.text(
            (LEFT - 8.0, TOP + 8.0),
            Anchor::End,
            Colour::Mute,
            &human_count(all),
        );
        writer.text((LEFT - 8.0, BOTTOM + 4.0), Anchor::End, Colour::Mute, "0");
        writer.line(
            self.steps(&x, &y, all),
            Colour::Open,
            "1.8",
            &[("stroke-linejoin", "round")],
        );
        let last = y.at(self.open as f64).clamp(TOP + 10.0, BOTTOM - 6.0);
        let text = format!("{} open", human_count(self.open));
        let tag = writer
            .tag("text")
            .at(RIGHT + 6.0, last + 4.0)
            .fill(Colour::Ink);
        tag.set("font-weight", "600").content(&text);
        let promised = format!("{} promised", human_ns(self.promised));
        let at = x.at(self.promised as f64);
        let anchor = if at > (LEFT + RIGHT) / 2.0 {
            Anchor::End
        } else {
            Anchor::Start
        };
        let beside = if anchor == Anchor::End {
            at - 6.0
        } else {
            at + 6.0
        };
        // Where the steps are not.
        let gone = self.ended.iter().filter(|ns| **ns < self.promised).count() as u64;
        let baseline = if gone > all / 2 {
            TOP + 12.0
        } else {
            BOTTOM - 6.0
        };
        writer.note((beside, baseline), anchor, Colour::Good, &promised);
        writer.finish()
    }

    fn steps(&self, x: &Scale, y: &Scale, all: u64) -> Path {
        let mut ended = self.ended.to_vec();
        ended.sort_unstable();
        let mut path = Path::new();
        path.move_to(x.at(0.0), y.at(all as f64));
        let together = ended.len().div_ceil(STEPS).max(1);
        let mut left = all;
        for some in ended.chunks(together) {
            let at = x.at(some[some.len() - 1] as f64);
            path.line_to(at, y.at(left as f64));
            left = left.saturating_sub(some.len() as u64);
            path.line_to(at, y.at(left as f64));
        }
        if self.open > 0 {
            path.line_to(x.at(self.looked as f64), y.at(left as f64));
        }
        path
    }
}
