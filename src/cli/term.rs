//! Prints to the terminal: data to standard output, everything else to standard error.

use std::io::{self, Write as _};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use serde::Serialize;

use super::error::CliError;
use crate::report::{self, Live, Style, Watched};

/// Prints an error.
pub(super) fn error(error: &CliError) {
    match error {
        CliError::Problems(problems) if takes_colour(&io::stderr()) => note(problems.coloured()),
        CliError::Problems(problems) => note(problems),
        other => note(format_args!("error: failed to {other}")),
    }
}

/// The longest wait for a blocked reader of standard error.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// Prints a note to standard error. If it cannot be printed, the exit code still shows the result.
pub(super) fn note(text: impl std::fmt::Display) {
    let line = format!("{text}\n");
    let (done, written) = sync_channel(1);
    let write = move || {
        let _ = io::stderr().write_all(line.as_bytes());
        let _ = done.send(());
    };
    // Writes on a separate thread: another thread may hold standard error while it waits for the same reader.
    if std::thread::Builder::new().spawn(write).is_ok() {
        let _ = written.recv_timeout(MAX_WAIT);
    }
}

/// Chooses how progress is shown.
pub(super) fn progress(quiet: bool) -> Live {
    match (quiet, takes_colour(&io::stderr())) {
        (true, _) => Live::quiet(),
        (false, true) => Live::bars(size()),
        (false, false) => Live::lines(Box::new(io::stderr())),
    }
}

/// Chooses how a service that is watched is shown: lines to standard output, and a table on standard error where both
/// are a terminal; where only standard error is one, the lines go to standard output and the table stays there.
pub(super) fn watching(watched: Watched) -> Live {
    let stdout = || -> Option<Box<dyn io::Write + Send>> { Some(Box::new(io::stdout())) };
    match (takes_colour(&io::stderr()), takes_colour(&io::stdout())) {
        (true, true) => Live::watching(watched, Some(size), None),
        (true, false) => Live::watching(watched, Some(size), stdout()),
        (false, _) => Live::watching(watched, None, stdout()),
    }
}

/// The columns and lines of the terminal on standard error; none where it does not say.
fn size() -> (usize, usize) {
    #[cfg(unix)]
    if let Ok(size) = rustix::termios::tcgetwinsize(io::stderr()) {
        return (size.ws_col.into(), size.ws_row.into());
    }
    (0, 0)
}

/// Chooses whether the summary is in colour.
pub(super) fn style() -> Style {
    if takes_colour(&io::stdout()) {
        Style::COLOUR
    } else {
        Style::PLAIN
    }
}

/// Whether a stream supports escape sequences and the user wants them; see <https://no-color.org>.
pub(super) fn takes_colour(stream: &impl io::IsTerminal) -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !is_dumb && !is_unwanted
}

/// Formats the output of `--json`.
pub(super) fn json(value: &impl Serialize) -> Result<String, CliError> {
    report::json(value).map_err(|source| CliError::System {
        doing: "write JSON",
        source,
    })
}

/// Writes data to standard output. Ignores the error if the reader has gone.
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
