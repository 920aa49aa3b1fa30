//! Text over TLS, with a server of tokio-rustls at the other end of a pipe that cuts it anywhere.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use rustls::client::UnbufferedClientConnection;
use rustls::crypto::ring;
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{KeyLog, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::client::Client;
use super::records::TlsLink;
use super::{Tls, broken};
use crate::metric::Cause;
use crate::scenario::{TlsSettings, Trust};

/// More bytes than the tickets of a server are. It sends them before its client reads, so a pipe has to hold them.
const TICKETS: usize = 4096;

type Pair = (TlsLink<DuplexStream>, TlsStream<DuplexStream>);

/// A client and a server after their handshake, over a pipe that holds so many bytes.
async fn pair(version: &'static SupportedProtocolVersion, holds: usize) -> Pair {
    keyed_pair(version, holds, None, Arc::new(rustls::NoKeyLog)).await
}

/// The same with the key logs of both.
async fn keyed_pair(
    version: &'static SupportedProtocolVersion,
    holds: usize,
    key_log: Option<PathBuf>,
    theirs: Arc<dyn KeyLog>,
) -> Pair {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.into())
        .unwrap();
    let settings = TlsSettings {
        trust: Trust::Anyone,
        key_log,
        ..TlsSettings::default()
    };
    let tls = Tls::new("localhost", &settings, false).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let session = UnbufferedClientConnection::new(tls.config, name).unwrap();
    let (near, far) = duplex(holds);
    let mut client = TlsLink::new(near, session, Client(0));
    let mut server_config = server;
    server_config.alpn_protocols = vec![b"http/1.1".to_vec()];
    server_config.key_log = theirs;
    if holds < TICKETS {
        server_config.send_tls13_tickets = 0;
    }
    let accepting = TlsAcceptor::from(Arc::new(server_config)).accept(far);
    let (shaken, server) = tokio::join!(
        async {
            client.shake_hands().await.unwrap();
            client.flush().await
        },
        accepting
    );
    shaken.unwrap();
    (client, server.unwrap())
}

fn version(is_new: bool) -> &'static SupportedProtocolVersion {
    if is_new { &TLS13 } else { &TLS12 }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.build().unwrap().block_on(work)
}

/// Bytes that say where they are.
fn text(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 % 251) as u8).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// However the pipe cuts records, and however much the reader has room for, text comes as it was sent.
    #[test]
    fn text_comes_as_it_was_sent(
        is_new in any::<bool>(),
        holds in 1usize..40_000,
        lengths in prop::collection::vec(0usize..50_000, 1..4),
        room in 1usize..20_000,
    ) {
        run(async {
            let (client, server) = pair(version(is_new), holds).await;
            let (mut from_server, mut to_server) = tokio::io::split(server);
            let echo = async {
                tokio::io::copy(&mut from_server, &mut to_server).await.unwrap();
                to_server.shutdown().await.unwrap();
            };
            let (mut read, mut write) = tokio::io::split(client);
            let sent = lengths.iter().map(|length| text(*length)).collect::<Vec<_>>();
            let send = async {
                for text in &sent {
                    write.write_all(text).await.unwrap();
                    write.flush().await.unwrap();
                }
                write.shutdown().await.unwrap();
            };
            let receive = async {
                let mut all = Vec::new();
                let mut piece = vec![0; room];
                loop {
                    match read.read(&mut piece).await.unwrap() {
                        0 => return all,
                        length => all.extend_from_slice(&piece[..length]),
                    }
                }
            };
            let ((), (), received) = tokio::join!(echo, send, receive);
            assert!(received == sent.concat());
        });
    }
}

/// What a server sends right behind its handshake waits for the first read.
#[test]
fn text_right_behind_the_handshake_is_read() {
    for version in [&TLS13, &TLS12] {
        run(async {
            let (mut client, mut server) = pair(version, 1 << 16).await;
            server.write_all(b"hello").await.unwrap();
            server.flush().await.unwrap();
            let mut read = [0; 5];
            client.read_exact(&mut read).await.unwrap();
            assert_eq!(&read, b"hello");
        });
    }
}

/// Text that came before a broken record is not lost by it.
#[test]
fn text_before_a_broken_record_is_read_first() {
    run(async {
        let (mut client, mut server) = pair(&TLS13, 1 << 16).await;
        server.write_all(b"hello").await.unwrap();
        server.flush().await.unwrap();
        let (below, _) = server.get_mut();
        below.write_all(&[23, 3, 3, 0, 20]).await.unwrap();
        below.write_all(&[7; 20]).await.unwrap();
        let mut read = [0; 5];
        client.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"hello");
        let error = client.read(&mut read).await.unwrap_err();
        assert_eq!(broken(&error).unwrap().cause, Cause::Tls);
    });
}

/// At rest a connection keeps no bytes, whatever was sent before.
#[test]
fn a_connection_at_rest_keeps_no_buffer() {
    run(async {
        let (mut client, mut server) = pair(&TLS13, 1 << 20).await;
        for length in [1, 100_000] {
            let sent = text(length);
            client.write_all(&sent).await.unwrap();
            client.flush().await.unwrap();
            let mut read = vec![0; length];
            server.read_exact(&mut read).await.unwrap();
            server.write_all(&read).await.unwrap();
            server.flush().await.unwrap();
            client.read_exact(&mut read).await.unwrap();
            assert!(read == sent);
            assert_eq!(client.kept(), 0, "after {length} bytes");
        }
    });
}

/// Keeps the lines of a server's key log.
#[derive(Debug, Default)]
struct Lines(Mutex<Vec<String>>);

impl KeyLog for Lines {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let line = format!("{label} {} {}", hex(client_random), hex(secret));
        self.0.lock().unwrap().push(line);
    }
}

/// A program that reads what was captured needs the secrets of both sides, which are the same.
#[test]
fn the_key_log_has_the_secrets_that_the_server_has() {
    for (version, labels) in [(&TLS13, 5), (&TLS12, 1)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys.txt");
        let theirs = Arc::<Lines>::default();
        run(keyed_pair(
            version,
            1 << 16,
            Some(path.clone()),
            theirs.clone(),
        ));
        let ours = std::fs::read_to_string(path).unwrap();
        let mut ours: Vec<_> = ours.lines().map(str::to_owned).collect();
        ours.sort_unstable();
        let mut theirs = theirs.0.lock().unwrap().clone();
        theirs.sort_unstable();
        assert_eq!(ours, theirs);
        assert_eq!(ours.len(), labels);
    }
}
