//! `[heartbeat]`: how a connection checks that the server is alive. The keys of a cohort override the shared ones.

use std::time::Duration;

use super::message::Phase;
use super::reconnect::Reconnect;
use crate::scenario::reading::{
    At, Given as _, Key, Merge as _, Section, Switch, Switched, Time, Whole, given, keys, words,
};

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

/// The kind of heartbeat: control frames or text messages.
#[derive(Debug, Clone, PartialEq, Eq, strum::EnumDiscriminants)]
#[strum_discriminants(
    name(HeartbeatWord),
    vis(pub(in crate::scenario)),
    doc = "Control frames or text.",
    derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema),
    serde(rename_all = "snake_case")
)]
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

keys! {
    /// How a connection watches the server.
    #[serde(expecting = "a table")]
    HeartbeatTable = "Heartbeat" {
        /// The time between two pings.
        interval: Time = Time::seconds(10),
        /// The longest time from a ping to its pong; each ping has its own deadline.
        timeout: Time = Time::seconds(5),
        /// The number of missed deadlines in a row after which the connection is dead.
        max_missed: Whole<1, 1000> = Whole(1),
        /// Where in the interval a connection starts.
        phase: Phase = Phase::Spread,
        /// What counts as a sign of life.
        alive_on: AliveOn = AliveOn::Pong,
        /// What to do with a dead connection.
        on_dead: OnDead = OnDead::Close,
        /// Answer the server's pings.
        auto_pong: bool = true,
        /// Ping and pong frames of RFC 6455, or text messages.
        kind: HeartbeatWord = HeartbeatWord::Frames,
        /// The text that is sent. Required with `kind = "text"`.
        send: String,
        /// The text that must come back. Required with `kind = "text"`.
        expect: String,
    }
}

impl Switched for HeartbeatTable {
    const OFF: &'static str = "off";
    const EXPECTING: &'static str =
        "\"off\" or a table such as { interval = \"10s\", timeout = \"5s\" }";
}

/// Merges the keys of a cohort over the shared ones; "off" removes both.
pub(super) fn merge(
    base: &Key<Switch<HeartbeatTable>>,
    own: &Key<Switch<HeartbeatTable>>,
) -> Option<At<HeartbeatTable>> {
    let base = Switch::on(base);
    let (own, mut base) = match (own, base) {
        (None, base) => return base,
        (Some(_), None) => return Switch::on(own),
        (Some(_), Some(base)) => (Switch::on(own)?, base),
    };
    if own.value.kind.value() == Some(HeartbeatWord::Frames) {
        // Removes the texts of the shared heartbeat, because the cohort has switched to frames.
        base.value.send = None;
        base.value.expect = None;
    }
    let value = own.value.over(base.value);
    let place = own.place;
    Some(At { value, place })
}

impl HeartbeatTable {
    /// The resolved heartbeat; `None` if it is invalid.
    pub(super) fn resolve(
        &self,
        mut section: Section<'_, '_>,
        reconnect: Reconnect,
    ) -> Option<Heartbeat> {
        let on_dead = self.on_dead();
        if on_dead == OnDead::Reconnect && reconnect == Reconnect::None {
            section.wrong(
                "on_dead",
                &self.on_dead,
                "cannot be `reconnect` while nothing says how",
                "write `reconnect = { initial = \"500ms\", max = \"30s\" }` in `[load]` or in the cohort",
            );
        }
        Some(Heartbeat {
            kind: self.how(&mut section)?,
            interval: self.interval().0,
            timeout: self.timeout().0,
            max_missed: self.max_missed().0,
            phase: self.phase(),
            alive_on: self.alive_on(),
            on_dead,
            auto_pong: self.auto_pong(),
        })
    }

    fn how(&self, section: &mut Section<'_, '_>) -> Option<HeartbeatKind> {
        let (send, expect) = (&self.send, &self.expect);
        if self.kind() == HeartbeatWord::Frames {
            let because = "is only for a heartbeat of text messages";
            section.excluded(
                &given!(self; send, expect),
                because,
                "add `kind = \"text\"`",
            );
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
