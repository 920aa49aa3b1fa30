//! The catalogue of names: all counters, histograms, gauges and causes of an end that wsbench can report.
//! A leaf module and a public interface: gates, reports and documents take their names from here.

mod catalogue;
mod cause;
mod close;
mod exported;
mod kind;
mod name;

pub use catalogue::{Counter, ENOUGH_FOR_MEMORY, Gauge, Timer};
pub use cause::{
    ANSWER_STEP, ASKS_FOR_CERTIFICATE, Cause, HTTP2_STEP, LOOK_UP_STEP, MAX_STREAMS, PROXY_STEP,
    TCP_STEP, TLS_STEP, UNIX_STEP, UPGRADE_STEP,
};
pub use close::{CloseKind, Side};
pub use exported::{Exported, exported};
pub use kind::{Kind, Unit};
pub use name::{
    Timed, cause_from_name, close, close_from_name, covers_whole_run, error, is_of_run, kind_of,
    latency, names, service, tells_of_ends, unit_of,
};
