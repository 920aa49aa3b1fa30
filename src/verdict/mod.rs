//! Turns numbers into a verdict: the gates, doubts about the run itself, and one exit code.
//! Pure: uses no clock, no socket and no file.

mod against;
mod answers;
mod clocks;
mod contract;
mod distrust;
mod doubts;
mod exit;
mod facts;
mod failures;
#[cfg(test)]
mod fixture;
mod gates;
mod generator;
mod judge;
mod lag;
mod observe;
mod parts;
mod presence;
mod range;
mod seen;
mod shifted;
mod silence;
mod tunnels;
mod unnamed;
mod view;
mod warning;
mod warnings;

pub use against::{Against, Standing};
pub use answers::{Asked, Idle};
pub use contract::{
    ActivityResult, Bounds, CohortEnds, ContractResult, Evidence, Judged, Occurred, Times,
    activities, cohort_ends,
};
pub use distrust::{Concerns, Distrust, Doubt};
pub use exit::Exit;
pub use facts::{
    ClockOffset, Facts, Outcome, PartFacts, PartLost, Throttling, planned_connections,
};
pub use failures::Failures;
pub use gates::{GateResult, first_holding, so_far};
pub use judge::{Verdict, exit_code, judge};
pub use observe::{Measure, NoData, Observed, observe};
pub use presence::Openings;
pub use seen::Seen;
pub use unnamed::Unnamed;
pub use view::{GateCohort, View, looked_at};
pub use warning::Warning;
pub use warnings::{LATE_NS, covered, samples_for};
