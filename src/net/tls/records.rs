//! TLS over a link, by the library's unbuffered interface: a connection at rest keeps no buffer. All names of that
//! interface stand here.

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use rustls::client::UnbufferedClientConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError,
    UnbufferedStatus,
};
use rustls::{Error, HandshakeKind};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::agreed::{self, TlsAgreed};
use super::client::Client;
use crate::metric::{Counter, Timer};
use crate::net::link::Link;
use crate::net::steps::Steps;
use crate::units::Nanos;

/// The longest record (RFC 5246 section 6.2.3): TLS 1.2 allows 2,048 bytes more than the text that is in it.
const RECORD: usize = 5 + (1 << 14) + 2048;

/// The least room for a read.
const MIN_READ: usize = 1024;

/// The most that is encrypted at once: the text of one record.
const TEXT: usize = 1 << 14;

/// The most bytes that a server may send before the handshake is done: its certificates are most of it.
const MAX_HANDSHAKE: usize = 256 << 10;

thread_local! {
    /// What the connections of a thread read and encrypt into, one after the other. TLS inside of TLS takes two.
    static SCRATCH: RefCell<Vec<Box<[u8]>>> = const { RefCell::new(Vec::new()) };
}

/// Lends room for one record.
fn with_scratch<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    let kept = SCRATCH.with_borrow_mut(Vec::pop);
    let mut scratch = kept.unwrap_or_else(|| vec![0; RECORD].into());
    let done = work(&mut scratch);
    SCRATCH.with_borrow_mut(|all| all.push(scratch));
    done
}

/// A connection under TLS, over a link.
pub(crate) struct TlsLink<L = Link> {
    below: L,
    /// By itself, since a block of both would leave much of its size class of the allocator empty.
    session: Box<UnbufferedClientConnection>,
    client: Client,
    /// Bytes that came and are no whole record yet.
    sealed: Vec<u8>,
    /// Records that the link below has not taken yet.
    unsent: Vec<u8>,
    /// Text for which the reader had no room.
    text: Vec<u8>,
    /// What comes when all text was read; `None`: more, perhaps.
    after: Option<Box<After>>,
}

/// What comes when all text was read.
enum After {
    /// Nothing: the server has said that it sends no more.
    End,
    /// An error that was found behind the text.
    Error(Error),
}

/// What became of the bytes that were processed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Now {
    /// The handshake needs more bytes.
    Blocked,
    /// Text can be sent.
    Open,
    /// The server has said that it sends no more.
    Ended,
}

impl<L: AsyncRead + AsyncWrite + Unpin> TlsLink<L> {
    /// Nothing was said yet.
    pub(super) fn new(below: L, session: UnbufferedClientConnection, client: Client) -> Self {
        Self {
            below,
            session: Box::new(session),
            client,
            sealed: Vec::new(),
            unsent: Vec::new(),
            text: Vec::new(),
            after: None,
        }
    }

    /// The link below.
    pub(crate) fn below(&self) -> &L {
        &self.below
    }

    /// The link below.
    pub(crate) fn below_mut(&mut self) -> &mut L {
        &mut self.below
    }

    /// Adds the time of the handshake to the steps, by its kind, and counts it.
    pub(crate) fn tell(&self, took: Nanos, steps: &mut Steps, counts: &mut Vec<Counter>) {
        let kind = self.session.handshake_kind();
        let (timer, counter) = match kind {
            Some(HandshakeKind::Resumed) => (Timer::HandshakeTlsResumed, Counter::TlsResumed),
            Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest) | None => {
                (Timer::HandshakeTlsFull, Counter::TlsFull)
            }
        };
        steps.add(timer, took);
        counts.push(counter);
        if kind == Some(HandshakeKind::FullWithHelloRetryRequest) {
            counts.push(Counter::TlsRetried);
        }
    }

    /// How many bytes of memory its buffers hold.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.sealed.capacity() + self.unsent.capacity() + self.text.capacity()
    }

    /// What came and was not understood.
    pub(super) fn unread(&self) -> &[u8] {
        &self.sealed
    }

    /// What was agreed on; `None` before the end of the handshake.
    pub(crate) fn agreed(&self) -> Option<TlsAgreed> {
        TlsAgreed::of(&self.session)
    }

    /// The version, and how the session began.
    pub(crate) fn began(&self) -> Option<String> {
        agreed::began(&self.session)
    }

    /// What is counted of that, by what it is.
    pub(crate) fn counted(&self) -> impl Iterator<Item = (&'static str, Cow<'static, str>)> {
        agreed::counted(&self.session)
    }

    /// The protocol that was agreed on; `None` if the server named none.
    pub(super) fn protocol(&self) -> Option<&[u8]> {
        self.session.alpn_protocol()
    }

    /// Runs the handshake.
    ///
    /// # Errors
    /// Those of the link below, and of the library as the inner error of one of kind `InvalidData`.
    pub(super) async fn shake_hands(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_handshake(cx)).await
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut sealed = std::mem::take(&mut self.sealed);
            let (taken, now) = self.process(&mut sealed, &mut ReadBuf::new(&mut []));
            sealed.drain(..taken);
            self.sealed = sealed;
            let sent = self.poll_unsent(cx);
            // What is wrong with the server's bytes says more than that it does not take our alert.
            let now = now.map_err(wrong)?;
            ready!(sent)?;
            match now {
                Now::Open => {
                    // What is left came behind the handshake, and is read like all else.
                    self.sealed.shrink_to_fit();
                    self.unsent = Vec::new();
                    return Poll::Ready(Ok(()));
                }
                Now::Ended => return Poll::Ready(Err(ErrorKind::UnexpectedEof.into())),
                Now::Blocked if self.sealed.len() > MAX_HANDSHAKE => {
                    let why = "the server's handshake is too long";
                    return Poll::Ready(Err(io::Error::new(ErrorKind::InvalidData, why)));
                }
                Now::Blocked => {}
            }
            ready!(Pin::new(&mut self.below).poll_flush(cx))?;
            let read = with_scratch(|scratch| {
                let mut space = ReadBuf::new(scratch);
                ready!(Pin::new(&mut self.below).poll_read(cx, &mut space))?;
                self.sealed.extend_from_slice(space.filled());
                Poll::Ready(Ok::<_, io::Error>(space.filled().len()))
            });
            if ready!(read)? == 0 {
                return Poll::Ready(Err(ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    /// Processes records. Text goes into `buf`, and what has no room there into `self.text`; what is to be sent into
    /// `self.unsent`. Returns how many bytes were taken, and what comes next.
    fn process(&mut self, sealed: &mut [u8], buf: &mut ReadBuf<'_>) -> (usize, Result<Now, Error>) {
        let Self {
            session,
            client,
            unsent,
            text,
            ..
        } = self;
        client.enter();
        let mut taken = 0;
        loop {
            let UnbufferedStatus { mut discard, state } =
                session.process_tls_records(&mut sealed[taken..]);
            let now = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(Ok(record)) = traffic.next_record() {
                        discard += record.discard;
                        // Text that is kept already comes first.
                        let room = match text.is_empty() {
                            true => buf.remaining().min(record.payload.len()),
                            false => 0,
                        };
                        buf.put_slice(&record.payload[..room]);
                        text.extend_from_slice(&record.payload[room..]);
                    }
                    None
                }
                Ok(ConnectionState::EncodeTlsData(data)) => {
                    encode(data, unsent);
                    None
                }
                // What was encoded goes out of `unsent`, in its turn.
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    None
                }
                Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => Some(Ok(Now::Ended)),
                Ok(ConnectionState::WriteTraffic(_)) => Some(Ok(Now::Open)),
                // Early data is only sent to servers.
                Ok(_) => Some(Ok(Now::Blocked)),
                Err(error) => Some(Err(error)),
            };
            taken += discard;
            match now {
                None => {}
                Some(Ok(now)) => return (taken, Ok(now)),
                Some(Err(error)) => {
                    // The alert that we owe the server comes before anything else. To ask for more than that would
                    // look at the bytes again that were wrong.
                    let status = session.process_tls_records(&mut sealed[taken..]);
                    if let Ok(ConnectionState::EncodeTlsData(data)) = status.state {
                        encode(data, unsent);
                    }
                    return (taken, Err(error));
                }
            }
        }
    }

    /// Writes what waits.
    fn poll_unsent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut written = 0;
        let done = loop {
            if written == self.unsent.len() {
                break Poll::Ready(Ok(()));
            }
            match Pin::new(&mut self.below).poll_write(cx, &self.unsent[written..]) {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(more)) => written += more,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        if written == self.unsent.len() {
            self.unsent = Vec::new();
        } else {
            self.unsent.drain(..written);
        }
        done
    }

    /// Encrypts text into one record at most, and writes what the link below takes. Returns the length of the text.
    fn seal(&mut self, cx: &mut Context<'_>, text: &[u8]) -> io::Result<usize> {
        let text = &text[..text.len().min(TEXT)];
        let Self {
            below,
            session,
            client,
            unsent,
            ..
        } = self;
        client.enter();
        with_scratch(|scratch| {
            let sealed = loop {
                match session.process_tls_records(&mut []).state {
                    Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                        break traffic.encrypt(text, scratch).map_err(unsealed)?;
                    }
                    Ok(ConnectionState::EncodeTlsData(data)) => encode(data, unsent),
                    Ok(ConnectionState::TransmitTlsData(data)) => data.done(),
                    Ok(_) => return Err(ErrorKind::BrokenPipe.into()),
                    Err(error) => return Err(wrong(error)),
                }
            };
            let mut rest = &scratch[..sealed];
            while unsent.is_empty() && !rest.is_empty() {
                match Pin::new(&mut *below).poll_write(cx, rest) {
                    Poll::Ready(Ok(0)) => return Err(ErrorKind::WriteZero.into()),
                    Poll::Ready(Ok(written)) => rest = &rest[written..],
                    Poll::Ready(Err(error)) => return Err(error),
                    Poll::Pending => break,
                }
            }
            unsent.extend_from_slice(rest);
            Ok(text.len())
        })
    }

    /// Says that we send no more, unless that was said.
    fn say_end(&mut self) {
        self.client.enter();
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) =
            self.session.process_tls_records(&mut []).state
        {
            let mut record = [0; 64];
            if let Ok(length) = traffic.queue_close_notify(&mut record) {
                self.unsent.extend_from_slice(&record[..length]);
            }
        }
    }
}

/// Writes a record of the handshake behind what waits.
fn encode<D>(mut data: EncodeTlsData<'_, D>, unsent: &mut Vec<u8>) {
    let before = unsent.len();
    let mut room = 0;
    loop {
        unsent.resize(before + room, 0);
        match data.encode(&mut unsent[before..]) {
            Ok(length) => return unsent.truncate(before + length),
            Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
                room = required_size;
            }
            Err(EncodeError::AlreadyEncoded) => return unsent.truncate(before),
        }
    }
}

fn wrong(error: Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, error)
}

fn unsealed(error: EncryptError) -> io::Error {
    io::Error::other(error.to_string())
}

impl<L: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsLink<L> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let link = self.get_mut();
        if !link.text.is_empty() {
            let room = buf.remaining().min(link.text.len());
            buf.put_slice(&link.text[..room]);
            link.text.drain(..room);
            if link.text.is_empty() {
                link.text = Vec::new();
            }
            return Poll::Ready(Ok(()));
        }
        with_scratch(|scratch| link.poll_records(cx, scratch, buf))
    }
}

impl<L: AsyncRead + AsyncWrite + Unpin> TlsLink<L> {
    /// Reads until there is text, or an end. `scratch` has room for a record.
    fn poll_records(
        &mut self,
        cx: &mut Context<'_>,
        scratch: &mut [u8],
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        loop {
            match self.after.as_deref() {
                None => {}
                Some(After::End) => return Poll::Ready(Ok(())),
                Some(After::Error(error)) => return Poll::Ready(Err(wrong(error.clone()))),
            }
            let kept = self.sealed.len();
            // Only a message of the library's own that lies in several records can be so long.
            if kept + MIN_READ > scratch.len() {
                let why = "the server's messages of TLS are too long";
                return Poll::Ready(Err(io::Error::new(ErrorKind::InvalidData, why)));
            }
            let mut space = ReadBuf::new(&mut scratch[kept..]);
            ready!(Pin::new(&mut self.below).poll_read(cx, &mut space))?;
            let read = space.filled().len();
            if read == 0 {
                return Poll::Ready(Ok(()));
            }
            let sealed = &mut scratch[..kept + read];
            sealed[..kept].copy_from_slice(&self.sealed);
            let (taken, now) = self.process(sealed, buf);
            // Gives the memory back: most connections are at rest most of the time.
            self.sealed = sealed[taken..].to_vec();
            match now {
                Ok(Now::Ended) => self.after = Some(Box::new(After::End)),
                Ok(_) => {}
                Err(error) => self.after = Some(Box::new(After::Error(error))),
            }
            if !self.unsent.is_empty()
                && let Poll::Ready(Err(error)) = self.poll_unsent(cx)
                && self.after.is_none()
            {
                return Poll::Ready(Err(error));
            }
            if buf.filled().len() > before {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<L: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsLink<L> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        text: &[u8],
    ) -> Poll<io::Result<usize>> {
        let link = self.get_mut();
        if !link.unsent.is_empty() {
            ready!(link.poll_unsent(cx))?;
        }
        Poll::Ready(link.seal(cx, text))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let link = self.get_mut();
        if !link.unsent.is_empty() {
            ready!(link.poll_unsent(cx))?;
        }
        Pin::new(&mut link.below).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let link = self.get_mut();
        link.say_end();
        ready!(link.poll_unsent(cx))?;
        Pin::new(&mut link.below).poll_shutdown(cx)
    }
}

impl<L: fmt::Debug> fmt::Debug for TlsLink<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("TlsLink");
        shown.field("below", &self.below).finish_non_exhaustive()
    }
}
