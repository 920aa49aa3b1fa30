//! How clients get to servers: several by turns, over Unix sockets, by pinned names, by redirects.

mod common;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use common::run::run;
use common::{Handshake, Running, Script, Server, table};
use socket2::{Domain, SockAddr, Socket, Type};

/// The load of most tests: so many connections, and no message.
fn load(connections: u32) -> String {
    format!(
        "[load]\nconnections = {connections}\nramp_up = \"0s\"\nduration = \"500ms\"\nramp_down = \"0s\"\n"
    )
}

fn scenario(target: &str, connections: u32) -> String {
    format!(
        "name = \"addresses\"\n[target]\n{target}\n{}",
        load(connections)
    )
}

/// What `wsbench check` says against a scenario.
fn refused(scenario: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("test.toml"), scenario).unwrap();
    let ended = Running::call(folder, &["check", "test.toml"], &[]).end();
    assert_eq!(ended.code, 2, "{}", ended.stdout);
    ended.stderr
}

/// Listens on a Unix socket and passes all on to a server; a queue of `backlog`, and `pause` before each accept.
fn door(path: &Path, server: SocketAddr, backlog: i32, pause: Duration) {
    let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    listener.bind(&SockAddr::unix(path).unwrap()).unwrap();
    listener.listen(backlog).unwrap();
    let listener = UnixListener::from(std::os::fd::OwnedFd::from(listener));
    thread::spawn(move || {
        loop {
            thread::sleep(pause);
            let Ok((client, _)) = listener.accept() else {
                return;
            };
            let server = TcpStream::connect(server).unwrap();
            let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || pass(client, server, |server| server.shutdown(Shutdown::Write)));
            thread::spawn(move || {
                pass(back.0, back.1, |client: &UnixStream| {
                    client.shutdown(Shutdown::Write)
                })
            });
        }
    });
}

fn pass<W: Write>(mut from: impl Read, mut to: W, end: impl Fn(&W) -> io::Result<()>) {
    let _ = io::copy(&mut from, &mut to);
    let _ = end(&to);
}

#[test]
fn connections_go_to_servers_in_turn_by_their_weights() {
    let servers = [
        Server::start(Script::default()),
        Server::start(Script::default()),
    ];
    let [a, b] = servers.each_ref().map(Server::url);
    let target = format!("url = [\"{a}a\", {{ url = \"{b}b\", weight = 3 }}]");
    for workers in ["1", "2"] {
        let before = servers.each_ref().map(|server| server.log().opened());
        let run = run(&scenario(&target, 8), &["--workers", workers]);
        run.assert_passed();
        let after = servers.each_ref().map(|server| server.log().opened());
        assert_eq!([after[0] - before[0], after[1] - before[1]], [2, 6]);
    }
}

#[test]
fn the_server_of_each_connection_is_told_and_stays_the_same() {
    let servers = [
        Server::start(Script::default()),
        Server::start(Script::handshake(Handshake::Status(503, "no"))),
    ];
    let [a, b] = servers.each_ref().map(Server::url);
    let target = format!("url = [\"{a}\", \"{b}\"]");
    let text = scenario(&target, 4)
        + "reconnect = { initial = \"50ms\", max = \"50ms\", jitter = \"none\" }\n";
    let run = run(&text, &["--workers", "2"]);
    let rows = table(&run.ended.file("connections.csv"));
    let mut by_connection: BTreeMap<&str, &str> = BTreeMap::new();
    for row in &rows {
        assert_eq!(row["cause"], "http_status");
        by_connection.insert(&row["connection"], &row["server"]);
    }
    let second: BTreeMap<&str, &str> = [("1", &*b), ("3", &*b)].into();
    assert_eq!(by_connection, second);
    assert!(rows.len() > 4, "each was dialled again: {}", rows.len());
}

#[test]
fn what_the_list_says_is_said_of_one_cohort_too() {
    let servers = [
        Server::start(Script::default()),
        Server::start(Script::default()),
    ];
    let [a, b] = servers.each_ref().map(Server::url);
    let text = format!(
        "name = \"x\"\ntarget.url = \"{a}\"\n[load]\nduration = \"200ms\"\n[[cohort]]\nname = \"a\"\nconnections = 2\n\
         [[cohort]]\nname = \"b\"\nconnections = 3\ntarget = {{ url = [\"{b}x\", \"{b}y\"] }}\n"
    );
    run(&text, &[]).assert_passed();
    assert_eq!(
        servers.each_ref().map(|server| server.log().opened()),
        [2, 3]
    );
}

#[test]
fn a_placeholder_stands_in_the_path_of_each_server() {
    let server = Server::start(Script::default());
    let url = server.url();
    let target = format!("url = [\"{url}a/{{{{connection}}}}\", \"{url}b/{{{{connection}}}}\"]");
    run(&scenario(&target, 2), &[]).assert_passed();
    assert_eq!(server.log().opened(), 2);
}

#[test]
fn a_unix_socket_is_dialled_and_ends_like_tcp() {
    let server = Server::start(Script::default());
    let folder = tempfile::tempdir().unwrap();
    door(
        &folder.path().join("a.sock"),
        server.address(),
        64,
        Duration::ZERO,
    );
    let text = scenario("url = \"ws://chat.example.org/x\"\nunix = \"a.sock\"", 4)
        + "[[message]]\nname = \"m\"\nrate = \"20/s\"\n[heartbeat]\ninterval = \"100ms\"\ntimeout = \"1s\"\n";
    let ended = Running::start_in(folder, &text, &["--quiet"], &[]).end();
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    let report = ended.report();
    assert_eq!(report.count("connections.opened"), 4);
    assert_eq!(
        report.count("messages.sent"),
        report.count("messages.echoed")
    );
    assert_eq!(report.count("connections.lost"), 0);
    assert_eq!(server.log().violations(), [""; 0]);
}

#[test]
fn a_client_that_does_not_read_sees_the_end_over_a_unix_socket() {
    let script = Script::act(
        common::When::After(Duration::from_millis(300)),
        common::Act::Fin,
    );
    let server = Server::start(script);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    door(&path, server.address(), 64, Duration::ZERO);
    let text = format!(
        "name = \"x\"\ntarget.url = \"ws+unix:{}:/\"\n[load]\nduration = \"1s\"\n[[cohort]]\nname = \"deaf\"\nconnections = 1\n\
         fault = {{ kind = \"stop_reading\", after = \"100ms\" }}\n",
        path.display()
    );
    let ended = Running::start_in(folder, &text, &["--quiet"], &[]).end();
    assert_eq!(
        ended.report().count("closes.fin.peer"),
        1,
        "{}",
        ended.stdout
    );
}

#[test]
fn a_full_queue_of_a_unix_socket_loses_no_dial() {
    let server = Server::start(Script::default());
    let folder = tempfile::tempdir().unwrap();
    door(
        &folder.path().join("a.sock"),
        server.address(),
        1,
        Duration::from_millis(10),
    );
    let ended = Running::start_in(
        folder,
        &scenario("url = \"ws://h/\"\nunix = \"a.sock\"", 50),
        &["--quiet"],
        &[],
    )
    .end();
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    assert_eq!(ended.report().count("connections.opened"), 50);
}

#[test]
fn a_socket_that_is_not_there_or_full_for_good_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let full = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    full.bind(&SockAddr::unix(folder.path().join("full.sock")).unwrap())
        .unwrap();
    full.listen(0).unwrap();
    let dead = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    dead.bind(&SockAddr::unix(folder.path().join("dead.sock")).unwrap())
        .unwrap();
    let cohort = |name: &str, connections: u32| {
        format!(
            "[[cohort]]\nname = \"{name}\"\nconnections = {connections}\ntarget.unix = \"{name}.sock\"\n"
        )
    };
    let text = format!(
        "name = \"x\"\ntarget = {{ url = \"ws://h/\", connect_timeout = \"400ms\" }}\n[load]\nduration = \"200ms\"\n{}{}{}",
        cohort("gone", 1),
        cohort("dead", 1),
        cohort("full", 2),
    );
    let ended = Running::start_in(folder, &text, &["--quiet"], &[]).end();
    let report = ended.report();
    let errors = report.errors();
    // One is in the queue, and waits for its answer; the other one waits for room.
    assert_eq!(
        errors,
        [("connect_timeout", 2), ("refused", 1), ("unreachable", 1)].into()
    );
    let waits = report.examples("connect_timeout");
    assert!(
        waits.contains("room in the full queue of the Unix socket"),
        "{waits}"
    );
    assert!(report.examples("unreachable").contains("gone.sock"));
}

#[test]
fn what_a_unix_socket_cannot_do_is_refused_with_the_reason() {
    let unix = |more: &str| {
        format!(
            "name = \"x\"\ntarget.url = \"ws+unix:/run/a.sock\"\nload.duration = \"2s\"\n{more}[[cohort]]\nname = \"a\"\nconnections = 2\n"
        )
    };
    for (text, what) in [
        (
            unix("") + "fault = { kind = \"reset\", after = \"1s\" }",
            "a Unix socket has no RST",
        ),
        (
            unix("") + "fault = { kind = \"vanish\", after = \"1s\" }",
            "a Unix socket has no packets",
        ),
        (
            unix("path.freeze = { after = \"1s\" }\n"),
            "leads `a` to a port, and the target has a Unix socket",
        ),
        (
            unix("") + "target.proxy = \"http://proxy:3128\"",
            "which no proxy can dial",
        ),
        (
            unix("contract.released_within = \"1s\"\n"),
            "which listens on one port",
        ),
    ] {
        let said = refused(&text);
        assert!(said.contains(what) && said.contains("hint: "), "{said}");
    }
    let lists = "url = [\"ws://a/\", \"ws://b/\"]";
    let said = refused(&(scenario(lists, 1) + "[path]\nfreeze = { after = \"100ms\" }\n"));
    assert!(said.contains("`target.url` has several"), "{said}");
}
