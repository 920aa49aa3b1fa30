//! What the server says without being asked. A call for which a permission is missing does not fail: nothing ever answers
//! it, and the server tells of it by the way. So each call also waits for what the server says of its subjects.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

use crate::units::visible;

/// The most refusals that are remembered.
const MOST: usize = 1024;

/// What the server did not permit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// To say something with this subject.
    Publish(String),
    /// To hear what has this subject.
    Subscribe(String),
}

impl Refusal {
    /// Reads what servers say: `Permissions Violation for Publish to "a.b"`, and since version 2.10 more behind it.
    fn parse(said: &str) -> Option<Self> {
        let rest = said.split_once("Permissions Violation for ")?.1;
        let (action, rest) = rest.split_once(" to \"")?;
        let subject = rest.split_once('"')?.0.to_owned();
        match action {
            "Publish" => Some(Self::Publish(subject)),
            "Subscription" => Some(Self::Subscribe(subject)),
            _ => None,
        }
    }

    /// The subject.
    #[must_use]
    pub fn subject(&self) -> &str {
        match self {
            Self::Publish(subject) | Self::Subscribe(subject) => subject,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Publish(subject) => write!(f, "publish to `{}`", visible(subject)),
            Self::Subscribe(subject) => write!(f, "subscribe to `{}`", visible(subject)),
        }
    }
}

/// What the server has said so far; bounded.
#[derive(Debug, Clone)]
pub(super) struct Events {
    refusals: Arc<Mutex<VecDeque<(u64, Refusal)>>>,
    /// The number of refusals so far.
    count: Arc<watch::Sender<u64>>,
}

impl Events {
    pub(super) fn new() -> Self {
        Self {
            refusals: Arc::default(),
            count: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Takes in what the client library reports.
    pub(super) fn take(&self, event: &async_nats::Event) {
        let async_nats::Event::ServerError(error) = event else {
            return;
        };
        let Some(refusal) = Refusal::parse(&error.to_string()) else {
            return;
        };
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        self.count.send_modify(|count| {
            *count += 1;
            refusals.push_back((*count, refusal));
        });
        if refusals.len() > MOST {
            refusals.pop_front();
        }
    }

    /// A mark: what is refused later is newer than it.
    pub(super) fn mark(&self) -> u64 {
        *self.count.borrow()
    }

    /// What was refused after the mark, the oldest first.
    pub(super) fn since(&self, mark: u64) -> Vec<Refusal> {
        let refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let newer = refusals.iter().filter(|(number, _)| *number > mark);
        newer.map(|(_, refusal)| refusal.clone()).collect()
    }

    /// Waits until something is refused after the mark that concerns the caller.
    pub(super) async fn refused(&self, mark: u64, concerns: impl Fn(&Refusal) -> bool) -> Refusal {
        let mut count = self.count.subscribe();
        loop {
            if let Some(refusal) = self.since(mark).into_iter().find(|one| concerns(one)) {
                return refusal;
            }
            if count.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_of_all_versions_are_read() {
        let publish = r#"nats: Permissions Violation for Publish to "wsb.a.plan""#;
        assert_eq!(
            Refusal::parse(publish),
            Some(Refusal::Publish("wsb.a.plan".into()))
        );
        let queue = r#"Permissions Violation for Subscription to "$SRV.PING" using queue "q""#;
        assert_eq!(
            Refusal::parse(queue),
            Some(Refusal::Subscribe("$SRV.PING".into()))
        );
        assert_eq!(Refusal::parse("nats: authorization violation"), None);
        assert_eq!(
            Refusal::parse("Permissions Violation for Publish to \"a"),
            None
        );
    }

    #[test]
    fn no_more_is_remembered_than_may_be() {
        let events = Events::new();
        for number in 0..2 * MOST {
            let said = format!(r#"Permissions Violation for Publish to "a.{number}""#);
            events.take(&async_nats::Event::ServerError(
                async_nats::ServerError::Other(said),
            ));
        }
        let all = events.since(0);
        assert_eq!(all.len(), MOST);
        assert_eq!(all[MOST - 1].subject(), format!("a.{}", 2 * MOST - 1));
        assert_eq!(events.since(events.mark()), []);
    }
}
