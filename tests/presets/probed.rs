//! The probe's scenario passes on the servers of the presets too. The large ones stand in `slow.rs`.

use super::common::probed::{Probed, all_pass};
use super::{brokers, compiled, node, proxies, python};

#[test]
#[ignore = "needs all of these; run by scripts/test"]
fn proxies_pass_what_the_probe_wrote_of_them() {
    let proxies = proxies::all();
    let all = proxies
        .iter()
        .map(|(name, (_, address))| Probed::at(*name, address));
    all_pass(all.collect());
}

#[test]
#[ignore = "needs all of these; run by scripts/test"]
fn servers_pass_what_the_probe_wrote_of_them() {
    let servers = [
        ("uvicorn", python::uvicorn_by("websockets")),
        ("uvicorn wsproto", python::uvicorn_by("wsproto")),
        ("uvicorn sansio", python::uvicorn_by("websockets-sansio")),
        ("sanic", python::sanic_server()),
        ("daphne", python::daphne_server()),
        ("Hypercorn", python::hypercorn("--read-timeout 2")),
        (
            "Hypercorn with pings",
            python::hypercorn("--read-timeout 2 --websocket-ping-interval 1"),
        ),
        ("autobahn", python::autobahn_server()),
        ("uwebsockets", python::socketify(8)),
        ("websocket", node::websocket()),
        ("libwebsockets", compiled::libwebsockets_server()),
    ];
    let (_socketio, socketio) = python::socketio_in_uvicorn();
    let (_graphql, graphql) = node::graphql();
    let (_nats, nats) = brokers::nats_server();
    let (_mosquitto, mosquitto) = brokers::mosquitto();
    let others = [
        Probed::at("socketio", &socketio).path("socket.io/?EIO=4&transport=websocket"),
        Probed::at("graphql-ws", &graphql)
            .path("graphql")
            .with(&["--subprotocol", "graphql-transport-ws"]),
        Probed::at("nats", &nats).with(&["--first", "CONNECT {}\r\n"]),
        Probed::at("mqtt", &mosquitto)
            .path("mqtt")
            .with(&["--subprotocol", "mqtt"]),
    ];
    let all = servers
        .iter()
        .map(|(name, (_, address))| Probed::at(*name, address));
    all_pass(all.chain(others).collect());
}
