//! The built-in server: a plain echo for load tests and first tries, able to push, ping, wait and drop, and to watch
//! its clients by a heartbeat, rightly or with a fault.
//! Runs on one thread, in this process ([`EchoServer`]) or as a child that ends with it ([`EmbeddedServer`]).

mod agenda;
mod behaviour;
mod child;
mod counts;
mod echo;
mod heartbeat;
mod schedule;
mod session;

pub use behaviour::{Behaviour, Push};
pub(crate) use child::LISTENING;
pub use child::{EmbeddedServer, SpawnError};
pub use counts::{Counter, Counts};
pub use echo::EchoServer;

#[cfg(test)]
mod tests;
