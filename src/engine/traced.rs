//! Connections whose frames are traced: a transport that keeps what passes, with what sent or took it. All that it keeps
//! is masked: no value that is secret, or that a client saved, leaves it.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll};

use memchr::memmem;

use super::dial::{Connected, Connector, Dialer, Shown, Wanted};
use super::saved::named;
use super::shared::Shared;
use crate::frame::{Frame, Inflater, Packed, Packing, Room};
use crate::http::{Answer, read_head, values};
use crate::measure::{By, Fitting, FrameType, TcpView, Trace, Traced};
use crate::metric::Side;
use crate::net::{Act, Failure, Lost, PackedMessage, TcpEnd, Transport};
use crate::scenario::{FrameKind, Secrets};
use crate::time::Clock;
use crate::units::{ByteSize, Timestamp, cut, visible};

/// The most characters that are kept of a frame.
const MAX_SHOWN: usize = 200;
/// The most bytes that are kept of a frame that is no text.
const MAX_BYTES: usize = 32;
/// The most values that clients saved on one connection and that are known by value. With more, nothing is shown.
const MAX_SAVED: usize = 1000;

/// Opens connections that are traced.
#[derive(Clone)]
pub(super) struct TracedDialer<C> {
    inner: C,
    log: Rc<RefCell<Log>>,
}

impl<C> TracedDialer<C> {
    /// Opens the connections of one client of a cohort.
    pub(super) fn new(inner: C, shared: Rc<Shared>, cohort: usize) -> Self {
        let log = Log {
            secrets: shared.plan.scenario.secrets.clone(),
            shared,
            cohort,
            saved: 0,
            has_binary: false,
        };
        Self {
            inner,
            log: Rc::new(RefCell::new(log)),
        }
    }
}

impl<C: Connector> Connector for TracedDialer<C> {
    type Transport = TracedTransport<C::Transport>;

    fn dialer(&self) -> &Dialer {
        self.inner.dialer()
    }

    async fn connect(
        &self,
        wanted: Wanted<'_>,
        shared: &Shared,
    ) -> Result<Connected<Self::Transport>, Failure> {
        let Connected {
            transport,
            steps,
            head,
        } = self.inner.connect(wanted, shared).await?;
        self.log.borrow().opened(&head);
        Ok(Connected {
            transport: TracedTransport {
                inner: transport,
                log: self.log.clone(),
                came: None,
                sender: By::Nothing,
                said: None,
            },
            steps,
            head,
        })
    }

    fn failed(&self, failure: &Failure) {
        let Failure { cause, detail, .. } = failure;
        self.log.borrow().ended(&format!("{cause}: {detail}"));
    }

    fn show(&self, shown: &Shown<'_>) {
        let mut log = self.log.borrow_mut();
        log.learn(shown.saved);
        log.frame(shown.from, FrameType::Http, shown.text, shown.by, shown.fit);
    }
}

/// What happened on one connection.
struct Log {
    shared: Rc<Shared>,
    cohort: usize,
    /// What must not be shown, with what the client saved so far.
    secrets: Secrets,
    /// How many values were saved.
    saved: usize,
    /// Whether one of them is no text, so that it cannot be found in what is shown.
    has_binary: bool,
}

impl Log {
    fn keep(&self, what: Traced) {
        let trace = Trace {
            at: self.shared.clock.now(),
            cohort: self.cohort,
            what,
        };
        let traces = &mut self.shared.shard.borrow_mut().traces;
        traces.keep(trace, Trace::MAX_ROWS);
    }

    fn opened(&self, head: &[u8]) {
        if head.is_empty() {
            return self.keep(Traced::Connected);
        }
        let chosen = read_head(head, |response, _| {
            let mut chosen = values(response, "Sec-WebSocket-Protocol");
            chosen.next().map(|value| self.text(value))
        });
        self.keep(Traced::Opened {
            subprotocol: chosen.ok().flatten().flatten(),
        });
    }

    fn ended(&self, why: &str) {
        self.keep(Traced::Ended(self.text(why.as_bytes())));
    }

    fn frame(&self, from: Side, kind: FrameType, bytes: &[u8], by: By, fit: Fitting) {
        let text = self.text(bytes);
        self.keep(Traced::Frame {
            from,
            kind,
            by,
            fit,
            text,
        });
    }

    /// The beginning of what these bytes say, without what must not be shown.
    fn text(&self, bytes: &[u8]) -> String {
        let size = ByteSize(bytes.len() as u64);
        if self.saved > MAX_SAVED {
            return format!("(not shown: {size}, and too many values were saved)");
        }
        if let Ok(text) = std::str::from_utf8(bytes) {
            let masked = self.secrets.mask(text);
            let shown = visible(&cut(&masked, MAX_SHOWN));
            return match masked.chars().nth(MAX_SHOWN) {
                None => shown,
                Some(_) => format!("{shown} ({size} in all)"),
            };
        }
        let lossy = String::from_utf8_lossy(bytes);
        if self.has_binary || self.secrets.mask(&lossy) != lossy {
            return format!("(not shown: {size}, with a secret in them)");
        }
        let (first, rest) = bytes.split_at(bytes.len().min(MAX_BYTES));
        let hex: String = first.iter().map(|byte| format!("{byte:02x}")).collect();
        let more = if rest.is_empty() { "" } else { "…" };
        format!("{hex}{more} ({size})")
    }

    /// Learns what a client has saved: it is hidden from now on, even after the client has forgotten it.
    fn learn(&mut self, saved: &[Vec<u8>]) {
        let names = &self.shared.plan.cohort(self.cohort).saved;
        for (name, value) in named(names, saved) {
            match std::str::from_utf8(value) {
                Ok(value) => self.saved += usize::from(self.secrets.saved(name, value)),
                Err(_) => self.has_binary = true,
            }
        }
    }
}

/// A connection whose frames are kept.
pub(super) struct TracedTransport<T> {
    inner: T,
    log: Rc<RefCell<Log>>,
    /// The last message that came, until it is known what took it.
    came: Option<(FrameType, Vec<u8>)>,
    /// What sends the next frame.
    sender: By,
    /// What it says, if its bytes do not.
    said: Option<Vec<u8>>,
}

/// The kind of a frame, and what it says.
fn parts(frame: &Frame<'_>) -> (FrameType, Vec<u8>) {
    match frame {
        Frame::Text(bytes) => (FrameType::Text, bytes.to_vec()),
        Frame::Binary(bytes) => (FrameType::Binary, bytes.to_vec()),
        Frame::Ping(bytes) => (FrameType::Ping, bytes.to_vec()),
        Frame::Pong(bytes) => (FrameType::Pong, bytes.to_vec()),
        Frame::Close { code, reason } => {
            let code = code.map_or_else(|| "without a code".to_owned(), |code| code.to_string());
            let text = format!("{code} {reason}");
            (FrameType::Close, text.trim_end().as_bytes().to_vec())
        }
    }
}

fn frame_type(kind: FrameKind) -> FrameType {
    match kind {
        FrameKind::Text => FrameType::Text,
        FrameKind::Binary => FrameType::Binary,
    }
}

/// The method and the path of a request, and its body.
fn without_headers(request: &[u8]) -> Vec<u8> {
    const END: &[u8] = b"\r\n\r\n";
    let line = request.split(|byte| *byte == b'\r').next();
    let line = line.unwrap_or_default();
    let line = line.strip_suffix(b" HTTP/1.1").unwrap_or(line);
    let end = memmem::find(request, END).map_or(request.len(), |at| at + END.len());
    let shown = [line, b" ", &request[end..]].concat();
    shown.trim_ascii_end().to_vec()
}

impl<T: Transport> Transport for TracedTransport<T> {
    fn poll_event<'room>(
        &mut self,
        cx: &mut Context<'_>,
        room: &'room mut Room,
    ) -> Poll<Result<Frame<'room>, Lost>> {
        let event = self.inner.poll_event(cx, room);
        if let Poll::Ready(Ok(frame)) = &event {
            let (kind, bytes) = parts(frame);
            if !matches!(kind, FrameType::Text | FrameType::Binary) {
                (self.log.borrow()).frame(Side::Peer, kind, &bytes, By::Nothing, Fitting::Right);
            }
        }
        event
    }

    fn host(&self) -> Option<&str> {
        self.inner.host()
    }

    fn cookies(&self, target: &str) -> Option<Vec<u8>> {
        self.inner.cookies(target)
    }

    fn answer(&self) -> Option<&Answer> {
        self.inner.answer()
    }

    fn leave(&mut self, room: &mut Room) {
        self.inner.leave(room);
    }

    fn sends(&mut self, by: By) {
        self.sender = by;
    }

    fn says(&mut self, text: &[u8]) {
        self.said = Some(text.to_vec());
    }

    fn came(&mut self, kind: FrameKind, message: &[u8]) {
        let kind = frame_type(kind);
        self.came = Some(match self.inner.answer() {
            None => (kind, message.to_vec()),
            Some(head) => {
                let mut answer = head.clone();
                answer.body = message.to_vec();
                (FrameType::Http, answer.shown())
            }
        });
    }

    fn took(&mut self, by: By, fitting: Fitting, saved: &[Vec<u8>]) {
        self.log.borrow_mut().learn(saved);
        if let Some((kind, bytes)) = self.came.take() {
            self.log
                .borrow()
                .frame(Side::Peer, kind, &bytes, by, fitting);
        }
    }

    fn ended(&mut self, why: &str) {
        self.log.borrow().ended(why);
    }

    fn feed(&mut self, frame: Frame<'_>) {
        let (mut kind, mut bytes) = parts(&frame);
        if self.inner.host().is_some() {
            if kind == FrameType::Close {
                // Nothing is sent: HTTP has no Close.
                return self.inner.feed(frame);
            }
            (kind, bytes) = (FrameType::Http, without_headers(&bytes));
        }
        if let Some(said) = self.said.take() {
            (kind, bytes) = (FrameType::Text, said);
        }
        let by = std::mem::take(&mut self.sender);
        (self.log.borrow()).frame(Side::Local, kind, &bytes, by, Fitting::Right);
        self.inner.feed(frame);
    }

    fn is_amid(&self) -> bool {
        self.inner.is_amid()
    }

    fn extension(&self) -> Option<String> {
        self.inner.extension()
    }

    fn tls(&self) -> Option<String> {
        self.inner.tls()
    }

    fn carrier(&self) -> Option<u32> {
        self.inner.carrier()
    }

    fn packing(&self) -> Option<Packing> {
        self.inner.packing()
    }

    fn feed_packed(&mut self, message: PackedMessage<'_>) {
        let mut plain = Vec::new();
        let mut inflater = Inflater::default();
        // What was compressed here is restored without an error.
        let added = inflater.add(message.bytes, &mut plain, message.plain);
        let _ = added.and_then(|()| inflater.finish(&mut plain, message.plain));
        let kind = frame_type(message.kind);
        let by = std::mem::take(&mut self.sender);
        (self.log.borrow()).frame(Side::Local, kind, &plain, by, Fitting::Right);
        self.inner.feed_packed(message);
    }

    fn take_packed(&mut self) -> Option<(Packed, Packed)> {
        self.inner.take_packed()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        self.inner.poll_flush(cx)
    }

    fn give_up(&mut self) -> Option<Lost> {
        self.inner.give_up()
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<TcpEnd> {
        self.inner.poll_end(cx)
    }

    fn act(&mut self, act: Act) -> Result<(), Lost> {
        if let Act::Put(bytes) = &act {
            let (kind, by) = (FrameType::Bytes, By::Nothing);
            (self.log.borrow()).frame(Side::Local, kind, bytes, by, Fitting::Right);
        }
        self.inner.act(act)
    }

    fn received_at(&self, clock: &dyn Clock) -> Option<Timestamp> {
        self.inner.received_at(clock)
    }

    fn frames_after_close(&self) -> u32 {
        self.inner.frames_after_close()
    }

    fn local_port(&self) -> Option<u16> {
        self.inner.local_port()
    }

    fn take_bytes(&mut self) -> (u64, u64) {
        self.inner.take_bytes()
    }

    fn tcp_view(&self) -> Option<TcpView> {
        self.inner.tcp_view()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_a_request_are_not_shown() {
        let head = "POST /a?b HTTP/1.1\r\nAuthorization: Bearer x\r\n\r\n";
        assert_eq!(without_headers(head.as_bytes()), b"POST /a?b");
        let whole = format!("{head}{{}}");
        assert_eq!(without_headers(whole.as_bytes()), b"POST /a?b {}");
        assert_eq!(without_headers(b""), b"");
    }
}
