//! Text over TLS, in memory: the other end is the library's server, which has made its records before they are counted.

use std::hint::black_box;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use rustls::crypto::ring;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use wsbench::net::Tls;
use wsbench::scenario::{TlsSettings, Trust};

use crate::stream::PAYLOAD;

/// So many records are made, however many are read: to make them is no part of the path.
const RECORDS: usize = 4000;

/// The server's end.
struct Server {
    session: ServerConnection,
    /// What it has made, and how much of it was read.
    records: Vec<Vec<u8>>,
    read: usize,
    written: usize,
}

impl Server {
    fn new() -> Self {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()])
            .expect("a certificate can be made");
        let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                let config = config.with_no_client_auth();
                config.with_single_cert(vec![own.cert.der().clone()], key.into())
            })
            .expect("the settings are right");
        config.send_tls13_tickets = 0;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Self {
            session: ServerConnection::new(Arc::new(config)).expect("the settings are right"),
            records: Vec::new(),
            read: 0,
            written: 0,
        }
    }

    /// Makes the records, once the handshake is over.
    fn fill(&mut self) -> io::Result<()> {
        while self.records.len() < RECORDS {
            let mut record = Vec::new();
            self.session.writer().write_all(PAYLOAD.as_bytes())?;
            self.session.write_tls(&mut record)?;
            self.records.push(record);
        }
        Ok(())
    }
}

impl AsyncRead for Server {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let server = self.get_mut();
        if !server.session.is_handshaking() {
            server.fill()?;
            buf.put_slice(&server.records[server.read]);
            server.read += 1;
            return Poll::Ready(Ok(()));
        }
        let mut said = Vec::new();
        while server.session.wants_write() {
            server.session.write_tls(&mut said)?;
        }
        buf.put_slice(&said);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Server {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let server = self.get_mut();
        let mut rest = bytes;
        while server.session.is_handshaking() && !rest.is_empty() {
            server.session.read_tls(&mut rest)?;
            let processed = server.session.process_new_packets();
            processed.map_err(io::Error::other)?;
        }
        server.written += black_box(rest).len();
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// See [`crate::PATHS`].
pub(crate) fn read(count: u64) {
    let mut server = Server::new();
    let done = async {
        let mut client = client(&mut server).await?;
        let mut text = [0; 1024];
        let mut seen = 0;
        for _ in 0..count {
            let length = client.read(black_box(&mut text)).await?;
            seen += u64::from(black_box(&text[..length]) == PAYLOAD.as_bytes());
        }
        io::Result::Ok(seen)
    };
    assert_eq!(at_once(done), count);
}

/// See [`crate::PATHS`].
pub(crate) fn write(count: u64) {
    let mut server = Server::new();
    let done = async {
        let mut client = client(&mut server).await?;
        for _ in 0..count {
            client.write_all(black_box(PAYLOAD.as_bytes())).await?;
            client.flush().await?;
        }
        io::Result::Ok(())
    };
    at_once(done);
    assert!(server.written > count as usize * PAYLOAD.len());
}

/// A client after its handshake.
async fn client(server: &mut Server) -> io::Result<impl AsyncRead + AsyncWrite + Unpin> {
    let settings = TlsSettings {
        trust: Trust::Anyone,
        ..TlsSettings::default()
    };
    let tls = Tls::new("localhost", &settings, false).map_err(io::Error::other)?;
    let mut client = tls.over(server, 0).await?;
    client.flush().await?;
    Ok(client)
}

fn at_once<T>(done: impl Future<Output = io::Result<T>>) -> T {
    let done = done.now_or_never().expect("memory makes nobody wait");
    done.expect("TLS does not fail")
}
