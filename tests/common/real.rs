//! Real servers from other projects: Node's `ws` under Express, Python's `websockets`, others with heartbeats, and those
//! that speak a protocol over WebSocket. `scripts/test` installs them; a test whose server is missing fails instead of
//! being skipped.

use std::any::Any;
use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::process::{self, Leashed};

use configured::Protocol;

mod configured;

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
    /// Express with `ws`, whose `perMessageDeflate` this is, as JSON.
    NodeDeflate(&'static str),
    /// Socket.IO; pings every 1 s, and waits 1 s for a pong.
    SocketIo,
    /// Socket.IO with rooms; pings every 1 s, and waits long for a pong, since it is busy.
    SocketIoRooms,
    /// Socket.IO with its default ping interval of 25 s and timeout of 20 s.
    SocketIoSlow,
    /// python-socketio; pings every 1 s, and waits 1 s for a pong.
    PythonSocketIo,
    /// python-socketio with rooms; pings every 1 s, and waits long for a pong, since it is busy.
    PythonSocketIoRooms,
    /// GraphQL over WebSocket by the library graphql-ws.
    GraphqlWs,
    /// The same by strawberry.
    Strawberry,
    /// JSON-RPC by the library rpc-websockets.
    RpcWebsockets,
    /// The same by jayson.
    Jayson,
    /// ActionCable with rooms, in puma.
    ActionCable,
    /// A central system of charging stations.
    Ocpp,
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
    /// faye-websocket. Sends no pings, and keeps no counts.
    Faye,
    /// flask-sock in the server of Werkzeug. Sends no pings, and keeps no counts.
    Flask,
    /// nginx, which ends a connection after 2 s of silence, in front of [`Target::Node`].
    Nginx,
    /// The same with the default of nginx, 60 s.
    NginxSlow,
    /// nginx with the module nchan: rooms without any protocol.
    Nchan,
    /// RabbitMQ, at the address of STOMP over WebSocket.
    RabbitMq,
    /// The same, where its Cowboy ends who is silent for 3 s.
    RabbitMqIdle,
    /// RabbitMQ, at the address of MQTT over WebSocket.
    RabbitMqMqtt,
}

impl Target {
    fn command(self) -> Command {
        match self {
            Self::Node => node("server.js", &[]),
            Self::NodeHeartbeat => node("server.js", &[("HEARTBEAT", "2")]),
            Self::NodeHeartbeatSlow => node("server.js", &[("HEARTBEAT", "30")]),
            Self::NodeDeflate(options) => node("server.js", &[("DEFLATE", options)]),
            Self::SocketIo => node("socket_io.js", &ONE_AND_ONE),
            Self::SocketIoSlow => node("socket_io.js", &[]),
            Self::SocketIoRooms => node("socket_io.js", &ONE_AND_TEN),
            Self::PythonSocketIo => python("socketio_server.py", &ONE_AND_ONE),
            Self::PythonSocketIoRooms => python("socketio_server.py", &ONE_AND_TEN),
            Self::GraphqlWs => node("graphql_ws.js", &[]),
            Self::Strawberry => python("strawberry_server.py", &[]),
            Self::RpcWebsockets => node("rpc_websockets.js", &[]),
            Self::Jayson => node("jayson.js", &[]),
            Self::ActionCable => puma(),
            Self::Ocpp => python("ocpp_server.py", &[]),
            Self::Python => python("server.py", &[]),
            Self::PythonHeartbeat => python("server.py", &ONE_AND_ONE),
            Self::Aiohttp => python("aiohttp_server.py", &[("HEARTBEAT", "2")]),
            Self::Tornado => python(
                "tornado_server.py",
                &[("PING_INTERVAL", "2"), ("PING_TIMEOUT", "1")],
            ),
            Self::Picows => python("picows_server.py", &ONE_AND_ONE),
            Self::Faye => node("faye.js", &[]),
            Self::Flask => python("flask_server.py", &[]),
            Self::Nginx
            | Self::NginxSlow
            | Self::Nchan
            | Self::RabbitMq
            | Self::RabbitMqIdle
            | Self::RabbitMqMqtt => {
                unreachable!("says not where it listens, and is started by a configuration")
            }
        }
    }
}

const ONE_AND_ONE: [(&str, &str); 2] = [("PING_INTERVAL", "1"), ("PING_TIMEOUT", "1")];
const ONE_AND_TEN: [(&str, &str); 2] = [("PING_INTERVAL", "1"), ("PING_TIMEOUT", "10")];

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

fn puma() -> Command {
    let puma = Path::new("/usr/bin/puma");
    assert_set_up(puma);
    let mut command = process::command(puma);
    command
        .args(["--quiet", "--threads", "4:4"])
        .args(["--bind", "tcp://127.0.0.1:0", "config.ru"])
        .current_dir(targets().join("ruby"));
    command
}

/// The command that runs a reader of another project, by the end of its script's name.
pub fn reader(script: &str) -> Command {
    match script.ends_with(".js") {
        true => node(script, &[]),
        false => python(script, &[]),
    }
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
    child: Leashed,
    address: SocketAddr,
    /// Where it tells its counts.
    counts: (SocketAddr, &'static str),
    /// What has to be there as long as it runs: servers, folders, its standard output.
    needed: Vec<Box<dyn Any + Send>>,
}

impl RealServer {
    /// Starts the server and waits until it listens.
    pub fn start(target: Target) -> Self {
        // A server inherits the limit, and many systems begin with 1,024 descriptors.
        rlimit::increase_nofile_limit(u64::MAX).unwrap();
        match target {
            Target::Nginx => return configured::nginx("2s"),
            Target::NginxSlow => return configured::nginx("60s"),
            Target::Nchan => return configured::nchan(),
            Target::RabbitMq => return configured::rabbitmq(Protocol::Stomp, 60_000),
            Target::RabbitMqIdle => return configured::rabbitmq(Protocol::Stomp, 3000),
            Target::RabbitMqMqtt => return configured::rabbitmq(Protocol::Mqtt, 60_000),
            _ => {}
        }
        let mut child = target
            .command()
            .env("PORT", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map(Leashed)
            .unwrap_or_else(|error| {
                panic!("failed to start the {target:?} target: {error}\nhint: run `scripts/test`")
            });
        let mut output = BufReader::new(child.0.stdout.take().unwrap()).lines();
        // If it cannot listen, it ends at once, and its output ends too.
        let address = output.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, address) = line.split_once("istening on ")?;
            address.split_once("://")?.1.parse().ok()
        });
        let Some(address) = address else {
            panic!("the {target:?} target did not say where it listens");
        };
        Self {
            child,
            address,
            counts: (address, "/counts"),
            needed: vec![Box::new(output)],
        }
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
        let (address, path) = self.counts;
        let mut socket = TcpStream::connect(address).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        write!(
            socket,
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut response = String::new();
        socket.read_to_string(&mut response).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").expect("a whole response");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        RealCounts::read(body)
    }

    /// Waits, at most ten seconds, until this many connections have opened and ended, and returns the counts.
    pub fn counts_when_closed(&self, connections: u64) -> RealCounts {
        self.counts_when(|counts| {
            ["opened", "closed"].map(|name| counts.number(name)) == [connections; 2]
        })
    }

    /// Waits, at most ten seconds, until its counts are so, and returns them.
    pub fn counts_when(&self, are_so: impl Fn(&RealCounts) -> bool) -> RealCounts {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let counts = self.counts();
            if are_so(&counts) {
                return counts;
            }
            assert!(Instant::now() < deadline, "never as awaited: {counts:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The counts of a real server; those of the echo servers have the names of `wsbench::server::Counts`.
#[derive(Debug, Clone, PartialEq)]
pub struct RealCounts(Value);

impl RealCounts {
    /// Reads JSON, or lines that end with a number: `name: 7`, or `name{label="…"} 7` of Prometheus.
    fn read(text: &str) -> Self {
        if text.starts_with('{') {
            return Self(serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}")));
        }
        let numbers = text.lines().filter_map(|line| {
            let (name, number) = line.rsplit_once(' ')?;
            let number: u64 = number.parse().ok()?;
            Some((name.trim_end_matches(':').to_owned(), number.into()))
        });
        Self(Value::Object(numbers.collect::<Map<_, _>>()))
    }

    /// One count: `opened`, `closed`, `text`, `binary`, `bytes`, `pings` or `pongs` of an echo server; the others tell in
    /// `tests/targets` which they have.
    #[track_caller]
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
