//! Holds a server to the rules of RFC 6455, by connections that each do one thing: which rules it keeps, which it breaks,
//! and what was seen.
//!
//! ```text
//! RULES ─► the trials they need ─► play ─► Log of each ─► the judge of each rule ─► Judged
//! ```

mod closing;
mod framing;
mod handshake;
mod judged;
mod log;
mod pings;
mod play;
mod rules;
#[cfg(test)]
mod tests;
mod trial;
mod words;

pub use judged::{Judged, Outcome};
pub use play::{Conformance, Outcomes};
pub use rules::{Level, Rule, table as rules_table};
pub use words::{finding as rule_words, plan as rules_plan, summary as rules_summary};
