//! What can go wrong with a run on many machines.

use std::time::Duration;

use super::message::MessageError;
use crate::cluster::Error;
use crate::units::{counted, visible};

/// Why a run cannot be led, or a share of it not be played. Fits after "failed to".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FleetError {
    /// The broker.
    #[error(transparent)]
    Broker(#[from] Error),
    /// What somebody said.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// Too few agents were there.
    #[error(
        "gather {}: {} there within {}{}\nhint: start agents with `wsbench agent --nats {address}`; `wsbench cluster ls --nats {address}` lists them",
        counted(*wanted as u64, "agent"), of_them(*taken), shown(*within), said(refused)
    )]
    Missing {
        /// How many were wanted.
        wanted: usize,
        /// How many took a share.
        taken: usize,
        /// How long they were waited for.
        within: Duration,
        /// What those said that did not, by their names.
        refused: Vec<(String, String)>,
        /// Where the broker is.
        address: String,
    },
    /// An agent cannot play its share, or did not say that it can.
    #[error("begin the run{}", said(.0))]
    NotReady(Vec<(String, String)>),
    /// The scenario is too long for a message.
    #[error(
        "send the scenario to agents: it has {0} bytes, and a message may have {1}\nhint: move payloads and rows into files"
    )]
    TooLong(usize, usize),
    /// A signal came.
    #[error("begin the run: interrupted")]
    Interrupted,
    /// The stream knows no such run.
    #[error(
        "find run {0}: the NATS server knows nothing of it\nhint: `wsbench cluster ls` lists the runs that it knows"
    )]
    Unknown(String),
    /// There is nothing to take over.
    #[error("take over run {0}: it was given up before its start")]
    NeverBegan(String),
}

fn of_them(taken: usize) -> String {
    match taken {
        0 => "none was".to_owned(),
        1 => "one was".to_owned(),
        many => format!("{many} were"),
    }
}

fn said(refused: &[(String, String)]) -> String {
    let lines = refused
        .iter()
        .map(|(name, why)| format!("\n  {}: {}", visible(name), why.replace('\n', "\n    ")));
    let all: String = lines.collect();
    match all.is_empty() {
        true => String::new(),
        false => format!(":{all}"),
    }
}

fn shown(limit: Duration) -> String {
    humantime::format_duration(Duration::from_millis(limit.as_millis() as u64)).to_string()
}
