//! What one connection did and saw, as data: all that a judge knows.

use super::super::breach::Breach;
use super::super::frame::{Frame, Opcode};
use super::trial::Trial;
use crate::measure::TcpEnding;
use crate::metric::Cause;

/// All that was seen of a server.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// What was wrong with the answer to the first upgrade request, if it was not valid.
    pub(super) refused: Option<(Cause, String)>,
    /// What each trial saw; none of those that were not made.
    pub(super) logs: Vec<(Trial, Log)>,
}

impl Seen {
    /// What this trial saw.
    pub(super) fn log(&self, trial: Trial) -> Option<&Log> {
        let mut logs = self.logs.iter();
        logs.find(|(tried, _)| *tried == trial).map(|(_, log)| log)
    }
}

/// What one connection saw. Times are in nanoseconds since its open.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Log {
    /// Why there was no connection.
    pub(super) failed: Option<String>,
    /// What came to a request of HTTP, up to 16 KiB.
    pub(super) answer: Vec<u8>,
    /// When each step was sent, of those that were played.
    pub(super) sent_ns: Vec<u64>,
    /// What came, in order.
    pub(super) came: Vec<Came>,
    /// When the second of two Close frames had been sent or had come.
    pub(super) closed_ns: Option<u64>,
    /// Until when it was looked at.
    pub(super) until_ns: u64,
}

/// Something that came.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Came {
    pub(super) at_ns: u64,
    /// The number of the last step that had been sent.
    pub(super) step: usize,
    pub(super) what: What,
}

impl Came {
    /// Whether it is a frame of this kind.
    fn is(&self, opcode: Opcode) -> bool {
        matches!(&self.what, What::Frame(frame) if frame.opcode == opcode)
    }
}

/// What came.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    Frame(Frame),
    /// Bytes that are no frame a server may send; nothing after them is read.
    Breach(Breach),
    /// The end of TCP.
    End(TcpEnding),
    /// It took no more bytes.
    Stuck,
}

/// A message that came whole.
#[derive(Debug, PartialEq)]
pub(super) struct Message {
    pub(super) is_text: bool,
    pub(super) payload: Vec<u8>,
    pub(super) step: usize,
}

impl Log {
    /// All frames.
    pub(super) fn frames(&self) -> impl Iterator<Item = (&Came, &Frame)> {
        self.came.iter().filter_map(|came| match &came.what {
            What::Frame(frame) => Some((came, frame)),
            _ => None,
        })
    }

    /// The time from this step to the first pong with this payload.
    pub(super) fn pong_ns(&self, step: usize, payload: &[u8]) -> Option<u64> {
        let is_it = |frame: &Frame| frame.opcode == Opcode::Pong && frame.payload == payload;
        let mut frames = self.frames().filter(|(came, _)| came.step == step);
        let (came, _) = frames.find(|(_, frame)| is_it(frame))?;
        Some(came.at_ns.saturating_sub(*self.sent_ns.get(step)?))
    }

    /// The server's first Close frame, and when it came.
    pub(super) fn close(&self) -> Option<(&Came, &Frame)> {
        self.frames()
            .find(|(_, frame)| frame.opcode == Opcode::Close)
    }

    /// What came behind the server's first Close frame and is neither a ping, a pong nor the end of TCP: section 5.5.1
    /// forbids data, and a pong is owed until the Close of the client has come (section 5.5.2).
    pub(super) fn behind_close(&self) -> Option<impl Iterator<Item = &Came>> {
        let at = self.came.iter().position(|came| came.is(Opcode::Close))?;
        let behind = self.came[at + 1..].iter();
        Some(behind.filter(|came| {
            let ends = matches!(came.what, What::End(_));
            !ends && !came.is(Opcode::Ping) && !came.is(Opcode::Pong)
        }))
    }

    /// How and when TCP ended.
    pub(super) fn end(&self) -> Option<(u64, TcpEnding)> {
        self.came.iter().find_map(|came| match came.what {
            What::End(end) => Some((came.at_ns, end)),
            _ => None,
        })
    }

    /// The first rule that bytes of the server broke.
    pub(super) fn breach(&self) -> Option<(&Came, Breach)> {
        self.came.iter().find_map(|came| match came.what {
            What::Breach(breach) => Some((came, breach)),
            _ => None,
        })
    }

    /// The messages that came whole.
    pub(super) fn messages(&self) -> Vec<Message> {
        let mut whole = Vec::new();
        let mut partial: Option<(bool, Vec<u8>)> = None;
        for (came, frame) in self.frames() {
            let (is_text, mut payload) = match frame.opcode {
                Opcode::Text | Opcode::Binary => (frame.opcode == Opcode::Text, Vec::new()),
                Opcode::Continuation => partial.take().unwrap_or_default(),
                Opcode::Ping | Opcode::Pong | Opcode::Close => continue,
            };
            payload.extend_from_slice(&frame.payload);
            if frame.fin {
                let step = came.step;
                whole.push(Message {
                    is_text,
                    payload,
                    step,
                });
            } else {
                partial = Some((is_text, payload));
            }
        }
        whole
    }
}

/// The code of a Close frame; `None` if it has none.
pub(super) fn code(frame: &Frame) -> Option<u16> {
    frame
        .payload
        .first_chunk()
        .map(|code| u16::from_be_bytes(*code))
}
