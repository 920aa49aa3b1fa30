//! Runs on many machines: agents and coordinators as processes, and real NATS servers of both versions between them.
//! `scripts/test` installs those.

#![cfg(feature = "cluster")]

#[path = "../common/mod.rs"]
mod common;

mod began;
mod delayed;
mod files;
mod frozen;
mod login;
mod lost;
mod partition;
mod refused;
mod rooms;
mod setting;
mod slow;
mod stream;
mod target;
