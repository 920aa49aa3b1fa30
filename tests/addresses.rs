//! How clients get to servers: several by turns, over Unix sockets, by pinned names, by redirects.

mod common;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use common::run::run;
use common::{Handshake, Reception, Running, Script, Server, table};
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

/// A server that gives each request the answer of `answer`, and tells the heads of all.
struct Answering {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Answering {
    fn start(answer: impl Fn(usize) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let told = heads.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.unwrap();
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && matches!(client.read(&mut byte), Ok(1)) {
                    head.push(byte[0]);
                }
                let mut told = told.lock().unwrap();
                told.push(String::from_utf8(head).unwrap());
                let _ = client.write_all(answer(told.len()).as_bytes());
            }
        });
        Self { address, heads }
    }

    /// Sends all to this place.
    fn redirecting(status: u16, location: &str) -> Self {
        let answer = format!(
            "HTTP/1.1 {status} Elsewhere\r\nLocation: {location}\r\nSet-Cookie: seen=1\r\nContent-Length: 0\r\n\r\n"
        );
        Self::start(move |_| answer.clone())
    }

    fn url(&self) -> String {
        format!("ws://{}/from", self.address)
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
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

const SECRETS: &str = "headers = { Authorization = \"Bearer s3cret-token\", Cookie = \"sid=s3cret-cookie\", X-Room = \"a\" }";

#[test]
fn a_redirect_is_followed_and_credentials_stay_with_their_origin() {
    let last = Reception::open();
    let between = Answering::redirecting(307, &last.url("127.0.0.1"));
    let first = Answering::redirecting(302, &format!("http://{}/between?a=b", between.address));
    let target = format!("url = \"{}\"\nredirects = 2\n{SECRETS}", first.url());
    let run = run(&scenario(&target, 1), &[]);
    run.assert_passed();
    assert_eq!(run.report.count("handshake.redirects"), 2);
    let asked = first.heads().remove(0);
    assert!(
        asked.contains("Bearer s3cret-token") && asked.contains("sid=s3cret-cookie"),
        "{asked}"
    );
    let asked = between.heads().remove(0);
    assert!(
        asked.starts_with("GET /between?a=b HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(
        asked.contains(&format!("Host: {}\r\n", between.address)),
        "{asked}"
    );
    assert!(
        asked.contains("X-Room: a") && !asked.contains("s3cret"),
        "{asked}"
    );
    let visit = last.visits().remove(0);
    assert_eq!(visit.header("authorization"), None);
    assert_eq!(visit.header("x-room").as_deref(), Some("a"));
}

#[test]
fn a_redirect_within_its_origin_keeps_credentials_and_sets_cookies() {
    let answers = |count: usize| {
        match count {
        1 => "HTTP/1.1 301 Moved\r\nLocation: ../to\r\nSet-Cookie: seen=1\r\nContent-Length: 0\r\n\r\n".to_owned(),
        _ => "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned(),
    }
    };
    let server = Answering::start(answers);
    let target = format!("url = \"{}\"\nredirects = 5\n{SECRETS}", server.url());
    let run = run(&scenario(&target, 1), &[]);
    assert_eq!(run.report.errors(), [("http_status", 1)].into());
    let heads = server.heads();
    assert!(heads[1].starts_with("GET /to HTTP/1.1\r\n"), "{}", heads[1]);
    assert!(heads[1].contains("Bearer s3cret-token"), "{}", heads[1]);
    assert!(
        heads[1].contains("sid=s3cret-cookie; seen=1"),
        "{}",
        heads[1]
    );
}

#[test]
fn a_name_that_only_a_redirect_tells_is_looked_up_and_that_is_timed() {
    let last = Reception::open();
    let first = Answering::redirecting(307, &last.url("localhost"));
    let target = "redirects = 1\nfamily = \"ipv4\"";
    let target = format!("url = \"{}\"\n{target}", first.url());
    let run = run(&scenario(&target, 1), &[]);
    run.assert_passed();
    let rows = run.report.rows("metrics", "handshake.dns");
    assert_eq!(rows[0]["count"], 1, "{rows:?}");
}

#[test]
fn redirects_that_are_not_followed_say_why() {
    let ring = Answering::redirecting(308, "/again");
    let lost = Answering::redirecting(302, "mailto:me");
    for (target, redirects, followed, why) in [
        (ring.url(), 0, None, "Location: /again"),
        (ring.url(), 3, Some(3), "not followed after 3 others"),
        (lost.url(), 3, Some(0), "it leads to no address of a server"),
    ] {
        let run = run(
            &scenario(&format!("url = \"{target}\"\nredirects = {redirects}"), 1),
            &[],
        );
        assert_eq!(run.report.errors(), [("http_status", 1)].into());
        let said = run.report.examples("http_status");
        assert!(said.contains(why), "{said}");
        if let Some(followed) = followed {
            assert_eq!(run.report.count("handshake.redirects"), followed);
        }
    }
}

#[test]
fn nothing_is_followed_from_tls_to_plain_text() {
    let target = Reception::open();
    let (tls, certificate) = common::tls();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let location = target.url("127.0.0.1");
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let (client, _) = listener.accept().await.unwrap();
            let mut client = tls.accept(client).await.unwrap();
            let _ = client.read(&mut [0; 2048]).await;
            let answer =
                format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
            let _ = client.write_all(answer.as_bytes()).await;
            let _ = client.shutdown().await;
        });
    });
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), certificate).unwrap();
    let text = scenario(
        &format!("url = \"wss://{address}/\"\nredirects = 3\nca = \"ca.pem\""),
        1,
    );
    let ended = Running::start_in(folder, &text, &["--quiet"], &[]).end();
    let said = ended.report().examples("http_status");
    assert!(said.contains("it leads from wss to ws"), "{said}");
    assert!(target.visits().is_empty());
}

#[test]
fn a_name_is_given_addresses_and_the_rest_of_the_address_stays() {
    let server = Reception::open();
    let port = server
        .url("127.0.0.1")
        .rsplit_once(':')
        .unwrap()
        .1
        .trim_end_matches('/')
        .to_owned();
    let target = format!("url = \"ws://Chat.example.invalid:{port}/x\"");
    let pinned = scenario(
        &format!("{target}\nresolve = {{ \"chat.example.invalid\" = \"127.0.0.1\" }}"),
        2,
    );
    run(&pinned, &[]).assert_passed();
    let host = server.visits().remove(0).header("host").unwrap();
    assert_eq!(host, format!("Chat.example.invalid:{port}"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("test.toml"), scenario(&target, 1)).unwrap();
    let option = [
        "run",
        "test.toml",
        "--quiet",
        "--out",
        "report",
        "--resolve",
        "chat.example.invalid=127.0.0.1",
    ];
    let ended = Running::call(folder, &option, &[]).end();
    assert_eq!(ended.code, 0, "{}", ended.stdout);
    assert_eq!(server.visits().len(), 3);
}

#[test]
fn addresses_are_spread_or_the_first_is_dialled_and_the_next_where_it_refuses() {
    let server = Server::start(Script::default());
    let port = server.address().port();
    let with = |more: &str, addresses: &str| {
        let target = format!(
            "url = \"ws://h.invalid:{port}/\"\nresolve = {{ \"h.invalid\" = [{addresses}] }}\n{more}"
        );
        run(&scenario(&target, 4), &[])
    };
    // Nobody listens on 127.0.0.2.
    let both = "\"127.0.0.1\", \"127.0.0.2\"";
    let spread = with("", both);
    spread.assert_passed();
    assert_eq!(spread.report.count("connections.fallbacks"), 2);
    let first = with("addresses = \"first\"", both);
    first.assert_passed();
    assert_eq!(first.report.count("connections.fallbacks"), 0);
    let narrow = with("family = \"ipv4\"", "\"::1\", \"127.0.0.1\"");
    narrow.assert_passed();
    assert_eq!(narrow.report.count("connections.fallbacks"), 0);
    let only = with("device = \"lo\"", "\"127.0.0.1\"");
    only.assert_passed();
}

#[test]
fn names_are_looked_up_again_beside_the_dials() {
    let server = Server::start(Script::default());
    let port = server.address().port();
    let target = format!("url = \"ws://localhost:{port}/\"\nresolve_every = \"1s\"");
    let text = format!(
        "name = \"x\"\n[target]\n{target}\n[load]\nconnections = 1\nramp_up = \"0s\"\nduration = \"2500ms\"\nramp_down = \"0s\"\n"
    );
    let run = run(&text, &[]);
    run.assert_passed();
    let row = run.report.rows("metrics", "handshake.dns")[0].clone();
    assert_eq!(row["count"], 3, "{row}");
}

#[test]
fn what_is_wrong_with_names_and_redirects_is_said_at_once() {
    for (more, what) in [
        (
            "url = \"ws://a/\"\nresolve = { \"b\" = \"127.0.0.1\" }",
            "is a name that nobody dials",
        ),
        (
            "url = \"ws://a/\"\nresolve = { \"10.0.0.1\" = \"127.0.0.1\" }",
            "is given addresses, and is no name",
        ),
        (
            "url = \"ws://a/\"\nresolve = { \"a\" = \"b\" }",
            "has an entry that is no IP address",
        ),
        (
            "url = \"ws://a/\"\nresolve = { \"a\" = [] }",
            "has no address",
        ),
        (
            "url = \"ws://a/\"\nfamily = \"ipv6\"\nresolve = { \"a\" = [\"127.0.0.1\"] }",
            "has no IPv6 address",
        ),
        (
            "url = \"ws://127.0.0.1/\"\nresolve_every = \"30s\"",
            "is for names, and none is looked up here",
        ),
        (
            "url = \"ws://a/\"\nresolve_every = \"30ms\"",
            "is shorter than a second",
        ),
        (
            "url = \"ws://a/\"\ndevice = \"a-name-that-is-too-long\"",
            "is no name of a network device",
        ),
        (
            "url = \"ws://127.0.0.1/\"\ndevice = \"no-such-dev\"",
            "dial over `no-such-dev`",
        ),
        ("url = \"ws://a/\"\nredirects = 21", "is not from 0 to 20"),
        (
            "url = \"ws://a/\"\nredirects = 1\n[path]\nfreeze = { after = \"1s\" }",
            "around the relay of `[path]`",
        ),
    ] {
        let said = refused(&scenario(more, 1));
        assert!(said.contains(what), "{said}");
    }
}

#[test]
fn a_server_that_asks_for_time_gets_it_where_clients_heed_it() {
    for (heeds, fewest, most) in [(true, 2, 2), (false, 4, 100)] {
        let busy = "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
        let server = Answering::start(move |_| busy.to_owned());
        let text = format!(
            "name = \"x\"\ntarget.url = \"{}\"\n[load]\nconnections = 1\nramp_up = \"0s\"\nduration = \"1500ms\"\nramp_down = \"0s\"\n\
             reconnect = {{ initial = \"50ms\", max = \"50ms\", jitter = \"none\", retry_after = {heeds} }}\n",
            server.url()
        );
        let run = run(&text, &[]);
        let dials = server.heads().len();
        assert!((fewest..=most).contains(&dials), "{dials}");
        if heeds {
            assert_eq!(run.report.count("reconnects.deferred"), 2);
        }
    }
}
