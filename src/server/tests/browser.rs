//! Tests what a browser gets from the built-in server: the page to try servers by hand, and what the page asks for.

use std::time::SystemTime;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::HeaderValue;

use super::rooms::with_rooms;
use super::running::{Client, Running, next, soon};
use crate::scenario::ServerRooms;
use crate::server::Behaviour;

/// Asks, and returns all that comes; nothing if the server ends the connection without a word.
async fn get(server: &Running, target: &str, more: &str) -> String {
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\n{more}\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // Ignores the error: a connection that is reset has answered nothing more.
    let _ = soon(socket.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn a_browser_gets_the_page_with_or_without_rooms() {
    for behaviour in [
        Behaviour::default(),
        with_rooms(ServerRooms {
            login: true,
            ..ServerRooms::default()
        }),
    ] {
        let server = Running::start(behaviour);
        // A browser sends a server of this machine the cookies of all others.
        let cookies = format!("Cookie: a={}\r\n", "x".repeat(6000));
        let page = get(&server, "/", &cookies).await;
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n"), "{page}");
        assert!(page.contains("Content-Type: text/html"), "{page}");
        assert!(page.contains("default-src 'none'"), "{page}");
        assert!(page.contains("<h1>Try a WebSocket by hand</h1>"), "{page}");
        assert!(
            get(&server, "/index.js", "")
                .await
                .contains("import { Link }")
        );
        // What is meant as an upgrade, and is none, gets no page.
        for wrong in ["Upgrade: websocket\r\n", "Sec-WebSocket-Key: x\r\n"] {
            let answer = get(&server, "/", wrong).await;
            assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
        let other = get(&server, "/favicon.ico", "").await;
        assert!(other.starts_with("HTTP/1.1 404"), "{other}");
        assert!(other.ends_with("needs `--rooms`.\n"), "{other}");
        let counts = server.stop().await;
        assert_eq!(counts.opened, 0);
    }
}

async fn upgraded(
    server: &Running,
    path: &str,
    protocols: Option<&str>,
) -> (Client, Option<String>) {
    let socket = TcpStream::connect(server.address).await.unwrap();
    let url = format!("ws://{}{path}", server.address);
    let mut request = url.into_client_request().unwrap();
    if let Some(offered) = protocols {
        let offered = HeaderValue::from_str(offered).unwrap();
        request
            .headers_mut()
            .insert("Sec-WebSocket-Protocol", offered);
    }
    let (client, answer) = soon(tokio_tungstenite::client_async(request, socket))
        .await
        .unwrap();
    let chosen = answer.headers().get("Sec-WebSocket-Protocol");
    let chosen = chosen.map(|name| name.to_str().unwrap().to_owned());
    (client, chosen)
}

#[tokio::test]
async fn who_asks_for_the_time_is_told_it_at_once_and_each_second() {
    let server = Running::start(Behaviour::default());
    let before = SystemTime::now();
    let (mut client, _) = upgraded(&server, "/time", None).await;
    let mut told = Vec::new();
    for _ in 0..2 {
        let text = next(&mut client).await.into_text().unwrap();
        told.push(humantime::parse_rfc3339(&text).unwrap());
    }
    let apart = told[1].duration_since(told[0]).unwrap();
    assert!(apart.as_millis() >= 500, "{apart:?}");
    assert!(told[1].duration_since(before).unwrap().as_millis() >= 500);
    drop(client);
    assert_eq!(server.stop().await.pushed, 2);
}

#[tokio::test]
async fn the_first_subprotocol_is_chosen_and_none_where_none_is_offered() {
    let server = Running::start(Behaviour::default());
    for (offered, chosen) in [
        (None, None),
        (Some("chat.v2, chat.v1"), Some("chat.v2")),
        (Some("mqtt"), Some("mqtt")),
    ] {
        let (_client, got) = upgraded(&server, "/", offered).await;
        assert_eq!(got.as_deref(), chosen);
    }
    server.stop().await;
}
