//! The probe's scenario passes on every kind of server that the tests have; on those of the presets in `tests/presets`.

use std::path::Path;
use std::thread;
use std::time::Duration;

use wsbench::scenario::{Defect, HeartbeatWord, ServerHeartbeat};
use wsbench::server::{Behaviour, EmbeddedServer};

use super::common::peer::Setup;
use super::common::probed::{Probed, all_pass};
use super::common::real::{RealServer, Target, wsbench};

/// All targets of the tests.
const TARGETS: [Target; 28] = [
    Target::Node,
    Target::NodeHeartbeat,
    Target::NodeHeartbeatSlow,
    Target::NodeDeflate("true"),
    Target::SocketIo,
    Target::SocketIoRooms,
    Target::SocketIoSlow,
    Target::PythonSocketIo,
    Target::PythonSocketIoRooms,
    Target::GraphqlWs,
    Target::Strawberry,
    Target::RpcWebsockets,
    Target::Jayson,
    Target::ActionCable,
    Target::Ocpp,
    Target::Python,
    Target::PythonHeartbeat,
    Target::Aiohttp,
    Target::Tornado,
    Target::Picows,
    Target::Faye,
    Target::Flask,
    Target::Nginx,
    Target::NginxSlow,
    Target::Nchan,
    Target::RabbitMq,
    Target::RabbitMqIdle,
    Target::RabbitMqMqtt,
];

/// Where a target is asked, and with which options of the probe.
const fn asked(target: Target) -> (&'static str, &'static [&'static str]) {
    match target {
        Target::Node
        | Target::NodeHeartbeat
        | Target::NodeHeartbeatSlow
        | Target::NodeDeflate(_)
        | Target::RpcWebsockets
        | Target::Jayson
        | Target::Python
        | Target::PythonHeartbeat
        | Target::Aiohttp
        | Target::Tornado
        | Target::Picows
        | Target::Faye
        | Target::Flask
        | Target::Nginx
        | Target::NginxSlow => ("", &[]),
        Target::SocketIo
        | Target::SocketIoRooms
        | Target::SocketIoSlow
        | Target::PythonSocketIo
        | Target::PythonSocketIoRooms => ("socket.io/?EIO=4&transport=websocket", &[]),
        Target::GraphqlWs | Target::Strawberry => {
            ("graphql", &["--subprotocol", "graphql-transport-ws"])
        }
        Target::ActionCable => ("cable", &["--subprotocol", "actioncable-v1-json"]),
        Target::Ocpp => ("station", &["--subprotocol", "ocpp1.6"]),
        Target::Nchan => ("rooms/main", &[]),
        Target::RabbitMq => ("ws", &["--subprotocol", "v12.stomp"]),
        // Below STOMP it is Cowboy.
        Target::RabbitMqIdle => ("ws", &[]),
        Target::RabbitMqMqtt => ("ws", &["--subprotocol", "mqtt"]),
    }
}

/// Looks for the names in this file, so that a target that is left out is refused.
#[test]
fn every_target_is_among_them() {
    let (_, rest) = include_str!("../common/real.rs")
        .split_once("pub enum Target {")
        .unwrap();
    let (variants, _) = rest.split_once("\n}").unwrap();
    let names = variants.lines().map(str::trim);
    let names = names.filter(|line| !line.is_empty() && !line.starts_with("///"));
    let names: Vec<&str> = names
        .map(|line| line.split(['(', ',']).next().unwrap())
        .collect();
    assert_eq!(names.len(), TARGETS.len(), "{names:?}");
    for (name, target) in names.iter().zip(TARGETS) {
        assert!(
            format!("{target:?}").starts_with(name),
            "{name}: {target:?}"
        );
    }
}

/// They are started side by side, too.
#[test]
#[ignore = "needs every target; run by scripts/test"]
fn real_servers_pass_what_the_probe_wrote_of_them() {
    let starting = TARGETS.map(|target| thread::spawn(move || RealServer::start(target)));
    let servers = starting.map(|server| server.join().unwrap());
    let probed = TARGETS.iter().zip(&servers).map(|(target, server)| {
        let (path, options) = asked(*target);
        let url = format!("{}{path}", server.url());
        Probed::of(format!("{target:?}"), &url).with(options)
    });
    all_pass(probed.collect());
}

#[test]
#[ignore = "needs nats-server; run by scripts/test"]
fn a_server_that_waits_for_a_first_word_gets_it() {
    let nats = Setup::of("nats-mute.conf").start();
    let probed = Probed::at("NATS", &nats.address().to_string());
    all_pass(vec![probed.with(&["--first", "CONNECT {}\r\n"])]);
}

#[test]
#[ignore = "takes half a minute; run by scripts/test"]
fn the_built_in_server_passes_what_the_probe_wrote_of_it_with_each_defect() {
    let heartbeat = |kind, defect| {
        Some(ServerHeartbeat {
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            kind,
            defect,
        })
    };
    let frames = |defect| heartbeat(HeartbeatWord::Frames, Some(defect));
    let behaviours = [
        ("none", None),
        ("frames", heartbeat(HeartbeatWord::Frames, None)),
        ("text", heartbeat(HeartbeatWord::Text, None)),
        ("global tick", frames(Defect::GlobalTick)),
        ("normal close", frames(Defect::NormalClose)),
        ("no close frame", frames(Defect::NoCloseFrame)),
        ("blocked ping", frames(Defect::BlockedPing)),
        ("slow pong", frames(Defect::SlowPong)),
        ("never reaps", frames(Defect::NeverReaps)),
        ("kills after stall", frames(Defect::KillsAfterStall)),
    ];
    let servers = behaviours.map(|(name, heartbeat)| {
        let behaviour = Behaviour {
            heartbeat,
            ..Behaviour::default()
        };
        let program = wsbench();
        (
            name,
            EmbeddedServer::spawn(Path::new(&program), &behaviour).unwrap(),
        )
    });
    let all = servers
        .iter()
        .map(|(name, server)| Probed::of(*name, server.url()));
    all_pass(all.collect());
}
