//! The transport of HTTP: one request after the other, over a connection that is kept between them or over a new one
//! each time. Connections come and go beneath it, so that a client is one session for as long as it asks.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::AsyncWrite as _;

use super::asking::address;
use super::end::TcpEnd;
use super::exchange::{Exchange, NoAnswer};
use super::failure::Failure;
use super::link::Link;
use super::transport::{Act, Lost, Transport};
use crate::frame::{Frame, Room};
use crate::http::{Answer, AnswerError, Cookies, EndedAt};
use crate::measure::TcpView;
use crate::metric::Cause;
use crate::scenario::WebOrigin;
use crate::time::{Clock, unix_seconds};
use crate::units::Timestamp;

/// A dial that is under way.
pub(crate) type Dialling = Pin<Box<dyn Future<Output = Result<Link, Failure>>>>;

/// Methods that ask for the same when they ask twice (RFC 9110 section 9.2.2).
const IDEMPOTENT: [&[u8]; 6] = [b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"];

/// What a client asks a server by HTTP, and what it is answered.
///
/// A message that is fed is a whole request, and a message that comes is the body of its answer. A Close ends the
/// connection without a word, since HTTP has none.
pub(crate) struct HttpTransport<D> {
    origin: WebOrigin,
    /// The value of `Host`.
    host: String,
    cookies: Cookies,
    /// Begins to dial once more.
    dial: D,
    /// Whether a connection is kept behind an answer, if the server keeps it too.
    keeps: bool,
    link: Option<Link>,
    dialling: Option<Dialling>,
    /// Whether an answer came on this connection.
    was_used: bool,
    exchange: Exchange,
    /// The newest answer, without its body.
    answer: Answer,
    /// Bytes of connections that have ended, sent and received.
    uncounted: (u64, u64),
    /// Whether we ended it.
    is_over: bool,
}

impl<D: Fn() -> Dialling> HttpTransport<D> {
    /// Asks over `link` first, and where `keeps` is false over another one each time.
    /// `origin` is the server, and `cookies` are those of its answers so far.
    pub(crate) fn new(
        link: Link,
        (origin, cookies): (WebOrigin, Cookies),
        dial: D,
        keeps: bool,
    ) -> Self {
        Self {
            host: origin.authority(),
            origin,
            cookies,
            dial,
            keeps,
            link: Some(link),
            dialling: None,
            was_used: false,
            exchange: Exchange::default(),
            answer: Answer::default(),
            uncounted: (0, 0),
            is_over: false,
        }
    }

    /// Sends the request as far as the server takes it; dials first where there is no connection.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        if self.is_over {
            return Poll::Ready(Err(Lost::Closed));
        }
        if let Some(dialling) = &mut self.dialling {
            let dialled = ready!(dialling.as_mut().poll(cx));
            self.dialling = None;
            match dialled {
                Ok(link) => self.link = Some(link),
                Err(Failure { cause, detail, .. }) => {
                    return Poll::Ready(Err(Lost::Failed(cause, detail)));
                }
            }
            self.was_used = false;
            self.exchange.move_over();
            // What comes on it has to be waited for, too.
            cx.waker().wake_by_ref();
        }
        if let Some(link) = &mut self.link {
            ready!(self.exchange.poll_send(link, cx));
        }
        Poll::Ready(Ok(()))
    }

    /// The connection is of no use any more.
    fn drop_link(&mut self) {
        if let Some(mut link) = self.link.take() {
            let (sent, received) = link.wire_mut().take_bytes();
            self.uncounted.0 += sent;
            self.uncounted.1 += received;
        }
    }

    fn dial(&mut self) {
        self.dialling = Some((self.dial)());
    }

    /// An answer has come. Returns its body.
    fn answered<'room>(&mut self, mut answer: Answer, room: &'room mut Room) -> &'room [u8] {
        self.was_used = true;
        if !self.keeps || !answer.keep_alive || !self.exchange.is_sent() {
            self.drop_link();
        }
        self.keep_cookies(&answer);
        let body = mem::take(&mut answer.body);
        self.answer = answer;
        room.put(body)
    }

    fn keep_cookies(&mut self, answer: &Answer) {
        let from = address(&self.origin, self.exchange.target());
        self.cookies.take(from, answer, unix_seconds());
    }

    /// There is no answer over this connection. Sends the request once more if that does no harm.
    fn unanswered(&mut self, none: NoAnswer) -> Result<(), Lost> {
        self.drop_link();
        let (lost, at) = match none {
            NoAnswer::Wrong(error) => return Err(broken(&error)),
            NoAnswer::Lost(lost, at) => (lost, at),
        };
        let is_idempotent = IDEMPOTENT.contains(&self.exchange.method());
        if !self.exchange.has_begun && self.was_used && is_idempotent {
            // The server had ended a connection that was kept, before it saw the request (RFC 9112 section 9.3.1).
            self.exchange.begin_again();
            self.dial();
            return Ok(());
        }
        match (lost, at) {
            (Lost::Tcp(TcpEnd::Fin), Some(at)) if at != EndedAt::Before => {
                Err(broken(&AnswerError::Ended(at)))
            }
            (lost, _) => Err(lost),
        }
    }
}

#[cold]
fn broken(error: &AnswerError) -> Lost {
    let cause = match error {
        AnswerError::Big => Cause::MessageTooBig,
        _ => Cause::ProtocolError,
    };
    Lost::Broken(cause, error.to_string())
}

impl<D: Fn() -> Dialling> Transport for HttpTransport<D> {
    fn tls(&self) -> Option<String> {
        self.link.as_ref()?.tls_began()
    }

    fn poll_event<'room>(
        &mut self,
        cx: &mut Context<'_>,
        room: &'room mut Room,
    ) -> Poll<Result<Frame<'room>, Lost>> {
        let answer = loop {
            if let Poll::Ready(Err(lost)) = self.poll_send(cx) {
                return Poll::Ready(Err(lost));
            }
            let Some(link) = &mut self.link else {
                return Poll::Pending;
            };
            if !room.may_read() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let is_due = self.exchange.is_due();
            let read = ready!(self.exchange.poll_read(link, cx, room.space()));
            if !is_due {
                // The server has ended a connection that was kept, or says what nobody asked for, such as a 408 before
                // its end. Nothing is lost by that.
                self.drop_link();
                return Poll::Pending;
            }
            match read {
                Ok(Some(answer)) => break answer,
                Ok(None) => {}
                Err(none) => self.unanswered(none)?,
            }
        };
        Poll::Ready(Ok(Frame::Text(self.answered(answer, room))))
    }

    fn host(&self) -> Option<&str> {
        Some(&self.host)
    }

    fn cookies(&self, target: &str) -> Option<Vec<u8>> {
        let to = address(&self.origin, target);
        self.cookies.header(to, unix_seconds())
    }

    fn answer(&self) -> Option<&Answer> {
        Some(&self.answer)
    }

    /// Keeps nothing in the room.
    fn leave(&mut self, room: &mut Room) {
        room.leave(&mut Vec::new());
    }

    fn feed(&mut self, frame: Frame<'_>) {
        match frame {
            Frame::Text(request) | Frame::Binary(request) => {
                if self.exchange.is_due() {
                    // The last answer did not come in time: what comes of it must not be taken for this one.
                    self.drop_link();
                    self.dialling = None;
                }
                self.exchange.begin(request);
                if self.link.is_none() {
                    self.dial();
                }
            }
            Frame::Close { .. } => {
                if let Some(link) = &mut self.link {
                    // TLS takes its leave, if it can do so at once.
                    let cx = &mut Context::from_waker(Waker::noop());
                    let _ = Pin::new(link).poll_shutdown(cx);
                }
                self.drop_link();
                self.dialling = None;
                self.is_over = true;
            }
            Frame::Ping(_) | Frame::Pong(_) => {}
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        self.poll_send(cx)
    }

    /// Pending: a client of HTTP has no fault that keeps it from reading.
    fn poll_end(&mut self, _: &mut Context<'_>) -> Poll<TcpEnd> {
        Poll::Pending
    }

    /// Does nothing: a client of HTTP has no faults.
    fn act(&mut self, _: Act) -> Result<(), Lost> {
        Ok(())
    }

    fn received_at(&self, clock: &dyn Clock) -> Option<Timestamp> {
        let arrived = self.link.as_ref()?.wire().arrived()?;
        Some(clock.at(arrived))
    }

    fn frames_after_close(&self) -> u32 {
        0
    }

    fn local_port(&self) -> Option<u16> {
        self.link.as_ref()?.wire().local_port()
    }

    fn take_bytes(&mut self) -> (u64, u64) {
        let (sent, received) = mem::take(&mut self.uncounted);
        let now = self.link.as_mut().map(|link| link.wire_mut().take_bytes());
        let (more_sent, more_received) = now.unwrap_or_default();
        (sent + more_sent, received + more_received)
    }

    fn tcp_view(&self) -> Option<TcpView> {
        self.link.as_ref()?.wire().tcp_view()
    }
}
