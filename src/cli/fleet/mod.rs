//! Runs on many machines: `wsbench agent` plays a share, `run --agents` leads, `attach` takes over, `stop` ends.

pub(super) mod agent;
pub(super) mod attach;
mod keep;
mod lead;
mod led;
mod playing;
mod refused;
pub(super) mod stop;

use std::time::Duration;

use clap::ValueEnum;

use super::cluster::NatsArgs;
use super::error::CliError;
use super::input::time_up_to;
use super::signals::Signals;
use crate::cluster::{Link, Options};
pub(super) use lead::Lead;

/// Connects to the NATS server, unless a signal comes first.
fn connect(options: &Options, signals: &Signals) -> Result<Link, CliError> {
    let options = options.clone();
    Ok(signals.unless_more(0, move || Link::connect(&options))??)
}

/// How many agents play, and how they are led. Without agents nobody asks a NATS server.
#[derive(Debug, clap::Args)]
#[command(
    next_help_heading = "Many machines",
    mut_arg("nats", |one| one.requires("agents")),
    mut_arg("creds", |one| one.requires("agents")),
    mut_arg("nkey", |one| one.requires("agents")),
    mut_arg("nats_ca", |one| one.requires("agents")),
    mut_arg("insecure_nats", |one| one.requires("agents")),
)]
pub(super) struct LeadArgs {
    /// Let so many agents play, each its share, and judge them as one run; `wsbench agent` starts one
    #[arg(
        long,
        value_name = "NUMBER",
        value_parser = clap::value_parser!(u16).range(1..=1_000),
        conflicts_with_all = ["messages", "repeat", "every", "part", "workers", "pid"],
    )]
    pub(super) agents: Option<u16>,
    /// How long agents may take to be there, and then to be ready
    #[arg(long, value_name = "TIME", default_value = "60s", requires = "agents", value_parser = patience)]
    pub(super) ready_timeout: Duration,
    /// What the others do when an agent is lost: end their load, for there is no verdict (exit code 4), or go on, for
    /// what was seen is judged
    #[arg(long, value_name = "WHAT", default_value = "fail", requires = "agents")]
    pub(super) on_agent_loss: OnLoss,
    /// How long agents go on when nothing is heard of this process
    #[arg(long, value_name = "TIME", default_value = "30s", requires = "agents", value_parser = patience)]
    pub(super) orphan_grace: Duration,
    #[command(flatten)]
    pub(super) nats: NatsArgs,
}

/// What the others do when an agent is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnLoss {
    // Help of single values would make the help of all options long.
    Fail,
    Continue,
}

/// A time that somebody waits.
fn patience(text: &str) -> Result<Duration, String> {
    time_up_to(text, Duration::from_secs(24 * 3600))
}
