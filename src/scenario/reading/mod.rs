//! How all sections of a scenario are read: TOML text to values that know their place in the text,
//! the forms and units of values, and problems shown with line, caret and hint.

mod check;
mod document;
pub(super) mod hints;
mod keys;
mod mask;
mod place;
mod problem;
mod schema;
mod section;
mod source;
mod text;
mod union;

pub(super) use check::{Check, Hint, is_name};
pub(super) use document::{Document, Removed, read, read_toml};
pub(crate) use hints::nearest;
pub(super) use keys::{Merge, add_default, given, keys, words};
pub(super) use place::{At, Given, Key, Place, inside};
pub use problem::{Problem, Problems};
pub(super) use schema::join;
pub use schema::schema;
pub(super) use section::Section;
pub use source::{Outside, Source};
pub(super) use text::{Fraction, Percent, ShortTime, Text, Time, TimeOrZero, Whole, Window};
pub(super) use union::{Items, List, OneOrMany, Shorthand, Switch, Switched};
