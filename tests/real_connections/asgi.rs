//! Python's servers of ASGI, each with the same application, which echoes.

use std::path::Path;

use super::common::peer::{Peer, Setup};

fn serving(command: &str) -> Peer {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/python");
    let setup = Setup::command(&format!("@python@/.venv/bin/{command}"));
    setup.place("python", python.display()).start()
}

/// hypercorn: HTTP/1.1 and HTTP/2, with compression. Its workers would outlive it, so it does the work itself.
pub(super) fn hypercorn() -> Peer {
    serving("hypercorn --workers 0 --bind @listen@ --log-level critical @python@/asgi_echo:app")
}

/// uvicorn: HTTP/1.1, with compression.
pub(super) fn uvicorn() -> Peer {
    serving(
        "uvicorn --host @host@ --port @port@ --log-level critical --lifespan off --app-dir @python@ asgi_echo:app",
    )
}
