//! The pictures of the report: pure functions from numbers to SVG. They know no clock, no file and nothing of a run, so
//! that the report, the live page and the tests draw with the same code.
//!
//! Charts over time ([`Percentiles`], [`Heat`], [`States`], [`Rates`]) share a [`Time`] and have one value for each of its
//! intervals; [`Readings`] holds the same values for the crosshair of the page. [`Strip`], [`Sweep`] and [`Survival`] show
//! what a server promised against what it did, and [`Load`] how much it bears; [`Difference`] is one of two versions. Whatever is drawn is an [`Svg`], which needs no escaping; a value that is
//! not known or not finite is a gap.

mod axis;
mod chart;
mod colour;
mod difference;
mod ends;
mod gate;
mod heat;
mod labels;
mod load;
mod number;
mod page;
mod path;
mod percentiles;
mod rates;
mod readings;
mod scale;
mod sparkline;
mod spectrum;
mod states;
mod strip;
mod survival;
mod svg;
mod sweep;
#[cfg(test)]
mod tests;
mod text;
mod time;

pub use chart::About;
pub use colour::Colour;
pub use difference::{Bound, Difference, difference_axis};
pub use ends::{Cause, Ends, ends};
pub use gate::{gate_bar, times_the_limit};
pub use heat::Heat;
pub use load::{Load, LoadLine, Probe};
pub use number::{Unit, clock};
pub use page::{LIVE, SAVE, SCRIPT, STYLE, policy};
pub use percentiles::{Percentiles, Quantiles};
pub use rates::{Bars, Limit, Line, Rates, Stroke};
pub use readings::{Json, Readings};
pub use sparkline::sparkline;
pub use spectrum::{Allowed, Curve, Spectrum};
pub use states::{State, States};
pub use strip::{Judged, Strip, Window};
pub use survival::Survival;
pub use svg::Svg;
pub use sweep::{Level, Sweep};
pub use time::{Incident, Phase, Series, Time};
