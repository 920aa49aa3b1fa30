//! Expands the name of a preset and the given settings into promises. Each kind of mistake has its own error.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use super::table::{self, Default, EARLY, LATE, MAX_COUNT, Preset, Values};
use crate::scenario::reading::hints::nearest;
use crate::scenario::{Between, Origin, Promise, PromiseKind};
use crate::units::format_duration;

/// The key that chooses between servers of one name.
pub(in crate::scenario) const SERVER: &str = "server";

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

/// The expansion of a preset.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::scenario) struct Expanded {
    /// The name with all settings, such as `websockets (interval 20s, timeout 20s)`.
    pub(in crate::scenario) shown: String,
    /// The event from which its window counts.
    pub(in crate::scenario) from: Origin,
    /// The latest time of the server's first ping, from the opening. `None` where it sends none, or no setting tells.
    pub(in crate::scenario) first_ping: Option<Duration>,
    /// The promises: never empty, no kind twice; the first is `closed_between`.
    pub(in crate::scenario) promises: Vec<Promise>,
}

/// Why a preset cannot be expanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scenario) enum PresetError {
    /// No preset has this name.
    UnknownPreset {
        /// The name that was probably meant.
        nearest: Option<&'static str>,
    },
    /// The preset has no server of this name.
    UnknownServer {
        /// The servers that it has. Never empty.
        known: Vec<&'static str>,
    },
    /// The server has no setting of this name.
    UnknownSetting {
        /// The name as it was written.
        name: String,
        /// The settings that the server has.
        known: Vec<&'static str>,
    },
    /// A setting without a default is not given.
    Missing {
        /// The setting.
        name: &'static str,
        /// An example of what to write, such as `interval = "30s"`.
        example: &'static str,
    },
    /// The server itself does not accept this value.
    Invalid {
        /// The setting.
        name: &'static str,
        /// A fragment that fits after its name: "is longer than `interval`".
        why: String,
    },
}

/// The names of all presets, each once.
pub(in crate::scenario) fn names() -> impl Iterator<Item = &'static str> {
    let mut names: Vec<_> = table::all().map(|preset| preset.name).collect();
    names.dedup();
    names.into_iter()
}

/// The values of `server` that any preset knows.
pub(in crate::scenario) fn servers() -> BTreeSet<&'static str> {
    let servers = table::all().map(|preset| preset.server);
    servers.filter(|server| !server.is_empty()).collect()
}

/// The promises that follow from a server's settings; a setting that is not given has the server's own default.
/// `server` chooses between those that share a name; without it, it is the first.
///
/// # Errors
///
/// An unknown preset or server; a setting that the server does not have; a value that it does not accept; a missing setting that
/// has no default.
pub(in crate::scenario) fn expand(
    name: &str,
    server: Option<&str>,
    settings: &BTreeMap<String, Setting>,
) -> Result<Expanded, PresetError> {
    let named: Vec<_> = table::all().filter(|preset| preset.name == name).collect();
    let first = named.first().ok_or_else(|| PresetError::UnknownPreset {
        nearest: nearest(name, names()),
    })?;
    let preset = match server {
        None => first,
        Some(_) if first.server.is_empty() => {
            return Err(PresetError::UnknownSetting {
                name: SERVER.to_owned(),
                known: first.settings.iter().map(|known| known.name).collect(),
            });
        }
        Some(server) => {
            let found = named.iter().find(|preset| preset.server == server);
            found.ok_or_else(|| PresetError::UnknownServer {
                known: named.iter().map(|preset| preset.server).collect(),
            })?
        }
    };
    let values = preset.complete(settings)?;
    let server = Some(preset.server).filter(|server| !server.is_empty());
    let server = server.map(|server| format!("{SERVER} {server}"));
    let shown = values.iter().map(|(n, v)| format!("{n} {v}"));
    let shown: Vec<_> = server.into_iter().chain(shown).collect();
    let values = Values::new(values.into_iter().collect());
    let window = (preset.window)(&values);
    let window = window.map_err(|(name, why)| PresetError::Invalid { name, why })?;
    Ok(Expanded {
        shown: format!("{name} ({})", shown.join(", ")),
        from: preset.from,
        first_ping: preset.first_ping.map(|first| first(&values)),
        promises: preset.promises(window),
    })
}

impl Preset {
    /// All settings with their values, in the preset's order.
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

/// A given value, if it is above zero and of the same kind as the default (a time where there is no default).
fn checked(
    name: &'static str,
    given: Setting,
    default: Option<Setting>,
) -> Result<Setting, PresetError> {
    let why = match (given, default) {
        (Setting::Time(Duration::ZERO), Some(Setting::Time(Duration::ZERO))) => return Ok(given),
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
