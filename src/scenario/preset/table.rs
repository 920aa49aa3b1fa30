//! The parts of a preset: the settings of a server, and the window that follows from them.
//! The presets are in one file for each way in which a server notices a silent client.

use std::collections::BTreeMap;
use std::time::Duration;

use super::expand::Setting;
use super::{dialects, idle, pings};
use crate::scenario::{Between, End, Origin};
use crate::units::format_duration;

/// The tolerance for a server that is later than its timers, because its machine does other work too.
pub(super) const LATE: Duration = Duration::from_millis(250);

/// The tolerance for a server that is earlier: timers count whole milliseconds, and some start before their ping is
/// sent.
pub(super) const EARLY: Duration = Duration::from_millis(20);

/// All presets.
pub(super) fn all() -> impl Iterator<Item = &'static Preset> {
    [pings::ALL, idle::ALL, dialects::ALL].into_iter().flatten()
}

/// What a server promises about a client that is silent, or does not answer its pings. One name can stand for several
/// servers of the same protocol, which stand one behind the other; the first is the default.
pub(super) struct Preset {
    /// The name in scenarios.
    pub(super) name: &'static str,
    /// The value of `server`, where several share the name; empty where there is one.
    pub(super) server: &'static str,
    /// The settings, in the order in which they are shown.
    pub(super) settings: &'static [Known],
    /// The event from which the window counts.
    pub(super) from: Origin,
    /// The window as a formula of the settings.
    pub(super) formula: &'static str,
    /// The window according to the server's own rules, without [`EARLY`] and [`LATE`].
    pub(super) window: fn(&Values) -> Result<Between, Refused>,
    /// What puts the decision off.
    pub(super) life: Life,
    /// The latest time of the server's first ping, from the opening. `None` where it sends none.
    pub(super) first_ping: Option<fn(&Values) -> Duration>,
    /// How the server ends the connection. Empty if not promised.
    pub(super) ends_with: &'static [End],
    /// The codes of its Close frame. Empty if it sends none, or none is promised.
    pub(super) codes: &'static [u16],
    /// The longest time from its Close frame to the end of TCP, for a client that does not answer the frame. `None` if
    /// not promised.
    pub(super) tcp_end: Option<Duration>,
    /// The source of the rule: project and file, or a page of its documentation.
    pub(super) source: &'static str,
}

impl Preset {
    /// What most presets have in common; the other fields are to be given.
    pub(super) const PLAIN: Self = Self {
        name: "",
        server: "",
        settings: &[],
        from: Origin::LastByte,
        formula: "",
        window: |_| unreachable!("every preset has its own"),
        life: Life::Pong,
        first_ping: None,
        ends_with: &[],
        codes: &[],
        tcp_end: None,
        source: "",
    };
}

/// What a server takes for a sign of life of a client, and what puts off its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// The pong to its ping.
    Pong,
    /// The pong to its ping, or a whole message.
    Message,
    /// A ping or a pong of the client, whether it was asked for or not.
    Control,
    /// Any byte that the client sends.
    Byte,
    /// Any byte that either side sends.
    EitherSide,
    /// An answer in its own protocol; no frame below that.
    Answer,
}

impl Life {
    /// As it stands in the documentation.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Pong => "pong",
            Self::Message => "pong or message",
            Self::Control => "ping or pong",
            Self::Byte => "any byte of the client",
            Self::EitherSide => "any byte of either side",
            Self::Answer => "an answer in its protocol",
        }
    }

    /// Whether it is enough that a client sends nothing but `ping`, `text` or `byte`, as the fault `only` does; `None`
    /// where that depends on what the text says.
    pub fn takes(self, frame: &str) -> Option<bool> {
        match self {
            Self::Pong => Some(false),
            Self::Message => Some(frame == "text"),
            Self::Control => Some(frame == "ping"),
            Self::Byte | Self::EitherSide => Some(true),
            Self::Answer => (frame == "ping").then_some(false),
        }
    }
}

/// A setting of a server.
pub(super) struct Known {
    /// The name in scenarios.
    pub(super) name: &'static str,
    /// The value if the setting is left out.
    pub(super) default: Default,
}

/// The value of a setting that is left out.
#[derive(Clone, Copy)]
pub(super) enum Default {
    /// The server's own default.
    Is(Setting),
    /// The value of another setting, which comes before this one.
    SameAs(&'static str),
    /// No default, so the setting is required; an example of what to write, such as `interval = "30s"`.
    None(&'static str),
}

/// The settings of one contract, all with values.
pub(super) struct Values(BTreeMap<&'static str, Setting>);

/// A value that the server itself does not accept: the name of the setting, and the reason.
pub(super) type Refused = (&'static str, String);

impl Values {
    pub(super) fn new(values: BTreeMap<&'static str, Setting>) -> Self {
        Self(values)
    }

    /// The value of a setting that is a time; above zero.
    pub(super) fn time(&self, name: &str) -> Duration {
        match self.0.get(name) {
            Some(Setting::Time(time)) => *time,
            _ => unreachable!("a preset asks for the times among its settings: {name}"),
        }
    }

    /// The value of a setting that is a count; from 1 to [`MAX_COUNT`].
    pub(super) fn count(&self, name: &str) -> u32 {
        match self.0.get(name) {
            Some(Setting::Count(count)) => *count,
            _ => unreachable!("a preset asks for the counts among its settings: {name}"),
        }
    }
}

/// The highest count. Keeps a window far from overflow.
pub(super) const MAX_COUNT: u32 = 1000;

/// A setting that is a time, with the server's own default.
pub(super) const fn seconds(name: &'static str, seconds: u64) -> Known {
    let default = Default::Is(Setting::Time(Duration::from_secs(seconds)));
    Known { name, default }
}

/// A setting for which the server has no default.
pub(super) const fn needed(name: &'static str, example: &'static str) -> Known {
    let default = Default::None(example);
    Known { name, default }
}

/// The first ping of a server that sends one each `interval`.
pub(super) fn interval(set: &Values) -> Duration {
    set.time("interval")
}

/// The window of a server that decides at one moment.
pub(super) fn at(moment: Duration) -> Result<Between, Refused> {
    between(moment, moment)
}

/// The window of a server that decides at some moment from `lo` to `hi`.
pub(super) fn between(lo: Duration, hi: Duration) -> Result<Between, Refused> {
    Ok(Between { lo, hi })
}

/// A preset in words, as help for choosing one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresetInWords {
    /// The name in scenarios.
    pub name: &'static str,
    /// The value of `server`, where several share the name; empty where there is one.
    pub server: &'static str,
    /// What to write: every setting with its default, or with an example where it is required.
    pub example: String,
    /// The event from which its window counts.
    pub from: Origin,
    /// The window as a formula of the settings.
    pub formula: &'static str,
    /// What puts the decision off.
    pub life: Life,
    /// The source of the rule: project and file, or a page of its documentation.
    pub source: &'static str,
}

/// All presets in words, in the order of the documentation.
pub fn in_words() -> impl Iterator<Item = PresetInWords> {
    all().map(|preset| {
        let settings = preset.settings.iter().map(|known| match known.default {
            Default::Is(Setting::Time(Duration::ZERO)) => format!("{} = (none)", known.name),
            Default::Is(Setting::Time(time)) => {
                format!("{} = \"{}\"", known.name, format_duration(time))
            }
            Default::Is(Setting::Count(count)) => format!("{} = {count}", known.name),
            Default::SameAs(other) => format!("{} = (as `{other}`)", known.name),
            Default::None(example) => format!("{example} (must be given)"),
        });
        let server = Some(preset.server).filter(|server| !server.is_empty());
        let server = server.map(|server| format!("server = \"{server}\""));
        PresetInWords {
            name: preset.name,
            server: preset.server,
            example: server
                .into_iter()
                .chain(settings)
                .collect::<Vec<_>>()
                .join(", "),
            from: preset.from,
            formula: preset.formula,
            life: preset.life,
            source: preset.source,
        }
    })
}
