//! The stream that keeps what was said: made, said into, looked at and tidied up.

use std::time::Duration;

use async_nats::jetstream::context::{GetStreamError, GetStreamErrorKind, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use async_nats::jetstream::{ErrorCode, stream};
use bytes::Bytes;

use super::broker::Broker;
use super::error::Error;
use super::events::Refusal;
use super::subjects::{RunId, STREAM, Subject, stored};

/// How long messages are kept.
const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long the server knows that it has had a message.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(600);
/// The most bytes of a message: a shard is sent in parts of half a mebibyte, with some room for what stands around it.
pub(super) const MAX_MESSAGE: i32 = 576 << 10;

/// What making it is called in errors.
const MAKE: &str = "make the stream";

/// What bounds the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes; the oldest messages go first.
    pub bytes: i64,
    /// On how many servers of a cluster of NATS servers it is kept.
    pub replicas: usize,
}

impl Limits {
    /// The fewest bytes that are of use: with fewer, what was said at the begin of a run is gone before its end.
    pub const LEAST_BYTES: u64 = 64 << 20;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 4 << 30,
            replicas: 1,
        }
    }
}

/// What making the stream came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// It was not there.
    New,
    /// It was there with other limits, and has these now.
    Changed,
    /// It was there as it should be.
    AsItWas,
}

/// How full the stream is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// As many messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The most bytes; `None` without a limit.
    pub max_bytes: Option<u64>,
}

/// What the stream said of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// Its number in the stream.
    pub sequence: u64,
    /// Whether the stream has had it already, and kept it only once.
    pub duplicate: bool,
}

impl Broker {
    /// Makes the stream, or gives it these limits.
    ///
    /// # Errors
    /// When the server does not permit it, has no JetStream or no room.
    pub async fn init(&self, limits: Limits, limit: Duration) -> Result<Made, Error> {
        // Old servers take any number, and keep the stream once.
        let cluster = self.client.server_info().cluster.unwrap_or_default();
        if limits.replicas > 1 && cluster.is_empty() {
            return Err(Error::Alone(limits.replicas));
        }
        let call = self.make(config(limits));
        self.within(MAKE, limit, is_of_streams, call).await
    }

    async fn make(&self, wanted: Config) -> Result<Made, Error> {
        match self.jetstream.get_stream(&wanted.name).await {
            Ok(stream) if is_same(&stream.cached_info().config, &wanted) => Ok(Made::AsItWas),
            Ok(_) => {
                let changed = self.jetstream.update_stream(wanted).await;
                changed.map_err(|error| Error::broker(MAKE, &error))?;
                Ok(Made::Changed)
            }
            Err(error) if is_absent(&error) => {
                let made = self.jetstream.create_stream(wanted).await;
                made.map_err(|error| Error::broker(MAKE, &error))?;
                Ok(Made::New)
            }
            Err(error) => Err(Error::broker(MAKE, &error)),
        }
    }

    /// The most bytes of what is kept.
    #[must_use]
    pub fn max_message(&self) -> usize {
        self.max_payload().min(MAX_MESSAGE as usize)
    }

    /// Says something that is kept, and waits until it is. With the same `id` it is kept only once.
    ///
    /// # Errors
    /// When it is not confirmed in time (it may be kept all the same, so say it again with its `id`), is too long, or is not permitted.
    pub async fn publish(
        &self,
        subject: &Subject,
        id: &str,
        payload: Bytes,
        limit: Duration,
    ) -> Result<Ack, Error> {
        const WHAT: &str = "have a message kept";
        let most = self.max_message();
        if payload.len() > most {
            return Err(Error::TooLong {
                what: WHAT,
                bytes: payload.len(),
                limit: most,
            });
        }
        let message = PublishMessage::build().payload(payload).message_id(id);
        let call = async {
            let failed = |error: async_nats::jetstream::context::PublishError| match error.kind() {
                PublishErrorKind::StreamNotFound => Error::Missing(WHAT),
                PublishErrorKind::TimedOut => Error::TooLate { what: WHAT, limit },
                _ => Error::broker(WHAT, &error),
            };
            let sent = self.jetstream.send_publish(subject.to_string(), message);
            let ack = sent.await.map_err(failed)?.await.map_err(failed)?;
            Ok(Ack {
                sequence: ack.sequence,
                duplicate: ack.duplicate,
            })
        };
        let own = subject.as_str();
        self.within(WHAT, limit, |refusal| refusal.subject() == own, call)
            .await
    }

    /// Removes what the stream keeps of a run. Returns the number of messages.
    ///
    /// # Errors
    /// When the stream is not there, or the server does not permit it.
    pub async fn purge(&self, run: &RunId, limit: Duration) -> Result<u64, Error> {
        const WHAT: &str = "remove a run";
        let call = async {
            let stream = self.stream(WHAT, limit).await?;
            let purged = stream.purge().filter(Subject::everything(run).to_string());
            let purged = purged.await.map_err(|error| Error::broker(WHAT, &error))?;
            Ok(purged.purged)
        };
        self.within(WHAT, limit, is_of_streams, call).await
    }

    pub(super) async fn stream(
        &self,
        what: &'static str,
        limit: Duration,
    ) -> Result<stream::Stream, Error> {
        let stream = self.jetstream.get_stream(STREAM).await;
        stream.map_err(|error| absent(what, limit, &error))
    }

    /// How full the stream is.
    pub(super) async fn state(&self, limit: Duration) -> Result<State, Error> {
        const WHAT: &str = "look at the stream";
        let call = async {
            let stream = self.stream(WHAT, limit).await?;
            let info = stream.cached_info();
            Ok(State {
                messages: info.state.messages,
                bytes: info.state.bytes,
                max_bytes: u64::try_from(info.config.max_bytes)
                    .ok()
                    .filter(|most| *most > 0),
            })
        };
        self.within(WHAT, limit, is_of_streams, call).await
    }
}

fn absent(what: &'static str, limit: Duration, error: &GetStreamError) -> Error {
    match error.kind() {
        _ if is_absent(error) => Error::Missing(what),
        GetStreamErrorKind::Request if error.to_string().contains("timed out") => {
            Error::TooLate { what, limit }
        }
        _ => Error::broker(what, error),
    }
}

fn is_absent(error: &GetStreamError) -> bool {
    matches!(error.kind(), GetStreamErrorKind::JetStream(why) if why.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

/// Whether a stream has what wsbench wants of it. The server fills in the rest.
fn is_same(there: &Config, wanted: &Config) -> bool {
    let bounds = |config: &Config| {
        let times = (config.max_age, config.duplicate_window);
        let sizes = (config.max_bytes, config.max_message_size);
        (times, sizes, config.num_replicas)
    };
    let mut subjects = [there.subjects.clone(), wanted.subjects.clone()];
    subjects.iter_mut().for_each(|list| list.sort());
    bounds(there) == bounds(wanted) && subjects[0] == subjects[1]
}

/// Whether a refusal is about the stream, whose calls use several subjects.
pub(super) fn is_of_streams(refusal: &Refusal) -> bool {
    ["$JS.", "_INBOX"]
        .iter()
        .any(|begin| refusal.subject().starts_with(begin))
}

fn config(limits: Limits) -> Config {
    Config {
        name: STREAM.to_owned(),
        description: Some("What the processes of wsbench's runs said to each other".to_owned()),
        subjects: stored(),
        storage: StorageType::File,
        discard: DiscardPolicy::Old,
        max_age: MAX_AGE,
        max_bytes: limits.bytes,
        max_message_size: MAX_MESSAGE,
        duplicate_window: DUPLICATE_WINDOW,
        num_replicas: limits.replicas,
        ..Config::default()
    }
}
