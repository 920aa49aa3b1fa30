//! The built-in server: a plain echo for load tests and first tries, that can also push, ping, delay and drop, have
//! rooms, and watch its clients with a heartbeat, correct or with a defect. A browser gets a page to try servers by hand. Runs on one thread, in this process ([`EchoServer`])
//! or as a child process that ends with it ([`EmbeddedServer`]).

mod agenda;
mod behaviour;
mod child;
mod counts;
mod echo;
mod entry;
mod heartbeat;
mod page;
mod rooms;
mod schedule;
mod session;

pub use behaviour::{Behaviour, Push};
pub(crate) use child::LISTENING;
pub use child::{EmbeddedServer, SpawnError};
pub use counts::{Counter, Counts};
pub use echo::EchoServer;

#[cfg(test)]
mod tests;
