//! What one says to the broker and hears of it. Each call has a deadline, and ends at once when the server refuses its
//! subject.

use std::future::Future;
use std::time::Duration;

use async_nats::{Client, Request, RequestErrorKind};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::time::{sleep, timeout};

use super::error::Error;
use super::events::{Events, Refusal};
use super::role::Role;
use super::subjects::{RunId, STREAM, Subject, is_of_run};

/// A connected broker. A copy speaks on the same connection.
#[derive(Debug, Clone)]
pub struct Broker {
    pub(super) client: Client,
    pub(super) jetstream: async_nats::jetstream::Context,
    pub(super) events: Events,
    role: Role,
}

/// What somebody answered, or said without being kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Where it was said.
    pub subject: String,
    /// What.
    pub payload: Bytes,
}

/// What all have answered to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replies {
    /// The answers, in the order in which they came.
    pub all: Vec<Reply>,
    /// Whether somebody listens to the question; without it, nobody could have answered.
    pub is_heard: bool,
}

impl Broker {
    pub(super) fn new(client: Client, events: Events, role: Role) -> Self {
        Self {
            jetstream: async_nats::jetstream::new(client.clone()),
            client,
            events,
            role,
        }
    }

    /// What this process is to the others.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether the connection is there at the moment.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }

    /// How often the connection was made so far. A consumer of a server that was started again may be gone.
    #[must_use]
    pub fn connects(&self) -> u64 {
        use std::sync::atomic::Ordering;
        self.client.statistics().connects.load(Ordering::Relaxed)
    }

    /// The most bytes that a message may have, by what the server says.
    #[must_use]
    pub fn max_payload(&self) -> usize {
        self.client.server_info().max_payload
    }

    /// The version of the server, as it says.
    #[must_use]
    pub fn server_version(&self) -> String {
        self.client.server_info().version
    }

    /// Says something that nothing keeps and nobody confirms: a sign of life.
    ///
    /// # Errors
    /// When it could not be handed to the connection in time.
    pub async fn say(
        &self,
        subject: &Subject,
        payload: Bytes,
        limit: Duration,
    ) -> Result<(), Error> {
        const WHAT: &str = "say something";
        let call = async {
            let said = self.client.publish(subject.to_string(), payload).await;
            said.map_err(|error| Error::broker(WHAT, &error))
        };
        self.within(WHAT, limit, |_| false, call).await
    }

    /// Asks, and waits for the first answer.
    ///
    /// # Errors
    /// When nobody is there, no answer comes in time, or the server does not permit it.
    pub async fn ask(
        &self,
        subject: &Subject,
        payload: Bytes,
        limit: Duration,
    ) -> Result<Reply, Error> {
        const WHAT: &str = "ask an agent";
        let request = Request::new().payload(payload).timeout(Some(limit));
        let call = async {
            let answer = self.client.send_request(subject.to_string(), request).await;
            let answer = answer.map_err(|error| match error.kind() {
                RequestErrorKind::NoResponders => Error::Nobody(WHAT),
                RequestErrorKind::TimedOut => Error::TooLate { what: WHAT, limit },
                _ => Error::broker(WHAT, &error),
            })?;
            Ok(Reply {
                subject: answer.subject.to_string(),
                payload: answer.payload,
            })
        };
        let own = subject.as_str();
        self.within(WHAT, limit, |refusal| refusal.subject() == own, call)
            .await
    }

    /// Asks, and takes all answers that come within the time, at most as many as wanted.
    ///
    /// # Errors
    /// When the server does not permit it.
    pub async fn ask_all(
        &self,
        subject: &Subject,
        payload: Bytes,
        time: Duration,
        most: usize,
    ) -> Result<Replies, Error> {
        const WHAT: &str = "ask all agents";
        let own = subject.as_str();
        let mark = self.events.mark();
        let inbox = self.client.new_inbox();
        let subscribed = self.client.subscribe(inbox.clone()).await;
        let mut answers = subscribed.map_err(|error| Error::broker(WHAT, &error))?;
        let asked = self
            .client
            .publish_with_reply(own.to_owned(), inbox.clone(), payload);
        asked.await.map_err(|error| Error::broker(WHAT, &error))?;
        let mut replies = Replies {
            all: Vec::new(),
            is_heard: true,
        };
        let deadline = sleep(time);
        tokio::pin!(deadline);
        loop {
            tokio::select! {
                answer = answers.next() => match answer {
                    // An empty answer with a status: nobody is there.
                    Some(answer) if answer.status.is_some() => {
                        replies.is_heard = false;
                        return Ok(replies);
                    }
                    Some(answer) => replies.all.push(Reply {
                        subject: answer.subject.to_string(),
                        payload: answer.payload,
                    }),
                    None => return Ok(replies),
                },
                () = &mut deadline => return Ok(replies),
                refusal = self.events.refused(mark, |one| [own, &inbox].contains(&one.subject())) => {
                    return Err(self.not_permitted(refusal));
                }
            }
            if replies.all.len() >= most {
                return Ok(replies);
            }
        }
    }

    /// Hears all that is said with these subjects from now on, and is not kept: signs of life.
    ///
    /// # Errors
    /// When the server does not permit it.
    pub async fn hear(&self, subject: &Subject, limit: Duration) -> Result<Subscription, Error> {
        const WHAT: &str = "hear signs of life";
        let own = subject.as_str();
        let call = async {
            let messages = self.client.subscribe(own.to_owned()).await;
            let messages = messages.map_err(|error| Error::broker(WHAT, &error))?;
            self.is_heard(&[own], limit).await?;
            Ok(Subscription { messages })
        };
        self.within(WHAT, limit, |refusal| refusal.subject() == own, call)
            .await
    }

    /// Waits, without end, until the server refuses something of a run: what is said or heard in it, or what the stream is
    /// asked. Counts from this call on.
    pub fn refused_in(&self, run: &RunId) -> impl Future<Output = Error> + Send + use<> {
        let (mark, broker, run) = (self.events.mark(), self.clone(), run.clone());
        async move {
            let concerns = |refusal: &Refusal| {
                let subject = refusal.subject();
                is_of_run(subject, &run) || subject.starts_with("$JS.API.")
            };
            broker.not_permitted(broker.events.refused(mark, concerns).await)
        }
    }

    /// Waits, without end, until the server refuses an answer to a coordinator. Counts from this call on. Returns where it
    /// should have gone.
    pub fn answer_refused(&self) -> impl Future<Output = String> + Send + use<> {
        let (mark, events) = (self.events.mark(), self.events.clone());
        async move {
            let begin = format!("{}.", Role::Coordinator.inbox());
            let is_answer = |refusal: &Refusal| matches!(refusal, Refusal::Publish(subject) if subject.starts_with(&begin));
            events.refused(mark, is_answer).await.subject().to_owned()
        }
    }

    /// The error of a refusal: without its inbox, nothing can be answered to this role.
    fn not_permitted(&self, refusal: Refusal) -> Error {
        match self.is_own_inbox(&refusal) {
            true => Error::NoAnswers(self.role),
            false => Error::NotPermitted(refusal),
        }
    }

    fn is_own_inbox(&self, refusal: &Refusal) -> bool {
        let rest = match refusal {
            Refusal::Subscribe(subject) => subject.strip_prefix(&self.role.inbox()),
            Refusal::Publish(_) => None,
        };
        rest.is_some_and(|rest| rest.starts_with('.'))
    }

    /// Makes sure that the server does not refuse the subscriptions that were just made.
    ///
    /// # Errors
    /// When it refuses one to a subject that begins so, or does not answer in time.
    pub(super) async fn is_heard(&self, begins: &[&str], limit: Duration) -> Result<(), Error> {
        let before = self.events.mark();
        self.round_trip(limit).await?;
        let refused = self.events.since(before).into_iter();
        let mut refused = refused.filter(|refusal| matches!(refusal, Refusal::Subscribe(_)));
        let own = refused.find(|one| begins.iter().any(|begin| one.subject().starts_with(begin)));
        own.map_or(Ok(()), |refusal| Err(self.not_permitted(refusal)))
    }

    /// Waits until the server has seen all that was said before, and has told what it refuses of it.
    ///
    /// # Errors
    /// When it does not answer in time.
    pub(super) async fn round_trip(&self, limit: Duration) -> Result<(), Error> {
        const WHAT: &str = "hear of the NATS server";
        // A question that both roles may ask. If this one may not, that is told after all the rest, too.
        let question = format!("$JS.API.STREAM.INFO.{STREAM}");
        let request = Request::new().timeout(Some(limit));
        let call = async {
            match self.client.send_request(question.clone(), request).await {
                Err(error) if error.kind() != RequestErrorKind::NoResponders => {
                    Err(Error::broker(WHAT, &error))
                }
                Ok(_) | Err(_) => Ok(()),
            }
        };
        let is_question = |refusal: &Refusal| refusal.subject() == question;
        match self.within(WHAT, limit, is_question, call).await {
            Err(Error::NotPermitted(_)) => Ok(()),
            other => other,
        }
    }

    /// Does something until it is done, refused by the server, or too late.
    pub(super) async fn within<T>(
        &self,
        what: &'static str,
        limit: Duration,
        concerns: impl Fn(&Refusal) -> bool,
        call: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let mark = self.events.mark();
        // The inbox of all questions is subscribed to once, so it may have been refused before.
        let inbox = self.events.refused(0, |refusal| self.is_own_inbox(refusal));
        tokio::select! {
            biased;
            done = call => done,
            refusal = inbox => Err(self.not_permitted(refusal)),
            refusal = self.events.refused(mark, concerns) => Err(self.not_permitted(refusal)),
            () = sleep(limit) => Err(Error::TooLate { what, limit }),
        }
    }
}

/// What is said from now on. What is not taken in time is dropped by the client library at 65,536 messages.
#[derive(Debug)]
pub struct Subscription {
    messages: async_nats::Subscriber,
}

impl Subscription {
    /// The next message; `None` if there is none within the time.
    pub async fn next(&mut self, limit: Duration) -> Option<Reply> {
        let message = timeout(limit, self.messages.next()).await.ok()??;
        Some(Reply {
            subject: message.subject.to_string(),
            payload: message.payload,
        })
    }
}
