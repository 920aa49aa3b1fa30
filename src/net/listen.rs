//! Listening sockets: those of the relay and of the built-in server.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

/// The length of the accept queue: all clients of a run may connect at once.
const BACKLOG: i32 = 4096;

/// Listens on an address; port 0 chooses a free port. The socket does not block.
///
/// # Errors
/// The address is not one of this machine, or its port is taken.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A port that is asked for may still have connections of the program that had it before. On Windows this option
    // would let a second server take the same port.
    #[cfg(unix)]
    socket.set_reuse_address(address.port() != 0)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
