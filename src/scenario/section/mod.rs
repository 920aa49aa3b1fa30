//! The sections of a scenario, one in each file: the meaning, the keys as the user writes them (their comments are the
//! descriptions in the JSON Schema), defaults, what is refused, and tests.

mod cohort;
mod data;
mod expect;
mod heartbeat;
mod load;
mod match_table;
mod matching;
mod message;
mod on;
mod payload;
mod process;
mod reconnect;
mod rows;
mod save;
mod scope;
mod server;
mod spread;
mod step;
mod streams;
mod target;
mod template;
mod topic;
mod url;
mod variable;

pub use cohort::{Cohort, is_looked_at};
pub use data::{Data, Per, Pick};
pub use expect::Expect;
pub use heartbeat::{AliveOn, Heartbeat, HeartbeatKind, OnDead};
pub use load::{Load, Pace, Shape, Stage};
pub use matching::{Condition, Match, Regex};
pub use message::{FrameKind, Gaps, Message, Pacing, Phase};
pub use on::On;
pub use payload::{Payload, STAMP_LEN, Segment};
pub use process::Process;
pub use reconnect::{Jitter, Reconnect};
pub use save::{Kept, MAX_SAVED, NumberForm, Save};
pub use server::{Defect, RoomDefect, ServerHeartbeat, ServerRooms};
pub use spread::{OpenTime, fraction};
pub use step::{Await, OnFail, Pause, Repeat, Send, Step, TurnPace, Verb};
pub use target::{Target, Trust};
pub use topic::{MAX_JOINED, MAX_TOPICS, To, Topic};
pub(crate) use url::is_unreserved;
pub use url::{TargetUrl, WsUrl, as_address};
pub use variable::{Change, Column, Form, Number, Variable, WallTime};

pub(super) use cohort::{CohortTable, resolve as cohorts};
pub(super) use data::{DataTable, resolve as data};
pub(super) use heartbeat::HeartbeatTable;
pub(super) use load::{LoadTable, long_enough, resolve as load, whole_seconds};
pub(super) use message::MessageTable;
pub(super) use target::{TargetTable, resolve as target};
pub(super) use url::percent_encoded;
