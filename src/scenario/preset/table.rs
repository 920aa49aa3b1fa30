//! What a preset is: the settings of a server, and the window that follows from them.
//! The presets themselves stand in one file for each way to notice a silent client.

use std::collections::BTreeMap;
use std::time::Duration;

use super::expand::Setting;
use super::{dialects, idle, pings};
use crate::scenario::{Between, End, Origin};
use crate::units::format_duration;

/// So much later than its timers say may a server be: they run on a machine that does other things too.
pub(super) const LATE: Duration = Duration::from_millis(250);

/// So much sooner: timers count in whole milliseconds, and some start before their ping has got its turn to be sent.
pub(super) const EARLY: Duration = Duration::from_millis(20);

/// What servers that ping call the time between two pings.
pub(super) const PING_INTERVALS: [&str; 3] = ["interval", "heartbeat", "keep_alive"];

/// Every preset there is.
pub(super) fn all() -> impl Iterator<Item = &'static Preset> {
    [pings::ALL, idle::ALL, dialects::ALL].into_iter().flatten()
}

/// What a server promises about a client that is silent, or answers none of its pings.
pub(super) struct Preset {
    /// As scenarios write it.
    pub(super) name: &'static str,
    /// In the order in which they are shown.
    pub(super) settings: &'static [Known],
    /// Where the window begins.
    pub(super) from: Origin,
    /// The window, in the words of the settings.
    pub(super) formula: &'static str,
    /// The window by the server's own rules, without [`EARLY`] and [`LATE`].
    pub(super) window: fn(&Values) -> Result<Between, Refused>,
    /// How the decision looks. Empty: not promised.
    pub(super) ends_with: &'static [End],
    /// Codes of its Close frame. Empty: there is none, or it is not promised.
    pub(super) codes: &'static [u16],
    /// From its Close frame to the end of TCP, at the latest: of a client that does not answer it. `None`: not promised.
    pub(super) tcp_end: Option<Duration>,
    /// Where the rule stands: project and file, or a page of its documentation.
    pub(super) source: &'static str,
}

/// A setting of a server.
pub(super) struct Known {
    /// As scenarios write it.
    pub(super) name: &'static str,
    /// What holds where it is left out.
    pub(super) default: Default,
}

/// What holds where a setting is left out.
#[derive(Clone, Copy)]
pub(super) enum Default {
    /// This, by the server's own choice.
    Is(Setting),
    /// The same as another setting, which stands before it.
    SameAs(&'static str),
    /// The server has none; what to write, as `interval = "30s"`.
    None(&'static str),
}

/// The settings of one contract, each with a value.
pub(super) struct Values(BTreeMap<&'static str, Setting>);

/// A value that a server could not have either: the name of the setting, and why not.
pub(super) type Refused = (&'static str, String);

impl Values {
    pub(super) fn new(values: BTreeMap<&'static str, Setting>) -> Self {
        Self(values)
    }

    /// A time of the preset's own settings; above zero.
    pub(super) fn time(&self, name: &str) -> Duration {
        match self.0.get(name) {
            Some(Setting::Time(time)) => *time,
            _ => unreachable!("a preset asks for the times among its settings: {name}"),
        }
    }

    /// A count of the preset's own settings; from 1 to [`MAX_COUNT`].
    pub(super) fn count(&self, name: &str) -> u32 {
        match self.0.get(name) {
            Some(Setting::Count(count)) => *count,
            _ => unreachable!("a preset asks for the counts among its settings: {name}"),
        }
    }
}

/// The highest count: keeps a window far from overflow.
pub(super) const MAX_COUNT: u32 = 1000;

/// A setting with a time that the server chooses where nobody else does.
pub(super) const fn seconds(name: &'static str, seconds: u64) -> Known {
    let default = Default::Is(Setting::Time(Duration::from_secs(seconds)));
    Known { name, default }
}

/// A setting that a server does not have unless somebody sets it.
pub(super) const fn needed(name: &'static str, example: &'static str) -> Known {
    let default = Default::None(example);
    Known { name, default }
}

/// A server that decides at one moment.
pub(super) fn at(moment: Duration) -> Result<Between, Refused> {
    between(moment, moment)
}

/// A server that decides at some moment from `lo` to `hi`.
pub(super) fn between(lo: Duration, hi: Duration) -> Result<Between, Refused> {
    Ok(Between { lo, hi })
}

/// A preset in words, for people who choose one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresetInWords {
    /// As scenarios write it.
    pub name: &'static str,
    /// What to write: every setting with its default, or with an example where it must be given.
    pub example: String,
    /// Where its window begins.
    pub from: Origin,
    /// The window, in the words of the settings.
    pub formula: &'static str,
    /// Where the rule stands: project and file, or a page of its documentation.
    pub source: &'static str,
}

/// Every preset in words, in the order of the documentation.
pub fn in_words() -> impl Iterator<Item = PresetInWords> {
    all().map(|preset| {
        let settings = preset.settings.iter().map(|known| match known.default {
            Default::Is(Setting::Time(time)) => {
                format!("{} = \"{}\"", known.name, format_duration(time))
            }
            Default::Is(Setting::Count(count)) => format!("{} = {count}", known.name),
            Default::SameAs(other) => format!("{} = (as `{other}`)", known.name),
            Default::None(example) => format!("{example} (must be given)"),
        });
        PresetInWords {
            name: preset.name,
            example: settings.collect::<Vec<_>>().join(", "),
            from: preset.from,
            formula: preset.formula,
            source: preset.source,
        }
    })
}
