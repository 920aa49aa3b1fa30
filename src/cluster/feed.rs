//! What the stream keeps, read in its order.

use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::consumer::pull::{Ordered, OrderedConfig};
use bytes::Bytes;
use futures_util::StreamExt as _;
use tokio::time::{Instant, sleep, timeout};

use super::broker::Broker;
use super::error::Error;
use super::store::is_of_streams;
use super::subjects::Subject;

/// How long to wait before the stream is read again.
const AGAIN: Duration = Duration::from_millis(100);

/// A message of the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is about.
    pub subject: String,
    /// Its number in the stream.
    pub sequence: u64,
    /// When the stream took it, by the server's clock, in nanoseconds since 1970.
    pub stored_ns: i128,
    /// What it says.
    pub payload: Bytes,
    /// How many more there were for the reader when this one was sent to it.
    pub pending: u64,
}

/// What the stream keeps of some subjects, in its order, each once. Goes on where it was after the connection or the server
/// was gone.
pub struct Feed {
    broker: Broker,
    subjects: Subject,
    headers_only: bool,
    /// `None` after the server has lost its reader.
    messages: Option<Ordered>,
    /// The number in the stream of the last message that was read.
    last: u64,
    /// How many messages there were when it began.
    pub pending: u64,
}

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed")
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}

impl Feed {
    /// The next message; `None` if there is none within the time, or the server is away.
    ///
    /// # Errors
    /// When the stream is gone, or reading it is not permitted any more.
    pub async fn next(&mut self, limit: Duration) -> Result<Option<Entry>, Error> {
        let deadline = Instant::now() + limit;
        loop {
            let rest = deadline.saturating_duration_since(Instant::now());
            let Some(messages) = &mut self.messages else {
                let again = self
                    .broker
                    .reader(&self.subjects, self.headers_only, self.last, rest);
                match again.await {
                    Ok((messages, _)) => self.messages = Some(messages),
                    Err(error @ (Error::Missing(_) | Error::NotPermitted(_))) => {
                        return Err(error);
                    }
                    // The server is away, or not yet what it was.
                    Err(_) if rest <= AGAIN => return Ok(None),
                    Err(_) => sleep(AGAIN).await,
                }
                continue;
            };
            match timeout(rest, messages.next()).await {
                Err(_) => return Ok(None),
                Ok(Some(Ok(message))) => {
                    let Some(entry) = entry(&message) else {
                        continue;
                    };
                    if entry.sequence > self.last {
                        self.last = entry.sequence;
                        return Ok(Some(entry));
                    }
                }
                Ok(Some(Err(_)) | None) => self.messages = None,
            }
        }
    }
}

/// `None` for what is no message of a stream.
fn entry(message: &async_nats::jetstream::Message) -> Option<Entry> {
    let info = message.info().ok()?;
    Some(Entry {
        subject: message.subject.to_string(),
        sequence: info.stream_sequence,
        stored_ns: info.published.unix_timestamp_nanos(),
        pending: info.pending,
        payload: message.payload.clone(),
    })
}

impl Broker {
    /// Reads what the stream keeps of these subjects, from its begin, and what comes.
    ///
    /// # Errors
    /// When the stream is not there, or reading it is not permitted.
    pub async fn follow(&self, subjects: &Subject, limit: Duration) -> Result<Feed, Error> {
        self.feed(subjects, false, limit).await
    }

    /// The same without what the messages say.
    pub(super) async fn glance(&self, subjects: &Subject, limit: Duration) -> Result<Feed, Error> {
        self.feed(subjects, true, limit).await
    }

    async fn feed(
        &self,
        subjects: &Subject,
        headers_only: bool,
        limit: Duration,
    ) -> Result<Feed, Error> {
        let (messages, pending) = self.reader(subjects, headers_only, 0, limit).await?;
        Ok(Feed {
            broker: self.clone(),
            subjects: subjects.clone(),
            headers_only,
            messages: Some(messages),
            last: 0,
            pending,
        })
    }

    /// Reads what comes after the message of this number, and tells how much there is.
    async fn reader(
        &self,
        subjects: &Subject,
        headers_only: bool,
        last: u64,
        limit: Duration,
    ) -> Result<(Ordered, u64), Error> {
        const WHAT: &str = "read the stream";
        let call = async {
            let stream = self.stream(WHAT, limit).await?;
            // The name and the filter are part of the subject by which a consumer is made: so permissions can tell them.
            let name = self.client.new_inbox();
            let name = name.rsplit('.').next().unwrap_or_default().to_owned();
            let config = OrderedConfig {
                name: Some(name),
                filter_subject: subjects.to_string(),
                deliver_policy: match last {
                    0 => DeliverPolicy::All,
                    last => DeliverPolicy::ByStartSequence {
                        start_sequence: last + 1,
                    },
                },
                headers_only,
                ..OrderedConfig::default()
            };
            let consumer = stream.create_consumer(config).await;
            let consumer = consumer.map_err(|error| Error::broker(WHAT, &error))?;
            let pending = consumer.cached_info().num_pending;
            let messages = consumer.messages().await;
            let messages = messages.map_err(|error| Error::broker(WHAT, &error))?;
            Ok((messages, pending))
        };
        self.within(WHAT, limit, is_of_streams, call).await
    }
}
