//! A carrier: one TCP connection whose streams are WebSockets.

use std::cell::{Cell, OnceCell, RefCell};
use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::Ping;
use h2::client::{Builder, Connection, SendRequest};
use tokio::sync::Notify;

use super::below::{Below, Io};
use super::failure::{self, Ended};
use super::numbers::{Lease, Numbers};
use crate::metric::{Cause, Counter, HTTP2_STEP, MAX_STREAMS, Timer};
use crate::net::end::TcpEnd;
use crate::net::failure::Failure;
use crate::net::first_hop::Peer;
use crate::net::steps::Steps;
use crate::net::tcp_dialer::{Dial, Progress};
use crate::net::tls::TlsAgreed;
use crate::net::way::{Linked, Way};
use crate::net::wire::Wire;
use crate::scenario::Sharing;
use crate::time::Clock;
use crate::units::Nanos;

/// The most bytes of a stream that wait for the socket. What does not fit waits in its outbox, like behind a full socket.
const SEND_BUFFER: usize = 64 << 10;

/// The most bytes of the headers of an answer.
const MAX_HEADERS: u32 = 64 << 10;

/// What a carrier tells while it lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    /// Something was counted.
    Counted(Counter, u64),
    /// Something took so long.
    Took(Timer, Nanos),
}

/// Who is told.
pub(crate) type Hears = Box<dyn Fn(Told)>;

/// One TCP connection, from its dial to its end.
pub(crate) struct Carrier {
    pub(crate) numbers: Numbers,
    /// Keeps its numbers from others until its TCP connection has ended; `None` if they are those of its only client.
    lease: RefCell<Option<Lease>>,
    below: OnceCell<Rc<RefCell<Below>>>,
    state: RefCell<State>,
    /// The places that are taken.
    pub(super) taken: Cell<u32>,
    /// How many streams were begun on it.
    pub(super) begun: Cell<u32>,
    /// Whether it ended below a stream that was open.
    is_lost: Cell<bool>,
    /// Notified when its state changes.
    changed: Notify,
    /// Notified when its last place was left.
    is_left: Notify,
    /// Wakes what serves it.
    server: RefCell<Option<Waker>>,
    hears: Hears,
}

/// How far a carrier has come.
enum State {
    Connecting,
    Ready(SendRequest<Bytes>),
    /// It could not be opened.
    Failed(Failure),
    /// It takes no new streams, by the server's GOAWAY or because its last place was left; or it has ended.
    Over,
}

/// A connection whose SETTINGS are known, and how it was opened.
pub(crate) struct Carried {
    pub(crate) steps: Steps,
    pub(crate) peer: Peer,
    below: Rc<RefCell<Below>>,
    requests: SendRequest<Bytes>,
    connection: Connection<Io, Bytes>,
}

impl Way {
    /// Opens a connection that carries streams. It is open when the server has answered a PING: its SETTINGS came before
    /// that (RFC 9113 section 3.4). Has no time limit of its own.
    ///
    /// # Errors
    /// The cause.
    pub(crate) async fn carry(
        &self,
        dial: Dial,
        sharing: &Sharing,
        clock: &dyn Clock,
        progress: &mut Progress,
    ) -> Result<Carried, Failure> {
        let Linked {
            link,
            peer,
            mut steps,
            opened,
            ..
        } = self.link(dial, clock, progress).await?;
        progress.reached = HTTP2_STEP;
        let below = Rc::new(RefCell::new(Below::new(link)));
        let mut builder = Builder::new();
        let connection_window = sharing.connection_window;
        builder
            .initial_window_size(sharing.stream_window)
            .initial_connection_window_size(connection_window)
            .max_send_buffer_size(SEND_BUFFER)
            .max_header_list_size(MAX_HEADERS)
            .enable_push(false)
            // Small messages that wait unread are no attack: their windows bound them.
            .data_frame_budget(connection_window as usize);
        let failed = |error: &h2::Error| self.explained(below.borrow().not_opened(error));
        let shaken = builder.handshake(Io(below.clone())).await;
        let (requests, mut connection) = shaken.map_err(|error| failed(&error))?;
        let Some(mut pings) = connection.ping_pong() else {
            return Err(Failure::new(Cause::H2Error, "no PING can be sent"));
        };
        let known = tokio::select! {
            biased;
            pong = pings.ping(Ping::opaque()) => pong.map(drop),
            ended = &mut connection => Err(ended.err().unwrap_or_else(|| h2::Reason::NO_ERROR.into())),
        };
        known.map_err(|error| failed(&error))?;
        below.borrow_mut().first = None;
        let allowed = u32::try_from(requests.current_max_send_streams()).unwrap_or(u32::MAX);
        progress.max_streams = Some(allowed);
        if !requests.is_extended_connect_protocol_enabled() {
            let detail = "HTTP/2 without SETTINGS_ENABLE_CONNECT_PROTOCOL";
            return Err(Failure::new(Cause::H2NoWebsocket, detail));
        }
        let allowed = match allowed {
            u32::MAX => "unlimited".into(),
            allowed => allowed.to_string().into(),
        };
        (progress.agreed).extend([("http", "2".into()), (MAX_STREAMS, allowed)]);
        steps.add(Timer::Http2Ready, clock.now().saturating_since(opened));
        Ok(Carried {
            steps,
            peer,
            below,
            requests,
            connection,
        })
    }
}

impl Carrier {
    pub(super) fn new(numbers: Numbers, lease: Option<Lease>, hears: Hears) -> Self {
        Self {
            numbers,
            lease: RefCell::new(lease),
            below: OnceCell::new(),
            state: RefCell::new(State::Connecting),
            taken: Cell::new(0),
            begun: Cell::new(0),
            is_lost: Cell::new(false),
            changed: Notify::new(),
            is_left: Notify::new(),
            server: RefCell::default(),
            hears,
        }
    }

    /// Its TCP connection has ended: the next one may have its numbers.
    pub(super) fn end_lease(&self) {
        self.lease.take();
    }

    /// It could not be opened.
    pub(crate) fn fail(&self, failure: Failure) {
        self.set(State::Failed(failure));
    }

    /// Serves its streams until it ends: by the server, or because its last place was left.
    pub(crate) async fn serve(&self, carried: Carried) {
        let Carried {
            below,
            requests,
            mut connection,
            ..
        } = carried;
        let _ = self.below.set(below.clone());
        match self.taken.get() {
            0 => drop(requests),
            _ => self.set(State::Ready(requests)),
        }
        let ended = poll_fn(|cx| {
            if self.taken.get() == 0 && below.borrow().is_held {
                // It has vanished: not a packet tells of its end.
                return Poll::Ready(Ok(()));
            }
            *self.server.borrow_mut() = Some(cx.waker().clone());
            // What came with the poll before was read by its streams since.
            self.count_bytes();
            let polled = Pin::new(&mut connection).poll(cx);
            self.look_for_goaway(cx);
            if let Poll::Ready(Err(error)) = &polled {
                self.note(error);
            }
            polled
        });
        let _ = ended.await;
        drop(connection);
        self.end_lease();
        self.set(State::Over);
        self.left().await;
        self.count_bytes();
    }

    /// Takes no new streams after a GOAWAY. Those that are open live on.
    fn look_for_goaway(&self, cx: &mut Context<'_>) {
        let error = match &mut *self.state.borrow_mut() {
            State::Ready(requests) => match requests.poll_ready(cx) {
                Poll::Ready(Err(error)) => error,
                _ => return,
            },
            _ => return,
        };
        if error.is_go_away() && error.is_remote() {
            self.tell(Told::Counted(Counter::Http2Goaways, 1));
        }
        self.note(&error);
        self.set(State::Over);
    }

    /// Keeps an error that the server ended the connection with: its streams only see the end of TCP.
    fn note(&self, error: &h2::Error) {
        let is_error = error
            .reason()
            .is_some_and(|reason| reason != h2::Reason::NO_ERROR);
        if error.is_go_away() && error.is_remote() && is_error {
            let Ended::By(failure) = failure::ended(error, self, true) else {
                return;
            };
            if let Some(below) = self.below.get() {
                below.borrow_mut().failure.get_or_insert(failure);
            }
        }
    }

    /// Counts the bytes that belong to no stream.
    fn count_bytes(&self) {
        let Some(below) = self.below.get() else {
            return;
        };
        let (sent, received) = below.borrow_mut().take_rest();
        if sent > 0 {
            self.tell(Told::Counted(Counter::BytesSent, sent));
        }
        if received > 0 {
            self.tell(Told::Counted(Counter::BytesReceived, received));
        }
    }

    /// Bytes of a stream, which count with it.
    pub(super) fn counted_elsewhere(&self, sent: u64, received: u64) {
        if let Some(below) = self.below.get() {
            let below = &mut *below.borrow_mut();
            below.of_streams.0 += sent;
            below.of_streams.1 += received;
        }
    }

    pub(super) fn tell(&self, told: Told) {
        (self.hears)(told);
    }

    fn set(&self, state: State) {
        // Dropped behind the borrow: the library may wake tasks by that.
        let before = self.state.replace(state);
        drop(before);
        self.changed.notify_waiters();
    }

    /// Waits until it is open. Returns whether it takes streams then.
    ///
    /// # Errors
    /// Why it could not be opened.
    pub(super) async fn opened(&self) -> Result<bool, Failure> {
        loop {
            let changed = self.changed.notified();
            match &*self.state.borrow() {
                State::Connecting => {}
                State::Ready(_) => return Ok(true),
                State::Failed(failure) => return Err(failure.clone()),
                State::Over => return Ok(false),
            }
            changed.await;
        }
    }

    /// It ended below a stream that was open. A server that wants no more streams may end it together with the last of
    /// them, whose place is left a moment later: nothing is lost by that.
    pub(super) fn lose(&self) {
        if !self.is_lost.replace(true) {
            self.tell(Told::Counted(Counter::Http2CarriersLost, 1));
        }
    }

    /// Waits until its last place was left.
    pub(crate) async fn left(&self) {
        while self.taken.get() > 0 {
            self.is_left.notified().await;
        }
    }

    /// A place was left.
    pub(super) fn leave(&self) {
        self.taken.set(self.taken.get() - 1);
        if self.taken.get() == 0 {
            self.is_left.notify_one();
            self.set(State::Over);
            if let Some(server) = self.server.take() {
                server.wake();
            }
        }
    }

    /// Returns whether it is being opened; `None` if it takes no streams any more.
    pub(super) fn is_connecting(&self) -> Option<bool> {
        match &*self.state.borrow() {
            State::Connecting => Some(true),
            State::Ready(_) => Some(false),
            State::Failed(_) | State::Over => None,
        }
    }

    /// Returns what requests are sent by, if it takes streams.
    pub(super) fn requests(&self) -> Option<SendRequest<Bytes>> {
        match &*self.state.borrow() {
            State::Ready(requests) => Some(requests.clone()),
            State::Connecting | State::Failed(_) | State::Over => None,
        }
    }

    /// Returns how many streams the server allows at a time, once that is known.
    pub(super) fn allowed(&self) -> Option<u32> {
        match &*self.state.borrow() {
            State::Ready(requests) => {
                Some(u32::try_from(requests.current_max_send_streams()).unwrap_or(u32::MAX))
            }
            State::Connecting | State::Failed(_) | State::Over => None,
        }
    }

    /// Returns what TLS agreed on, if there is TLS.
    pub(crate) fn tls_agreed(&self) -> Option<TlsAgreed> {
        self.below.get()?.borrow().link.tls_agreed()
    }

    /// Returns the version of TLS and how its session began, if there is TLS.
    pub(crate) fn tls_began(&self) -> Option<String> {
        self.below.get()?.borrow().link.tls_began()
    }

    /// Looks at its TCP connection. What was never open has none: the answer is then the default.
    pub(crate) fn with_wire<T: Default>(&self, look: impl FnOnce(&Wire) -> T) -> T {
        let below = self.below.get();
        below.map_or_else(T::default, |below| look(below.borrow().link.wire()))
    }

    /// Takes and sends no more packets.
    pub(crate) fn vanish(&self) -> io::Result<()> {
        let below = self.below.get().ok_or(io::ErrorKind::NotConnected)?;
        let below = &mut *below.borrow_mut();
        below.link.wire_mut().vanish()?;
        below.is_held = true;
        Ok(())
    }

    /// Takes and sends packets again, first those that waited.
    pub(crate) fn come_back(&self) -> io::Result<()> {
        let below = self.below.get().ok_or(io::ErrorKind::NotConnected)?;
        let below = &mut *below.borrow_mut();
        below.is_held = false;
        if let Some(writer) = below.writer.take() {
            writer.wake();
        }
        below.link.wire_mut().come_back()
    }

    /// How its streams end when it has ended with this error of input or output.
    pub(super) fn ended(&self, error: &h2::Error) -> Ended {
        match self.below.get() {
            Some(below) => below.borrow().ended(error),
            None => Ended::As(TcpEnd::Fin),
        }
    }
}

impl fmt::Debug for Carrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Carrier");
        shown
            .field("numbers", &self.numbers)
            .finish_non_exhaustive()
    }
}
