//! How connections ended: one bar for each cohort, stacked from its causes.

use super::chart::WIDTH;
use super::colour::Colour;
use super::svg::{Anchor, Svg, Writer};
use super::text::{cut, width};
use crate::units::human_count;

/// From one bar to the next.
const ROW: f64 = 26.0;
const BAR: f64 = 18.0;
const LEFT: f64 = 150.0;
const RIGHT: f64 = 962.0;
/// The most cohorts that are drawn.
const COHORTS: usize = 24;

/// How many connections ended for one cause.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'a> {
    /// The cause, in words.
    pub name: &'a str,
    /// How many.
    pub count: u64,
    /// Its colour; a dark one on light pages, as text stands on it: `Good`, `P99`, `Bad`, `Doubt`, `Mute`.
    pub colour: Colour,
}

/// How the connections of one cohort ended.
#[derive(Debug, Clone, Copy)]
pub struct Ends<'a> {
    /// The name of the cohort.
    pub cohort: &'a str,
    /// Its causes, in the order of the bar.
    pub causes: &'a [Cause<'a>],
}

/// Draws the first 24 cohorts, each on the same width: shares, not sizes. `name` is its accessible name.
pub fn ends(name: &str, cohorts: &[Ends<'_>]) -> Svg {
    let shown = &cohorts[..cohorts.len().min(COHORTS)];
    let more = cohorts.len() - shown.len();
    let rows = shown.len() + usize::from(more > 0 || shown.is_empty());
    let mut writer = Writer::large((WIDTH, 8.0 + ROW * rows as f64), name, &[]);
    for (row, cohort) in shown.iter().enumerate() {
        draw(&mut writer, cohort, 6.0 + ROW * row as f64);
    }
    let baseline = 6.0 + ROW * shown.len() as f64 + 13.0;
    if more > 0 {
        let text = format!("and {} more", human_count(more as u64));
        writer.text((LEFT, baseline), Anchor::Start, Colour::Mute, &text);
    } else if shown.is_empty() {
        super::labels::no_data(&mut writer, (WIDTH / 2.0, baseline));
    }
    writer.finish()
}

fn draw(writer: &mut Writer, ends: &Ends<'_>, y: f64) {
    let baseline = y + 13.0;
    writer.text(
        (LEFT - 8.0, baseline),
        Anchor::End,
        Colour::Ink,
        &cut(ends.cohort, 12.0, LEFT - 12.0),
    );
    let all = ends
        .causes
        .iter()
        .fold(0u64, |sum, cause| sum.saturating_add(cause.count));
    writer.text(
        (RIGHT + 9.0, baseline),
        Anchor::Start,
        Colour::Mute,
        &human_count(all),
    );
    let mut from = LEFT;
    let pixel = (RIGHT - LEFT) / all.max(1) as f64;
    for cause in ends.causes.iter().filter(|cause| cause.count > 0) {
        let share = cause.count as f64 * pixel;
        // A gap of one pixel between neighbours; the smallest share is still seen.
        let room = (share - 1.0).max(1.0);
        let told = human_count(cause.count);
        let tag = writer
            .tag("rect")
            .at(from, y)
            .num("width", room)
            .num("height", BAR)
            .set("rx", "2");
        tag.fill(cause.colour)
            .title(&format!("{}: {told}", cause.name));
        let text = format!("{} {told}", cause.name);
        let fits = [text, told]
            .into_iter()
            .find(|text| width(text, 11.0) + 12.0 <= room);
        if let Some(text) = fits {
            let tag = writer
                .tag("text")
                .at(from + 6.0, baseline)
                .fill(Colour::Page);
            tag.set("font-size", "11")
                .set("font-weight", "600")
                .content(&text);
        }
        from += share;
    }
}
