//! A stream of a carrier: what the frames of one WebSocket go over.

use std::fmt;
use std::io;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Buf as _, Bytes};
use h2::{Reason, RecvStream, SendStream};
use tokio::io::ReadBuf;

use super::carrier::{Carrier, Told};
use super::failure::{self, Ended};
use super::pool::Place;
use crate::metric::{Cause, Counter, Timer};
use crate::net::compressed::Compressed;
use crate::net::end::TcpEnd;
use crate::net::failure::Failure;
use crate::net::handshake::Request;
use crate::net::tcp_dialer::Progress;
use crate::net::transport::Lost;
use crate::net::way::NotOpened;
use crate::scenario::Compression;
use crate::units::Nanos;

/// An open stream.
pub(crate) struct Stream {
    send: SendStream<Bytes>,
    receive: RecvStream,
    /// What came and was not read yet.
    unread: Bytes,
    /// Bytes since they were taken last.
    sent: u64,
    received: u64,
    ended: Option<Ended>,
    /// Whether our half has ended.
    is_half_closed: bool,
    /// Since when the peer takes no bytes.
    blocked: Option<Instant>,
    /// Behind the halves: the carrier ends when its last place is left.
    place: Place,
}

/// A stream whose request was answered.
pub(crate) struct Answered {
    pub(crate) stream: Stream,
    /// The head of the answer, as HTTP/1.1 would spell it.
    pub(crate) head: Vec<u8>,
    /// The compression that was agreed on.
    pub(crate) compressed: Option<Box<Compressed>>,
}

impl Place {
    /// Asks for a WebSocket, with compression if it is offered. Has no time limit of its own.
    ///
    /// # Errors
    /// The cause, and what the server answered.
    pub(crate) async fn ask(
        self,
        request: &Request,
        is_secure: bool,
        compression: Option<&Compression>,
        progress: &mut Progress,
    ) -> Result<Answered, NotOpened> {
        let asked = request.extended(is_secure, compression)?;
        let carrier = self.carrier();
        carrier.begun.set(carrier.begun.get() + 1);
        let failed = |error: &h2::Error| {
            NotOpened::from(match failure::ended(error, carrier, false) {
                Ended::By(failure) => failure,
                Ended::As(end) => Failure::new(end.before_open(), "before any answer"),
            })
        };
        let Some(requests) = carrier.requests() else {
            let detail = "the server wants no more streams on this connection";
            return Err(Failure::new(Cause::H2Refused, detail).into());
        };
        let requests = requests.ready().await;
        let mut requests = requests.map_err(|error| failed(&error))?;
        let sent = requests.send_request(asked, false);
        let (response, send) = sent.map_err(|error| failed(&error))?;
        drop(requests);
        let (parts, mut receive) = response.await.map_err(|error| failed(&error))?.into_parts();
        let mut first = Bytes::new();
        if parts.status != 200 {
            let cx = &mut Context::from_waker(std::task::Waker::noop());
            if let Poll::Ready(Some(Ok(words))) = receive.poll_data(cx) {
                first = words;
            }
        }
        let (head, agreed) = request.check_extended(&parts, &first, compression)?;
        let stream = Stream {
            send,
            receive,
            unread: Bytes::new(),
            sent: 0,
            received: 0,
            ended: None,
            is_half_closed: false,
            blocked: None,
            place: self,
        };
        Ok(Answered {
            stream,
            head,
            compressed: Compressed::agreed(compression, agreed, progress),
        })
    }

    /// Describes it: which stream of its carrier the next request is.
    pub(crate) fn describe(&self) -> String {
        let nth = nth(self.carrier().begun.get() + 1);
        format!("as the {nth} stream of its TCP connection")
    }
}

fn nth(number: u32) -> String {
    let end = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{end}")
}

impl Stream {
    /// The TCP connection that it is on.
    pub(crate) fn carrier(&self) -> &Carrier {
        self.place.carrier()
    }

    /// Returns how the peer ended it, once that was seen.
    pub(crate) fn end(&self) -> Option<TcpEnd> {
        match &self.ended {
            Some(Ended::As(end)) => Some(*end),
            Some(Ended::By(_)) | None => None,
        }
    }

    /// Returns why nothing more can be read or written, after an error of either.
    pub(crate) fn lost(&self, error: &io::Error) -> Lost {
        match &self.ended {
            Some(Ended::As(end)) => Lost::Tcp(*end),
            Some(Ended::By(Failure { cause, detail, .. })) => Lost::Failed(*cause, detail.clone()),
            None => Lost::Failed(Cause::Io, error.to_string()),
        }
    }

    #[cold]
    fn broken(&mut self, error: &h2::Error) -> io::Error {
        let ended = failure::ended(error, self.place.carrier(), true);
        if self.ended.is_none() && failure::is_of_carrier(error) {
            self.carrier().lose();
        }
        self.ended.get_or_insert(ended);
        io::ErrorKind::ConnectionReset.into()
    }

    pub(crate) fn take_bytes(&mut self) -> (u64, u64) {
        let bytes = (self.sent, self.received);
        if bytes != (0, 0) {
            (self.sent, self.received) = (0, 0);
            self.carrier().counted_elsewhere(bytes.0, bytes.1);
        }
        bytes
    }

    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.unread.is_empty() {
            if self.end() == Some(TcpEnd::Fin) {
                return Poll::Ready(Ok(()));
            }
            match ready!(self.receive.poll_data(cx)) {
                Some(Ok(bytes)) => self.unread = bytes,
                Some(Err(error)) => return Poll::Ready(Err(self.broken(&error))),
                None => {
                    self.ended.get_or_insert(Ended::As(TcpEnd::Fin));
                    return Poll::Ready(Ok(()));
                }
            }
        }
        let read = self.unread.len().min(buf.remaining());
        buf.put_slice(&self.unread[..read]);
        self.unread.advance(read);
        self.received += read as u64;
        // An error means that the stream has ended, which is found when it is read next.
        let _ = self.receive.flow_control().release_capacity(read);
        Poll::Ready(Ok(()))
    }

    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.send.reserve_capacity(bytes.len());
        if self.send.capacity() == 0 {
            match self.send.poll_capacity(cx) {
                Poll::Pending => {
                    self.blocked.get_or_insert_with(Instant::now);
                    return Poll::Pending;
                }
                Poll::Ready(Some(Ok(_))) => {}
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(self.broken(&error))),
                // The stream has ended. How, is found by reading.
                Poll::Ready(None) => return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            }
        }
        if let Some(since) = self.blocked.take() {
            let took = Nanos::from(since.elapsed());
            self.carrier().tell(Told::Took(Timer::Http2Blocked, took));
        }
        let granted = self.send.capacity().min(bytes.len());
        let piece = Bytes::copy_from_slice(&bytes[..granted]);
        if let Err(error) = self.send.send_data(piece, false) {
            return Poll::Ready(Err(self.broken(&error)));
        }
        self.sent += granted as u64;
        Poll::Ready(Ok(granted))
    }

    /// Ends our half.
    pub(crate) fn half_close(&mut self) {
        if !std::mem::replace(&mut self.is_half_closed, true) {
            // An error means that it has ended.
            let _ = self.send.send_data(Bytes::new(), true);
        }
    }

    /// Ends it at once.
    pub(crate) fn reset(&mut self) {
        self.send.send_reset(Reason::CANCEL);
    }

    /// Ends it although the server has not, after both sides have said Close.
    pub(crate) fn give_up(&mut self) {
        self.carrier().tell(Told::Counted(Counter::Http2Unended, 1));
        self.reset();
    }

    /// Waits for its end without reading: what comes before is thrown away, and gives the peer no room for more.
    pub(crate) fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<TcpEnd> {
        loop {
            if let Some(end) = self.end() {
                return Poll::Ready(end);
            }
            match ready!(self.receive.poll_data(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => {
                    self.broken(&error);
                    return Poll::Ready(self.end().unwrap_or(TcpEnd::Rst));
                }
                None => {
                    self.ended.get_or_insert(Ended::As(TcpEnd::Fin));
                }
            }
        }
    }
}

impl Drop for Stream {
    /// Answers an end in order by one of our half. Anything else becomes a CANCEL: the library sends it when the halves are
    /// dropped.
    fn drop(&mut self) {
        if self.end() == Some(TcpEnd::Fin) {
            self.half_close();
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Stream");
        shown.field("place", &self.place).finish_non_exhaustive()
    }
}
