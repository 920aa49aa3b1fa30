//! Runs that were never run: the data behind goldens, properties and the demo page. Nothing in them is random.
#![allow(
    dead_code,
    reason = "the goldens, the properties and the page of samples each use a part"
)]

mod drawn;
mod runs;

use super::picture::{Series, Svg};

pub(crate) use drawn::{gates, searches};
pub(crate) use runs::Run;

/// A text with everything that breaks formats.
pub(crate) const HOSTILE: &str =
    "<script>alert(1)</script> \"'=cmd|' \u{1b}[31m ::error:: ${X} \u{202e}&amp;\u{ffff}";

/// One picture with the words around it.
pub(crate) struct Picture {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) sentence: String,
    pub(crate) svg: Svg,
    /// What the crosshair reads; for charts over time.
    pub(crate) series: Option<Vec<Series>>,
}
