//! The probe's scenario passes on the servers of the presets too. The large ones stand in `slow.rs`.

use super::common::probed::{Probed, all_pass};
use super::{compiled, node, proxies, python};

#[test]
#[ignore = "needs all of these; run by scripts/test"]
fn proxies_pass_what_the_probe_wrote_of_them() {
    let proxies = proxies::all();
    let all = proxies
        .iter()
        .map(|(name, (_, address))| Probed::at(name, address));
    all_pass(all.collect());
}

/// Not Daphne, whose pings and ends hang on two clocks of its own: four looks within seconds see one phase of them.
#[test]
#[ignore = "needs all of these; run by scripts/test"]
fn servers_pass_what_the_probe_wrote_of_them() {
    let servers = [
        ("uvicorn", python::uvicorn_by("websockets")),
        ("Sanic", python::sanic_server()),
        ("Hypercorn", python::hypercorn("--read-timeout 2")),
        ("Autobahn", python::autobahn_server()),
        ("socketify", python::socketify(8)),
        ("websocket", node::websocket()),
        ("libwebsockets", compiled::libwebsockets_server()),
    ];
    let (_socketio, socketio) = python::socketio_in_uvicorn();
    let all = servers
        .iter()
        .map(|(name, (_, address))| Probed::at(name, address));
    let socketio =
        Probed::at("python-socketio", &socketio).path("socket.io/?EIO=4&transport=websocket");
    all_pass(all.chain([socketio]).collect());
}
