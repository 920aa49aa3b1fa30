//! The messages of heartbeats, prepared once for all clients of a cohort.

use super::template::{Slice, Template};
use super::values::Values;
use super::{ClientPlan, STAMP_LEN};
use crate::scenario::{Cohort, FrameKind, Match, PingKind, ServerPings};

/// The messages of the heartbeat of a cohort.
#[derive(Debug, Default)]
pub(super) struct HeartbeatTexts {
    /// What is sent; `None` for ping frames, or if nothing is.
    ping: Option<Template>,
    /// What answers the server's pings that are messages; `None` if nothing does.
    pong: Option<Template>,
    /// Whether there are messages that belong to the heartbeat.
    is_any: bool,
}

impl HeartbeatTexts {
    /// Prepares those of a cohort; padding is taken from `filler`.
    pub(super) fn of(cohort: &Cohort, filler: &Slice) -> Self {
        let Some(heartbeat) = &cohort.heartbeat else {
            return Self::default();
        };
        let ping = heartbeat
            .pings
            .as_ref()
            .and_then(|pings| match &pings.kind {
                PingKind::Frames => None,
                PingKind::Text { send, frame, .. } => Some(Template::new(send, *frame, filler)),
            });
        let pong = heartbeat
            .server
            .as_ref()
            .and_then(|server| server.pong.as_ref());
        let pong = pong.map(|(payload, frame)| Template::new(payload, *frame, filler));
        Self {
            is_any: ping.is_some() || heartbeat.server.is_some(),
            ping,
            pong,
        }
    }
}

/// What an answer to pings that are messages is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextPong {
    /// It names the ping with this number.
    To(u32),
    /// It names none.
    InOrder,
}

impl<'a> ClientPlan<'a> {
    /// Whether there are messages that belong to its heartbeat.
    pub fn has_text_heartbeat(self) -> bool {
        self.texts().is_any
    }

    /// Writes its ping with this number, if that is a message. `saved` is what is kept of messages.
    pub fn write_ping(
        self,
        number: u32,
        saved: &[Vec<u8>],
        out: &mut Vec<u8>,
    ) -> Option<FrameKind> {
        let template = self.texts().ping.as_ref()?;
        let values = || self.ping_values(number, saved);
        template.write(|| [b'0'; STAMP_LEN], values, out);
        Some(template.frame())
    }

    /// Writes its answer to the server's pings that are messages, if there is one.
    pub fn write_pong(self, out: &mut Vec<u8>) -> Option<FrameKind> {
        let template = self.texts().pong.as_ref()?;
        template.write(|| [b'0'; STAMP_LEN], || self.ping_values(0, &[]), out);
        Some(template.frame())
    }

    /// Returns whether a message is a ping of the server. An empty one stands for a frame without any message.
    pub fn is_server_ping(self, message: &[u8]) -> bool {
        let heartbeat = self.cohort().heartbeat.as_ref();
        let server = heartbeat.and_then(|heartbeat| heartbeat.server.as_ref());
        server
            .is_some_and(|ServerPings { ping, .. }| ping.holds(message, &self.ping_values(0, &[])))
    }

    /// Returns what a message answers if it answers a ping; `oldest` is the number of the ping that an answer which names
    /// none would be for.
    pub fn text_pong(self, message: &[u8], oldest: u32, saved: &[Vec<u8>]) -> Option<TextPong> {
        let PingKind::Text { expect, .. } = &self.cohort().pings()?.kind else {
            return None;
        };
        let expect = expect.as_ref()?;
        let holds = |number: u32| expect.holds(message, &self.ping_values(number, saved));
        if !expect.has_id() {
            return holds(oldest).then_some(TextPong::InOrder);
        }
        let number = self.ping_of(expect, message)?;
        holds(number).then_some(TextPong::To(number))
    }

    /// The number of the ping whose id stands in a message.
    fn ping_of(self, expect: &Match, message: &[u8]) -> Option<u32> {
        let exchanges = self.exchanges();
        let id = expect.id(message)?;
        let number = (id / exchanges).checked_sub(1)?;
        u32::try_from(number)
            .ok()
            .filter(|_| id.is_multiple_of(exchanges))
    }

    /// The heartbeat is the last exchange.
    fn ping_values<'b>(self, number: u32, saved: &'b [Vec<u8>]) -> Values<'b>
    where
        'a: 'b,
    {
        let n = u64::from(number);
        Values {
            id: (n + 1) * self.exchanges(),
            saved,
            ..self.values(self.templates().len(), n)
        }
    }

    fn texts(self) -> &'a HeartbeatTexts {
        &self.plan.heartbeats[self.cohort]
    }
}
