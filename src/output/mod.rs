//! Where the numbers of a run go while it runs: files, and systems that store numbers over time. Each output has a bounded
//! queue and a thread of its own, so that a run never waits for one; what has no room, or is not taken, is counted.

mod about;
mod destination;
mod facts;
mod hub;
mod influx;
mod jsonl;
mod otlp;
mod post;
mod prometheus;
mod quantile;
mod statsd;

pub use about::About;
pub use destination::{Destination, DestinationError, HostPort, Kind};
pub use hub::{Hub, Output, Second, SendError};
pub use influx::Influx;
pub use jsonl::Jsonl;
pub use otlp::Otlp;
pub use prometheus::{Exposition, Prometheus};
pub use statsd::Statsd;
