//! What fails on the way to a WebSocket: each message says what was answered, and what to do.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::runtime::Builder;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, ServerConnection};

use super::common::own::Own;
use super::common::{Proxy, Reception, Running};

/// Runs `serve` for each client, one after the other, until the test ends.
fn serves(serve: impl Fn(std::net::TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            serve(client.unwrap());
        }
    });
    address
}

/// TLS that asks clients for a certificate of an authority that nobody knows.
fn asking_for_a_certificate() -> Arc<ServerConfig> {
    let names = ["localhost".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(
            vec![cert.der().clone()],
            PrivatePkcs8KeyDer::from(signing_key.serialize_der()).into(),
        )
        .unwrap();
    Arc::new(config)
}

/// Says by an alert that it wants another certificate.
fn asks_for_a_certificate() -> SocketAddr {
    let tls = TlsAcceptor::from(asking_for_a_certificate());
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    serves(move |client| {
        client.set_nonblocking(true).unwrap();
        let _ =
            runtime.block_on(async { tls.accept(tokio::net::TcpStream::from_std(client)?).await });
    })
}

/// Ends TCP without a word where it wants another certificate, as servers in Python do.
fn hangs_up_without_a_certificate() -> SocketAddr {
    let tls = asking_for_a_certificate();
    serves(move |mut client| {
        let mut session = ServerConnection::new(tls.clone()).unwrap();
        loop {
            while session.wants_write() {
                session.write_tls(&mut client).unwrap();
            }
            let read = session.read_tls(&mut client);
            if !matches!(read, Ok(1..)) || session.process_new_packets().is_err() {
                break;
            }
        }
    })
}

/// Speaks HTTP/2, and has no WebSockets.
fn speaks_http2_alone() -> SocketAddr {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    serves(move |client| {
        client.set_nonblocking(true).unwrap();
        runtime.block_on(async {
            let client = tokio::net::TcpStream::from_std(client).unwrap();
            let Ok(mut connection) = h2::server::handshake(client).await else {
                return;
            };
            while connection.accept().await.is_some() {}
        });
    })
}

/// What a run of two clients says, on one line.
fn says(target: &str) -> String {
    let scenario = format!(
        "name = \"ways\"\n[target]\n{target}\n[load]\nconnections = 2\nduration = \"200ms\"\n"
    );
    let ended = Running::start(&scenario, &[]).end();
    assert_ne!(ended.code, 0, "{}", ended.stdout);
    let words: Vec<&str> = ended.stdout.split_whitespace().collect();
    words.join(" ")
}

#[test]
fn each_failure_on_the_way_says_what_was_answered_and_what_to_do() {
    let plain = serves(|mut client| {
        let _ = client.read(&mut [0; 4096]);
        let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let (asks, http2) = (asks_for_a_certificate(), speaks_http2_alone());
    let server = Reception::open();
    let proxy = Proxy::answering(
        "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"wsbench\"\r\n\r\n",
    );
    for (target, words) in [
        (
            format!("url = \"wss://{plain}/\"\ninsecure = true"),
            [
                "tls_not_spoken",
                "\"HTTP/1.1 400 Bad Request\"",
                "use ws:// for this port, or the port that speaks TLS",
            ],
        ),
        (
            format!("url = \"wss://{asks}/\"\ninsecure = true"),
            [
                "tls_client_cert",
                "alert 116, certificate required",
                "target.tls = { certificate = \"client.pem\", key = \"client.key\" }",
            ],
        ),
        (
            format!("url = \"ws://{http2}/\"\nhttp = \"2\"\nstreams_per_connection = 10"),
            [
                "h2_no_websocket",
                "HTTP/2 without SETTINGS_ENABLE_CONNECT_PROTOCOL",
                "this server has no RFC 8441 (nginx has none): http = \"1.1\"",
            ],
        ),
        (
            format!(
                "url = \"{}\"\nproxy = \"http://{}\"",
                server.url("127.0.0.1"),
                proxy.address
            ),
            [
                "proxy_auth",
                "407 Proxy Authentication Required, Basic realm=\"wsbench\"",
                "proxy = \"http://NAME:${PASSWORD}@proxy:3128\"",
            ],
        ),
    ] {
        let said = says(&target);
        for word in words {
            assert!(said.contains(word), "{word}\n{said}");
        }
    }
}

/// Under TLS 1.3 the client has finished its handshake by then.
#[test]
fn a_server_that_hangs_up_where_it_wants_a_certificate_is_asked_for_no_other_reason() {
    let server = hangs_up_without_a_certificate();
    let (folder, client) = (tempfile::tempdir().unwrap(), Own::of("client", |_| {}));
    let mine = folder.path().join("client.pem");
    fs::write(&mine, client.certificate + &client.key).unwrap();
    for version in ["1.2", "1.3"] {
        let target = format!(
            "url = \"wss://{server}/\"\ninsecure = true\ntls = {{ versions = [\"{version}\"]"
        );
        let shown = format!("{target}, certificate = {mine:?} }}");
        for (target, word) in [(target + " }", ""), (shown, ", and was shown one")] {
            let said = says(&target);
            let asked = format!("the server has asked for a client certificate{word})");
            let hint = "hint: target.tls = { certificate = \"client.pem\", key = \"client.key\" }";
            for words in ["handshake_", &asked, hint] {
                assert!(said.contains(words), "{version}: {words}\n{said}");
            }
            for words in ["does this port speak TLS", "PROXY protocol"] {
                assert!(!said.contains(words), "{version}: {said}");
            }
        }
    }
}
