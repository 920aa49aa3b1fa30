//! The layers of a connection between the kernel and the session: from an address to messages.
//!
//! ```text
//! transport (trait) ─┬─ websocket ── channel ─┬─ link (bare or TLS) ─ wire (TCP or a Unix socket)
//!                     │                        └─ h2: stream ─ carrier ─ link
//!                     └─ http transport ────────── link
//! tcp dialer: resolver ─► connect, to the first address that accepts; the relay uses it too
//! way: first hop (tcp dialer, or a Unix socket) ─► [proxy] ─► [PROXY header] ─► tls ─► handshake, to an open link; each step timed
//! raw: the same way, and bytes instead of messages, for the probe
//! client: a websocket and its caller, for suites of conformance
//! ```

mod asking;
mod channel;
mod client;
mod compressed;
mod connect;
mod end;
mod exchange;
mod failure;
mod first_hop;
mod h2;
mod handshake;
mod http_transport;
#[cfg(test)]
mod http_transport_tests;
mod link;
mod listen;
mod proxy;
#[cfg(test)]
mod proxy_tests;
mod raw;
mod redirect;
mod resolver;
mod resolvers;
mod route;
mod steps;
mod tcp_dialer;
mod tls;
mod transport;
mod way;
#[cfg(test)]
mod way_tests;
mod websocket;
mod wire;
#[cfg(test)]
mod wire_tests;

pub(crate) use asking::{Asked, address};
pub(crate) use channel::Channel;
pub use client::Client;
pub use connect::check_device;
pub(crate) use end::TcpEnd;
pub(crate) use failure::Failure;
pub(crate) use h2::{Answered, Carried, Carrier, Numbers, Place, Pool, Told};
#[cfg(any(test, fuzzing))]
pub(crate) use handshake::check_any_answer;
pub(crate) use handshake::{Agreed, Request, RequestText};
pub(crate) use http_transport::{Dialling, HttpTransport};
pub(crate) use link::Link;
pub(crate) use listen::listen;
pub(crate) use raw::{RawConnection, RawDialer, RawFailure};
pub(crate) use redirect::{Redirect, is_same_origin, remove_credentials};
pub use resolver::{ResolveError, Resolver, resolve};
pub use resolvers::{LooksUpAgain, Resolvers};
pub use route::{PassedBy, Route};
pub(crate) use steps::Steps;
pub use tcp_dialer::TcpDialer;
pub(crate) use tcp_dialer::{Dial, Progress};
#[cfg(test)]
pub(crate) use tls::Certificate;
pub(crate) use tls::TlsAgreed;
pub use tls::{Tls, TlsError, TlsRefusal, check_tls, trusting};
pub(crate) use transport::{Act, Lost, PackedMessage, Transport};
pub(crate) use way::{Linked, NotOpened, Opened, Way};
pub(crate) use websocket::WebSocket;
pub(crate) use wire::Wire;

pub use crate::sys::TCP_VIEW;
pub use wire::can_vanish;
