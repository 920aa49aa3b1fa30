//! `wsbench watch`: a preset of a scenario that goes on until a signal, whose clients are shown one by one. The same engine
//! plays it as any run.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use super::closing::ClosingArgs;
use super::conclude::Reporting;
use super::error::CliError;
use super::input::{Input, Loaded, Named, time_up_to};
use super::outputs::OutputArgs;
use super::past::Against;
use super::run::{self, Whole};
use crate::report::Watched;
use crate::scenario::{Jitter, OnDead, Reconnect, Scenario};
use crate::units::format_duration;
use crate::verdict::Exit;

/// The longest time that a heartbeat may have, and that a service is watched for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
const LONGEST_WATCH: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Watch a service with a few connections, and tell when something happens.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    named: Named,
    /// Number of connections; 5 for an address
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=Watched::MAX_CLIENTS as i64), help_heading = "Load")]
    connections: Option<u32>,
    #[command(flatten)]
    heart: Heart,
    /// End after this time, like 1h; the exit code tells whether the gates held [default: at a signal]
    #[arg(long = "for", value_name = "TIME", value_parser = |text: &str| time_up_to(text, LONGEST_WATCH), help_heading = "Load")]
    lasts: Option<Duration>,
    /// Add a gate, or replace those with the same statistic and metric
    #[arg(long, value_name = "GATE", help_heading = "Gates")]
    gate: Vec<String>,
    #[command(flatten)]
    closing: ClosingArgs,
    /// Log phases, dials and why connections ended to this file; - is standard error
    #[arg(
        long,
        value_name = "FILE",
        allow_hyphen_values = true,
        help_heading = "Report"
    )]
    log: Option<PathBuf>,
    #[command(flatten)]
    reporting: Reporting,
    #[command(flatten)]
    outputs: OutputArgs,
}

/// The heartbeat where an address is watched; a scenario has its own.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Heartbeat")]
struct Heart {
    /// Time between two pings of a connection, for an address [default: 10s]
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time_up_to(text, LONGEST))]
    interval: Option<Duration>,
    /// Longest time from a ping to its answer, for an address [default: 5s]
    #[arg(long, value_name = "TIME", value_parser = |text: &str| time_up_to(text, LONGEST))]
    timeout: Option<Duration>,
    /// Send this text instead of a ping frame; {{id}} in it is another number each time
    #[arg(
        long,
        value_name = "TEXT",
        requires = "expect",
        allow_hyphen_values = true
    )]
    send: Option<String>,
    /// The text that must come back, with {{id}} where the number stands
    #[arg(
        long,
        value_name = "TEXT",
        requires = "send",
        allow_hyphen_values = true
    )]
    expect: Option<String>,
    /// Send a text that must come back as it is, instead of a ping frame
    #[arg(long, conflicts_with = "send")]
    echo: bool,
}

/// Executes the whole command.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let duration = match args.lasts {
        Some(time) => format_duration(time),
        None => "endless".to_owned(),
    };
    let input = Input::watched(
        args.named.clone(),
        args.connections,
        Some(duration),
        args.gate.clone(),
    );
    let mut loaded = args.load(&input)?;
    let secrets = loaded.scenario.secrets.clone();
    args.watch(&mut loaded)
        .map_err(|error| error.masked(&secrets))
}

impl Args {
    fn load(&self, input: &Input) -> Result<Loaded, CliError> {
        if input.is_address() {
            let text = self.heart.preset();
            return input.load_text(text, false, &|name| std::env::var(name).ok());
        }
        if self.heart.is_given() {
            return Err(CliError::Watch(
                "change the heartbeat of a scenario\nhint: write it in its file; --interval, --timeout, --send, --expect and --echo are for an address",
            ));
        }
        let mut loaded = input.load()?;
        comes_back(&mut loaded.scenario);
        Ok(loaded)
    }

    fn watch(&self, loaded: &mut Loaded) -> Result<Exit, CliError> {
        let scenario = &loaded.scenario;
        let clients = scenario.connections();
        if clients > Watched::MAX_CLIENTS {
            return Err(CliError::Watch(
                "watch more than 1,000 connections one by one\nhint: --connections 5; for many, `wsbench run --duration endless`",
            ));
        }
        let watched = Watched::new(scenario.target.url.shown(), clients);
        let whole = Whole {
            messages: None,
            log: self.log.as_deref(),
            seed: 1,
            // A few connections need one.
            workers: Some(1),
            repeat: 1,
            closing: &self.closing,
            against: &Against::default(),
            reporting: &self.reporting,
            outputs: &self.outputs,
            tied: false,
        };
        run::run_loaded(&whole, loaded, Some(watched))
    }
}

impl Heart {
    fn is_given(&self) -> bool {
        let Self {
            interval,
            timeout,
            send,
            expect,
            echo,
        } = self;
        interval.is_some() || timeout.is_some() || send.is_some() || expect.is_some() || *echo
    }

    /// The scenario behind an address.
    fn preset(&self) -> String {
        let interval = self.interval.unwrap_or(Duration::from_secs(10));
        let timeout = self.timeout.unwrap_or(Duration::from_secs(5));
        let mut text = format!(
            r#"# A few connections that ping, and come back when they are lost.

name = "watch"
target.url = "embedded"          # replaced by the address

[load]
connections = 5
duration = "endless"
reconnect = {{ initial = "500ms", max = "30s" }}

[heartbeat]
interval = "{}"
timeout = "{}"
max_missed = 2
on_dead = "reconnect"
"#,
            format_duration(interval),
            format_duration(timeout),
        );
        let (send, expect) = match (&self.send, &self.expect, self.echo) {
            (Some(send), Some(expect), _) => (Some(send.as_str()), Some(expect.as_str())),
            (_, _, true) => (Some("wsbench {{id}}"), Some("wsbench {{id}}")),
            _ => (None, None),
        };
        if let (Some(send), Some(expect)) = (send, expect) {
            // The notation of strings in JSON is one that TOML knows as well.
            let quoted = |text: &str| serde_json::Value::from(text).to_string();
            let (send, expect) = (quoted(send), quoted(expect));
            let _ = write!(text, "kind = \"text\"\nsend = {send}\nexpect = {expect}\n");
        }
        text + r#"
[gates]
pass = [
  "count(connections.failed) == 0",
  "count(connections.lost) == 0",
  "count(heartbeat.missed) == 0",
]
"#
    }
}

/// Who is watched comes back, also where its scenario does not say so.
fn comes_back(scenario: &mut Scenario) {
    for cohort in &mut scenario.cohorts {
        if cohort.reconnect == Reconnect::None {
            cohort.reconnect = Reconnect::Backoff {
                initial: Duration::from_millis(500),
                max: Duration::from_secs(30),
                jitter: Jitter::Full,
                retry_after: true,
            };
        }
        if let Some(heartbeat) = &mut cohort.heartbeat {
            heartbeat.on_dead = OnDead::Reconnect;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{self, Outside, Overrides, PingKind, Source};

    fn preset(heart: &Heart) -> Scenario {
        let source = Source {
            name: "watch.toml".to_owned(),
            text: heart.preset(),
        };
        let outside = Outside {
            env: &|_| None,
            read: &|_| unreachable!("it names no file"),
            list: &|_| unreachable!("it names no folder"),
        };
        let parsed = scenario::parse(&source, &Overrides::default(), &outside);
        parsed.unwrap_or_else(|problems| panic!("{problems}"))
    }

    #[test]
    fn the_preset_is_a_scenario_whatever_is_sent() {
        let plain = Heart {
            interval: None,
            timeout: None,
            send: None,
            expect: None,
            echo: false,
        };
        assert!(preset(&plain).is_endless());
        assert_eq!(preset(&plain).connections(), 5);
        let echo = Heart {
            echo: true,
            ..plain.clone()
        };
        let text = Heart {
            send: Some("\"quoted\" \\ {{id}}\n\u{1}".to_owned()),
            expect: Some("'{{id}}'".to_owned()),
            interval: Some(Duration::from_millis(1_500)),
            ..plain
        };
        for heart in [echo, text] {
            let scenario = preset(&heart);
            let pings = scenario.cohorts[0].pings().unwrap();
            assert!(matches!(pings.kind, PingKind::Text { .. }));
        }
    }
}
