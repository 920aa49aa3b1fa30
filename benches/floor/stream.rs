//! A connection of the floor: TCP, or TLS over it. The client's is the library's leanest interface on what was read.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::unbuffered::{ConnectionState, EncodeTlsData, UnbufferedStatus};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, ServerConfig, ServerConnection, SignatureScheme,
    SupportedProtocolVersion,
};

/// More than two records.
const SCRATCH: usize = 40 << 10;

thread_local! {
    /// What TLS reads and encrypts into, for one connection after the other.
    static ROOM: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
}

/// Where a client dials.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    /// How TLS is spoken with it.
    pub(crate) tls: Option<Arc<ClientConfig>>,
}

impl From<SocketAddr> for Target {
    fn from(address: SocketAddr) -> Self {
        Self { address, tls: None }
    }
}

/// A connection. Reads and writes are those of a socket; a read that has only brought what is TLS's own would block.
pub(crate) enum Stream {
    Plain(TcpStream),
    Client(Box<ClientTls>),
    Server(Box<ServerTls>),
}

impl Stream {
    /// Opens a connection, with the handshake of TLS. Blocks.
    pub(crate) fn dial(target: &Target) -> io::Result<Self> {
        let tcp = TcpStream::connect(target.address)?;
        tcp.set_nodelay(true)?;
        match &target.tls {
            None => Ok(Self::Plain(tcp)),
            Some(config) => {
                ClientTls::dial(tcp, config.clone()).map(|tls| Self::Client(tls.into()))
            }
        }
    }

    /// Takes in a client.
    pub(crate) fn accept(tcp: TcpStream, config: Option<&Arc<ServerConfig>>) -> io::Result<Self> {
        match config {
            None => Ok(Self::Plain(tcp)),
            Some(config) => {
                let session = ServerConnection::new(config.clone()).map_err(wrong)?;
                Ok(Self::Server(ServerTls { tcp, session }.into()))
            }
        }
    }

    pub(crate) fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(into),
            Self::Client(tls) => tls.read(into),
            Self::Server(tls) => tls.read(into),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(bytes),
            Self::Client(tls) => tls.write(bytes),
            Self::Server(tls) => tls.write(bytes),
        }
    }

    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Client(tls) => &tls.tcp,
            Self::Server(tls) => &tls.tcp,
        }
    }

    pub(crate) fn set_nonblocking(&self) -> io::Result<()> {
        self.tcp().set_nonblocking(true)
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp().as_fd()
    }
}

/// TLS of a client.
pub(crate) struct ClientTls {
    tcp: TcpStream,
    session: UnbufferedClientConnection,
    /// Part of a record.
    rest: Vec<u8>,
}

impl ClientTls {
    fn dial(tcp: TcpStream, config: Arc<ClientConfig>) -> io::Result<Self> {
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        let session = UnbufferedClientConnection::new(config, name).map_err(wrong)?;
        let mut tls = Self {
            tcp,
            session,
            rest: Vec::new(),
        };
        let mut sealed = Vec::new();
        loop {
            let done = tls.process(&mut sealed, &mut [])?;
            sealed.drain(..done.taken);
            if done.is_open {
                tls.rest = sealed;
                return Ok(tls);
            }
            let before = sealed.len();
            sealed.resize(before + 4096, 0);
            let read = tls.tcp.read(&mut sealed[before..])?;
            sealed.truncate(before + read);
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        ROOM.with_borrow_mut(|room| {
            let kept = self.rest.len();
            let read = self.tcp.read(&mut room[kept..])?;
            if read == 0 {
                return Ok(0);
            }
            let sealed = &mut room[..kept + read];
            sealed[..kept].copy_from_slice(&self.rest);
            let done = self.process(sealed, into)?;
            self.rest = sealed[done.taken..].to_vec();
            match done.text {
                0 => Err(ErrorKind::WouldBlock.into()),
                text => Ok(text),
            }
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        ROOM.with_borrow_mut(|room| {
            let Ok(ConnectionState::WriteTraffic(mut traffic)) =
                self.session.process_tls_records(&mut []).state
            else {
                return Err(io::Error::other("TLS has something else to say"));
            };
            let sealed = traffic.encrypt(bytes, room).map_err(io::Error::other)?;
            whole(&self.tcp, &room[..sealed])?;
            Ok(bytes.len())
        })
    }

    /// Processes records, and answers what TLS has to answer.
    fn process(&mut self, sealed: &mut [u8], into: &mut [u8]) -> io::Result<Done> {
        let mut done = Done::default();
        loop {
            let UnbufferedStatus { mut discard, state } =
                self.session.process_tls_records(&mut sealed[done.taken..]);
            let is_last = match state.map_err(wrong)? {
                ConnectionState::ReadTraffic(mut traffic) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(wrong)?;
                        discard += record.discard;
                        let end = done.text + record.payload.len();
                        into[done.text..end].copy_from_slice(record.payload);
                        done.text = end;
                    }
                    false
                }
                ConnectionState::EncodeTlsData(data) => {
                    whole(&self.tcp, &encoded(data)?)?;
                    false
                }
                ConnectionState::TransmitTlsData(data) => {
                    data.done();
                    false
                }
                ConnectionState::WriteTraffic(_) => {
                    done.is_open = true;
                    true
                }
                _ => true,
            };
            done.taken += discard;
            if is_last {
                return Ok(done);
            }
        }
    }
}

/// What became of some bytes.
#[derive(Default)]
struct Done {
    taken: usize,
    text: usize,
    is_open: bool,
}

fn encoded<D>(mut data: EncodeTlsData<'_, D>) -> io::Result<Vec<u8>> {
    let mut record = vec![0; 4096];
    let length = data.encode(&mut record).map_err(io::Error::other)?;
    record.truncate(length);
    Ok(record)
}

/// TLS of the server, by the library's usual interface.
pub(crate) struct ServerTls {
    tcp: TcpStream,
    session: ServerConnection,
}

impl ServerTls {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.session.read_tls(&mut self.tcp)? == 0 {
            return Ok(0);
        }
        self.session.process_new_packets().map_err(wrong)?;
        self.flush()?;
        let mut text = 0;
        loop {
            match self.session.reader().read(&mut into[text..]) {
                Ok(0) => return Ok(text),
                Ok(more) => text += more,
                Err(error) if text > 0 && error.kind() == ErrorKind::WouldBlock => return Ok(text),
                Err(error) => return Err(error),
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.session.writer().write_all(bytes)?;
        self.flush()?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.session.wants_write() {
            self.session.write_tls(&mut self.tcp).map_err(slow)?;
        }
        Ok(())
    }
}

/// A floor that had to keep what a socket does not take would be none.
fn whole(mut tcp: &TcpStream, bytes: &[u8]) -> io::Result<()> {
    match tcp.write(bytes).map_err(slow)? {
        written if written == bytes.len() => Ok(()),
        _ => Err(slow(ErrorKind::WouldBlock.into())),
    }
}

fn slow(error: io::Error) -> io::Error {
    match error.kind() {
        ErrorKind::WouldBlock => io::Error::other("the other side reads too slowly for TLS"),
        _ => error,
    }
}

fn wrong(error: Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

/// How a server speaks TLS, with a certificate of its own. It gives tickets, and keeps no session.
pub(crate) fn server_config() -> io::Result<Arc<ServerConfig>> {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
    let own = own.map_err(io::Error::other)?;
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.into())
        .map_err(wrong)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ticketer = ring::Ticketer::new().map_err(wrong)?;
    Ok(Arc::new(config))
}

/// How a client speaks one version of TLS. It resumes sessions, whosever they were.
pub(crate) fn client_config(
    version: &'static SupportedProtocolVersion,
) -> io::Result<Arc<ClientConfig>> {
    let provider = Arc::new(ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[version])
        .map_err(wrong)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// Trusts any certificate, and checks the signature of the handshake.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
