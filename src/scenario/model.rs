//! The meaning of a scenario, with every default filled in. Nothing invalid can be expressed here:
//! `resolve` is the only way from text to these types.

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

/// One complete run.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The name of the report folder: letters, digits, `-` and `_`.
    pub name: String,
    /// One line of description; may be empty.
    pub description: String,
    /// The server under test, and how to connect to it.
    pub target: Target,
    /// The relay and the faults of the path; `None` if connections go to the target without a relay.
    pub path: Option<Path>,
    /// The number of connections, their times, and the length of the run.
    pub load: Load,
    /// Groups of connections that behave alike. Never empty, at most 256; one called `main` where the file names none.
    pub cohorts: Vec<Cohort>,
    /// The conditions that the run must meet.
    pub gates: Gates,
    /// Values that no output may show, even if the server sends them.
    pub secrets: Secrets,
}

/// The server under test.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The address.
    pub url: TargetUrl,
    /// The timeout from the dial to the checked 101. Above zero.
    pub connect_timeout: Duration,
    /// The timeout from wsbench's own Close to the end of TCP. Above zero.
    pub close_timeout: Duration,
    /// Extra request headers, in order. Values may be secret: they are never reported.
    pub headers: Vec<(String, String)>,
    /// The `Origin` header.
    pub origin: Option<String>,
    /// The subprotocols to offer, in this order.
    pub subprotocols: Vec<String>,
    /// Which certificates to trust under `wss://`.
    pub trust: Trust,
    /// Local addresses to dial from, used in turn. If empty, the system chooses.
    pub source_addresses: Vec<IpAddr>,
    /// The longest message a server may send before the connection is failed with `message_too_big`.
    pub max_message: ByteSize,
    /// The interval at which the built-in server sends every client an unsolicited message; only with
    /// [`TargetUrl::Embedded`]. Above zero.
    pub embedded_push: Option<Duration>,
    /// How the built-in server checks that its clients are alive; only with [`TargetUrl::Embedded`].
    pub embedded_heartbeat: Option<ServerHeartbeat>,
    /// The process of the target, if it is on this machine; [`Process::Unknown`] with [`TargetUrl::Embedded`].
    pub process: Process,
    /// The faults of the target. Empty unless its process is known or it is embedded.
    pub faults: Vec<TargetFault>,
}

impl Target {
    /// Whether the server is on this machine, judged by its name, so that its sockets are in the system's table.
    pub fn is_local(&self) -> bool {
        match &self.url {
            TargetUrl::Embedded => true,
            TargetUrl::Url(url) => url.is_loopback(),
        }
    }
}

/// The address of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetUrl {
    /// The built-in echo server, started for this run.
    Embedded,
    /// A server that runs already.
    Url(WsUrl),
}

/// A checked `ws://` or `wss://` address (RFC 6455 section 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WsUrl {
    /// Whether the scheme is `wss` rather than `ws`.
    pub secure: bool,
    /// A name or an address; IPv6 without brackets.
    pub host: String,
    /// The port; by default 80 for `ws` and 443 for `wss`.
    pub port: u16,
    /// The path and query as sent in the request line; at least `/`.
    pub resource: String,
    /// The address as reports and messages show it: as the user wrote it, with `${NAME}` left in place.
    pub shown: String,
}

impl WsUrl {
    /// Whether its host is this machine: `localhost` (RFC 6761 section 6.3) or a loopback address.
    pub fn is_loopback(&self) -> bool {
        let host = self.host.trim_end_matches('.').to_ascii_lowercase();
        let address = host.parse::<IpAddr>();
        address.map_or_else(
            |_| host == "localhost" || host.ends_with(".localhost"),
            |address| address.to_canonical().is_loopback(),
        )
    }
}

/// Which certificates to trust under `wss://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The system's root certificates.
    System,
    /// Only the certificates in this PEM file.
    File(PathBuf),
    /// Any certificate. For tests.
    Anyone,
}

impl Scenario {
    /// The longest `timeout` of a message or heartbeat: how long after the last send an answer can still be due.
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

    /// The longest payload of any message.
    pub fn longest_payload(&self) -> ByteSize {
        let longest = self.payloads().map(Payload::len).max();
        ByteSize(longest.unwrap_or(0))
    }

    /// The number of connections of the whole run; each arrival counts as one.
    pub fn connections(&self) -> u64 {
        let cohorts = self.cohorts.iter();
        cohorts.map(|cohort| u64::from(cohort.connections)).sum()
    }

    /// The longest payload that wsbench generates, as opposed to those it reads from the scenario.
    pub fn longest_made(&self) -> ByteSize {
        let made = self.payloads().filter_map(|payload| match payload {
            Payload::Size(size) => Some(*size),
            Payload::Fixed(_) | Payload::Stamped(_) => None,
        });
        made.max().unwrap_or(ByteSize(0))
    }

    /// The payloads of all messages.
    pub fn payloads(&self) -> impl Iterator<Item = &Payload> {
        let messages = self.cohorts.iter().flat_map(|cohort| &cohort.messages);
        messages.map(|message| &message.payload)
    }
}
