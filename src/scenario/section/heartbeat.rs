//! Heartbeats: how a connection checks that the server is alive, and shows that it is itself.

use std::time::Duration;

use super::cohort::Cohort;
use super::matching::Match;
use super::message::{FrameKind, Phase};
use super::payload::Payload;
use crate::scenario::reading::words;

/// How a connection checks that the server is alive, and shows that it is itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Heartbeat {
    /// What is sent again and again; `None` if the server alone pings.
    pub pings: Option<Pings>,
    /// The server's pings that are messages.
    pub server: Option<ServerPings>,
    /// The time without any data after which the connection is dead. Above zero.
    pub silence: Option<Duration>,
    /// The reaction to a dead connection.
    pub on_dead: OnDead,
    /// Whether to answer the server's pings.
    pub auto_pong: bool,
}

/// What a client sends again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct Pings {
    /// The time between two pings. Above zero.
    pub interval: Duration,
    /// The offset of a connection's first ping within the interval.
    pub phase: Phase,
    /// Control frames or messages.
    pub kind: PingKind,
    /// How their answers are judged; `None` if none is expected.
    pub watch: Option<Watch>,
}

/// When a server that does not answer pings is dead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// The longest time from a ping to its pong. Above zero.
    pub timeout: Duration,
    /// The number of missed deadlines in a row after which the connection is dead. Above zero.
    pub max_missed: u32,
    /// What counts as a sign of life.
    pub alive_on: AliveOn,
}

/// The server's pings that are messages.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerPings {
    /// Which messages they are.
    pub ping: Match,
    /// What answers them; `None` if nothing does.
    pub pong: Option<(Payload, FrameKind)>,
}

impl Heartbeat {
    /// Its pings whose answers are waited for.
    pub fn watched(&self) -> Option<(&Pings, &Watch)> {
        let pings = self.pings.as_ref()?;
        Some((pings, pings.watch.as_ref()?))
    }

    /// Whether messages belong to it: its pings, or those of the server.
    pub fn is_text(&self) -> bool {
        let pings = self.pings.as_ref();
        pings.is_some_and(|pings| pings.kind != PingKind::Frames) || self.server.is_some()
    }

    /// What it sends.
    pub fn payloads(&self) -> impl Iterator<Item = &Payload> {
        let ping = self.pings.iter().filter_map(|pings| match &pings.kind {
            PingKind::Text { send, .. } => Some(send),
            PingKind::Frames => None,
        });
        let pong = self.server.iter().filter_map(|server| {
            let (payload, _) = server.pong.as_ref()?;
            Some(payload)
        });
        ping.chain(pong)
    }

    /// What it compares messages with.
    pub fn matches(&self) -> impl Iterator<Item = &Match> {
        let expect = self.pings.iter().filter_map(|pings| match &pings.kind {
            PingKind::Text { expect, .. } => expect.as_ref(),
            PingKind::Frames => None,
        });
        expect.chain(self.server.iter().map(|server| &server.ping))
    }

    /// Whether its pings are messages whose answers have their id.
    pub fn is_named_by_id(&self) -> bool {
        let mut payloads = self.payloads();
        payloads.any(Payload::has_id)
    }

    /// Whether it can find the server dead.
    pub fn can_die(&self) -> bool {
        self.watched().is_some() || self.silence.is_some()
    }
}

words! {
    /// What counts as a sign of life.
    pub enum AliveOn {
        /// Only a pong.
        Pong,
        /// Any message or control frame.
        Any,
    }
}

words! {
    /// What to do with a dead connection.
    pub enum OnDead {
        /// Close it.
        Close,
        /// Drop it and dial again.
        Reconnect,
        /// Leave it open and go on pinging.
        Keep,
    }
}

words! {
    /// Control frames or text.
    pub enum HeartbeatWord {
        /// Ping and pong frames (RFC 6455 sections 5.5.2 and 5.5.3).
        Frames,
        /// Messages of the application.
        Text,
    }
}

/// What pings are.
#[derive(Debug, Clone, PartialEq)]
pub enum PingKind {
    /// Ping and pong frames (RFC 6455 sections 5.5.2 and 5.5.3).
    Frames,
    /// Messages of the application.
    Text {
        /// What is sent.
        send: Payload,
        /// As text or as binary.
        frame: FrameKind,
        /// The message that must come back; `None` if none does.
        expect: Option<Match>,
    },
}

impl PingKind {
    /// Whether answers say which ping they answer.
    pub fn is_named(&self) -> bool {
        match self {
            Self::Frames => true,
            Self::Text { expect, .. } => expect.as_ref().is_some_and(Match::has_id),
        }
    }

    /// These texts.
    #[cfg(test)]
    pub(crate) fn texts(send: &str, expect: &str) -> Self {
        use super::matching::Condition;
        use super::payload::Segment;
        let text = Segment::Literal(expect.as_bytes().into());
        let whole = Condition::Whole([text].into());
        Self::Text {
            send: Payload::Fixed(send.as_bytes().into()),
            frame: FrameKind::Text,
            expect: Some(Match {
                conditions: [whole].into(),
            }),
        }
    }
}

impl Cohort {
    /// What its clients send again and again, if they do.
    pub fn pings(&self) -> Option<&Pings> {
        self.heartbeat.as_ref()?.pings.as_ref()
    }

    /// Whether its clients ping.
    pub fn sends_pings(&self) -> bool {
        self.pings().is_some()
    }

    /// The pings of its clients, if their answers are waited for.
    pub fn watched(&self) -> Option<(&Pings, &Watch)> {
        self.heartbeat.as_ref()?.watched()
    }

    /// The time without any data after which its clients find the server dead.
    pub fn silence(&self) -> Option<Duration> {
        self.heartbeat.as_ref()?.silence
    }

    /// Whether there are messages that its clients take for pings of the server.
    pub fn takes_texts_for_pings(&self) -> bool {
        let mut heartbeat = self.heartbeat.iter();
        heartbeat.any(|heartbeat| heartbeat.server.is_some())
    }

    /// Whether its clients end connections to a server that they find dead.
    pub fn gives_up(&self) -> bool {
        let mut heartbeat = self.heartbeat.iter();
        heartbeat.any(|heartbeat| heartbeat.can_die() && heartbeat.on_dead != OnDead::Keep)
    }
}
