//! Fan-out: what is published to a topic should be heard by all its members. Counts how many deliveries were to be
//! expected, and how many came, exactly, while members come and go.
//!
//! For a topic and a whole second of the run, `P` messages were published, by their intended times. `M` connections
//! were members before the second began and until the patience after its end was over; the patience is the longest
//! timeout of all published messages. `P × M` deliveries are expected, less those of members to themselves where the
//! server does not send a message back to its speaker. Received are those that came to such members, in time. What
//! comes to a connection that was a member for a part of this time only is `unsure`, and counts on neither side.
//!
//! | part | where | knows |
//! |---|---|---|
//! | [`Listener`] | a connection | its memberships, and what it has heard already |
//! | [`Audience`] | a worker | what its connections published, and its members, in the seconds that are not over |
//! | [`Deliveries`] | in a shard | seconds that are over, of one or more workers; additive |
//! | [`Reach`] | the supervisor | `P` and `M` of all workers, and so what was expected |

mod audience;
mod listener;
mod reach;
mod second;
#[cfg(test)]
mod simulation;
mod track;
mod wire;

pub use audience::Audience;
pub use listener::{Heard, Listener, Receipt};
pub use reach::{Outcome, Reach};
pub use second::{ClosedSecond, Deliveries, HeardBy, TopicChange};
pub(super) use wire::DeliveriesOnWire;

use crate::units::{Nanos, Timestamp};

/// The index of a topic in the plan.
pub type TopicIndex = u16;

/// The length of the seconds that are counted.
const SECOND: Nanos = Nanos::from_secs(1);

/// The start of the second of the run that contains a time. A second belongs to the window in which it begins.
pub fn second_before(time: Timestamp) -> Timestamp {
    Timestamp::ORIGIN + second_of(time) * SECOND
}

/// The second of the run that contains a time.
fn second_of(time: Timestamp) -> u64 {
    time.as_nanos() / SECOND.0
}
