//! Connections as they are out there: TLS, proxies, addresses, compression and HTTP/2, each against servers and proxies
//! from other projects, started from the configurations in `tests/peers`. `scripts/test` installs them.

#[path = "../common/mod.rs"]
mod common;

mod addresses;
mod apache;
mod asgi;
mod compression;
mod faults;
mod http2;
mod names;
mod page;
mod probe;
mod probed;
mod proxies;
mod rules;
mod tls;
