//! The servers that nobody here wrote: Node's `ws` under Express, and Python's `websockets`.
//! They are set up by `scripts/test`; a test that needs one fails, and never skips, when it is not there.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The program under test: the release build that `scripts/test` names in `WSBENCH_BIN`, or the one of this build.
pub fn wsbench() -> PathBuf {
    path_in("WSBENCH_BIN", env!("CARGO_BIN_EXE_wsbench"))
}

fn path_in(variable: &str, default: impl Into<PathBuf>) -> PathBuf {
    env::var_os(variable).map_or_else(|| default.into(), PathBuf::from)
}

/// Which server to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Express with `ws`; run by the `node` on the path, or the one in `WSBENCH_NODE`.
    Node,
    /// `websockets`; run by the virtual environment beside it, or the interpreter in `WSBENCH_PYTHON`.
    Python,
}

impl Target {
    fn command(self) -> Command {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets");
        let (program, script, needs) = match self {
            Self::Node => {
                let folder = root.join("node");
                let node = path_in("WSBENCH_NODE", "node");
                (node, folder.join("server.js"), folder.join("node_modules"))
            }
            Self::Python => {
                let folder = root.join("python");
                let venv = folder.join(".venv/bin/python");
                let python = path_in("WSBENCH_PYTHON", venv);
                (python.clone(), folder.join("server.py"), python)
            }
        };
        assert!(
            needs.exists(),
            "the {self:?} target is not set up: {} is missing\nhint: run `scripts/test`",
            needs.display()
        );
        let mut command = Command::new(program);
        command.arg(script);
        command
    }
}

/// A running real server on a free port; ends with its value.
pub struct RealServer {
    child: Child,
    address: SocketAddr,
}

impl RealServer {
    /// Starts it and waits until it listens.
    pub fn start(target: Target) -> Self {
        let mut child = target
            .command()
            .env("PORT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("failed to start the {target:?} target: {error}\nhint: run `scripts/test`")
            });
        let output = child.stdout.take().unwrap();
        let mut line = String::new();
        // It ends at once, and with it the line, when it cannot listen.
        BufReader::new(output).read_line(&mut line).unwrap();
        let Some(address) = line.trim().strip_prefix("listening on ws://") else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the {target:?} target did not say where it listens: {line:?}");
        };
        Self {
            address: address.parse().expect("an address"),
            child,
        }
    }

    /// Where it listens: `ws://127.0.0.1:PORT/`.
    pub fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it has counted until now.
    pub fn counts(&self) -> RealCounts {
        let mut socket = TcpStream::connect(self.address).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        socket
            .write_all(b"GET /counts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut response = String::new();
        socket.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").expect("a whole response");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        RealCounts(serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {body}")))
    }

    /// Waits until so many connections have opened and ended, at most ten seconds, and returns the counts.
    pub fn counts_when_closed(&self, connections: u64) -> RealCounts {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let counts = self.counts();
            if ["opened", "closed"].map(|name| counts.number(name)) == [connections; 2] {
                return counts;
            }
            assert!(
                Instant::now() < deadline,
                "not {connections} opened and closed: {counts:?}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for RealServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The counts of a real server, under the names of `wsbench::target::Counts`.
#[derive(Debug, Clone, PartialEq)]
pub struct RealCounts(Value);

impl RealCounts {
    /// One count: `opened`, `closed`, `text`, `binary`, `bytes`, `pings` or `pongs`.
    pub fn number(&self, name: &str) -> u64 {
        self.0[name]
            .as_u64()
            .unwrap_or_else(|| panic!("no count `{name}` in {}", self.0))
    }

    /// Ended connections by close code.
    pub fn closes(&self) -> BTreeMap<String, u64> {
        serde_json::from_value(self.0["closes"].clone()).expect("an object of numbers")
    }
}
