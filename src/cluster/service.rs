//! How agents are found and asked: the side that asks, and the side that answers.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::service::{self, Service, ServiceExt as _, endpoint::Endpoint};
use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::{Deserialize, Serialize};
use strum::IntoEnumIterator as _;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::broker::Broker;
use super::clock::{Offset, Sample, best};
use super::error::Error;
use super::events::Refusal;
use super::subjects::{AgentId, Call, SERVICE, Subject};

/// How many questions may wait for an agent; more are dropped, and asked again by who asks.
const QUESTIONS: usize = 64;

/// What the subjects begin with by which agents are found and asked.
const OWN: [&str; 2] = ["$SRV.", "wsb-said.agent."];

/// What an agent says of itself to whoever looks for agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// What people call it.
    pub name: String,
    /// The version of wsbench.
    pub wsbench: String,
    /// The machine.
    pub host: String,
    /// As many workers as it plays with.
    pub workers: u32,
    /// As many descriptors as its process may have.
    pub descriptors: u64,
    /// The run that it plays, if it does.
    pub run: Option<String>,
}

/// An agent that answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// How it is called.
    pub id: AgentId,
    /// What it says of itself.
    pub card: Card,
}

/// What came of the question who is there.
pub(super) struct Survey {
    pub(super) seen: Vec<Seen>,
    /// Whether somebody listens to it and nobody has answered.
    pub(super) is_silent: bool,
}

/// What the server's discovery answers; the card is the data of each of its endpoints.
#[derive(Deserialize)]
struct Statistics {
    id: String,
    endpoints: Vec<OfEndpoint>,
}

#[derive(Deserialize)]
struct OfEndpoint {
    data: Option<Card>,
}

impl Broker {
    /// All agents that answer within the time, at most as many as wanted, by their names.
    ///
    /// # Errors
    /// When the server does not permit it.
    pub async fn agents(&self, time: Duration, most: usize) -> Result<Vec<Seen>, Error> {
        Ok(self.survey(time, most).await?.seen)
    }

    /// The same, and whether somebody listens who did not answer.
    ///
    /// # Errors
    /// When the server does not permit it.
    pub(super) async fn survey(&self, time: Duration, most: usize) -> Result<Survey, Error> {
        let discovery = Subject::discovery();
        let replies = self.ask_all(&discovery, Bytes::new(), time, most).await?;
        // Takes each agent once, whatever it sends.
        let mut seen = BTreeMap::new();
        for reply in &replies.all {
            // Whoever says something else is no agent of this version.
            let Ok(said) = serde_json::from_slice::<Statistics>(&reply.payload) else {
                continue;
            };
            let card = said.endpoints.into_iter().find_map(|one| one.data);
            let id = said.id.parse::<AgentId>().ok();
            if let Some((id, card)) = id.zip(card) {
                seen.insert(id.clone(), Seen { id, card });
            }
        }
        let mut seen: Vec<Seen> = seen.into_values().collect();
        seen.sort_by(|a, b| (&a.card.name, &a.id).cmp(&(&b.card.name, &b.id)));
        Ok(Survey {
            seen,
            is_silent: replies.is_heard && replies.all.is_empty(),
        })
    }

    /// How far an agent's clock is ahead of `clock`, by the quickest of so many questions. Both count nanoseconds since
    /// 1970.
    ///
    /// # Errors
    /// When the agent does not answer, or says no time.
    pub async fn offset(
        &self,
        agent: &AgentId,
        clock: impl Fn() -> u64,
        times: usize,
        limit: Duration,
    ) -> Result<Offset, Error> {
        const WHAT: &str = "compare the clock of an agent";
        let mut samples = Vec::new();
        for _ in 0..times {
            let sent_ns = clock();
            let subject = Subject::call(agent, Call::Clock);
            let reply = self.ask(&subject, Bytes::new(), limit);
            let reply = reply.await?;
            let received_ns = clock();
            let text = std::str::from_utf8(&reply.payload).ok();
            let theirs_ns = text.and_then(|text| text.parse().ok());
            let theirs_ns = theirs_ns.ok_or_else(|| Error::Broker {
                what: WHAT,
                why: "its answer is no time".to_owned(),
            })?;
            samples.push(Sample {
                sent_ns,
                theirs_ns,
                received_ns,
            });
        }
        best(&samples).ok_or_else(|| Error::Broker {
            what: WHAT,
            why: "the clocks are too far apart".to_owned(),
        })
    }

    /// Makes this process an agent that can be found and asked. What its clock says is answered at once, everything else
    /// is a question for who calls this. `card` tells what it is and does at the moment.
    ///
    /// # Errors
    /// When the server does not permit it.
    pub async fn serve(
        &self,
        card: impl Fn() -> Card + Send + Sync + 'static,
        clock: impl Fn() -> u64 + Send + 'static,
        limit: Duration,
    ) -> Result<Served, Error> {
        const WHAT: &str = "answer questions";
        let failed = |error: async_nats::Error| Error::Broker {
            what: WHAT,
            why: error.to_string(),
        };
        let call =
            async {
                // Who cannot hear answers either has the key of another role, which is said so.
                self.round_trip(limit).await?;
                let service = self.client.service_builder();
                let service = service
                    .stats_handler(move |_, _| serde_json::to_value(card()).unwrap_or_default());
                let service = service.start(SERVICE, env!("CARGO_PKG_VERSION"));
                let service = service.await.map_err(failed)?;
                let id: AgentId = service.info().await.id.parse().map_err(
                    |error: super::subjects::TokenError| Error::Broker {
                        what: WHAT,
                        why: error.to_string(),
                    },
                )?;
                let (tell, questions) = mpsc::channel(QUESTIONS);
                for call in Call::iter().filter(|call| *call != Call::Clock) {
                    let endpoint = service.endpoint(Subject::call(&id, call));
                    let endpoint = endpoint.await.map_err(failed)?;
                    tokio::spawn(pass_on(endpoint, call, tell.clone()));
                }
                let endpoint = service.endpoint(Subject::call(&id, Call::Clock));
                tokio::spawn(tell_time(endpoint.await.map_err(failed)?, clock));
                self.is_heard(&OWN, limit).await?;
                Ok(Served {
                    id,
                    questions,
                    _service: service,
                })
            };
        let of_discovery =
            |refusal: &Refusal| OWN.iter().any(|begin| refusal.subject().starts_with(begin));
        self.within(WHAT, limit, of_discovery, call).await
    }
}

/// A process that can be found and asked, until this is dropped.
pub struct Served {
    /// How it is called.
    pub id: AgentId,
    questions: mpsc::Receiver<Question>,
    _service: Service,
}

impl std::fmt::Debug for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Served")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Served {
    /// The next question; `None` if there is none within the time.
    pub async fn next(&mut self, limit: Duration) -> Option<Question> {
        timeout(limit, self.questions.recv()).await.ok()?
    }
}

/// What somebody asks of an agent.
#[derive(Debug)]
pub struct Question {
    /// What about.
    pub call: Call,
    /// What else there is to know.
    pub payload: Bytes,
    request: service::Request,
}

impl Question {
    /// Where its answer goes.
    #[must_use]
    pub fn reply(&self) -> Option<&str> {
        self.request.message.reply.as_deref()
    }

    /// Answers it.
    ///
    /// # Errors
    /// When the connection has ended.
    pub async fn answer(&self, payload: Bytes) -> Result<(), Error> {
        let answered = self.request.respond(Ok(payload)).await;
        answered.map_err(|error| Error::broker("answer a question", &error))
    }
}

async fn pass_on(mut endpoint: Endpoint, call: Call, tell: mpsc::Sender<Question>) {
    while let Some(request) = endpoint.next().await {
        let question = Question {
            call,
            payload: request.message.payload.clone(),
            request,
        };
        if let Err(mpsc::error::TrySendError::Closed(_)) = tell.try_send(question) {
            return;
        }
    }
}

async fn tell_time(mut endpoint: Endpoint, clock: impl Fn() -> u64) {
    while let Some(request) = endpoint.next().await {
        let now = clock().to_string();
        if request.respond(Ok(now.into())).await.is_err() {
            return;
        }
    }
}
