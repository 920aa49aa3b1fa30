//! `wsbench schema`: prints the JSON Schema of scenario files, for editors.

use super::error::CliError;
use super::term;
use crate::verdict::Exit;

/// Prints the schema.
pub(super) fn run() -> Result<Exit, CliError> {
    let schema = crate::scenario::schema();
    term::print(format!("{}\n", schema.trim_end()).as_bytes())?;
    Ok(Exit::Passed)
}
