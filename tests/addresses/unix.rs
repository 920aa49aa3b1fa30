//! Unix sockets: dialled like TCP, as far as they can be.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

use super::common::{Act, Running, Script, Server, When};
use super::{refused, scenario};

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
    let script = Script::act(When::After(Duration::from_millis(300)), Act::Fin);
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
        (
            unix("")
                + "contract = { from = \"fault\", reaped_between = [\"1s\", \"2s\"] }\nfault = { kind = \"hold\", after = \"500ms\" }",
            "by the clients' ports, and a Unix socket has none",
        ),
    ] {
        let said = refused(&text);
        assert!(said.contains(what) && said.contains("hint: "), "{said}");
    }
    let lists = "url = [\"ws://a/\", \"ws://b/\"]";
    let said = refused(&(scenario(lists, 1) + "[path]\nfreeze = { after = \"100ms\" }\n"));
    assert!(said.contains("`target.url` has several"), "{said}");
}
