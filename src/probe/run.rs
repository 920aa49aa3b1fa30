//! Asks the questions in order, and opens the connections for them. All of it ends when the time of the probe is over.

use std::cell::Cell;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::activity::{Tried, try_out};
use super::asking::{self, Waits};
use super::failure::reason;
use super::findings::{Doing, Finding, Findings, FirstWord, Question, Trial, Unknown};
use super::frame::{Frame, Opcode};
use super::handshake::Handshake;
use super::looks::{self, LOOKS};
use super::opener::{Failed, Opener, REDIRECTS};
use super::quiet::idle;
use super::talk::Talk;
use super::unasked::NATS;
use crate::net::{RawConnection, TlsAgreed, TlsError};
use crate::scenario::{Spoken, Target, WsUrl};

/// A probe that is ready to start.
pub struct Probe {
    opener: Opener,
    /// How long it takes in all.
    all: Duration,
    /// What each client says first.
    first: Option<String>,
}

/// What a probe reports while it runs.
#[derive(Debug)]
pub enum Progress<'a> {
    /// The step that is starting; it may take some seconds.
    Doing(&'a str),
    /// A finding.
    Found(&'a Finding),
}

/// When silent clients are looked at again, as parts of the whole time: in other phases of a timer that serves all clients.
const AGAIN: [f64; 3] = [0.07, 0.17, 0.29];
/// Whom else the server may end for being silent.
const SILENT: [Doing; 2] = [Doing::Nothing, Doing::AnswerPings];

/// How often the probe looks whether it is held up itself.
const LOOKS_EVERY: Duration = Duration::from_millis(20);
/// Being held up for less is within what all windows allow for.
const HELD_UP: Duration = Duration::from_millis(50);

type Tell<'t> = &'t mut dyn FnMut(Progress<'_>);

impl Probe {
    /// The most connections that one probe opens in all: redirects, the looks, the trials, and one each for messages, pings
    /// and the close handshake.
    pub const CONNECTIONS: usize =
        REDIRECTS + LOOKS + Doing::ALL.len() + AGAIN.len() * SILENT.len() + 3;

    /// Makes a probe of the server at this address, which takes this long in all. `first`: what each client says first.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        url: &WsUrl,
        mut target: Target,
        all: Duration,
        first: Option<String>,
    ) -> Result<Self, TlsError> {
        // It looks at plain messages; what the server makes of an offer has a connection of its own.
        target.access.compression = None;
        let over = Instant::now() + all;
        Ok(Self {
            opener: Opener::new(url, target, over)?,
            all,
            first,
        })
    }

    /// Asks all questions, and calls `tell` with each finding as soon as it is known.
    ///
    /// # Errors
    /// When the first connection cannot be made.
    pub async fn run(self, tell: Tell<'_>) -> Result<Findings, Failed> {
        let held_up = Cell::new(Duration::ZERO);
        tokio::select! {
            found = self.ask_all(&held_up, tell) => found,
            never = watch_itself(&held_up) => match never {},
        }
    }

    async fn ask_all(
        mut self,
        held_up: &Cell<Duration>,
        tell: Tell<'_>,
    ) -> Result<Findings, Failed> {
        let mut findings = Findings::default();
        let found = |findings: &mut Findings, tell: Tell<'_>, finding: Finding| {
            tell(Progress::Found(&finding));
            findings.add(finding);
        };
        let waits = Waits::of(self.all);
        tell(Progress::Doing("connecting"));
        let (first, redirects) = self.opener.first().await?;
        let handshake = Handshake::of(&first, &self.opener, redirects);
        let of_first = (first.agreed(), first.max_streams);
        let mut talk = Talk::new(first, true, self.opener.over());
        let greeting = asking::greeting(&mut talk, waits).await;
        let spoken = Spoken::new(handshake.subprotocol.as_deref(), greeting.as_deref());
        found(&mut findings, tell, Finding::Handshake(handshake));
        if let Some(spoken) = &spoken {
            found(&mut findings, tell, Finding::Dialect(spoken.clone()));
            self.first = self.first.take().or_else(|| spoken.first_word());
        }
        if self.first.is_some() {
            self.say_first(&mut talk).await;
            // What answers the first word is no answer to what is said next.
            asking::greeting(&mut talk, waits).await;
        }

        let asked = async {
            self.ask(talk, greeting, of_first, waits, &mut |finding| {
                found(&mut findings, tell, finding)
            })
            .await;
            tell(Progress::Doing("watching quiet connections"));
            self.close().await
        };
        let (close, trials, again) = tokio::join!(asked, self.trials(), self.again());
        let watched = trials.iter().map(|(_, tried)| tried.as_ref());
        let watched = watched.filter_map(|tried| Some(tried.ok()?.trial.watched_ns));
        let watched = watched.max().unwrap_or_default();
        let quiet = match &trials[0].1 {
            Ok(tried) => Ok(tried.quiet.clone()),
            Err(failed) => Err(Unknown::new(Question::Quiet, failed)),
        };
        let gap_ns = quiet.as_ref().ok().and_then(|quiet| quiet.mean_gap_ns);
        found(
            &mut findings,
            tell,
            quiet.map_or_else(Finding::Unknown, Finding::Quiet),
        );
        let trials: Vec<Trial> = trials.into_iter().map(trial).collect();
        let idle = idle(&trials, &again, gap_ns, watched);
        found(&mut findings, tell, Finding::Activity(trials));
        found(
            &mut findings,
            tell,
            idle.map_or_else(Finding::Unknown, Finding::Idle),
        );
        found(&mut findings, tell, close);
        if let Some(why) = first_word(&findings, self.first.as_deref()) {
            found(&mut findings, tell, Finding::FirstWord(why));
        }
        if let Some(asked) = self.opener.asked_for() {
            found(&mut findings, tell, Finding::RetryAfter(asked.as_secs()));
        }
        if held_up.get() >= HELD_UP {
            let longest = u64::try_from(held_up.get().as_nanos()).unwrap_or(u64::MAX);
            found(&mut findings, tell, Finding::HeldUp(longest));
        }
        found(
            &mut findings,
            tell,
            Finding::Connections(self.opener.made()),
        );
        Ok(findings)
    }

    /// Asks what takes little time, one after the other.
    async fn ask(
        &self,
        mut talk: Talk,
        greeting: Option<String>,
        (agreed, max_streams): (Option<TlsAgreed>, Option<u32>),
        waits: Waits,
        found: &mut dyn FnMut(Finding),
    ) {
        if let Some(agreed) = agreed {
            found(Finding::Tls(looks::tls(&self.opener, agreed).await));
        }
        found(Finding::Offers(
            looks::offers(&self.opener, max_streams).await,
        ));
        found(Finding::Echo(
            asking::echo(&mut talk, greeting, waits).await,
        ));
        talk.leave().await;
        match self.open(true).await {
            Ok(mut talk) => {
                found(Finding::Pings(asking::pings(&mut talk, waits).await));
                talk.leave().await;
            }
            Err(failed) => found(Finding::Unknown(Unknown::new(Question::Pings, &failed))),
        }
    }

    /// Asks how the server closes.
    async fn close(&self) -> Finding {
        match self.open(false).await {
            Ok(talk) => Finding::Close(asking::close(talk).await),
            Err(failed) => Finding::Unknown(Unknown::new(Question::Close, &failed)),
        }
    }

    /// Opens a connection on which the first word has been said.
    async fn open(&self, answers_pings: bool) -> Result<Talk, Failed> {
        Ok(self.begun(self.opener.open().await?, answers_pings).await)
    }

    async fn begun(&self, connection: RawConnection, answers_pings: bool) -> Talk {
        let mut talk = Talk::new(connection, answers_pings, self.opener.over());
        self.say_first(&mut talk).await;
        talk
    }

    async fn say_first(&self, talk: &mut Talk) {
        if let Some(first) = &self.first {
            talk.send(&[Frame::new(Opcode::Text, first.as_bytes())])
                .await;
        }
    }

    /// Runs all trials side by side.
    async fn trials(&self) -> [(Doing, Result<Tried, Failed>); 5] {
        let [a, b, c, d, e] = Doing::ALL.map(|doing| self.trial(doing));
        let (a, b, c, d, e) = tokio::join!(a, b, c, d, e);
        let [p, q, r, s, t] = Doing::ALL;
        [(p, a), (q, b), (r, c), (s, d), (t, e)]
    }

    /// Looks at silent clients again, some time later.
    async fn again(&self) -> Vec<Trial> {
        let looks = AGAIN
            .iter()
            .flat_map(|part| SILENT.map(|doing| (part, doing)));
        let looks = looks.map(async |(part, doing)| {
            tokio::time::sleep(self.all.mul_f64(*part)).await;
            Some(self.trial(doing).await.ok()?.trial)
        });
        join_all(looks).await.into_iter().flatten().collect()
    }

    async fn trial(&self, doing: Doing) -> Result<Tried, Failed> {
        let connection = self.opener.open_apart().await?;
        let talk = self.begun(connection, doing == Doing::AnswerPings).await;
        Ok(try_out(talk, doing).await)
    }
}

/// Keeps the longest time for which this thread was held up: by which a short sleep was too long.
async fn watch_itself(longest: &Cell<Duration>) -> Infallible {
    loop {
        let due = Instant::now() + LOOKS_EVERY;
        tokio::time::sleep_until(due.into()).await;
        longest.set(longest.get().max(due.elapsed()));
    }
}

/// Whether the server waits for a first word, as far as its findings tell. `said`: what the probe said first.
fn first_word(findings: &Findings, said: Option<&str>) -> Option<FirstWord> {
    let quiet = findings.quiet.as_ref();
    let guess = quiet.and_then(|quiet| quiet.messages.first()?.guess);
    match (&findings.dialect, said) {
        (Some(_), Some(said)) => Some(FirstWord::Said(said.to_owned())),
        (Some(spoken), None) if spoken.dialect.sets_up() => {
            Some(FirstWord::OfDialect(spoken.dialect.name))
        }
        (_, Some(_)) => None,
        (_, None) if guess == Some(NATS) => Some(FirstWord::OfProtocol("NATS")),
        (_, None) => (findings.keeps_nobody()).then_some(FirstWord::NobodyKept),
    }
}

fn trial((doing, tried): (Doing, Result<Tried, Failed>)) -> Trial {
    match tried {
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
    }
}

impl Unknown {
    fn new(question: Question, failed: &Failed) -> Self {
        let failed = reason(failed);
        Self { question, failed }
    }
}
