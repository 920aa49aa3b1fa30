//! Servers to test a client against: one that follows a script of faults, and the real ones in `tests/targets`.
//! Start with [`Server::start`] and a [`Script`]; the server's log tells what it saw, and a [`Report`] what wsbench
//! reported.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(
    unreachable_pub,
    unused_imports,
    reason = "shared by several test files"
)]

pub mod address;
pub mod books;
pub mod collector;
pub mod frame;
#[cfg(feature = "cluster")]
pub mod nats;
pub mod own;
pub mod page;
pub mod peer;
pub mod pressure;
pub mod probed;
pub mod process;
pub mod raw;
pub mod real;
pub mod run;
pub mod sessions;

mod broadcast;
mod handshake;
mod log;
mod program;
mod proxy;
mod reception;
mod report;
mod script;
mod server;
mod session;

pub use broadcast::Broadcast;
pub use log::{Entry, Event, Log};
pub use program::{Ended, Running};
pub use proxy::Proxy;
pub use reception::{Reception, Visit, tls, tls_speaking};
pub use report::{FILES, Report, table};
pub use script::{Act, Echo, Handshake, OnClose, Pong, Script, When};
pub use server::Server;
