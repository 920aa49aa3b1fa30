//! Tests the target's process as a run uses it: started, waited for, frozen on time, ended with all that it started.
//! Tests that need a process of their own are in `tests/alone.rs`.

#![cfg(target_os = "linux")]

mod common;

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::address;
use common::process::{children, command, is_alive};
use wsbench::host::{Faults, HostError, TargetProcess, fault_times, usage};
use wsbench::scenario::{Signal, TargetFault};
use wsbench::units::Timestamp;

const WSBENCH: &str = env!("CARGO_BIN_EXE_wsbench");

/// The shell command that runs the built-in server at an address.
fn serve(address: SocketAddr) -> String {
    let (host, port) = (address.ip(), address.port());
    format!("'{WSBENCH}' serve --host {host} --port {port}")
}

/// Starts the built-in server as a child of a shell, to test with a process that wsbench did not start itself.
fn start(address: SocketAddr) -> TargetProcess {
    start_script(&format!("{} & wait", serve(address)), address).unwrap()
}

fn start_script(script: &str, address: SocketAddr) -> Result<TargetProcess, HostError> {
    start_command(&["sh", "-c", script], address)
}

fn start_command(command: &[&str], address: SocketAddr) -> Result<TargetProcess, HostError> {
    let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
    TargetProcess::start(&command, &address.ip().to_string(), address.port())
}

fn freeze(lasts: Duration, repeat: u32) -> TargetFault {
    TargetFault {
        kind: Signal::Stop,
        after: Duration::ZERO,
        lasts,
        repeat,
        every: lasts * 3,
        phase: lasts,
    }
}

/// Whether the process is stopped (state `T`).
fn is_stopped(process: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    stat.rsplit_once(") ").unwrap().1.starts_with('T')
}

/// Waits until a condition holds, at most ten seconds.
fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "not within ten seconds: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A process that wsbench did not start.
struct Sleeper(Child);

impl Sleeper {
    fn start() -> Self {
        let mut sleep = command("sleep");
        Self(sleep.arg("600").stdin(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_command_listens_when_it_is_started_and_ends_with_all_that_it_started() {
    let address = address::free();
    let target = start(address);
    let (shell, family) = (target.pid(), children(target.pid()));
    assert_eq!(family.len(), 1);
    assert_eq!(target.ended(), None);
    let _client = TcpStream::connect(address).unwrap();
    until("it has said where it listens", || {
        target.last_lines().concat().contains("listening on")
    });
    let used = usage(shell).unwrap();
    assert!(used.rss > 1 << 20 && used.descriptors > 6, "{used:?}");

    drop(target);
    assert!(!is_alive(shell));
    until("the server has ended", || !is_alive(family[0]));
}

#[test]
fn a_command_that_ends_too_soon_is_told_with_its_last_words() {
    let error = start_script("echo one; echo two >&2; exit 7", address::free()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("start `target.command`: `sh` ended with status 7 before it listened on"),
        "{text}"
    );
    assert!(text.contains("\n  | one\n  | two\nhint: "), "{text}");
}

#[test]
fn a_command_that_cannot_be_run_is_told() {
    let error = start_command(&["no-such-program"], address::free()).unwrap_err();
    assert!(matches!(error, HostError::Run { ref program, .. } if program == "no-such-program"));
    let error = start_command(&[], address::free()).unwrap_err();
    assert!(matches!(error, HostError::Run { .. }), "{error}");
}

#[test]
fn a_server_that_is_there_already_is_not_taken_for_the_command() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let error = start_script("exit 0", listener.local_addr().unwrap()).unwrap_err();
    assert!(matches!(error, HostError::Taken { .. }), "{error}");
}

#[test]
fn a_command_that_takes_no_hint_is_killed() {
    let address = address::free();
    let script = format!(
        "trap '' TERM; {} & while :; do sleep 1; done",
        serve(address)
    );
    let target = start_script(&script, address).unwrap();
    let shell = target.pid();
    let began = Instant::now();
    drop(target);
    assert!(!is_alive(shell));
    assert!(began.elapsed() >= Duration::from_secs(3));
}

#[test]
fn a_freeze_holds_the_whole_group_and_ends_with_the_run() {
    let target = start(address::free());
    let server = children(target.pid())[0];
    let faults = Faults::start(&target, &[freeze(Duration::from_secs(600), 1)]).unwrap();
    assert!(!is_stopped(server), "nothing happens before measuring");
    let from = Instant::now();
    faults.measuring(from);
    until("all are stopped", || {
        is_stopped(target.pid()) && is_stopped(server)
    });

    let told = faults.stop();
    until("all go on", || {
        !is_stopped(target.pid()) && !is_stopped(server)
    });
    assert_eq!(told.failed, None);
    let [freeze] = told.happened[..] else {
        panic!("{told:?}");
    };
    assert_eq!(freeze.kind, Signal::Stop);
    assert!(freeze.began >= from && freeze.ended.unwrap() <= Instant::now());
}

#[test]
fn freezes_come_at_their_times_and_sigterm_after_them() {
    let target = start(address::free());
    let freezes = freeze(Duration::from_millis(30), 4);
    let terminate = TargetFault {
        kind: Signal::Terminate,
        after: Duration::from_millis(500),
        ..freeze(Duration::ZERO, 1)
    };
    let faults = Faults::start(&target, &[terminate, freezes.clone()]).unwrap();
    let from = Instant::now();
    faults.measuring(from);
    // A second start time has no effect.
    faults.measuring(from + Duration::from_secs(600));
    until("it has ended", || target.ended().is_some());

    let told = faults.stop();
    let kinds: Vec<Signal> = told.happened.iter().map(|h| h.kind).collect();
    let stop = Signal::Stop;
    assert_eq!(kinds, [stop, stop, stop, stop, Signal::Terminate]);
    for (happened, planned) in told.happened.iter().zip(fault_times(&freezes)) {
        assert!(happened.began >= from + planned.from);
        assert!(happened.ended.unwrap() >= from + planned.until.unwrap());
    }
    let incident = told.happened[4].incident(from);
    assert_eq!((incident.kind.name(), incident.ended_ns), ("sigterm", None));
    assert!(incident.began_ns >= Timestamp::from_nanos(500_000_000));
}

#[test]
fn freezes_that_overlap_are_one() {
    let target = start(address::free());
    let ms = Duration::from_millis;
    let first = freeze(ms(50), 1);
    let second = TargetFault {
        after: ms(30),
        ..freeze(ms(60), 1)
    };
    let end = TargetFault {
        kind: Signal::Terminate,
        after: ms(200),
        ..freeze(ms(0), 1)
    };
    let faults = Faults::start(&target, &[first, second, end]).unwrap();
    let from = Instant::now();
    faults.measuring(from);
    until("it has ended", || target.ended().is_some());
    let told = faults.stop();
    assert_eq!(told.happened.len(), 2, "{told:?}");
    assert!(told.happened[0].ended.unwrap() >= from + ms(90));
}

#[test]
fn a_process_that_was_there_is_frozen_and_left_as_it_was() {
    let sleeper = Sleeper::start();
    let pid = sleeper.0.id();
    let target = TargetProcess::attach(pid).unwrap();
    assert_eq!(target.pid(), pid);
    let faults = Faults::start(&target, &[freeze(Duration::from_secs(600), 1)]).unwrap();
    faults.measuring(Instant::now());
    until("it is stopped", || is_stopped(pid));
    // Drops the faults, as when a run breaks off.
    drop(faults);
    until("it goes on", || !is_stopped(pid));
    drop(target);
    assert!(is_alive(pid));
}

#[test]
fn what_cannot_be_reached_is_refused() {
    let gone = {
        let sleeper = Sleeper::start();
        sleeper.0.id()
    };
    for (pid, why) in [
        (gone, "there is no such process"),
        (0, "there is no such process"),
        (u32::MAX, "there is no such process"),
        (std::process::id(), "it is wsbench itself"),
    ] {
        let error = TargetProcess::attach(pid).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("reach process {pid} of `target.pid`: {why}")
        );
    }
}
