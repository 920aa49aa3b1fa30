//! One conversation with a server: frames out, and what came of it, one event at a time with its arrival.

use std::time::Duration;

use tokio::time::{Instant, timeout, timeout_at};

use super::findings::{Ending, How, Tcp};
use super::frame::{Frame, MAX_PAYLOAD, Opcode, take};
use crate::measure::TcpEnding;
use crate::net::RawConnection;

/// A server that takes no bytes for so long is stuck.
pub(super) const STUCK: Duration = Duration::from_secs(2);
/// From a Close frame to the end of TCP.
pub(super) const CLOSING: Duration = Duration::from_secs(5);
/// The same where the time is not measured.
pub(super) const LEAVING: Duration = Duration::from_secs(1);
/// A message of more fragments than this in length is not put together.
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
    /// It decided to end the connection.
    End(How),
}

/// A conversation over one connection.
pub(super) struct Talk {
    connection: RawConnection,
    /// Bytes of frames that are not whole yet.
    bytes: Vec<u8>,
    /// The kind and the bytes of a message in fragments.
    partial: Option<(bool, Vec<u8>)>,
    opened: Instant,
    answers_pings: bool,
    ending: Option<(Instant, Ending)>,
}

impl Talk {
    /// The talk over a connection that was opened just now.
    pub(super) fn new(mut connection: RawConnection, answers_pings: bool) -> Self {
        let bytes = std::mem::take(&mut connection.early);
        Self {
            connection,
            bytes,
            partial: None,
            opened: Instant::now(),
            answers_pings,
            ending: None,
        }
    }

    /// When it was opened.
    pub(super) fn opened(&self) -> Instant {
        self.opened
    }

    /// How the server ended it, if it did.
    pub(super) fn ending(&self) -> Option<Ending> {
        self.ending.as_ref().map(|(_, ending)| ending.clone())
    }

    /// Sends these frames at once. Where it cannot, the next event tells why.
    pub(super) async fn send(&mut self, frames: &[Frame]) {
        if self.ending.is_some() {
            return;
        }
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        // Other errors are seen by reading: what came before the end must not be lost.
        if timeout(STUCK, self.connection.write(&bytes)).await.is_err() {
            self.end(Instant::now(), How::Stuck);
        }
    }

    /// The next event and its arrival; `None` where there is none until the deadline. After [`Event::End`], `None`.
    pub(super) async fn next(&mut self, deadline: Instant) -> Option<(Instant, Event)> {
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

    /// The next frame as it came, or how the connection ended without one; `None` where there is none until the deadline.
    /// After it nothing is read any more, whatever a server goes on sending.
    pub(super) async fn frame(
        &mut self,
        deadline: Instant,
    ) -> Option<(Instant, Result<Frame, How>)> {
        loop {
            let is_late = Instant::now() >= deadline;
            match take(&mut self.bytes) {
                Ok(Some(frame)) => return Some((Instant::now(), Ok(frame))),
                Err(rule) => return Some((Instant::now(), Err(How::Broken(rule)))),
                Ok(None) if is_late => return None,
                Ok(None) => {}
            }
            let read = timeout_at(deadline, self.connection.read(&mut self.bytes)).await;
            if !matches!(read.ok()?, Ok(1..)) {
                let how = match self.connection.end() {
                    Some(TcpEnding::Rst) => How::Rst,
                    // TLS says that it ends before TCP does.
                    Some(TcpEnding::Fin) | None => How::Fin,
                };
                return Some((Instant::now(), Err(how)));
            }
        }
    }

    /// After the server's Close frame: answers it, and waits for the end of TCP.
    pub(super) async fn finish(&mut self) {
        let Some((at, ending)) = &self.ending else {
            return;
        };
        let (at, how) = (*at, ending.how.clone());
        let How::Close { code, .. } = how else {
            return;
        };
        let answer = Frame::close(code).bytes();
        // It fails where TCP has ended already, which the next read tells.
        let _ = timeout(STUCK, self.connection.write(&answer)).await;
        let deadline = Instant::now() + CLOSING;
        let tcp = self.tcp_end(deadline, at).await;
        if let Some((_, ending)) = &mut self.ending {
            ending.tcp = tcp;
        }
    }

    /// Waits for the end of TCP, whatever else comes.
    async fn tcp_end(&mut self, deadline: Instant, since: Instant) -> Option<Tcp> {
        while Instant::now() < deadline {
            self.bytes.clear();
            let read = timeout_at(deadline, self.connection.read(&mut self.bytes)).await;
            if !matches!(read.ok()?, Ok(1..)) {
                let ending = self.connection.end().unwrap_or(TcpEnding::Fin);
                return Some(Tcp::new(nanos(Instant::now() - since), ending));
            }
        }
        None
    }

    /// Ends it in order, and waits for the server's part not longer than a second.
    pub(super) async fn leave(mut self) {
        if self.ending.is_some() {
            return;
        }
        self.send(&[Frame::close(Some(1000))]).await;
        let now = Instant::now();
        self.tcp_end(now + LEAVING, now).await;
    }

    fn end(&mut self, at: Instant, how: How) -> Event {
        let ending = Ending {
            at_ns: nanos(at - self.opened),
            how: how.clone(),
            tcp: None,
        };
        self.ending = Some((at, ending));
        Event::End(how)
    }

    fn understand(&mut self, frame: Frame) -> Result<Option<Event>, &'static str> {
        Ok(match frame.opcode {
            Opcode::Ping => Some(Event::Ping(frame.payload)),
            Opcode::Pong => Some(Event::Pong(frame.payload)),
            Opcode::Close => Some(Event::End(closed(&frame.payload)?)),
            Opcode::Text | Opcode::Binary if self.partial.is_some() => {
                return Err("it began a message within another (section 5.4)");
            }
            Opcode::Text | Opcode::Binary => {
                self.assemble(frame.opcode == Opcode::Text, frame.payload, frame.fin)?
            }
            Opcode::Continuation => match self.partial.take() {
                None => return Err("it continued a message that it had not begun (section 5.4)"),
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
    ) -> Result<Option<Event>, &'static str> {
        if payload.len() > MAX_MESSAGE {
            return Err("it sent more than 1 MiB in one message, which is all that a probe takes");
        }
        if whole {
            return Ok(Some(Event::Message { text, payload }));
        }
        self.partial = Some((text, payload));
        Ok(None)
    }
}

/// What a Close frame says (section 5.5.1).
pub(super) fn closed(payload: &[u8]) -> Result<How, &'static str> {
    let code = match payload {
        [] => None,
        [_] => return Err("it sent a Close frame with half a code (section 5.5.1)"),
        [high, low, ..] => Some(u16::from_be_bytes([*high, *low])),
    };
    let reason = String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned();
    Ok(How::Close { code, reason })
}

/// Nanoseconds of a span; never too long for them in a probe.
pub(super) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
