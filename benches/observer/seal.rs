//! What the bytes of a connection go through on their way: nothing, or TLS.

use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection};

/// TLS as a server speaks it; `None` speaks plainly.
pub(crate) type Tls = Option<Arc<ServerConfig>>;

/// Makes a certificate for the loopback address, and writes it where its clients find it.
pub(crate) fn certified(path: &Path) -> io::Result<Arc<ServerConfig>> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]);
    let made = made.map_err(io::Error::other)?;
    std::fs::write(path, made.cert.pem())?;
    let key =
        PrivateKeyDer::try_from(made.signing_key.serialize_der()).map_err(io::Error::other)?;
    let config = ServerConfig::builder().with_no_client_auth();
    let config = config.with_single_cert(vec![made.cert.into()], key);
    config.map(Arc::new).map_err(io::Error::other)
}

/// What one connection speaks.
pub(crate) enum Seal {
    Plain,
    Tls(Box<ServerConnection>),
}

impl Seal {
    pub(crate) fn new(tls: &Tls) -> io::Result<Self> {
        let Some(config) = tls else {
            return Ok(Self::Plain);
        };
        let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
        Ok(Self::Tls(Box::new(connection)))
    }

    /// Opens what has come, and adds it to `plain`; what the peer of TLS is owed for it is added to `unsent`.
    pub(crate) fn open(
        &mut self,
        mut sealed: &[u8],
        plain: &mut Vec<u8>,
        unsent: &mut Vec<u8>,
    ) -> io::Result<()> {
        let Self::Tls(tls) = self else {
            plain.extend(sealed);
            return Ok(());
        };
        while !sealed.is_empty() && tls.read_tls(&mut sealed)? > 0 {
            tls.process_new_packets().map_err(io::Error::other)?;
            match tls.reader().read_to_end(plain) {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
        }
        sent(tls, unsent)
    }

    /// Adds what is to be said to `unsent`, sealed.
    pub(crate) fn close(&mut self, plain: &[u8], unsent: &mut Vec<u8>) -> io::Result<()> {
        let Self::Tls(tls) = self else {
            unsent.extend(plain);
            return Ok(());
        };
        tls.writer().write_all(plain)?;
        sent(tls, unsent)
    }
}

fn sent(tls: &mut ServerConnection, unsent: &mut Vec<u8>) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(unsent)?;
    }
    Ok(())
}
