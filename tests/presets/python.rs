//! Servers in Python, in the virtual environment of the targets.

use std::path::{Path, PathBuf};

use super::case::Case;
use super::common::peer::{Peer, Setup};
use super::common::real::{RealServer, Target};
use super::package::Package;

/// Where the virtual environment is.
pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/python")
}

/// Starts a command of the virtual environment; `env` before it gives it settings.
fn command(line: &str) -> (Peer, String) {
    let line = line.replace("@bin@", "@python@/.venv/bin");
    let peer = Setup::command(&line)
        .place("python", folder().display())
        .start();
    let address = peer.address().to_string();
    (peer, address)
}

fn target(target: Target) -> (RealServer, String) {
    let server = RealServer::start(target);
    let address = server.address().to_string();
    (server, address)
}

const ONE_AND_ONE: &str = "interval = \"1s\", timeout = \"1s\"";

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn websockets() {
    let case = Case {
        preset: "websockets",
        settings: ONE_AND_ONE,
        mistaken: "interval = \"1s\", timeout = \"500ms\"",
        package: Package::Python("websockets"),
        deaf: true,
        ..Case::ECHO
    };
    case.prove(|| target(Target::PythonHeartbeat));
}

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn sanic() {
    let case = Case {
        preset: "sanic",
        settings: ONE_AND_ONE,
        mistaken: "interval = \"1s\", timeout = \"500ms\"",
        package: Package::Python("sanic"),
        deaf: true,
        ..Case::ECHO
    };
    case.prove(sanic_server);
}

pub(super) fn sanic_server() -> (Peer, String) {
    command("env PORT=@port@ PING_INTERVAL=1 PING_TIMEOUT=1 @bin@/python @python@/sanic_server.py")
}

/// It never looks whether its pings are answered, but its `read_timeout` ends who sends no byte. The end of TCP waits for the
/// task that pings, which looks each interval whether it is to go on.
#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn hypercorn_by_idle() {
    let case = Case {
        preset: "idle",
        settings: "timeout = \"2s\", tick = \"1s\"",
        mistaken: "timeout = \"1s\"",
        package: Package::Python("Hypercorn"),
        variant: "read_timeout",
        silent: "fault = { kind = \"no_pong\" }",
        ..Case::ECHO
    };
    case.prove(|| hypercorn("--read-timeout 2 --websocket-ping-interval 1"));
}

pub(super) fn hypercorn(options: &str) -> (Peer, String) {
    let line =
        "@bin@/hypercorn --workers 0 --bind @listen@ --log-level critical @python@/asgi_echo:app ";
    command(&[line, options].concat())
}

/// The same server, told by the plain preset, which says nothing of how it ends.
#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn pong_timeout() {
    let case = Case {
        preset: "pong_timeout",
        settings: ONE_AND_ONE,
        mistaken: "interval = \"1s\", timeout = \"500ms\"",
        package: Package::Python("websockets"),
        ..Case::ECHO
    };
    case.prove(|| target(Target::PythonHeartbeat));
}

/// It pings who was silent for a second, and gives up a second later.
#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn idle() {
    let case = Case {
        preset: "idle",
        settings: "timeout = \"2s\"",
        mistaken: "timeout = \"1s\"",
        package: Package::Python("picows"),
        silent: "fault = { kind = \"no_pong\" }",
        ..Case::ECHO
    };
    case.prove(|| target(Target::Picows));
}

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn uvicorn() {
    for variant in ["websockets", "wsproto", "websockets-sansio"] {
        let case = Case {
            preset: "uvicorn",
            settings: ONE_AND_ONE,
            mistaken: "interval = \"1s\", timeout = \"500ms\"",
            package: Package::Python("uvicorn"),
            variant,
            deaf: true,
            ..Case::ECHO
        };
        case.prove(|| uvicorn_by(variant));
    }
}

/// With this implementation of WebSockets.
pub(super) fn uvicorn_by(implementation: &str) -> (Peer, String) {
    let line = "@bin@/uvicorn --host @host@ --port @port@ --log-level critical --lifespan off --ws-ping-interval 1 \
        --ws-ping-timeout 1 --app-dir @python@ asgi_echo:app --ws ";
    command(&[line, implementation].concat())
}

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn aiohttp() {
    let case = Case {
        preset: "aiohttp",
        settings: "heartbeat = \"2s\"",
        mistaken: "heartbeat = \"1s\"",
        package: Package::Python("aiohttp"),
        ..Case::ECHO
    };
    case.prove(|| target(Target::Aiohttp));
}

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn tornado() {
    let case = Case {
        preset: "tornado",
        settings: "interval = \"2s\", timeout = \"1s\"",
        mistaken: "interval = \"2s\", timeout = \"500ms\"",
        package: Package::Python("tornado"),
        deaf: true,
        seconds: 10,
        ..Case::ECHO
    };
    case.prove(|| target(Target::Tornado));
}

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn autobahn() {
    let case = Case {
        preset: "autobahn",
        settings: "interval = \"1s\", timeout = \"2500ms\"",
        mistaken: "interval = \"1s\", timeout = \"1s\"",
        package: Package::Python("autobahn"),
        seconds: 6,
        ..Case::ECHO
    };
    case.prove(autobahn_server);
}

pub(super) fn autobahn_server() -> (Peer, String) {
    command(
        "env PORT=@port@ PING_INTERVAL=1 PING_TIMEOUT=2.5 @bin@/python @python@/autobahn_server.py",
    )
}

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn daphne() {
    let case = Case {
        preset: "daphne",
        settings: "interval = \"1s\", timeout = \"3s\"",
        mistaken: "interval = \"1s\", timeout = \"1s\"",
        package: Package::Python("daphne"),
        seconds: 9,
        ..Case::ECHO
    };
    case.prove(daphne_server);
}

pub(super) fn daphne_server() -> (Peer, String) {
    command(
        "env PYTHONPATH=@python@ @bin@/daphne --bind @host@ --port @port@ --verbosity 0 --ping-interval 1 \
         --ping-timeout 3 asgi_echo:app",
    )
}

/// It is uWebSockets.
#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn socketify_sweeps_every_four_seconds() {
    let case = Case {
        preset: "uwebsockets",
        settings: "idle_timeout = \"12s\"",
        mistaken: "idle_timeout = \"8s\"",
        package: Package::Python("socketify"),
        // The bytes are those of a message that is longer than it takes.
        frames: &["ping", "text"],
        seconds: 14,
        ..Case::ECHO
    };
    case.prove(|| socketify(12));
}

/// It ends who is silent for so many seconds.
pub(super) fn socketify(idle_timeout: u32) -> (Peer, String) {
    let line = "@bin@/python @python@/socketify_server.py";
    command(&format!(
        "env PORT=@port@ IDLE_TIMEOUT={idle_timeout} {line}"
    ))
}

const SOCKET_IO: Case = Case {
    server: "python",
    settings: ONE_AND_ONE,
    mistaken: "interval = \"500ms\", timeout = \"1s\"",
    package: Package::Python("python-socketio"),
    resource: "socket.io/?EIO=4&transport=websocket",
    healthy: "heartbeat = { kind = \"text\", server = { ping = \"2\", pong = \"3\" } }",
    frames: &["ping"],
    deaf: true,
    seconds: 14,
    ..Case::ECHO
};

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn python_engineio() {
    let case = Case {
        preset: "engineio",
        variant: "in aiohttp",
        ..SOCKET_IO
    };
    case.prove(|| target(Target::PythonSocketIo));
}

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn python_socketio() {
    let case = Case {
        preset: "socketio",
        variant: "in uvicorn",
        ..SOCKET_IO
    };
    case.prove(socketio_in_uvicorn);
}

pub(super) fn socketio_in_uvicorn() -> (Peer, String) {
    command(
        "env PING_INTERVAL=1 PING_TIMEOUT=1 @bin@/uvicorn --host @host@ --port @port@ --log-level critical \
         --app-dir @python@ socketio_asgi:app",
    )
}
