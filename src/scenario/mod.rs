//! Turns TOML text into a [`Scenario`], in which nothing invalid can be expressed.
//! Pure: uses no clock, no socket and no environment except the one it is given.

mod caution;
mod contract;
mod dialect;
mod fault;
mod gate;
mod overrides;
pub(crate) mod parse;
mod preset;
mod reading;
mod root;
mod secret_column;
mod secrets;
mod section;
pub mod shipped;
mod trial;

pub use caution::Caution;
pub use contract::{Back, Between, Contract, End, Origin, Promise, PromiseKind, Promised, Span};
pub use dialect::{Dialect, Sign, Spoken, expanded};
pub use fault::{
    Activity, Direction, Fault, FaultKind, Illegal, Path, PathFault, PathFaultKind, Signal, Sweep,
    TargetFault,
};
pub use gate::{BaselineGate, Gate, Gates, Op, Selector, Stat, Subject, subject_of};
pub use overrides::{AccessOption, OptionValue, Overrides};
pub use parse::parse;
#[cfg(all(test, feature = "cluster"))]
pub(crate) use parse::parse_alone;
pub use preset::{Life, PresetInWords, in_words as presets};
pub(crate) use reading::nearest;
pub use reading::{Outside, Problem, Problems, Source, schema};
pub use root::Scenario;
pub use secrets::{Secrets, shown_address};
pub(crate) use secrets::{percent_decoded, secret_parts};
pub(crate) use section::is_unreserved;
pub use section::{
    Access, AddressOrder, Addresses, AliveOn, Announce, AnnounceVersion, Ask, Await, Bits, Change,
    Cohort, Column, Compression, Condition, Data, Defect, Expect, Family, Form, FrameKind, Gaps,
    Heartbeat, HeartbeatWord, Http, HttpVersion, HttpWord, Identities, Jitter, Kept, Lasts,
    Lifetime, Like, Load, MAX_JOINED, MAX_SAVED, MAX_TOPICS, Match, Message, Number, NumberForm,
    Offer, On, OnDead, OnFail, OpenTime, PART_END, Pace, Pacing, Parameters, Pause, Payload, Per,
    Phase, Pick, PingKind, Pings, Process, Protocol, Proxy, ProxyKind, Reconnect, Regex, Repeat,
    Resumption, RoomDefect, STAMP_LEN, Save, Segment, Send, SendsPacked, Server, ServerHeartbeat,
    ServerNameIs, ServerPings, ServerRooms, ServerTime, Servers, Shape, Sharing, Split, Stage,
    Step, Target, TargetUrl, TimeUnit, TlsSettings, TlsVersion, To, Topic, Trust, TurnPace,
    Upgrade, Variable, Verb, WallTime, Watch, WebOrigin, WithTo, WsUrl, as_address, fraction,
    is_looked_at,
};
pub use shipped::{from_url, starter};
