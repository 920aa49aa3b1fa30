//! Dials through proxies that are played by scripts, over real sockets.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use super::way_tests::{accepts, dead, dial, fails};
use crate::metric::{Cause, Timer};

/// A proxy for one connection. It gives one reply to each message that it gets; then it connects to a server, or ends.
struct Played {
    address: SocketAddr,
    heard: JoinHandle<Vec<Vec<u8>>>,
}

impl Played {
    fn new(replies: &[&[u8]], server: Option<SocketAddr>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let replies: Vec<Vec<u8>> = replies.iter().map(|reply| reply.to_vec()).collect();
        let heard = thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let mut heard = Vec::new();
            for reply in replies {
                heard.push(message(&mut client));
                client.write_all(&reply).unwrap();
            }
            if let Some(server) = server {
                relay(client, TcpStream::connect(server).unwrap());
            }
            heard
        });
        Self { address, heard }
    }

    fn url(&self, scheme: &str) -> String {
        format!("url = \"ws://h/\"\nproxy = \"{scheme}{}\"", self.address)
    }
}

/// What came in one piece; a request of HTTP has its whole head.
fn message(client: &mut TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut piece = [0; 1024];
    loop {
        let length = client.read(&mut piece).unwrap();
        all.extend_from_slice(&piece[..length]);
        if length == 0 || !all.starts_with(b"CONNECT") || all.ends_with(b"\r\n\r\n") {
            return all;
        }
    }
}

fn relay(client: TcpStream, server: TcpStream) {
    let (mut from_client, mut to_client) = (client.try_clone().unwrap(), client);
    let (mut from_server, mut to_server) = (server.try_clone().unwrap(), server);
    thread::spawn(move || io::copy(&mut from_client, &mut to_server));
    thread::spawn(move || io::copy(&mut from_server, &mut to_client));
}

const OPEN: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";
const TAKEN: &[u8] = &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0];

#[tokio::test]
async fn a_tunnel_by_connect_is_a_step_of_its_own() {
    let server = accepts();
    let proxy = Played::new(&[OPEN], Some(server));
    let (opened, _) = dial(&proxy.url("http://me:se%20cret@"), &[dead()]).await;
    let steps = opened.expect("it opens").steps;
    let names: Vec<Timer> = steps.iter().map(|(step, _)| step).collect();
    let expected = [
        Timer::HandshakeTcp,
        Timer::HandshakeProxy,
        Timer::HandshakeUpgrade,
        Timer::HandshakeTotal,
    ];
    assert_eq!(names, expected);
    let heard = proxy.heard.join().unwrap();
    let request = String::from_utf8(heard[0].clone()).unwrap();
    assert!(
        request.starts_with("CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n"),
        "{request}"
    );
    assert!(
        request.contains("Proxy-Authorization: Basic bWU6c2UgY3JldA==\r\n"),
        "{request}"
    );
}

#[tokio::test]
async fn socks_looks_names_up_by_itself_or_lets_the_proxy_do_it() {
    for (scheme, replies, asked) in [
        (
            "socks5h://",
            vec![&[5, 0][..], TAKEN],
            &[5, 1, 0, 3, 1, b'h', 0, 80][..],
        ),
        (
            "socks5://",
            vec![&[5, 0], TAKEN],
            &[5, 1, 0, 1, 192, 0, 2, 7, 0, 80],
        ),
        (
            "socks5h://me:x@",
            vec![&[5, 2], &[1, 0], TAKEN],
            &[5, 1, 0, 3, 1, b'h', 0, 80],
        ),
    ] {
        let proxy = Played::new(&replies, Some(accepts()));
        let known = "192.0.2.7:80".parse().unwrap();
        let (opened, _) = dial(&proxy.url(scheme), &[known]).await;
        assert!(opened.is_ok(), "{scheme}");
        assert_eq!(
            proxy.heard.join().unwrap().last().unwrap(),
            asked,
            "{scheme}"
        );
    }
}

/// A redirect leads to names that were not looked up before the run.
#[tokio::test]
async fn a_name_behind_socks_that_is_not_known_is_looked_up_by_its_first_dial() {
    let proxy = Played::new(&[&[5, 0], TAKEN], Some(accepts()));
    let lines = format!(
        "url = \"ws://localhost:81/\"\nfamily = \"ipv4\"\nproxy = \"socks5://{}\"",
        proxy.address
    );
    let (opened, _) = dial(&lines, &[]).await;
    assert!(opened.is_ok(), "{:?}", opened.err());
    let heard = proxy.heard.join().unwrap();
    assert_eq!(heard.last().unwrap(), &[5, 1, 0, 1, 127, 0, 0, 1, 0, 81]);
}

/// Each way in which a proxy can refuse, lie or end, with its cause and what it said.
#[tokio::test]
async fn each_refusal_of_a_proxy_has_its_cause() {
    let wants = b"HTTP/1.1 407 Who?\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n";
    let squid = b"HTTP/1.1 503 No\r\nX-Squid-Error: ERR_CONNECT_FAIL 111\r\n\r\n";
    for (scheme, replies, cause, said) in [
        (
            "http://",
            vec![&wants[..]],
            Cause::ProxyAuth,
            "407 Who?, Basic realm",
        ),
        (
            "http://",
            vec![b"HTTP/1.0 401 No\r\n\r\n"],
            Cause::ProxyAuth,
            "401 No",
        ),
        (
            "http://",
            vec![squid],
            Cause::ProxyRefused,
            "ERR_CONNECT_FAIL 111",
        ),
        (
            "http://",
            vec![b"SSH-2.0-x\r\n"],
            Cause::ProxyGarbage,
            "SSH-2.0-x",
        ),
        (
            "http://",
            vec![b""],
            Cause::ProxyGarbage,
            "without an answer",
        ),
        (
            "http://",
            vec![b"HTTP/1.1 200"],
            Cause::ProxyGarbage,
            "within its answer",
        ),
        (
            "http://",
            vec![b"HTTP/1.1 200 OK\r\n\r\nhello"],
            Cause::ProxyGarbage,
            "behind its answer",
        ),
        ("socks5://", vec![&[5, 0xff]], Cause::ProxyAuth, "method ff"),
        (
            "socks5://me:x@",
            vec![&[5, 2], &[1, 2]],
            Cause::ProxyAuth,
            "status 02",
        ),
        (
            "socks5://",
            vec![&[5, 0], &[5, 5]],
            Cause::ProxyRefused,
            "connection refused",
        ),
        (
            "socks5://",
            vec![b"HTTP/1.1 400 Bad\r\n\r\n"],
            Cause::ProxyGarbage,
            "HTTP/1.1",
        ),
    ] {
        let proxy = Played::new(&replies, None);
        let (found, detail) = fails(&proxy.url(scheme), dead()).await;
        assert_eq!(found, cause, "{detail}");
        assert!(detail.contains(said), "{detail}");
        proxy.heard.join().unwrap();
    }
    let nobody = format!("url = \"ws://h/\"\nproxy = \"http://{}\"", dead());
    let (found, detail) = fails(&nobody, dead()).await;
    assert_eq!(found, Cause::ProxyUnreachable);
    assert!(detail.starts_with("refused: "), "{detail}");
}

/// The header of the PROXY protocol comes before everything else, with the address that a client claims.
#[tokio::test]
async fn what_a_client_claims_is_said_first() {
    for (version, expected) in [
        (1, &b"PROXY TCP4 203.0.113.0 127.0.0.1 "[..]),
        (2, b"\r\n\r\n\0\r\nQUIT\n!"),
    ] {
        let server = Played::new(&[b"HTTP/1.1 400 Bad\r\n\r\n"], None);
        let lines = format!(
            "url = \"ws://h/\"\nproxy_protocol = {{ version = {version}, source = \"203.0.113.0/24\" }}"
        );
        let (cause, _) = fails(&lines, server.address).await;
        assert_eq!(cause, Cause::HttpStatus);
        let heard = server.heard.join().unwrap();
        assert!(
            heard[0].starts_with(expected),
            "{}",
            heard[0].escape_ascii()
        );
    }
}
