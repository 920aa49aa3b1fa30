//! Our own reader and writer over TCP: counts bytes, sees how and when the peer ended, and does to TCP what a bad
//! client does.

use std::io;
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;

use super::end::TcpEnd;
use crate::measure::TcpView;
use crate::sys;

/// The kernel's clock for acknowledgements moves in steps of up to so much, on a slow one.
const ACK_CLOCK: Duration = Duration::from_millis(10);

/// A TCP connection.
#[derive(Debug)]
pub(crate) struct Wire {
    tcp: TcpStream,
    /// Bytes written since [`Self::take_bytes`].
    sent: u64,
    /// Bytes read since [`Self::take_bytes`].
    received: u64,
    end: Option<TcpEnd>,
    special: Option<Box<Special>>,
}

/// What only some connections need: those that are watched closely, and those that do something wrong.
#[derive(Debug)]
struct Special {
    is_watched: bool,
    /// Bytes are read with the kernel's stamps.
    stamped: bool,
    /// When the last bytes, or the end, reached this machine.
    arrived: Instant,
    /// Takes and sends no packet.
    vanished: bool,
}

impl Wire {
    /// Nothing read or written yet.
    pub(crate) fn new(tcp: TcpStream) -> Self {
        Self {
            tcp,
            sent: 0,
            received: 0,
            end: None,
            special: None,
        }
    }

    /// From now on says when bytes arrived: by the kernel's stamps where the system has them.
    pub(crate) fn watch(&mut self) {
        let stamped = sys::stamp_receives(self.tcp.as_fd()).is_ok();
        let special = self.special();
        special.is_watched = true;
        special.stamped = stamped;
    }

    /// Whether [`Self::watch`] was asked for.
    pub(crate) fn is_watched(&self) -> bool {
        self.special
            .as_ref()
            .is_some_and(|special| special.is_watched)
    }

    fn special(&mut self) -> &mut Special {
        self.special.get_or_insert_with(|| {
            Box::new(Special {
                is_watched: false,
                stamped: false,
                arrived: Instant::now(),
                vanished: false,
            })
        })
    }

    /// When the last bytes, or the end, reached this machine; `None` unless it is watched.
    pub(crate) fn arrived(&self) -> Option<Instant> {
        let watched = self.special.as_ref().filter(|special| special.is_watched);
        watched.map(|special| special.arrived)
    }

    /// How the peer ended it, once seen.
    pub(crate) fn end(&self) -> Option<TcpEnd> {
        self.end
    }

    /// Bytes sent and received since the last call.
    pub(crate) fn take_bytes(&mut self) -> (u64, u64) {
        (
            std::mem::take(&mut self.sent),
            std::mem::take(&mut self.received),
        )
    }

    /// The kernel's view of it.
    pub(crate) fn tcp_view(&self) -> Option<TcpView> {
        sys::tcp_view(self.tcp.as_fd())
    }

    /// Our port, by which the server's side can be told from others.
    pub(crate) fn local_port(&self) -> Option<u16> {
        self.tcp.local_addr().ok().map(|address| address.port())
    }

    /// Waits for the end of TCP and reads nothing: what the kernel has seen by itself.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<TcpEnd> {
        loop {
            let ready = ready!(self.tcp.poll_read_ready(cx));
            if ready.is_err() || matches!(self.tcp.take_error(), Ok(Some(_)) | Err(_)) {
                return Poll::Ready(self.ended(TcpEnd::Rst));
            }
            if sys::tcp_state(self.tcp.as_fd()).is_some_and(|state| state.is_ended) {
                return Poll::Ready(self.ended(TcpEnd::Fin));
            }
            // What is there stays unread, so the runtime has to be told to wait for something new.
            let unread: io::Result<()> =
                (self.tcp).try_io(Interest::READABLE, || Err(io::ErrorKind::WouldBlock.into()));
            debug_assert!(unread.is_err());
        }
    }

    /// Ends our half of TCP.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn half_close(&self) -> io::Result<()> {
        socket2::SockRef::from(&self.tcp).shutdown(Shutdown::Write)
    }

    /// Makes the end of it, which comes when it is dropped, a RST.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn reset(&self) -> io::Result<()> {
        self.tcp.set_zero_linger()
    }

    /// Takes no packet from now on, and ends without one.
    ///
    /// # Errors
    /// Without the right to do so.
    pub(crate) fn vanish(&mut self) -> io::Result<()> {
        sys::deafen(self.tcp.as_fd())?;
        self.special().vanished = true;
        Ok(())
    }

    /// Takes packets again.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn come_back(&mut self) -> io::Result<()> {
        self.special().vanished = false;
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

    /// The first end that was seen is the end. A FIN that was read late came with the last acknowledgement.
    #[cold]
    fn ended(&mut self, end: TcpEnd) -> TcpEnd {
        if let Some(end) = self.end {
            return end;
        }
        self.end = Some(end);
        if let Some(special) = &mut self.special {
            let last_ack = match end {
                TcpEnd::Fin => sys::tcp_view(self.tcp.as_fd()).map(|view| view.last_ack_ns),
                TcpEnd::Rst => None,
            };
            let since = Duration::from_nanos(last_ack.unwrap_or(0));
            let now = Instant::now();
            let at = now.checked_sub(since).filter(|_| since > ACK_CLOCK);
            special.arrived_at(at.unwrap_or(now));
        }
        end
    }

    #[cold]
    fn poll_stamped(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.tcp.poll_read_ready(cx))?;
            let room = buf.initialize_unfilled();
            let socket = self.tcp.as_fd();
            let received = (self.tcp).try_io(Interest::READABLE, || sys::receive(socket, room));
            match received {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok((read, stamp)) => {
                    buf.advance(read);
                    if read > 0
                        && let Some(special) = &mut self.special
                    {
                        let at = stamp
                            .map(|stamp| crate::time::monotonic(SystemTime::UNIX_EPOCH + stamp));
                        special.arrived_at(at.unwrap_or_else(Instant::now));
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

/// Whether this process may make a connection vanish, without a FIN or RST: tried on a socket. Needs Linux and
/// `CAP_NET_ADMIN`.
pub fn can_vanish() -> bool {
    use socket2::{Domain, Socket, Type};
    let domains = [Domain::IPV4, Domain::IPV6];
    let mut sockets =
        (domains.into_iter()).filter_map(|of| Socket::new(of, Type::STREAM, None).ok());
    sockets.next().is_some_and(|socket| {
        sys::deafen(socket.as_fd()).is_ok() && sys::leave_in_silence(socket.as_fd()).is_ok()
    })
}

impl Special {
    /// Something arrived at this time, and not before what came before it.
    fn arrived_at(&mut self, at: Instant) {
        self.arrived = at.max(self.arrived);
    }
}

impl AsyncRead for Wire {
    #[inline]
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let stamped = self.special.as_ref().is_some_and(|special| special.stamped);
        let result = if stamped {
            ready!(self.poll_stamped(cx, buf))
        } else {
            ready!(Pin::new(&mut self.tcp).poll_read(cx, buf))
        };
        match &result {
            Ok(()) => {
                let read = buf.filled().len() - before;
                self.received += read as u64;
                if read == 0 && buf.remaining() > 0 {
                    self.ended(TcpEnd::Fin);
                }
            }
            Err(error) => self.saw(error),
        }
        Poll::Ready(result)
    }
}

impl AsyncWrite for Wire {
    #[inline]
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        // There is room nearly always, and nobody needs to be woken then: the runtime is asked only where there is none.
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
        if self
            .special
            .as_ref()
            .is_some_and(|special| special.vanished)
        {
            // The right to vanish was checked before the run; if it is gone, a FIN is the best there is.
            let _ = sys::leave_in_silence(self.tcp.as_fd());
        }
    }
}
