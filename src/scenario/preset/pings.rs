//! Servers that ping (RFC 6455 section 5.5.2) and end a client that does not answer: their windows count from the first
//! ping that is not answered.

use std::time::Duration;

use super::table::{
    Default, Known, Life, Preset, Refused, Values, at, between, interval, needed, seconds,
};
use crate::scenario::{Between, End, Origin};

/// The longest time that one timer for all clients takes to walk through them. It sends the ping and the end to each
/// client in turn, so both are late by the time spent on the clients before, and this delay differs from tick to tick.
const WALK: Duration = Duration::from_millis(100);

/// The time above which aiohttp rounds its timers up to whole seconds of asyncio's clock.
const AIOHTTP_ROUNDS_ABOVE: Duration = Duration::from_secs(5);

/// The time between two looks of Daphne at who is to be pinged.
const DAPHNE_LOOKS_EVERY: Duration = Duration::from_secs(2);

pub(super) const ALL: &[Preset] = &[
    Preset {
        name: "ws",
        settings: &[seconds("interval", 30)],
        from: Origin::Ping,
        first_ping: Some(interval),
        formula: "`interval`: the next tick; 0.1 s less, since one timer serves all clients",
        window: |set| {
            let interval = set.time("interval");
            between(interval.saturating_sub(WALK), interval)
        },
        ends_with: &[End::Fin, End::Rst],
        source: "websockets/ws README.md, \"How to detect and close broken connections?\"",
        ..Preset::PLAIN
    },
    Preset {
        name: "websockets",
        settings: &[seconds("interval", 20), seconds("timeout", 20)],
        from: Origin::Ping,
        first_ping: Some(interval),
        formula: "`timeout`",
        window: |set| at(set.time("timeout")),
        ends_with: &[End::CloseFrame],
        codes: &[1011],
        // The server ends its half of TCP together with the Close frame.
        tcp_end: Some(Duration::ZERO),
        source: "python-websockets/websockets src/websockets/asyncio/connection.py, `keepalive`",
        ..Preset::PLAIN
    },
    Preset {
        name: "uvicorn",
        settings: &[seconds("interval", 20), seconds("timeout", 20)],
        from: Origin::Ping,
        first_ping: Some(interval),
        formula: "`timeout`, whatever `--ws` is",
        window: |set| at(set.time("timeout")),
        ends_with: &[End::CloseFrame],
        codes: &[1011],
        tcp_end: Some(Duration::ZERO),
        source: "Kludex/uvicorn uvicorn/protocols/websockets; `--ws-ping-interval` and `--ws-ping-timeout`",
        ..Preset::PLAIN
    },
    Preset {
        name: "sanic",
        settings: &[seconds("interval", 20), seconds("timeout", 20)],
        from: Origin::Ping,
        first_ping: Some(interval),
        formula: "`timeout`",
        window: |set| at(set.time("timeout")),
        ends_with: &[End::CloseFrame],
        codes: &[1011],
        tcp_end: Some(Duration::ZERO),
        source: "sanic-org/sanic sanic/server/websockets/impl.py, `keepalive_ping`",
        ..Preset::PLAIN
    },
    Preset {
        name: "aiohttp",
        settings: &[needed("heartbeat", "heartbeat = \"30s\"")],
        from: Origin::Ping,
        first_ping: Some(|set| set.time("heartbeat")),
        life: Life::Byte,
        formula: "`heartbeat` / 2; above 5 s, up to the next whole second",
        window: |set| {
            let wait = set.time("heartbeat") / 2;
            let rounds = wait > AIOHTTP_ROUNDS_ABOVE;
            between(wait, wait + Duration::from_secs(u64::from(rounds)))
        },
        ends_with: &[End::Fin, End::Rst],
        source: "aio-libs/aiohttp aiohttp/web_ws.py, helpers.py `calculate_timeout_when`",
        ..Preset::PLAIN
    },
    Preset {
        name: "tornado",
        settings: &[
            needed("interval", "interval = \"30s\""),
            Known {
                name: "timeout",
                default: Default::SameAs("interval"),
            },
        ],
        from: Origin::Ping,
        first_ping: Some(interval),
        formula: "`timeout`",
        window: |set| not_above("timeout", "interval", set).and_then(|()| at(set.time("timeout"))),
        ends_with: &[End::CloseFrame],
        codes: &[1000],
        tcp_end: Some(Duration::from_secs(5)),
        source: "tornadoweb/tornado tornado/websocket.py, `periodic_ping` and `close`",
        ..Preset::PLAIN
    },
    Preset {
        name: "autobahn",
        settings: &[
            needed("interval", "interval = \"30s\""),
            needed("timeout", "timeout = \"10s\""),
        ],
        from: Origin::Ping,
        first_ping: Some(interval),
        formula: "`timeout` down to 1 s less: at a whole second of its clock",
        window: |set| Ok(in_the_second_before(set.time("timeout"))),
        life: Life::Message,
        ends_with: &[End::Fin, End::Rst],
        source: "crossbario/autobahn-python autobahn/websocket/protocol.py, `autoPingTimeout`; txaio `make_batched_timer`",
        ..Preset::PLAIN
    },
    Preset {
        name: "daphne",
        settings: &[seconds("interval", 20), seconds("timeout", 30)],
        from: Origin::Ping,
        formula: "`timeout` down to 1 s less: at a whole second of its clock; it looks every 2 s who is to be pinged",
        window: |set| Ok(in_the_second_before(set.time("timeout"))),
        life: Life::Message,
        first_ping: Some(|set| interval(set) + DAPHNE_LOOKS_EVERY),
        ends_with: &[End::Rst],
        source: "django/daphne daphne/server.py and ws_protocol.py, `ping_interval`; Autobahn's `autoPingTimeout`",
        ..Preset::PLAIN
    },
    Preset {
        name: "gorilla",
        settings: &[seconds("interval", 54), seconds("timeout", 60)],
        from: Origin::Ping,
        first_ping: Some(interval),
        formula: "`timeout` − `interval`: what is left of the read deadline that the last pong set",
        window: |set| {
            let (interval, timeout) = (set.time("interval"), set.time("timeout"));
            if timeout <= interval {
                return Err(("timeout", "is not longer than `interval`".to_owned()));
            }
            at(timeout - interval)
        },
        // The reader closes TCP while the writer sends an empty Close, so the client may see either first.
        ends_with: &[End::CloseFrame, End::Fin, End::Rst],
        source: "gorilla/websocket examples/chat/client.go, `pingPeriod` and `pongWait`",
        ..Preset::PLAIN
    },
    Preset {
        name: "graphql-ws",
        settings: &[seconds("keep_alive", 12)],
        from: Origin::Ping,
        first_ping: Some(|set| set.time("keep_alive")),
        formula: "`keep_alive`",
        window: |set| at(set.time("keep_alive")),
        ends_with: &[End::Fin, End::Rst],
        source: "enisdenjo/graphql-ws src/use/ws.ts, `pongWait`",
        ..Preset::PLAIN
    },
    Preset {
        name: "deno",
        settings: &[seconds("idle_timeout", 30)],
        from: Origin::Ping,
        first_ping: Some(half_idle),
        formula: "`idle_timeout` / 2; it pings after as much",
        window: |set| at(half_idle(set)),
        life: Life::Message,
        ends_with: &[End::CloseFrame],
        codes: &[1001],
        tcp_end: Some(Duration::ZERO),
        source: "denoland/deno ext/websocket/01_websocket.js, `idleTimeout`",
        ..Preset::PLAIN
    },
    Preset {
        name: "beast",
        settings: &[seconds("idle_timeout", 300)],
        from: Origin::Ping,
        first_ping: Some(half_idle),
        formula: "`idle_timeout` / 2; it pings after as much, with `keep_alive_pings`",
        window: |set| at(half_idle(set)),
        life: Life::Byte,
        ends_with: &[End::Fin, End::Rst],
        source: "boostorg/beast include/boost/beast/websocket/impl/stream_impl.hpp, `timeout_handler`",
        ..Preset::PLAIN
    },
    Preset {
        name: "libwebsockets",
        settings: &[seconds("ping", 300), seconds("hangup", 310)],
        from: Origin::Ping,
        first_ping: Some(|set| set.time("ping")),
        formula: "`hangup` − `ping`: `secs_since_valid_hangup` and `secs_since_valid_ping`",
        window: |set| {
            let (ping, hangup) = (set.time("ping"), set.time("hangup"));
            if hangup <= ping {
                return Err(("hangup", "is not longer than `ping`".to_owned()));
            }
            at(hangup - ping)
        },
        ends_with: &[End::Fin, End::Rst],
        source: "warmcat/libwebsockets lib/core-net/wsi-timeout.c, `lws_validity_confirmed`",
        ..Preset::PLAIN
    },
    Preset {
        name: "pong_timeout",
        settings: &[
            needed("interval", "interval = \"30s\""),
            needed("timeout", "timeout = \"10s\""),
        ],
        from: Origin::Ping,
        first_ping: Some(interval),
        formula: "`timeout`: for every other server that pings each `interval`, and waits so long for the pong",
        window: |set| at(set.time("timeout")),
        source: "RFC 6455 section 5.5.2",
        ..Preset::PLAIN
    },
];

/// Half of the time of silence after which these end a client; after the other half they have pinged it.
fn half_idle(set: &Values) -> Duration {
    set.time("idle_timeout") / 2
}

/// The window of timers that fire at whole seconds of a clock, at or before their time.
fn in_the_second_before(hi: Duration) -> Between {
    let lo = hi.saturating_sub(Duration::from_secs(1));
    Between { lo, hi }
}

/// Refuses settings where `shorter` is longer than `longer`, as the server refuses or shortens that time.
pub(super) fn not_above(
    shorter: &'static str,
    longer: &'static str,
    set: &Values,
) -> Result<(), Refused> {
    if set.time(shorter) > set.time(longer) {
        return Err((shorter, format!("is longer than `{longer}`")));
    }
    Ok(())
}
