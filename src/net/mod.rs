//! From an address to messages: everything between a connection's logic and the kernel.
//!
//! ```text
//! transport (trait) ─ websocket ─ link (bare or TLS) ─ wire (TCP)
//!                        └ handshake       └ tls          └ connect
//! raw: the same handshake, and bytes instead of messages, for the probe
//! ```

pub(crate) mod connect;
mod end;
mod failure;
mod handshake;
mod link;
mod raw;
mod steps;
mod tls;
mod transport;
mod websocket;
mod wire;
#[cfg(test)]
mod wire_tests;

pub(crate) use end::TcpEnd;
pub(crate) use failure::{Failure, of_connect};
pub(crate) use handshake::Request;
#[cfg(any(test, fuzzing))]
pub(crate) use handshake::check_any_answer;
pub(crate) use link::Link;
pub(crate) use raw::{RawConnection, RawDialer, RawFailure};
pub(crate) use steps::Steps;
pub use tls::TlsError;
pub(crate) use tls::{secure, tls_config};
pub(crate) use transport::{Act, Lost, Transport};
pub(crate) use websocket::WebSocket;
pub(crate) use wire::Wire;

pub use crate::sys::TCP_VIEW;
