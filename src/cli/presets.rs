//! `wsbench presets`: the servers whose settings a contract can be computed from.

use std::fmt::Write as _;

use super::error::CliError;
use super::term;
use crate::scenario::presets;
use crate::verdict::Exit;

/// Lists the presets: what to write, and the window that follows from it.
pub(super) fn run() -> Result<Exit, CliError> {
    let mut text = String::new();
    for preset in presets() {
        let (name, from) = (preset.name, preset.from.name());
        let _ = writeln!(text, "{name:<12}{}", preset.example);
        let _ = writeln!(text, "{:12}from {from}: {}", "", preset.formula);
        let _ = writeln!(text, "{:12}{}", "", preset.source);
    }
    text.push_str("\nAs in `contract = { preset = \"websockets\", interval = \"20s\", timeout = \"20s\" }`.\n");
    term::print(text.as_bytes())?;
    Ok(Exit::Passed)
}
