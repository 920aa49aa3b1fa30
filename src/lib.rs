//! wsbench: load testing and heartbeat monitoring for WebSocket services.
#![warn(missing_docs)]

pub mod cli;
pub mod engine;
pub mod measure;
pub mod metric;
pub mod plan;
pub mod scenario;
pub mod target;
pub mod units;
