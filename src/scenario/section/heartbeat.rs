//! `[heartbeat]`: how a connection checks that the server is alive. The keys of a cohort override the shared ones.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::message::Phase;
use super::reconnect::Reconnect;
use crate::scenario::reading::{At, Given as _, Key, Section, Switch, Switched, Time, Whole};

/// How a connection checks that the server is alive.
#[derive(Debug, Clone, PartialEq)]
pub struct Heartbeat {
    /// The time between two pings. Above zero.
    pub interval: Duration,
    /// The longest time from a ping to its pong. Above zero.
    pub timeout: Duration,
    /// The number of missed deadlines in a row after which the connection is dead. Above zero.
    pub max_missed: u32,
    /// The offset of a connection's first ping within the interval.
    pub phase: Phase,
    /// What counts as a sign of life.
    pub alive_on: AliveOn,
    /// The reaction to a dead connection.
    pub on_dead: OnDead,
    /// Whether to answer the server's pings.
    pub auto_pong: bool,
    /// Control frames or text messages.
    pub kind: HeartbeatKind,
}

/// What counts as a sign of life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AliveOn {
    /// Only a pong.
    #[default]
    Pong,
    /// Any message or control frame.
    Any,
}

/// What to do with a dead connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDead {
    /// Close it.
    #[default]
    Close,
    /// Drop it and dial again.
    Reconnect,
    /// Leave it open and go on pinging.
    Keep,
}

/// The kind of heartbeat: control frames or text messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeartbeatKind {
    /// Ping and pong frames (RFC 6455 sections 5.5.2 and 5.5.3).
    Frames,
    /// Text messages of the application: one is sent, another must come back.
    Text {
        /// The text that is sent.
        send: String,
        /// The text that must come back.
        expect: String,
    },
}

/// How a connection watches the server.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(rename = "Heartbeat")]
pub(in crate::scenario) struct HeartbeatTable {
    /// The time between two pings. Default "10s".
    interval: Key<Time>,
    /// The longest time from a ping to its pong; each ping has its own deadline. Default "5s".
    timeout: Key<Time>,
    /// The number of missed deadlines in a row after which the connection is dead. Default 1.
    max_missed: Key<Whole<1, 1000>>,
    /// Where in the interval a connection starts. Default "spread".
    phase: Key<Phase>,
    /// What counts as a sign of life. Default "pong".
    alive_on: Key<AliveOn>,
    /// What to do with a dead connection. Default "close".
    on_dead: Key<OnDead>,
    /// Answer the server's pings. Default true.
    auto_pong: Key<bool>,
    /// Ping and pong frames of RFC 6455, or text messages. Default "frames".
    kind: Key<HeartbeatWord>,
    /// The text that is sent. Required with `kind = "text"`.
    send: Key<String>,
    /// The text that must come back. Required with `kind = "text"`.
    expect: Key<String>,
}

impl Switched for HeartbeatTable {
    const OFF: &'static str = "off";
    const EXPECTING: &'static str =
        "\"off\" or a table such as { interval = \"10s\", timeout = \"5s\" }";
}

/// Control frames or text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum HeartbeatWord {
    #[default]
    Frames,
    Text,
}

/// Merges the keys of a cohort over the shared ones; "off" removes both.
pub(super) fn merge(
    base: &Key<Switch<HeartbeatTable>>,
    own: &Key<Switch<HeartbeatTable>>,
) -> Option<At<HeartbeatTable>> {
    if own.is_none() {
        return Switch::on(base);
    }
    let own = Switch::on(own)?;
    let value = match Switch::on(base) {
        Some(base) => own.value.over(base.value),
        None => own.value,
    };
    let place = own.place;
    Some(At { value, place })
}

impl HeartbeatTable {
    fn over(self, mut base: Self) -> Self {
        if self.kind.value() == Some(HeartbeatWord::Frames) {
            // Removes the texts of the shared heartbeat, because the cohort has switched to frames.
            base.send = None;
            base.expect = None;
        }
        Self {
            interval: self.interval.or(base.interval),
            timeout: self.timeout.or(base.timeout),
            max_missed: self.max_missed.or(base.max_missed),
            phase: self.phase.or(base.phase),
            alive_on: self.alive_on.or(base.alive_on),
            on_dead: self.on_dead.or(base.on_dead),
            auto_pong: self.auto_pong.or(base.auto_pong),
            kind: self.kind.or(base.kind),
            send: self.send.or(base.send),
            expect: self.expect.or(base.expect),
        }
    }

    /// The resolved heartbeat; `None` if it is invalid.
    pub(super) fn resolve(
        &self,
        mut section: Section<'_, '_>,
        reconnect: Reconnect,
    ) -> Option<Heartbeat> {
        let on_dead = self.on_dead.value_or(OnDead::default());
        if on_dead == OnDead::Reconnect && reconnect == Reconnect::None {
            section.wrong(
                "on_dead",
                &self.on_dead,
                "cannot be `reconnect` while nothing says how",
                "write `reconnect = { initial = \"500ms\", max = \"30s\" }` in `[load]` or in the cohort",
            );
        }
        Some(Heartbeat {
            kind: self.kind(&mut section)?,
            interval: self.interval.value_or(Duration::from_secs(10)),
            timeout: self.timeout.value_or(Duration::from_secs(5)),
            max_missed: self.max_missed.value_or(1u32),
            phase: self.phase.value_or(Phase::default()),
            alive_on: self.alive_on.value_or(AliveOn::default()),
            on_dead,
            auto_pong: self.auto_pong.value_or(true),
        })
    }

    fn kind(&self, section: &mut Section<'_, '_>) -> Option<HeartbeatKind> {
        let (send, expect) = (&self.send, &self.expect);
        if self.kind.value_or(HeartbeatWord::default()) == HeartbeatWord::Frames {
            let because = "is only for a heartbeat of text messages";
            let given = [("send", send.place()), ("expect", expect.place())];
            section.excluded(&given, because, "add `kind = \"text\"`");
            return Some(HeartbeatKind::Frames);
        }
        let send = section.required("send", send, "write `send = \"ping\"`");
        let expect = section.required("expect", expect, "write `expect = \"pong\"`");
        Some(HeartbeatKind::Text {
            send: send?,
            expect: expect?,
        })
    }
}
