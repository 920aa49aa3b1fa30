//! Opens the connections of a probe: counts them, and leaves the server alone for as long as it asks.

use std::cell::Cell;
use std::time::{Duration, Instant};

use tokio::time::{sleep_until, timeout_at};

use super::handshake::Redirected;
use crate::metric::Cause;
use crate::net::{RawConnection, RawDialer, RawFailure, TlsError};
use crate::scenario::{HttpVersion, Target, WsUrl, shown_address};
use crate::units::{counted, format_duration, is_harmless};

/// The most redirects that are followed.
pub(super) const REDIRECTS: usize = 3;
/// The client that asks one question after the other.
const ASKS: u32 = 0;
/// The client whose connections stand beside that.
const STANDS_APART: u32 = 1;
/// The longest time in all that the server is left alone because it asks for that.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// Why no connection could be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The cause, from the catalogue.
    pub cause: Cause,
    /// The status line, the wrong header or the system's error.
    pub detail: String,
    /// The headers of the server's answer; empty where there was none.
    pub headers: Vec<(String, String)>,
    /// For how long the server wants to be left alone, if it says so (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// How many streams the server allows on a connection of HTTP/2; `u32::MAX`: any number.
    pub(super) max_streams: Option<u32>,
}

impl Failed {
    /// Without an answer of the server.
    pub(super) fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Self {
            cause,
            detail: detail.into(),
            headers: Vec::new(),
            retry_after: None,
            max_streams: None,
        }
    }
}

/// Opens connections.
pub(super) struct Opener {
    dialer: RawDialer,
    /// What is said to the server, and how it is reached.
    pub(super) target: Target,
    /// How many connections were dialled.
    made: Cell<u32>,
    /// Until when the server wants to be left alone.
    left_alone: Cell<Option<Instant>>,
    /// For how long it may still be left alone.
    patience: Cell<Duration>,
    /// The longest time that the server asked for.
    asked_for: Cell<Option<Duration>>,
    /// When the probe is over: no dial takes longer.
    over: Instant,
}

impl Opener {
    /// For the server at this address, until the probe is over.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn new(url: &WsUrl, target: Target, over: Instant) -> Result<Self, TlsError> {
        Ok(Self {
            dialer: RawDialer::new(url, &target)?,
            over,
            target,
            made: Cell::new(0),
            left_alone: Cell::new(None),
            patience: Cell::new(PATIENCE),
            asked_for: Cell::new(None),
        })
    }

    /// Opens the first connection, where redirects lead to. All that follow are opened there at once. Over HTTP/2 no redirect
    /// is followed, as no run does.
    pub(super) async fn first(&mut self) -> Result<(RawConnection, Vec<Redirected>), Failed> {
        let mut followed = Vec::new();
        loop {
            let failure = match self.dial(&self.dialer, &self.target, ASKS).await {
                Ok(connection) => return Ok((connection, followed)),
                Err(failure) => failure,
            };
            let is_followed =
                followed.len() < REDIRECTS && self.target.access.http == HttpVersion::One;
            let next = is_followed.then(|| self.dialer.follow(&failure, &mut self.target));
            let why = match next.flatten() {
                Some(Ok(next)) => {
                    followed.push(redirected(&failure, next.url()));
                    self.dialer = next;
                    continue;
                }
                Some(Err(why)) => format!("; not followed: {why}"),
                None if followed.is_empty() => String::new(),
                None => format!("; after {}", counted(followed.len() as u64, "redirect")),
            };
            let mut failed = self.failed(failure);
            failed.detail += &why;
            return Err(failed);
        }
    }

    /// Opens a connection like the first one. Under TLS it resumes the session of one before, where the server lets it.
    pub(super) async fn open(&self) -> Result<RawConnection, Failed> {
        self.open_to(&self.target).await
    }

    /// The same, with the headers of this target, its offer of compression and its version of HTTP.
    pub(super) async fn open_to(&self, target: &Target) -> Result<RawConnection, Failed> {
        self.open_by(&self.dialer, target).await
    }

    /// The same by another dialer.
    pub(super) async fn open_by(
        &self,
        dialer: &RawDialer,
        target: &Target,
    ) -> Result<RawConnection, Failed> {
        let opened = self.dial(dialer, target, ASKS).await;
        opened.map_err(|failure| self.failed(failure))
    }

    /// Opens a connection beside the others, as another client: it must not use a session of TLS that the next of the others
    /// is to resume.
    pub(super) async fn open_apart(&self) -> Result<RawConnection, Failed> {
        let opened = self.dial(&self.dialer, &self.target, STANDS_APART).await;
        opened.map_err(|failure| self.failed(failure))
    }

    /// Returns what dials as another client, with the access of this target.
    pub(super) fn another(&self, target: &Target) -> Result<RawDialer, Failed> {
        let another = self.dialer.another(target);
        another.map_err(|error| Failed::new(Cause::Tls, error.to_string()))
    }

    async fn dial(
        &self,
        dialer: &RawDialer,
        target: &Target,
        client: u32,
    ) -> Result<RawConnection, RawFailure> {
        self.leave_alone().await;
        self.made.set(self.made.get() + 1);
        let Ok(opened) = timeout_at(self.over.into(), dialer.open(target, client)).await else {
            return Err(RawFailure::cut());
        };
        if let Err(failure) = &opened {
            self.heed(failure);
        }
        opened
    }

    /// Waits until the server may be dialled again, or the probe is over.
    async fn leave_alone(&self) {
        if let Some(until) = self.left_alone.get() {
            sleep_until(until.min(self.over).into()).await;
        }
    }

    /// Leaves the server alone if this failure asks for it.
    fn heed(&self, failure: &RawFailure) {
        if let Some(asked) = failure.retry_after {
            let before = self.asked_for.get();
            self.asked_for.set(before.max(Some(asked)));
            let waits = asked.min(self.patience.get());
            self.patience.set(self.patience.get() - waits);
            self.left_alone.set(Some(Instant::now() + waits));
        }
    }

    /// Says these bytes to the server instead of an upgrade request, on a connection of their own, and returns its answer.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn ask(&self, request: &[u8], limit: Duration) -> Result<Vec<u8>, Failed> {
        self.leave_alone().await;
        self.made.set(self.made.get() + 1);
        let answer = self.dialer.ask(request, limit);
        let answer = timeout_at(self.over.into(), answer).await;
        answer
            .unwrap_or_else(|_| Err(RawFailure::cut()))
            .map_err(|failure| self.failed(failure))
    }

    fn failed(&self, failure: RawFailure) -> Failed {
        let mut detail = failure.detail;
        if failure.cause == Cause::ConnectTimeout {
            let all = format_duration(self.target.connect_timeout);
            detail += &format!(", {all} in all");
        }
        Failed {
            cause: failure.cause,
            detail,
            headers: head(&failure.answer).1,
            retry_after: failure.retry_after,
            max_streams: failure.max_streams,
        }
    }

    /// When the probe is over.
    pub(super) fn over(&self) -> Instant {
        self.over
    }

    /// Returns what dials.
    pub(super) fn dialer(&self) -> &RawDialer {
        &self.dialer
    }

    /// Returns how many connections were dialled.
    pub(super) fn made(&self) -> u32 {
        self.made.get()
    }

    /// Returns the longest time for which the server wanted to be left alone.
    pub(super) fn asked_for(&self) -> Option<Duration> {
        self.asked_for.get()
    }
}

fn redirected(failure: &RawFailure, to: &WsUrl) -> Redirected {
    let (status, _) = head(&failure.answer);
    let to = shown_address(&to.shown);
    Redirected {
        status,
        to: to.chars().filter(|c| is_harmless(*c)).collect(),
    }
}

/// The status line and the headers of an answer, safe to show; empty where the answer is not HTTP.
pub(super) fn head(answer: &[u8]) -> (String, Vec<(String, String)>) {
    let safe = |text: &str| -> String {
        let shown = text.trim().chars().filter(|c| is_harmless(*c));
        shown.take(200).collect()
    };
    let text = String::from_utf8_lossy(answer);
    let mut lines = text.lines();
    let Some(status) = lines.next().filter(|line| line.starts_with("HTTP/")) else {
        return (String::new(), Vec::new());
    };
    let headers = lines
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (safe(name), safe(value)));
    (safe(status), headers.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_at_its_empty_line_and_is_safe_to_show() {
        let answer = b"HTTP/1.1 404 Not Found\r\nServer: a\x1b[1mb\r\nVia : 1.1 x\r\n\r\nX: body";
        let (status, headers) = head(answer);
        assert_eq!(status, "HTTP/1.1 404 Not Found");
        let owned = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(headers, [owned("Server", "a[1mb"), owned("Via", "1.1 x")]);
        assert_eq!(head(b"SSH-2.0\r\n").1, []);
    }
}
