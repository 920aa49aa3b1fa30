//! Servers around libraries of C, C++, Go and Rust: each is compiled before it is started.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::case::Case;
use super::common::peer::{Peer, Setup};
use super::common::process;
use super::package::Package;

/// It takes nothing but the pong for a sign of life.
#[test]
#[ignore = "needs libwebsockets; run by scripts/test"]
fn libwebsockets() {
    let case = Case {
        preset: "libwebsockets",
        settings: "ping = \"1s\", hangup = \"3s\"",
        mistaken: "ping = \"1s\", hangup = \"2s\"",
        package: Package::Debian("libwebsockets-dev"),
        ..Case::ECHO
    };
    case.prove(libwebsockets_server);
}

pub(super) fn libwebsockets_server() -> (Peer, String) {
    let program = compiled("libwebsockets/server.c", "cc", &["-O1"], &["-lwebsockets"]);
    start(&program, "@port@ 1 3")
}

/// Boost is so large that its compiler takes a quarter of a minute.
pub(super) fn beast() -> (Peer, String) {
    let program = compiled("beast/server.cpp", "g++", &["-std=c++17"], &["-pthread"]);
    start(&program, "@port@ 2000")
}

/// Its libraries are those of Debian.
pub(super) fn gorilla() -> (Peer, String) {
    let program = folder().join("gorilla");
    let mut build = process::command("go");
    build.args(["build", "-o"]).arg(&program);
    build
        .arg(source("gorilla/server.go"))
        .env("GO111MODULE", "off")
        .env("GOPATH", "/usr/share/gocode")
        .env("GOCACHE", folder().join("go-cache"));
    done(build);
    start(&program, "@listen@ 1s 2500ms")
}

/// One of the servers in Rust, with these arguments.
pub(super) fn rust(arguments: &str) -> (Peer, String) {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/rust");
    let built = folder().join("rust");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = process::command(cargo);
    build.args(["build", "--quiet", "--locked", "--manifest-path"]);
    build.arg(target.join("Cargo.toml"));
    build.arg("--target-dir").arg(&built);
    done(build);
    start(&built.join("debug/wsbench-rust-target"), arguments)
}

fn start(program: &Path, arguments: &str) -> (Peer, String) {
    let setup = Setup::command(&format!("@program@ {arguments}"));
    let peer = setup.place("program", program.display()).start();
    let address = peer.address().to_string();
    (peer, address)
}

/// Compiles a file of `tests/peers` where it has changed, and returns the program.
fn compiled(file: &str, compiler: &str, options: &[&str], libraries: &[&str]) -> PathBuf {
    let program = folder().join(file.replace('/', "-"));
    let changed = |path: &Path| fs::metadata(path)?.modified();
    if let (Ok(built), Ok(written)) = (changed(&program), changed(&source(file)))
        && built > written
    {
        return program;
    }
    // Who compiles the same at the same time has a file of his own until it is whole.
    let own = program.with_extension(format!("{:?}", std::thread::current().id()));
    let mut build = process::command(compiler);
    build.args(options).arg("-o").arg(&own);
    build.arg(source(file)).args(libraries);
    done(build);
    fs::rename(own, &program).unwrap();
    program
}

fn source(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/peers")
        .join(file)
}

fn folder() -> PathBuf {
    env!("CARGO_TARGET_TMPDIR").into()
}

/// Waits for a compiler.
fn done(mut build: Command) {
    let status = build.status();
    let status =
        status.unwrap_or_else(|e| panic!("{build:?}: {e}\nhint: run `scripts/test --all`"));
    assert!(status.success(), "{build:?}: {status}");
}
