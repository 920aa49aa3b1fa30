//! Where a command that has to be told shall listen.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Where nobody listens: an address of its own, so that no client gets its port.
pub fn free() -> SocketAddr {
    static COUNT: AtomicU8 = AtomicU8::new(0);
    let [.., high, low] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, 100 + COUNT.fetch_add(1, Relaxed), high, low);
    let listener = TcpListener::bind((own, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    // A process that another test starts just now holds it as well, until it has become another program.
    let deadline = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(address).is_ok() {
        assert!(Instant::now() < deadline, "{address} is still listened on");
        std::thread::sleep(Duration::from_millis(1));
    }
    address
}
