//! wsbench: load testing and heartbeat monitoring for WebSocket services.
#![warn(missing_docs)]

pub mod live;
pub mod measure;
pub mod metric;
pub mod report;
pub mod scenario;
pub mod units;
pub mod verdict;
