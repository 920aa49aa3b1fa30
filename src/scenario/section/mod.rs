//! The sections of a scenario, one in each file: the meaning, the keys as the user writes them (their comments are the
//! descriptions in the JSON Schema), defaults, what is refused, and tests.

pub(super) mod cohort;
mod heartbeat;
pub(super) mod load;
mod message;
mod payload;
mod reconnect;
mod streams;
mod template;

pub use cohort::Cohort;
pub use heartbeat::{AliveOn, Heartbeat, HeartbeatKind, OnDead};
pub use load::{Load, Pace, Shape, Stage};
pub use message::{Expect, FrameKind, Gaps, Message, Pacing, Phase};
pub use payload::{Payload, STAMP_LEN, Segment};
pub use reconnect::{Jitter, Reconnect};

pub(super) use heartbeat::HeartbeatTable;
pub(super) use load::LoadTable;
pub(super) use message::MessageTable;
