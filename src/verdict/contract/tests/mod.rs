//! Every promise kept and broken, from both sides, by records made by hand.

mod close;
mod ending;
mod heartbeats;
mod order;
mod reaping;
mod storms;
mod sweep;
mod together;
