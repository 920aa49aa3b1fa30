//! What can go wrong with a run on many machines.

use std::time::Duration;

use super::message::MessageError;
use crate::cluster::Error;
use crate::units::{counted, visible};

/// The most agents that are named.
const SHOWN: usize = 20;

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
        counted(*wanted as u64, "agent"), of_them(taken.len()), shown(*within), said(&would_play(refused, taken))
    )]
    Missing {
        /// How many were wanted.
        wanted: usize,
        /// The names of those that took a share.
        taken: Vec<String>,
        /// How long they were waited for; shown without fractions of a second.
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
    /// There is nothing to take over or to end.
    #[error("find what run {0} did: it was given up before its start")]
    NeverBegan(String),
    /// It was ended from elsewhere before its start.
    #[error("begin the run: it was stopped from elsewhere")]
    Stopped,
}

fn of_them(taken: usize) -> String {
    match taken {
        0 => "none was".to_owned(),
        1 => "one was".to_owned(),
        many => format!("{many} were"),
    }
}

/// What each of them said, those first that take no share.
fn would_play(refused: &[(String, String)], taken: &[String]) -> Vec<(String, String)> {
    let takes = |name: &String| (name.clone(), "it takes a share".to_owned());
    let all = refused.iter().cloned().chain(taken.iter().map(takes));
    all.collect()
}

fn said(by: &[(String, String)]) -> String {
    let lines = by.iter().take(SHOWN);
    let lines = lines.map(|(name, why)| {
        // What an agent says may have several lines.
        let why: Vec<String> = why.lines().map(visible).collect();
        format!("\n  {}: {}", visible(name), why.join("\n    "))
    });
    let all: String = lines.collect();
    let more = match by.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    match all.is_empty() {
        true => String::new(),
        false => format!(":{all}{more}"),
    }
}

fn shown(limit: Duration) -> String {
    let shown = match limit.as_secs() {
        0 => Duration::from_millis(limit.as_millis() as u64),
        seconds => Duration::from_secs(seconds),
    };
    humantime::format_duration(shown).to_string()
}
