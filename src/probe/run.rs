//! Asks the questions in order, and opens the connections for them.

use std::time::Duration;

use super::activity::{Tried, try_out};
use super::asking;
use super::failure::reason;
use super::findings::{Doing, Finding, Findings, Handshake, Question, Quiet, Trial, Unknown};
use super::offers::{ClientCertificate, TlsOffer};
use super::quiet::idle;
use super::talk::{self, Talk};
use crate::metric::{Cause, Timer};
use crate::net::{RawConnection, RawDialer, RawFailure, TlsAgreed, TlsError};
use crate::scenario::{Compression, Identities, Spoken, Target, WsUrl};
use crate::time::unix_seconds;
use crate::units::{Nanos, format_duration, is_harmless};

/// A probe that is ready to start.
pub struct Probe {
    dialer: RawDialer,
    target: Target,
    watch: Duration,
}

/// What a probe reports while it runs.
#[derive(Debug)]
pub enum Progress<'a> {
    /// The step that is starting; it may take some seconds.
    Doing(&'a str),
    /// A finding.
    Found(&'a Finding),
}

/// Why no connection could be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The cause, from the catalogue.
    pub cause: Cause,
    /// The status line, the wrong header or the system's error.
    pub detail: String,
    /// The headers of the server's answer; empty where there was none.
    pub headers: Vec<(String, String)>,
}

impl Probe {
    /// The most connections that one probe opens in all.
    pub const CONNECTIONS: usize = 5 + Doing::ALL.len();
    /// The longest total time that a probe waits for answers that do not come, not counting dials: for two questions,
    /// and for five connections whose server takes no bytes and does not end them.
    pub const LONGEST_WAITS: Duration = Duration::from_nanos(
        2 * asking::QUESTION.0 + 2 * talk::LEAVING.0 + 5 * talk::STUCK.0 + 4 * talk::CLOSING.0,
    );

    /// Makes a probe of the server at this address, which watches quiet connections for `watch`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(url: &WsUrl, mut target: Target, watch: Duration) -> Result<Self, TlsError> {
        // It looks at plain messages; what the server makes of an offer has a connection of its own.
        target.access.compression = None;
        Ok(Self {
            dialer: RawDialer::new(url, &target)?,
            target,
            watch,
        })
    }

    /// Asks all questions, and calls `tell` with each finding as soon as it is known.
    ///
    /// # Errors
    /// When the first connection cannot be made.
    pub async fn run(&self, tell: &mut dyn FnMut(Progress<'_>)) -> Result<Findings, Failed> {
        let mut findings = Findings::default();
        let mut found = |tell: &mut dyn FnMut(Progress<'_>), finding: Finding| {
            tell(Progress::Found(&finding));
            findings.add(finding);
        };
        tell(Progress::Doing("connecting"));
        let first = self.open().await?;
        let mut handshake = handshake(&first);
        let addresses = self.dialer.addresses().into_iter();
        handshake.addresses = addresses.map(|address| address.to_string()).collect();
        let agreed = first.agreed();
        let mut talk = Talk::new(first, true);
        handshake.compression = self.compression().await;
        let subprotocol = handshake.subprotocol.clone();
        found(tell, Finding::Handshake(handshake));
        if let Some(agreed) = agreed {
            found(tell, Finding::Tls(self.tls(agreed).await));
        }

        tell(Progress::Doing("sending messages"));
        let echo = asking::echo(&mut talk).await;
        talk.leave().await;
        let spoken = Spoken::new(subprotocol.as_deref(), echo.greeting.as_deref());
        found(tell, Finding::Echo(echo));
        if let Some(spoken) = spoken {
            found(tell, Finding::Dialect(spoken));
        }

        tell(Progress::Doing("sending pings"));
        match self.open().await {
            Ok(connection) => {
                let mut talk = Talk::new(connection, true);
                found(tell, Finding::Pings(asking::pings(&mut talk).await));
                talk.leave().await;
            }
            Err(failed) => found(
                tell,
                Finding::Unknown(Unknown::new(Question::Pings, &failed)),
            ),
        }

        tell(Progress::Doing("watching quiet connections"));
        let (quiet, trials) = self.trials().await;
        found(tell, quiet.map_or_else(Finding::Unknown, Finding::Quiet));
        let idle = idle(&trials, Nanos::from(self.watch).0);
        found(tell, Finding::Activity(trials));
        found(tell, idle.map_or_else(Finding::Unknown, Finding::Idle));

        tell(Progress::Doing("closing"));
        let close = match self.open().await {
            Ok(connection) => Finding::Close(asking::close(Talk::new(connection, false)).await),
            Err(failed) => Finding::Unknown(Unknown::new(Question::Close, &failed)),
        };
        found(tell, close);
        Ok(findings)
    }

    async fn open(&self) -> Result<RawConnection, Failed> {
        let opened = self.dialer.open(&self.target).await;
        opened.map_err(|failure| {
            let mut failed = Failed::from(failure);
            if failed.cause == Cause::ConnectTimeout {
                let all = format_duration(self.target.connect_timeout);
                failed.detail += &format!(", {all} in all");
            }
            failed
        })
    }

    /// What the server chooses when the probe offers compression (RFC 7692).
    async fn compression(&self) -> Option<String> {
        const NAME: &str = "Sec-WebSocket-Extensions";
        let mut target = self.target.clone();
        target.access.compression = Some(Compression::default());
        match self.dialer.open(&target).await {
            Ok(opened) => {
                let (_, headers) = head(&opened.head);
                let mut chosen = headers.into_iter();
                let chosen = chosen.find(|(name, _)| name.eq_ignore_ascii_case(NAME));
                chosen.map(|(_, value)| value)
            }
            Err(failure) if failure.cause == Cause::BadExtension => Some(failure.detail),
            Err(_) => None,
        }
    }

    /// What TLS was agreed on with the first connection, and whether another one resumes its session.
    async fn tls(&self, agreed: TlsAgreed) -> TlsOffer {
        let certificate = match (self.dialer.asks_for_certificate(), &self.target.access.tls) {
            (false, _) => ClientCertificate::NotAsked,
            (true, tls) if tls.identities == Identities::None => ClientCertificate::NotNeeded,
            (true, _) => ClientCertificate::Shown,
        };
        let mut offer = TlsOffer::new(agreed, certificate, unix_seconds());
        if let Ok(again) = self.open().await {
            offer.resumes = again.agreed().map(|agreed| agreed.is_resumed);
            Talk::new(again, false).leave().await;
        }
        offer
    }

    /// Runs all trials side by side. Also returns what the server sent unasked to the client that answers pings.
    async fn trials(&self) -> (Result<Quiet, Unknown>, Vec<Trial>) {
        let [a, b, c, d, e] = Doing::ALL.map(|doing| self.trial(doing));
        let (a, b, c, d, e) = tokio::join!(a, b, c, d, e);
        let quiet = match &a {
            Ok(tried) => Ok(tried.quiet.clone()),
            Err(failed) => Err(Unknown::new(Question::Quiet, failed)),
        };
        let trials = [a, b, c, d, e].into_iter().zip(Doing::ALL);
        let trial = |(tried, doing): (Result<Tried, Failed>, Doing)| match tried {
            Ok(tried) => tried.trial,
            Err(failed) => Trial {
                doing,
                watched_ns: 0,
                sent: 0,
                pings: 0,
                unanswered_ns: None,
                ending: None,
                failed: Some(reason(&failed)),
            },
        };
        (quiet, trials.map(trial).collect())
    }

    async fn trial(&self, doing: Doing) -> Result<Tried, Failed> {
        let talk = Talk::new(self.open().await?, doing == Doing::AnswerPings);
        Ok(try_out(talk, doing, self.watch).await)
    }
}

impl Unknown {
    fn new(question: Question, failed: &Failed) -> Self {
        let failed = reason(failed);
        Self { question, failed }
    }
}

impl From<RawFailure> for Failed {
    fn from(failure: RawFailure) -> Self {
        Self {
            cause: failure.cause,
            headers: head(&failure.answer).1,
            detail: failure.detail,
        }
    }
}

const VIA: &str = "Via";

fn handshake(connection: &RawConnection) -> Handshake {
    let (status, headers) = head(&connection.head);
    let took = |step| connection.steps.took(step);
    let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
    let subprotocol = (headers.iter())
        .find(|(name, _)| is(name, "Sec-WebSocket-Protocol"))
        .map(|(_, value)| value.clone());
    let of_handshake = |name: &str| {
        let known = [
            "Upgrade",
            "Connection",
            "Sec-WebSocket-Accept",
            "Sec-WebSocket-Protocol",
            VIA,
        ];
        known.iter().any(|known| is(name, known))
    };
    Handshake {
        address: connection.peer.to_string(),
        addresses: Vec::new(),
        passed: (connection.passed.iter())
            .map(|(address, cause)| (address.to_string(), cause.name()))
            .collect(),
        dns_ns: took(Timer::HandshakeDns).map(|took| took.0),
        tcp_ns: took(Timer::HandshakeTcp).unwrap_or_default().0,
        tls_ns: took(Timer::HandshakeTls).map(|took| took.0),
        upgrade_ns: took(Timer::HandshakeUpgrade).unwrap_or_default().0,
        status,
        via: (headers.iter())
            .filter(|(name, _)| is(name, VIA))
            .flat_map(|(_, value)| value.split(','))
            .map(|proxy| proxy.trim().to_owned())
            .collect(),
        headers: (headers.into_iter())
            .filter(|(name, _)| !of_handshake(name))
            .collect(),
        subprotocol,
        compression: None,
    }
}

/// The status line and the headers of an answer, safe to show; empty where the answer is not HTTP.
fn head(answer: &[u8]) -> (String, Vec<(String, String)>) {
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
