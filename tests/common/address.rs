//! A free address for a command that must be told where to listen.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// An address on which nothing listens. The IP address is the test's own, so that no client is given its port.
pub fn free() -> SocketAddr {
    static COUNT: AtomicU8 = AtomicU8::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    free_at(Ipv4Addr::new(
        127,
        100 + COUNT.fetch_add(1, Relaxed),
        high,
        low,
    ))
}

/// A free port of this IP address, for a command that listens nowhere else.
pub fn free_at(own: Ipv4Addr) -> SocketAddr {
    let listener = TcpListener::bind((own, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    // Waits, because a process that another test is just starting holds the socket as well, until it executes its
    // program.
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < deadline, "{address} is still listened on");
        std::thread::sleep(Duration::from_millis(1));
    }
    address
}
