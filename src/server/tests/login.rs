//! Tests the login of a server with rooms, as a client that speaks HTTP by hand.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::rooms::with_rooms;
use super::running::{Running, soon};
use crate::scenario::ServerRooms;
use crate::server::Behaviour;

fn behind_a_login() -> Behaviour {
    with_rooms(ServerRooms {
        login: true,
        ..ServerRooms::default()
    })
}

/// Sends a request and reads its answer, up to the end of its body.
pub(super) async fn ask(socket: &mut TcpStream, request: &str) -> String {
    soon(socket.write_all(request.as_bytes())).await.unwrap();
    let mut answer = String::new();
    loop {
        if let Some((head, body)) = answer.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then_some(value)
            });
            if length.map_or(0, |length| length.parse().unwrap()) <= body.len() {
                return answer;
            }
        }
        let mut part = [0; 1024];
        let read = soon(socket.read(&mut part)).await.unwrap();
        assert!(read > 0, "the answer ends early: {answer}");
        answer += std::str::from_utf8(&part[..read]).unwrap();
    }
}

fn post(path: &str, body: &str) -> String {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{body}")
}

fn upgrade(path: &str, header: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n{header}\r\n"
    )
}

pub(super) async fn log_in(socket: &mut TcpStream) -> String {
    let answer = ask(socket, &post("/login", r#"{"name":"ann","password":"x"}"#)).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let json: serde_json::Value = serde_json::from_str(body).unwrap();
    let token = json["token"].as_str().unwrap().to_owned();
    assert!(
        head.contains(&format!("Set-Cookie: token={token}; ")),
        "{head}"
    );
    token
}

#[tokio::test]
async fn a_token_opens_in_each_of_three_ways_and_nothing_else_does() {
    let server = Running::start(behind_a_login());
    let connect = || async { TcpStream::connect(server.address).await.unwrap() };
    // One connection asks for a token, and is upgraded with it.
    let mut socket = connect().await;
    let token = log_in(&mut socket).await;
    let bearer = format!("Authorization: Bearer {token}\r\n");
    let answer = ask(&mut socket, &upgrade("/", &bearer)).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    for (path, header) in [
        (format!("/?token={token}"), String::new()),
        ("/".to_owned(), format!("Cookie: a=b; token={token}\r\n")),
    ] {
        let answer = ask(&mut connect().await, &upgrade(&path, &header)).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    }
    for (path, header) in [
        ("/", ""),
        ("/?token=x", ""),
        ("/", "Authorization: Bearer x\r\n"),
    ] {
        let mut socket = connect().await;
        let answer = ask(&mut socket, &upgrade(path, header)).await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(answer.to_lowercase().contains("www-authenticate: bearer"));
        assert_eq!(soon(socket.read(&mut [0])).await.unwrap(), 0);
    }
    let counts = server.stop().await;
    assert_eq!((counts.opened, counts.failed), (3, 3));
    assert_eq!((counts.logins, counts.unauthorized), (1, 3));
}

#[tokio::test]
async fn requests_that_are_no_login_are_refused() {
    let server = Running::start(behind_a_login());
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    // The connection is kept after a request whose end is known.
    for (request, status) in [
        (post("/login", r#"{"password":"x"}"#), "401"),
        (post("/login", "x"), "400"),
        (post("/logout", r#"{"name":"ann"}"#), "404"),
    ] {
        let answer = ask(&mut socket, &request).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status} ")),
            "{answer}"
        );
        assert!(answer.contains("\r\n\r\n{\"error\":\""), "{answer}");
    }
    log_in(&mut socket).await;
    // The answer arrives though most of the body is never looked at.
    let mut long = TcpStream::connect(server.address).await.unwrap();
    let answer = ask(&mut long, &post("/login", &"x".repeat(200 << 10))).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert_eq!(soon(long.read(&mut [0])).await.unwrap(), 0);
    drop(long);
    let answer = ask(&mut socket, "POST /login HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 411 "), "{answer}");
    assert_eq!(soon(socket.read(&mut [0])).await.unwrap(), 0);
    let counts = server.stop().await;
    assert_eq!((counts.logins, counts.opened, counts.failed), (1, 0, 1));
}

#[tokio::test]
async fn where_no_login_is_required_none_is_needed() {
    let server = Running::start(with_rooms(ServerRooms::default()));
    log_in(&mut TcpStream::connect(server.address).await.unwrap()).await;
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let answer = ask(&mut socket, &upgrade("/", "")).await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
}
