//! What a probe finds out, as types. Times are nanoseconds; `None` is "never seen".

use serde::Serialize;

use crate::measure::TcpEnding;

/// One thing that was found out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The handshake.
    Handshake(Handshake),
    /// What comes back to a message.
    Echo(Echo),
    /// What comes back to pings.
    Pings(Pings),
    /// What the server sends by itself.
    Quiet(Quiet),
    /// What keeps a connection alive.
    Activity(Vec<Trial>),
    /// What ends a silent one.
    Idle(Idle),
    /// The close handshake.
    Close(CloseHandshake),
}

/// All that was found out; a part that could not be is `None`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Findings {
    /// The handshake.
    pub handshake: Option<Handshake>,
    /// What comes back to a message.
    pub echo: Option<Echo>,
    /// What comes back to pings.
    pub pings: Option<Pings>,
    /// What the server sends by itself.
    pub quiet: Option<Quiet>,
    /// What keeps a connection alive: one trial for each thing a client can do.
    pub activity: Vec<Trial>,
    /// What ends a silent connection.
    pub idle: Option<Idle>,
    /// The close handshake.
    pub close: Option<CloseHandshake>,
}

impl Findings {
    /// Takes one in.
    pub fn add(&mut self, finding: Finding) {
        match finding {
            Finding::Handshake(found) => self.handshake = Some(found),
            Finding::Echo(found) => self.echo = Some(found),
            Finding::Pings(found) => self.pings = Some(found),
            Finding::Quiet(found) => self.quiet = Some(found),
            Finding::Activity(found) => self.activity = found,
            Finding::Idle(found) => self.idle = Some(found),
            Finding::Close(found) => self.close = Some(found),
        }
    }

    /// The trial of a client that does this.
    pub fn trial(&self, doing: Doing) -> Option<&Trial> {
        self.activity.iter().find(|trial| trial.doing == doing)
    }
}

/// How the connection came to be.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Handshake {
    /// The address that took the connection.
    pub address: String,
    /// The look-up of the name; `None` where the host is an address.
    pub dns_ns: Option<u64>,
    /// The TCP connection.
    pub tcp_ns: u64,
    /// The TLS handshake.
    pub tls_ns: Option<u64>,
    /// The version of TLS, as `TLSv1_3`.
    pub tls: Option<String>,
    /// From the upgrade request to its answer.
    pub upgrade_ns: u64,
    /// The status line.
    pub status: String,
    /// The headers that are not part of the handshake itself, in order.
    pub headers: Vec<(String, String)>,
    /// What the server chose of the subprotocols offered.
    pub subprotocol: Option<String>,
    /// What the server chose when it was offered compression (RFC 7692), on a connection of its own.
    pub compression: Option<String>,
}

/// What comes back to a message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Echo {
    /// What came before anything was sent, shortened.
    pub greeting: Option<String>,
    /// To a text.
    pub text: Answer,
    /// To a binary message.
    pub binary: Answer,
    /// Echoes that were timed.
    pub samples: u32,
    /// Half of them came back within this.
    pub p50_ns: Option<u64>,
    /// The slowest.
    pub max_ns: Option<u64>,
    /// The server ended the connection meanwhile.
    pub ending: Option<Ending>,
}

/// What came back to one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The same bytes, as the same kind.
    Same,
    /// The same bytes, as the other kind.
    Retyped,
    /// Something else: shortened.
    Other(String),
    /// Nothing in the time waited.
    Nothing,
    /// The connection ended.
    Ended,
}

impl Answer {
    /// Whether the same bytes came back.
    pub const fn is_echo(&self) -> bool {
        matches!(self, Self::Same | Self::Retyped)
    }
}

/// What comes back to pings (RFC 6455 sections 5.5.2 and 5.5.3).
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Pings {
    /// Sent one by one, each after the answer to the one before.
    pub sent: u32,
    /// Answered by a pong with the same payload.
    pub answered: u32,
    /// Pongs with a payload no ping had.
    pub wrong: u32,
    /// Lengths of payloads that were never answered, in bytes.
    pub unanswered_lengths: Vec<usize>,
    /// Half of the answers came within this.
    pub p50_ns: Option<u64>,
    /// The slowest.
    pub max_ns: Option<u64>,
    /// Sent all at once; none where the pings before were not answered.
    pub burst_sent: u32,
    /// Of these, answered.
    pub burst_answered: u32,
    /// The last one was, as it must be.
    pub burst_last_answered: bool,
    /// A ping between two fragments of a message (section 5.4).
    pub within_message: Within,
    /// The server ended the connection meanwhile.
    pub ending: Option<Ending>,
}

/// What came back to a ping between two fragments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Within {
    /// It was not tried.
    #[default]
    NotTried,
    /// A pong, so many nanoseconds later and before the message was whole.
    Answered(u64),
    /// A pong, but only when the message was whole.
    AnsweredAfterwards,
    /// Nothing.
    Nothing,
}

/// What the server sends by itself, to a client that answers pings and does nothing else.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Quiet {
    /// How long it was watched.
    pub watched_ns: u64,
    /// Pings of the server.
    pub pings: u32,
    /// From the open to the first.
    pub first_ping_ns: Option<u64>,
    /// The mean time between two.
    pub mean_gap_ns: Option<u64>,
    /// The shortest.
    pub min_gap_ns: Option<u64>,
    /// The longest.
    pub max_gap_ns: Option<u64>,
    /// The payload of the first, shortened; empty where it has none.
    pub payload: Option<String>,
    /// Messages that the server sends by itself, grouped by shape.
    pub messages: Vec<Unasked>,
    /// Messages of other shapes than those kept.
    pub more_messages: u32,
}

/// Messages of one shape that the server sends by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unasked {
    /// The first of them, shortened.
    pub sample: String,
    /// How many came.
    pub count: u32,
    /// From the open to the first.
    pub first_ns: u64,
    /// The mean time between two.
    pub mean_gap_ns: Option<u64>,
    /// What it looks like, where it is known: `an engine.io ping`.
    pub guess: Option<&'static str>,
}

/// The one thing a client does in a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doing {
    /// Answers pings, and sends nothing else.
    AnswerPings,
    /// Reads, and sends nothing at all.
    Nothing,
    /// Sends pongs nobody asked for, and answers no ping.
    UnsolicitedPongs,
    /// Sends pings, and answers none.
    Pings,
    /// Sends texts, and answers no ping.
    Texts,
}

impl Doing {
    /// All of them, in the order they are told.
    pub const ALL: [Self; 5] = [
        Self::AnswerPings,
        Self::Nothing,
        Self::UnsolicitedPongs,
        Self::Pings,
        Self::Texts,
    ];
}

/// What became of a client that did one thing only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// What it did.
    pub doing: Doing,
    /// From the open to the end of watching, at most.
    pub watched_ns: u64,
    /// Frames it sent.
    pub sent: u32,
    /// Pings that came.
    pub pings: u32,
    /// When the first ping came that it did not answer.
    pub unanswered_ns: Option<u64>,
    /// The end, by the server. `None`: it lived on.
    pub ending: Option<Ending>,
    /// It could not be opened, and why.
    pub failed: Option<String>,
}

/// How a server ended a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ending {
    /// From the open to the Close frame, or to the end of TCP without one.
    pub at_ns: u64,
    /// The decision.
    pub how: How,
    /// The end of TCP after a Close frame; `None` where it did not come while it was waited for.
    pub tcp: Option<Tcp>,
}

/// What a server's decision to end a connection looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// A Close frame.
    Close {
        /// `None`: an empty one.
        code: Option<u16>,
        /// May be empty.
        reason: String,
    },
    /// TCP ended in order, without a Close frame.
    Fin,
    /// TCP was reset, without a Close frame.
    Rst,
    /// The server broke a rule of RFC 6455, and we ended it.
    Broken(&'static str),
    /// The server took no more bytes, and we ended it.
    Stuck,
}

/// How TCP ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tcp {
    /// Since the server's Close frame.
    pub after_ns: u64,
    /// By a RST rather than a FIN.
    pub reset: bool,
}

impl Tcp {
    /// Of this kind.
    pub(super) fn new(after_ns: u64, ending: TcpEnding) -> Self {
        Self {
            after_ns,
            reset: ending == TcpEnding::Rst,
        }
    }
}

/// What ends a silent connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Idle {
    /// How long it was watched.
    pub watched_ns: u64,
    /// What ended the client that sent nothing at all.
    pub silent: Option<Limit>,
    /// What ended the client that answered pings and sent nothing else; `None` as well where no ping came.
    pub answering: Option<Limit>,
}

/// A limit that a silent client ran into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// Where it counts from.
    pub since: Since,
    /// How long it took.
    pub after_ns: u64,
    /// The end.
    pub ending: Ending,
}

/// Where a limit counts from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Since {
    /// The 101: no ping had come.
    Open,
    /// The first ping that was not answered.
    Ping,
}

/// The close handshake, begun by us with the code 1000 (RFC 6455 section 7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CloseHandshake {
    /// How long an answer and the end of TCP were waited for.
    pub waited_ns: u64,
    /// From our Close frame to the server's.
    pub answered_ns: Option<u64>,
    /// The code of the answer; `None` as well where it is empty.
    pub code: Option<u16>,
    /// Its reason.
    pub reason: String,
    /// Frames that came behind it, which RFC 6455 section 5.5.1 forbids.
    pub frames_after: u32,
    /// From our Close frame to the end of TCP, and how it ended.
    pub tcp: Option<Tcp>,
    /// What was wrong with what came.
    pub broken: Option<&'static str>,
}
