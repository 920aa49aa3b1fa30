//! Tests of the pictures as a whole: goldens, and what holds for any data.

use super as picture;

mod page;
mod places;
mod properties;
mod samples;
mod xml;
