//! Tests the way to real servers on this machine: dead addresses and TLS failures.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, date_time_ymd};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{
    HandshakeKind, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
};

use super::handshake::Request;
use super::resolver::Resolver;
use super::resolvers::Resolvers;
use super::tcp_dialer::{Dial, Progress};
use super::way::{NotOpened, Opened, Way};
use crate::metric::{Cause, Timer};
use crate::scenario::{Access, Outside, Overrides, Source, Target, TargetUrl, WsUrl, parse};
use crate::time::Monotonic;

const REFUSAL: &[u8] = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";

/// Returns the target of a scenario with these lines.
fn target(lines: &str) -> (WsUrl, Target) {
    let source = Source {
        name: "test".to_owned(),
        text: format!("name = \"test\"\n[target]\n{lines}\n[load]\nconnections = 1\n"),
    };
    let outside = Outside {
        env: &|_| None,
        read: &|path| std::fs::read(path),
        list: &Outside::no_folder,
    };
    let target = parse(&source, &Overrides::default(), &outside)
        .unwrap_or_else(|problems| panic!("{problems}"))
        .target;
    let TargetUrl::Servers(servers) = &target.url else {
        panic!("it has an address");
    };
    (servers.first().clone(), target)
}

/// The way to a name with these addresses; without any, its first dial looks it up.
fn way(url: &WsUrl, target: &Target, known: &[SocketAddr], resumes: bool) -> Way {
    let (origin, access) = (url.origin(), &target.access);
    let names = Resolvers::new(Duration::from_secs(5));
    if !known.is_empty() {
        // Behind a proxy that leaves it to us, the name is looked up as without one.
        names.put(&origin, &Access::default(), Resolver::of(known));
    }
    Way::new(&origin, access, &names, resumes).unwrap()
}

/// Returns the way to a name with these addresses, and what is asked for there.
pub(super) fn way_to(lines: &str, known: &[SocketAddr]) -> (Way, Request) {
    let (url, target) = target(lines);
    let way = way(&url, &target, known, false);
    (way, Request::new(&url, &target.access.ask))
}

/// Dials a name with these addresses.
pub(super) async fn dial(
    lines: &str,
    known: &[SocketAddr],
) -> (Result<Opened, NotOpened>, Progress) {
    let (way, request) = way_to(lines, known);
    let (clock, mut progress) = (Monotonic::start(), Progress::default());
    let opening = way.open(&request, None, Dial::default(), &clock, &mut progress);
    let limit = Duration::from_secs(20);
    let opened = tokio::time::timeout(limit, opening).await.expect("in time");
    (opened, progress)
}

pub(super) async fn fails(lines: &str, server: SocketAddr) -> (Cause, String) {
    let (opened, _) = dial(lines, &[server]).await;
    let failure = opened.err().expect("it fails").failure;
    (failure.cause, failure.detail)
}

/// Returns an address on which no server listens.
pub(super) fn dead() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// Accepts one connection, and refuses it by HTTP.
fn refuses() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        let _ = tcp.read(&mut [0; 4096]);
        tcp.write_all(REFUSAL).unwrap();
    });
    address
}

#[tokio::test]
async fn an_address_that_refuses_is_followed_by_the_next_and_told() {
    let (first, second, alive) = (dead(), dead(), refuses());
    let (opened, progress) = dial("url = \"ws://h/\"", &[first, second, alive]).await;
    assert_eq!(opened.err().unwrap().failure.cause, Cause::HttpStatus);
    assert_eq!(
        progress.passed,
        [(first, Cause::Refused), (second, Cause::Refused)]
    );
}

#[tokio::test]
async fn where_all_addresses_refuse_the_first_one_is_told() {
    let (first, second) = (dead(), dead());
    let (opened, progress) = dial("url = \"ws://h/\"", &[first, second]).await;
    let failure = opened.err().unwrap().failure;
    assert_eq!(failure.cause, Cause::Refused);
    assert!(
        failure.detail.starts_with(&format!("{first}: ")),
        "{failure:?}"
    );
    assert_eq!(progress.passed.len(), 1, "the last was followed by none");
}

#[tokio::test]
async fn an_address_is_told_however_the_next_one_failed() {
    // A link-local address without an interface: the system refuses to dial it, and no other address may help.
    let (first, last) = (dead(), "[fe80::1]:1".parse().unwrap());
    let (opened, progress) = dial("url = \"ws://h/\"", &[first, last]).await;
    assert!(opened.is_err());
    assert_eq!(progress.passed, [(first, Cause::Refused)]);
}

/// Makes a self-signed certificate for these names, as `openssl req -x509` does.
fn certificate(names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Own {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
    Own {
        certificate,
        key,
        folder,
    }
}

struct Own {
    certificate: rcgen::Certificate,
    key: KeyPair,
    folder: tempfile::TempDir,
}

impl Own {
    /// Returns the lines of a scenario that trusts it.
    fn trusted(&self, host: &str) -> String {
        let file = self.folder.path().join("ca.pem");
        trusting(host, &file)
    }

    fn server(&self, versions: &[&'static SupportedProtocolVersion]) -> ServerConfig {
        self.server_with(versions, false)
    }

    fn server_with(
        &self,
        versions: &[&'static SupportedProtocolVersion],
        wants_client: bool,
    ) -> ServerConfig {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)
            .unwrap();
        let builder = if wants_client {
            let mut roots = RootCertStore::empty();
            roots.add(self.certificate.der().clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        builder
            .with_single_cert(vec![self.certificate.der().clone()], key.into())
            .unwrap()
    }
}

fn trusting(host: &str, file: &Path) -> String {
    format!(
        "url = \"wss://{host}/\"\nca = {:?}",
        file.display().to_string()
    )
}

const ANYONE: &str = "url = \"wss://127.0.0.1/\"\ninsecure = true";

/// Accepts this many connections under TLS and refuses each by HTTP. The thread returns the kinds of their handshakes.
fn under_tls(config: ServerConfig, connections: usize) -> (SocketAddr, Handshakes) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(config);
    let one = move || {
        let (tcp, _) = listener.accept().unwrap();
        let connection = ServerConnection::new(config.clone()).unwrap();
        let mut stream = StreamOwned::new(connection, tcp);
        let refused = (stream.read(&mut [0; 4096])).and_then(|_| stream.write_all(REFUSAL));
        let kind = stream.conn.handshake_kind();
        refused.ok().and(kind)
    };
    let take = move || (0..connections).map(|_| one()).collect();
    (address, thread::spawn(take))
}

type Handshakes = JoinHandle<Vec<Option<HandshakeKind>>>;

const BOTH: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_where_ca_names_it() {
    let own = certificate(&["localhost"], |_| {});
    let (server, _) = under_tls(own.server(&BOTH), 1);
    let (cause, detail) = fails(&own.trusted("localhost"), server).await;
    assert_eq!(
        (cause, detail.as_str()),
        (Cause::HttpStatus, "HTTP/1.1 404 Not Found")
    );
}

#[tokio::test]
async fn each_certificate_that_is_not_trusted_has_its_cause() {
    let own = certificate(&["localhost"], |_| {});
    let other = certificate(&["localhost"], |_| {});
    let (server, _) = under_tls(own.server(&BOTH), 2);
    let (cause, _) = fails(&other.trusted("localhost"), server).await;
    assert_eq!(cause, Cause::TlsUntrusted);
    let (cause, detail) = fails(&own.trusted("127.0.0.1"), server).await;
    let names = "the server's certificate: it is for localhost, not for 127.0.0.1";
    assert_eq!((cause, detail.as_str()), (Cause::TlsName, names));

    let old = certificate(&["localhost"], |params| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    });
    let (server, _) = under_tls(old.server(&BOTH), 1);
    let (cause, detail) = fails(&old.trusted("localhost"), server).await;
    assert_eq!(cause, Cause::TlsExpired, "{detail}");
    assert!(
        detail.contains("expired") && detail.ends_with(" days ago"),
        "{detail}"
    );
}

/// Under TLS 1.3 the client finishes its handshake before the server checks for its certificate.
#[tokio::test]
async fn a_server_that_wants_to_know_its_clients_says_so_in_both_versions() {
    let own = certificate(&["localhost"], |_| {});
    for version in [&TLS13, &TLS12] {
        let (server, _) = under_tls(own.server_with(&[version], true), 1);
        let (cause, detail) = fails(ANYONE, server).await;
        assert_eq!(cause, Cause::TlsClientCert, "{version:?}: {detail}");
    }
}

#[tokio::test]
async fn a_protocol_that_is_not_offered_and_a_port_without_tls_are_told_apart() {
    let own = certificate(&["localhost"], |_| {});
    let mut config = own.server(&BOTH);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let (server, _) = under_tls(config, 1);
    let (cause, _) = fails(ANYONE, server).await;
    assert_eq!(cause, Cause::TlsAlpn);
    let (cause, _) = fails(ANYONE, refuses()).await;
    assert_eq!(cause, Cause::TlsNotSpoken);
}

/// Dials as these clients, one after the other, and returns how the server saw each handshake.
async fn handshakes(
    version: &'static SupportedProtocolVersion,
    clients: &[u32],
) -> Vec<HandshakeKind> {
    let own = certificate(&["localhost"], |_| {});
    let (server, handshakes) = under_tls(own.server(&[version]), clients.len());
    let (url, target) = target(ANYONE);
    let way = way(&url, &target, &[server], true);
    let request = Request::new(&url, &target.access.ask);
    for number in clients {
        let (clock, mut progress) = (Monotonic::start(), Progress::default());
        let dial = Dial {
            number: *number,
            ..Dial::default()
        };
        let opening = way.open(&request, None, dial, &clock, &mut progress);
        assert_eq!(
            opening.await.err().unwrap().failure.cause,
            Cause::HttpStatus
        );
    }
    let kinds = handshakes.join().unwrap();
    kinds.into_iter().map(Option::unwrap).collect()
}

/// A session ticket belongs to the client that received it, and is used by nobody else.
#[tokio::test]
async fn a_client_resumes_its_own_session_and_never_that_of_another() {
    const FULL: HandshakeKind = HandshakeKind::Full;
    const RESUMED: HandshakeKind = HandshakeKind::Resumed;
    for version in [&TLS13, &TLS12] {
        let seen = handshakes(version, &[0, 1, 2, 1, 0, 1]).await;
        assert_eq!(seen, [FULL, FULL, FULL, RESUMED, RESUMED, RESUMED]);
    }
}

/// Answers one request by a 101 that selects no subprotocol.
pub(super) fn accepts() -> SocketAddr {
    use tokio_tungstenite::tungstenite;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        tungstenite::accept(tcp).unwrap();
    });
    address
}

#[tokio::test]
async fn the_steps_of_an_opening_are_a_list_in_their_order() {
    let (opened, _) = dial("url = \"ws://h/\"", &[accepts()]).await;
    let steps = opened.expect("it opens").steps;
    let names: Vec<Timer> = steps.iter().map(|(step, _)| step).collect();
    let expected = [
        Timer::HandshakeTcp,
        Timer::HandshakeUpgrade,
        Timer::HandshakeTotal,
    ];
    assert_eq!(names, expected);
    let took = |step| steps.took(step).unwrap();
    let parts = took(Timer::HandshakeTcp) + took(Timer::HandshakeUpgrade);
    assert_eq!(parts, took(Timer::HandshakeTotal));
}
