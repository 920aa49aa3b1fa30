//! What processes of one run say to each other, by way of a NATS server: subjects and who may use them, the connection,
//! and the stream that keeps what was said.
//!
//! ```text
//! Subject ─► Broker (publish, follow, ask; each with a deadline) ─► Link (its thread) ─► nats-server
//! Role    ─► what each may say and hear: what `wsbench cluster auth` prints, and `doctor` tries
//! ```
//!
//! Knows the words of a broker and no run: what the messages hold is said by those who write and read them.

mod address;
mod auth;
mod broker;
mod clock;
mod doctor;
mod error;
mod events;
mod feed;
mod link;
mod manifest;
mod role;
mod runs;
mod service;
mod store;
mod subjects;

pub use address::{Address, Credentials};
pub use auth::{Settings, configuration};
pub use broker::{Broker, Replies, Reply, Subscription};
pub use clock::{Offset, Sample, best};
pub use doctor::Finding;
pub use error::Error;
pub use events::Refusal;
pub use feed::{Entry, Feed};
pub use link::{Link, Options};
pub use manifest::{Agents, Launcher};
pub use role::{Permissions, Role};
pub use runs::Known;
pub use service::{Card, Question, Seen, Served};
pub use store::{Ack, Limits, Made, State};
pub use subjects::{AgentId, Call, Kind, RunId, SERVICE, Subject, TokenError, stored};
