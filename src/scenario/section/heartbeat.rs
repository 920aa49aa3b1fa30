//! `[heartbeat]`: how a connection watches the server. A cohort's keys go over those for all.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::message::Phase;
use super::reconnect::Reconnect;
use crate::scenario::reading::{At, Given as _, Key, Section, Switch, Switched, Time, Whole};

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

/// How a connection watches the server.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table")]
#[schemars(rename = "Heartbeat")]
pub(in crate::scenario) struct HeartbeatTable {
    /// Between two pings. Default "10s".
    interval: Key<Time>,
    /// From a ping to its pong; each ping has its own. Default "5s".
    timeout: Key<Time>,
    /// So many deadlines in a row missed, and the connection is dead. Default 1.
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

/// The cohort's keys over those for all; "off" removes both.
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
            // What only a text heartbeat has goes with the kind that the cohort replaces.
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

    /// What it means; `None` where that is a problem.
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
