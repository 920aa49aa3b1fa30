//! Servers whose heartbeat is a message of their own protocol. A client whose scenario names no dialect does not speak it,
//! so it is silent to such a server, apart from a first message that the server may require.

use std::time::Duration;

use super::pings::not_above;
use super::table::{Default, Known, Preset, at, between, needed, seconds};
use crate::scenario::preset::Setting;
use crate::scenario::{End, Origin};

/// The time after its Close frame at which `ws` ends TCP if the client does not answer.
const WS_CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// The latest time of the first ping of NATS, which it uses to measure the round-trip time.
const NATS_FIRST_PING: Duration = Duration::from_millis(2400);

pub(super) const ALL: &[Preset] = &[
    Preset {
        name: "engineio",
        settings: &[seconds("interval", 25), seconds("timeout", 20)],
        from: Origin::Open,
        formula: "`interval` + `timeout`",
        window: |set| at(set.time("interval") + set.time("timeout")),
        ends_with: &[End::CloseFrame],
        codes: &[1005],
        tcp_end: Some(WS_CLOSE_TIMEOUT),
        source: "socketio/socket.io packages/engine.io/lib/socket.ts, `schedulePing`",
    },
    Preset {
        name: "socketio",
        settings: &[
            seconds("interval", 25),
            seconds("timeout", 20),
            seconds("connect_timeout", 45),
        ],
        from: Origin::Open,
        formula: "`interval` + `timeout`; a client that joins no namespace: `connect_timeout`, if that is shorter",
        window: |set| {
            let silent = set.time("interval") + set.time("timeout");
            between(silent.min(set.time("connect_timeout")), silent)
        },
        ends_with: &[End::CloseFrame],
        codes: &[1005],
        tcp_end: Some(WS_CLOSE_TIMEOUT),
        source: "socketio/socket.io packages/engine.io/lib/socket.ts, packages/socket.io/lib/client.ts",
    },
    Preset {
        name: "signalr",
        settings: &[seconds("timeout", 30)],
        from: Origin::LastByte,
        formula: "`timeout`, seen at the next tick of 1 s",
        window: |set| {
            let timeout = set.time("timeout");
            between(timeout, timeout + Duration::from_secs(1))
        },
        ends_with: &[],
        codes: &[],
        tcp_end: None,
        source: "dotnet/aspnetcore src/SignalR/server/Core/src/HubConnectionContext.cs, `CheckClientTimeout`",
    },
    Preset {
        name: "nats",
        settings: &[
            seconds("interval", 120),
            Known {
                name: "pings",
                default: Default::Is(Setting::Count(2)),
            },
        ],
        from: Origin::LastByte,
        formula: "`pings` × `interval` to (`pings` + 2) × `interval` + 2.4 s: a ping is put off by what came in its interval",
        window: |set| {
            let (interval, pings) = (set.time("interval"), set.count("pings"));
            between(interval * pings, interval * (pings + 2) + NATS_FIRST_PING)
        },
        ends_with: &[End::CloseFrame],
        codes: &[1001],
        tcp_end: None,
        source: "nats-io/nats-server server/client.go, `processPingTimer`",
    },
    Preset {
        name: "mqtt",
        settings: &[needed("keep_alive", "keep_alive = \"60s\"")],
        from: Origin::LastByte,
        formula: "1.5 × `keep_alive`, seen within 2 s",
        window: |set| {
            let limit = set.time("keep_alive") * 3 / 2;
            between(limit, limit + Duration::from_secs(2))
        },
        ends_with: &[],
        codes: &[],
        tcp_end: None,
        source: "MQTT 5.0 section 3.1.2.10; eclipse-mosquitto/mosquitto src/keepalive.c",
    },
    Preset {
        name: "centrifugo",
        settings: &[seconds("interval", 25), seconds("timeout", 10)],
        from: Origin::Open,
        formula: "`interval` / 2 + `timeout` to `interval` + `timeout`: the first ping comes at a random time",
        window: |set| {
            not_above("timeout", "interval", set)?;
            let (interval, timeout) = (set.time("interval"), set.time("timeout"));
            between(interval / 2 + timeout, interval + timeout)
        },
        ends_with: &[End::CloseFrame],
        codes: &[3012],
        tcp_end: None,
        source: "centrifugal/centrifuge client.go, `addPingUpdate` and `checkPong`",
    },
];
