//! The colours of the report. Each is written as a class, which follows the page's variables, and as a presentation
//! attribute, which is left where a policy forbids styles.

/// A colour with a meaning. `page/style.css` holds the same values as variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// Text.
    Ink,
    /// Text beside the text: axes, notes.
    Mute,
    /// Lines of the grid.
    Grid,
    /// The axis.
    Axis,
    /// The page itself.
    Page,
    /// A tile on the page.
    Card,
    /// What held.
    Good,
    /// What broke.
    Bad,
    /// What is doubtful, late, or an incident.
    Doubt,
    /// Links and dots of connections.
    Accent,
    /// The median.
    P50,
    /// The 90th percentile, and the first of several series.
    P90,
    /// The 99th percentile.
    P99,
    /// The 99.9th percentile.
    P999,
    /// The maximum.
    Max,
    /// Connections that are being opened.
    Connecting,
    /// Open connections.
    Open,
    /// Connections that are being closed.
    Closing,
    /// Connections that the heartbeat declared dead.
    Dead,
    /// The heatmap.
    Heat,
}

impl Colour {
    /// All of them, in the order of the table in `page/style.css`.
    pub const ALL: [Self; 20] = [
        Self::Ink,
        Self::Mute,
        Self::Grid,
        Self::Axis,
        Self::Page,
        Self::Card,
        Self::Good,
        Self::Bad,
        Self::Doubt,
        Self::Accent,
        Self::P50,
        Self::P90,
        Self::P99,
        Self::P999,
        Self::Max,
        Self::Connecting,
        Self::Open,
        Self::Closing,
        Self::Dead,
        Self::Heat,
    ];

    /// The name of its variable: `p99` for `--p99`, `.s-p99` and `.f-p99`.
    pub const fn name(self) -> &'static str {
        self.row().0
    }

    /// Its value on a light page, which is also its presentation attribute: `#5b57c9`.
    pub const fn light(self) -> &'static str {
        self.row().1
    }

    /// Its value on a dark page.
    pub const fn dark(self) -> &'static str {
        self.row().2
    }

    const fn row(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Ink => ("ink", "#1c2128", "#e6e9ee"),
            Self::Mute => ("mute", "#5f6875", "#98a2b0"),
            Self::Grid => ("grid", "#e6e9ee", "#2a313b"),
            Self::Axis => ("axis", "#c3c9d2", "#46505d"),
            Self::Page => ("page", "#ffffff", "#14181d"),
            Self::Card => ("card", "#f7f8fa", "#1b2027"),
            Self::Good => ("good", "#1a7f4b", "#4cc38a"),
            Self::Bad => ("bad", "#c4293b", "#ff7b86"),
            Self::Doubt => ("doubt", "#9a6200", "#e8b04a"),
            Self::Accent => ("accent", "#2763c4", "#7aa8ff"),
            Self::P50 => ("p50", "#2a9d8f", "#43c6b5"),
            Self::P90 => ("p90", "#2f7fc1", "#69b1f0"),
            Self::P99 => ("p99", "#5b57c9", "#a5a0ff"),
            Self::P999 => ("p999", "#a63fa0", "#e58adf"),
            Self::Max => ("max", "#c4293b", "#ff7b86"),
            Self::Connecting => ("connecting", "#d9a514", "#e8c04d"),
            Self::Open => ("open", "#2f7fc1", "#69b1f0"),
            Self::Closing => ("closing", "#8d97a5", "#7d8896"),
            Self::Dead => ("dead", "#c4293b", "#ff7b86"),
            Self::Heat => ("heat", "#4a2fb0", "#b3a3ff"),
        }
    }
}
