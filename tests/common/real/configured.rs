//! Servers that are told by a file where to listen. None can choose a free port itself, so each gets ports that were just
//! free, and others if one of them is taken.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{Leashed, RealServer, Target, assert_set_up, path_in, process, targets};

/// nginx in front of [`Target::Node`].
pub(super) fn nginx(read_timeout: &str) -> RealServer {
    started(|[address]| {
        let behind = RealServer::start(Target::Node);
        let places = [
            ("@behind@", behind.address.to_string()),
            ("@read_timeout@", read_timeout.to_owned()),
        ];
        let mut server = nginx_at(address, "nginx.conf", &places);
        server.counts = behind.counts;
        server.needed.push(Box::new(behind));
        server
    })
}

/// nginx with nchan.
pub(super) fn nchan() -> RealServer {
    started(|[address]| nginx_at(address, "nchan.conf", &[]))
}

fn nginx_at(address: SocketAddr, file: &str, places: &[(&str, String)]) -> RealServer {
    let folder = tempfile::tempdir().unwrap();
    let listen = [("@listen@", address.to_string())];
    let settings = filled(&format!("nginx/{file}"), &[&listen, places].concat());
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
    RealServer {
        child: Leashed(child),
        address,
        counts: (address, "/counts"),
        needed: vec![Box::new(folder)],
    }
}

/// What is spoken over the WebSocket of a broker.
#[derive(Clone, Copy)]
pub(super) enum Protocol {
    Stomp,
    Mqtt,
}

/// RabbitMQ with STOMP and MQTT over WebSocket, as a node of its own: with its own name, data and name service. Below STOMP,
/// a client that is silent for so many milliseconds is ended.
pub(super) fn rabbitmq(protocol: Protocol, idle_ms: u32) -> RealServer {
    started(|[stomp, mqtt, metrics, nodes, names]| {
        let program = Path::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
        assert_set_up(program);
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let file = |name| folder.path().join(name);
        let port = |address: SocketAddr| address.port().to_string();
        let places = [stomp, mqtt, metrics].map(port);
        let mut places: Vec<_> = ["@stomp@", "@mqtt@", "@metrics@"]
            .into_iter()
            .zip(places)
            .collect();
        places.push(("@idle@", idle_ms.to_string()));
        fs::write(
            file("rabbitmq.conf"),
            filled("rabbitmq/rabbitmq.conf", &places),
        )
        .unwrap();
        fs::copy(
            targets().join("rabbitmq/enabled_plugins"),
            file("enabled_plugins"),
        )
        .unwrap();
        let start = |program: &Path| {
            let mut command = process::command(program);
            command
                .env("ERL_EPMD_ADDRESS", "127.0.0.1")
                .env("ERL_EPMD_PORT", port(names))
                .stdin(Stdio::null())
                .stdout(fs::File::create(file("output.txt")).unwrap());
            command
        };
        // Else the node would start one that stays.
        let names = start(Path::new("epmd")).spawn().map(Leashed).unwrap();
        let mut server = start(program);
        server
            .env("HOME", folder.path())
            .env(
                "RABBITMQ_NODENAME",
                format!("wsbench{}@localhost", port(nodes)),
            )
            .env("RABBITMQ_DIST_PORT", port(nodes))
            .env("RABBITMQ_MNESIA_BASE", file("data"))
            .env("RABBITMQ_LOG_BASE", file("log"))
            // Of one whose port was taken meanwhile.
            .env("ERL_CRASH_DUMP", file("erl_crash.dump"))
            .env("RABBITMQ_CONFIG_FILE", file("rabbitmq"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", file("enabled_plugins"))
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1}",
            )
            // Its script becomes the server instead of a parent that outlives a kill.
            .env("detached", "true");
        RealServer {
            child: Leashed(server.spawn().unwrap()),
            address: match protocol {
                Protocol::Stomp => stomp,
                Protocol::Mqtt => mqtt,
            },
            counts: (metrics, "/metrics"),
            needed: vec![Box::new(names), Box::new(folder)],
        }
    })
}

/// A file of the targets, with these texts in place of others.
fn filled(file: &str, places: &[(&str, String)]) -> String {
    let template = fs::read_to_string(targets().join(file)).unwrap();
    places
        .iter()
        .fold(template, |text, (place, value)| text.replace(place, value))
}

/// Starts a server at ports that are free, until one attempt finds them still free.
fn started<const N: usize>(start: impl Fn([SocketAddr; N]) -> RealServer) -> RealServer {
    for _ in 0..5 {
        let free = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let addresses = free.each_ref().map(|free| free.local_addr().unwrap());
        drop(free);
        let mut server = start(addresses);
        if listens(&mut server) {
            return server;
        }
    }
    panic!("the server found no free port, or says above what is wrong");
}

/// Waits until it accepts connections and tells its counts; returns false if it has ended instead.
fn listens(server: &mut RealServer) -> bool {
    let deadline = Instant::now() + Duration::from_secs(60);
    while server.child.0.try_wait().unwrap().is_none() {
        let needed = [server.address, server.counts.0];
        if needed.iter().all(|at| TcpStream::connect(at).is_ok()) {
            return true;
        }
        assert!(Instant::now() < deadline, "the server listens nowhere");
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}
