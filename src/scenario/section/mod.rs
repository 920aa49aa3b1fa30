//! The sections of a scenario, one in each file: the meaning, the keys as the user writes them (their comments are the
//! descriptions in the JSON Schema), defaults, what is refused, and tests.

mod access;
mod address;
mod addresses;
mod announce;
mod cohort;
mod cohort_target;
mod compression;
mod data;
mod expect;
mod heartbeat;
mod heartbeat_table;
mod http;
mod http_cohort;
mod http_version;
mod lifetime;
mod like;
mod load;
mod match_table;
mod matching;
mod message;
mod on;
mod payload;
mod process;
mod proxy;
mod reachable;
mod reconnect;
mod rows;
mod save;
mod scope;
mod server;
mod servers;
mod split;
mod spread;
mod step;
mod step_table;
mod steps;
mod streams;
mod talk;
mod target;
mod template;
mod tls;
mod topic;
mod upgrade;
mod url;
mod variable;

pub use access::Access;
pub use addresses::{AddressOrder, Addresses, Family};
pub use announce::{Announce, AnnounceVersion};
pub use cohort::{Cohort, is_looked_at};
pub use compression::{Bits, Compression, Offer, Parameters, SendsPacked};
pub use data::{Data, Per, Pick};
pub use expect::Expect;
pub use heartbeat::{
    AliveOn, Heartbeat, HeartbeatWord, OnDead, PingKind, Pings, ServerPings, Watch,
};
pub use http::{Http, PART_END};
pub use http_version::{HttpVersion, HttpWord, Sharing};
pub use lifetime::Lifetime;
pub use like::Like;
pub use load::{Load, Pace, Shape, Stage};
pub use matching::{Condition, Match, Regex};
pub use message::{FrameKind, Gaps, Message, Pacing, Phase};
pub use on::{On, ServerTime, TimeUnit};
pub use payload::{Payload, STAMP_LEN, Segment};
pub use process::Process;
pub use proxy::{Proxy, ProxyKind};
pub use reconnect::{Jitter, Reconnect};
pub use save::{Kept, MAX_SAVED, NumberForm, Save};
pub use server::{Defect, RoomDefect, ServerHeartbeat, ServerRooms};
pub use servers::{Server, Servers, TargetUrl};
pub use split::Split;
pub use spread::{OpenTime, fraction};
pub use step::{Await, OnFail, Pause, Repeat, Send, Step, TurnPace, Verb};
pub use target::Target;
pub use tls::{Identities, Resumption, ServerNameIs, TlsSettings, TlsVersion, Trust};
pub use topic::{MAX_JOINED, MAX_TOPICS, To, Topic, WithTo};
pub use upgrade::Upgrade;
pub(crate) use url::is_unreserved;
pub use url::{Protocol, WebOrigin, WsUrl, as_address};
pub use variable::{Change, Column, Form, Number, Variable, WallTime};

pub(super) use cohort::{CohortTable, resolve as cohorts};
pub(super) use data::{DataTable, resolve as data};
pub(super) use heartbeat_table::HeartbeatTable;
pub(super) use load::{LoadTable, long_enough, resolve as load, whole_seconds};
pub(super) use message::MessageTable;
pub(super) use on::OnTable;
pub(super) use reachable::check as reachable;
pub(super) use servers::UrlGiven;
pub(super) use step_table::StepTable;
pub(super) use target::{
    TargetTable, access as target_access, address as target_address, resolve as target,
};
pub(super) use tls::TlsTable;
pub(super) use url::percent_encoded;
