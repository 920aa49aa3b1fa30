//! What the kernel knows about a connection when the runtime may not know it yet.
//! Called only before a client is given up.

use std::mem::MaybeUninit;

use socket2::SockRef;
use tokio::net::TcpStream;

/// Whether bytes, or the end of the connection, have arrived and were not read. The runtime may not know of it yet: a
/// process can be stopped right after the runtime has checked its sockets.
pub(in crate::server) fn has_arrived(socket: &TcpStream) -> bool {
    let mut byte = [MaybeUninit::uninit()];
    SockRef::from(socket).peek(&mut byte).is_ok()
}

/// Whether bytes wait to be sent because the peer has no room for them.
#[cfg(target_os = "linux")]
pub(in crate::server) fn is_stuck(socket: &TcpStream) -> bool {
    let options = SockRef::from(socket);
    let Ok(before) = options.tcp_notsent_lowat() else {
        return !is_writable(socket);
    };
    // With this limit, a socket is writable only if each byte has been sent. The limit is restored before the next
    // write.
    if options.set_tcp_notsent_lowat(1).is_err() {
        return !is_writable(socket);
    }
    let stuck = !is_writable(socket);
    let _ = options.set_tcp_notsent_lowat(before);
    stuck
}

/// Whether so many bytes wait to be sent that there is no room for more.
#[cfg(all(unix, not(target_os = "linux")))]
pub(in crate::server) fn is_stuck(socket: &TcpStream) -> bool {
    !is_writable(socket)
}

/// Other systems do not tell.
#[cfg(not(unix))]
pub(in crate::server) fn is_stuck(_socket: &TcpStream) -> bool {
    false
}

/// Whether a write can succeed or fail at once. A failed socket counts as writable: writing finds its error.
#[cfg(unix)]
fn is_writable(socket: &TcpStream) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let mut polled = [PollFd::new(socket, PollFlags::OUT)];
    !matches!(poll(&mut polled, Some(&at_once)), Ok(0))
}
