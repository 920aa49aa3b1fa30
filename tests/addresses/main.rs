//! Which address clients dial: servers by turns, names, Unix sockets, and where redirects lead.

#[path = "../common/mod.rs"]
mod common;

mod names;
mod redirects;
mod unix;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

use common::run::run;
use common::{Handshake, Running, Script, Server, table};

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
