//! Makes the trials, some at a time, and judges what they saw.

use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::super::failure::reason;
use super::super::findings::How;
use super::super::frame::{Frame, Opcode};
use super::super::opener::{Failed, Opener, PATIENCE, REDIRECTS};
use super::super::talk::{STUCK, Talk};
use super::handshake::breaks_a_rule;
use super::judged::{Judged, Outcome};
use super::log::{Came, Log, Seen, What, code};
use super::rules::{is_request, judged, needed};
use super::trial::{ANSWER, Answers, Awaits, Script, Step, Trial};
use crate::measure::TcpEnding;
use crate::net::TlsError;
use crate::scenario::{HttpVersion, Target, WsUrl};
use crate::units::{Nanos, Timestamp};

/// How many trials are made at a time, beside those that last.
const AT_A_TIME: usize = 6;

/// A test of the rules that is ready to start.
pub struct Conformance {
    opener: Opener,
    watch: Duration,
    /// What each client says first.
    first: Option<String>,
}

/// How a server stands to the rules.
#[derive(Debug)]
pub struct Outcomes {
    /// Each rule.
    pub rules: Vec<Judged>,
    /// How many connections were dialled.
    pub connections: u32,
}

impl Outcomes {
    /// Whether a rule that has to be kept was broken.
    pub fn breaks_a_must(&self) -> bool {
        let mut rules = self.rules.iter();
        rules.any(|judged| judged.outcome == Outcome::Fail && judged.rule.level.is_must())
    }
}

impl Conformance {
    /// The most connections that are opened in all.
    pub fn connections() -> usize {
        REDIRECTS + 1 + needed().count()
    }

    /// The most that it takes, not counting dials: `watch` for the quiet connection, and the time that trials one after the
    /// other wait for answers that do not come.
    pub fn longest(watch: Duration) -> Duration {
        let short: Vec<Trial> = short().collect();
        let waves = short.chunks(AT_A_TIME).map(|wave| {
            let each = wave
                .iter()
                .map(|trial| trial.longest(watch) + Duration::from(STUCK));
            each.max().unwrap_or_default() + ANSWER
        });
        let lasting = LASTING.iter().map(|trial| trial.longest(watch));
        lasting.fold(waves.sum::<Duration>(), Duration::max) + PATIENCE
    }

    /// Makes a test of the server at this address, which watches a quiet connection for `watch`.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(
        url: &WsUrl,
        mut target: Target,
        watch: Duration,
        first: Option<String>,
    ) -> Result<Self, TlsError> {
        // Reserved bits have no meaning without it.
        target.access.compression = None;
        let dials = target.connect_timeout * Self::connections() as u32;
        let over = Instant::now() + Self::longest(watch) + dials;
        Ok(Self {
            opener: Opener::new(url, target, over)?,
            watch,
            first,
        })
    }

    /// Makes all trials and judges the rules.
    ///
    /// # Errors
    /// When the first connection cannot be made, for another reason than a rule.
    pub async fn run(mut self, tell: &mut dyn FnMut(&str)) -> Result<Outcomes, Failed> {
        tell("connecting");
        let mut seen = Seen::default();
        match self.opener.first().await {
            Ok((connection, _)) => {
                Talk::new(connection, true, self.opener.over())
                    .leave()
                    .await
            }
            Err(failed) if breaks_a_rule(failed.cause) => {
                seen.refused = Some((failed.cause, failed.detail));
            }
            Err(failed) => return Err(failed),
        }
        if seen.refused.is_none() {
            let lasting = LASTING.map(|trial| self.trial(trial));
            let (lasting, others) = tokio::join!(join_all(lasting), self.others(tell));
            seen.logs = others;
            seen.logs.extend(LASTING.into_iter().zip(lasting));
        }
        Ok(Outcomes {
            rules: judged(&seen),
            connections: self.opener.made(),
        })
    }

    /// Makes the short trials. One connection is open all the time, and is asked at the end whether it is still there.
    async fn others(&self, tell: &mut dyn FnMut(&str)) -> Vec<(Trial, Log)> {
        let mut bystander = self.open(Trial::Bystander).await;
        let mut logs = Vec::new();
        let short: Vec<Trial> = short().collect();
        for wave in short.chunks(AT_A_TIME) {
            tell(wave[0].words());
            let made = wave.iter().map(|trial| self.trial(*trial));
            logs.extend(wave.iter().copied().zip(join_all(made).await));
        }
        let log = match &mut bystander {
            Ok(talk) => self.play(talk, Trial::Bystander).await,
            Err(failed) => Log {
                failed: Some(failed.clone()),
                ..Log::default()
            },
        };
        if let Ok(talk) = bystander {
            talk.leave().await;
        }
        logs.push((Trial::Bystander, log));
        tell("watching a quiet connection");
        logs
    }

    async fn open(&self, trial: Trial) -> Result<Talk, String> {
        let opened = self.opener.open().await;
        let connection = opened.map_err(|failed| reason(&failed))?;
        let mut talk = Talk::new(connection, trial.answers().pings, self.opener.over());
        if let Some(first) = &self.first {
            talk.send(&[Frame::new(Opcode::Text, first.as_bytes())])
                .await;
        }
        Ok(talk)
    }

    async fn trial(&self, trial: Trial) -> Log {
        let failed = |failed| Log {
            failed: Some(failed),
            ..Log::default()
        };
        if is_request(trial) {
            return self.ask(trial).await.unwrap_or_else(failed);
        }
        match self.open(trial).await {
            Ok(mut talk) => {
                let log = self.play(&mut talk, trial).await;
                if log.close().is_none() && log.end().is_none() && log.breach().is_none() {
                    talk.leave().await;
                }
                log
            }
            Err(why) => failed(why),
        }
    }

    async fn ask(&self, trial: Trial) -> Result<Log, String> {
        let target = &self.opener.target;
        if target.access.http != HttpVersion::One {
            return Err("over HTTP/2 there is no such request".to_owned());
        }
        let asked = (self.opener.dialer().url(), &target.access.ask);
        let Script::Request(request) = trial.script(self.watch, Some(asked)) else {
            return Err("it is no request".to_owned());
        };
        let answer = self.opener.ask(request.as_bytes(), ANSWER).await;
        Ok(Log {
            answer: answer.map_err(|failed| reason(&failed))?,
            ..Log::default()
        })
    }

    async fn play(&self, talk: &mut Talk, trial: Trial) -> Log {
        let Script::Steps(steps) = trial.script(self.watch, None) else {
            return Log::default();
        };
        let mut player = Player {
            talk,
            log: Log::default(),
            answers: trial.answers(),
        };
        for step in &steps {
            if !player.step(step).await {
                break;
            }
        }
        let waits = trial.watches_close(self.watch);
        player.close(is_close(&steps), waits).await;
        player.log.until_ns = player.talk.now().as_nanos();
        player.log
    }
}

/// The trials that take little time.
fn short() -> impl Iterator<Item = Trial> {
    needed().filter(|trial| *trial != Trial::Bystander && !LASTING.contains(trial))
}

/// The trials that are made beside all others: two quiet connections, and one that is closed, watched as long.
const LASTING: [Trial; 3] = [Trial::Quiet, Trial::Deaf, Trial::Close1000];

/// Whether the client has sent a Close of its own.
fn is_close(steps: &[Step]) -> bool {
    let is_close = |step: &Step| step.bytes.first().is_some_and(|first| first & 0x0f == 0x8);
    steps.iter().any(is_close)
}

/// Plays the steps of one connection, and writes down what comes.
struct Player<'t> {
    talk: &'t mut Talk,
    log: Log,
    answers: Answers,
}

impl Player<'_> {
    /// Sends one step and waits for what it waits for. Returns whether that came, and the connection goes on.
    async fn step(&mut self, step: &Step) -> bool {
        let sent = self.talk.now();
        self.log.sent_ns.push(sent.as_nanos());
        if !step.bytes.is_empty() && !self.talk.write(&step.bytes).await {
            self.add(sent, What::Stuck);
            return false;
        }
        let deadline = sent + step.limit.into();
        let mut message = Vec::new();
        while let Some(what) = self.next(deadline).await {
            let What::Frame(frame) = what else {
                return false;
            };
            match (frame.opcode, &step.awaits) {
                (Opcode::Close, _) => return false,
                (Opcode::Pong, Awaits::Pong(payload)) if frame.payload == *payload => return true,
                (Opcode::Text | Opcode::Binary | Opcode::Continuation, Awaits::Message(whole)) => {
                    message.extend_from_slice(&frame.payload);
                    if frame.fin {
                        if message == *whole {
                            return true;
                        }
                        message.clear();
                    }
                }
                _ => {}
            }
        }
        // A ping without an answer is asked once more by the step that waits for it, too.
        matches!(&step.awaits, Awaits::Pong(payload) if payload == b"within")
    }

    /// After the server's Close: sends ours, unless that was sent or the client is deaf, and waits for the end of TCP.
    async fn close(&mut self, was_sent: bool, waits: Duration) {
        let Some((_, frame)) = self.log.close() else {
            if self.log.breach().is_some() {
                self.drain(self.talk.now() + ANSWER.into()).await;
            }
            return;
        };
        if !was_sent && self.answers.close {
            let answer = Frame::close(code(frame)).bytes();
            self.talk.write(&answer).await;
        }
        let now = self.talk.now();
        if was_sent || self.answers.close {
            self.log.closed_ns = Some(now.as_nanos());
        }
        let deadline = now + waits.into();
        while let Some(what) = self.next(deadline).await {
            if !matches!(what, What::Frame(_)) {
                self.drain(deadline).await;
                break;
            }
        }
    }

    /// After bytes that are no frames: waits for the end of TCP.
    async fn drain(&mut self, deadline: Timestamp) {
        if self.log.end().is_some() {
            return;
        }
        let now = self.talk.now();
        if let Some(tcp) = self.talk.tcp_end(deadline, now).await {
            let end = match tcp.reset {
                true => TcpEnding::Rst,
                false => TcpEnding::Fin,
            };
            self.add(now + Nanos(tcp.after_ns), What::End(end));
        }
    }

    /// Waits for the next thing, writes it down, and answers pings.
    async fn next(&mut self, deadline: Timestamp) -> Option<What> {
        // What is kept of one connection has a limit.
        if self.log.came.len() >= MOST {
            return None;
        }
        let (at, came) = self.talk.frame(deadline).await?;
        let what = match came {
            Ok(frame) => What::Frame(frame),
            Err(How::Broken(breach)) => What::Breach(breach),
            Err(How::Rst) => What::End(TcpEnding::Rst),
            Err(How::Stuck) => What::Stuck,
            Err(How::Fin | How::Close { .. }) => What::End(TcpEnding::Fin),
        };
        if let What::Frame(frame) = &what
            && frame.opcode == Opcode::Ping
            && self.answers.pings
        {
            let pong = Frame::new(Opcode::Pong, frame.payload.clone()).bytes();
            self.talk.write(&pong).await;
        }
        self.add(at, what.clone());
        Some(what)
    }

    fn add(&mut self, at: Timestamp, what: What) {
        self.log.came.push(Came {
            at_ns: at.as_nanos(),
            step: self.log.sent_ns.len().saturating_sub(1),
            what,
        });
    }
}

/// The most that is kept of one connection.
const MOST: usize = 1000;
