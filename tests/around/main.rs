//! What happens around the connections of a run, with the real program: the target's process, the path, clients that
//! vanish, TLS, and what the target keeps.
//! Freezes processes and looks at them through `/proc`, so on Linux only.

#![cfg(target_os = "linux")]

#[path = "../common/mod.rs"]
mod common;

mod cost;
mod https;
mod page;
mod path;
mod polling;
mod proxy;
mod quiet;
mod secure;
mod server;
mod target;
mod unix;
mod vanish;
