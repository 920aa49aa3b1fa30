//! Tests what a wire sees of a real socket, and what it does to it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::end::TcpEnd;
use super::link::Link;
use super::tls::{Alpn, Tls};
use super::wire::{Wire, can_vanish, may_follow};
use crate::scenario::{TlsSettings, Trust};
use crate::sys;

/// How late the reader reads. A time taken by its own clock would be wrong by as much.
const LATE: Duration = Duration::from_millis(300);
/// Long enough for a packet on loopback, and for the kernel's clock of acknowledgements.
const MOMENT: Duration = Duration::from_millis(50);

/// Returns a wire and its other end.
async fn pair() -> (Wire, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let near = tokio::net::TcpStream::connect(address).await.unwrap();
    let (far, _) = listener.accept().unwrap();
    far.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    (Wire::new(near), far)
}

async fn end(wire: &mut Wire) -> TcpEnd {
    let end = std::future::poll_fn(|cx| wire.poll_end(cx));
    tokio::time::timeout(Duration::from_secs(5), end)
        .await
        .unwrap()
}

/// Asserts that a time lies between two others, with a tolerance of `give` for the kernel's clocks.
#[track_caller]
fn assert_between(from: Instant, at: Instant, to: Instant, give: Duration) {
    assert!(at + give >= from, "{:?} too early", from - at);
    assert!(at <= to + give, "{:?} too late", at - to);
}

#[tokio::test]
async fn without_stamps_of_the_kernel_bytes_have_the_time_at_which_they_are_read() {
    let (mut wire, mut far) = pair().await;
    wire.watch_by(false);
    sleep(MOMENT);
    let before = Instant::now();
    far.write_all(b"hello").unwrap();
    wire.read_exact(&mut [0; 5]).await.unwrap();
    let at = wire.arrived().unwrap();
    assert_between(before, at, Instant::now(), Duration::ZERO);
}

/// It takes the option, and gives no times: those at which bytes are read are no times at which they came.
#[tokio::test]
async fn a_unix_socket_has_no_stamps() {
    let (near, mut far) = std::os::unix::net::UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let near = TcpStream::from(std::os::fd::OwnedFd::from(near));
    let mut wire = Wire::new(tokio::net::TcpStream::from_std(near).unwrap());
    wire.stamp();
    far.write_all(b"hello").unwrap();
    wire.read_exact(&mut [0; 5]).await.unwrap();
    assert_eq!(wire.arrived(), None);
}

#[tokio::test]
async fn all_that_comes_is_read_up_to_the_end_however_long_the_reads_are() {
    for is_stamped in [false, true] {
        let (mut wire, mut far) = pair().await;
        if is_stamped {
            wire.stamp();
        }
        far.write_all(b"whole").unwrap();
        wire.read_exact(&mut [0; 5]).await.unwrap();
        let writing = std::thread::spawn(move || {
            for _ in 0..1_000 {
                far.write_all(b"part").unwrap();
            }
            // The last bytes and the end come together.
        });
        let mut all = Vec::new();
        let mut room = [0; 7];
        loop {
            let read = tokio::time::timeout(Duration::from_secs(5), wire.read(&mut room));
            let read = read.await.expect("what has come is told").unwrap();
            all.extend_from_slice(&room[..read]);
            if read == 0 {
                break;
            }
        }
        writing.join().unwrap();
        assert_eq!(all.len(), 4_000);
        assert_eq!(wire.end(), Some(TcpEnd::Fin));
    }
}

#[tokio::test]
async fn a_reset_after_a_short_read_is_seen() {
    let (mut wire, mut far) = pair().await;
    wire.stamp();
    far.write_all(b"x").unwrap();
    assert_eq!(wire.read(&mut [0; 9]).await.unwrap(), 1);
    socket2::SockRef::from(&far)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(far);
    let read = tokio::time::timeout(Duration::from_secs(5), wire.read(&mut [0; 9])).await;
    assert_eq!(
        read.unwrap().unwrap_err().kind(),
        ErrorKind::ConnectionReset
    );
    assert_eq!(wire.end(), Some(TcpEnd::Rst));
}

/// The clock went an hour forward while bytes waited: they seem to be an hour older than those before them.
#[test]
fn bytes_from_before_the_last_ones_are_of_a_clock_that_was_set() {
    let before = Instant::now() + Duration::from_secs(3600);
    let imprecise = Duration::from_millis(1);
    assert!(may_follow(before, before - imprecise));
    assert!(!may_follow(before, Instant::now()));
}

#[tokio::test]
async fn bytes_that_are_read_late_have_the_time_at_which_they_came() {
    let (mut wire, mut far) = pair().await;
    wire.watch();
    // The first timestamp that is requested on a machine may be late.
    far.write_all(b"first").unwrap();
    wire.read_exact(&mut [0; 5]).await.unwrap();
    sleep(MOMENT);
    let before = Instant::now();
    far.write_all(b"hello").unwrap();
    let after = Instant::now();
    sleep(LATE);
    wire.read_exact(&mut [0; 5]).await.unwrap();
    let arrived = wire.arrived().unwrap();
    assert_between(before, arrived, after, Duration::from_millis(20));
}

/// Sets up TLS on both ends of a watched wire.
async fn secured() -> (Link, StreamOwned<ServerConnection, TcpStream>) {
    let (mut wire, far) = pair().await;
    wire.watch();
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(own.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key.into())
        .unwrap();
    let far = std::thread::spawn(move || {
        let mut far = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), far);
        far.conn.complete_io(&mut far.sock).unwrap();
        far
    });
    let anyone = TlsSettings {
        trust: Trust::Anyone,
        ..TlsSettings::default()
    };
    let tls = Tls::new("localhost", &anyone, false).unwrap();
    let link = tls.secure(Link::Plain(wire), 0, Alpn::Http1).await;
    (link.unwrap(), far.join().unwrap())
}

#[tokio::test]
async fn under_tls_bytes_that_are_read_late_have_the_time_at_which_they_came() {
    let (mut link, mut far) = secured().await;
    far.write_all(b"first").unwrap();
    link.read_exact(&mut [0; 5]).await.unwrap();
    sleep(MOMENT);
    let before = Instant::now();
    far.write_all(b"hello").unwrap();
    let after = Instant::now();
    sleep(LATE);
    link.read_exact(&mut [0; 5]).await.unwrap();
    let arrived = link.wire().arrived().unwrap();
    assert_between(before, arrived, after, Duration::from_millis(20));
}

#[tokio::test]
async fn a_fin_that_is_read_late_has_the_time_at_which_it_came() {
    let (mut wire, far) = pair().await;
    wire.watch();
    sleep(MOMENT);
    let before = Instant::now();
    drop(far);
    let after = Instant::now();
    sleep(LATE);
    assert_eq!(wire.read(&mut [0; 5]).await.unwrap(), 0);
    assert_eq!(wire.end(), Some(TcpEnd::Fin));
    let arrived = wire.arrived().unwrap();
    assert_between(before, arrived, after, Duration::from_millis(20));
}

#[tokio::test]
async fn without_reading_a_fin_behind_unread_bytes_is_seen_and_new_bytes_are_none() {
    let (mut wire, mut far) = pair().await;
    far.write_all(b"unread").unwrap();
    let seen = tokio::time::timeout(MOMENT, std::future::poll_fn(|cx| wire.poll_end(cx))).await;
    assert!(seen.is_err(), "{seen:?}");
    far.write_all(b"unread").unwrap();
    drop(far);
    assert_eq!(end(&mut wire).await, TcpEnd::Fin);
}

#[tokio::test]
async fn without_reading_a_reset_is_seen() {
    let (mut wire, mut far) = pair().await;
    far.write_all(b"unread").unwrap();
    wire.write_all(b"unread too").await.unwrap();
    sleep(MOMENT);
    // Closes with bytes unread: the kernel sends a RST.
    drop(far);
    assert_eq!(end(&mut wire).await, TcpEnd::Rst);
    assert_eq!(wire.end(), Some(TcpEnd::Rst));
}

#[tokio::test]
async fn a_reset_reaches_the_peer_as_one() {
    let (wire, mut far) = pair().await;
    wire.reset().unwrap();
    drop(wire);
    let error = far.read(&mut [0; 5]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn after_a_half_close_the_peer_is_still_heard() {
    let (mut wire, mut far) = pair().await;
    wire.half_close().unwrap();
    assert_eq!(far.read(&mut [0; 5]).unwrap(), 0);
    far.write_all(b"hello").unwrap();
    let mut hello = [0; 5];
    wire.read_exact(&mut hello).await.unwrap();
    assert_eq!(&hello, b"hello");
}

#[tokio::test]
async fn who_vanished_acknowledges_nothing_until_it_is_back() {
    let (mut wire, mut far) = pair().await;
    if !can_vanish() {
        let refused = sys::deafen(far.as_fd()).and_then(|()| sys::leave_in_silence(far.as_fd()));
        assert_eq!(refused.unwrap_err().kind(), ErrorKind::PermissionDenied);
        return;
    }
    let unacked = |far: &TcpStream| sys::tcp_view(far.as_fd()).unwrap().unacked;
    far.write_all(b"hello").unwrap();
    sleep(MOMENT);
    assert_eq!(unacked(&far), 0);
    wire.vanish().unwrap();
    far.write_all(b"are you").unwrap();
    sleep(LATE);
    let view = sys::tcp_view(far.as_fd()).unwrap();
    assert!(view.unacked > 0, "{view:?}");
    wire.come_back().unwrap();
    let mut all = [0; 12];
    let read = tokio::time::timeout(Duration::from_secs(10), wire.read_exact(&mut all));
    read.await.unwrap().unwrap();
    assert_eq!(&all, b"helloare you");
    assert_eq!(unacked(&far), 0);
}

#[tokio::test]
async fn who_vanished_ends_without_a_packet() {
    let (mut wire, mut far) = pair().await;
    if !can_vanish() {
        assert!(wire.vanish().is_err() || sys::leave_in_silence(far.as_fd()).is_err());
        return;
    }
    wire.vanish().unwrap();
    drop(wire);
    sleep(MOMENT);
    far.set_nonblocking(true).unwrap();
    let nothing = far.read(&mut [0; 5]).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    assert!(!sys::tcp_state(far.as_fd()).unwrap().is_ended);
}
