//! Every preset, each against its server with settings of seconds. One run shows four things of a preset: silent clients
//! are ended as it says; a contract with other settings than the server's is broken; what it takes for a sign of life keeps a
//! client, and what it does not take keeps none; and healthy clients stay.
//! With `WSBENCH_TABLE` set to a folder, each test writes its row of the table in `docs/heartbeats.md` there.

#[path = "../common/mod.rs"]
mod common;

mod brokers;
mod case;
mod compiled;
mod complete;
mod node;
mod package;
mod probed;
mod proxies;
mod python;
mod slow;
mod tomcat;
