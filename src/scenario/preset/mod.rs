//! Presets: a server's own settings turned into what it promises, so that nobody has to compute a window.
//! Formulas and sources stand in `docs/heartbeats.md`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::model::{Between, End, Origin, Promise};
use super::words;
use crate::units::format_duration;

/// So much later than its timers say may a server be: they run on a machine that does other things too.
const LATE: Duration = Duration::from_millis(250);

/// So much sooner: timers count in whole milliseconds.
const EARLY: Duration = Duration::from_millis(20);

/// A setting of a server, as the contract gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setting {
    /// Above zero.
    Time(Duration),
    /// A plain number.
    Count(u32),
}

/// What a preset comes to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Expanded {
    /// The preset and all of its settings, as `websockets (interval 20s, timeout 20s)`.
    pub(super) shown: String,
    /// Where the times begin.
    pub(super) from: Origin,
    /// No kind twice.
    pub(super) promises: Vec<Promise>,
}

/// Why there is no contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PresetError {
    /// No preset has this name.
    UnknownPreset {
        /// The one that was most likely meant.
        nearest: Option<&'static str>,
    },
    /// The preset has no such setting.
    UnknownSetting {
        /// The setting.
        name: String,
        /// Those it has.
        known: Vec<&'static str>,
    },
    /// A setting without a default was left out.
    #[allow(dead_code, reason = "each setting here has a default")]
    Missing {
        /// The setting.
        name: &'static str,
        /// What to write, as `interval = "20s"`.
        example: &'static str,
    },
    /// A setting has a value the server would not take.
    Invalid {
        /// The setting.
        name: String,
        /// What is wrong, fit to follow its name.
        why: String,
    },
}

/// The names of all presets.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ["websockets"].into_iter()
}

/// What a server with these settings promises a client that answers no ping.
pub(super) fn expand(
    name: &str,
    settings: &BTreeMap<String, Setting>,
) -> Result<Expanded, PresetError> {
    if name != "websockets" {
        return Err(PresetError::UnknownPreset {
            nearest: words::nearest(name, names()),
        });
    }
    let known = ["interval", "timeout"];
    if let Some(name) = settings.keys().find(|name| !known.contains(&name.as_str())) {
        return Err(PresetError::UnknownSetting {
            name: name.clone(),
            known: known.to_vec(),
        });
    }
    let time = |name: &str| match settings.get(name) {
        None => Ok(Duration::from_secs(20)),
        Some(Setting::Time(time)) => Ok(*time),
        Some(Setting::Count(_)) => Err(PresetError::Invalid {
            name: name.to_owned(),
            why: "is a duration, such as \"20s\"".into(),
        }),
    };
    let (interval, timeout) = (time("interval")?, time("timeout")?);
    Ok(Expanded {
        shown: format!(
            "websockets (interval {}, timeout {})",
            format_duration(interval),
            format_duration(timeout)
        ),
        from: Origin::Ping,
        promises: vec![
            Promise::ClosedBetween(Between {
                lo: timeout.saturating_sub(EARLY),
                hi: timeout + LATE,
            }),
            Promise::Code(vec![1011]),
            Promise::EndsWith(vec![End::CloseFrame]),
            Promise::TcpEndBetween(Between {
                lo: Duration::ZERO,
                hi: LATE,
            }),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_the_window_around_it() {
        let second = Setting::Time(Duration::from_secs(1));
        let settings = ["interval", "timeout"].map(|name| (name.to_owned(), second));
        let expanded = expand("websockets", &settings.into()).unwrap();
        assert_eq!(expanded.shown, "websockets (interval 1s, timeout 1s)");
        let window = Between {
            lo: Duration::from_millis(980),
            hi: Duration::from_millis(1250),
        };
        assert_eq!(expanded.promises[0], Promise::ClosedBetween(window));
    }

    #[test]
    fn what_is_unknown_is_said() {
        let near = expand("websocket", &BTreeMap::new()).unwrap_err();
        let nearest = Some("websockets");
        assert_eq!(near, PresetError::UnknownPreset { nearest });
        let settings = [("ping".to_owned(), Setting::Count(1))].into();
        assert!(matches!(
            expand("websockets", &settings),
            Err(PresetError::UnknownSetting { name, .. }) if name == "ping"
        ));
    }
}
