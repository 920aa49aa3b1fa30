//! Real servers from other projects: Node's `ws` under Express, Python's `websockets`, and others with heartbeats.
//! `scripts/test` installs them; a test whose server is missing fails instead of being skipped.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::process;

/// The program under test: the release build that `scripts/test` gives in `WSBENCH_BIN`, or the one of this build.
pub fn wsbench() -> PathBuf {
    path_in("WSBENCH_BIN", env!("CARGO_BIN_EXE_wsbench"))
}

fn path_in(variable: &str, default: impl Into<PathBuf>) -> PathBuf {
    env::var_os(variable).map_or_else(|| default.into(), PathBuf::from)
}

/// The server to start. Those of Node run with the `node` in `PATH` or in `WSBENCH_NODE`, those of Python in the
/// virtual environment beside them or with the interpreter in `WSBENCH_PYTHON`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// Express with `ws`. Sends no pings.
    Node,
    /// Express with `ws` and the heartbeat from the README of `ws`, every 2 s.
    NodeHeartbeat,
    /// The same at the interval of that README, 30 s.
    NodeHeartbeatSlow,
    /// Socket.IO; pings every 1 s, and waits 1 s for a pong. Keeps no counts.
    SocketIo,
    /// Socket.IO with its default ping interval of 25 s and timeout of 20 s. Keeps no counts.
    SocketIoSlow,
    /// `websockets`, with its default ping interval of 20 s and timeout of 20 s.
    Python,
    /// `websockets`; pings every 1 s, and waits 1 s for a pong.
    PythonHeartbeat,
    /// aiohttp; pings every 2 s, and waits 1 s for a pong. Keeps no counts.
    Aiohttp,
    /// Tornado; pings every 2 s, and waits 1 s for a pong. Keeps no counts.
    Tornado,
    /// picows; pings who has sent no byte for 1 s, and waits 1 s for a pong. Keeps no counts.
    Picows,
    /// nginx, which ends a connection after 2 s of silence, in front of [`Target::Node`].
    Nginx,
    /// The same with the default of nginx, 60 s.
    NginxSlow,
}

impl Target {
    fn command(self) -> Command {
        match self {
            Self::Node => node("server.js", &[]),
            Self::NodeHeartbeat => node("server.js", &[("HEARTBEAT", "2")]),
            Self::NodeHeartbeatSlow => node("server.js", &[("HEARTBEAT", "30")]),
            Self::SocketIo => node("socket_io.js", &ONE_AND_ONE),
            Self::SocketIoSlow => node("socket_io.js", &[]),
            Self::Python => python("server.py", &[]),
            Self::PythonHeartbeat => python("server.py", &ONE_AND_ONE),
            Self::Aiohttp => python("aiohttp_server.py", &[("HEARTBEAT", "2")]),
            Self::Tornado => python(
                "tornado_server.py",
                &[("PING_INTERVAL", "2"), ("PING_TIMEOUT", "1")],
            ),
            Self::Picows => python("picows_server.py", &ONE_AND_ONE),
            Self::Nginx | Self::NginxSlow => {
                unreachable!("nginx says nothing, and is started by `start_nginx`")
            }
        }
    }
}

const ONE_AND_ONE: [(&str, &str); 2] = [("PING_INTERVAL", "1"), ("PING_TIMEOUT", "1")];

/// The folder of the target servers.
fn targets() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets")
}

fn node(script: &str, settings: &[(&str, &str)]) -> Command {
    let folder = targets().join("node");
    assert_set_up(&folder.join("node_modules"));
    let mut command = process::command(path_in("WSBENCH_NODE", "node"));
    let settings = settings.iter().copied();
    command.arg(folder.join(script)).envs(settings);
    command
}

fn python(script: &str, settings: &[(&str, &str)]) -> Command {
    let folder = targets().join("python");
    let python = path_in("WSBENCH_PYTHON", folder.join(".venv/bin/python"));
    assert_set_up(&python);
    let mut command = process::command(python);
    let settings = settings.iter().copied();
    command.arg(folder.join(script)).envs(settings);
    command
}

#[track_caller]
fn assert_set_up(needed: &Path) {
    assert!(
        needed.exists(),
        "the target is not set up: {} is missing\nhint: run `scripts/test`",
        needed.display()
    );
}

/// A running real server on a free port; ends when dropped.
pub struct RealServer {
    child: Child,
    address: SocketAddr,
    /// The server behind a proxy, and the proxy's own folder.
    behind: Option<(Box<Self>, TempDir)>,
}

impl RealServer {
    /// Starts the server and waits until it listens.
    pub fn start(target: Target) -> Self {
        match target {
            Target::Nginx => return Self::start_nginx("2s"),
            Target::NginxSlow => return Self::start_nginx("60s"),
            _ => {}
        }
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
        // If it cannot listen, it ends at once, and its output ends too.
        BufReader::new(output).read_line(&mut line).unwrap();
        let Some(address) = line.trim().strip_prefix("listening on ws://") else {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the {target:?} target did not say where it listens: {line:?}");
        };
        Self {
            address: address.parse().expect("an address"),
            child,
            behind: None,
        }
    }

    /// Starts nginx. It cannot choose a free port itself, so it gets one that was just free, and another one if that is
    /// taken.
    fn start_nginx(read_timeout: &str) -> Self {
        for _ in 0..5 {
            let free = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = free.local_addr().unwrap();
            drop(free);
            let mut server = Self::nginx_at(address, read_timeout);
            if server.listens() {
                return server;
            }
        }
        panic!("nginx found no free port, or says above what is wrong");
    }

    fn nginx_at(address: SocketAddr, read_timeout: &str) -> Self {
        let behind = Self::start(Target::Node);
        let folder = tempfile::tempdir().unwrap();
        let template = fs::read_to_string(targets().join("nginx/nginx.conf")).unwrap();
        let settings = template
            .replace("@listen@", &address.to_string())
            .replace("@behind@", &behind.address.to_string())
            .replace("@read_timeout@", read_timeout);
        fs::write(folder.path().join("nginx.conf"), settings).unwrap();
        // Debian installs it in a folder that is only in root's `PATH`.
        let nginx = ["/usr/sbin/nginx", "/usr/local/sbin/nginx"].into_iter();
        let nginx = nginx.map(PathBuf::from).find(|path| path.exists());
        let nginx = path_in("WSBENCH_NGINX", nginx.unwrap_or_else(|| "nginx".into()));
        let child = process::command(nginx)
            .args(["-e", "stderr", "-c", "nginx.conf", "-p"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("failed to start nginx: {e}\nhint: run `scripts/test`"));
        Self {
            child,
            address,
            behind: Some((Box::new(behind), folder)),
        }
    }

    /// Waits until it accepts connections; returns false if it has ended instead.
    fn listens(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.child.try_wait().unwrap().is_none() {
            if TcpStream::connect(self.address).is_ok() {
                return true;
            }
            assert!(Instant::now() < deadline, "nginx listens nowhere");
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// The address: `ws://127.0.0.1:PORT/`.
    pub fn url(&self) -> String {
        format!("ws://{}/", self.address)
    }

    /// The address as a socket address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its counts so far.
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

    /// Waits, at most ten seconds, until this many connections have opened and ended, and returns the counts.
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

/// The counts of a real server, under the names of `wsbench::server::Counts`.
#[derive(Debug, Clone, PartialEq)]
pub struct RealCounts(Value);

impl RealCounts {
    /// One count: `opened`, `closed`, `text`, `binary`, `bytes`, `pings` or `pongs`.
    pub fn number(&self, name: &str) -> u64 {
        self.0[name]
            .as_u64()
            .unwrap_or_else(|| panic!("no count `{name}` in {}", self.0))
    }

    /// The number of ended connections for each close code.
    pub fn closes(&self) -> BTreeMap<String, u64> {
        serde_json::from_value(self.0["closes"].clone()).expect("an object of numbers")
    }
}
