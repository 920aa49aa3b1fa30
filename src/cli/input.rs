//! Loads the scenario that the user names: a file, a shipped scenario, or just an address.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use super::access::Access;
use super::error::CliError;
use super::files::{self, Needed};
use super::search::Vary;
use super::term;
use crate::scenario::{self, AccessOption, Outside, Overrides, Scenario, Source, shipped};
use crate::units::{ByteSize, format_duration, parse_duration};

/// What `run` and `check` have in common.
#[derive(Debug, clap::Args)]
pub(super) struct Input {
    #[command(flatten)]
    named: Named,
    #[command(flatten)]
    changes: Changes,
}

/// A scenario, and the server that it is for.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Server")]
pub(super) struct Named {
    /// A file, the name of a shipped scenario (echo, heartbeat-contract, …), or ws://…
    #[arg(value_name = "SCENARIO", help_heading = None::<&'static str>)]
    scenario: String,
    /// Address to connect to, in place of the scenario's target
    #[arg(long)]
    url: Option<String>,
    #[command(flatten)]
    access: Access,
    /// Process id of the target, for faults that act on it and for what it uses
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    pid: Option<u32>,
}

/// What the command line changes of a scenario's load and gates.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Load")]
struct Changes {
    /// Number of connections, of all cohorts in proportion; COHORT=NUMBER for one
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = parse_connections)]
    connections: Vec<Connections>,
    /// Length of the measurement, like 30s; endless: until a signal
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    duration: Option<String>,
    /// Messages per connection, like 10/s; NAME=RATE if there are several messages
    #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
    rate: Vec<String>,
    /// New clients, like 200/s, for a scenario with arrivals
    #[arg(long, value_name = "RATE", allow_hyphen_values = true)]
    arrivals: Option<String>,
    /// Add a gate, or replace those with the same statistic and metric
    #[arg(long, value_name = "GATE", help_heading = "Gates")]
    gate: Vec<String>,
    /// Add a gate that ends the run, and fails it, as soon as it holds
    #[arg(long, value_name = "GATE", help_heading = "Gates")]
    abort: Vec<String>,
}

/// A number of connections: of all cohorts together, or of the named one.
#[derive(Debug, Clone)]
struct Connections {
    cohort: Option<String>,
    count: u32,
}

/// A scenario and its sources.
pub(super) struct Loaded {
    pub(super) scenario: Scenario,
    pub(super) text: String,
    /// The path of its file, if it came from a file.
    pub(super) file: Option<String>,
    /// What the command line changed.
    pub(super) overrides: Vec<String>,
    /// The files that it was read from.
    pub(super) files: Vec<Needed>,
}

impl Loaded {
    /// Refuses a scenario that only a signal ends. `doing` is what needs an end, as in "search".
    pub(super) fn has_an_end(&self, doing: &'static str) -> Result<(), CliError> {
        match self.scenario.is_endless() {
            true => Err(CliError::Endless { doing }),
            false => Ok(()),
        }
    }
}

impl Input {
    /// A service that is watched: with so many connections, for so long, and with these gates besides.
    pub(super) fn watched(
        named: Named,
        connections: Option<u32>,
        duration: Option<String>,
        gate: Vec<String>,
    ) -> Self {
        let all = connections.map(|count| Connections {
            cohort: None,
            count,
        });
        Self {
            named,
            changes: Changes {
                connections: all.into_iter().collect(),
                duration,
                gate,
                ..Changes::default()
            },
        }
    }

    /// Whether it names an address, and no scenario.
    pub(super) fn is_address(&self) -> bool {
        self.named.is_address()
    }

    /// Reads the scenario, and applies everything that the command line changes.
    pub(super) fn load(&self) -> Result<Loaded, CliError> {
        self.named.load_with(&self.changes)
    }

    /// The same, with these variables of the environment.
    #[cfg(feature = "cluster")]
    pub(super) fn load_with_env(
        &self,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Loaded, CliError> {
        (self.named).load_source(self.named.source()?, &self.changes, env)
    }

    /// The scenario as it was named.
    pub(super) fn scenario(&self) -> &str {
        &self.named.scenario
    }

    /// Reads the scenario from a text instead of its file, with these variables of the environment.
    pub(super) fn load_text(
        &self,
        text: String,
        is_file: bool,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Loaded, CliError> {
        let name = match is_file {
            true => self.named.scenario.clone(),
            false => format!("{}.toml", self.named.scenario),
        };
        let source = Source { name, text };
        self.named.load_source(source, &self.changes, env)
    }

    /// The same, against another server.
    pub(super) fn load_against(&self, url: &str) -> Result<Loaded, CliError> {
        let named = Named {
            url: Some(url.to_owned()),
            ..self.named.clone()
        };
        named.load_with(&self.changes)
    }

    /// Reads the scenario as a probe of a search has it: with this value of what is varied.
    pub(super) fn load_varied(&self, vary: &Vary, value: u64) -> Result<Loaded, CliError> {
        let mut changes = self.changes.clone();
        let [_, text] = vary.option(value);
        match vary {
            Vary::Connections(_) => changes.connections.extend(parse_connections(&text)),
            Vary::Rate(_) => changes.rate.push(text),
            Vary::Arrivals => changes.arrivals = Some(text),
        }
        self.named.load_with(&changes)
    }

    /// The scenario in full, without its dialect. Knows of the command line only the address.
    pub(super) fn expanded(&self) -> Result<String, CliError> {
        let url = self.named.url();
        Ok(scenario::expanded(&self.named.source()?, url.as_deref())?)
    }
}

impl Named {
    /// A scenario or an address, reached so.
    pub(super) fn at(scenario: String, access: Access) -> Self {
        Self {
            scenario,
            url: None,
            access,
            pid: None,
        }
    }

    /// Reads the scenario, with its own load.
    pub(super) fn load(&self) -> Result<Loaded, CliError> {
        self.load_with(&Changes::default())
    }

    fn load_with(&self, changes: &Changes) -> Result<Loaded, CliError> {
        self.load_source(self.source()?, changes, &|name| std::env::var(name).ok())
    }

    fn load_source(
        &self,
        source: Source,
        changes: &Changes,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Loaded, CliError> {
        let own = (PathBuf::from(&self.scenario), "the scenario");
        let files = RefCell::new(vec![own]);
        let outside = Outside {
            env,
            read: &|path| {
                files
                    .borrow_mut()
                    .push((path.to_owned(), "needed by the scenario"));
                files::read(path, Outside::MAX_DATA)
            },
            list: &files::list,
        };
        let access = self.access.options()?;
        let mut overrides = self.shown(&access, changes);
        let mut scenario = scenario::parse(&source, &self.overrides(access, changes), &outside)?;
        overrides.extend(self.access.finish(&mut scenario)?);
        Ok(Loaded {
            scenario,
            file: self.file(&source),
            text: source.text,
            overrides,
            files: files.into_inner(),
        })
    }

    /// The path of the scenario's file, unless it is a shipped one, or one made of an address.
    fn file(&self, source: &Source) -> Option<String> {
        let is_file = !self.is_address() && source.name == self.scenario;
        is_file.then(|| self.scenario.clone())
    }

    fn is_address(&self) -> bool {
        self.scenario.contains("://") || self.scenario.contains("+unix:")
    }

    /// The address that the command line names.
    fn url(&self) -> Option<String> {
        let address = self.is_address().then(|| self.scenario.clone());
        self.url.clone().or(address)
    }

    fn source(&self) -> Result<Source, CliError> {
        if self.is_address() {
            return Ok(scenario::from_url());
        }
        let path = Path::new(&self.scenario);
        // A bare name means a shipped scenario, unless a file has that name. A folder is no scenario.
        let is_bare = path.components().count() == 1 && path.extension().is_none();
        if is_bare
            && (!path.exists() || path.is_dir())
            && let Some(text) = shipped::named(&self.scenario)
        {
            let name = format!("{}.toml", self.scenario);
            if Path::new(&name).is_file() {
                tell_of_namesake(&self.scenario);
            }
            let text = text.to_owned();
            return Ok(Source { name, text });
        }
        let bytes =
            files::read(path, Outside::MAX_FILE).and_then(|bytes| match bytes.len() as u64 {
                0..=Outside::MAX_FILE => Ok(bytes),
                _ => Err(io::Error::new(
                    io::ErrorKind::FileTooLarge,
                    format!("it is larger than {}", ByteSize(Outside::MAX_FILE)),
                )),
            });
        let bytes = bytes.map_err(|source| CliError::Scenario {
            path: PathBuf::from(path),
            hint: match source.kind() {
                io::ErrorKind::IsADirectory => "name a file in it".to_owned(),
                io::ErrorKind::NotFound => hint(&self.scenario),
                _ => "name a file with the text of a scenario".to_owned(),
            },
            source,
        })?;
        Ok(Source::from_bytes(&self.scenario, bytes)?)
    }

    fn overrides(&self, access: Vec<AccessOption>, changes: &Changes) -> Overrides {
        Overrides {
            url: self.url(),
            url_is_argument: self.url.is_none(),
            access,
            pid: self.pid,
            connections: (changes.connections.iter().rev())
                .find_map(|given| given.cohort.is_none().then_some(given.count)),
            cohorts: (changes.connections.iter())
                .filter_map(|given| Some((given.cohort.clone()?, given.count)))
                .collect(),
            arrivals: changes.arrivals.clone(),
            duration: changes.duration.clone(),
            rates: changes.rate.clone(),
            gates: changes.gate.clone(),
            aborts: changes.abort.clone(),
        }
    }

    /// The overrides as they were typed, for the report.
    fn shown(&self, access: &[AccessOption], changes: &Changes) -> Vec<String> {
        let one =
            |name: &str, value: Option<String>| value.map(|value| format!("--{name} {value}"));
        [
            one("url", self.url.as_deref().map(scenario::shown_address)),
            one("pid", self.pid.map(|number| number.to_string())),
            one("duration", changes.duration.clone()),
            one("arrivals", changes.arrivals.clone()),
        ]
        .into_iter()
        .flatten()
        .chain(access.iter().flat_map(AccessOption::shown))
        .chain((changes.connections.iter()).map(|given| format!("--connections {given}")))
        .chain(changes.rate.iter().map(|rate| format!("--rate {rate}")))
        .chain(changes.gate.iter().map(|gate| format!("--gate \"{gate}\"")))
        .chain(
            changes
                .abort
                .iter()
                .map(|gate| format!("--abort \"{gate}\"")),
        )
        .collect()
    }
}

impl fmt::Display for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cohort {
            Some(cohort) => write!(f, "{cohort}={}", self.count),
            None => write!(f, "{}", self.count),
        }
    }
}

fn parse_connections(text: &str) -> Result<Connections, &'static str> {
    let (cohort, count) = match text.split_once('=') {
        Some((cohort, count)) => (Some(cohort.trim().to_owned()), count.trim()),
        None => (None, text),
    };
    let count = count.parse();
    let count = count.map_err(|_| "write a whole number from 1 to 10000000, without commas")?;
    Ok(Connections { cohort, count })
}

/// Reads a time from 100 ms up to `most`.
pub(super) fn time_up_to(text: &str, most: Duration) -> Result<Duration, String> {
    const LEAST: Duration = Duration::from_millis(100);
    match parse_duration(text) {
        Ok(time) if time < LEAST => Err(format!("must be at least {}", format_duration(LEAST))),
        Ok(time) if time > most => Err(format!("must be at most {}", format_duration(most))),
        Ok(time) => Ok(time),
        Err(error) => Err(error.to_string()),
    }
}

/// Says that a shipped scenario is meant, though a file has its name. Once, however often the scenario is read.
fn tell_of_namesake(name: &str) {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        term::note(format!(
            "note: this is the scenario {name} that ships with wsbench; for the file write {name}.toml"
        ));
    });
}

fn hint(name: &str) -> String {
    if let Some(address) = scenario::as_address(name) {
        return format!("for a server write {address}");
    }
    let names: Vec<&str> = shipped::ALL.iter().map(|(name, _)| *name).collect();
    let stem = Path::new(name)
        .file_stem()
        .and_then(|stem| stem.to_str())
        .unwrap_or(name);
    let nearest = scenario::nearest(stem, names.iter().copied());
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`, which ships with wsbench?"),
        None if name.ends_with(".toml") => {
            format!("`wsbench init {name}` writes one to start from")
        }
        None => format!("these ship with wsbench: {}", names.join(", ")),
    }
}
