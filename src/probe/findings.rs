//! The results of a probe, as types. Times are in nanoseconds; `None` means "never seen".

use serde::Serialize;

use super::breach::Breach;
use super::handshake::Handshake;
use super::offers::Offers;
use super::tls::TlsOffer;
use crate::measure::TcpEnding;
use crate::scenario::Spoken;

/// One result of a probe.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The handshake.
    Handshake(Handshake),
    /// What TLS was agreed on.
    Tls(TlsOffer),
    /// What the server offers to those who ask for it.
    Offers(Offers),
    /// What the server answers to messages.
    Echo(Echo),
    /// The protocol over WebSocket that the server speaks, where its first words tell.
    Dialect(Spoken),
    /// What the server answers to pings.
    Pings(Pings),
    /// What the server sends without being asked.
    Quiet(Quiet),
    /// What keeps a connection alive.
    Activity(Vec<Trial>),
    /// What ends a silent connection.
    Idle(Idle),
    /// The close handshake.
    Close(CloseHandshake),
    /// The server may wait for a first word.
    FirstWord(FirstWord),
    /// A question that could not be asked, because no connection opened for it.
    Unknown(Unknown),
    /// The most seconds for which the server wanted to be left alone (`Retry-After`), when it did.
    RetryAfter(u64),
    /// The longest time for which the probe itself was held up, when it was.
    HeldUp(u64),
    /// How many connections were dialled in all.
    Connections(u32),
}

/// All results of a probe; `None` where a question could not be asked.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Findings {
    /// The handshake.
    pub handshake: Option<Handshake>,
    /// What TLS was agreed on; `None` without TLS, too.
    pub tls: Option<TlsOffer>,
    /// What the server offers to those who ask for it.
    pub offers: Option<Offers>,
    /// What the server answers to messages.
    pub echo: Option<Echo>,
    /// The protocol over WebSocket that the server speaks, where its first words tell.
    pub dialect: Option<Spoken>,
    /// What the server answers to pings.
    pub pings: Option<Pings>,
    /// What the server sends without being asked.
    pub quiet: Option<Quiet>,
    /// What keeps a connection alive: one trial for each kind of activity of a client.
    pub activity: Vec<Trial>,
    /// What ends a silent connection.
    pub idle: Option<Idle>,
    /// The close handshake.
    pub close: Option<CloseHandshake>,
    /// Why the server may wait for a first word; `None` where nothing points to it.
    pub first_word: Option<FirstWord>,
    /// The questions that could not be asked.
    pub unknown: Vec<Unknown>,
    /// The most seconds for which the server wanted to be left alone (`Retry-After`); `None` where it did not.
    pub retry_after_s: Option<u64>,
    /// The longest time for which the probe itself was held up, so that what it saw may have been earlier; `None` where it
    /// was not.
    pub held_up_ns: Option<u64>,
    /// How many connections were dialled in all.
    pub connections: u32,
}

impl Findings {
    /// Adds one result.
    pub fn add(&mut self, finding: Finding) {
        match finding {
            Finding::Handshake(found) => self.handshake = Some(found),
            Finding::Tls(found) => self.tls = Some(found),
            Finding::Offers(found) => self.offers = Some(found),
            Finding::Echo(found) => self.echo = Some(found),
            Finding::Dialect(found) => self.dialect = Some(found),
            Finding::Pings(found) => self.pings = Some(found),
            Finding::Quiet(found) => self.quiet = Some(found),
            Finding::Activity(found) => self.activity = found,
            Finding::Idle(found) => self.idle = Some(found),
            Finding::Close(found) => self.close = Some(found),
            Finding::FirstWord(found) => self.first_word = Some(found),
            Finding::Unknown(unknown) => self.unknown.push(unknown),
            Finding::RetryAfter(seconds) => self.retry_after_s = Some(seconds),
            Finding::HeldUp(ns) => self.held_up_ns = Some(ns),
            Finding::Connections(made) => self.connections = made,
        }
    }

    /// Whether the server ended every client, whatever it did.
    pub(super) fn keeps_nobody(&self) -> bool {
        let by_server = |trial: &Trial| {
            let ending = trial.ending.as_ref();
            ending.is_some_and(|ending| ending.how.is_servers())
        };
        !self.activity.is_empty() && self.activity.iter().all(by_server)
    }

    /// The trial of this kind of activity.
    pub fn trial(&self, doing: Doing) -> Option<&Trial> {
        self.activity.iter().find(|trial| trial.doing == doing)
    }
}

/// What points to a server that waits for a first word of its clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FirstWord {
    /// The probe said this word of the dialect that it recognised.
    Said(String),
    /// Clients of this dialect say a word that the probe did not say.
    OfDialect(&'static str),
    /// It greets as the servers of this protocol do.
    OfProtocol(&'static str),
    /// It kept no client, whatever the client did.
    NobodyKept,
}

/// A question that could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unknown {
    /// The question.
    pub question: Question,
    /// Why the connection for it did not open.
    pub failed: String,
}

/// A question that needs a connection of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// What the server answers to pings.
    Pings,
    /// What the server sends without being asked.
    Quiet,
    /// What ends a silent connection.
    Idle,
    /// The close handshake.
    Close,
}

/// What the server answers to messages.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Echo {
    /// The message that came before the probe sent anything, shortened.
    pub greeting: Option<String>,
    /// The answer to a text message.
    pub text: Answer,
    /// The answer to a binary message.
    pub binary: Answer,
    /// The number of timed echoes.
    pub samples: u32,
    /// The median time of an echo.
    pub p50_ns: Option<u64>,
    /// The longest time of an echo.
    pub max_ns: Option<u64>,
    /// The end of the connection, if the server ended it during this question.
    pub ending: Option<Ending>,
}

/// What the server answered to one message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The same bytes in the same kind of message.
    Same,
    /// The same bytes in the other kind of message.
    Retyped,
    /// A different message, shortened.
    Other(String),
    /// No answer in the time waited.
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

/// What the server answers to pings (RFC 6455 sections 5.5.2 and 5.5.3).
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Pings {
    /// The pings sent one by one, each after the answer to the one before.
    pub sent: u32,
    /// The pings answered by a pong with the same payload.
    pub answered: u32,
    /// The pongs with a payload that no ping had.
    pub wrong: u32,
    /// The lengths of payloads whose pings were never answered, in bytes.
    pub unanswered_lengths: Vec<usize>,
    /// The median time of an answer.
    pub p50_ns: Option<u64>,
    /// The longest time of an answer.
    pub max_ns: Option<u64>,
    /// The pings sent all at once; 0 where the pings before were not answered.
    pub burst_sent: u32,
    /// The pings of the burst that were answered.
    pub burst_answered: u32,
    /// Whether the last ping of the burst was answered, as the standard demands.
    pub burst_last_answered: bool,
    /// The answer to a ping between two fragments of a message (section 5.4).
    pub within_message: Within,
    /// The end of the connection, if the server ended it during this question.
    pub ending: Option<Ending>,
}

/// What the server answered to a ping between two fragments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Within {
    /// The ping was not sent.
    #[default]
    NotTried,
    /// A pong this many nanoseconds later, before the last fragment was sent.
    Answered(u64),
    /// A pong, but only after the last fragment was sent.
    AnsweredAfterwards,
    /// No pong.
    Nothing,
}

/// What the server sends without being asked, to a client that answers pings and does nothing else.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Quiet {
    /// How long the connection was watched.
    pub watched_ns: u64,
    /// The number of pings from the server.
    pub pings: u32,
    /// The time from the open to the first ping.
    pub first_ping_ns: Option<u64>,
    /// The mean time between two pings.
    pub mean_gap_ns: Option<u64>,
    /// The shortest time between two pings.
    pub min_gap_ns: Option<u64>,
    /// The longest time between two pings.
    pub max_gap_ns: Option<u64>,
    /// The payload of the first ping, shortened; empty where it has none.
    pub payload: Option<String>,
    /// Messages that the server sends without being asked, grouped by shape.
    pub messages: Vec<Unasked>,
    /// The number of messages of shapes for which there was no room.
    pub more_messages: u32,
    /// The number of messages that other clients of the probe had sent: the server passes them on.
    pub own_messages: u32,
}

/// Messages of one shape that the server sends without being asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unasked {
    /// The first message, shortened.
    pub sample: String,
    /// The number of messages.
    pub count: u32,
    /// The time from the open to the first message.
    pub first_ns: u64,
    /// The mean time between two messages.
    pub mean_gap_ns: Option<u64>,
    /// What the message is in a known protocol, such as `an engine.io ping`.
    pub guess: Option<&'static str>,
}

/// The only activity of a client in a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Doing {
    /// Answers pings, and sends nothing else.
    AnswerPings,
    /// Reads, and sends nothing at all.
    Nothing,
    /// Sends unsolicited pongs, and answers no ping.
    UnsolicitedPongs,
    /// Sends pings, and answers none.
    Pings,
    /// Sends texts, and answers no ping.
    Texts,
}

impl Doing {
    /// All activities, in the order in which they are reported.
    pub const ALL: [Self; 5] = [
        Self::AnswerPings,
        Self::Nothing,
        Self::UnsolicitedPongs,
        Self::Pings,
        Self::Texts,
    ];
}

/// The result of a trial: a client with one kind of activity only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// The activity of the client.
    pub doing: Doing,
    /// The time from the open to the end of watching, at most.
    pub watched_ns: u64,
    /// The frames that the client sent.
    pub sent: u32,
    /// The pings that came from the server.
    pub pings: u32,
    /// When the first ping came that the client did not answer.
    pub unanswered_ns: Option<u64>,
    /// How the server ended the connection; `None` where it stayed open.
    pub ending: Option<Ending>,
    /// Why the connection could not be opened.
    pub failed: Option<String>,
}

/// How a server ended a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ending {
    /// The time from the open to the Close frame, or to the end of TCP without one.
    pub at_ns: u64,
    /// How the server ended the connection.
    pub how: How,
    /// The end of TCP after a Close frame; `None` where it did not come in the time waited.
    pub tcp: Option<Tcp>,
}

/// What a server's decision to end a connection looks like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    /// A Close frame.
    Close {
        /// The close code; `None` where the frame is empty.
        code: Option<u16>,
        /// The close reason; may be empty.
        reason: String,
    },
    /// A FIN without a Close frame.
    Fin,
    /// A RST without a Close frame.
    Rst,
    /// The server broke this rule of RFC 6455, so the probe ended the connection.
    Broken(Breach),
    /// The server took no more bytes, so the probe ended the connection.
    Stuck,
}

impl How {
    /// Whether the server decided to end the connection, and not the probe.
    pub(super) const fn is_servers(&self) -> bool {
        !matches!(self, Self::Broken(_) | Self::Stuck)
    }
}

/// How TCP ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tcp {
    /// The time since the server's Close frame.
    pub after_ns: u64,
    /// Whether it was a RST rather than a FIN.
    pub reset: bool,
}

impl Tcp {
    /// The end of TCP after this time, in this way.
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
    /// How long the connections were watched.
    pub watched_ns: u64,
    /// What ended the client that sent nothing at all.
    pub silent: Option<Limit>,
    /// What ended the client that answered pings and sent nothing else; also `None` where no ping came.
    pub answering: Option<Limit>,
    /// Whether clients that sent pings or texts were ended after the same time, so that silence need not be the reason.
    pub talkers_too: bool,
}

/// A limit that ended a silent client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Limit {
    /// The event from which the limit counts.
    pub since: Since,
    /// The time from that event to the end, of the first client.
    pub after_ns: u64,
    /// How the server ended the connection.
    pub ending: Ending,
    /// How many clients, opened at different times, were ended in this way.
    pub seen: u32,
    /// At how many phases of a timer that may serve all clients: those whose limits began with one and the same tick of pings
    /// count once.
    pub phases: u32,
    /// The time between two pings, where the server sent more of them to this client and ended it when one was due: it may end
    /// another one ping sooner or later.
    pub ping_gap_ns: Option<u64>,
    /// The shortest of their times.
    pub least_ns: u64,
    /// The longest of their times.
    pub most_ns: u64,
}

impl Limit {
    /// Whether it is the same for each client, as far as three or more phases tell; else a timer may serve all of them, and the
    /// time of a client depends on when it came.
    pub fn is_exact(&self) -> bool {
        const TOLERANCE_NS: u64 = 100_000_000;
        let spread = self.most_ns - self.least_ns;
        self.phases >= 3 && spread <= TOLERANCE_NS.max(self.least_ns / 10)
    }
}

/// The event from which a limit counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Since {
    /// The 101, as no ping had come.
    Open,
    /// The first ping that was not answered.
    Ping,
}

/// The close handshake, started by the probe with code 1000 (RFC 6455 section 7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CloseHandshake {
    /// How long the probe waited for an answer and the end of TCP.
    pub waited_ns: u64,
    /// The time from the probe's Close frame to the server's.
    pub answered_ns: Option<u64>,
    /// The code of the answer; also `None` where the answer is empty.
    pub code: Option<u16>,
    /// The reason of the answer.
    pub reason: String,
    /// Frames that came after the answer, which RFC 6455 section 5.5.1 forbids.
    pub frames_after: u32,
    /// The end of TCP, with the time since the probe's Close frame.
    pub tcp: Option<Tcp>,
    /// The rule that the server's answer broke.
    pub broken: Option<Breach>,
}
