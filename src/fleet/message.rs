//! What the processes of a run tell each other, as bytes and back: MessagePack by name, with a version around it.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::engine::Orders;
use crate::measure::Bytes;
use crate::record::{Machine, Recipe};
use crate::units::{Timestamp, visible};

/// The version of all messages: raised when a reader of the old one could misread the new one.
const VERSION: u32 = 1;

/// Why a message could not be read. Fits after "failed to".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Written by another version of wsbench.
    #[error(
        "read a message of version {0}, and this wsbench speaks version {VERSION}\nhint: let all machines have the same wsbench"
    )]
    Version(u32),
    /// It is none.
    #[error("read a message: {}", visible(.0))]
    Format(String),
}

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    version: u32,
    body: T,
}

/// The version of a message whose body may be anything.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// A message as bytes.
pub(super) fn encode<T: Serialize>(body: &T) -> Vec<u8> {
    let envelope = Envelope {
        version: VERSION,
        body,
    };
    rmp_serde::to_vec_named(&envelope).expect("writing to a vector does not fail")
}

/// Reads a message.
///
/// # Errors
/// When it is of another version, or none.
pub(super) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, MessageError> {
    let failed = |error: rmp_serde::decode::Error| MessageError::Format(error.to_string());
    let Versioned { version } = rmp_serde::from_slice(bytes).map_err(failed)?;
    if version != VERSION {
        return Err(MessageError::Version(version));
    }
    let envelope: Envelope<T> = rmp_serde::from_slice(bytes).map_err(failed)?;
    Ok(envelope.body)
}

/// What an agent is asked first: whether it takes a share of this run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Offer {
    /// The run.
    pub run: String,
    /// What the plan is made of.
    pub recipe: Recipe,
    /// How many milliseconds the agent waits for the start at most.
    pub patience_ms: u64,
}

/// The answer to an offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Answer {
    /// It does, and nothing else until the run is over or given up.
    Accepted(Box<Machine>),
    /// It plays this run at the moment.
    Busy(String),
    /// It does not, for this reason, which fits behind "agent 1: ".
    Refused(String),
}

/// `wsb.<run>.plan`: who plays what. The first message of a run; with it and those that follow, another coordinator can
/// take over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assigned {
    /// What the plan is made of.
    pub recipe: Recipe,
    /// The workers of all agents.
    pub workers: u32,
    /// The agents, in the order of their numbers.
    pub seats: Vec<Seat>,
    /// How long agents go on without a sign of life of the coordinator, in milliseconds.
    pub orphan_grace_ms: u64,
    /// Whether the others go on when one is lost.
    pub goes_on: bool,
}

/// The share of one agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Seat {
    /// The agent, by a name that no other process has, before or after it.
    pub agent: String,
    /// Its name, for people.
    pub name: String,
    /// Its first worker among all.
    pub first: u32,
    /// Its machine, with its workers.
    pub machine: Machine,
}

/// `wsb.<run>.ready.<n>`: what became of its preparations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ready {
    /// The agent.
    pub(super) agent: String,
    /// Why it cannot begin; `None`: it can.
    pub(super) refused: Option<String>,
}

/// `wsb.<run>.start`: the first dial.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// On the wall clock of the coordinator, in nanoseconds since 1970.
    pub wall_ns: u64,
    /// On the clock of each agent, by their numbers.
    pub origins: Vec<Origin>,
    /// How long before its time an order is given, in nanoseconds.
    pub notice_ns: u64,
}

/// The first dial by the clock of one agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// In nanoseconds of the clock that the agent answers with.
    pub at_ns: u64,
    /// By how much that may be wrong.
    pub bound_ns: u64,
}

/// `wsb.<run>.windows` and `wsb.<run>.stop`: all orders so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Ordered {
    /// The orders.
    pub(super) orders: Orders,
    /// Why the run is given up before its start, if it is.
    pub(super) given_up: Option<String>,
}

/// `wsb.<run>.settled.<n>`: each planned connection of an agent is open or has failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Settled {
    /// The agent.
    pub(super) agent: String,
    /// When.
    pub(super) at: Timestamp,
}

/// `wsb.<run>.shard.<n>`, and `wsb.<run>.done.<n>` for the last: one record of what an agent has recorded, as it stands
/// in its file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Handed {
    /// The agent.
    pub(super) agent: String,
    /// The number of the record, from 0 without gaps.
    pub(super) number: u64,
    /// The record.
    pub(super) record: Bytes,
}

/// `wsb.<run>.alive.<n>`: an agent is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Alive {
    /// The agent.
    pub(super) agent: String,
}

/// Why an agent is to leave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Leave {
    /// Fits behind "it was told to leave: ".
    pub(super) why: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_message_is_read_back_and_another_version_is_told() {
        let handed = Handed {
            agent: "a".to_owned(),
            number: 3,
            record: Bytes(vec![0, 255]),
        };
        assert_eq!(decode(&encode(&handed)), Ok(handed.clone()));
        let newer = Envelope {
            version: VERSION + 1,
            body: "something else",
        };
        let newer = rmp_serde::to_vec_named(&newer).unwrap();
        let error = decode::<Handed>(&newer).unwrap_err();
        assert_eq!(error, MessageError::Version(VERSION + 1));
        assert!(error.to_string().contains("hint: "));
        // One kind of message is not taken for another.
        assert!(decode::<Settled>(&encode(&handed)).is_err());
    }

    proptest! {
        #[test]
        fn whatever_comes_is_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(decode::<Handed>(&bytes).is_err());
            let _ = decode::<Assigned>(&bytes);
        }
    }
}
