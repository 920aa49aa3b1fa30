//! The tests, and the parts that this program plays in them.
#![expect(clippy::print_stdout, reason = "a program that says what it saw")]

use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, panic, process, thread};

use wsbench::host::{Faults, NamespaceError, TargetProcess, Watch, administers_network, enter};
use wsbench::scenario::{Signal, TargetFault};

/// Names the part this program is to play; its arguments follow, with spaces between.
const PART: &str = "WSBENCH_TEST_PART";
/// Nobody.
const ORDINARY_USER: u32 = 65_534;

/// No client gets a port here.
const OWN_ADDRESS: (&str, u16) = ("127.99.0.1", 0);

/// As with the usual harness: all tests, or those whose names hold an argument.
const TESTS: &[(&str, fn())] = &[
    (
        "an_ordinary_user_gets_a_network",
        an_ordinary_user_gets_a_network,
    ),
    ("threads_are_in_the_way", threads_are_in_the_way),
    ("what_is_forbidden_is_named", what_is_forbidden_is_named),
    (
        "a_frozen_process_outlives_a_killed_wsbench",
        a_frozen_process_outlives_a_killed_wsbench,
    ),
    (
        "a_command_does_not_outlive_a_killed_wsbench",
        a_command_does_not_outlive_a_killed_wsbench,
    ),
];

pub(super) fn main() {
    if let Ok(part) = env::var(PART) {
        let words: Vec<&str> = part.split(' ').collect();
        return play(&words);
    }
    wsbench::cli::keep_inherited_descriptors();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let filters = || {
        arguments
            .iter()
            .filter(|argument| !argument.starts_with('-'))
    };
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in TESTS {
            println!("{name}: test");
        }
        return;
    }
    let is_meant = |name: &str| filters().next().is_none() || filters().any(|f| name.contains(f));
    let mut failed = 0;
    for (name, test) in TESTS.iter().filter(|(name, _)| is_meant(name)) {
        let passed = panic::catch_unwind(test).is_ok();
        println!("test {name} ... {}", if passed { "ok" } else { "FAILED" });
        failed += u8::from(!passed);
    }
    process::exit(i32::from(failed > 0));
}

fn play(words: &[&str]) {
    match words {
        ["network", outside] => network(outside.parse().unwrap()),
        ["threads"] => with_threads(),
        ["forbidden"] => forbidden(),
        ["freeze", pid] => freeze(pid.parse().unwrap()),
        ["command", port] => command(port.parse().unwrap()),
        _ => panic!("no such part: {words:?}"),
    }
}

fn an_ordinary_user_gets_a_network() {
    let outside = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = outside.local_addr().unwrap().port();
    let said = Part::start_as_ordinary_user(&format!("network {port}")).end();
    if let Some(why) = said.strip_prefix("forbidden: ") {
        assert!(forbids_namespaces(), "{why}");
        return;
    }
    assert_eq!(said, "entered\n");
}

fn network(outside: u16) {
    assert!(!administers_network(), "an ordinary user");
    match enter() {
        Err(NamespaceError::Forbidden { why }) => return println!("forbidden: {why}"),
        other => other.unwrap(),
    }
    assert!(administers_network());
    assert!(
        TcpStream::connect(("127.0.0.1", outside)).is_err(),
        "another network"
    );

    let origin = Instant::now();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let watch = Watch::start(listener.local_addr().unwrap().port()).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let sockets = watch.stop(origin).unwrap();
    let port = client.local_addr().unwrap().port();
    assert_eq!(sockets.ends.len(), 1);
    assert_eq!(sockets.ends[0].client_port, port);
    println!("entered");
}

/// Whether a switch that is known to forbid them is set.
fn forbids_namespaces() -> bool {
    let is = |file: &str, value| {
        fs::read_to_string(format!("/proc/sys/{file}")).is_ok_and(|text| text.trim() == value)
    };
    is("user/max_user_namespaces", "0")
        || is("kernel/unprivileged_userns_clone", "0")
        || is("kernel/apparmor_restrict_unprivileged_userns", "1")
        // seccomp, as in a container.
        || fs::read_to_string("/proc/self/status").unwrap().contains("\nSeccomp:\t2")
}

fn threads_are_in_the_way() {
    assert_eq!(Part::start("threads").end(), "2 threads\n");
}

fn with_threads() {
    let (end, told) = std::sync::mpsc::channel::<()>();
    let other = thread::spawn(move || told.recv().is_err());
    match enter() {
        Err(NamespaceError::Threads(threads)) => println!("{threads} threads"),
        other => panic!("{other:?}"),
    }
    drop(end);
    assert!(other.join().unwrap());
}

fn what_is_forbidden_is_named() {
    let said = Part::start_as_ordinary_user("forbidden").end();
    assert!(
        said.starts_with("enter a network of its own: this system forbids user namespaces ("),
        "{said}"
    );
    assert!(
        said.contains("\nhint: `vanish` needs the right CAP_NET_ADMIN"),
        "{said}"
    );
}

fn forbidden() {
    // In a first namespace of its own it may forbid any further one; where there is none, all is said.
    let outer = enter();
    if outer.is_ok() {
        fs::write("/proc/sys/user/max_user_namespaces", "0").unwrap();
    }
    println!("{}", outer.and_then(|()| enter()).unwrap_err());
}

fn a_frozen_process_outlives_a_killed_wsbench() {
    let mut sleep = Command::new("sleep").arg("600").spawn().unwrap();
    let mut part = Part::start(&format!("freeze {}", sleep.id()));
    assert_eq!(part.line(), "measuring");
    until("it is stopped", || state(sleep.id()) == Some('T'));
    part.kill();
    until("it goes on", || state(sleep.id()) == Some('S'));
    sleep.kill().unwrap();
    sleep.wait().unwrap();
}

fn freeze(pid: u32) {
    let target = TargetProcess::attach(pid).unwrap();
    let faults = Faults::start(&target, &[endless()]).unwrap();
    faults.measuring(Instant::now());
    println!("measuring");
    wait_for_the_end();
}

fn a_command_does_not_outlive_a_killed_wsbench() {
    let port = {
        let free = TcpListener::bind(OWN_ADDRESS).unwrap();
        free.local_addr().unwrap().port()
    };
    let mut part = Part::start(&format!("command {port}"));
    let pid = part.line().parse().unwrap();
    until("it is stopped", || state(pid) == Some('T'));
    part.kill();
    until("it has ended", || matches!(state(pid), None | Some('Z')));
    until("nobody listens", || {
        TcpStream::connect((OWN_ADDRESS.0, port)).is_err()
    });
}

fn command(port: u16) {
    // Through a shell that stays, so that there are two processes to end.
    let (wsbench, host) = (env!("CARGO_BIN_EXE_wsbench"), OWN_ADDRESS.0);
    let script = format!("'{wsbench}' serve --host {host} --port {port} & wait");
    let command = ["sh", "-c", &script].map(str::to_owned);
    let target = TargetProcess::start(&command, host, port).unwrap();
    let faults = Faults::start(&target, &[endless()]).unwrap();
    faults.measuring(Instant::now());
    println!("{}", target.pid());
    wait_for_the_end();
}

fn endless() -> TargetFault {
    TargetFault {
        kind: Signal::Stop,
        after: Duration::ZERO,
        lasts: Duration::from_secs(600),
        repeat: 1,
        every: Duration::from_secs(1200),
        phase: Duration::ZERO,
    }
}

/// Killed, or left by the test.
fn wait_for_the_end() {
    let _ = std::io::stdin().read(&mut [0]);
}

/// The letter of a process's state; `None` if there is no such process.
fn state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds() {
        assert!(Instant::now() < deadline, "not within ten seconds: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// This program again, in a part. Ends with its value.
struct Part {
    child: Child,
    output: BufReader<ChildStdout>,
    /// Where its program is, if that is a copy.
    _folder: Option<tempfile::TempDir>,
}

impl Part {
    fn start(part: &str) -> Self {
        Self::spawn(Command::new(env::current_exe().unwrap()), part, None)
    }

    /// Root starts it as nobody, from a copy that nobody may run.
    fn start_as_ordinary_user(part: &str) -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self::start(part);
        }
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let copy = folder.path().join("alone");
        fs::copy(env::current_exe().unwrap(), &copy).unwrap();
        let mut command = Command::new(copy);
        command.uid(ORDINARY_USER).gid(ORDINARY_USER);
        Self::spawn(command, part, Some(folder))
    }

    fn spawn(mut command: Command, part: &str, folder: Option<tempfile::TempDir>) -> Self {
        command
            .env(PART, part)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self {
            child,
            output,
            _folder: folder,
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end, which must be a good one, and returns what it said.
    fn end(mut self) -> String {
        let mut said = String::new();
        self.output.read_to_string(&mut said).unwrap();
        assert!(self.child.wait().unwrap().success(), "{said}");
        said
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // It has ended, or a test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
