//! The deliberate faults of a client: their kinds, the keys and defaults of each, what is refused, how they are shown,
//! and which part a connection plays. `cohort` reads those of a cohort together.

use std::fmt::{self, Display, Formatter};
use std::mem::discriminant;
use std::time::Duration;

use strum::VariantArray as _;

use super::frames::{Activity, FrameWord, Illegal};
use super::sweep::{self, DelayOrSweep, Sweep};
use super::{alternatives, shown_after, shown_for};
use crate::scenario::reading::hints::one_of;
use crate::scenario::reading::{
    At, Given as _, OneOrMany, Section, Shorthand, Time, TimeOrZero, Whole, given, keys,
};
use crate::units::{counted, format_duration};

/// One deliberate fault of a client. Several faults of a cohort happen at the same time.
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
    /// Sends its own messages in two fragments with a pause between them, and none of the scenario.
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

keys! {
    /// One thing that a client does wrong on purpose.
    #[serde(expecting = "a fault such as { kind = \"no_pong\" }, or a list of them")]
    FaultTable = "Fault" {
        /// What the client does. Required.
        kind: FaultWord,
        /// The time from the 101 to the start of the fault.
        after: TimeOrZero = TimeOrZero::ZERO,
        /// From a ping to its pong: one duration, or { from, to, levels }. Required with `late_pong`, only there.
        delay: DelayOrSweep,
        /// The number of pings that are answered. Required with `pong_stops_after`, only there.
        pings: Whole<0, { u32::MAX }>,
        /// What is sent. Required with `only` and `illegal_frame`, only there.
        frame: FrameWord,
        /// Between two frames of `only` (a duration, or { from, to, levels }), or two bytes of `trickle`. Default "1s".
        every: DelayOrSweep,
        /// Between the two `fragments` of a message.
        pause: Time = Time::millis(500),
        /// How long a client that does `vanish` is gone. Default: for good.
        r#for: Time,
        /// The codes that `close` sends, one or a list that connections take in turn; 0 is an empty Close. Default 1000.
        code: OneOrMany<Whole<0, 4999>>,
    }
}

impl FaultWord {
    /// The name in `fault.kind`.
    fn name(self) -> &'static str {
        self.into()
    }

    /// The keys of this kind besides `kind` and `after`.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::LatePong => &["delay"],
            Self::PongStopsAfter => &["pings"],
            Self::Only => &["frame", "every"],
            Self::IllegalFrame => &["frame"],
            Self::Trickle => &["every"],
            Self::Fragments => &["pause"],
            Self::Vanish => &["for"],
            Self::Close => &["code"],
            _ => &[],
        }
    }
}

impl FaultTable {
    /// The fault; `None` if it is invalid.
    pub(super) fn resolve(&self, section: &mut Section<'_, '_>) -> Option<Fault> {
        let word = section.required("kind", &self.kind, "write `kind = \"no_pong\"`")?;
        self.foreign_keys(section, word);
        Some(Fault {
            kind: self.kind(section, word)?,
            after: self.after().0,
        })
    }

    /// Notes keys that belong to other kinds.
    fn foreign_keys(&self, section: &mut Section<'_, '_>, word: FaultWord) {
        for given in given!(self; delay, pings, frame, every, pause, r#for, code) {
            let has_key = |word: &&FaultWord| word.keys().contains(&given.0);
            if !has_key(&&word) {
                let names = FaultWord::VARIANTS.iter().filter(has_key);
                let names: Vec<_> = names.map(|word| format!("`{}`", word.name())).collect();
                let because = format!("is only for {}", names.join(" and "));
                section.excluded(&[given], &because, "leave it out");
            }
        }
    }

    fn kind(&self, section: &mut Section<'_, '_>, word: FaultWord) -> Option<FaultKind> {
        Some(match word {
            FaultWord::NoPong => FaultKind::NoPong,
            FaultWord::NeverClose => FaultKind::NeverClose,
            FaultWord::LatePong => {
                section.required("delay", &self.delay, "write `delay = \"300ms\"`")?;
                let delay = sweep::resolve(section, "delay", &self.delay)?;
                FaultKind::LatePong { delay }
            }
            FaultWord::PongStopsAfter => {
                let pings = section.required("pings", &self.pings, "write `pings = 3`")?;
                FaultKind::PongStopsAfter { pings: pings.0 }
            }
            FaultWord::WrongPong => FaultKind::WrongPong,
            FaultWord::Only => self.only(section)?,
            FaultWord::StopReading => FaultKind::StopReading,
            FaultWord::Trickle => match &self.every {
                Some(At {
                    value: Shorthand::Table(_),
                    ..
                }) => {
                    let hint = "write `every = \"1s\"`";
                    section.wrong("every", &self.every, "is one duration here", hint);
                    return None;
                }
                _ => FaultKind::Trickle {
                    every: sweep::resolve(section, "every", &self.every)?.at(0),
                },
            },
            FaultWord::Fragments => FaultKind::Fragments {
                pause: self.pause().0,
            },
            FaultWord::HalfClose => FaultKind::HalfClose,
            FaultWord::Reset => FaultKind::Reset,
            FaultWord::Vanish => FaultKind::Vanish {
                lasts: self.r#for.value(),
            },
            FaultWord::IllegalFrame => {
                let hint = "write `frame = \"long_ping\"`";
                match section.required("frame", &self.frame, hint)? {
                    FrameWord::Illegal(frame) => FaultKind::IllegalFrame(frame),
                    FrameWord::Legal(_) => {
                        let what = "is a frame for `only`, not for `illegal_frame`";
                        return self.wrong_frame(section, what, Illegal::ALL);
                    }
                }
            }
            FaultWord::Close => self.close(section),
            FaultWord::Hold => FaultKind::Hold,
        })
    }

    fn only(&self, section: &mut Section<'_, '_>) -> Option<FaultKind> {
        let frame = section.required("frame", &self.frame, "write `frame = \"ping\"`")?;
        let FrameWord::Legal(frame) = frame else {
            let what = "is a frame for `illegal_frame`, not for `only`";
            return self.wrong_frame(section, what, Activity::ALL);
        };
        if frame == Activity::Nothing {
            let because = "has no meaning for who sends nothing";
            section.excluded(&given!(self; every), because, "leave it out");
        }
        let every = sweep::resolve(section, "every", &self.every)?;
        Some(FaultKind::Only { frame, every })
    }

    fn wrong_frame<T: Copy + Into<&'static str>>(
        &self,
        section: &mut Section<'_, '_>,
        what: &str,
        words: &[T],
    ) -> Option<FaultKind> {
        let hint = format!("use {}", one_of(words.iter().map(|word| (*word).into())));
        section.wrong("frame", &self.frame, what, hint);
        None
    }

    fn close(&self, section: &mut Section<'_, '_>) -> FaultKind {
        const KEY: &str = "code";
        let Some(given) = &self.code else {
            let codes = vec![Some(1000)];
            return FaultKind::Close { codes };
        };
        let mut codes = Vec::new();
        for (place, code) in OneOrMany::each(given) {
            match code.0 as u16 {
                0 => codes.push(None),
                code @ (1000..=1003 | 1007..=1014 | 3000..=4999) => codes.push(Some(code)),
                code => {
                    let what = format_args!(
                        "cannot be {code}, which no client may send (RFC 6455 section 7.4)"
                    );
                    let hint = "use 1000, 1001 or 3000 to 4999, or 0 for an empty Close; \
                        a bad one is `kind = \"illegal_frame\", frame = \"bad_close_code\"`";
                    section.wrong_at(KEY, place, what, hint);
                }
            }
        }
        if codes.is_empty() {
            let hint = "write `code = 1000`";
            section.check.empty(&given.place, &section.key(KEY), hint);
        }
        FaultKind::Close { codes }
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

impl FaultKind {
    /// The name in `fault.kind`.
    pub fn name(&self) -> &'static str {
        self.into()
    }

    /// Whether one client cannot have both faults, at whatever times.
    pub(super) fn excludes(&self, other: &Self) -> bool {
        let answers = |kind: &Self| {
            matches!(
                kind,
                Self::NoPong
                    | Self::LatePong { .. }
                    | Self::PongStopsAfter { .. }
                    | Self::WrongPong
                    | Self::Only { .. }
            )
        };
        let sends = |kind: &Self| {
            matches!(
                kind,
                Self::Only { .. } | Self::Trickle { .. } | Self::Fragments { .. }
            )
        };
        discriminant(self) == discriminant(other)
            || (answers(self) && answers(other))
            || (sends(self) && sends(other))
    }

    /// Whether `other` has no effect once this one has started.
    pub(super) fn ends(&self, other: &Self) -> bool {
        use FaultKind::{
            Close, Fragments, HalfClose, Hold, IllegalFrame, LatePong, NeverClose, Only, Reset,
            Trickle, Vanish, WrongPong,
        };
        match self {
            // The client sends no packet after this.
            Reset | Vanish { lasts: None } => true,
            // The client sends no byte after this.
            HalfClose => matches!(
                other,
                LatePong { .. }
                    | WrongPong
                    | Only { .. }
                    | Trickle { .. }
                    | Fragments { .. }
                    | IllegalFrame(_)
                    | Close { .. }
            ),
            // The client sends no frame after this, and the close handshake ends TCP.
            Close { .. } => !matches!(other, Vanish { .. } | Hold | NeverClose),
            _ => false,
        }
    }

    /// Whether the client sends nothing else.
    pub(super) fn sends_alone(&self) -> bool {
        matches!(self, Self::Only { .. } | Self::Trickle { .. })
    }

    /// Whether the client sends no message of the scenario from then on, but its own.
    pub(super) fn replaces_messages(&self) -> bool {
        self.sends_alone() || matches!(self, Self::Fragments { .. })
    }

    /// Whether the client sees no frame of the server from then on.
    pub fn hides_frames(&self) -> bool {
        *self == Self::StopReading || self.hides_packets()
    }

    /// Whether no packet of the server reaches the client from then on.
    pub fn hides_packets(&self) -> bool {
        *self == Self::Vanish { lasts: None }
    }

    /// Whether the client sends its messages otherwise than a healthy one, or may get no answer to them because of it.
    pub fn touches_messages(&self) -> bool {
        match self {
            // They concern pongs, and what follows a Close.
            Self::NoPong
            | Self::LatePong { .. }
            | Self::PongStopsAfter { .. }
            | Self::WrongPong
            | Self::NeverClose
            | Self::Hold => false,
            Self::Only { .. }
            | Self::StopReading
            | Self::Trickle { .. }
            | Self::Fragments { .. }
            | Self::HalfClose
            | Self::Reset
            | Self::Vanish { .. }
            | Self::IllegalFrame(_)
            | Self::Close { .. } => true,
        }
    }

    /// Whether the client answers pings otherwise than a healthy one, or answers nothing else: without a ping there is
    /// nothing that it does wrong.
    pub fn is_of_pongs(&self) -> bool {
        match self {
            Self::NoPong
            | Self::LatePong { .. }
            | Self::PongStopsAfter { .. }
            | Self::WrongPong => true,
            Self::Only { frame, .. } => *frame == Activity::Pong,
            _ => false,
        }
    }

    /// The delay of the sweep for the first connection.
    pub fn level(&self) -> Option<Duration> {
        match self {
            Self::LatePong { delay: sweep } | Self::Only { every: sweep, .. } => Some(sweep.at(0)),
            _ => None,
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
            Self::PongStopsAfter { pings } => write!(f, " {}", counted(u64::from(*pings), "ping")),
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
