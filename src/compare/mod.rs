//! Compares sessions of runs: what an earlier version of the server did, and what this one does.
//! Pure: knows no clock, no socket and no file. The unit is the session, not the run and not the sample: what one machine
//! does within some minutes has more in common than two such times have.

mod baseline;
mod judge;
mod page;
mod session;
mod settle;
#[cfg(test)]
mod simulation;
mod stat;
mod stored;
mod table;
mod times;
mod values;

pub use baseline::{AddError, Baseline, BaselineError};
pub use judge::{Compared, Evidence, base_of, judge, not_compared};
pub use session::{Machine, Mismatch, Session, SessionError, Setting};
pub use settle::{Open, reopen, settle};
pub use stat::{
    CONFIDENCE, Difference, FEWEST_PAIRS, FEWEST_SESSIONS, from_history, from_pairs, t_quantile,
};
pub use stored::StoredSession;
pub use table::{Table, spread};
pub use times::{Times, record};
pub use values::{Values, measure_of, values};
