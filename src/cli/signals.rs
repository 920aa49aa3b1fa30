//! Ctrl-C and SIGTERM as messages: the first ends the load, the second ends the program.

use tokio::sync::mpsc;

use super::error::CliError;

/// Yields once for each signal.
pub(super) fn listen() -> Result<mpsc::Receiver<()>, CliError> {
    let failed = |source| CliError::System {
        doing: "listen for signals",
        source,
    };
    let (sender, receiver) = mpsc::channel(2);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(failed)?;
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || runtime.block_on(forward(&sender)))
        .map_err(failed)?;
    Ok(receiver)
}

#[cfg(unix)]
async fn forward(sender: &mpsc::Sender<()>) {
    use tokio::signal::unix::{SignalKind, signal};

    // Where a handler cannot be set, the signal keeps its default effect.
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if sender.send(()).await.is_err() {
            return;
        }
    }
}

#[cfg(not(unix))]
async fn forward(sender: &mpsc::Sender<()>) {
    while tokio::signal::ctrl_c().await.is_ok() {
        if sender.send(()).await.is_err() {
            return;
        }
    }
}
