//! The scenarios inside the binary: those of the `scenarios` folder, and those behind `run URL` and `init`.

use super::reading::Source;

/// The names and texts of all shipped scenarios.
pub const ALL: &[(&str, &str)] = &[
    ("echo", include_str!("../../scenarios/echo.toml")),
    (
        "graceful-shutdown",
        include_str!("../../scenarios/graceful-shutdown.toml"),
    ),
    ("heartbeat", include_str!("../../scenarios/heartbeat.toml")),
    (
        "heartbeat-activity",
        include_str!("../../scenarios/heartbeat-activity.toml"),
    ),
    (
        "heartbeat-contract",
        include_str!("../../scenarios/heartbeat-contract.toml"),
    ),
    (
        "heartbeat-stall",
        include_str!("../../scenarios/heartbeat-stall.toml"),
    ),
    (
        "proxy-idle",
        include_str!("../../scenarios/proxy-idle.toml"),
    ),
    ("push", include_str!("../../scenarios/push.toml")),
    ("ramp", include_str!("../../scenarios/ramp.toml")),
    (
        "reconnect-storm",
        include_str!("../../scenarios/reconnect-storm.toml"),
    ),
    ("reference", include_str!("../../scenarios/reference.toml")),
    (
        "slow-reader",
        include_str!("../../scenarios/slow-reader.toml"),
    ),
    ("soak", include_str!("../../scenarios/soak.toml")),
    ("storm", include_str!("../../scenarios/storm.toml")),
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
