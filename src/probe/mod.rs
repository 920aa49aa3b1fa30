//! What one server does with one client, found out by a handful of connections that each do one thing.
//! Tells findings as they come, as types; `words` turns them into text, `scenario` into a scenario file.

mod activity;
mod asking;
mod cohorts;
mod endings;
mod failure;
mod findings;
mod frame;
mod quiet;
mod run;
mod scenario;
mod talk;
mod target;
mod unasked;
mod words;

pub use failure::failure;
pub use findings::{
    Answer, CloseHandshake, Doing, Echo, Ending, Finding, Findings, Handshake, How, Idle, Limit,
    Pings, Quiet, Since, Tcp, Trial, Unasked, Within,
};
pub use run::{Failed, Probe, Progress};
pub use scenario::scenario;
pub use target::{Asked, target_text};
pub use words::{plan, words};
