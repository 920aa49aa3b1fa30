//! The scenarios inside the binary: those of the `scenarios` folder, and those behind `run URL` and `init`.

use super::reading::Source;

/// Names and texts, from the names.
macro_rules! shipped {
    ($($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("../../scenarios/", $name, ".toml")))),+]
    };
}

/// The names and texts of all shipped scenarios.
pub const ALL: &[(&str, &str)] = shipped![
    "chat",
    "co-editing",
    "danmaku",
    "echo",
    "game",
    "graceful-shutdown",
    "heartbeat",
    "heartbeat-activity",
    "heartbeat-contract",
    "heartbeat-stall",
    "http2",
    "idle-cost",
    "idle-cost-pings",
    "lesson",
    "meeting",
    "polling",
    "proxy-idle",
    "push",
    "quotes",
    "ramp",
    "reconnect-storm",
    "reference",
    "slow-reader",
    "soak",
    "storm",
    "subscription",
];

/// The text of the shipped scenario of this name.
pub fn named(name: &str) -> Option<&'static str> {
    ALL.iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
}

/// The scenario behind `wsbench run ws://…` without a file; the caller overrides its address.
pub fn from_url() -> Source {
    Source {
        name: "url".into(),
        text: include_str!("url.toml").into(),
    }
}

/// The short scenario that `wsbench init` writes, to start from.
pub fn starter() -> &'static str {
    include_str!("starter.toml")
}
