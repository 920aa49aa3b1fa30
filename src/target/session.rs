//! One connection of the built-in server, from the accepted socket to the end of TCP.
//! Answers all that is ready, flushes once, and reads nothing from a peer that does not take its answers.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::agenda::{Agenda, Answer, Due};
use super::behaviour::Behaviour;
use super::counts::{Counter, Opened};

/// From the accepted socket to the 101.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a Close frame may take to leave.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);
const READ_BUFFER: usize = 4 << 10;
const WRITE_BUFFER: usize = 16 << 10;
/// The longest message taken.
const MAX_MESSAGE: usize = 64 << 20;

/// Serves one accepted socket until the peer ends it or `stop` turns true.
pub(super) async fn serve(
    socket: TcpStream,
    behaviour: Behaviour,
    connection: u64,
    counter: Counter,
    mut stop: watch::Receiver<bool>,
) {
    // Without it answers would still be right, only slower.
    let _ = socket.set_nodelay(true);
    let handshake = tokio_tungstenite::accept_async_with_config(socket, Some(config()));
    let Ok(Ok(socket)) = timeout(HANDSHAKE_TIMEOUT, handshake).await else {
        return counter.failed();
    };
    let mut session = Session {
        socket,
        agenda: Agenda::new(behaviour, connection, Instant::now()),
        opened: counter.open(),
        closing: false,
        sleep: None,
    };
    let stopped = async {
        // An error means that the server is gone, which is a stop too.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    let end = tokio::select! {
        biased;
        end = session.run() => end,
        () = stopped => {
            session.close(CloseCode::Away, "server is stopping").await;
            session.run().await
        }
    };
    if let Err(error) = end
        && let Some((code, reason)) = verdict(&error)
    {
        session.close(code, reason).await;
    }
}

struct Session {
    socket: WebSocketStream<TcpStream>,
    agenda: Agenda,
    opened: Opened,
    /// A Close frame was sent or received: nothing may be sent behind it (RFC 6455 section 5.5.1).
    closing: bool,
    /// Made when first needed: a plain echo never needs it.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Session {
    /// Runs until TCP may be closed: the close handshake is done, or the connection is broken.
    async fn run(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        loop {
            while let Poll::Ready(more) = self.poll_step(cx) {
                if !more? {
                    return Poll::Ready(Ok(()));
                }
            }
            if let Poll::Ready(flushed) = self.socket.poll_flush_unpin(cx) {
                flushed?;
            }
            ready!(self.poll_sleep(cx));
        }
    }

    /// Sends one thing that is due, or reads one message and answers it. False: the connection has ended.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Error>> {
        ready!(self.socket.poll_ready_unpin(cx))?;
        if let Some(due) = self.take_due() {
            self.socket.start_send_unpin(due)?;
            return Poll::Ready(Ok(true));
        }
        if self.agenda.is_full() {
            return Poll::Pending;
        }
        match ready!(self.socket.poll_next_unpin(cx)) {
            Some(message) => {
                if let Some(answer) = self.receive(message?) {
                    self.socket.start_send_unpin(answer)?;
                }
                Poll::Ready(Ok(true))
            }
            None => Poll::Ready(Ok(false)),
        }
    }

    fn take_due(&mut self) -> Option<Message> {
        // The clock is only read where there is a plan at all.
        self.agenda.next()?;
        Some(match self.agenda.take_due(Instant::now())? {
            Due::Answer(message) | Due::Ping(message) => message,
            Due::Push(message) => {
                self.opened.pushed();
                message
            }
        })
    }

    fn receive(&mut self, message: Message) -> Option<Message> {
        match &message {
            Message::Text(text) => self.opened.text(text.len()),
            Message::Binary(bytes) => self.opened.binary(bytes.len()),
            Message::Ping(_) => {
                self.opened.ping();
                return None;
            }
            Message::Pong(_) => {
                self.opened.pong();
                return None;
            }
            Message::Close(frame) => {
                let code = frame.as_ref().map_or(CloseCode::Status, |f| f.code);
                self.opened.close_received(code.into());
                self.end_sending();
                return None;
            }
            // Never read, only written.
            Message::Frame(_) => return None,
        }
        if self.closing {
            return None;
        }
        match self.agenda.answer(message, Instant::now()) {
            Answer::Now(message) => Some(message),
            Answer::Later => None,
            Answer::Never => {
                self.opened.dropped();
                None
            }
        }
    }

    /// Ready when the next thing on the agenda is due.
    fn poll_sleep(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(at) = self.agenda.next() else {
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(at)));
        if sleep.deadline() != at {
            sleep.as_mut().reset(at);
        }
        sleep.as_mut().poll(cx)
    }

    fn end_sending(&mut self) {
        self.closing = true;
        self.agenda.clear();
    }

    /// Sends a Close frame, if it still can be sent.
    async fn close(&mut self, code: CloseCode, reason: &'static str) {
        self.end_sending();
        let frame = CloseFrame {
            code,
            reason: Utf8Bytes::from_static(reason),
        };
        let _ = timeout(CLOSE_TIMEOUT, self.socket.close(Some(frame))).await;
    }
}

/// What to tell a peer that broke a rule; nothing to one that is gone.
fn verdict(error: &Error) -> Option<(CloseCode, &'static str)> {
    match error {
        Error::Protocol(_) => Some((CloseCode::Protocol, "protocol error")),
        Error::Utf8(_) => Some((CloseCode::Invalid, "text is not UTF-8")),
        Error::Capacity(_) => Some((CloseCode::Size, "message too big")),
        _ => None,
    }
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(WRITE_BUFFER)
        // One message is taken in before the next has to wait: that is all a connection can hold.
        .max_write_buffer_size(WRITE_BUFFER + MAX_MESSAGE + 4096)
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
}
