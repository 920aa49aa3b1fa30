//! `wsbench exporter`: probes servers when Prometheus asks for it, as `blackbox_exporter` does for other protocols.

mod allowed;
mod asked;
mod metrics;
mod site;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tokio::sync::Semaphore;

use self::allowed::{Allowed, SHAPE, read_all};
use self::site::{Counts, Site, Way, router};
use super::access::Access;
use super::address::Address;
use super::error::CliError;
use super::files;
use super::input::Named;
use super::signals::Signals;
use super::term;
use crate::scenario::{Outside, Protocol, Target, shown_address};
use crate::verdict::Exit;
use crate::web::Guard;

/// The most connections of who asks. Each waits for a place among the probes that go on, until its scrape is over.
const CLIENTS: usize = 256;
/// The time between two looks for a signal.
const LOOK: Duration = Duration::from_millis(50);
const OPTION: &str = "`--listen`";

/// Probe servers when Prometheus asks for it: GET /probe?target=wss://…&scenario=NAME
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9769")]
    listen: Address,
    /// A server that may be probed, like wss://example.com/feed, or wss://example.com/* for each path there; may be given
    /// several times
    // Read by `plain`: an error of clap would show the whole value, and so credentials in it.
    #[arg(long, value_name = "URL")]
    allow: Vec<String>,
    /// A file of such servers, one in each line
    #[arg(long, value_name = "FILE")]
    allow_file: Option<PathBuf>,
    /// Ask the servers in target.url of this scenario as its clients do: with their headers, TLS and proxy; may be given
    /// several times
    #[arg(long = "scenario", value_name = "NAME=FILE", value_parser = named)]
    scenarios: Vec<(String, String)>,
    /// The most probes at once; others wait, as long as their scrape does
    #[arg(long, value_name = "NUMBER", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=CLIENTS as i64))]
    at_once: u16,
    #[command(flatten)]
    access: Access,
}

fn named(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, file)) if !name.is_empty() && !file.is_empty() => {
            Ok((name.to_owned(), file.to_owned()))
        }
        _ => Err("write NAME=FILE, like feed=feed.toml"),
    }
}

/// Executes the whole command.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let site = Arc::new(args.site()?);
    let (signals, _) = Signals::listen()?;
    let listening = args.listen.listen(OPTION)?.clients(CLIENTS);
    let address = listening.address();
    let serving = listening
        .serve(move || router(Guard::open(address), site))
        .map_err(|source| args.listen.failed(OPTION, source))?;
    term::print(format!("listening on http://{address}/probe\n").as_bytes())?;
    if !address.ip().is_loopback() {
        term::note(
            "note: other machines can have the allowed servers probed too, without TLS and without a password",
        );
    }
    while !signals.heard() {
        thread::sleep(LOOK);
    }
    serving.finish();
    Ok(Exit::Passed)
}

impl Args {
    fn site(&self) -> Result<Site, CliError> {
        let mut scenarios = BTreeMap::new();
        for (name, file) in &self.scenarios {
            let twice = "`--scenario` gives this name twice";
            if scenarios.insert(name.clone(), way_of(file)?).is_some() {
                return Err(refused(format!("{name}: {twice}"), "give each one another"));
            }
        }
        let plain = self.plain()?;
        if plain.is_none() && scenarios.is_empty() {
            return Err(refused(
                "no server: none is allowed".to_owned(),
                "name those that may be probed, like --allow wss://example.com/feed",
            ));
        }
        Ok(Site {
            plain,
            scenarios,
            at_once: Arc::new(Semaphore::new(self.at_once.into())),
            counts: Counts::default(),
        })
    }

    /// How the servers of the command line are asked; `None` where it names none.
    fn plain(&self) -> Result<Option<Way>, CliError> {
        let mut allowed = Vec::new();
        for text in &self.allow {
            let entry = Allowed::read(text);
            allowed.push(entry.ok_or_else(|| {
                let shown = shown_address(text);
                refused(format!("{shown}: `--allow` takes no such address"), SHAPE)
            })?);
        }
        if let Some(path) = &self.allow_file {
            let of_file = |what: String| format!("the servers in {}: {what}", path.display());
            let unread = |why: String| refused(of_file(why), "name a file of text");
            let bytes = files::read(path, Outside::MAX_FILE);
            let bytes = bytes.map_err(|error| unread(error.to_string()))?;
            let text = String::from_utf8(bytes).map_err(|error| unread(error.to_string()))?;
            let line = |line| refused(of_file(format!("line {line} is none")), SHAPE);
            allowed.extend(read_all(&text).map_err(line)?);
        }
        // What is said of TLS is refused where nothing speaks it.
        let secure = allowed.iter().find(|one| one.url().secure);
        let Some(example) = secure.or_else(|| allowed.first()) else {
            return match self.access.options()?.is_empty() {
                true => Ok(None),
                false => Err(refused(
                    "by these options: they are for the servers of `--allow`, and there are none"
                        .to_owned(),
                    "what is said to the servers of a scenario stands in its file",
                )),
            };
        };
        let loaded = Named::at(example.url().shown.clone(), self.access.clone()).load()?;
        Ok(Some(Way {
            target: Target {
                access: loaded.scenario.cohorts[0].access.clone(),
                ..loaded.scenario.target
            },
            secrets: loaded.scenario.secrets,
            allowed,
        }))
    }
}

/// How the servers of a scenario are asked: as its first cohort does. What it says goes to no others.
fn way_of(file: &str) -> Result<Way, CliError> {
    let loaded = Named::at(file.to_owned(), Access::default()).load()?;
    let scenario = loaded.scenario;
    let unfit = |what: &str, hint| Err(refused(format!("as {file} says: {what}"), hint));
    let Some(cohort) = scenario.cohorts.first() else {
        return unfit("it has no clients", "give it `load.connections`");
    };
    if cohort.protocol != Protocol::WebSocket {
        return unfit(
            "its clients speak HTTP",
            "leave out `protocol`: WebSockets are probed",
        );
    }
    if cohort.upgrade.is_some() {
        return unfit(
            "its upgrade request has placeholders",
            "take `${NAME}`, which comes from the environment, in place of `{{name}}`",
        );
    }
    let Some(servers) = cohort.dialled(&scenario.target.url) else {
        return unfit(
            "its target is the built-in server",
            "name the servers in `target.url`",
        );
    };
    Ok(Way {
        allowed: servers.urls().map(Allowed::one).collect(),
        target: Target {
            access: cohort.access.clone(),
            ..scenario.target.clone()
        },
        secrets: scenario.secrets.clone(),
    })
}

fn refused(what: String, hint: &'static str) -> CliError {
    CliError::Exporter { what, hint }
}
