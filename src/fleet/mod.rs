//! A run on many machines: what its agents and its coordinator tell each other, by way of a broker.
//!
//! ```text
//! coordinator: gather ─► plan ─► ready ─► start ─► Following ─► engine::lead
//! agent:       Agent ─► Joined (plan, start, orders) ─► engine ─► file ─► handing, record by record
//! message, fold, liveness, allowed: pure
//! ```
//!
//! The engine knows nothing of it: an agent records its share as a part does, and is led by orders; the coordinator takes
//! in what all have recorded, as it comes.

mod agent;
mod allowed;
mod coordinator;
mod error;
mod fold;
mod following;
mod gather;
mod handing;
mod joined;
mod liveness;
mod message;
mod past;
mod signs;
mod steady;

pub use agent::{Agent, Heard, Offered};
pub use allowed::{Pattern, check as check_allowed};
pub use coordinator::{Asked, Coordinator, Started};
pub use error::FleetError;
pub use following::{Following, OfAgent};
pub use joined::{Handing, Joined, Waited, origin_of};
pub use message::{Answer, Assigned, Offer, Seat, Start};
pub use past::Past;
pub use steady::Steady;
