//! What a scenario means, with every default filled in. Nothing invalid can be expressed here:
//! `resolve` is the only way from text to these types, and no field is left to guess.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::contract::Contract;
use super::fault::Fault;
use crate::metric;
use crate::units::{ByteSize, Rate};

mod display;
mod gate;
mod path;
mod payload;

pub use gate::{Gate, Gates, Op, Selector, Stat, Subject};
pub use path::{
    Defect, Direction, Path, PathFault, PathFaultKind, Process, ServerHeartbeat, Signal,
    TargetFault,
};
pub use payload::{Payload, STAMP_LEN, Segment};

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

/// When connections open and close.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// The plan of openings.
    pub shape: Shape,
    /// Closes at the end are spread over this time.
    pub ramp_down: Duration,
    /// How a worker waits for the next deadline.
    pub pace: Pace,
}

/// The plan of openings.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// All open evenly over `ramp_up` and stay.
    Steady {
        /// May be zero.
        ramp_up: Duration,
        /// From the time each planned connection is open or has failed. May be zero.
        warm_up: Duration,
        /// The measured window. Above zero.
        duration: Duration,
    },
    /// The number of connections moves linearly from stage to stage, from zero at the start.
    Stages(Vec<Stage>),
    /// Connections come at a rate, stay for a while and go.
    Arrivals {
        /// New connections.
        rate: Rate,
        /// From the 101 to our Close. Above zero.
        lifetime: Duration,
        /// Not more than this many at once; an arrival that would be is skipped and counted. Above zero.
        max_open: u32,
        /// Not measured. May be zero.
        warm_up: Duration,
        /// The measured window. Above zero.
        duration: Duration,
    },
}

/// One leg of a ramp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stage {
    /// Above zero.
    pub duration: Duration,
    /// How many are open at its end.
    pub connections: u32,
}

/// How a worker waits for the next deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// Sleeps; wake-ups at least 100 µs apart.
    Steady,
    /// Spins when the next deadline is near.
    Precise,
}

/// What to do when a connection is lost, or could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reconnect {
    /// Nothing.
    None,
    /// Dial again, after a delay that doubles from `initial` to `max`.
    Backoff {
        /// The first delay. Zero with a `max` of zero: at once.
        initial: Duration,
        /// The longest delay; at least `initial`.
        max: Duration,
        /// How the delay is spread.
        jitter: Jitter,
    },
}

/// How a delay before a reconnect is spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// Not at all.
    None,
    /// Evenly between zero and the delay.
    Full,
    /// The first delay evenly between zero and `initial`, later ones as they are (RFC 6455 section 7.2.3).
    First,
}

/// A group of connections that behave alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Cohort {
    /// Letters, digits, `-` and `_`; unique.
    pub name: String,
    /// How many. For `Shape::Stages` the highest stage, for `Shape::Arrivals` the number of arrivals. Above zero.
    pub connections: u32,
    /// What each of them sends, side by side. May be empty; at most 256.
    pub messages: Vec<Message>,
    /// How they watch the server; `None` is "off".
    pub heartbeat: Option<Heartbeat>,
    /// What they do when a connection is lost.
    pub reconnect: Reconnect,
    /// What they do wrong on purpose. Empty for healthy clients.
    pub faults: Vec<Fault>,
    /// What the server promises about them.
    pub contract: Option<Contract>,
}

impl Cohort {
    /// Whether a gate on this metric that names no cohort looks at this one.
    pub fn is_looked_at(&self, metric: &str) -> bool {
        is_looked_at(metric, self.does_right(), self.expects_end())
    }

    /// Whether its clients have no fault.
    pub fn does_right(&self) -> bool {
        self.faults.is_empty()
    }

    /// Whether its contract expects the server to end its connections.
    pub fn expects_end(&self) -> bool {
        let contract = self.contract.iter();
        let mut promises = contract.flat_map(|contract| &contract.promises);
        promises.any(|promise| promise.kind.expects_end())
    }
}

/// Whom a gate looks at that names no cohort: clients that do nothing wrong, and where its metric tells of ends, only
/// those of whom no end is expected.
pub(super) fn is_looked_at(metric: &str, does_right: bool, expects_end: bool) -> bool {
    does_right && !(expects_end && metric::tells_of_ends(metric))
}

/// A message that is sent again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Letters, digits, `-` and `_`; unique in its cohort.
    pub name: String,
    /// What is sent.
    pub payload: Payload,
    /// As text or as binary.
    pub frame: FrameKind,
    /// When it is sent.
    pub pacing: Pacing,
    /// Stop after so many on each connection. Above zero.
    pub count: Option<u64>,
    /// What must come back.
    pub expect: Expect,
    /// From the send to the answer. Above zero.
    pub timeout: Duration,
}

/// As text or as binary (RFC 6455 section 5.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FrameKind {
    /// Opcode 1.
    Text,
    /// Opcode 2.
    Binary,
}

/// When a message is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pacing {
    /// On a schedule (open model). With `in_flight`, never more than so many unanswered.
    Open {
        /// For each connection.
        rate: Rate,
        /// How the gaps vary.
        gaps: Gaps,
        /// Where in the gap a connection starts.
        phase: Phase,
        /// Above zero.
        in_flight: Option<u32>,
    },
    /// As soon as an answer is there (closed model).
    Closed {
        /// So many unanswered at a time. Above zero.
        in_flight: u32,
        /// From an answer to the next send. May be zero.
        think: Duration,
    },
}

/// How the gaps of a schedule vary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gaps {
    /// All alike.
    Constant,
    /// Exponential: a Poisson process.
    Poisson,
}

/// Where in the gap a connection starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Connections are offset evenly.
    Spread,
    /// All at the same time.
    Aligned,
}

/// What must come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// The same bytes.
    Echo,
    /// Nothing.
    None,
}

/// How a connection watches the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Heartbeat {
    /// Between two pings. Above zero.
    pub interval: Duration,
    /// From a ping sent to its pong. Above zero.
    pub timeout: Duration,
    /// So many deadlines in a row missed, and the connection is dead. Above zero.
    pub max_missed: u32,
    /// Where in the interval a connection starts.
    pub phase: Phase,
    /// What counts as a sign of life.
    pub alive_on: AliveOn,
    /// What to do with a dead connection.
    pub on_dead: OnDead,
    /// Answer the server's pings.
    pub auto_pong: bool,
    /// Control frames or text.
    pub kind: HeartbeatKind,
}

/// What counts as a sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AliveOn {
    /// Only a pong.
    Pong,
    /// Any message or control frame.
    Any,
}

/// What to do with a dead connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDead {
    /// Close it.
    Close,
    /// Drop it and dial again.
    Reconnect,
    /// Leave it open and go on pinging.
    Keep,
}

/// Control frames or text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeartbeatKind {
    /// RFC 6455 sections 5.5.2 and 5.5.3.
    Frames,
    /// Application-level: one text message for another.
    Text {
        /// What is sent.
        send: String,
        /// What must come back.
        expect: String,
    },
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
