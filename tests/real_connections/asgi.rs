//! Python's servers of ASGI, each with the same application, which echoes.

use std::path::Path;

use super::common::peer::{Peer, Setup};

fn serving(command: &str) -> Peer {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/python");
    let setup = Setup::command(&format!("@python@/.venv/bin/{command}"));
    setup.place("python", python.display()).start()
}

/// hypercorn: HTTP/1.1 and HTTP/2, with compression.
pub fn hypercorn() -> Peer {
    serving("hypercorn --bind @listen@ --log-level critical @python@/asgi_echo:app")
}
