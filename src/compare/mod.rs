//! Compares sessions of runs: what an earlier version of the server did, and what this one does.
//! Pure: knows no clock, no socket and no file. The unit is the session, not the run and not the sample: what one machine
//! does within some minutes has more in common than two such times have.

mod session;
mod stat;
mod values;

pub use session::{Machine, Mismatch, Session, SessionError, Setting};
pub use stat::{
    CONFIDENCE, Difference, FEWEST_PAIRS, FEWEST_SESSIONS, from_history, from_pairs, t_quantile,
};
pub use values::{Values, measure_of, values};

#[cfg(test)]
mod simulation;
