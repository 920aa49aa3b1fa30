//! The other end of a connection: a transport that plays a script and records what it received, and when.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use super::script::{Heard, Lines, PING, PORT, Part, Say, Script, close, reset};
use crate::frame::{Frame, Room};
use crate::http::{Answer, Reader};
use crate::measure::TcpView;
use crate::net::TcpEnd;
use crate::net::{Act, Lost, Transport};
use crate::plan::FaultPlan;
use crate::time::{Clock, Manual};
use crate::units::Timestamp;

/// Bytes sent and received before the connection was open.
const HANDSHAKE: (u64, u64) = (200, 150);

/// The far end of a connection, and its record.
#[derive(Clone)]
pub(super) struct Peer(Rc<RefCell<Inner>>);

/// The near end of a connection, and the newest answer on it if it speaks HTTP.
pub(super) struct Connection(Peer, Option<Answer>);

struct Inner {
    clock: Manual,
    /// Whether a text that it says is an answer of HTTP.
    is_http: bool,
    /// Whether the client has no fault.
    is_healthy: bool,
    vanished: bool,
    /// Whether the client has stopped reading.
    unread: bool,
    acts: Vec<(Timestamp, Act)>,
    /// When the kernel has the end of TCP, even if the client does not read.
    tcp_ends: Option<(Timestamp, TcpEnd)>,
    /// How late received data is read, in nanoseconds: the kernel's timestamps are this much earlier.
    stamps_lag: Option<i64>,
    after_close: u32,
    hangs_up_at: Timestamp,
    part: Part,
    /// By time, then by turn.
    lines: BTreeMap<(Timestamp, usize), Say>,
    turns: usize,
    blocked: Vec<Range<Timestamp>>,
    view: Option<TcpView>,
    queued: Vec<Heard>,
    most_queued: usize,
    heard: Vec<(Timestamp, Heard)>,
    flushes: usize,
    bytes: (u64, u64),
    close_is_sent: bool,
    /// Whether the peer has sent its Close.
    has_closed: bool,
    ended: bool,
    waker: Option<Waker>,
}

impl Peer {
    pub(super) fn new(
        script: Script,
        is_http: bool,
        fault_plan: &FaultPlan,
        clock: Manual,
    ) -> Self {
        let mut inner = Inner {
            clock,
            is_http,
            is_healthy: fault_plan.faults.is_empty(),
            vanished: false,
            unread: false,
            acts: Vec::new(),
            tcp_ends: script.tcp_ends,
            stamps_lag: script.stamps_lag,
            after_close: script.after_close,
            hangs_up_at: script.hangs_up_at,
            part: script.part,
            lines: BTreeMap::new(),
            turns: 0,
            blocked: script.blocked,
            view: script.view,
            queued: Vec::new(),
            most_queued: 0,
            heard: Vec::new(),
            flushes: 0,
            bytes: HANDSHAKE,
            close_is_sent: false,
            has_closed: false,
            ended: false,
            waker: None,
        };
        inner.learn(script.lines);
        Self(Rc::new(RefCell::new(inner)))
    }

    /// Returns its near end.
    pub(super) fn connection(&self) -> Connection {
        let answer = self.0.borrow().is_http.then(Answer::default);
        Connection(self.clone(), answer)
    }

    /// Returns what it received, and when.
    pub(super) fn heard(&self) -> Vec<(Timestamp, Heard)> {
        self.0.borrow().heard.clone()
    }

    fn times(&self, pick: impl Fn(&Heard) -> bool) -> Vec<Timestamp> {
        let inner = self.0.borrow();
        let picked = inner.heard.iter().filter(|(_, heard)| pick(heard));
        picked.map(|(at, _)| *at).collect()
    }

    /// Returns when it received pings.
    pub(super) fn pings(&self) -> Vec<Timestamp> {
        self.times(|heard| matches!(heard, Heard::Ping(_)))
    }

    /// Returns when it received answers to its own pings.
    pub(super) fn pongs(&self) -> Vec<Timestamp> {
        self.times(|heard| matches!(heard, Heard::Pong(_)))
    }

    /// Returns the bytes that were put in between frames, and when it received them.
    pub(super) fn put(&self) -> Vec<(Timestamp, Vec<u8>)> {
        let put = |(at, heard)| match heard {
            Heard::Put(bytes) => Some((at, bytes)),
            _ => None,
        };
        self.heard().into_iter().filter_map(put).collect()
    }

    /// Returns the actions below the frames, and their times.
    pub(super) fn acts(&self) -> Vec<(Timestamp, Act)> {
        self.0.borrow().acts.clone()
    }

    /// Returns when it received messages.
    pub(super) fn messages(&self) -> Vec<Timestamp> {
        self.times(|heard| matches!(heard, Heard::Text(_) | Heard::Binary(_)))
    }

    /// Returns the Close frame it received, and when.
    pub(super) fn close(&self) -> Option<(Timestamp, u16)> {
        let heard = self.heard();
        heard.iter().find_map(|(at, heard)| match heard {
            Heard::Close(code) => Some((*at, code.unwrap_or(1005))),
            _ => None,
        })
    }

    /// Returns how often something was flushed to it.
    pub(super) fn flushes(&self) -> usize {
        self.0.borrow().flushes
    }

    /// Returns the most frames that were ever queued and not flushed.
    pub(super) fn most_queued(&self) -> usize {
        self.0.borrow().most_queued
    }

    /// Returns how many lines it has sent or has still to send.
    pub(super) fn turns(&self) -> usize {
        self.0.borrow().turns
    }

    /// Returns when it next does something by itself.
    pub(super) fn next(&self) -> Option<Timestamp> {
        let inner = self.0.borrow();
        let line = inner.lines.keys().next().map(|(at, _)| *at);
        let unblocks = inner.block().map(|block| block.end);
        let now = inner.clock.now();
        let ends = inner.tcp_ends.map(|(at, _)| at).filter(|at| *at > now);
        let awaited = !inner.ended;
        let line = line.filter(|at| *at > now || !inner.unread);
        (line.into_iter().chain(unblocks).chain(ends).min()).filter(|_| awaited)
    }

    /// Returns the bytes sent and received that the near end has not counted.
    pub(super) fn uncounted_bytes(&self) -> (u64, u64) {
        self.0.borrow().bytes
    }

    /// Wakes the waiting task, if the peer does something now.
    pub(super) fn wake(&self) {
        let mut inner = self.0.borrow_mut();
        let now = inner.clock.now();
        let speaks = inner.lines.keys().next().is_some_and(|(at, _)| *at <= now);
        let unblocks = inner.block().is_none() && !inner.blocked.is_empty();
        let ends = inner.tcp_ends.is_some_and(|(at, _)| at <= now);
        if (speaks || unblocks || ends)
            && let Some(waker) = inner.waker.take()
        {
            waker.wake();
        }
    }
}

impl Inner {
    fn learn(&mut self, lines: Lines) {
        for (at, say) in lines {
            self.lines.insert((at, self.turns), say);
            self.turns += 1;
        }
    }

    fn block(&self) -> Option<&Range<Timestamp>> {
        let now = self.clock.now();
        self.blocked.iter().find(|block| block.contains(&now))
    }

    fn queue(&mut self, heard: Heard) {
        self.queued.push(heard);
        self.most_queued = self.most_queued.max(self.queued.len());
    }
}

impl Transport for Connection {
    fn poll_event<'room>(
        &mut self,
        cx: &mut Context<'_>,
        room: &'room mut Room,
    ) -> Poll<Result<Frame<'room>, Lost>> {
        let mut inner = self.0.0.borrow_mut();
        assert!(!inner.ended, "asked for more after the end");
        let now = inner.clock.now();
        let line = inner.lines.first_entry().filter(|line| line.key().0 <= now);
        let Some(say) = line.map(|line| line.remove()) else {
            inner.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        let event = match say {
            Say::Text(bytes) if inner.is_http => {
                inner.bytes.1 += bytes.len() as u64;
                let answer = Reader::new("GET").take(&bytes).unwrap();
                let mut answer = answer.expect("a whole answer");
                let body = std::mem::take(&mut answer.body);
                self.1 = Some(answer);
                Frame::Text(room.put(body))
            }
            Say::Text(bytes) => {
                inner.bytes.1 += bytes.len() as u64;
                Frame::Text(room.put(bytes.into()))
            }
            Say::Binary(bytes) => {
                inner.bytes.1 += bytes.len() as u64;
                Frame::Binary(room.put(bytes.into()))
            }
            Say::Ping => Frame::Ping(PING),
            Say::Pong(bytes) => Frame::Pong(room.put(bytes.into())),
            Say::Close(code) => {
                inner.has_closed = true;
                Frame::Close { code, reason: "" }
            }
            Say::End(lost) => {
                inner.ended = true;
                return Poll::Ready(Err(lost));
            }
        };
        Poll::Ready(Ok(event))
    }

    fn host(&self) -> Option<&str> {
        self.1.as_ref().map(|_| "peer")
    }

    fn answer(&self) -> Option<&Answer> {
        self.1.as_ref()
    }

    fn leave(&mut self, _room: &mut Room) {}

    fn feed(&mut self, frame: Frame<'_>) {
        let mut inner = self.0.0.borrow_mut();
        assert!(!inner.close_is_sent, "{frame:?} after the Close frame");
        let bytes = Bytes::copy_from_slice;
        let heard = match frame {
            Frame::Text(text) => Heard::Text(bytes(text)),
            Frame::Binary(binary) => Heard::Binary(bytes(binary)),
            Frame::Ping(payload) => Heard::Ping(bytes(payload)),
            Frame::Pong(payload) => Heard::Pong(bytes(payload)),
            Frame::Close { code, .. } => {
                inner.close_is_sent = true;
                if inner.has_closed {
                    Heard::CloseReply(code)
                } else {
                    Heard::Close(code)
                }
            }
        };
        inner.queue(heard);
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Lost>> {
        let mut inner = self.0.0.borrow_mut();
        if inner.block().is_some() || inner.vanished {
            inner.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if inner.is_http && inner.close_is_sent {
            return Poll::Ready(Err(Lost::Closed));
        }
        let now = inner.clock.now();
        if now >= inner.hangs_up_at && !inner.queued.is_empty() {
            inner.learn(vec![(now, close(Some(1001))), (now, reset())]);
            return Poll::Ready(Err(Lost::Tcp(TcpEnd::Rst)));
        }
        inner.flushes += usize::from(!inner.queued.is_empty());
        for heard in std::mem::take(&mut inner.queued) {
            let lines = (inner.part)(now, &heard);
            inner.learn(lines);
            inner.bytes.0 += heard.bytes();
            inner.heard.push((now, heard));
        }
        // The peer may answer at once.
        let speaks = inner.lines.keys().next().is_some_and(|(at, _)| *at <= now);
        if let Some(waker) = inner.waker.take_if(|_| speaks) {
            waker.wake();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<TcpEnd> {
        let mut inner = self.0.0.borrow_mut();
        inner.unread = true;
        let now = inner.clock.now();
        match inner.tcp_ends.filter(|(at, _)| *at <= now) {
            Some((_, end)) => {
                inner.tcp_ends = None;
                Poll::Ready(end)
            }
            None => {
                inner.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn act(&mut self, act: Act) -> Result<(), Lost> {
        let mut inner = self.0.0.borrow_mut();
        assert!(!inner.is_healthy, "{act:?} of a client that is healthy");
        match &act {
            Act::Put(bytes) => {
                inner.queue(Heard::Put(bytes.clone()));
                return Ok(());
            }
            Act::Vanish => inner.vanished = true,
            Act::Return => inner.vanished = false,
            Act::HalfClose | Act::Reset => {}
        }
        let now = inner.clock.now();
        inner.acts.push((now, act));
        Ok(())
    }

    fn received_at(&self, clock: &dyn Clock) -> Option<Timestamp> {
        let lag = self.0.0.borrow().stamps_lag?;
        let now = clock.now().as_nanos();
        Some(Timestamp::from_nanos(now.saturating_add_signed(-lag)))
    }

    fn frames_after_close(&self) -> u32 {
        self.0.0.borrow().after_close
    }

    fn local_port(&self) -> Option<u16> {
        Some(PORT)
    }

    fn take_bytes(&mut self) -> (u64, u64) {
        std::mem::take(&mut self.0.0.borrow_mut().bytes)
    }

    fn tcp_view(&self) -> Option<TcpView> {
        self.0.0.borrow().view
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.0.borrow_mut().ended = true;
    }
}
