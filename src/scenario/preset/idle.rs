//! Servers and proxies that end a client from which nothing comes: their windows count from its last byte.

use std::time::Duration;

use super::expand::Setting;
use super::table::{Default, Known, Life, Preset, at, between, needed, seconds};
use crate::scenario::End;

/// The interval in seconds at which uSockets checks its timers.
const SWEEP_S: u64 = 4;

pub(super) const ALL: &[Preset] = &[
    Preset {
        name: "cowboy",
        settings: &[seconds("idle_timeout", 60)],
        formula: "`idle_timeout` to 1.1 × `idle_timeout`: ten ticks, and what is left of the one under way",
        window: |set| {
            let lo = set.time("idle_timeout");
            between(lo, lo + lo / 10)
        },
        life: Life::Byte,
        ends_with: &[End::CloseFrame],
        codes: &[1000],
        tcp_end: Some(Duration::ZERO),
        source: "ninenines/cowboy src/cowboy_websocket.erl, `idle_timeout`",
        ..Preset::PLAIN
    },
    Preset {
        name: "tomcat",
        settings: &[
            needed("idle_timeout", "idle_timeout = \"60s\""),
            seconds("process_period", 10),
        ],
        formula: "`idle_timeout` to `idle_timeout` + `process_period`: the next look",
        window: |set| {
            let lo = set.time("idle_timeout");
            between(lo, lo + set.time("process_period"))
        },
        life: Life::EitherSide,
        ends_with: &[End::CloseFrame],
        codes: &[1001],
        tcp_end: Some(Duration::from_secs(30)),
        source: "apache/tomcat java/org/apache/tomcat/websocket/WsSession.java, `checkExpiration`, `SESSION_CLOSE_TIMEOUT`",
        ..Preset::PLAIN
    },
    Preset {
        name: "uwebsockets",
        settings: &[seconds("idle_timeout", 120)],
        formula: "a sweep of 4 s before `idle_timeout`, which is rounded up to whole sweeps",
        window: |set| {
            let idle = set.time("idle_timeout");
            if idle < Duration::from_secs(2 * SWEEP_S) {
                return Err(("idle_timeout", "is under 8s".to_owned()));
            }
            let whole = idle.as_secs() + u64::from(idle.subsec_nanos() > 0);
            let last = whole.next_multiple_of(SWEEP_S);
            between(
                Duration::from_secs(last - SWEEP_S),
                Duration::from_secs(last),
            )
        },
        life: Life::Byte,
        ends_with: &[End::Fin, End::Rst],
        source: "uNetworking/uWebSockets src/WebSocketContextData.h, `calculateIdleTimeoutComponents`; uSockets src/loop.c",
        ..Preset::PLAIN
    },
    Preset {
        name: "nginx",
        settings: &[seconds("read_timeout", 60)],
        formula: "`read_timeout`",
        window: |set| at(set.time("read_timeout")),
        life: Life::EitherSide,
        ends_with: &[End::Fin],
        source: "nginx/nginx src/http/ngx_http_upstream.c, `proxy_read_timeout`",
        ..Preset::PLAIN
    },
    Preset {
        name: "haproxy",
        settings: &[needed("tunnel", "tunnel = \"1h\"")],
        formula: "`tunnel`",
        window: |set| at(set.time("tunnel")),
        life: Life::EitherSide,
        ends_with: &[End::Fin],
        source: "haproxy/haproxy doc/configuration.txt, `timeout tunnel`",
        ..Preset::PLAIN
    },
    Preset {
        name: "httpd",
        settings: &[
            seconds("timeout", 60),
            Known {
                name: "proxy_timeout",
                default: Default::SameAs("timeout"),
            },
        ],
        formula: "the longer of `timeout` (`Timeout`) and `proxy_timeout` (`timeout=` of `ProxyPass`)",
        window: |set| at(set.time("timeout").max(set.time("proxy_timeout"))),
        life: Life::EitherSide,
        ends_with: &[End::Fin],
        source: "apache/httpd modules/proxy/proxy_util.c, `ap_proxy_tunnel_run`",
        ..Preset::PLAIN
    },
    Preset {
        name: "nghttpx",
        settings: &[seconds("backend_read_timeout", 60)],
        formula: "`backend_read_timeout`",
        window: |set| at(set.time("backend_read_timeout")),
        life: Life::EitherSide,
        ends_with: &[End::Fin],
        source: "nghttp2/nghttp2 src/shrpx_http_downstream_connection.cc; `nghttpx --help`",
        ..Preset::PLAIN
    },
    Preset {
        name: "varnish",
        settings: &[seconds("pipe_timeout", 60)],
        formula: "`pipe_timeout`",
        window: |set| at(set.time("pipe_timeout")),
        life: Life::EitherSide,
        ends_with: &[End::Fin],
        source: "varnishcache/varnish-cache bin/varnishd/http1/cache_http1_pipe.c, `pipe_timeout`",
        ..Preset::PLAIN
    },
    Preset {
        name: "trafficserver",
        settings: &[seconds("no_activity_timeout", 600)],
        formula: "`no_activity_timeout` to 1 s more: it looks once a second",
        window: |set| {
            let lo = set.time("no_activity_timeout");
            between(lo, lo + Duration::from_secs(1))
        },
        life: Life::EitherSide,
        ends_with: &[End::Fin],
        source: "apache/trafficserver iocore/net/UnixNet.cc, `InactivityCop`; `proxy.config.websocket.no_activity_timeout`",
        ..Preset::PLAIN
    },
    Preset {
        name: "envoy",
        settings: &[seconds("idle_timeout", 300), seconds("delayed_close", 1)],
        formula: "`idle_timeout` + `delayed_close`: `stream_idle_timeout` and `delayed_close_timeout`",
        window: |set| at(set.time("idle_timeout") + set.time("delayed_close")),
        life: Life::EitherSide,
        ends_with: &[End::Fin],
        source: "envoyproxy/envoy api/envoy/extensions/filters/network/http_connection_manager/v3, both timeouts",
        ..Preset::PLAIN
    },
    Preset {
        name: "lighttpd",
        settings: &[seconds("max_read_idle", 60)],
        formula: "`max_read_idle` to 2 s more: it looks once a second",
        window: |set| {
            let lo = set.time("max_read_idle");
            between(lo, lo + Duration::from_secs(2))
        },
        life: Life::Byte,
        ends_with: &[End::Fin],
        source: "lighttpd/lighttpd1.4 src/connections.c, `server.max-read-idle`",
        ..Preset::PLAIN
    },
    Preset {
        name: "actix",
        settings: &[seconds("interval", 5), seconds("timeout", 10)],
        first_ping: Some(|_| Duration::ZERO),
        formula: "`timeout` to `timeout` + `interval`: it looks each `interval`, and pings then",
        window: |set| {
            let lo = set.time("timeout");
            between(lo, lo + set.time("interval"))
        },
        life: Life::Control,
        ends_with: &[End::CloseFrame],
        codes: &[1005],
        tcp_end: Some(Duration::from_secs(1)),
        source: "actix/examples websockets, `HEARTBEAT_INTERVAL` and `CLIENT_TIMEOUT`",
        ..Preset::PLAIN
    },
    Preset {
        name: "idle",
        settings: &[
            needed("timeout", "timeout = \"60s\""),
            Known {
                name: "tick",
                default: Default::Is(Setting::Time(Duration::ZERO)),
            },
        ],
        formula: "`timeout` to `timeout` + `tick`: for every other server that ends a client after a silence",
        window: |set| {
            let lo = set.time("timeout");
            between(lo, lo + set.time("tick"))
        },
        life: Life::Byte,
        source: "RFC 6455 section 7.2.1",
        ..Preset::PLAIN
    },
];
