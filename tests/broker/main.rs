//! What wsbench says to NATS servers and hears of them, with real ones of both versions. `scripts/test` installs them.

#![cfg(feature = "cluster")]

#[path = "../common/mod.rs"]
mod common;

mod commands;
mod doctor;
mod launchers;
mod manifests;
mod messages;
