//! `wsbench probe`: examines what one server does with one client, describes it in words, and writes a scenario for
//! it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::ProgressBar;
use serde::Serialize;

use super::access::Access;
use super::error::CliError;
use super::files;
use super::input;
use super::term;
use crate::probe::{self, Asked, Conformance, Findings, Judged, Probe, Progress};
use crate::scenario::{
    self, Outside, Overrides, Scenario, Secrets, Source, Target, TargetUrl, WsUrl,
};
use crate::verdict::Exit;

/// Examine how a server treats a client, and write a scenario for it; or hold it to the rules of RFC 6455.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Address of the server: ws://… or wss://…
    url: String,
    /// How long it may take, most of it to watch quiet connections; a longer time finds longer timeouts
    #[arg(long = "for", value_name = "TIME", default_value = "15s", value_parser = parse_watch)]
    watch: Duration,
    /// Text that each client says first, for servers that wait for it
    #[arg(long, value_name = "TEXT")]
    first: Option<String>,
    /// File to write the scenario to, instead of printing it; never overwritten
    #[arg(long, value_name = "FILE", conflicts_with = "conformance")]
    out: Option<PathBuf>,
    /// Hold the server to the rules of RFC 6455 instead; the exit code is 3 if it breaks one that it must keep
    #[arg(long)]
    conformance: bool,
    /// Exit with 0, whatever rules are broken
    #[arg(long, requires = "conformance")]
    report_only: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

/// The output of `--json`. Times are nanoseconds.
#[derive(Serialize)]
struct Report<'a> {
    url: &'a str,
    #[serde(flatten)]
    findings: &'a Findings,
    scenario: &'a str,
}

/// The output of `--conformance --json`.
#[derive(Serialize)]
struct RulesReport<'a> {
    url: &'a str,
    rules: &'a [Judged],
    connections: u32,
}

/// Probes the server, prints each finding at once, and ends with a scenario.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    if let Some(path) = &args.out {
        can_be_written(path)?;
    }
    let asked = args.asked()?;
    let mut scenario = as_scenario(&asked)?;
    args.access.finish(&mut scenario)?;
    let Scenario {
        target, secrets, ..
    } = scenario;
    let probed = match args.conformance {
        true => args.conform(target, &secrets),
        false => args.probe(&asked, target, &secrets),
    };
    probed.map_err(|error| error.masked(&secrets))
}

impl Args {
    fn probe(&self, asked: &Asked, target: Target, secrets: &Secrets) -> Result<Exit, CliError> {
        let url = address(&target)?;
        if !self.json {
            term::print(probe::plan(&url.shown, self.watch).as_bytes())?;
        }
        let probe = Probe::new(&url, target, self.watch, self.first.clone())
            .map_err(|error| CliError::Prepare(error.into()))?;
        let findings = self.find_out(probe, &url, secrets)?;
        let text = secrets
            .mask(&probe::scenario(asked, &findings))
            .into_owned();
        if let Some(path) = &self.out {
            write_new(path, &text)?;
        }
        if self.json {
            let report = Report {
                url: &url.shown,
                findings: &findings,
                scenario: &text,
            };
            term::print(secrets.mask(&term::json(&report)?).as_bytes())?;
        }
        match &self.out {
            Some(path) => {
                let path = path.display();
                term::note(format!(
                    "wrote {path}\nhint: look at it, then type: wsbench run {path}"
                ));
            }
            None if !self.json => {
                term::print(format!("\n{text}").as_bytes())?;
                term::note(
                    "hint: with --out FILE this scenario goes to a file; then type: wsbench run FILE",
                );
            }
            None => {}
        }
        Ok(Exit::Passed)
    }

    fn asked(&self) -> Result<Asked, CliError> {
        Ok(Asked {
            url: self.url.clone(),
            options: self.access.options()?,
            first: self.first.clone(),
        })
    }

    /// Holds the server to the rules, and tells each of them.
    fn conform(&self, target: Target, secrets: &Secrets) -> Result<Exit, CliError> {
        let url = address(&target)?;
        if !self.json {
            term::print(probe::rules_plan(&url.shown, self.watch).as_bytes())?;
        }
        let test = Conformance::new(&url, target, self.watch, self.first.clone())
            .map_err(|error| CliError::Prepare(error.into()))?;
        let (runtime, bar) = (runtime()?, spinner());
        let outcomes = runtime.block_on(test.run(&mut |step| bar.set_message(step.to_owned())));
        runtime.shutdown_background();
        bar.finish_and_clear();
        let outcomes =
            outcomes.map_err(|failed| CliError::NoConnection(probe::failure(&url, &failed)))?;
        let text = match self.json {
            true => term::json(&RulesReport {
                url: &url.shown,
                rules: &outcomes.rules,
                connections: outcomes.connections,
            })?,
            false => {
                let rules = outcomes.rules.iter().map(probe::rule_words);
                rules.collect::<String>() + &probe::rules_summary(&outcomes)
            }
        };
        term::print(secrets.mask(&text).as_bytes())?;
        Ok(match outcomes.breaks_a_must() && !self.report_only {
            true => Exit::Failed,
            false => Exit::Passed,
        })
    }

    fn find_out(&self, probe: Probe, url: &WsUrl, secrets: &Secrets) -> Result<Findings, CliError> {
        let (runtime, bar) = (runtime()?, spinner());
        let mut written = Ok(());
        let found = runtime.block_on(probe.run(&mut |step| match step {
            Progress::Doing(what) => bar.set_message(what.to_owned()),
            Progress::Found(finding) if !self.json && written.is_ok() => {
                let words = probe::words(finding);
                written = bar.suspend(|| term::print(secrets.mask(&words).as_bytes()));
            }
            Progress::Found(_) => {}
        }));
        // Does not wait for a look-up: a name server that does not answer would block the end.
        runtime.shutdown_background();
        bar.finish_and_clear();
        written?;
        found.map_err(|failed| CliError::NoConnection(probe::failure(url, &failed)))
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|source| CliError::System {
            doing: "start a runtime",
            source,
        })
}

/// Shows that something is done, where somebody looks.
fn spinner() -> ProgressBar {
    let bar = match term::takes_colour(&std::io::stderr()) {
        true => ProgressBar::new_spinner(),
        false => ProgressBar::hidden(),
    };
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// The address of the server.
fn address(target: &Target) -> Result<WsUrl, CliError> {
    match &target.url {
        TargetUrl::Servers(servers) => Ok(servers.first().clone()),
        TargetUrl::Embedded => Err(CliError::NothingToProbe),
    }
}

/// Converts the options to a scenario, to get the same checks and hints as for a scenario file.
fn as_scenario(asked: &Asked) -> Result<Scenario, CliError> {
    let source = Source {
        name: "the command line as a scenario".to_owned(),
        text: "name = \"probe\"\nload.connections = 1\n".to_owned(),
    };
    let overrides = Overrides {
        url: Some(asked.url.clone()),
        url_is_argument: true,
        access: asked.options.clone(),
        ..Overrides::default()
    };
    let outside = Outside {
        env: &|name| std::env::var(name).ok(),
        read: &|path| files::read(path, Outside::MAX_FILE),
        list: &Outside::no_folder,
    };
    Ok(scenario::parse(&source, &overrides, &outside)?)
}

/// Checks this before watching, which may take hours, and not only after it.
fn can_be_written(path: &Path) -> Result<(), CliError> {
    write_new(path, "")?;
    std::fs::remove_file(path).map_err(|error| CliError::write(path, error))
}

fn write_new(path: &Path, text: &str) -> Result<(), CliError> {
    let written = OpenOptions::new().write(true).create_new(true).open(path);
    let written = written.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| CliError::write(path, error))
}

/// The longest time to watch: one day.
const MAX_WATCH: Duration = Duration::from_secs(24 * 3600);

fn parse_watch(text: &str) -> Result<Duration, String> {
    input::time_up_to(text, MAX_WATCH)
}
