//! WebSockets over HTTP/2 (RFC 8441) are found by ALPN, and told with how many a server allows.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use h2::server;
use http::Response;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use super::common::{Running, tls_speaking};
use super::parses;

/// A server that speaks HTTP/1.1, where it echoes, and HTTP/2, where it opens WebSockets and says nothing.
struct Both {
    url: String,
    _runtime: Runtime,
}

impl Both {
    fn start(http2: server::Builder) -> Self {
        let (tls, _) = tls_speaking(&["h2", "http/1.1"]);
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("wss://localhost:{}/", listener.local_addr().unwrap().port());
        runtime.spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(serve(tcp, tls.clone(), http2.clone()));
            }
        });
        Self {
            url,
            _runtime: runtime,
        }
    }

    /// What a probe finds.
    #[track_caller]
    fn found(&self, more: &[&str]) -> Value {
        let arguments = ["probe", &self.url, "--for", "2s", "--json", "--insecure"];
        let folder = tempfile::tempdir().unwrap();
        let ended = Running::call(folder, &[&arguments, more].concat(), &[]).end();
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
        serde_json::from_str(&ended.stdout).unwrap()
    }
}

async fn serve(tcp: TcpStream, tls: TlsAcceptor, http2: server::Builder) -> Option<()> {
    let stream = tls.accept(tcp).await.ok()?;
    if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
        let mut client = tokio_tungstenite::accept_async(stream).await.ok()?;
        loop {
            let message = client.next().await?.ok()?;
            if message.is_text() || message.is_binary() {
                client.send(message).await.ok()?;
            }
        }
    }
    let mut connection = http2.handshake::<_, Bytes>(stream).await.ok()?;
    while let Some(asked) = connection.accept().await {
        let (request, mut respond) = asked.ok()?;
        let mut send = respond.send_response(Response::new(()), false).ok()?;
        let mut body = request.into_body();
        tokio::spawn(async move {
            // What comes first is the Close of a client that leaves.
            let _ = body.data().await;
            let _ = send.send_data(Bytes::new(), true);
        });
    }
    None
}

#[test]
fn websockets_over_http2_are_found_with_their_limit() {
    let mut http2 = server::Builder::new();
    http2.enable_connect_protocol().max_concurrent_streams(6);
    let server = Both::start(http2);
    let found = server.found(&[]);
    assert_eq!(
        found["offers"]["http2"],
        json!({ "websockets": { "max_streams": 6 } })
    );
    assert_eq!(found["tls"]["alpn"], "http/1.1");
    let scenario = found["scenario"].as_str().unwrap();
    for line in [
        "\n# http = \"2\"   # ",
        "\n# streams_per_connection = 6   # ",
    ] {
        assert!(scenario.contains(line), "{line}\n{scenario}");
    }
    parses(scenario);
    parses(
        &scenario
            .replace("# http", "http")
            .replace("# streams", "streams"),
    );
}

#[test]
fn http2_without_websockets_is_told_as_such() {
    let mut http2 = server::Builder::new();
    http2.max_concurrent_streams(128);
    let found = Both::start(http2).found(&[]);
    assert_eq!(
        found["offers"]["http2"],
        json!({ "no_websockets": { "max_streams": 128 } })
    );
    let scenario = found["scenario"].as_str().unwrap();
    assert!(!scenario.contains("streams_per_connection"), "{scenario}");
}

/// Asked for, it is what all connections of the probe go over.
#[test]
fn where_http2_is_asked_for_it_is_spoken_at_once() {
    let mut http2 = server::Builder::new();
    http2.enable_connect_protocol();
    let found = Both::start(http2).found(&["--http2", "10"]);
    assert_eq!(
        found["offers"]["http2"],
        json!({ "websockets": { "max_streams": null } })
    );
    assert_eq!(found["tls"]["alpn"], "h2");
    let handshake = &found["handshake"];
    assert_eq!(handshake["status"], "HTTP/2 200");
    assert!(handshake["http2_ns"].as_u64().unwrap() > 0, "{handshake}");
    assert_eq!(found["connections"], 18);
    let scenario = found["scenario"].as_str().unwrap();
    assert!(
        scenario.contains("\nhttp = \"2\"\nstreams_per_connection = 10\n"),
        "{scenario}"
    );
    assert_eq!(
        scenario.matches("streams_per_connection").count(),
        1,
        "{scenario}"
    );
}
