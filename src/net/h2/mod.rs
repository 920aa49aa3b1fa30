//! HTTP/2 of a client (RFC 9113), as far as WebSockets go over it (RFC 8441): TCP connections that are shared.
//!
//! ```text
//! pool ─► carrier (one TCP connection, perhaps TLS) ─► place on it ─► stream
//! ```

mod alone;
mod below;
mod carrier;
mod failure;
mod numbers;
mod pool;
mod stream;
#[cfg(test)]
mod tests;

pub(crate) use alone::{Alone, Serving};
pub(crate) use carrier::{Carried, Carrier, Told};
pub(crate) use numbers::Numbers;
pub(crate) use pool::{Place, Pool};
pub(crate) use stream::{Answered, Stream};
