//! wsbench: load testing and heartbeat monitoring for WebSocket services.
//!
//! ```text
//! scenario text ─► Scenario ─► Plan ─► Engine ─► Shards ─► Summary ─► Verdict ─► Run ─► Reports + exit code
//!    scenario       (pure)     plan    engine    measure              verdict  report    report      cli
//! ```
//!
//! | module | is | never |
//! |---|---|---|
//! | [`units`], [`metric`] | rates, sizes, durations as text; times; the catalogue of names | imports anything |
//! | [`frame`] | frames of RFC 6455 as bytes and back | knows a socket or a clock |
//! | [`mod@http`] | requests and answers of HTTP/1.1 as bytes and back; cookies | knows a socket or a clock |
//! | [`mqtt`] | packets of MQTT 3.1.1 as texts and back | knows a socket or a clock |
//! | [`json`] | values of a JSON text by pointer (RFC 6901) | reads more of it than it has to |
//! | [`scenario`] | TOML text to a model in which nothing invalid can be expressed | knows a clock or a socket |
//! | [`plan`] | what shall happen and when: pure functions of an index and a seed | reads a clock |
//! | [`measure`] | what was seen, as numbers: shards, merging, the summary | knows a socket or a scenario |
//! | [`time`], [`net`] | clocks and deadlines; connections, from an address to messages | know a run |
//! | [`engine`] | tasks and connections: does what the plan says and records what happens | prints |
//! | [`server`] | the built-in server | knows the engine |
//! | [`host`] | the target's side, as far as it is on this machine: process, sockets, resources | knows a connection |
//! | [`relay`] | the relay of `[path]`: does to connections what a bad network does | knows the plan |
//! | [`probe`] | what one server does with one client: findings, their words, a scenario | prints |
//! | [`record`] | what one process of a run recorded, as a file and back | knows a clock or a socket |
//! | `cluster` | what processes of a run say to each other by way of a NATS server: subjects, permissions, connection, stream | knows a run |
//! | `fleet` | a run on many machines: agents, and who leads them | prints, makes a plan |
//! | [`verdict`] | gates, doubts about the run itself, the exit code | |
//! | [`search`] | the search for the most that holds: what to try next, and what was found | knows a clock or a socket |
//! | [`report`] | a finished run as data, as files and as text, and progress while it runs | opens a socket |
//! | [`output`] | where the numbers of a run go while it runs, one file for each kind | holds up a run |
//! | [`web`] | the server of the dashboard and of what Prometheus reads | knows what is shown |
//! | [`compare`] | sessions of runs, their differences and how sure those are; baselines | knows a clock, a socket or a file |
//! | [`cli`] | composes all of it; prints | holds logic |
//!
//! The library is there for the program, its tests and its benchmarks: it makes no promise of stability.
#![warn(missing_docs)]

pub mod cli;
#[cfg(feature = "cluster")]
pub mod cluster;
pub mod compare;
pub mod engine;
#[cfg(feature = "cluster")]
pub mod fleet;
pub mod frame;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod host;
pub mod http;
pub mod json;
pub mod measure;
pub mod metric;
pub mod mqtt;
pub mod net;
pub mod output;
pub mod plan;
pub mod probe;
pub mod record;
pub mod relay;
pub mod report;
pub mod scenario;
pub mod search;
pub mod server;
mod sys;
pub mod time;
pub mod units;
pub mod verdict;
pub mod web;
