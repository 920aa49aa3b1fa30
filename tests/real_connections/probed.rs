//! The probe's scenario passes on every kind of server that the tests have; on those of the presets in `tests/presets`.

use std::path::Path;
use std::time::Duration;

use wsbench::scenario::{Defect, HeartbeatWord, ServerHeartbeat};
use wsbench::server::{Behaviour, EmbeddedServer};

use super::common::peer::Setup;
use super::common::probed::{Probed, all_pass};
use super::common::real::{RealServer, Target, wsbench};

#[test]
#[ignore = "needs every target; run by scripts/test"]
fn real_servers_pass_what_the_probe_wrote_of_them() {
    let targets = [
        ("ws", Target::Node, ""),
        ("ws with a heartbeat", Target::NodeHeartbeat, ""),
        ("websockets", Target::Python, ""),
        ("websockets with a heartbeat", Target::PythonHeartbeat, ""),
        ("aiohttp", Target::Aiohttp, ""),
        ("Tornado", Target::Tornado, ""),
        ("picows", Target::Picows, ""),
        ("faye", Target::Faye, ""),
        ("Flask", Target::Flask, ""),
        ("nginx", Target::Nginx, ""),
        (
            "Socket.IO",
            Target::SocketIo,
            "socket.io/?EIO=4&transport=websocket",
        ),
    ];
    let servers = targets.map(|(name, target, path)| (name, RealServer::start(target), path));
    let all = servers
        .iter()
        .map(|(name, server, path)| Probed::at(name, &server.address().to_string()).path(path));
    all_pass(all.collect());
}

#[test]
#[ignore = "needs every target; run by scripts/test"]
fn servers_that_wait_for_a_first_word_get_it() {
    let graphql = RealServer::start(Target::GraphqlWs);
    let nats = Setup::of("nats-mute.conf").start();
    all_pass(vec![
        Probed::at("graphql-ws", &graphql.address().to_string())
            .path("graphql")
            .with(&["--subprotocol", "graphql-transport-ws"]),
        Probed::at("NATS", &nats.address().to_string()).with(&["--first", "CONNECT {}\r\n"]),
    ]);
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
        .map(|(name, server)| Probed::of(name, server.url()));
    all_pass(all.collect());
}
