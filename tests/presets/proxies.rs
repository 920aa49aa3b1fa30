//! Proxies in front of a server that sends no pings. None of them sends a Close frame.

use super::case::Case;
use super::common::peer::{Peer, Setup};
use super::common::real::{RealServer, Target};
use super::package::Package;

/// A proxy and the server behind it, and where it listens.
pub(super) type InFront = ((Peer, RealServer), String);

/// Starts a proxy that is filled in by these places, in front of the echo server.
pub(super) fn before(setup: Setup, places: &[(&str, &str)]) -> InFront {
    let behind = RealServer::start(Target::Node);
    let at = behind.address();
    let setup = setup
        .place("behind", at)
        .place("behind_host", at.ip())
        .place("behind_port", at.port());
    let setup = places
        .iter()
        .fold(setup, |setup, (name, text)| setup.place(name, text));
    let peer = setup.start();
    let address = peer.address().to_string();
    ((peer, behind), address)
}

/// The time after which some of them end a silent connection.
const TWO_SECONDS: &[(&str, &str)] = &[("timeout", "2s")];

const NGHTTPX: &str = "nghttpx --conf=/dev/null --workers=1 --backend-read-timeout=2s \
    --frontend=@host@,@port@;no-tls --backend=@behind_host@,@behind_port@";

/// Each of them with limits of one to three seconds, by name.
pub(super) fn all() -> Vec<(&'static str, InFront)> {
    let of = |file, places| before(Setup::of(file), places);
    vec![
        ("nginx", of("nginx-idle.conf", TWO_SECONDS)),
        ("haproxy", of("haproxy-idle.cfg", TWO_SECONDS)),
        (
            "httpd",
            of(
                "apache-idle.conf",
                &[("timeout", "1"), ("proxy_timeout", "2")],
            ),
        ),
        ("nghttpx", before(Setup::command(NGHTTPX), &[])),
        ("varnish", of("varnish-idle.vcl", &[("timeout", "2")])),
        ("lighttpd", of("lighttpd-idle.conf", &[("read_idle", "3")])),
        ("trafficserver", trafficserver_in_front()),
    ]
}

#[test]
#[ignore = "needs nginx; run by scripts/test"]
fn nginx() {
    let case = Case {
        preset: "nginx",
        settings: "read_timeout = \"2s\"",
        mistaken: "read_timeout = \"1s\"",
        package: Package::Debian("nginx"),
        ..Case::ECHO
    };
    case.prove(|| before(Setup::of("nginx-idle.conf"), TWO_SECONDS));
}

#[test]
#[ignore = "needs haproxy; run by scripts/test"]
fn haproxy() {
    let case = Case {
        preset: "haproxy",
        settings: "tunnel = \"2s\"",
        mistaken: "tunnel = \"1s\"",
        package: Package::Debian("haproxy"),
        ..Case::ECHO
    };
    case.prove(|| before(Setup::of("haproxy-idle.cfg"), TWO_SECONDS));
}

/// The other way round, the time of the server behind would be the shorter one.
#[test]
#[ignore = "needs Apache httpd; run by scripts/test"]
fn httpd_waits_for_the_longer_of_two() {
    for (settings, timeout, proxy_timeout) in [
        ("timeout = \"1s\", proxy_timeout = \"2s\"", "1", "2"),
        ("timeout = \"2s\", proxy_timeout = \"1s\"", "2", "1"),
    ] {
        let case = Case {
            preset: "httpd",
            settings,
            mistaken: "timeout = \"1s\"",
            package: Package::Debian("apache2"),
            ..Case::ECHO
        };
        let places = [("timeout", timeout), ("proxy_timeout", proxy_timeout)];
        case.prove(|| before(Setup::of("apache-idle.conf"), &places));
    }
}

#[test]
#[ignore = "needs nghttpx; run by scripts/test"]
fn nghttpx() {
    let case = Case {
        preset: "nghttpx",
        settings: "backend_read_timeout = \"2s\"",
        mistaken: "backend_read_timeout = \"1s\"",
        package: Package::Debian("nghttp2-proxy"),
        ..Case::ECHO
    };
    case.prove(|| before(Setup::command(NGHTTPX), &[]));
}

#[test]
#[ignore = "needs Varnish; run by scripts/test"]
fn varnish() {
    let case = Case {
        preset: "varnish",
        settings: "pipe_timeout = \"2s\"",
        mistaken: "pipe_timeout = \"1s\"",
        package: Package::Debian("varnish"),
        ..Case::ECHO
    };
    case.prove(|| before(Setup::of("varnish-idle.vcl"), &[("timeout", "2")]));
}

#[test]
#[ignore = "needs lighttpd; run by scripts/test"]
fn lighttpd() {
    let case = Case {
        preset: "lighttpd",
        settings: "max_read_idle = \"3s\"",
        mistaken: "max_read_idle = \"500ms\"",
        package: Package::Debian("lighttpd"),
        seconds: 7,
        ..Case::ECHO
    };
    let places = [("read_idle", "3")];
    case.prove(|| before(Setup::of("lighttpd-idle.conf"), &places));
}

/// Where Traffic Server keeps its files: all in its own folder.
const LAYOUT: &str = "prefix: /usr\nsysconfdir: .\ndatadir: .\nlocalstatedir: .\nruntimedir: .\nlogdir: .\ncachedir: .\n";
/// Without this file it lets nobody in.
const EVERYBODY: &str = "ip_allow: [{apply: in, ip_addrs: 0/0, action: allow, methods: ALL}]\n";

pub(super) fn trafficserver_in_front() -> InFront {
    let setup = Setup::of("trafficserver.config")
        .file("runroot.yml", LAYOUT)
        .file("ip_allow.yaml", EVERYBODY)
        .file("storage.config", "");
    before(setup.open(), &[("timeout", "2")])
}

#[test]
#[ignore = "needs Traffic Server; run by scripts/test"]
fn trafficserver() {
    let case = Case {
        preset: "trafficserver",
        settings: "no_activity_timeout = \"2s\"",
        mistaken: "no_activity_timeout = \"500ms\"",
        package: Package::Debian("trafficserver"),
        ..Case::ECHO
    };
    case.prove(trafficserver_in_front);
}
