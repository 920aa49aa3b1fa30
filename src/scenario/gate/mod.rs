//! Gates: conditions such as `p99(latency.echo) < 50ms`.
//! The grammar, the checks against the catalogue of metrics, and the conversion back to text.

mod baseline;
mod check;
mod due;
mod grammar;
mod life;
mod names;
mod need;
mod played;
mod possible;
mod run;
mod section;
mod stat;
mod subject;
mod value;
mod words;

pub use baseline::{BaselineGate, subject_of};
pub(super) use due::{Period, Schedule};
pub(super) use names::Names;
pub(super) use run::Run;
pub use section::{Gate, Gates};
pub(super) use section::{GatesTable, resolve};
pub use subject::{Op, Selector, Stat, Subject};
