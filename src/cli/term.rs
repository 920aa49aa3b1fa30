//! What goes to the terminal, and how: data to standard output, everything else to standard error.

use std::io::{self, IsTerminal as _, Write as _};

use super::error::CliError;
use crate::report::Live;
use crate::report::Style;

/// Says what went wrong.
pub(super) fn error(error: &CliError) {
    match error {
        CliError::Problems(problems) if has_colour(&io::stderr()) => note(problems.coloured()),
        CliError::Problems(problems) => note(problems),
        other => note(format_args!("error: failed to {other}")),
    }
}

/// Says something on the way. Where nobody can be told, the exit code still says it.
pub(super) fn note(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Where progress is shown.
pub(super) fn progress(quiet: bool) -> Live {
    match (quiet, io::stderr().is_terminal()) {
        (true, _) => Live::quiet(),
        (false, true) => Live::bars(),
        (false, false) => Live::lines(Box::new(io::stderr())),
    }
}

/// Whether the summary is in colour.
pub(super) fn style() -> Style {
    if has_colour(&io::stdout()) {
        Style::COLOUR
    } else {
        Style::PLAIN
    }
}

/// See <https://no-color.org>.
fn has_colour(stream: &impl io::IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Writes data to standard output. A reader that has gone away is no error.
pub(super) fn print(bytes: &[u8]) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => Err(CliError::System {
            doing: "write to standard output",
            source,
        }),
        _ => Ok(()),
    }
}
