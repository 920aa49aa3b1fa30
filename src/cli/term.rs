//! What goes to the terminal, and how: data to standard output, everything else to standard error.

use std::io::{self, Write as _};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::error::CliError;
use crate::report::{Live, Style};

/// Says what went wrong.
pub(super) fn error(error: &CliError) {
    match error {
        CliError::Problems(problems) if takes_colour(&io::stderr()) => note(problems.coloured()),
        CliError::Problems(problems) => note(problems),
        other => note(format_args!("error: failed to {other}")),
    }
}

/// How long a reader of standard error may stand still until it is not waited for.
const PATIENCE: Duration = Duration::from_secs(1);

/// Says something on the way. Where nobody can be told, the exit code still says it.
pub(super) fn note(text: impl std::fmt::Display) {
    let line = format!("{text}\n");
    let (done, written) = sync_channel(1);
    let write = move || {
        let _ = io::stderr().write_all(line.as_bytes());
        let _ = done.send(());
    };
    // Another thread that waits for the same reader may hold standard error, so that even the attempt is made elsewhere.
    if std::thread::Builder::new().spawn(write).is_ok() {
        let _ = written.recv_timeout(PATIENCE);
    }
}

/// Where progress is shown.
pub(super) fn progress(quiet: bool) -> Live {
    match (quiet, takes_colour(&io::stderr())) {
        (true, _) => Live::quiet(),
        (false, true) => Live::bars(),
        (false, false) => Live::lines(Box::new(io::stderr())),
    }
}

/// Whether the summary is in colour.
pub(super) fn style() -> Style {
    if takes_colour(&io::stdout()) {
        Style::COLOUR
    } else {
        Style::PLAIN
    }
}

/// Whether a stream takes escape sequences and the user wants them; see <https://no-color.org>.
pub(super) fn takes_colour(stream: &impl io::IsTerminal) -> bool {
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    let is_unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    stream.is_terminal() && !is_dumb && !is_unwanted
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
