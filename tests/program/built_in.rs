//! The built-in server lives as long as its run, however that ends.
//! Looks at processes through `/proc`, so on Linux only.

use std::io::ErrorKind;
use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use super::common::{Running, process};
use super::interrupts::scenario;

/// Waits for a condition, at most ten seconds.
#[track_caller]
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "not within ten seconds: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Starts a run against the built-in server, and returns it with the server's process once it has its clients.
fn with_built_in_server() -> (Running, u32) {
    let running = Running::start(&scenario("embedded", "0s"), &["--quiet"]);
    let mut server = None;
    wait_until("the built-in server has twenty clients", || {
        server = process::children(running.id()).first().copied();
        server.is_some_and(|server| process::sockets(server) > 20)
    });
    (running, server.unwrap())
}

#[test]
fn the_built_in_server_goes_with_a_killed_run() {
    let (running, server) = with_built_in_server();
    running.signal("KILL");
    let killed = Instant::now();
    assert_eq!(running.end().code, -9);
    wait_until("the built-in server is gone", || !process::is_alive(server));
    assert!(
        killed.elapsed() < Duration::from_secs(2),
        "{:?}",
        killed.elapsed()
    );
}

/// A terminal sends Ctrl-C to everyone in front of it: the server must outlive the closing of its clients.
#[test]
fn ctrl_c_lets_the_built_in_server_answer_the_last_close() {
    let (running, server) = with_built_in_server();
    running.signal_group("INT");
    let ended = running.end();
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    let report = ended.report();
    assert_eq!(report.closes(), [("1000.local", 20)].into());
    assert!(report.errors().is_empty(), "{:?}", report.errors());
    assert!(!process::is_alive(server));
}

/// A broker is for runs with agents alone, though the environment names one.
#[test]
fn a_run_on_one_machine_opens_no_connection_to_a_broker() {
    let broker = TcpListener::bind("127.0.0.1:0").unwrap();
    broker.set_nonblocking(true).unwrap();
    let address = format!("nats://{}", broker.local_addr().unwrap());
    let scenario = r#"
        name = "alone"
        target.url = "embedded"
        load = { connections = 3, ramp_up = "0s", duration = "1s" }
        message = [{ name = "echo", rate = "5/s" }]
    "#;
    let folder = tempfile::tempdir().unwrap();
    let environment = [("NATS_URL", address.as_str())];
    let ended = Running::start_in(folder, scenario, &["--quiet"], &environment).end();
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let asked = broker.accept().map(|(_, from)| from);
    assert_eq!(asked.unwrap_err().kind(), ErrorKind::WouldBlock);
}
