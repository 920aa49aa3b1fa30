//! Opens TCP, or the same over a Unix socket. Does not wait for the event loop if the system has connected at once: to an address of this machine the
//! wait would take longer than the connection.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd as _;
use std::path::Path;

use socket2::{Domain, SockAddr, Socket, Type};
use tokio::net::TcpStream;

use crate::sys;

/// Which step failed.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// This source address cannot be used.
    Source(IpAddr, io::Error),
    /// This network device cannot be used.
    Device(String, io::Error),
    /// The connection could not be made.
    Connect(io::Error),
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        Self::Connect(error)
    }
}

/// A network device.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    name: String,
    /// Its number, which is the zone of link-local addresses; zero if there is no such device (RFC 4007 section 11).
    index: u32,
}

impl Device {
    /// The device of this name, whether it is there or not.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            index: sys::device_index(name).unwrap_or(0),
        }
    }

    /// The address, in the zone of this device if it is a link-local one.
    fn zoned(&self, address: SocketAddr) -> SocketAddr {
        match address {
            SocketAddr::V6(mut address) if address.ip().is_unicast_link_local() => {
                address.set_scope_id(self.index);
                address.into()
            }
            other => other,
        }
    }
}

/// Checks that clients can dial over a network device.
///
/// # Errors
/// The error of the system: there is no such device, it takes a right that this process does not have, or the system
/// does not have this.
pub fn check_device(name: &str) -> io::Result<()> {
    sys::bind_device(socket(Domain::IPV4)?.as_fd(), name)
}

/// Connects to `address`, from `source` and over `device` if they are given, with a receive buffer of `receives` bytes if that is given.
///
/// # Errors
/// The error of the system, and the step that failed.
pub(crate) async fn tcp(
    address: SocketAddr,
    source: Option<IpAddr>,
    device: Option<&Device>,
    receives: Option<usize>,
) -> Result<TcpStream, ConnectError> {
    let socket = socket(Domain::for_address(address))?;
    let address = device.map_or(address, |device| device.zoned(address));
    if let Some(Device { name, .. }) = device {
        sys::bind_device(socket.as_fd(), name)
            .map_err(|error| ConnectError::Device(name.clone(), error))?;
    }
    if let Some(source) = source {
        sys::bind_address_no_port(socket.as_fd())?;
        (socket.bind(&SocketAddr::new(source, 0).into()))
            .map_err(|error| ConnectError::Source(source, error))?;
    }
    if let Some(bytes) = receives {
        socket.set_recv_buffer_size(bytes)?;
    }
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error.into()),
        Err(_) | Ok(()) => {}
    }
    let is_connected = socket.peer_addr().is_ok();
    let stream = TcpStream::from_std(socket.into())?;
    if !is_connected {
        stream.writable().await?;
        if let Some(error) = stream.take_error()? {
            return Err(error.into());
        }
    }
    if address.ip().is_loopback() && is_itself(&stream) {
        return Err(io::Error::from_raw_os_error(libc::ECONNREFUSED).into());
    }
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Whether a connection leads to itself. Where nobody listens, the system may choose the very port that is dialled as the
/// local one; both ends meet then (RFC 9293 section 3.5), and the port is taken until the connection ends.
fn is_itself(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(near), Ok(far)) if near == far)
}

/// Connects to a Unix socket. Reads and writes like TCP, so it has the same type; what only TCP has fails on it.
///
/// # Errors
/// The error of the system, at once: EAGAIN while the queue of the socket is full (unix(7)).
pub(crate) fn unix(path: &Path) -> io::Result<TcpStream> {
    let socket = socket(Domain::UNIX)?;
    socket.connect(&SockAddr::unix(path)?)?;
    TcpStream::from_std(socket.into())
}

/// Makes a non-blocking socket.
#[cfg(target_os = "linux")]
fn socket(domain: Domain) -> io::Result<Socket> {
    Socket::new(domain, Type::STREAM.nonblocking(), None)
}

/// Makes a non-blocking socket.
#[cfg(not(target_os = "linux"))]
fn socket(domain: Domain) -> io::Result<Socket> {
    let socket = Socket::new(domain, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[tokio::test]
    async fn one_that_listens_is_connected_to_from_the_source_that_was_asked_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let source = "127.0.0.2".parse().unwrap();
        let stream = tcp(
            listener.local_addr().unwrap(),
            Some(source),
            None,
            Some(4096),
        )
        .await
        .unwrap();
        let (_, peer) = listener.accept().unwrap();
        assert_eq!(stream.local_addr().unwrap(), peer);
        assert_eq!(peer.ip(), source);
    }

    #[tokio::test]
    async fn where_nobody_listens_it_is_refused() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = tcp(address, None, None, None).await.unwrap_err();
        assert!(matches!(
            error,
            ConnectError::Connect(error) if error.kind() == io::ErrorKind::ConnectionRefused
        ));
    }

    #[tokio::test]
    async fn a_connection_to_itself_is_told_from_one_to_a_server() {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any_port: SocketAddr = "127.0.0.1:0".parse().unwrap();
        socket.bind(&any_port.into()).unwrap();
        let own = socket.local_addr().unwrap();
        socket.connect(&own).unwrap();
        socket.set_nonblocking(true).unwrap();
        assert!(is_itself(&TcpStream::from_std(socket.into()).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        assert!(!is_itself(&tcp(address, None, None, None).await.unwrap()));
    }

    #[tokio::test]
    async fn a_source_that_is_not_of_this_machine_is_told_from_a_target_that_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let foreign: IpAddr = "192.0.2.7".parse().unwrap();
        let dialled = tcp(listener.local_addr().unwrap(), Some(foreign), None, None).await;
        assert!(
            matches!(dialled.unwrap_err(), ConnectError::Source(source, _) if source == foreign)
        );
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn a_device_is_dialled_over_and_one_that_is_not_there_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (lo, none) = (Device::named("lo"), Device::named("no-such-dev"));
        tcp(address, None, Some(&lo), None).await.unwrap();
        let error = tcp(address, None, Some(&none), None).await.unwrap_err();
        assert!(matches!(error, ConnectError::Device(name, _) if name == "no-such-dev"));
        assert!(check_device("lo").is_ok() && check_device("no-such-dev").is_err());
        let near: SocketAddr = "[fe80::1]:80".parse().unwrap();
        assert_eq!(
            lo.zoned(near).to_string(),
            format!("[fe80::1%{}]:80", lo.index)
        );
        assert!(lo.index > 0);
    }

    /// A full queue of a listener leaves the next connection waiting; it continues once there is room again.
    #[tokio::test]
    async fn what_the_system_has_not_connected_yet_is_waited_for() {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any_port: SocketAddr = "127.0.0.1:0".parse().unwrap();
        listener.bind(&any_port.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let first = tcp(address, None, None, None).await.unwrap();
        let mut second = tokio::spawn(tcp(address, None, None, None));
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        listener.accept().unwrap();
        // The first packet was dropped: it is sent again after a second.
        let second = (&mut second).await.unwrap().unwrap();
        assert_ne!(first.local_addr().unwrap(), second.local_addr().unwrap());
    }
}
