//! The sending side of a session: queues frames, flushes once for all that is due, and notices when the peer accepts no
//! more bytes.

use std::task::{Context, Poll};

use crate::frame::Frame;
use crate::net::{Lost, PackedMessage, Transport};

/// The most bytes of messages queued before a flush. A backlog is only a number in the schedule, so that it does not
/// fill a buffer.
const MESSAGES_AT_ONCE: usize = 64 * 1024;
/// The most bytes of pings on top of that. Pings are queued even if the peer accepts nothing: their deadlines detect
/// that.
const PINGS_AT_ONCE: usize = 16 * 1024;
/// The most bytes of answers to the peer's pings on top of that.
const PONGS_AT_ONCE: usize = 16 * 1024;
/// How many acknowledgements are queued on top of that: those of all packet identifiers of MQTT. More would be of messages
/// that must not be there.
const ACKNOWLEDGEMENTS_AT_ONCE: u32 = 65_535;
/// The longest header of a frame with its mask, and the longest payload of a control frame (RFC 6455 section 5.2).
const HEADER: usize = 14;
const CONTROL: usize = 125;

/// Counts what is queued and not flushed.
#[derive(Debug)]
pub(super) struct Outbox {
    messages: usize,
    pings: usize,
    pongs: usize,
    acknowledgements: u32,
    /// The last pong for which there was no room.
    owed: Option<Box<Owed>>,
    /// The most bytes queued before a flush. Zero: none may be queued any more.
    most_messages: usize,
    most_pings: usize,
    is_sealed: bool,
    dirty: bool,
    blocked: bool,
    lost: Option<Box<Lost>>,
}

/// A pong that has to wait, by its kind of frame.
#[derive(Debug)]
enum Owed {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Pong(Vec<u8>),
}

impl Owed {
    fn of(frame: Frame<'_>) -> Option<Self> {
        Some(match frame {
            Frame::Text(payload) => Self::Text(payload.to_vec()),
            Frame::Binary(payload) => Self::Binary(payload.to_vec()),
            Frame::Pong(payload) => Self::Pong(payload.to_vec()),
            Frame::Ping(_) | Frame::Close { .. } => return None,
        })
    }

    fn frame(&self) -> Frame<'_> {
        match self {
            Self::Text(payload) => Frame::Text(payload),
            Self::Binary(payload) => Frame::Binary(payload),
            Self::Pong(payload) => Frame::Pong(payload),
        }
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            messages: 0,
            pings: 0,
            pongs: 0,
            acknowledgements: 0,
            owed: None,
            most_messages: MESSAGES_AT_ONCE,
            most_pings: PINGS_AT_ONCE,
            is_sealed: false,
            dirty: false,
            blocked: false,
            lost: None,
        }
    }
}

impl Outbox {
    /// Returns whether a message may be queued now.
    pub(super) fn has_room(&self) -> bool {
        !self.blocked && self.lost.is_none() && self.messages < self.most_messages
    }

    /// Returns whether a ping may be queued now.
    pub(super) fn has_room_for_ping(&self) -> bool {
        self.lost.is_none() && self.pings < self.most_pings
    }

    /// Allows no more messages.
    pub(super) fn hold_messages(&mut self) {
        self.most_messages = 0;
    }

    /// Allows no more messages and pings.
    pub(super) fn hold_all(&mut self) {
        self.most_messages = 0;
        self.most_pings = 0;
    }

    /// Allows no more frames of any kind.
    pub(super) fn seal(&mut self) {
        self.hold_all();
        self.owed = None;
        self.is_sealed = true;
    }

    /// Queues a message.
    pub(super) fn feed<T: Transport>(&mut self, transport: &mut T, frame: Frame<'_>) {
        self.messages += length(&frame);
        self.queue(transport, frame);
    }

    /// Queues a message that was compressed before.
    pub(super) fn feed_packed<T: Transport>(
        &mut self,
        transport: &mut T,
        message: PackedMessage<'_>,
    ) {
        self.messages += HEADER + message.bytes.len();
        if self.lost.is_none() && !self.is_sealed {
            self.dirty = true;
            transport.feed_packed(message);
        }
    }

    /// Queues a ping, of either kind.
    pub(super) fn feed_ping<T: Transport>(&mut self, transport: &mut T, frame: Frame<'_>) {
        self.pings += length(&frame);
        self.queue(transport, frame);
    }

    /// Queues the answer to a ping. If the peer sends many pings and accepts no answer, only the last one is answered
    /// (RFC 6455 section 5.5.3).
    pub(super) fn feed_pong<T: Transport>(&mut self, transport: &mut T, frame: Frame<'_>) {
        if self.pongs < PONGS_AT_ONCE {
            self.pongs += length(&frame);
            self.queue(transport, frame);
        } else if !self.is_sealed {
            self.owed = Owed::of(frame).map(Box::new);
        }
    }

    /// Queues the acknowledgement of a message, with a limit of its own. Returns whether there was room.
    pub(super) fn feed_acknowledgement<T: Transport>(
        &mut self,
        transport: &mut T,
        frame: Frame<'_>,
    ) -> bool {
        let has_room = self.acknowledgements < ACKNOWLEDGEMENTS_AT_ONCE;
        if has_room {
            self.acknowledgements += 1;
            self.queue(transport, frame);
        }
        has_room
    }

    /// Queues a Close frame, and allows no frame after it.
    pub(super) fn feed_close<T: Transport>(
        &mut self,
        transport: &mut T,
        code: Option<u16>,
        reason: &str,
    ) {
        self.queue(transport, Frame::Close { code, reason });
        self.seal();
    }

    fn queue<T: Transport>(&mut self, transport: &mut T, frame: Frame<'_>) {
        if self.lost.is_none() && !self.is_sealed {
            self.dirty = true;
            transport.feed(frame);
        }
    }

    /// Asks for a flush of bytes that were queued elsewhere.
    pub(super) fn ask_flush(&mut self) {
        self.dirty = true;
    }

    /// Returns whether a flush has something to send and was not refused before.
    pub(super) fn wants_flush(&self) -> bool {
        self.dirty && !self.blocked && self.lost.is_none()
    }

    /// Returns whether the peer accepts no more bytes.
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Sends what is queued. Failures are returned by [`Self::take_lost`], after what was received before them is
    /// taken.
    pub(super) fn flush<T: Transport>(&mut self, transport: &mut T, cx: &mut Context<'_>) {
        if !self.dirty || self.lost.is_some() {
            return;
        }
        match transport.poll_flush(cx) {
            Poll::Ready(Ok(())) => {
                self.dirty = false;
                self.blocked = false;
                self.messages = 0;
                self.pings = 0;
                self.pongs = 0;
                self.acknowledgements = 0;
                if let Some(owed) = self.owed.take() {
                    self.feed_pong(transport, owed.frame());
                }
            }
            Poll::Ready(Err(lost)) => self.lost = Some(Box::new(lost)),
            Poll::Pending => self.blocked = true,
        }
    }

    /// Returns whether nothing more can be sent.
    pub(super) fn has_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Nothing more is sent, because of this.
    pub(super) fn lose(&mut self, lost: Lost) {
        self.lost.get_or_insert_with(|| Box::new(lost));
    }

    /// Returns how the peer broke the protocol in what was taken of it, if it did.
    pub(super) fn take_broken(&mut self) -> Option<Lost> {
        let broken = (self.lost).take_if(|lost| matches!(**lost, Lost::Broken(..)));
        broken.map(|lost| *lost)
    }

    /// Returns why nothing more can be sent.
    pub(super) fn take_lost(&mut self) -> Option<Lost> {
        self.lost.take().map(|lost| *lost)
    }
}

/// The most bytes that a frame takes on the wire.
fn length(frame: &Frame<'_>) -> usize {
    HEADER
        + match frame {
            Frame::Text(bytes) | Frame::Binary(bytes) => bytes.len(),
            Frame::Ping(bytes) | Frame::Pong(bytes) => bytes.len(),
            Frame::Close { .. } => CONTROL,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Room, Writer};
    use crate::measure::TcpView;
    use crate::net::Act;
    use crate::net::TcpEnd;
    use crate::time::Clock;
    use crate::units::Timestamp;

    /// Accepts no bytes while `is_full`.
    struct Full {
        writer: Writer,
        is_full: bool,
        pongs: Vec<Vec<u8>>,
    }

    impl Full {
        fn new() -> Self {
            Self {
                writer: Writer::new(1),
                is_full: true,
                pongs: Vec::new(),
            }
        }
    }

    impl Transport for Full {
        fn poll_event<'room>(
            &mut self,
            _: &mut Context<'_>,
            _: &'room mut Room,
        ) -> Poll<Result<Frame<'room>, Lost>> {
            Poll::Pending
        }

        fn leave(&mut self, _: &mut Room) {}

        fn feed(&mut self, frame: Frame<'_>) {
            if let Frame::Pong(payload) = frame {
                self.pongs.push(payload.to_vec());
            }
            self.writer.add(frame);
        }

        fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Lost>> {
            if self.is_full {
                return Poll::Pending;
            }
            self.writer.clear();
            Poll::Ready(Ok(()))
        }

        fn poll_end(&mut self, _: &mut Context<'_>) -> Poll<TcpEnd> {
            Poll::Pending
        }

        fn act(&mut self, act: Act) -> Result<(), Lost> {
            unreachable!("{act:?}")
        }

        fn received_at(&self, _: &dyn Clock) -> Option<Timestamp> {
            None
        }

        fn frames_after_close(&self) -> u32 {
            0
        }

        fn local_port(&self) -> Option<u16> {
            None
        }

        fn take_bytes(&mut self) -> (u64, u64) {
            (0, 0)
        }

        fn tcp_view(&self) -> Option<TcpView> {
            None
        }
    }

    #[test]
    fn what_is_fed_stays_within_a_limit_whatever_its_length() {
        for length in [0, 1, 64, 125, 126, 5_000, 65_535, 65_536, 1_000_000] {
            let (mut outbox, mut transport) = (Outbox::default(), Full::new());
            let bytes = vec![b'x'; length];
            let mut frames = 0;
            while outbox.has_room() {
                outbox.feed(&mut transport, Frame::Text(&bytes));
                frames += 1;
            }
            while outbox.has_room_for_ping() {
                outbox.feed_ping(&mut transport, Frame::Text(&bytes));
                frames += 1;
            }
            assert!(frames >= 2);
            for _ in 0..10_000 {
                outbox.feed_pong(&mut transport, Frame::Pong(&bytes[..length.min(CONTROL)]));
            }
            outbox.feed_close(&mut transport, Some(1011), "heartbeat timeout");
            // The last frame of each kind may begin below its limit and end beyond it.
            let longest = length.max(CONTROL) + HEADER;
            let most = MESSAGES_AT_ONCE + PINGS_AT_ONCE + PONGS_AT_ONCE + 4 * longest;
            let fed = transport.writer.unwritten().len();
            assert!(fed <= most, "{length}: {fed}");
        }
    }

    #[test]
    fn a_peer_that_takes_no_pongs_gets_the_last_one_when_it_does() {
        let (mut outbox, mut transport) = (Outbox::default(), Full::new());
        let cx = &mut Context::from_waker(std::task::Waker::noop());
        let pings = 5_000u32;
        for ping in 0..pings {
            outbox.feed_pong(&mut transport, Frame::Pong(&ping.to_be_bytes()));
        }
        outbox.flush(&mut transport, cx);
        assert!(outbox.is_blocked());
        assert!(transport.pongs.len() < 1_000);
        transport.is_full = false;
        outbox.flush(&mut transport, cx);
        outbox.flush(&mut transport, cx);
        assert!(!outbox.is_blocked() && !outbox.wants_flush());
        let last = transport.pongs.last().unwrap();
        assert_eq!(last.as_slice(), (pings - 1).to_be_bytes());
    }

    #[test]
    fn nothing_is_queued_behind_a_close_frame() {
        let (mut outbox, mut transport) = (Outbox::default(), Full::new());
        let cx = &mut Context::from_waker(std::task::Waker::noop());
        for _ in 0..5_000 {
            outbox.feed_pong(&mut transport, Frame::Pong(b"owed"));
        }
        outbox.feed_close(&mut transport, Some(1000), "");
        let queued = transport.writer.unwritten().len();
        outbox.feed_close(&mut transport, Some(1000), "");
        outbox.feed_pong(&mut transport, Frame::Pong(b"?"));
        assert!(!outbox.has_room() && !outbox.has_room_for_ping());
        assert_eq!(transport.writer.unwritten().len(), queued);
        transport.is_full = false;
        outbox.flush(&mut transport, cx);
        assert!(!outbox.is_blocked() && !outbox.wants_flush());
    }
}
