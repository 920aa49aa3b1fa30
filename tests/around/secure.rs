//! Bad clients under TLS: what they do to a server that pings, and what is made of it.
//! The server is the built-in one, behind a proxy that ends TLS.

use std::fs;
use std::net::SocketAddr;
use std::thread::{self, JoinHandle};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::common::run::{Run, trusted};
use super::common::{Running, tls};
use super::server::Serve;

/// Ends TLS in front of a server; ends with its value.
struct Front {
    address: SocketAddr,
    /// Its certificate as PEM.
    certificate: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Front {
    fn of(server: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (tls, certificate) = tls();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::spawn(move || {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, tls, server) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            certificate,
            stop: Some(stop),
            thread: Some(thread),
        }
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

async fn accept(listener: std::net::TcpListener, tls: TlsAcceptor, server: SocketAddr) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let tls = tls.clone();
        tokio::spawn(async move {
            client.set_nodelay(true).unwrap();
            let mut client = tls.accept(client).await?;
            let mut server = TcpStream::connect(server).await?;
            server.set_nodelay(true)?;
            copy_bidirectional(&mut client, &mut server).await
        });
    }
}

/// The server pings every 400 ms and waits as long.
const SERVER: [&str; 4] = ["--heartbeat", "400ms", "--heartbeat-timeout", "400ms"];

/// Healthy clients beside these cohorts.
fn secure(cohorts: &str) -> Run {
    let attempt = || {
        let server = Serve::start(&SERVER);
        let address = server.url.strip_prefix("ws://").unwrap();
        let front = Front::of(address.parse().unwrap());
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), &front.certificate).unwrap();
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
        let ended = Running::start_in(folder, &scenario, &["--quiet"], &[]).end();
        let report = ended.report();
        (Run { ended, report }, ())
    };
    trusted(attempt).0
}

/// Each with a window that only what it does can meet.
#[test]
fn a_correct_server_keeps_its_promises_under_tls() {
    let run = secure(
        r#"
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
        "#,
    );
    run.assert_passed();
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
