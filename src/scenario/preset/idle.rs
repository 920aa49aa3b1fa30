//! Servers and proxies that send no ping and end a client that sends nothing: their windows count from its last byte.

use std::time::Duration;

use super::table::{Preset, Values, at, between, seconds};
use crate::scenario::{Between, End, Origin};

/// The interval in seconds at which uSockets checks its timers.
const SWEEP_S: u64 = 4;

pub(super) const ALL: &[Preset] = &[
    Preset {
        name: "cowboy",
        settings: &[seconds("idle_timeout", 60)],
        from: Origin::LastByte,
        formula: "`idle_timeout` to 1.1 × `idle_timeout`: ten ticks, and what is left of the one under way",
        window: |set| Ok(ten_ticks(set, "idle_timeout")),
        ends_with: &[End::CloseFrame],
        codes: &[1000],
        tcp_end: Some(Duration::ZERO),
        source: "ninenines/cowboy src/cowboy_websocket.erl, `idle_timeout`",
    },
    Preset {
        name: "phoenix",
        settings: &[seconds("timeout", 60)],
        from: Origin::LastByte,
        formula: "`timeout` to 1.1 × `timeout`: exact under Bandit (1002), ten ticks under Cowboy (1000)",
        window: |set| Ok(ten_ticks(set, "timeout")),
        ends_with: &[End::CloseFrame],
        codes: &[1000, 1002],
        tcp_end: None,
        source: "phoenixframework/phoenix lib/phoenix/transports/websocket.ex; mtrudel/bandit lib/bandit/websocket/connection.ex",
    },
    Preset {
        name: "uwebsockets",
        settings: &[seconds("idle_timeout", 120)],
        from: Origin::LastByte,
        formula: "two sweeps of 4 s before `idle_timeout`, which is rounded up to whole sweeps",
        window: |set| {
            let idle = set.time("idle_timeout");
            if idle < Duration::from_secs(2 * SWEEP_S) {
                return Err(("idle_timeout", "is under 8s".to_owned()));
            }
            let whole = idle.as_secs() + u64::from(idle.subsec_nanos() > 0);
            let last = whole.next_multiple_of(SWEEP_S);
            between(
                Duration::from_secs(last - 2 * SWEEP_S),
                Duration::from_secs(last),
            )
        },
        ends_with: &[End::Fin, End::Rst],
        codes: &[],
        tcp_end: None,
        source: "uNetworking/uWebSockets src/WebSocketContextData.h, `calculateIdleTimeoutComponents`; uSockets src/loop.c",
    },
    Preset {
        name: "jetty",
        settings: &[seconds("idle_timeout", 30)],
        from: Origin::LastByte,
        formula: "`idle_timeout`; what the server sends counts too",
        window: |set| at(set.time("idle_timeout")),
        ends_with: &[End::CloseFrame],
        codes: &[1001],
        tcp_end: None,
        source: "jetty/jetty.project WebSocketConstants.java, `DEFAULT_IDLE_TIMEOUT`",
    },
    Preset {
        name: "nginx",
        settings: &[seconds("read_timeout", 60)],
        from: Origin::LastByte,
        formula: "`read_timeout`; what the server behind it sends counts too",
        window: |set| at(set.time("read_timeout")),
        ends_with: &[End::Fin],
        codes: &[],
        tcp_end: None,
        source: "nginx/nginx src/http/ngx_http_upstream.c, `proxy_read_timeout`",
    },
];

/// The window of a server that divides its timeout into ten ticks: each byte restarts the count, but not the current
/// tick.
fn ten_ticks(set: &Values, name: &str) -> Between {
    let lo = set.time(name);
    Between {
        lo,
        hi: lo + lo / 10,
    }
}
