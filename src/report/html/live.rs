//! The page of a run that goes on: the same as its report will be, as far as it is known, and which of its parts may become
//! another.

use std::io;

use askama::Template as _;

use super::frame::Frame;
use super::room::Room;
use super::{Charts, Page};
use crate::measure::Progress;
use crate::report::picture::{LIVE, SAVE, SCRIPT, STYLE, clock, policy};
use crate::report::run::Run;
use crate::report::words::phase_name;
use crate::units::visible;

/// A page, and its parts.
pub struct LivePage {
    /// All of it.
    pub text: String,
    /// The parts that may become another, in their order: the id of an element, and the element.
    pub parts: Vec<(String, String)>,
    /// What the page allows itself, and what it needs to become the report.
    pub policy: String,
}

/// Where a part begins, up to its id, and where it ends. None of them is inside of another, and no text of a scenario or a
/// server has a `<`.
const PARTS: [(&str, &str); 5] = [
    ("<header id=\"", "</header>"),
    ("<nav id=\"", "</nav>"),
    ("<div id=\"", "\n</div>"),
    ("<section id=\"", "</section>"),
    ("<script type=\"application/json\" id=\"", "</script>"),
];

/// Draws a run that goes on. Its verdict has the gates as they stand now, and no exit code that means anything.
///
/// # Errors
/// When the page cannot be rendered.
pub fn live(run: &Run, now: Option<&Progress>) -> io::Result<LivePage> {
    let charts = Charts::of(run);
    let room = &Room::ALL[0];
    let policy = format!("{}; connect-src 'self'", policy(&[SAVE, SCRIPT, LIVE]));
    let mut page = Page::of(run, &charts, room);
    page.frame = Frame {
        version: run.tool.version.clone(),
        title: visible(&run.scenario.name),
        style: STYLE,
        policy: policy.clone(),
        class: "live",
        symbol: "▶",
        word: "RUNNING",
    };
    page.sentence = now.map_or_else(|| "it begins".to_owned(), sentence);
    page.live = Some(LIVE);
    page.environment.retain(|(name, _)| *name != "ended");
    let text = page.render().map_err(io::Error::other)?;
    Ok(LivePage {
        parts: parts(&text),
        text,
        policy,
    })
}

/// Which phase it is, and how long it has taken.
fn sentence(now: &Progress) -> String {
    let phase = phase_name(now.phase);
    let elapsed = clock(now.elapsed.as_secs_f64().round());
    match now.left {
        Some(left) => {
            let left = clock(left.as_secs_f64().ceil());
            format!("{phase}, {left} left · {elapsed} since the first dial")
        }
        None => format!("{phase} · {elapsed} since the first dial"),
    }
}

/// The parts of a page, in their order.
fn parts(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (begin, end) in PARTS {
        for (at, _) in page.match_indices(begin) {
            let (from, rest) = (at + begin.len(), &page[at..]);
            let id = page[from..].split('"').next().unwrap_or_default();
            let is_line = page[..at].ends_with('\n');
            if let (true, Some(length)) = (is_line, rest.find(end)) {
                found.push((at, id.to_owned(), rest[..length + end.len()].to_owned()));
            }
        }
    }
    found.sort_by_key(|(at, ..)| *at);
    found.into_iter().map(|(_, id, text)| (id, text)).collect()
}
