//! Bad clients over a Unix socket, in front of the built-in server; and what the kernel does not tell there.

use std::net::SocketAddr;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;

use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::runtime::Builder;

use super::common::run::{Run, trusted};
use super::common::{Pong, Running, Script, Server};
use super::secure::{MISBEHAVED, SERVER};
use super::server::Serve;

/// A new folder with the socket `a.sock`, which leads to a server until the test ends.
pub(super) fn door(server: SocketAddr) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path: &Path = folder.path();
    let listener = UnixListener::bind(path.join("a.sock")).unwrap();
    listener.set_nonblocking(true).unwrap();
    thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::UnixListener::from_std(listener).unwrap();
            while let Ok((mut client, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(server).await?;
                    server.set_nodelay(true)?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
    });
    folder
}

#[test]
fn a_correct_server_keeps_its_promises_over_a_unix_socket() {
    let attempt = || {
        let server = Serve::start(&SERVER);
        let scenario = format!(
            r#"
            name = "unix"
            target = {{ url = "ws://localhost/", unix = "a.sock", close_timeout = "500ms" }}
            load.duration = "3s"
            [[cohort]]
            name = "healthy"
            connections = 20
            heartbeat = {{ interval = "300ms" }}
            contract = {{ closed = 0 }}
            {MISBEHAVED}
            "#
        );
        let folder = door(server.address());
        let ended = Running::start_in(folder, &scenario, &["--quiet"], &[]).end();
        let report = ended.report();
        (Run { ended, report }, ())
    };
    let (run, ()) = trusted(attempt);
    run.assert_passed();
    assert!(run.report.warnings().contains(&"times_of_reads"));
}

/// Nothing is acknowledged there, so it is not known whether the process hangs.
#[test]
fn a_server_that_falls_silent_behind_a_unix_socket_misses_pongs() {
    let server = Server::start(Script {
        pong: Pong::Never,
        ..Script::default()
    });
    let scenario = r#"
        name = "silent"
        target = { url = "ws://localhost/", unix = "a.sock" }
        load = { connections = 3, duration = "800ms" }
        heartbeat = { interval = "100ms", timeout = "100ms" }
        "#;
    let folder = door(server.address());
    let ended = Running::start_in(folder, scenario, &["--quiet"], &[]).end();
    assert_eq!(ended.report().errors(), [("missed_pong", 3)].into());
}
