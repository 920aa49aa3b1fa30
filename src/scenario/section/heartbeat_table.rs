//! `[heartbeat]` as the user writes it. The keys of a cohort override the shared ones.

use super::heartbeat::{
    AliveOn, Heartbeat, HeartbeatWord, OnDead, PingKind, Pings, ServerPings, Watch,
};
use super::match_table::{self, MatchGiven};
use super::message::{FrameKind, Phase};
use super::payload::{self, Payload, PayloadGiven};
use super::reconnect::Reconnect;
use super::scope::Scope;
use crate::scenario::reading::{
    At, Given as _, Key, Merge as _, Section, Shorthand, Switch, Switched, Time, Whole, given, keys,
};

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
        /// Ping and pong frames of RFC 6455, or messages.
        kind: HeartbeatWord = HeartbeatWord::Frames,
        /// What is sent: as `payload` of a message. With `kind = "text"`; without it nothing is sent.
        send: PayloadGiven,
        /// How `send` and `server.pong` are sent: as text or as binary.
        frame: FrameKind = FrameKind::Text,
        /// The message that must come back, or "none". Required with `send`.
        expect: MatchGiven,
        /// The server's pings that are messages.
        server: ServerPingsTable,
        /// The connection is dead when nothing came for so long.
        silence: Time,
    }
}

keys! {
    /// The server's pings that are messages, and the answer to them.
    #[serde(expecting = "a table such as { ping = \"2\", pong = \"3\" }")]
    ServerPingsTable = "ServerPings" {
        /// Which messages they are. "" is a frame without any message, where `split` is given. Required.
        ping: MatchGiven,
        /// What is sent at once; without it nothing is.
        pong: PayloadGiven,
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
    /// The resolved heartbeat; `None` if it is invalid. `scope` is what is known when a client is ready, and `plain`
    /// what the plan knows.
    pub(super) fn resolve(
        &self,
        mut section: Section<'_, '_>,
        reconnect: Reconnect,
        scope: &Scope<'_>,
        plain: &Scope<'_>,
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
        let pings = self.pings(&mut section, scope);
        let server = self.server(&mut section, plain);
        let heartbeat = Heartbeat {
            pings: pings?,
            server: server?,
            silence: self.silence.value(),
            on_dead,
            auto_pong: self.auto_pong(),
        };
        if !heartbeat.can_die() {
            let because = "is only for a heartbeat that can find the server dead";
            let hint = "write what is expected of the server, or `silence = \"45s\"`";
            section.excluded(&given!(self; on_dead), because, hint);
        }
        Some(heartbeat)
    }

    /// The inner `None` is no pings.
    fn pings(&self, section: &mut Section<'_, '_>, scope: &Scope<'_>) -> Option<Option<Pings>> {
        let pings = |kind, watch| Pings {
            interval: self.interval().0,
            phase: self.phase(),
            kind,
            watch,
        };
        let watch = Watch {
            timeout: self.timeout().0,
            max_missed: self.max_missed().0,
            alive_on: self.alive_on(),
        };
        if self.kind() == HeartbeatWord::Frames {
            let because = "is only for a heartbeat of messages";
            section.excluded(
                &given!(self; send, expect),
                because,
                "add `kind = \"text\"`",
            );
            return Some(Some(pings(PingKind::Frames, Some(watch))));
        }
        let Some(given) = &self.send else {
            if self.server.is_none() && self.silence.is_none() {
                section.missing(&["send"], "write `send = \"ping\"`");
                return None;
            }
            let because = "is only for pings of ours, and none are sent";
            let given = given!(self; expect, interval, phase, timeout, max_missed, alive_on);
            section.excluded(&given, because, "write `send = \"ping\"`, or leave it out");
            return Some(None);
        };
        let send = self.payload(section, "send", given, scope);
        let Some(At { value, place }) = &self.expect else {
            section.missing(&["expect"], "write `expect = \"pong\"`, or \"none\"");
            return None;
        };
        let frame = self.frame();
        if matches!(value, Shorthand::Value(text) if text == "none") {
            let because = "cannot be used with `expect = \"none\"`: there is no answer to look at";
            let given = given!(self; timeout, max_missed, alive_on);
            section.excluded(&given, because, "leave it out, or write what is expected");
            let expect = None;
            let send = send?;
            return Some(Some(pings(
                PingKind::Text {
                    send,
                    frame,
                    expect,
                },
                None,
            )));
        }
        let path = section.key("expect");
        let expect = match_table::one(section.check, scope, &path, place, value);
        let (send, expect) = (send?, expect?);
        if expect.has_id() && !send.has_id() {
            let what = "waits for `{{id}}`, which `send` does not hold";
            section.wrong_at("expect", place, what, "put `{{id}}` into `send`");
        }
        let expect = Some(expect);
        Some(Some(pings(
            PingKind::Text {
                send,
                frame,
                expect,
            },
            Some(watch),
        )))
    }

    /// The inner `None` is no pings of the server that are messages.
    fn server(
        &self,
        section: &mut Section<'_, '_>,
        plain: &Scope<'_>,
    ) -> Option<Option<ServerPings>> {
        let Some(At { value: keys, place }) = &self.server else {
            if self.send.is_none() {
                let because = "is only for pings that are messages";
                section.excluded(&given!(self; frame), because, "leave it out");
            }
            return Some(None);
        };
        let path = &section.key("server");
        let section = &mut Section {
            check: &mut *section.check,
            path,
            place,
        };
        // It is the same each time, so it needs nothing but the plan.
        let unsent = Scope {
            is_sent: false,
            ..plain.clone()
        };
        let pong = match &keys.pong {
            Some(given) => {
                let pong = self.payload(section, "pong", given, &unsent);
                pong.map(|pong| Some((pong, self.frame())))
            }
            None => Some(None),
        };
        let Some(At { value, place }) = &keys.ping else {
            section.missing(&["ping"], "write `ping = \"2\"`");
            return None;
        };
        let path = section.key("ping");
        let ping = match_table::one(section.check, &unsent, &path, place, value);
        let (ping, pong) = (ping?, pong?);
        Some(Some(ServerPings { ping, pong }))
    }

    fn payload(
        &self,
        section: &mut Section<'_, '_>,
        key: &str,
        given: &At<PayloadGiven>,
        scope: &Scope<'_>,
    ) -> Option<Payload> {
        let path = section.key(key);
        let payload = payload::resolve_any(section.check, scope, &path, given, self.frame())?;
        if payload.has_stamp() {
            let what = "has a stamp, by which no heartbeat is answered";
            section.wrong_at(
                key,
                &given.place,
                what,
                "put `{{id}}` into it, or a fixed text",
            );
        }
        Some(payload)
    }
}
