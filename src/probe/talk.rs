//! One conversation with a server: sends frames, and returns what the server does as events with their arrival times.

use std::time::Instant;

use tokio::time::{timeout, timeout_at};

use super::breach::Breach;
use super::findings::{Ending, How, Tcp};
use super::frame::{Frame, MAX_PAYLOAD, Opcode, take};
use crate::measure::TcpEnding;
use crate::net::RawConnection;
use crate::time::{Clock as _, Monotonic};
use crate::units::{Nanos, Timestamp};

/// How long a write may take until the server counts as stuck.
pub(super) const STUCK: Nanos = Nanos::from_secs(2);
/// How long the probe waits from a Close frame to the end of TCP.
pub(super) const CLOSING: Nanos = Nanos::from_secs(5);
/// The same wait where its length is not a finding.
pub(super) const LEAVING: Nanos = Nanos::from_millis(250);
/// The longest message in fragments that is put together, in bytes.
const MAX_MESSAGE: usize = MAX_PAYLOAD as usize;

/// Something the server did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// A whole message.
    Message {
        text: bool,
        payload: Vec<u8>,
    },
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// The server ended the connection, or broke a rule so that the probe ends it.
    End(How),
}

/// A conversation over one connection. All its times count from the open of the connection.
pub(super) struct Talk {
    connection: RawConnection,
    /// Bytes of a frame that is not complete yet.
    bytes: Vec<u8>,
    /// The fragments so far of a message that is not complete: whether it is text, and its bytes.
    partial: Option<(bool, Vec<u8>)>,
    clock: Monotonic,
    /// When the probe is over: nothing is waited for any longer.
    over: Timestamp,
    answers_pings: bool,
    ending: Option<(Timestamp, Ending)>,
}

impl Talk {
    /// Starts a conversation over a connection that was just opened. It waits for nothing when the probe is over.
    pub(super) fn new(mut connection: RawConnection, answers_pings: bool, over: Instant) -> Self {
        let bytes = std::mem::take(&mut connection.early);
        let rest = over.saturating_duration_since(Instant::now());
        Self {
            connection,
            bytes,
            partial: None,
            clock: Monotonic::start(),
            over: Timestamp::ORIGIN + rest.into(),
            answers_pings,
            ending: None,
        }
    }

    /// The time since the connection was opened.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How the connection was ended; `None` while it is open.
    pub(super) fn ending(&self) -> Option<Ending> {
        self.ending.as_ref().map(|(_, ending)| ending.clone())
    }

    /// Sends these frames at once. If that fails, the next event tells why.
    pub(super) async fn send(&mut self, frames: &[Frame]) {
        if self.ending.is_some() {
            return;
        }
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        if !self.write(&bytes).await {
            self.end(self.now(), How::Stuck);
        }
    }

    /// Writes these bytes as they are. Returns whether the server has taken them, or the connection is lost, which the next
    /// event tells after what came before it.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> bool {
        let written = self.connection.write(bytes);
        timeout(STUCK.into(), written).await.is_ok()
    }

    /// When the probe is over.
    pub(super) fn over(&self) -> Timestamp {
        self.over
    }

    /// Waits for the next event and returns it with its arrival time; `None` if the deadline passes first, and after
    /// [`Event::End`].
    pub(super) async fn next(&mut self, deadline: Timestamp) -> Option<(Timestamp, Event)> {
        loop {
            if self.ending.is_some() {
                return None;
            }
            let (at, frame) = match self.frame(deadline).await? {
                (at, Ok(frame)) => (at, frame),
                (at, Err(how)) => return Some((at, self.end(at, how))),
            };
            match self.understand(frame) {
                Ok(None) => {}
                Ok(Some(Event::End(how))) => return Some((at, self.end(at, how))),
                Ok(Some(Event::Ping(payload))) => {
                    if self.answers_pings {
                        self.send(&[Frame::new(Opcode::Pong, payload.clone())])
                            .await;
                    }
                    return Some((at, Event::Ping(payload)));
                }
                Ok(Some(event)) => return Some((at, event)),
                Err(rule) => return Some((at, self.end(at, How::Broken(rule)))),
            }
        }
    }

    /// Waits for the next frame as it came, or for the end of the connection; `None` if the deadline passes first.
    /// Reads nothing after the deadline, even if the server goes on sending.
    pub(super) async fn frame(
        &mut self,
        deadline: Timestamp,
    ) -> Option<(Timestamp, Result<Frame, How>)> {
        let deadline = deadline.min(self.over);
        let until = self.clock.instant(deadline).into();
        loop {
            let is_late = self.now() >= deadline;
            match take(&mut self.bytes) {
                Ok(Some(frame)) => return Some((self.now(), Ok(frame))),
                Err(rule) => return Some((self.now(), Err(How::Broken(rule)))),
                Ok(None) if is_late => return None,
                Ok(None) => {}
            }
            let read = timeout_at(until, self.connection.read(&mut self.bytes)).await;
            if !matches!(read.ok()?, Ok(1..)) {
                let how = match self.connection.end() {
                    Some(TcpEnding::Rst) => How::Rst,
                    // A TLS connection can end by close_notify before TCP does.
                    Some(TcpEnding::Fin) | None => How::Fin,
                };
                return Some((self.now(), Err(how)));
            }
        }
    }

    /// Answers the server's Close frame, and waits for the end of TCP.
    pub(super) async fn finish(&mut self) {
        let Some((at, ending)) = &self.ending else {
            return;
        };
        let (at, how) = (*at, ending.how.clone());
        let How::Close { code, .. } = how else {
            return;
        };
        self.write(&Frame::close(code).bytes()).await;
        let deadline = self.now() + CLOSING;
        let tcp = self.tcp_end(deadline, at).await;
        if let Some((_, ending)) = &mut self.ending {
            ending.tcp = tcp;
        }
    }

    /// Waits for the end of TCP, and drops all other input.
    pub(super) async fn tcp_end(&mut self, deadline: Timestamp, since: Timestamp) -> Option<Tcp> {
        let deadline = deadline.min(self.over);
        let until = self.clock.instant(deadline).into();
        while self.now() < deadline {
            self.bytes.clear();
            let read = timeout_at(until, self.connection.read(&mut self.bytes)).await;
            if !matches!(read.ok()?, Ok(1..)) {
                let ending = self.connection.end().unwrap_or(TcpEnding::Fin);
                return Some(Tcp::new(self.now().saturating_since(since).0, ending));
            }
        }
        None
    }

    /// Closes the connection in order, and waits a moment for the server's part.
    pub(super) async fn leave(mut self) {
        if self.ending.is_some() {
            return;
        }
        self.send(&[Frame::close(Some(1000))]).await;
        let now = self.now();
        self.tcp_end(now + LEAVING, now).await;
    }

    fn end(&mut self, at: Timestamp, how: How) -> Event {
        let ending = Ending {
            at_ns: at.as_nanos(),
            how: how.clone(),
            tcp: None,
        };
        self.ending = Some((at, ending));
        Event::End(how)
    }

    fn understand(&mut self, frame: Frame) -> Result<Option<Event>, Breach> {
        Ok(match frame.opcode {
            Opcode::Ping => Some(Event::Ping(frame.payload)),
            Opcode::Pong => Some(Event::Pong(frame.payload)),
            Opcode::Close => Some(Event::End(closed(&frame.payload)?)),
            Opcode::Text | Opcode::Binary if self.partial.is_some() => {
                return Err(Breach::Interleaved);
            }
            Opcode::Text | Opcode::Binary => {
                self.assemble(frame.opcode == Opcode::Text, frame.payload, frame.fin)?
            }
            Opcode::Continuation => match self.partial.take() {
                None => return Err(Breach::NothingToContinue),
                Some((text, mut payload)) => {
                    payload.extend(frame.payload);
                    self.assemble(text, payload, frame.fin)?
                }
            },
        })
    }

    fn assemble(
        &mut self,
        text: bool,
        payload: Vec<u8>,
        whole: bool,
    ) -> Result<Option<Event>, Breach> {
        if payload.len() > MAX_MESSAGE {
            return Err(Breach::TooLong);
        }
        if whole {
            return Ok(Some(Event::Message { text, payload }));
        }
        self.partial = Some((text, payload));
        Ok(None)
    }
}

/// Reads the payload of a Close frame (section 5.5.1).
pub(super) fn closed(payload: &[u8]) -> Result<How, Breach> {
    let code = match payload {
        [] => None,
        [_] => return Err(Breach::HalfCode),
        [high, low, ..] => Some(u16::from_be_bytes([*high, *low])),
    };
    let reason = String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned();
    Ok(How::Close { code, reason })
}
