//! Asks the questions in order, and opens the connections for them.

use std::time::Duration;

use super::activity::{Tried, try_out};
use super::asking;
use super::failure::reason;
use super::findings::{Doing, Finding, Findings, Question, Quiet, Trial, Unknown};
use super::handshake::Handshake;
use super::looks::{self, LOOKS};
use super::opener::{Failed, Opener, PATIENCE, REDIRECTS};
use super::quiet::idle;
use super::talk::{self, Talk};
use crate::net::TlsError;
use crate::scenario::{Spoken, Target, WsUrl};
use crate::units::Nanos;

/// A probe that is ready to start.
pub struct Probe {
    opener: Opener,
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

impl Probe {
    /// The most connections that one probe opens in all: redirects, the looks, the trials, and one each for messages, pings
    /// and the close handshake.
    pub const CONNECTIONS: usize = REDIRECTS + LOOKS + Doing::ALL.len() + 3;
    /// The longest total time that a probe waits for answers that do not come, not counting dials: for two questions,
    /// for connections whose server takes no bytes and does not end them, and because the server asks for it.
    pub const LONGEST_WAITS: Duration = {
        let looks = LOOKS as u64 * (talk::LEAVING.0 + talk::STUCK.0);
        let questions = 2 * asking::QUESTION.0 + 2 * talk::LEAVING.0;
        let ends = 5 * talk::STUCK.0 + 4 * talk::CLOSING.0;
        Duration::from_nanos(looks + questions + ends + PATIENCE.as_nanos() as u64)
    };

    /// Makes a probe of the server at this address, which watches quiet connections for `watch`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(url: &WsUrl, mut target: Target, watch: Duration) -> Result<Self, TlsError> {
        // It looks at plain messages; what the server makes of an offer has a connection of its own.
        target.access.compression = None;
        Ok(Self {
            opener: Opener::new(url, target)?,
            watch,
        })
    }

    /// Asks all questions, and calls `tell` with each finding as soon as it is known.
    ///
    /// # Errors
    /// When the first connection cannot be made.
    pub async fn run(mut self, tell: &mut dyn FnMut(Progress<'_>)) -> Result<Findings, Failed> {
        let mut findings = Findings::default();
        let mut found = |tell: &mut dyn FnMut(Progress<'_>), finding: Finding| {
            tell(Progress::Found(&finding));
            findings.add(finding);
        };
        tell(Progress::Doing("connecting"));
        let (first, redirects) = self.opener.first().await?;
        let handshake = Handshake::of(&first, &self.opener, redirects);
        let (agreed, max_streams) = (first.agreed(), first.max_streams);
        let mut talk = Talk::new(first, true);
        let subprotocol = handshake.subprotocol.clone();
        found(tell, Finding::Handshake(handshake));

        tell(Progress::Doing("looking at what it offers"));
        if let Some(agreed) = agreed {
            found(tell, Finding::Tls(looks::tls(&self.opener, agreed).await));
        }
        let offers = looks::offers(&self.opener, max_streams).await;
        found(tell, Finding::Offers(offers));

        tell(Progress::Doing("sending messages"));
        let echo = asking::echo(&mut talk).await;
        talk.leave().await;
        let spoken = Spoken::new(subprotocol.as_deref(), echo.greeting.as_deref());
        found(tell, Finding::Echo(echo));
        if let Some(spoken) = spoken {
            found(tell, Finding::Dialect(spoken));
        }

        tell(Progress::Doing("sending pings"));
        match self.opener.open().await {
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
        let close = match self.opener.open().await {
            Ok(connection) => Finding::Close(asking::close(Talk::new(connection, false)).await),
            Err(failed) => Finding::Unknown(Unknown::new(Question::Close, &failed)),
        };
        found(tell, close);
        if let Some(asked) = self.opener.asked_for() {
            found(tell, Finding::RetryAfter(asked.as_secs()));
        }
        found(tell, Finding::Connections(self.opener.made()));
        Ok(findings)
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
        let talk = Talk::new(self.opener.open().await?, doing == Doing::AnswerPings);
        Ok(try_out(talk, doing, self.watch).await)
    }
}

impl Unknown {
    fn new(question: Question, failed: &Failed) -> Self {
        let failed = reason(failed);
        Self { question, failed }
    }
}
