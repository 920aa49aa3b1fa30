//! One connection of the built-in server, from the accepted socket to the end of TCP.
//! Answers everything that is ready, flushes once, and stops reading from a peer that does not read its answers.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};

use super::agenda::{Agenda, AnswerTime, DueMessage};
use super::behaviour::Behaviour;
use super::counts::{Counter, OpenConnection};
use super::entry::{self, Entry};
use super::heartbeat::{self, ClientState, Ends, Heart};
use super::rooms::{Kind, Member, Rooms};

/// The longest time to send a Close frame and receive its answer.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// What a connection needs to know of its server.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    pub(super) behaviour: Behaviour,
    /// When the server started.
    pub(super) started: Instant,
    /// The number of this connection, counted from the start of the server.
    pub(super) connection: u64,
    pub(super) rooms: Option<Arc<Rooms>>,
    /// Whether there is no room for it.
    pub(super) is_full: bool,
}

/// Serves one accepted socket until the peer ends it, the heartbeat gives it up, or `stop` gives the time over which
/// all connections are closed.
pub(super) async fn serve(
    socket: TcpStream,
    terms: Terms,
    counter: Counter,
    mut stop: watch::Receiver<Option<Duration>>,
) {
    // Ignores the error: without the option, answers are still correct, only slower.
    let _ = socket.set_nodelay(true);
    if terms.is_full {
        entry::refuse(socket).await;
        return counter.failed();
    }
    let (socket, tells_time) = match entry::accept(socket, terms.rooms.as_deref(), &counter).await {
        Entry::Open { socket, tells_time } => (*socket, tells_time),
        Entry::Done => return,
        Entry::Failed => return counter.failed(),
    };
    let connection = terms.connection;
    let mut session = Session::new(socket, terms, counter.open());
    if tells_time {
        session.agenda.tell_time(Instant::now());
    }
    let stopped = async {
        // An error means that the server is gone, which is a stop too.
        let spread = stop.wait_for(Option::is_some).await.ok().and_then(|s| *s);
        sleep(spread.unwrap_or_default().mul_f64(phase(connection))).await;
    };
    let end = tokio::select! {
        biased;
        end = session.run() => end,
        () = stopped => {
            return session.part(CloseCode::Away, "server is stopping").await;
        }
    };
    match end {
        Ok(End::Over) => {}
        Ok(End::Silent { stuck, ends }) => session.reap(stuck, ends).await,
        Ok(End::Slow) => {
            session.opened.cut();
            session.part(CloseCode::Policy, "reads too slowly").await;
        }
        Err(error) => {
            if let Some((code, reason)) = verdict(&error) {
                session.close(code, reason).await;
            }
        }
    }
}

/// A number from 0 to 1 for each connection: the golden ratio spreads any number of connections evenly.
fn phase(connection: u64) -> f64 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    connection.wrapping_mul(GOLDEN) as f64 / u64::MAX as f64
}

/// Why a session ended.
pub(super) enum End {
    /// The close handshake is done, or the peer is gone.
    Over,
    /// The heartbeat gives the peer up.
    Silent {
        /// Whether the peer has no room for what was sent to it.
        stuck: bool,
        ends: Ends,
    },
    /// Its rooms cut it off, because it read nothing while too much waited for it.
    Slow,
}

/// One connection after its handshake.
pub(super) struct Session {
    socket: WebSocketStream<TcpStream>,
    agenda: Agenda,
    heart: Option<Heart>,
    /// A ping that waits until there is room to send it.
    ping: Option<Message>,
    member: Option<Member>,
    /// Whether it lets others run before it reads on, because it has said something that they shall hear.
    yields: bool,
    opened: OpenConnection,
    /// Whether a Close frame was sent or received: nothing may be sent after it (RFC 6455 section 5.5.1).
    closing: bool,
    /// Created on first use: a plain echo never needs it.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Session {
    pub(super) fn new(
        socket: WebSocketStream<TcpStream>,
        terms: Terms,
        opened: OpenConnection,
    ) -> Self {
        let now = Instant::now();
        let seed = terms.behaviour.seed.wrapping_add(terms.connection);
        let heartbeat = terms.behaviour.heartbeat;
        Self {
            socket,
            agenda: Agenda::new(terms.behaviour, terms.connection, now),
            heart: heartbeat.map(|heartbeat| Heart::new(heartbeat, seed, now, terms.started)),
            ping: None,
            member: terms
                .rooms
                .map(|rooms| Member::new(rooms, terms.connection)),
            yields: false,
            opened,
            closing: false,
            sleep: None,
        }
    }

    /// Runs until TCP may be closed: the close handshake is done, the peer is silent, or the connection is broken.
    pub(super) async fn run(&mut self) -> Result<End, Error> {
        poll_fn(|cx| self.poll(cx)).await
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<End, Error>> {
        let is_hasty = self
            .heart
            .as_ref()
            .is_some_and(Heart::judges_before_reading);
        if is_hasty && let Some(end) = self.judge(false) {
            return Poll::Ready(Ok(end));
        }
        loop {
            while let Poll::Ready(end) = self.poll_step(cx) {
                if let Some(end) = end? {
                    return Poll::Ready(Ok(end));
                }
            }
            // Judges only after reading: the received bytes may contain the missing pong.
            if let Some(end) = self.judge(self.yields) {
                return Poll::Ready(Ok(end));
            }
            if self.beat() {
                continue;
            }
            if let Poll::Ready(flushed) = self.socket.poll_flush_unpin(cx) {
                flushed?;
            }
            if let Some(heart) = &mut self.heart {
                heart.tried(Instant::now());
            }
            if std::mem::take(&mut self.yields) {
                // Takes its next turn behind all that are to hear it, so nobody's mailbox fills for lack of a turn.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            ready!(self.poll_sleep(cx));
        }
    }

    /// Decides whether the heartbeat gives the peer up now. `reads_on`: what has come is not read to its end yet.
    fn judge(&mut self, reads_on: bool) -> Option<End> {
        let heart = self.heart.as_mut()?;
        let now = Instant::now();
        if !heart.is_overdue(now) {
            return None;
        }
        let stuck = heartbeat::is_stuck(self.socket.get_ref());
        let seen = ClientState {
            stuck,
            busy: self.agenda.is_full() && !stuck,
            unread: reads_on || heartbeat::has_arrived(self.socket.get_ref()),
        };
        let ends = heart.ends();
        heart
            .gives_up(now, seen)
            .then_some(End::Silent { stuck, ends })
    }

    /// Creates the ping that is due, if any.
    fn beat(&mut self) -> bool {
        let beat = |heart: &mut Heart| heart.beat(Instant::now());
        let Some(ping) = self.heart.as_mut().and_then(beat) else {
            return false;
        };
        // Replaces a ping that could not be sent for lack of room: a pong to the later ping acknowledges both.
        self.ping = Some(ping);
        true
    }

    /// Sends one thing that is due, or reads one message and answers it. Returns the end if there is one.
    fn poll_step(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<End>, Error>> {
        let Poll::Ready(has_room) = self.socket.poll_ready_unpin(cx) else {
            let is_cut = self.member.as_mut().is_some_and(|member| member.block(cx));
            return match is_cut {
                true => Poll::Ready(Ok(Some(End::Slow))),
                false => Poll::Pending,
            };
        };
        has_room?;
        if let Some(ping) = self.ping.take() {
            self.opened.pinged();
            self.socket.start_send_unpin(ping)?;
            return Poll::Ready(Ok(None));
        }
        if let Some(due) = self.take_due() {
            self.socket.start_send_unpin(due)?;
            return Poll::Ready(Ok(None));
        }
        if let Some(member) = &mut self.member
            && let Poll::Ready(letter) = member.poll_letter(cx)
        {
            let Some(letter) = letter else {
                return Poll::Ready(Ok(Some(End::Slow)));
            };
            match letter.kind {
                Kind::Answer => {}
                Kind::Said => self.opened.delivered(),
                Kind::Tick => self.opened.ticked(),
            }
            self.socket.start_send_unpin(Message::Text(letter.text))?;
            return Poll::Ready(Ok(None));
        }
        if self.yields || self.agenda.is_full() {
            return Poll::Pending;
        }
        match ready!(self.socket.poll_next_unpin(cx)) {
            Some(message) => {
                if let Some(answer) = self.receive(message?) {
                    self.socket.start_send_unpin(answer)?;
                }
                Poll::Ready(Ok(None))
            }
            None => Poll::Ready(Ok(Some(End::Over))),
        }
    }

    fn take_due(&mut self) -> Option<Message> {
        // Reads the clock only if something is planned.
        self.agenda.next()?;
        Some(match self.agenda.take_due(Instant::now())? {
            DueMessage::Answer(message) => message,
            DueMessage::Ping(message) => {
                self.opened.pinged();
                message
            }
            DueMessage::Push(message) => {
                self.opened.pushed();
                message
            }
        })
    }

    fn receive(&mut self, message: Message) -> Option<Message> {
        match &message {
            Message::Text(text) if self.heart.as_mut().is_some_and(|heart| heart.message(text)) => {
                self.opened.pong();
                return None;
            }
            Message::Text(text) => self.opened.text(text.len()),
            Message::Binary(bytes) => self.opened.binary(bytes.len()),
            Message::Ping(_) => {
                self.opened.ping();
                return None;
            }
            Message::Pong(payload) => {
                self.opened.pong();
                if let Some(heart) = &mut self.heart {
                    heart.pong(payload);
                }
                return None;
            }
            Message::Close(frame) => {
                let code = frame.as_ref().map_or(CloseCode::Status, |f| f.code);
                self.opened.close_received(code.into());
                self.end_sending();
                return None;
            }
            // This variant is never received, only written.
            Message::Frame(_) => return None,
        }
        if self.closing {
            return None;
        }
        if let Some(member) = &mut self.member
            && let Message::Text(text) = &message
            && member.request(text)
        {
            self.yields = true;
            return None;
        }
        match self.agenda.answer(message, Instant::now()) {
            AnswerTime::Now(message) => Some(message),
            AnswerTime::Later => None,
            AnswerTime::Never => {
                self.opened.dropped();
                None
            }
        }
    }

    /// Is ready when the next action is due.
    fn poll_sleep(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let beat = self.heart.as_ref().map(Heart::next);
        let Some(at) = self.agenda.next().into_iter().chain(beat).min() else {
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
        self.heart = None;
        self.ping = None;
        self.member = None;
    }

    /// Ends a connection whose peer is silent. A peer that takes no bytes would not take a Close frame either.
    async fn reap(&mut self, stuck: bool, ends: Ends) {
        self.opened.reaped();
        match ends {
            _ if stuck => self.abort(),
            Ends::Close(code) => self.part(code.into(), "heartbeat timeout").await,
            Ends::Silently => {}
        }
    }

    /// Sends a Close frame, and waits at most one second for the answer.
    async fn part(&mut self, code: CloseCode, reason: &'static str) {
        let parting = async {
            self.close(code, reason).await;
            self.run().await
        };
        let parted = timeout(CLOSE_TIMEOUT, parting).await;
        if parted.is_err() && heartbeat::is_stuck(self.socket.get_ref()) {
            self.abort();
        }
    }

    /// Ends TCP with a RST, so that the kernel keeps no data for a peer that does not read it.
    fn abort(&self) {
        // Ignores the error: without the option the connection still ends, only later.
        let _ = SockRef::from(self.socket.get_ref()).set_linger(Some(Duration::ZERO));
    }

    /// Sends a Close frame if possible.
    async fn close(&mut self, code: CloseCode, reason: &'static str) {
        self.end_sending();
        let frame = CloseFrame {
            code,
            reason: Utf8Bytes::from_static(reason),
        };
        let _ = timeout(CLOSE_TIMEOUT, self.socket.close(Some(frame))).await;
    }
}

/// The close code and reason for a peer that broke a rule; `None` for one that is gone.
fn verdict(error: &Error) -> Option<(CloseCode, &'static str)> {
    match error {
        Error::Protocol(_) => Some((CloseCode::Protocol, "protocol error")),
        Error::Utf8(_) => Some((CloseCode::Invalid, "text is not UTF-8")),
        Error::Capacity(_) => Some((CloseCode::Size, "message too big")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_hundred_connections_are_closed_evenly() {
        for from in [0, 77, 1 << 40] {
            let mut phases: Vec<f64> = (from..from + 100).map(phase).collect();
            phases.sort_by(f64::total_cmp);
            assert!(phases[0] >= 0.0 && phases[99] <= 1.0);
            let widest = phases.windows(2).map(|pair| pair[1] - pair[0]);
            let widest = widest.fold(phases[0], f64::max);
            assert!(widest < 0.03, "{widest}");
        }
    }
}
