//! What a server promises about the connections of a cohort.
//! The ids are those of the list of assertions in `docs/heartbeats.md`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::units::ByteSize;

/// What a server promises about the connections of a cohort. Judged over the whole life of each.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// Where the times of its promises begin.
    pub from: Origin,
    /// The settings it was computed from, as `websockets (interval 20s, timeout 20s)`.
    pub preset: Option<String>,
    /// Each is judged on its own. Never empty, no kind twice.
    pub promises: Vec<Promise>,
}

/// Where the times of a contract begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The 101 was received.
    Open,
    /// The client's fault began; of a client without one, the target's or the path's.
    Fault,
    /// The first ping came that this client did not answer.
    Ping,
    /// The last byte that this client sent.
    LastByte,
    /// This client sent the first Close frame.
    Close,
}

impl Origin {
    /// The stable name, as in scenarios and `contracts.csv`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Fault => "fault",
            Self::Ping => "ping",
            Self::LastByte => "last_byte",
            Self::Close => "close",
        }
    }
}

/// From when to when something is promised to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between {
    /// Not sooner. May be zero.
    pub lo: Duration,
    /// Not later. At least `lo`, above zero.
    pub hi: Duration,
}

/// How the server's end of a connection looks from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// A Close frame.
    CloseFrame,
    /// The end of TCP without a Close frame.
    Fin,
    /// A reset of TCP without a Close frame.
    Rst,
    /// Nothing: it was still open when the run ended.
    Nothing,
}

impl End {
    /// The stable name, as in scenarios and `contracts.csv`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CloseFrame => "close_frame",
            Self::Fin => "fin",
            Self::Rst => "rst",
            Self::Nothing => "nothing",
        }
    }
}

/// When so much of a cohort is back after a loss, and has had an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Back {
    /// Half of it.
    pub p50: Option<Duration>,
    /// 90 %.
    pub p90: Option<Duration>,
    /// 99 %.
    pub p99: Option<Duration>,
    /// Every connection.
    pub all: Option<Duration>,
}

/// One promise: a key of `[cohort.contract]` and a row in `contracts.csv`.
#[derive(Debug, Clone, PartialEq)]
pub enum Promise {
    /// `closed`: the server ends at most so many connections before their time (HB-03, HB-19).
    Closed(u64),
    /// `closed_per_stall`: each freeze of the target costs at most so many connections (HB-08).
    ClosedPerStall(u64),
    /// `alive_for`: no connection is ended by the server sooner than this after `from` (HB-03, HB-04, HB-09).
    AliveFor(Duration),
    /// `closed_between`: the server decides in this window: its Close frame, or the end of TCP without one
    /// (HB-01, HB-04, HB-20).
    ClosedBetween(Between),
    /// `code`: its Close frame has one of these codes; 1005 is an empty one (HB-01, HB-19, HB-25).
    Code(Vec<u16>),
    /// `ends_with`: its decision looks like one of these (HB-01, HB-04, HB-20).
    EndsWith(Vec<End>),
    /// `tcp_end_within`, `tcp_end_between`: from the decision to the end of TCP (HB-02, HB-17).
    TcpEndBetween(Between),
    /// `reaped_between`: the server gives up a connection that cannot see it: its socket leaves `ESTABLISHED`, on the
    /// same host; otherwise one probe for each connection tells (HB-05, HB-06).
    ReapedBetween(Between),
    /// `released_within`: the server's socket is gone so soon after `from`; same host only (HB-05, HB-17, HB-18).
    ReleasedWithin(Duration),
    /// `effective_timeout`: pongs later than this are too late, found by a sweep of `late_pong` (HB-10).
    EffectiveTimeout(Between),
    /// `pong_within`: 99 % of the server's pongs come so soon (HB-11, HB-12, HB-13).
    PongWithin(Duration),
    /// `pings_between`: the time between two of the server's pings (HB-14).
    PingsBetween(Between),
    /// `max_ping_sync`: how much the server's pings to several clients fall together, from 0 (evenly spread) to 1 (all
    /// at once): the mean resultant length of their phases (HB-15).
    MaxPingSync(f64),
    /// `close_answered_within`: from our Close frame to the server's (HB-16).
    CloseAnsweredWithin(Duration),
    /// `close_code_echoed`: it has the same code (HB-16; RFC 6455 section 5.5.1).
    CloseCodeEchoed,
    /// `silent_after_close`: no frame follows the server's Close (HB-16; RFC 6455 section 5.5.1).
    SilentAfterClose,
    /// `detected_between`: this client's heartbeat notices a silent server (HB-07).
    DetectedBetween(Between),
    /// `recovers_within`: from the end of a fault of the target or the path, or of a `vanish`, to the next pong
    /// (HB-07, HB-21).
    RecoversWithin(Duration),
    /// `back_within`: from the loss of a connection to the first answer on the next one (HB-22).
    BackWithin(Back),
    /// `max_rss_growth`: the target's memory after the run, above what it was before; same host only (HB-24).
    MaxRssGrowth(ByteSize),
    /// `max_descriptor_growth`: the same of its descriptors; same host only (HB-24).
    MaxDescriptorGrowth(u64),
}

impl Promise {
    /// The key, as in scenarios and `contracts.csv`.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Closed(_) => "closed",
            Self::ClosedPerStall(_) => "closed_per_stall",
            Self::AliveFor(_) => "alive_for",
            Self::ClosedBetween(_) => "closed_between",
            Self::Code(_) => "code",
            Self::EndsWith(_) => "ends_with",
            Self::TcpEndBetween(_) => "tcp_end_between",
            Self::ReapedBetween(_) => "reaped_between",
            Self::ReleasedWithin(_) => "released_within",
            Self::EffectiveTimeout(_) => "effective_timeout",
            Self::PongWithin(_) => "pong_within",
            Self::PingsBetween(_) => "pings_between",
            Self::MaxPingSync(_) => "max_ping_sync",
            Self::CloseAnsweredWithin(_) => "close_answered_within",
            Self::CloseCodeEchoed => "close_code_echoed",
            Self::SilentAfterClose => "silent_after_close",
            Self::DetectedBetween(_) => "detected_between",
            Self::RecoversWithin(_) => "recovers_within",
            Self::BackWithin(_) => "back_within",
            Self::MaxRssGrowth(_) => "max_rss_growth",
            Self::MaxDescriptorGrowth(_) => "max_descriptor_growth",
        }
    }

    /// Whether a connection that keeps this promise has been ended by the server.
    pub const fn expects_end(&self) -> bool {
        matches!(
            self,
            Self::ClosedBetween(_)
                | Self::Code(_)
                | Self::TcpEndBetween(_)
                | Self::ReapedBetween(_)
                | Self::EffectiveTimeout(_)
                | Self::BackWithin(_)
        )
    }

    /// Whether its times begin where the contract says.
    pub const fn has_origin(&self) -> bool {
        matches!(
            self,
            Self::AliveFor(_)
                | Self::ClosedBetween(_)
                | Self::ReapedBetween(_)
                | Self::ReleasedWithin(_)
        )
    }

    /// Whether the target has to be on this machine for it to be judged.
    pub const fn needs_same_host(&self) -> bool {
        matches!(
            self,
            Self::ReleasedWithin(_) | Self::MaxRssGrowth(_) | Self::MaxDescriptorGrowth(_)
        )
    }
}
