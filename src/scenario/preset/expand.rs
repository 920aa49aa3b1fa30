//! A preset by name and the settings that are given, to promises. Every mistake in them has its own error.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::table::{self, Default, EARLY, LATE, MAX_COUNT, Preset, Values};
use crate::scenario::reading::words::nearest;
use crate::scenario::{Between, Origin, Promise, PromiseKind};
use crate::units::format_duration;

/// The value of one of a server's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::scenario) enum Setting {
    /// A duration.
    Time(Duration),
    /// A whole number.
    Count(u32),
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => f.write_str(&format_duration(*time)),
            Self::Count(count) => count.fmt(f),
        }
    }
}

/// What a preset stands for.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::scenario) struct Expanded {
    /// The name with all settings, as `websockets (interval 20s, timeout 20s)`.
    pub(in crate::scenario) shown: String,
    /// Where its window begins.
    pub(in crate::scenario) from: Origin,
    /// How often the server pings: its first ping is that late, at most. `None` where no setting says it.
    pub(in crate::scenario) ping_interval: Option<Duration>,
    /// Never empty, no kind twice; the first is `closed_between`.
    pub(in crate::scenario) promises: Vec<Promise>,
}

/// Why a preset cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scenario) enum PresetError {
    /// There is no preset of this name.
    UnknownPreset {
        /// The one that was probably meant.
        nearest: Option<&'static str>,
    },
    /// The server has no setting of this name.
    UnknownSetting {
        /// As it was written.
        name: String,
        /// Those that it has.
        known: Vec<&'static str>,
    },
    /// A setting without a default is not given.
    Missing {
        /// The setting.
        name: &'static str,
        /// What to write, as `interval = "30s"`.
        example: &'static str,
    },
    /// The server could not have this value either.
    Invalid {
        /// The setting.
        name: &'static str,
        /// A fragment that fits after its name: "is longer than `interval`".
        why: String,
    },
}

/// The names of all presets.
pub(in crate::scenario) fn names() -> impl Iterator<Item = &'static str> {
    table::all().map(|preset| preset.name)
}

/// The promises that follow from a server's settings; what is not set has the server's own default.
///
/// # Errors
///
/// An unknown name, a setting that the server does not have or could not have, and one that it has no default for.
pub(in crate::scenario) fn expand(
    name: &str,
    settings: &BTreeMap<String, Setting>,
) -> Result<Expanded, PresetError> {
    let found = table::all().find(|preset| preset.name == name);
    let preset = found.ok_or_else(|| PresetError::UnknownPreset {
        nearest: nearest(name, names()),
    })?;
    let values = preset.complete(settings)?;
    let shown: Vec<_> = values.iter().map(|(n, v)| format!("{n} {v}")).collect();
    let ping_interval = values.iter().find_map(|(name, value)| match value {
        Setting::Time(time) if table::PING_INTERVALS.contains(name) => Some(*time),
        _ => None,
    });
    let window = (preset.window)(&Values::new(values.into_iter().collect()));
    let window = window.map_err(|(name, why)| PresetError::Invalid { name, why })?;
    Ok(Expanded {
        shown: format!("{name} ({})", shown.join(", ")),
        from: preset.from,
        ping_interval,
        promises: preset.promises(window),
    })
}

impl Preset {
    /// Every setting with its value, in their order.
    fn complete(
        &self,
        given: &BTreeMap<String, Setting>,
    ) -> Result<Vec<(&'static str, Setting)>, PresetError> {
        let known = || self.settings.iter().map(|known| known.name);
        if let Some(name) = given.keys().find(|name| !known().any(|k| k == *name)) {
            return Err(PresetError::UnknownSetting {
                name: name.clone(),
                known: known().collect(),
            });
        }
        let mut values: Vec<(&'static str, Setting)> = Vec::new();
        for setting in self.settings {
            let name = setting.name;
            let default = match setting.default {
                Default::Is(value) => Some(value),
                Default::SameAs(other) => values.iter().find(|(n, _)| *n == other).map(|(_, v)| *v),
                Default::None(_) => None,
            };
            let value = match (given.get(name), setting.default) {
                (Some(value), _) => checked(name, *value, default)?,
                (None, Default::None(example)) => {
                    return Err(PresetError::Missing { name, example });
                }
                (None, _) => default.expect("one of the arms above yields it"),
            };
            values.push((name, value));
        }
        Ok(values)
    }

    fn promises(&self, window: Between) -> Vec<Promise> {
        let mut promises = vec![PromiseKind::ClosedBetween.of(Between {
            lo: window.lo.saturating_sub(EARLY),
            hi: window.hi + LATE,
        })];
        if !self.codes.is_empty() {
            promises.push(PromiseKind::Code.of(self.codes.to_vec()));
        }
        if !self.ends_with.is_empty() {
            promises.push(PromiseKind::EndsWith.of(self.ends_with.to_vec()));
        }
        if let Some(latest) = self.tcp_end {
            promises.push(PromiseKind::TcpEndBetween.of(Between {
                lo: Duration::ZERO,
                hi: latest + LATE,
            }));
        }
        promises
    }
}

/// A given value, if it is of the same kind as the default (a time, where there is none) and above zero.
fn checked(
    name: &'static str,
    given: Setting,
    default: Option<Setting>,
) -> Result<Setting, PresetError> {
    let why = match (given, default) {
        (Setting::Time(Duration::ZERO) | Setting::Count(0), _) => "is not above zero".to_owned(),
        (Setting::Time(_), Some(Setting::Count(_))) => "must be a number such as 2".to_owned(),
        (Setting::Count(_), Some(Setting::Time(_)) | None) => {
            "must be a duration such as \"20s\"".to_owned()
        }
        (Setting::Count(count), _) if count > MAX_COUNT => format!("is more than {MAX_COUNT}"),
        _ => return Ok(given),
    };
    Err(PresetError::Invalid { name, why })
}
