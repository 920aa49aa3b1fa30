//! Contracts by name: what a server promises about silent clients, computed from its own settings.
//! `docs/heartbeats.md` lists each formula with its source.

mod dialects;
mod expand;
mod idle;
mod pings;
mod table;

#[cfg(test)]
mod tests;

pub use table::{Life, PresetInWords, in_words};

pub(super) use expand::{Expanded, PresetError, SERVER, Setting, expand, names, servers};
