//! `wsbench presets`: lists the servers for which contracts are computed from settings.

use std::fmt::Write as _;

use super::error::CliError;
use super::term;
use crate::scenario::presets;
use crate::verdict::Exit;

const INTRODUCTION: &str = "\
A contract computed from a server's own settings, as it runs with them:

  contract = { preset = \"websockets\", interval = \"20s\", timeout = \"20s\" }

For each preset: the settings with their defaults, or an example; the window in which the server gives up a
silent client, and where it begins; what counts as a sign of life; and where the server's own rule stands.
";

/// Lists the presets: what to write in the scenario, and the window that results.
pub(super) fn run() -> Result<Exit, CliError> {
    let mut text = String::from(INTRODUCTION);
    for preset in presets() {
        let (name, from) = (preset.name, preset.from.name());
        let _ = writeln!(text, "\n{name:<13}{}", preset.example);
        let _ = writeln!(text, "{:13}from {from}: {}", "", preset.formula);
        let _ = writeln!(text, "{:13}sign of life: {}", "", preset.life.in_words());
        let _ = writeln!(text, "{:13}{}", "", preset.source);
    }
    term::print(text.as_bytes())?;
    Ok(Exit::Passed)
}
