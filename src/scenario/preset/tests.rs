//! Tests every preset against windows calculated by hand, and against the table in `docs/heartbeats.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::table::{self, Default, EARLY, LATE, Preset};
use super::{Expanded, PresetError, Setting, expand, names};
use crate::scenario::parse::parse_alone;
use crate::scenario::{Between, End, Origin, Overrides, PromiseKind, Promised};
use crate::units::{format_duration, parse_duration};

/// Reads settings such as `interval 20s, pings 2`.
fn settings(text: &str) -> BTreeMap<String, Setting> {
    let pairs = text.split(", ").filter_map(|pair| pair.split_once(' '));
    let pairs = pairs.map(|(name, value)| {
        let count = value.parse().map(Setting::Count);
        let value = count.unwrap_or_else(|_| Setting::Time(parse_duration(value).unwrap()));
        (name.to_owned(), value)
    });
    pairs.collect()
}

/// Expands a preset by a text such as `server python, interval 20s`.
fn expanded(name: &str, text: &str) -> Result<Expanded, PresetError> {
    let server = text.strip_prefix("server ");
    let (server, rest) = match server.map(|text| text.split_once(", ").unwrap_or((text, ""))) {
        Some((server, rest)) => (Some(server), rest),
        None => (None, text),
    };
    expand(name, server, &settings(rest))
}

fn window(expanded: &Expanded) -> Between {
    let first = &expanded.promises[0];
    match first.value {
        Promised::Window(window) if first.kind == PromiseKind::ClosedBetween => window,
        _ => panic!("{first:?}"),
    }
}

/// The preset, its settings, the event from which the window counts, and the window in seconds without its tolerance.
const WINDOWS: &[(&str, &str, Origin, f64, f64)] = &[
    // One tick after the ping.
    ("ws", "interval 2s", Origin::Ping, 1.9, 2.0),
    ("ws", "", Origin::Ping, 29.9, 30.0),
    // The server decides 2.003 s after the start; the ping was sent at 1.002 s.
    (
        "websockets",
        "interval 1s, timeout 1s",
        Origin::Ping,
        1.0,
        1.0,
    ),
    ("websockets", "timeout 20s", Origin::Ping, 20.0, 20.0),
    // The ping is sent at 2.002 s, and the server decides at 3.003 s.
    ("aiohttp", "heartbeat 2s", Origin::Ping, 1.0, 1.0),
    ("aiohttp", "heartbeat 10s", Origin::Ping, 5.0, 5.0),
    ("aiohttp", "heartbeat 20s", Origin::Ping, 10.0, 11.0),
    ("tornado", "interval 2s, timeout 1s", Origin::Ping, 1.0, 1.0),
    ("tornado", "interval 2s", Origin::Ping, 2.0, 2.0),
    // The deadline is at 60 s, and the ping is sent at 54 s.
    ("gorilla", "", Origin::Ping, 6.0, 6.0),
    ("graphql-ws", "", Origin::Ping, 12.0, 12.0),
    ("uvicorn", "", Origin::Ping, 20.0, 20.0),
    ("sanic", "", Origin::Ping, 20.0, 20.0),
    // The ping is sent at 1.0 s, and the server decides at 2.0 s.
    ("deno", "idle_timeout 2s", Origin::Ping, 1.0, 1.0),
    ("beast", "", Origin::Ping, 150.0, 150.0),
    ("libwebsockets", "", Origin::Ping, 10.0, 10.0),
    // Pinged at a whole second of its clock, and ended at one.
    (
        "autobahn",
        "interval 1s, timeout 2500ms",
        Origin::Ping,
        1.5,
        2.5,
    ),
    ("daphne", "", Origin::Ping, 29.0, 30.0),
    (
        "pong_timeout",
        "interval 30s, timeout 10s",
        Origin::Ping,
        10.0,
        10.0,
    ),
    ("cowboy", "", Origin::LastByte, 60.0, 66.0),
    ("cowboy", "idle_timeout 10s", Origin::LastByte, 10.0, 11.0),
    ("tomcat", "idle_timeout 2s", Origin::LastByte, 2.0, 12.0),
    ("uwebsockets", "", Origin::LastByte, 116.0, 120.0),
    // Seen: 8.2 to 11.8 s.
    (
        "uwebsockets",
        "idle_timeout 10s",
        Origin::LastByte,
        8.0,
        12.0,
    ),
    ("nginx", "read_timeout 3s", Origin::LastByte, 3.0, 3.0),
    ("haproxy", "tunnel 3s", Origin::LastByte, 3.0, 3.0),
    ("httpd", "timeout 3s", Origin::LastByte, 3.0, 3.0),
    (
        "httpd",
        "timeout 3s, proxy_timeout 2s",
        Origin::LastByte,
        3.0,
        3.0,
    ),
    ("httpd", "proxy_timeout 90s", Origin::LastByte, 90.0, 90.0),
    ("nghttpx", "", Origin::LastByte, 60.0, 60.0),
    ("varnish", "", Origin::LastByte, 60.0, 60.0),
    ("envoy", "", Origin::LastByte, 301.0, 301.0),
    // Seen: 3.0 s.
    ("envoy", "idle_timeout 2s", Origin::LastByte, 3.0, 3.0),
    ("trafficserver", "", Origin::LastByte, 600.0, 601.0),
    ("lighttpd", "", Origin::LastByte, 60.0, 62.0),
    ("actix", "", Origin::LastByte, 10.0, 15.0),
    ("idle", "timeout 3s", Origin::LastByte, 3.0, 3.0),
    ("idle", "timeout 3s, tick 1s", Origin::LastByte, 3.0, 4.0),
    // The server sends an empty Close at 2.004 s.
    (
        "engineio",
        "interval 1s, timeout 1s",
        Origin::Open,
        2.0,
        2.0,
    ),
    ("engineio", "", Origin::Open, 45.0, 45.0),
    ("engineio", "server python", Origin::Open, 45.0, 45.0),
    ("engineio", "server rust", Origin::Open, 20.0, 20.0),
    ("socketio", "", Origin::Open, 45.0, 45.0),
    ("socketio", "interval 50s", Origin::Open, 45.0, 70.0),
    (
        "socketio",
        "server python, interval 50s",
        Origin::Open,
        70.0,
        70.0,
    ),
    ("nats", "", Origin::Open, 242.0, 242.4),
    // Seen: 8.04 to 8.40 s.
    ("nats", "interval 3s, pings 2", Origin::Open, 8.0, 8.4),
    ("nats", "interval 1s, pings 1", Origin::Open, 2.0, 2.2),
    ("mqtt", "keep_alive 60s", Origin::LastByte, 90.0, 97.0),
    (
        "mqtt",
        "server mosquitto, keep_alive 2s",
        Origin::LastByte,
        3.0,
        10.0,
    ),
    // Seen: 4.0 to 6.0 s, 9.0 s from a CONNECT with 3 s, and 21.0 s from one with 7 s.
    (
        "mqtt",
        "server rabbitmq, keep_alive 2s",
        Origin::LastByte,
        4.0,
        6.0,
    ),
];

#[test]
fn windows_are_those_of_the_servers() {
    for &(name, text, from, lo, hi) in WINDOWS {
        let expanded = expanded(name, text).unwrap();
        assert_eq!(expanded.from, from, "{name} {text}");
        let (lo, hi) = (Duration::from_secs_f64(lo), Duration::from_secs_f64(hi));
        let expected = Between {
            lo: lo - EARLY,
            hi: hi + LATE,
        };
        assert_eq!(window(&expanded), expected, "{name} {text}");
    }
    let tried: BTreeSet<&str> = WINDOWS.iter().map(|row| row.0).collect();
    assert_eq!(tried, names().collect(), "each preset is tried");
}

#[test]
fn the_end_is_promised_as_it_was_seen() {
    let promises = |name, text| expanded(name, text).unwrap().promises;
    let within = |seconds| {
        PromiseKind::TcpEndBetween.of(Between {
            lo: Duration::ZERO,
            hi: Duration::from_secs(seconds) + LATE,
        })
    };
    let close = |code| {
        vec![
            PromiseKind::Code.of(vec![code]),
            PromiseKind::EndsWith.of(vec![End::CloseFrame]),
        ]
    };
    let cut = vec![PromiseKind::EndsWith.of(vec![End::Fin, End::Rst])];
    assert_eq!(promises("ws", "")[1..], cut);
    assert_eq!(promises("aiohttp", "heartbeat 2s")[1..], cut);
    let with_end = |code, seconds| [close(code), vec![within(seconds)]].concat();
    assert_eq!(promises("websockets", "")[1..], with_end(1011, 0));
    assert_eq!(promises("tornado", "interval 2s")[1..], with_end(1000, 5));
    assert_eq!(promises("engineio", "")[1..], with_end(1005, 30));
    let python = with_end(1000, 10);
    assert_eq!(promises("engineio", "server python")[1..], python);
    assert_eq!(promises("socketio", "server python")[1..], python);
    assert_eq!(promises("nats", "")[1..], close(1001));
    assert_eq!(
        promises("nginx", "")[1..],
        [PromiseKind::EndsWith.of(vec![End::Fin])]
    );
}

#[test]
fn a_contract_shows_every_setting_it_came_from() {
    let shown = |name, text| expanded(name, text).unwrap().shown;
    assert_eq!(
        shown("websockets", "timeout 5s"),
        "websockets (interval 20s, timeout 5s)"
    );
    assert_eq!(
        shown("tornado", "interval 30s"),
        "tornado (interval 30s, timeout 30s)"
    );
    assert_eq!(shown("nats", ""), "nats (interval 2m, pings 2)");
    assert_eq!(
        shown("mqtt", "server rabbitmq, keep_alive 5s"),
        "mqtt (server rabbitmq, keep_alive 5s)"
    );
    assert_eq!(
        shown("engineio", ""),
        "engineio (server node, interval 25s, timeout 20s)"
    );
}

/// Checks a contract of this preset, with all settings at their defaults, in a run of this many seconds.
fn check(preset: &Preset, seconds: u64) -> Result<(), String> {
    let needed = preset
        .settings
        .iter()
        .filter_map(|known| match known.default {
            Default::None(example) => Some(example),
            Default::Is(_) | Default::SameAs(_) => None,
        });
    let mut contract = vec![format!("preset = \"{}\"", preset.name)];
    if !preset.server.is_empty() {
        contract.push(format!("server = \"{}\"", preset.server));
    }
    contract.extend(needed.map(str::to_owned));
    let text = format!(
        "name = \"x\"\ntarget.url = \"ws://127.0.0.1/\"\nload.duration = \"{seconds}s\"\n\
         [[cohort]]\nname = \"silent\"\nconnections = 1\nfault = {{ kind = \"no_pong\" }}\ncontract = {{ {} }}",
        contract.join(", ")
    );
    let parsed = parse_alone(&text, &Overrides::default());
    parsed.map(|_| ()).map_err(|problems| problems.to_string())
}

/// The server sends its first ping after one interval, and the window counts from that ping.
#[test]
fn a_run_is_long_enough_for_the_presets_own_window() {
    for preset in table::all() {
        let first_ping = match preset.name {
            "ws" => 30,
            "websockets" => 20,
            "aiohttp" | "tornado" | "autobahn" | "pong_timeout" => 30,
            "uvicorn" | "sanic" => 20,
            "deno" => 15,
            "beast" => 150,
            "libwebsockets" => 300,
            // It looks every two seconds.
            "daphne" => 22,
            "gorilla" => 54,
            "graphql-ws" => 12,
            name => {
                assert_ne!(preset.from, Origin::Ping, "{name}");
                0
            }
        };
        let refused = check(preset, 1).unwrap_err();
        let (_, hint) = refused
            .split_once("write `duration = \"")
            .expect(preset.name);
        let needed = parse_duration(hint.split_once('"').unwrap().0).unwrap();
        let mut settings = BTreeMap::new();
        let expanded = loop {
            match expand(preset.name, server(preset), &settings) {
                Ok(expanded) => break expanded,
                Err(PresetError::Missing { name, example }) => {
                    let value = example.split('"').nth(1).unwrap();
                    let value = Setting::Time(parse_duration(value).unwrap());
                    settings.insert(name.to_owned(), value);
                }
                Err(error) => panic!("{}: {error:?}", preset.name),
            }
        };
        let decided = Duration::from_secs(first_ping) + window(&expanded).hi;
        assert!(needed >= decided, "{}: {needed:?}", preset.name);
        check(preset, needed.as_secs()).unwrap_or_else(|error| panic!("{error}"));
    }
}

fn server(preset: &Preset) -> Option<&'static str> {
    Some(preset.server).filter(|server| !server.is_empty())
}

#[test]
fn mistakes_are_told_apart() {
    let refused = |name, text| expanded(name, text).unwrap_err();
    let invalid = |name, why: &str| PresetError::Invalid {
        name,
        why: why.to_owned(),
    };
    let near = PresetError::UnknownPreset {
        nearest: Some("websockets"),
    };
    assert_eq!(refused("websocket", ""), near);
    let nothing = PresetError::UnknownPreset { nearest: None };
    assert_eq!(refused("apache", ""), nothing);
    let unknown = PresetError::UnknownSetting {
        name: "timeout".to_owned(),
        known: vec!["heartbeat"],
    };
    assert_eq!(refused("aiohttp", "timeout 5s"), unknown);
    let missing = PresetError::Missing {
        name: "heartbeat",
        example: "heartbeat = \"30s\"",
    };
    assert_eq!(refused("aiohttp", ""), missing);
    let longer = "is longer than `interval`";
    assert_eq!(
        refused("tornado", "interval 5s, timeout 6s"),
        invalid("timeout", longer)
    );
    let no_server = PresetError::UnknownServer {
        known: vec!["node", "python", "rust"],
    };
    assert_eq!(refused("engineio", "server deno"), no_server);
    let unknown = PresetError::UnknownSetting {
        name: "server".to_owned(),
        known: vec!["interval"],
    };
    assert_eq!(refused("ws", "server node"), unknown);
    let shorter = "is not longer than `interval`";
    assert_eq!(
        refused("gorilla", "timeout 54s"),
        invalid("timeout", shorter)
    );
    assert_eq!(
        refused("uwebsockets", "idle_timeout 7s"),
        invalid("idle_timeout", "is under 8s")
    );
    assert_eq!(
        refused("ws", "interval 0s"),
        invalid("interval", "is not above zero")
    );
    assert_eq!(
        refused("mqtt", "keep_alive 20"),
        invalid("keep_alive", "must be a duration such as \"20s\"")
    );
    assert_eq!(
        refused("nats", "pings 2s"),
        invalid("pings", "must be a number such as 2")
    );
    assert_eq!(
        refused("nats", "pings 1001"),
        invalid("pings", "is more than 1000")
    );
}

#[test]
fn the_longest_settings_do_not_overflow() {
    let longest = Setting::Time(crate::units::MAX_DURATION);
    for preset in table::all() {
        let given = preset.settings.iter().map(|known| {
            let value = match known.default {
                Default::Is(Setting::Count(_)) => Setting::Count(table::MAX_COUNT),
                _ => longest,
            };
            (known.name.to_owned(), value)
        });
        match expand(preset.name, server(preset), &given.collect()) {
            Ok(expanded) => assert!(u64::try_from(window(&expanded).hi.as_nanos()).is_ok()),
            // The server refuses a deadline that is not longer than the time between two pings.
            Err(error) => assert!(matches!(
                error,
                PresetError::Invalid {
                    name: "timeout" | "hangup",
                    ..
                }
            )),
        }
    }
}

#[test]
fn the_page_shows_every_preset_as_it_is() {
    let page = include_str!("../../../docs/heartbeats.md");
    let (_, rest) = page
        .split_once("| preset | ")
        .expect("the table of presets");
    let shown: Vec<&str> = rest
        .lines()
        .skip(2)
        .take_while(|line| !line.is_empty())
        .collect();
    let rows: Vec<String> = table::all().map(row).collect();
    assert_eq!(shown, rows, "the table should be:\n{}", rows.join("\n"));
}

/// The row of this preset in `docs/heartbeats.md`.
fn row(preset: &Preset) -> String {
    let settings = preset.settings.iter().map(|known| match known.default {
        Default::Is(Setting::Time(Duration::ZERO)) => format!("`{}` none", known.name),
        Default::Is(value) => format!("`{}` {value}", known.name),
        Default::SameAs(other) => format!("`{}` as `{other}`", known.name),
        Default::None(_) => format!("`{}` (must be given)", known.name),
    });
    let ways = preset.ends_with.iter().map(|end| match end {
        End::CloseFrame => match preset.codes {
            [] => "Close".to_owned(),
            [1005] => "Close without a code".to_owned(),
            codes => {
                let codes: Vec<String> = codes.iter().map(u16::to_string).collect();
                format!("Close {}", codes.join(" or "))
            }
        },
        End::Fin => "FIN".to_owned(),
        End::Rst => "RST".to_owned(),
        End::Nothing => unreachable!("a preset promises an end"),
    });
    let or_dash = |text: String| {
        if text.is_empty() {
            "–".to_owned()
        } else {
            text
        }
    };
    let tcp_end = match preset.tcp_end {
        None => "–".to_owned(),
        Some(Duration::ZERO) => "at once".to_owned(),
        Some(latest) => format_duration(latest),
    };
    let server = server(preset).map(|server| format!("`server` {server}"));
    format!(
        "| `{}` | {} | `{}` | {} | {} | {} | {tcp_end} | {} |",
        preset.name,
        server
            .into_iter()
            .chain(settings)
            .collect::<Vec<_>>()
            .join(", "),
        preset.from.name(),
        preset.formula,
        preset.life.in_words(),
        or_dash(ways.collect::<Vec<_>>().join(" or ")),
        preset.source,
    )
}
