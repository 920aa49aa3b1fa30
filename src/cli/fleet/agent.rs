//! `wsbench agent`: waits for runs, and plays its share of each.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::keep::Keep;
use super::playing::{Play, Played};
use super::{connect, patience};
use crate::cli::cluster::NatsArgs;
use crate::cli::error::CliError;
use crate::cli::part::machine;
use crate::cli::run::parse_workers;
use crate::cli::signals::Signals;
use crate::cli::term;
use crate::cluster::{Card, Role};
use crate::engine::{Limits, cores, workers};
use crate::fleet::{Agent, Answer, Heard, Pattern};
use crate::report::Host;
use crate::verdict::Exit;

/// The time between two looks at the signals.
const LOOK: Duration = Duration::from_millis(20);
/// Variables by which launchers number what they start. They are labels, and nothing depends on them.
const NUMBERS: [&str; 4] = [
    "JOB_COMPLETION_INDEX",
    "SLURM_PROCID",
    "NOMAD_ALLOC_INDEX",
    "PARALLEL_SEQ",
];

/// Wait for runs of `run --agents`, and play a share of each.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// What people call it [default: the machine's name and a number]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    name: Option<String>,
    /// Threads that send and receive [default: one for each core]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = parse_workers())]
    workers: Option<u16>,
    /// Take targets at this host, too, like chat.example.org, *.example.org:443 or *; its own machine it takes always.
    /// May be given several times
    #[arg(long, value_name = "HOST")]
    allow_target: Vec<Pattern>,
    /// End after one run
    #[arg(long)]
    once: bool,
    /// How long to wait for a NATS server, which may start later
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = patience)]
    nats_timeout: Duration,
    /// With --once, how long to wait for a run
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = patience, requires = "once")]
    wait: Duration,
    /// Where to write what it sees until it is handed in [default: the folder of temporary files]
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Say nothing but errors
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    nats: NatsArgs,
}

/// Executes the whole command.
pub(in crate::cli) fn run(args: &Args) -> Result<Exit, CliError> {
    let workers = workers(args.workers.map(usize::from), cores())?;
    let descriptors = Limits::of_this_machine().descriptors;
    let keep = Keep::new(args.keep.clone().unwrap_or_else(std::env::temp_dir))?;
    let (signals, _) = Signals::listen()?;
    let (options, host) = (
        args.nats.options(Role::Agent, args.nats_timeout)?,
        Host::detect(),
    );
    let address = options.address.to_string();
    let link = connect(&options, &signals)?;
    let name = args.name.clone().unwrap_or_else(default_name);
    let card = Card {
        name: name.clone(),
        wsbench: env!("CARGO_PKG_VERSION").to_owned(),
        host: format!("{} {}", host.os, host.arch),
        workers: u32::try_from(workers).unwrap_or(u32::MAX),
        descriptors,
        run: None,
    };
    let agent = Agent::begin(link, card)?;
    let note = |text: String| {
        if !args.quiet {
            term::note(text);
        }
    };
    note(format!("agent {name} waits for a run at {address}"));
    let play = Play {
        agent: &agent,
        machine: machine(workers),
        allowed: &args.allow_target,
        keep,
        signals: &signals,
        quiet: args.quiet,
    };
    let until = args.once.then(|| Instant::now() + args.wait);
    loop {
        if signals.heard() {
            return Ok(Exit::Interrupted);
        }
        if until.is_some_and(|until| Instant::now() >= until) {
            return Err(CliError::NoRun(args.wait));
        }
        let offered = match agent.next(LOOK)? {
            None => continue,
            Some(Heard::Leave(why)) if args.once => {
                note(format!("agent {name} leaves: {why}"));
                return Ok(Exit::Passed);
            }
            // It waits for the next run anyway.
            Some(Heard::Leave(_)) => continue,
            Some(Heard::Offer(offered)) => *offered,
        };
        let offer = offered.offer.clone();
        match play.prepared(&offer) {
            Err(error) => {
                note(format!("refuses run {}: {error}", offer.run));
                agent.is_free();
                agent.answer(offered, &Answer::Refused(error))?;
            }
            Ok(prepared) => {
                let taken = Answer::Accepted(Box::new(play.machine.clone()));
                let played = agent.answer(offered, &taken).map_err(CliError::from);
                let played = played.and_then(|()| prepared.play());
                agent.is_free();
                match played {
                    Ok(Played::ToItsEnd(exit)) if args.once || exit == Exit::Interrupted => {
                        return Ok(exit);
                    }
                    Ok(Played::ToItsEnd(_)) => {}
                    Ok(Played::NotBegun(why)) => note(format!("run {}: {why}", offer.run)),
                    Err(error) if args.once => return Err(error),
                    Err(error) => term::error(&error),
                }
                note(format!("agent {name} waits for a run at {address}"));
            }
        }
    }
}

fn parse_name(text: &str) -> Result<String, &'static str> {
    match text.trim().is_empty() {
        true => Err("write a name that people know it by in reports"),
        false => Ok(text.to_owned()),
    }
}

/// The machine's name, and the number that a launcher gave, or that of the process.
fn default_name() -> String {
    let given = NUMBERS.iter().find_map(|name| std::env::var(name).ok());
    let given = given.filter(|number| number.len() <= 40);
    let number = given.unwrap_or_else(|| std::process::id().to_string());
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname");
    let host = host.unwrap_or_else(|_| "agent".to_owned());
    format!("{}-{number}", host.trim())
}
