//! Finds out what one server does with one client, by a few connections that each do one thing.
//! Reports each finding as a type; `words` turns findings into text, `scenario` into a scenario file.

mod activity;
mod asking;
mod cohorts;
mod endings;
mod failure;
mod findings;
mod frame;
mod offers;
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
pub use offers::{ClientCertificate, ServerCertificate, TlsOffer};
pub use run::{Failed, Probe, Progress};
pub use scenario::scenario;
pub use target::{Asked, target_text};
pub use words::{plan, words};
