//! An agent, as it waits for a run: found by coordinators, asked by them, and one thing at a time.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::error::FleetError;
use super::message::{Answer, Leave, Offer, decode, encode};
use super::steady::Steady;
use crate::cluster::{AgentId, Broker, Call, Card, Error, Link, Question, Served};
use crate::units::visible;

/// How long one call of the broker may take.
pub(super) const CALL: Duration = Duration::from_secs(5);
/// The time between two looks at whether there is still somebody to tell.
const LOOK: Duration = Duration::from_secs(1);

/// This process as an agent, until it is dropped.
#[derive(Debug)]
pub struct Agent {
    pub(super) link: Link,
    pub(super) id: AgentId,
    pub(super) steady: Steady,
    card: Arc<Mutex<Card>>,
    heard: Receiver<Heard>,
    /// Why it cannot be asked any more.
    failed: Arc<OnceLock<Error>>,
}

/// What an agent was told.
#[derive(Debug)]
pub enum Heard {
    /// An offer that waits for its answer.
    Offer(Box<Offered>),
    /// It is of no use to any run that goes on, for this reason.
    Leave(String),
}

/// An offer that waits for its answer.
#[derive(Debug)]
pub struct Offered {
    /// The offer.
    pub offer: Offer,
    question: Question,
}

impl Agent {
    /// Becomes an agent with this card.
    ///
    /// # Errors
    /// When the broker does not permit it.
    pub fn begin(link: Link, card: Card) -> Result<Self, FleetError> {
        let steady = Steady::start();
        let card = Arc::new(Mutex::new(card));
        let shown = card.clone();
        let served = link.call(move |broker| async move {
            let card = move || shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
            broker.serve(card, move || steady.now_ns(), CALL).await
        })?;
        let id = served.id.clone();
        let (tell, heard) = sync_channel(1);
        let failed = Arc::new(OnceLock::new());
        let (broker, why) = (link.broker().clone(), failed.clone());
        let answering = Answering {
            served,
            card: card.clone(),
            tell,
            offered: Arc::default(),
        };
        link.handle().spawn(async move {
            let offered = answering.offered.clone();
            // The reason is there before the end of `answering` is seen.
            let failing = async {
                let _ = why.set(may_not_answer(broker, offered).await);
            };
            tokio::select! {
                () = answering.run() => {}
                () = failing => {}
            }
        });
        Ok(Self {
            link,
            id,
            steady,
            card,
            heard,
            failed,
        })
    }

    /// How it is called.
    pub fn id(&self) -> &AgentId {
        &self.id
    }

    /// When its clock, which coordinators ask, says this.
    pub fn instant(&self, ns: u64) -> Option<Instant> {
        self.steady.instant(ns)
    }

    /// Waits for what it is told; `None` if that is nothing within the time.
    ///
    /// # Errors
    /// When it may not answer what it is asked, or the thread of the connection has ended.
    pub fn next(&self, limit: Duration) -> Result<Option<Heard>, FleetError> {
        match self.heard.recv_timeout(limit) {
            Ok(heard) => Ok(Some(heard)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => {
                let ended = || Error::Thread("it has ended".to_owned());
                Err(self.failed.get().cloned().unwrap_or_else(ended).into())
            }
        }
    }

    /// Answers an offer.
    ///
    /// # Errors
    /// When the broker cannot be told.
    pub fn answer(&self, offered: Offered, answer: &Answer) -> Result<(), FleetError> {
        let bytes = encode(answer);
        let Offered { question, .. } = offered;
        let answered = self
            .link
            .call(|_| async move { question.answer(bytes.into()).await });
        Ok(answered?)
    }

    /// Tells whoever asks that it takes another run: the last that was offered is refused, or over.
    pub fn is_free(&self) {
        plays_now(&self.card, None);
    }
}

fn plays_now(card: &Mutex<Card>, run: Option<&str>) {
    let mut card = card.lock().unwrap_or_else(PoisonError::into_inner);
    card.run = run.map(str::to_owned);
}

/// How long after a new connection the answer to a question of the old one may still be refused.
const SETTLES: Duration = Duration::from_secs(5);

/// Waits, without end, until it is sure that the server does not permit this agent to answer. A server permits one answer
/// within two minutes, and knows nothing of questions of another connection: what is answered later says nothing.
async fn may_not_answer(broker: Broker, offered: Arc<Mutex<Option<String>>>) -> Error {
    let begun = broker.connects();
    let mut connects = (begun, Instant::now());
    let mut refused = Box::pin(broker.answer_refused());
    loop {
        let to = tokio::select! {
            to = &mut refused => Some(to),
            () = tokio::time::sleep(LOOK) => None,
        };
        if to.is_some() {
            refused = Box::pin(broker.answer_refused());
        }
        if broker.connects() != connects.0 {
            connects = (broker.connects(), Instant::now());
        }
        let settles = connects.0 != begun && connects.1.elapsed() < SETTLES;
        let offered = offered.lock().unwrap_or_else(PoisonError::into_inner);
        if to.is_some() && !settles && to != *offered {
            return Error::MayNotAnswer;
        }
    }
}

/// Passes on what an agent is asked, and answers itself while the agent is busy.
struct Answering {
    served: Served,
    card: Arc<Mutex<Card>>,
    tell: SyncSender<Heard>,
    /// Where the answer to the last offer goes, which takes its time.
    offered: Arc<Mutex<Option<String>>>,
}

impl Answering {
    async fn run(self) {
        let Self {
            mut served,
            card,
            tell,
            offered: last,
        } = self;
        loop {
            let Some(question) = served.next(LOOK).await else {
                continue;
            };
            let heard = match question.call {
                Call::Clock => continue,
                Call::Stop => {
                    let leave = decode::<Leave>(&question.payload);
                    let _ = question.answer(Vec::new().into()).await;
                    match leave {
                        Ok(leave) => Heard::Leave(visible(&leave.why)),
                        Err(_) => continue,
                    }
                }
                Call::Offer => {
                    let plays = card
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .run
                        .clone();
                    let refused = match (decode::<Offer>(&question.payload), plays) {
                        (Ok(_), Some(run)) => Answer::Busy(run),
                        (Ok(offer), None) => {
                            // One at a time: who asks while it is being prepared hears so at once.
                            plays_now(&card, Some(&offer.run));
                            *last.lock().unwrap_or_else(PoisonError::into_inner) =
                                question.reply().map(str::to_owned);
                            let offered = Box::new(Offered { offer, question });
                            match tell.try_send(Heard::Offer(offered)) {
                                Ok(()) => continue,
                                Err(TrySendError::Disconnected(_)) => return,
                                Err(TrySendError::Full(heard)) => {
                                    plays_now(&card, None);
                                    if let Heard::Offer(offered) = heard {
                                        let busy = encode(&Answer::Busy("another one".to_owned()));
                                        let _ = offered.question.answer(busy.into()).await;
                                    }
                                    continue;
                                }
                            }
                        }
                        (Err(error), _) => Answer::Refused(format!("it failed to {error}")),
                    };
                    let _ = question.answer(encode(&refused).into()).await;
                    continue;
                }
            };
            if let Err(TrySendError::Disconnected(_)) = tell.try_send(heard) {
                return;
            }
        }
    }
}
