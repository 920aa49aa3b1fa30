//! The deliberate faults of clients: their kinds, their names, how they are shown, and which part a connection plays.
//! `client_table` reads them, and `clash` checks which of them exclude each other.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use super::{alternatives, shown_after, shown_for};
use crate::scenario::reading::words;
use crate::units::format_duration;

/// One deliberate fault of a client. OneOrMany faults of a cohort happen at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The kind of fault.
    pub kind: FaultKind,
    /// The time from the 101 to its start. May be zero.
    pub after: Duration,
}

/// What a client does wrong. The words of `fault.kind` and their descriptions are made from it.
#[derive(Debug, Clone, PartialEq, Eq, strum::IntoStaticStr, strum::EnumDiscriminants)]
#[strum(serialize_all = "snake_case")]
#[strum_discriminants(
    name(FaultWord),
    vis(pub(in crate::scenario)),
    doc = "What a client does wrong.",
    derive(serde::Deserialize, schemars::JsonSchema),
    derive(strum::IntoStaticStr, strum::VariantArray),
    serde(rename_all = "snake_case"),
    schemars(rename = "FaultKind"),
    strum(serialize_all = "snake_case")
)]
pub enum FaultKind {
    /// Reads everything and answers no ping. Still answers a Close.
    NoPong,
    /// Answers no Close and does not end TCP.
    NeverClose,
    /// Answers each ping later.
    LatePong {
        /// The time from a ping to its pong.
        delay: Sweep,
    },
    /// Answers this many pings, and then no more.
    PongStopsAfter {
        /// The number of pings that are answered. May be zero.
        pings: u32,
    },
    /// Answers each ping with another payload.
    WrongPong,
    /// Sends nothing but one kind of frame.
    Only {
        /// The frame that it sends again and again. It answers no ping, unless this is [`Activity::Pong`].
        frame: Activity,
        /// The time between two frames. Above zero.
        every: Sweep,
    },
    /// Reads no more bytes.
    StopReading,
    /// Sends a message a byte at a time, and nothing else.
    Trickle {
        /// The time between two bytes. Above zero.
        every: Duration,
    },
    /// Sends messages in two fragments with a pause between them.
    Fragments {
        /// The time between the fragments (RFC 6455 section 5.4). Above zero.
        pause: Duration,
    },
    /// Ends its sending half of TCP without a Close frame.
    HalfClose,
    /// Ends TCP with a RST.
    Reset,
    /// Takes and sends no packet any more. Needs `CAP_NET_ADMIN`.
    Vanish {
        /// The time after which it is back; `None` means never.
        lasts: Option<Duration>,
    },
    /// Sends one frame that RFC 6455 forbids.
    IllegalFrame(Illegal),
    /// Begins the close handshake.
    Close {
        /// The codes that connections take in turn; `None` is a Close frame without a code. Never empty.
        codes: Vec<Option<u16>>,
    },
    /// After the close handshake keeps its half of TCP, and reads no more.
    Hold,
}

/// One delay for all connections of a cohort, or several that they take in turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// The delays from the shortest to the longest. Never empty.
    pub levels: Vec<Duration>,
}

words! {
    /// The one kind of frame a client sends.
    pub enum Activity {
        /// Nothing at all.
        Nothing,
        /// Pongs that answer pings.
        Pong,
        /// Pongs nobody asked for (RFC 6455 section 5.5.3).
        UnsolicitedPong,
        /// Pings.
        Ping,
        /// Text messages.
        Text,
        /// Text messages without a byte in them.
        EmptyText,
        /// One more byte of a frame that is never complete.
        Byte,
    }
}

words! {
    /// A frame that RFC 6455 forbids.
    pub enum Illegal {
        /// A ping with 126 bytes (section 5.5).
        LongPing,
        /// A ping in fragments (section 5.5).
        FragmentedPing,
        /// A Close with the code 1005 (section 7.4.1).
        BadCloseCode,
        /// A text message that is not UTF-8 (section 8.1).
        BadUtf8,
        /// A frame without a mask (section 5.1).
        Unmasked,
        /// An opcode that is reserved (section 5.2).
        ReservedOpcode,
    }
}

impl Fault {
    /// The fault for the connection at this index in its cohort, with its own delay or code of those that are taken in
    /// turn.
    pub fn of(&self, place: u32) -> Self {
        let mut own = self.clone();
        match &mut own.kind {
            FaultKind::LatePong { delay: sweep } | FaultKind::Only { every: sweep, .. } => {
                sweep.levels = vec![sweep.at(place)];
            }
            FaultKind::Close { codes } => *codes = vec![codes[place as usize % codes.len()]],
            _ => {}
        }
        own
    }
}

impl FaultWord {
    /// The name in `fault.kind`.
    pub(super) fn name(self) -> &'static str {
        self.into()
    }
}

impl FaultKind {
    /// The name in `fault.kind`.
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// Whether the client sees no frame of the server from then on.
    pub fn hides_frames(&self) -> bool {
        *self == Self::StopReading || self.hides_packets()
    }

    /// Whether no packet of the server reaches the client from then on.
    pub fn hides_packets(&self) -> bool {
        *self == Self::Vanish { lasts: None }
    }

    /// The delay of the sweep for the first connection.
    pub fn level(&self) -> Option<Duration> {
        match self {
            Self::LatePong { delay: sweep } | Self::Only { every: sweep, .. } => Some(sweep.at(0)),
            _ => None,
        }
    }
}

impl Sweep {
    /// The delay of the connection at this index in its cohort.
    pub fn at(&self, place: u32) -> Duration {
        self.levels[place as usize % self.levels.len()]
    }
}

impl From<Duration> for Sweep {
    fn from(delay: Duration) -> Self {
        Self {
            levels: vec![delay],
        }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)?;
        shown_after(f, Some(self.after))
    }
}

impl Display for FaultKind {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::LatePong { delay } => write!(f, " by {delay}"),
            Self::PongStopsAfter { pings: 1 } => f.write_str(" 1 ping"),
            Self::PongStopsAfter { pings } => write!(f, " {pings} pings"),
            Self::Only {
                frame: Activity::Nothing,
                ..
            } => f.write_str(" nothing"),
            Self::Only { frame, every } => write!(f, " {frame} every {every}"),
            Self::Trickle { every } => write!(f, " every {}", format_duration(*every)),
            Self::Fragments { pause } => write!(f, " {} apart", format_duration(*pause)),
            Self::Vanish { lasts } => shown_for(f, *lasts),
            Self::IllegalFrame(frame) => write!(f, " {frame}"),
            Self::Close { codes } => {
                let code = |code: &Option<u16>| {
                    code.map_or_else(|| "no code".to_owned(), |code| code.to_string())
                };
                write!(f, " with {}", alternatives(codes.iter().map(code)))
            }
            _ => Ok(()),
        }
    }
}

impl Display for Sweep {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let shown = |at: u32| format_duration(self.at(at));
        match self.levels.len() {
            0 | 1 => f.write_str(&shown(0)),
            levels => write!(
                f,
                "{} to {} in {levels} levels",
                shown(0),
                shown(levels as u32 - 1)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn faults_read_as_they_are_written() {
        let fault = |kind, seconds| {
            let after = Duration::from_secs(seconds);
            Fault { kind, after }.to_string()
        };
        assert_eq!(fault(FaultKind::NoPong, 0), "no_pong");
        let levels = [1, 2].map(Duration::from_secs).into();
        let delay = Sweep { levels };
        let late = FaultKind::LatePong { delay };
        assert_eq!(fault(late, 5), "late_pong by 1s to 2s in 2 levels after 5s");
        let codes = vec![Some(1000), None];
        let close = FaultKind::Close { codes };
        assert_eq!(fault(close, 0), "close with 1000 or no code");
    }

    #[test]
    fn delays_and_codes_are_taken_in_turn() {
        let of = |kind, place| {
            let after = SECOND;
            Fault { kind, after }.of(place).kind
        };
        let levels = [1, 2, 3].map(Duration::from_secs).to_vec();
        let delay = Sweep { levels };
        let late = of(FaultKind::LatePong { delay }, 4);
        assert_eq!(late.level(), Some(2 * SECOND));
        let codes = vec![Some(1000), None];
        let close = of(FaultKind::Close { codes }, 5);
        assert_eq!(close, FaultKind::Close { codes: vec![None] });
    }
}
