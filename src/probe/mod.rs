//! Finds out what one server does with one client, by a few connections that each do one thing.
//! Reports each finding as a type; `words` turns findings into text, `scenario` into a scenario file.

mod activity;
mod asking;
mod breach;
mod cohorts;
mod conformance;
mod endings;
mod failure;
mod findings;
mod frame;
mod glance;
mod handshake;
mod looks;
mod offers;
mod opener;
mod quiet;
mod run;
mod scenario;
#[cfg(test)]
mod scenario_tests;
mod talk;
mod target;
mod tls;
mod unasked;
mod words;

pub use breach::Breach;
pub use conformance::{
    Conformance, Judged, Level, Outcome, Outcomes, Rule, rule_words, rules_plan, rules_summary,
    rules_table,
};
pub use failure::failure;
pub use findings::{
    Answer, CloseHandshake, Doing, Echo, Ending, Finding, Findings, FirstWord, How, Idle, Limit,
    Pings, Quiet, Since, Tcp, Trial, Unasked, Within,
};
pub use glance::{Glance, glance};
pub use handshake::{Handshake, Redirected};
pub use offers::{CompressionOffer, Http2Offer, Offers};
pub use opener::Failed;
pub use run::{Probe, Progress};
pub use scenario::scenario;
pub use target::{Asked, target_text};
pub use tls::{ClientCertificate, OtherVersion, ServerCertificate, TlsOffer};
pub use words::{plan, words};
