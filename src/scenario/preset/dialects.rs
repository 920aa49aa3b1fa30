//! Servers whose heartbeat is a message of their own protocol. A client whose scenario names no dialect does not speak it,
//! so it is silent to such a server, apart from a first message that the server may require.

use std::time::Duration;

use super::table::{
    Default, Known, Life, Preset, Refused, Values, at, between, interval, needed, seconds,
};
use crate::scenario::preset::Setting;
use crate::scenario::{Between, End, Origin};

/// The time after its Close frame at which `ws` ends TCP if the client does not answer.
const WS_CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

/// The same for the servers below python-socketio: `websockets`, wsproto in uvicorn, and aiohttp.
const PYTHON_CLOSE_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest time until the first ping of NATS, with which it measures the round-trip time.
const NATS_FIRST_PING: Duration = Duration::from_secs(2);

const ENGINEIO: Preset = Preset {
    name: "engineio",
    settings: &[seconds("interval", 25), seconds("timeout", 20)],
    from: Origin::Open,
    first_ping: Some(interval),
    formula: "`interval` + `timeout`",
    window: |set| at(set.time("interval") + set.time("timeout")),
    life: Life::Answer,
    ends_with: &[End::CloseFrame],
    ..Preset::PLAIN
};

const SOCKETIO: Preset = Preset {
    name: "socketio",
    settings: &[
        seconds("interval", 25),
        seconds("timeout", 20),
        seconds("connect_timeout", 45),
    ],
    formula: "`interval` + `timeout`; a client that joins no namespace: `connect_timeout`, if that is shorter",
    window: silent_or_unconnected,
    ..ENGINEIO
};

/// It sends its first ping at once.
const ENGINEIOXIDE: Preset = Preset {
    server: "rust",
    first_ping: Some(|_| Duration::ZERO),
    formula: "`timeout`, from a first ping at once",
    window: |set| at(set.time("timeout")),
    codes: &[1005],
    tcp_end: Some(Duration::ZERO),
    source: "Totodore/socketioxide crates/engineioxide/src/socket.rs, `heartbeat_loop`",
    ..ENGINEIO
};

pub(super) const ALL: &[Preset] = &[
    Preset {
        server: "node",
        codes: &[1005],
        tcp_end: Some(WS_CLOSE_TIMEOUT),
        source: "socketio/socket.io packages/engine.io/lib/socket.ts, `schedulePing`",
        ..ENGINEIO
    },
    Preset {
        server: "python",
        codes: &[1000],
        tcp_end: Some(PYTHON_CLOSE_TIMEOUT),
        source: "miguelgrinberg/python-engineio src/engineio/async_socket.py, `check_ping_timeout`",
        ..ENGINEIO
    },
    ENGINEIOXIDE,
    Preset {
        server: "node",
        codes: &[1005],
        tcp_end: Some(WS_CLOSE_TIMEOUT),
        source: "socketio/socket.io packages/engine.io/lib/socket.ts, packages/socket.io/lib/client.ts",
        ..SOCKETIO
    },
    Preset {
        name: "socketio",
        server: "python",
        codes: &[1000],
        tcp_end: Some(PYTHON_CLOSE_TIMEOUT),
        source: "miguelgrinberg/python-socketio; python-engineio src/engineio/async_socket.py",
        ..ENGINEIO
    },
    Preset {
        name: "socketio",
        ..ENGINEIOXIDE
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
        from: Origin::Open,
        first_ping: Some(interval),
        formula: "`interval`, 2 s at most, to 1.2 times that, for the first ping; and `pings` × `interval`",
        window: |set| {
            let (interval, pings) = (set.time("interval"), set.count("pings"));
            let first = interval.min(NATS_FIRST_PING);
            let rest = interval * pings;
            between(first + rest, first * 12 / 10 + rest)
        },
        life: Life::Answer,
        ends_with: &[End::CloseFrame],
        codes: &[1001],
        source: "nats-io/nats-server server/client.go, `setFirstPingTimer` and `processPingTimer`",
        ..Preset::PLAIN
    },
    Preset {
        name: "mqtt",
        server: "mosquitto",
        settings: &[needed("keep_alive", "keep_alive = \"60s\"")],
        formula: "1.5 × `keep_alive` to 7 s more: it looks every 6 s, in whole seconds",
        window: |set| {
            let limit = set.time("keep_alive") * 3 / 2;
            between(limit, limit + Duration::from_secs(7))
        },
        life: Life::Answer,
        ends_with: &[End::Fin],
        source: "MQTT 5.0 section 3.1.2.10; eclipse-mosquitto/mosquitto src/keepalive.c",
        ..Preset::PLAIN
    },
    Preset {
        name: "mqtt",
        server: "rabbitmq",
        settings: &[needed("keep_alive", "keep_alive = \"60s\"")],
        formula: "2 × `keep_alive` to 3 × `keep_alive`: it looks each `keep_alive`, and ends who was silent at two looks",
        window: |set| {
            let look = set.time("keep_alive");
            between(look * 2, look * 3)
        },
        life: Life::Byte,
        ends_with: &[End::CloseFrame],
        codes: &[1000],
        tcp_end: Some(Duration::ZERO),
        source: "rabbitmq/rabbitmq-server deps/rabbit_common/src/rabbit_heartbeat.erl, rabbit_web_mqtt_handler.erl",
        ..Preset::PLAIN
    },
];

/// The window of Socket.IO in Node, where only those have a time limit that join no namespace.
fn silent_or_unconnected(set: &Values) -> Result<Between, Refused> {
    let silent = set.time("interval") + set.time("timeout");
    between(silent.min(set.time("connect_timeout")), silent)
}
