//! Bad clients under TLS: what they do to a server that pings, and what is made of it.
//! The server is the built-in one, behind a proxy that ends TLS.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::HandshakeKind;

use super::common::run::{Run, trusted};
use super::common::{Ended, Pong, Running, Script, Server, tls};
use super::server::Serve;

/// Ends TLS in front of a server; ends with its value.
pub(super) struct Front {
    pub(super) address: SocketAddr,
    /// Its certificate as PEM.
    certificate: String,
    seen: Arc<Mutex<Seen>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What it sees of its connections.
#[derive(Default)]
struct Seen {
    /// The address of each client.
    clients: Vec<IpAddr>,
    /// Each handshake of TLS.
    handshakes: Vec<HandshakeKind>,
}

impl Front {
    /// Starts in front of the built-in server.
    pub(super) fn of(server: &Serve) -> Self {
        Self::before(server.address())
    }

    /// Starts in front of any server.
    fn before(server: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (tls, certificate) = tls();
        let seen = Arc::<Mutex<Seen>>::default();
        let sees = seen.clone();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, tls, server, &sees) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            certificate,
            seen,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Returns a new folder with its certificate in `ca.pem`.
    pub(super) fn folder(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), &self.certificate).unwrap();
        folder
    }

    /// How many connections came from each address.
    pub(super) fn clients(&self) -> BTreeMap<String, u64> {
        let mut clients = BTreeMap::new();
        for client in &self.seen.lock().unwrap().clients {
            *clients.entry(client.to_string()).or_default() += 1;
        }
        clients
    }

    /// How many handshakes of this kind there were.
    fn handshakes(&self, kind: HandshakeKind) -> u64 {
        let seen = self.seen.lock().unwrap();
        let these = seen.handshakes.iter().filter(|seen| **seen == kind);
        these.count() as u64
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || thread::panicking(), "the front panicked");
        }
    }
}

async fn accept(
    listener: std::net::TcpListener,
    tls: TlsAcceptor,
    server: SocketAddr,
    seen: &Arc<Mutex<Seen>>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (client, from) = listener.accept().await.unwrap();
        seen.lock().unwrap().clients.push(from.ip());
        let (tls, seen) = (tls.clone(), seen.clone());
        tokio::spawn(async move {
            client.set_nodelay(true).unwrap();
            let mut client = tls.accept(client).await?;
            if let Some(kind) = client.get_ref().1.handshake_kind() {
                seen.lock().unwrap().handshakes.push(kind);
            }
            let mut server = TcpStream::connect(server).await?;
            server.set_nodelay(true)?;
            copy_bidirectional(&mut client, &mut server).await
        });
    }
}

/// The server pings every 400 ms and waits as long.
pub(super) const SERVER: [&str; 4] = ["--heartbeat", "400ms", "--heartbeat-timeout", "400ms"];

/// Healthy clients beside these cohorts.
fn secure(cohorts: &str) -> Run {
    let attempt = || {
        let ended = started(&SERVER, cohorts);
        let report = ended.report();
        (Run { ended, report }, ())
    };
    trusted(attempt).0
}

/// The same once, with the built-in server started with these arguments.
fn started(server: &[&str], cohorts: &str) -> Ended {
    let server = Serve::start(server);
    let front = Front::of(&server);
    let scenario = format!(
        r#"
            name = "secure"
            [target]
            url = "wss://{}/"
            ca = "ca.pem"
            close_timeout = "500ms"
            [load]
            duration = "3s"
            [[cohort]]
            name = "healthy"
            connections = 20
            heartbeat = {{ interval = "300ms" }}
            contract = {{ closed = 0 }}
            {cohorts}
            "#,
        front.address
    );
    Running::start_in(front.folder(), &scenario, &["--quiet"], &[]).end()
}

/// Bad clients of a correct server, each with a window that only what it does can meet.
pub(super) const MISBEHAVED: &str = r#"
        [[cohort]]
        name = "no_pong"
        connections = 5
        fault = { kind = "no_pong" }
        contract = { from = "ping", closed_between = ["350ms", "1s"], code = 1011, ends_with = "close_frame" }
        [[cohort]]
        name = "late"
        connections = 5
        fault = { kind = "late_pong", delay = "100ms" }
        contract = { alive_for = "2s" }
        [[cohort]]
        name = "too_late"
        connections = 5
        fault = { kind = "late_pong", delay = "1s" }
        contract = { from = "ping", closed_between = ["350ms", "1s"], code = 1011 }
        [[cohort]]
        name = "wrong_pong"
        connections = 5
        fault = { kind = "wrong_pong" }
        contract = { from = "ping", closed_between = ["350ms", "1s"], code = 1011 }
        [[cohort]]
        name = "stops"
        connections = 5
        fault = { kind = "pong_stops_after", pings = 2 }
        contract = { from = "ping", closed_between = ["350ms", "1s"], code = 1011 }
        [[cohort]]
        name = "illegal"
        connections = 5
        fault = { kind = "illegal_frame", frame = "long_ping", after = "700ms" }
        contract = { from = "fault", closed_between = ["0s", "500ms"], code = 1002 }
        [[cohort]]
        name = "half_close"
        connections = 5
        fault = { kind = "half_close", after = "700ms" }
        contract = { from = "fault", closed_between = ["0s", "500ms"], ends_with = "fin" }
        [[cohort]]
        name = "only"
        connections = 5
        fault = { kind = "only", frame = "ping", every = "100ms" }
        contract = { from = "ping", closed_between = ["350ms", "1s"], code = 1011 }
        [[cohort]]
        name = "close"
        connections = 5
        fault = [{ kind = "close", after = "700ms" }, { kind = "hold" }]
        contract = { close_answered_within = "500ms", close_code_echoed = true, tcp_end_within = "500ms" }
        [[cohort]]
        name = "fragments"
        connections = 5
        fault = { kind = "fragments", pause = "300ms" }
        heartbeat = { interval = "200ms" }
        contract = { alive_for = "2s", pong_within = "300ms" }
        [[cohort]]
        name = "trickle"
        connections = 5
        fault = { kind = "trickle", every = "100ms" }
        contract = { from = "ping", closed_between = ["350ms", "1s"], code = 1011 }
        "#;

#[test]
fn a_correct_server_keeps_its_promises_under_tls() {
    secure(MISBEHAVED).assert_passed();
}

#[test]
fn a_client_that_resets_or_does_not_read_is_played_under_tls() {
    let run = secure(
        r#"
        [[cohort]]
        name = "reset"
        connections = 5
        fault = { kind = "reset", after = "500ms" }
        [[cohort]]
        name = "deaf"
        connections = 5
        fault = { kind = "stop_reading", after = "500ms" }
        contract = { from = "fault", reaped_between = ["1400ms", "2300ms"] }
        "#,
    );
    run.assert_passed();
    let own = run.report.rows("totals", "errors.fault");
    let own = own.iter().find(|row| row["cohort"] == "reset");
    assert_eq!(own.unwrap()["count"], 5);
}

/// Where the right is there; elsewhere it is refused before anybody is dialled.
#[test]
fn clients_vanish_and_come_back_under_tls() {
    const GONE: &str = r#"
        [[cohort]]
        name = "gone"
        connections = 5
        fault = { kind = "vanish", after = "500ms" }
        contract = { from = "fault", reaped_between = ["1400ms", "2300ms"] }
        "#;
    const AWAY: &str = r#"
        [[cohort]]
        name = "away"
        connections = 5
        fault = { kind = "vanish", after = "500ms", for = "500ms" }
        heartbeat = { interval = "100ms", timeout = "200ms", on_dead = "keep" }
        contract = { from = "fault", closed = 0, detected_between = ["100ms", "500ms"], recovers_within = "1500ms" }
        "#;
    for (server, cohorts) in [(&SERVER[..], GONE), (&[], AWAY)] {
        if !wsbench::net::can_vanish() {
            let ended = started(server, cohorts);
            assert_eq!(ended.code, 2, "{}", ended.stderr);
            assert!(ended.stderr.contains("CAP_NET_ADMIN"), "{}", ended.stderr);
            continue;
        }
        let attempt = || {
            let ended = started(server, cohorts);
            let report = ended.report();
            (Run { ended, report }, ())
        };
        trusted(attempt).0.assert_passed();
    }
}

/// The ports of the clients tell which socket of the server is whose, under TLS too.
#[test]
fn the_server_is_seen_to_release_its_sockets_under_tls() {
    let run = secure(
        r#"
        [[cohort]]
        name = "closes"
        connections = 5
        fault = { kind = "close", after = "500ms" }
        contract = { from = "fault", released_within = "1s" }
        "#,
    );
    run.assert_passed();
    let (_, row) = run.report.promise("closes", "released_within");
    assert_eq!(row["observed_n"], 5, "{row}");
}

/// The kernel of who ends TLS still acknowledges.
#[test]
fn a_server_that_falls_silent_under_tls_is_seen_to_be_frozen() {
    let server = Server::start(Script {
        pong: Pong::Never,
        ..Script::default()
    });
    let front = Front::before(server.address());
    let scenario = format!(
        r#"
        name = "silent"
        target = {{ url = "wss://{}/", ca = "ca.pem" }}
        load = {{ connections = 3, duration = "800ms" }}
        heartbeat = {{ interval = "100ms", timeout = "100ms" }}
        "#,
        front.address
    );
    let ended = Running::start_in(front.folder(), &scenario, &["--quiet"], &[]).end();
    let report = ended.report();
    assert_eq!(report.errors(), [("peer_frozen", 3)].into());
    let rows = &report.connections;
    assert!(
        rows.len() == 3 && rows.iter().all(|row| row["tls"] == "1.3 full"),
        "{rows:?}"
    );
}

#[test]
fn the_path_leads_to_tls() {
    let server = Serve::start(&[]);
    let front = Front::of(&server);
    let scenario = format!(
        r#"
        name = "path"
        target = {{ url = "wss://{}/", ca = "ca.pem" }}
        load = {{ connections = 10, duration = "500ms" }}
        path.delay = "30ms"
        [[message]]
        name = "echo"
        rate = "5/s"
        [gates]
        pass = ["min(handshake.tls) >= 60ms", "min(latency.echo) >= 60ms", "count(connections.failed) == 0"]
        "#,
        front.address
    );
    let ended = Running::start_in(front.folder(), &scenario, &["--quiet"], &[]).end();
    assert_eq!(ended.code, 0, "{}", ended.stdout);
}

/// Whoever dials again resumes its own session, unless it shall not; the server counts the same.
#[test]
fn full_and_resumed_handshakes_are_counted_as_the_server_counts_them() {
    let server = Serve::start(&[]);
    let front = Front::of(&server);
    let scenario = format!(
        r#"
        name = "resumption"
        [target]
        url = "wss://{}/"
        ca = "ca.pem"
        [load]
        duration = "2s"
        [[step]]
        pause = "200ms"
        [[step]]
        reconnect = {{}}
        [[cohort]]
        name = "own"
        connections = 5
        [[cohort]]
        name = "off"
        connections = 5
        [cohort.target.tls]
        resumption = "off"
        [gates]
        pass = ["count(tls.resumed{{cohort=own}}) >= 5", "ratio(tls.full{{cohort=off}} / connections.opened{{cohort=off}}) == 100%"]
        "#,
        front.address
    );
    let ended = Running::start_in(front.folder(), &scenario, &["--quiet"], &[]).end();
    let report = ended.report();
    let count = |name: &str, cohort: &str| report.total_of(cohort, name);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let [full, resumed, opened] =
        ["tls.full", "tls.resumed", "connections.opened"].map(|name| count(name, "own"));
    assert_eq!((full, full + resumed), (5, opened));
    let off = count("tls.full", "off");
    assert_eq!(
        (off, count("tls.resumed", "off")),
        (count("connections.opened", "off"), 0)
    );
    assert_eq!(front.handshakes(HandshakeKind::Full), full + off);
    assert_eq!(front.handshakes(HandshakeKind::Resumed), resumed);
}
