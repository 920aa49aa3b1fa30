//! Our own reader and writer over TCP: counts bytes, records how and when the peer ended TCP, and carries out on TCP
//! what a bad client does.

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::num::NonZeroU64;
use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use super::end::TcpEnd;
use crate::measure::TcpView;
use crate::sys;
use crate::time;

/// The largest step of the kernel's clock for acknowledgements, on a slow kernel (100 Hz).
const ACK_CLOCK: Duration = Duration::from_millis(10);

/// The largest error of the times that the kernel's timestamps are converted to, while nobody sets the clock.
const CLOCK_STEP: Duration = Duration::from_millis(10);

/// A TCP connection, or one over a Unix socket: the system reads and writes both in the same way.
#[derive(Debug)]
pub(crate) struct Wire {
    tcp: TcpStream,
    /// Bytes written since [`Self::take_bytes`].
    sent: u64,
    /// Bytes read since [`Self::take_bytes`].
    received: u64,
    /// When the last bytes, or the end, reached this machine; `None` unless that is recorded.
    arrived: Option<Since>,
    end: Option<TcpEnd>,
    /// Bytes are read with the kernel's timestamps.
    stamped: bool,
    is_watched: bool,
    /// Whether it takes and sends no packets.
    vanished: bool,
}

/// A time of the system's monotonic clock, as nanoseconds since the first of them; in half the room of an [`Instant`], since
/// each open connection has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Since(NonZeroU64);

static FIRST: LazyLock<Instant> = LazyLock::new(Instant::now);

impl From<Instant> for Since {
    fn from(at: Instant) -> Self {
        let since = at.saturating_duration_since(*FIRST).as_nanos() as u64;
        Self(NonZeroU64::MIN.saturating_add(since))
    }
}

impl From<Since> for Instant {
    fn from(Since(since): Since) -> Self {
        *FIRST + Duration::from_nanos(since.get() - 1)
    }
}

impl Wire {
    /// Wraps a TCP connection of which nothing was read or written yet.
    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            sent: 0,
            received: 0,
            arrived: None,
            end: None,
            stamped: false,
            is_watched: false,
            vanished: false,
        }
    }

    /// Starts to record when bytes arrive: by the kernel's timestamps, if the system has them.
    pub(crate) fn watch(&mut self) {
        self.stamp();
        self.watch_by(self.stamped);
    }

    /// Starts to record when bytes arrive, by the kernel's timestamps or by the time at which they are read.
    pub(super) fn watch_by(&mut self, stamped: bool) {
        self.is_watched = true;
        self.stamped = stamped;
        self.arrived = Some(Since::from(Instant::now()));
    }

    /// Starts to record when bytes arrive, by the kernel's timestamps. Records nothing if the system has none: a Unix socket takes
    /// the option, and stamps nothing.
    pub(crate) fn stamp(&mut self) {
        let is_tcp = sys::tcp_state(self.tcp.as_fd()).is_some();
        self.stamped =
            is_tcp && time::is_the_kernels() && sys::stamp_receives(self.tcp.as_fd()).is_ok();
        self.arrived = self.stamped.then(|| Since::from(Instant::now()));
    }

    /// Returns whether [`Self::watch`] was called.
    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched
    }

    /// Returns when the last bytes, or the end, reached this machine; `None` unless that is recorded.
    #[inline]
    pub(crate) fn arrived(&self) -> Option<Instant> {
        self.arrived.map(Instant::from)
    }

    /// Records that something arrived at this time, but never earlier than the arrival before it.
    fn arrived_at(&mut self, at: Instant) {
        self.arrived = self.arrived.max(Some(Since::from(at)));
    }

    /// Returns how the peer ended TCP, once that was seen.
    pub(crate) fn end(&self) -> Option<TcpEnd> {
        self.end
    }

    /// Returns the bytes sent and received since the last call.
    pub(crate) fn take_bytes(&mut self) -> (u64, u64) {
        (
            std::mem::take(&mut self.sent),
            std::mem::take(&mut self.received),
        )
    }

    /// Returns the kernel's view of the connection.
    pub(crate) fn tcp_view(&self) -> Option<TcpView> {
        sys::tcp_view(self.tcp.as_fd())
    }

    /// Returns the local address.
    pub(crate) fn local(&self) -> Option<SocketAddr> {
        self.tcp.local_addr().ok()
    }

    /// Returns the address of the other end.
    pub(crate) fn peer(&self) -> Option<SocketAddr> {
        self.tcp.peer_addr().ok()
    }

    /// Returns the local port, which identifies the server's side of this connection.
    pub(crate) fn local_port(&self) -> Option<u16> {
        self.local().map(|address| address.port())
    }

    /// Waits for the end of TCP without reading, as the kernel sees it.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<TcpEnd> {
        loop {
            let ready = ready!(self.tcp.poll_read_ready(cx));
            if ready.is_err() || matches!(self.tcp.take_error(), Ok(Some(_)) | Err(_)) {
                return Poll::Ready(self.ended(TcpEnd::Rst));
            }
            // A Unix socket has no state of TCP.
            let is_ended = match sys::tcp_state(self.tcp.as_fd()) {
                Some(state) => state.is_ended,
                None => sys::is_hung_up(self.tcp.as_fd()),
            };
            if is_ended {
                return Poll::Ready(self.ended(TcpEnd::Fin));
            }
            // The bytes that are there stay unread, so the runtime must be told to wait for the next event.
            let unread: io::Result<()> =
                (self.tcp).try_io(Interest::READABLE, || Err(io::ErrorKind::WouldBlock.into()));
            debug_assert!(unread.is_err());
        }
    }

    /// Ends our half of TCP.
    ///
    /// # Errors
    /// The error of the system.
    pub(crate) fn half_close(&self) -> io::Result<()> {
        socket2::SockRef::from(&self.tcp).shutdown(Shutdown::Write)
    }

    /// Makes it end with a RST when it is dropped.
    ///
    /// # Errors
    /// The error of the system.
    pub(crate) fn reset(&self) -> io::Result<()> {
        self.tcp.set_zero_linger()
    }

    /// Takes no more packets, and sends none when it is dropped.
    ///
    /// # Errors
    /// Without the permission to do so.
    pub(crate) fn vanish(&mut self) -> io::Result<()> {
        sys::deafen(self.tcp.as_fd())?;
        self.vanished = true;
        Ok(())
    }

    /// Takes packets again.
    ///
    /// # Errors
    /// The error of the system.
    pub(crate) fn come_back(&mut self) -> io::Result<()> {
        self.vanished = false;
        sys::hear(self.tcp.as_fd())
    }

    #[cold]
    fn saw(&mut self, error: &io::Error) {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        if matches!(
            error.kind(),
            ConnectionReset | ConnectionAborted | BrokenPipe
        ) {
            self.ended(TcpEnd::Rst);
        }
    }

    /// Records the end of TCP; the first one counts. A FIN that was read late came at the time of the last
    /// acknowledgement.
    #[cold]
    fn ended(&mut self, end: TcpEnd) -> TcpEnd {
        if let Some(end) = self.end {
            return end;
        }
        self.end = Some(end);
        if self.arrived.is_some() {
            let last_ack = match end {
                TcpEnd::Fin => sys::tcp_view(self.tcp.as_fd()).map(|view| view.last_ack_ns),
                TcpEnd::Rst => None,
            };
            let since = Duration::from_nanos(last_ack.unwrap_or(0));
            let now = Instant::now();
            let at = now.checked_sub(since).filter(|_| since > ACK_CLOCK);
            self.arrived_at(at.unwrap_or(now));
        }
        end
    }

    /// Reads once. After a short read all was read, and the runtime tells when there is more.
    #[inline]
    fn poll_once(&mut self, cx: &mut Context<'_>, room: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.tcp.poll_read_ready(cx))?;
            let socket = self.tcp.as_fd();
            let mut read = None;
            let tried = (self.tcp).try_io(Interest::READABLE, || {
                let (bytes, stamp) = match self.stamped {
                    true => sys::receive(socket, room)?,
                    false => (sys::read(socket, room)?, None),
                };
                read = Some((bytes, stamp));
                match (1..room.len()).contains(&bytes) {
                    true => Err(io::ErrorKind::WouldBlock.into()),
                    false => Ok(()),
                }
            });
            match (read, tried) {
                (Some((read, stamp)), _) => {
                    if read > 0 && self.arrived.is_some() {
                        self.came(stamp);
                    }
                    return Poll::Ready(Ok(read));
                }
                (None, Err(error)) if error.kind() != io::ErrorKind::WouldBlock => {
                    return Poll::Ready(Err(error));
                }
                (None, _) => {}
            }
        }
    }

    /// Records that bytes came, with the kernel's timestamp if there is one.
    fn came(&mut self, stamp: Option<Duration>) {
        let stamped = stamp.map(|stamp| time::monotonic(SystemTime::UNIX_EPOCH + stamp));
        let at = stamped.filter(|at| self.arrived().is_none_or(|before| may_follow(before, *at)));
        self.arrived_at(at.unwrap_or_else(Instant::now));
    }
}

/// Whether bytes can have arrived at this time, after others at `before`. If not, the wall clock was set forward since.
pub(super) fn may_follow(before: Instant, at: Instant) -> bool {
    at + CLOCK_STEP >= before
}

/// Returns whether this process may make a connection vanish without a FIN or RST, by trying it on a socket. Needs
/// Linux and `CAP_NET_ADMIN`.
pub fn can_vanish() -> bool {
    use socket2::{Domain, Socket, Type};
    let domains = [Domain::IPV4, Domain::IPV6];
    let mut sockets =
        (domains.into_iter()).filter_map(|of| Socket::new(of, Type::STREAM, None).ok());
    sockets.next().is_some_and(|socket| {
        sys::deafen(socket.as_fd()).is_ok() && sys::leave_in_silence(socket.as_fd()).is_ok()
    })
}

impl AsyncRead for Wire {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let has_room = buf.remaining() > 0;
        let read = ready!(self.poll_once(cx, buf.initialize_unfilled()));
        match &read {
            Ok(read) => {
                buf.advance(*read);
                self.received += *read as u64;
                if *read == 0 && has_room {
                    self.ended(TcpEnd::Fin);
                }
            }
            Err(error) => self.saw(error),
        }
        Poll::Ready(read.map(drop))
    }
}

impl AsyncWrite for Wire {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // Tries to send first: there is nearly always room, and then no waker is needed. Asks the runtime only if there
        // is none.
        let result = match sys::send(self.tcp.as_fd(), bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                ready!(Pin::new(&mut self.tcp).poll_write(cx, bytes))
            }
            result => result,
        };
        match &result {
            Ok(written) => self.sent += *written as u64,
            Err(error) => self.saw(error),
        }
        Poll::Ready(result)
    }

    #[inline]
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.vanished {
            // The permission to vanish was checked before the run. If it is gone now, TCP ends with a FIN.
            let _ = sys::leave_in_silence(self.tcp.as_fd());
        }
    }
}
