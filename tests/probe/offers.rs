//! What a server offers on the way to a WebSocket is told, and the scenario that is written gets there by it.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::common::{Ended, Proxy, Reception};
use super::failures::fails;
use super::{found, parses, probe};

/// A valid answer, but for the header that `Answering` adds.
const OPENS: &str =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";

/// A server that answers each upgrade request by its head, and echoes where it opens.
struct Answering {
    url: String,
    heads: Arc<Mutex<Vec<String>>>,
    _runtime: Runtime,
}

impl Answering {
    /// `answer` is given the head of a request and its number, from 1. It returns the lines of an answer; those of a 101 get
    /// the key of the client.
    fn start(answer: impl Fn(&str, usize) -> String + Send + Sync + 'static) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("ws://{}/", listener.local_addr().unwrap());
        let heads: Arc<Mutex<Vec<String>>> = Arc::default();
        let (answer, noted) = (Arc::new(answer), heads.clone());
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (answer, noted) = (answer.clone(), noted.clone());
                tokio::spawn(async move {
                    let answer = |head: &str| {
                        let mut heads = noted.lock().unwrap();
                        heads.push(head.to_owned());
                        answer(head, heads.len())
                    };
                    serve(socket, answer).await
                });
            }
        });
        Self {
            url,
            heads,
            _runtime: runtime,
        }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn serve(mut socket: TcpStream, answer: impl Fn(&str) -> String) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).ok()?;
    let mut lines = answer(&head);
    let opens = lines.starts_with("HTTP/1.1 101");
    if opens {
        let key = head
            .lines()
            .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))?;
        let accept = derive_accept_key(key.as_bytes());
        lines += &format!("Sec-WebSocket-Accept: {accept}\r\n");
    } else {
        lines += "Content-Length: 0\r\n";
    }
    socket.write_all((lines + "\r\n").as_bytes()).await.ok()?;
    if !opens {
        return None;
    }
    let mut client = WebSocketStream::from_raw_socket(socket, Role::Server, None).await;
    loop {
        let message = client.next().await?.ok()?;
        if message.is_text() || message.is_binary() {
            client.send(message).await.ok()?;
        }
    }
}

#[test]
fn what_an_answer_says_is_told_and_written() {
    const AGREED: &str = "permessage-deflate; server_max_window_bits=12";
    let server = Answering::start(|head, _| {
        let extension = match head.contains("permessage-deflate") {
            true => format!("Sec-WebSocket-Extensions: {AGREED}\r\n"),
            false => String::new(),
        };
        format!(
            "{OPENS}Set-Cookie: lb=s3cret; Path=/\r\nSec-WebSocket-Protocol: mqtt5\r\n{extension}"
        )
    });
    let arguments = [
        &server.url,
        "--for",
        "2s",
        "--subprotocol",
        "chat5",
        "--subprotocol",
        "mqtt5",
    ];
    let ended = probe(&arguments);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(!ended.stdout.contains("s3cret"), "{}", ended.stdout);
    for fact in [
        "sets a cookie: lb=…; Path=/\n",
        "subprotocol mqtt5, of chat5, mqtt5\n",
        &format!("offers     compression: {AGREED}\n"),
        "it refers to what it sent before: each client has to keep that\n",
        &format!("\n# compression = true   # the server agrees to {AGREED}\n"),
        "\n# The server sets the cookie lb, ",
        "\n# Of the subprotocols the server chooses mqtt5.\n",
        "in all     15 connections\n",
    ] {
        assert!(ended.stdout.contains(fact), "{fact}\n\n{}", ended.stdout);
    }
    let at = ended.stdout.find("# Written by").unwrap();
    parses(&ended.stdout[at..]);
    Ended::passes(&ended.stdout[at..]);
}

/// The quiet clients dial at the same time, and none of them takes the session that is to be resumed: each tunnel takes its
/// time, and the second connection is the last one to get there.
#[test]
fn the_session_of_the_first_connection_is_resumed_however_late_its_tunnel_is() {
    let (server, proxy) = (Reception::secure(), Proxy::open_late_for(1));
    let by = format!("http://{}", proxy.address);
    let url = server.url("localhost");
    let arguments = [&*url, "--insecure", "--proxy", &by, "--json", "--for", "3s"];
    let ended = probe(&arguments);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let found: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(found["tls"]["version"], "TLS 1.3");
    assert_eq!(found["tls"]["resumes"], true, "{}", found["tls"]);
    let handshake = &found["handshake"];
    assert_eq!(handshake["proxy"], by);
    assert!(handshake["proxy_ns"].as_u64().unwrap() > 0, "{handshake}");
}

#[test]
fn a_redirect_is_followed_and_stands_in_the_scenario() {
    let server = Answering::start(|head, _| match head.starts_with("GET / ") {
        true => "HTTP/1.1 307 Elsewhere\r\nLocation: /new?token=s3cret\r\nSet-Cookie: seen=1\r\n"
            .to_owned(),
        false if head.contains("Cookie: seen=1") => OPENS.to_owned(),
        false => "HTTP/1.1 403 Forbidden\r\n".to_owned(),
    });
    let found = found(&server.url, "2s");
    let followed = &found["handshake"]["redirects"][0];
    assert_eq!(followed["status"], "HTTP/1.1 307 Elsewhere");
    let to = followed["to"].as_str().unwrap();
    assert!(to.contains("/new?token=") && !to.contains("s3cret"), "{to}");
    // The place that it leads to is dialled at once from then on.
    let again = server
        .heads()
        .iter()
        .filter(|head| head.starts_with("GET / "))
        .count();
    assert_eq!((again, &found["connections"]), (1, &16.into()));
    let scenario = found["scenario"].as_str().unwrap();
    assert!(
        scenario.contains(&format!("\nredirects = 1   # to {to}\n")),
        "{scenario}"
    );
    Ended::passes(scenario);
}

#[test]
fn a_redirect_that_leads_nowhere_is_told_with_its_place() {
    let away = |location: &'static str| {
        Answering::start(move |_, _| format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n"))
    };
    for (location, why) in [
        (
            "ftp://h/",
            "; not followed: it leads to no address of a server)",
        ),
        ("/again", "; after 3 redirects)"),
    ] {
        let server = away(location);
        let reason =
            format!("an HTTP status other than 101 (HTTP/1.1 302 Found; Location: {location}{why}");
        fails(&server.url, &reason, "use the address it names");
    }
}

#[test]
fn a_server_that_asks_for_time_gets_it() {
    let busy = "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\n";
    // The clients that are watched dial soon behind the first, in any order.
    let first = OnceLock::new();
    let server = Answering::start(move |_, number| {
        let since = first.get_or_init(Instant::now).elapsed();
        let opens = number == 1 || since >= Duration::from_secs(1);
        if opens { OPENS } else { busy }.to_owned()
    });
    let found = found(&server.url, "3s");
    assert_eq!(found["retry_after_s"], 1);
    assert_eq!(found["unknown"][0]["question"], "quiet");
    let failed = found["unknown"][0]["failed"].as_str().unwrap();
    assert!(
        failed.contains("left alone for 1s (Retry-After)"),
        "{failed}"
    );
    assert!(found["pings"].is_object() && found["close"].is_object());
    let scenario = found["scenario"].as_str().unwrap();
    assert!(
        scenario
            .contains("\n# reconnect = { initial = \"500ms\", max = \"30s\", retry_after = true }"),
        "{scenario}"
    );

    let server = Answering::start(move |_, _| busy.replace("Retry-After: 1", "Retry-After: 30"));
    fails(
        &server.url,
        "an HTTP status other than 101 (HTTP/1.1 503 Busy); it wants to be left alone for 30s (Retry-After)",
        "try again after that time",
    );
}
