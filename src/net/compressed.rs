//! A connection on which compression was agreed (RFC 7692): how its messages are sent and read.

use std::cell::RefCell;

use super::handshake::Agreed;
use super::tcp_dialer::Progress;
use crate::frame::{Deflater, Frame, Inflation, Packed, Packing, Writer};
use crate::metric::Counter;
use crate::scenario::{Compression, SendsPacked};

/// The narrowest window that can be compressed for, by its bits.
const NARROWEST: u8 = 9;

/// What such a connection has besides a plain one.
#[derive(Debug)]
pub(crate) struct Compressed {
    pub(super) agreed: Agreed,
    /// Restores what is received.
    pub(super) inflation: Inflation,
    sender: Sender,
    /// The fewest bytes of a message that is sent compressed.
    threshold: usize,
    /// What was sent compressed since the last call of [`Self::take_counts`].
    sent: Packed,
}

/// How messages are sent.
#[derive(Debug)]
enum Sender {
    /// As they are, unless they come compressed.
    Plain,
    /// As they are, unless they come compressed for a window of so many bits.
    Prepared { bits: u8 },
    /// Compressed, each by itself.
    Each { level: u8, bits: u8 },
    /// Compressed, with what was sent before; made when first used.
    Keep {
        level: u8,
        bits: u8,
        deflater: Option<Box<Deflater>>,
    },
}

impl Compressed {
    /// Makes what was agreed on, if anything was, of what we offered; and counts it.
    pub(super) fn agreed(
        ours: Option<&Compression>,
        agreed: Option<Agreed>,
        progress: &mut Progress,
    ) -> Option<Box<Self>> {
        let (ours, agreed) = ours.zip(agreed)?;
        progress.counts.push(Counter::ConnectionsCompressed);
        (progress.agreed).push(("extension", agreed.to_string().into()));
        Some(Box::new(Self::new(ours, agreed)))
    }

    /// `agreed` is what the server made of the offer of `ours`.
    pub(super) fn new(ours: &Compression, agreed: Agreed) -> Self {
        let Agreed {
            client_bits: bits,
            client_forgets,
            server_forgets,
            ..
        } = agreed;
        let level = ours.level;
        Self {
            agreed,
            inflation: Inflation::new(!server_forgets),
            sender: match ours.send {
                _ if bits < NARROWEST => Sender::Plain,
                SendsPacked::Plain => Sender::Plain,
                SendsPacked::Prepared => Sender::Prepared { bits },
                SendsPacked::Keep if !client_forgets => Sender::Keep {
                    level,
                    bits,
                    deflater: None,
                },
                SendsPacked::Each | SendsPacked::Keep => Sender::Each { level, bits },
            },
            threshold: ours.threshold.as_usize(),
            sent: Packed::default(),
        }
    }

    /// Returns how messages are to be compressed before they are fed; `None` if they are not.
    pub(super) fn packing(&self) -> Option<Packing> {
        match self.sender {
            Sender::Prepared { bits } => Some(Packing {
                bits,
                threshold: self.threshold,
            }),
            Sender::Plain | Sender::Each { .. } | Sender::Keep { .. } => None,
        }
    }

    /// Adds a frame, compressed if it is a message that is long enough. Whether it is, is known before: what goes out
    /// plain must not be in the window of those that follow.
    pub(super) fn feed(&mut self, frame: Frame<'_>, writer: &mut Writer) {
        let (is_text, plain) = match frame {
            Frame::Text(plain) => (true, plain),
            Frame::Binary(plain) => (false, plain),
            Frame::Ping(_) | Frame::Pong(_) | Frame::Close { .. } => return writer.add(frame),
        };
        if plain.len() < self.threshold {
            return writer.add(frame);
        }
        SCRATCH.with_borrow_mut(|Scratch { deflaters, packed }| {
            match &mut self.sender {
                Sender::Plain | Sender::Prepared { .. } => return writer.add(frame),
                Sender::Each { level, bits } => {
                    let kind = (*level, *bits);
                    let known = deflaters.iter().position(|(known, _)| *known == kind);
                    let place = known.unwrap_or_else(|| {
                        deflaters.push((kind, Deflater::new(kind.0, kind.1)));
                        deflaters.len() - 1
                    });
                    let deflater = &mut deflaters[place].1;
                    deflater.reset();
                    deflater.message(plain, packed);
                }
                Sender::Keep {
                    level,
                    bits,
                    deflater,
                } => {
                    let new = || Box::new(Deflater::new(*level, *bits));
                    deflater.get_or_insert_with(new).message(plain, packed);
                }
            }
            self.add(is_text, packed, plain.len(), writer);
        });
    }

    /// Adds a compressed message; `plain` is its length before.
    pub(super) fn add(&mut self, is_text: bool, packed: &[u8], plain: usize, writer: &mut Writer) {
        self.sent.messages += 1;
        self.sent.plain += plain as u64;
        self.sent.wire += packed.len() as u64;
        writer.add_packed(is_text, packed);
    }

    /// Returns what was sent and received compressed since the last call.
    pub(super) fn take_counts(&mut self) -> (Packed, Packed) {
        (std::mem::take(&mut self.sent), self.inflation.take_counts())
    }
}

/// What the connections of a thread compress with, one after the other.
#[derive(Default)]
struct Scratch {
    /// By level and bits of the window: as many as servers and cohorts ask for.
    deflaters: Vec<((u8, u8), Deflater)>,
    packed: Vec<u8>,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}
