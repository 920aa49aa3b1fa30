//! Tests each promise both kept and broken, at both ends of its window, with records made by hand.

mod close;
mod ending;
mod heartbeats;
mod order;
mod reaping;
mod storms;
mod sweep;
mod together;
