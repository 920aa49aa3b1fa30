//! Servers in Node.

use std::path::Path;

use super::case::Case;
use super::common::peer::{Peer, Setup};
use super::common::real::{RealServer, Target};
use super::package::Package;

#[test]
#[ignore = "needs the Node target; run by scripts/test"]
fn ws() {
    let case = Case {
        preset: "ws",
        settings: "interval = \"2s\"",
        mistaken: "interval = \"1s\"",
        package: Package::Node("ws"),
        seconds: 6,
        ..Case::ECHO
    };
    case.prove(|| {
        let server = RealServer::start(Target::NodeHeartbeat);
        let address = server.address().to_string();
        (server, address)
    });
}

fn script(line: &str) -> (Peer, String) {
    let node = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/node");
    let peer = Setup::command(line).place("node", node.display()).start();
    let address = peer.address().to_string();
    (peer, address)
}

#[test]
#[ignore = "needs the Node target; run by scripts/test"]
fn graphql_ws() {
    let case = Case {
        preset: "graphql-ws",
        settings: "keep_alive = \"1s\"",
        mistaken: "keep_alive = \"500ms\"",
        package: Package::Node("graphql-ws"),
        resource: "graphql",
        target: "subprotocols = [\"graphql-transport-ws\"]",
        setup: r#"
            [[setup]]
            name = "init"
            send = { json = '{"type":"connection_init"}' }
            expect = { "/type" = "connection_ack" }"#,
        healthy: "",
        // Any other text breaks its protocol.
        frames: &["ping", "byte"],
        ..Case::ECHO
    };
    case.prove(graphql);
}

pub(super) fn graphql() -> (Peer, String) {
    script("env PORT=@port@ KEEP_ALIVE=1 node @node@/graphql_ws.js")
}

const SOCKET_IO: Case = Case {
    server: "node",
    settings: "interval = \"1s\", timeout = \"1s\"",
    mistaken: "interval = \"500ms\", timeout = \"1s\"",
    package: Package::Node("socket.io"),
    resource: "socket.io/?EIO=4&transport=websocket",
    healthy: "heartbeat = { kind = \"text\", server = { ping = \"2\", pong = \"3\" } }",
    frames: &["ping"],
    ..Case::ECHO
};

#[test]
#[ignore = "needs the Node target; run by scripts/test"]
fn engineio() {
    let case = Case {
        preset: "engineio",
        ..SOCKET_IO
    };
    case.prove(|| {
        let server = RealServer::start(Target::SocketIo);
        let address = server.address().to_string();
        (server, address)
    });
}

#[test]
#[ignore = "needs the Node target; run by scripts/test"]
fn socketio() {
    let case = Case {
        preset: "socketio",
        ..SOCKET_IO
    };
    case.prove(|| {
        let server = RealServer::start(Target::SocketIo);
        let address = server.address().to_string();
        (server, address)
    });
}

/// It pings who was silent for a second, and gives up a second later.
#[test]
#[ignore = "needs the Node target; run by scripts/test"]
fn websocket_by_idle() {
    let case = Case {
        preset: "idle",
        settings: "timeout = \"2s\"",
        mistaken: "timeout = \"1s\"",
        package: Package::Node("websocket"),
        variant: "keepalive",
        silent: "fault = { kind = \"no_pong\" }",
        ..Case::ECHO
    };
    case.prove(websocket);
}

pub(super) fn websocket() -> (Peer, String) {
    script("env PORT=@port@ KEEPALIVE_INTERVAL=1000 KEEPALIVE_GRACE=1000 node @node@/websocket.js")
}
