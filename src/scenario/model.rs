//! What a scenario means, with every default filled in. Nothing invalid can be expressed here:
//! `resolve` is the only way from text to these types, and no field is left to guess.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::secrets::Secrets;
use crate::units::ByteSize;

mod display;
mod gate;
mod path;

pub use super::section::{
    AliveOn, Cohort, Expect, FrameKind, Gaps, Heartbeat, HeartbeatKind, Jitter, Load, Message,
    OnDead, Pace, Pacing, Payload, Phase, Reconnect, STAMP_LEN, Segment, Shape, Stage,
};
pub use gate::{Gate, Gates, Op, Selector, Stat, Subject};
pub use path::{
    Defect, Direction, Path, PathFault, PathFaultKind, Process, ServerHeartbeat, Signal,
    TargetFault,
};

/// One run, whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Names the report folder: letters, digits, `-` and `_`.
    pub name: String,
    /// One line for people; may be empty.
    pub description: String,
    /// Whom to connect to, and how.
    pub target: Target,
    /// What happens on the way there; `None`: nothing, and there is no relay.
    pub path: Option<Path>,
    /// How many connections, when, and for how long.
    pub load: Load,
    /// Groups of connections that behave alike. Never empty, at most 256; one called `main` where the file names none.
    pub cohorts: Vec<Cohort>,
    /// What must hold.
    pub gates: Gates,
    /// What is not to be shown, whoever says it.
    pub secrets: Secrets,
}

/// The server under test.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Where it is.
    pub url: TargetUrl,
    /// From the dial to the checked 101. Above zero.
    pub connect_timeout: Duration,
    /// From our Close to the end of TCP. Above zero.
    pub close_timeout: Duration,
    /// Extra request headers, in order. Values may hold secrets: they are never reported.
    pub headers: Vec<(String, String)>,
    /// The `Origin` header.
    pub origin: Option<String>,
    /// Offered in this order.
    pub subprotocols: Vec<String>,
    /// Whom to trust under `wss://`.
    pub trust: Trust,
    /// Local addresses to dial from, used in turn. Empty: the system chooses.
    pub source_addresses: Vec<IpAddr>,
    /// The longest message a server may send before the connection is failed with `message_too_big`.
    pub max_message: ByteSize,
    /// How often the built-in server sends every client a message of its own; only with [`TargetUrl::Embedded`]. Above zero.
    pub embedded_push: Option<Duration>,
    /// How the built-in server watches its clients; only with [`TargetUrl::Embedded`].
    pub embedded_heartbeat: Option<ServerHeartbeat>,
    /// Its process, where it is on this machine; [`Process::Unknown`] with [`TargetUrl::Embedded`].
    pub process: Process,
    /// What is done to it. Empty unless its process is known or it is embedded.
    pub faults: Vec<TargetFault>,
}

impl Target {
    /// Whether the server is on this machine, by its name: its sockets are in the system's table.
    pub fn is_local(&self) -> bool {
        match &self.url {
            TargetUrl::Embedded => true,
            TargetUrl::Url(url) => url.is_loopback(),
        }
    }
}

/// Where the server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetUrl {
    /// The built-in echo server, started for this run.
    Embedded,
    /// A server that is already there.
    Url(WsUrl),
}

/// A checked `ws://` or `wss://` address (RFC 6455 section 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WsUrl {
    /// `wss` rather than `ws`.
    pub secure: bool,
    /// A name or an address; IPv6 without brackets.
    pub host: String,
    /// Given, or 80 and 443.
    pub port: u16,
    /// Path and query as sent in the request line; at least `/`.
    pub resource: String,
    /// How reports and messages show it: as the user wrote it, with `${NAME}` left in place.
    pub shown: String,
}

impl WsUrl {
    /// Whether it is on this machine by its name: `localhost` (RFC 6761 section 6.3) or a loopback address.
    pub fn is_loopback(&self) -> bool {
        let host = self.host.trim_end_matches('.').to_ascii_lowercase();
        let address = host.parse::<IpAddr>();
        address.map_or_else(
            |_| host == "localhost" || host.ends_with(".localhost"),
            |address| address.to_canonical().is_loopback(),
        )
    }
}

/// Whom to trust under `wss://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The system's root certificates.
    System,
    /// Only the certificates in this PEM file.
    File(PathBuf),
    /// Anyone. For tests.
    Anyone,
}

impl Scenario {
    /// The longest `timeout` of a message or heartbeat: how long answers can be due after the last send.
    pub fn longest_answer(&self) -> Duration {
        self.cohorts
            .iter()
            .flat_map(|cohort| {
                let messages = cohort.messages.iter().filter(|m| m.expect == Expect::Echo);
                let heartbeat = cohort.heartbeat.iter().map(|h| h.timeout);
                messages.map(|m| m.timeout).chain(heartbeat)
            })
            .max()
            .unwrap_or(Duration::ZERO)
    }

    /// The longest payload any message sends.
    pub fn longest_payload(&self) -> ByteSize {
        let longest = self.payloads().map(Payload::len).max();
        ByteSize(longest.unwrap_or(0))
    }

    /// How many connections there will be, in all; for arrivals, one each.
    pub fn connections(&self) -> u64 {
        let cohorts = self.cohorts.iter();
        cohorts.map(|cohort| u64::from(cohort.connections)).sum()
    }

    /// The longest payload that wsbench makes, and does not read.
    pub fn longest_made(&self) -> ByteSize {
        let made = self.payloads().filter_map(|payload| match payload {
            Payload::Size(size) => Some(*size),
            Payload::Fixed(_) | Payload::Stamped(_) => None,
        });
        made.max().unwrap_or(ByteSize(0))
    }

    /// The payload of each message.
    pub fn payloads(&self) -> impl Iterator<Item = &Payload> {
        let messages = self.cohorts.iter().flat_map(|cohort| &cohort.messages);
        messages.map(|message| &message.payload)
    }
}
