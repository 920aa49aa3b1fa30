//! `--output` and `--dashboard`: opens what the numbers of a run are sent to while it runs, hands over each second, and in the
//! end the report to who looks.

use std::fs::File;
use std::io;
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use super::address::Address;
use super::attempt::Records;
use super::dashboard::{self, Begun, Dashboard};
use super::error::CliError;
use super::files::{self, Needed};
use super::input::Loaded;
use super::run::not_of_report;
use super::signals::Stopper;
use super::term;
use crate::engine;
use crate::output::{
    About, Destination, Exposition, HostPort, Hub, Influx, Jsonl, Otlp, Prometheus, Statsd,
};
use crate::report::{Labels, OutputRecord, OutputSet, Run};
use crate::scenario::Scenario;
use crate::web::{self, Guard, Listening, Serving};

/// Where the numbers of a run go while it runs.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "While it runs")]
pub(super) struct OutputArgs {
    /// Send what each second held to prometheus=HOST:PORT, otlp=URL, influx=URL, statsd=HOST:PORT, dogstatsd=HOST:PORT or
    /// jsonl=FILE (- is standard output); may be given several times
    // Read by `open`: an error of clap would show the whole value, and so credentials in it.
    #[arg(long, value_name = "KIND=WHERE")]
    output: Vec<String>,
    /// Show the run in a browser while it goes on [default address: 127.0.0.1:9770]
    #[arg(
        long,
        value_name = "ADDR",
        num_args = 0..=1,
        default_missing_value = dashboard::DEFAULT
    )]
    dashboard: Option<Address>,
}

/// What outputs are opened for.
pub(super) struct Opening<'a> {
    pub(super) loaded: &'a Loaded,
    pub(super) labels: &'a Labels,
    pub(super) seed: u64,
    pub(super) workers: usize,
    pub(super) started_at: SystemTime,
    /// Files that must not be written over.
    pub(super) needed: &'a [Needed],
    pub(super) report: &'a OutputSet,
    /// Ends the run.
    pub(super) stopper: Stopper,
}

/// Outputs that are open.
#[derive(Default)]
pub(super) struct Outputs {
    hub: Hub,
    still: Still,
}

/// What is there until the program ends.
#[derive(Default)]
pub(super) struct Still {
    dashboard: Option<Dashboard>,
    /// What Prometheus reads.
    pages: Vec<Serving>,
}

impl OutputArgs {
    /// Opens each output, so that a wrong one is told before the first connection, and says where the dashboard is.
    ///
    /// # Errors
    /// When one is not KIND=WHERE, or cannot be opened here. Whether somebody takes what is sent is not asked.
    pub(super) fn open(&self, run: Opening<'_>) -> Result<Outputs, CliError> {
        let read = self.output.iter().map(|text| text.parse());
        let read: Vec<Destination> = read.collect::<Result<_, _>>()?;
        let about = run.about();
        let mut outputs = Outputs::default();
        for (shown, destination) in self.output.iter().cloned().zip(read) {
            outputs.add(shown, destination, &about, &run)?;
        }
        if let Some(address) = &self.dashboard {
            let (totals, numbers) = Prometheus::new(&about);
            let begun = Begun {
                records: Records::new(run.loaded, run.seed, run.labels.clone()),
                started_at: run.started_at,
                workers: run.workers,
            };
            let (dashboard, seconds) = Dashboard::start(address, begun, numbers, run.stopper)?;
            let cohorts = about.cohorts.len();
            let shown = || "dashboard".to_owned();
            thread_of(outputs.hub.add(shown(), (totals, seconds), cohorts))?;
            term::note(dashboard.told());
            outputs.still.dashboard = Some(dashboard);
        }
        Ok(outputs)
    }
}

impl Opening<'_> {
    fn about(&self) -> About {
        let scenario = &self.loaded.scenario;
        About {
            scenario: scenario.name.clone(),
            cohorts: (scenario.cohorts.iter())
                .map(|cohort| cohort.name.clone())
                .collect(),
            labels: self.labels.clone(),
            run: format!("{:08x}", super::start::nonce(self.started_at)),
            started_at: self.started_at,
        }
    }
}

impl Outputs {
    fn add(
        &mut self,
        shown: String,
        destination: Destination,
        about: &About,
        run: &Opening<'_>,
    ) -> Result<(), CliError> {
        let (hub, cohorts) = (&mut self.hub, about.cohorts.len());
        let started = match destination {
            Destination::Prometheus(place) => {
                let (totals, numbers) = Prometheus::new(about);
                self.still.pages.push(page(&place, numbers)?);
                hub.add(shown, totals, cohorts)
            }
            Destination::Otlp(url) => hub.add(shown, Otlp::new(&url, about, &variable)?, cohorts),
            Destination::Influx(url) => {
                hub.add(shown, Influx::new(&url, about, &variable), cohorts)
            }
            Destination::Statsd(to) => hub.add(shown, Statsd::new(to, false, about), cohorts),
            Destination::Dogstatsd(to) => hub.add(shown, Statsd::new(to, true, about), cohorts),
            Destination::Jsonl(path) => {
                not_of_report(&path, run.report)?;
                hub.add(shown, jsonl(&path, about, run.needed)?, cohorts)
            }
        };
        thread_of(started)
    }

    /// Hands over a second. Never waits.
    pub(super) fn second(&mut self, second: &engine::Second<'_>, scenario: &Scenario) {
        if let Some(dashboard) = &self.still.dashboard {
            dashboard.second(second, scenario);
        }
        self.hub.offer(SystemTime::now(), &second.interval);
    }

    /// Ends what is sent after the run, in a few seconds at most. Returns what each output took, and what is there still.
    pub(super) fn finish(self) -> (Vec<OutputRecord>, Still) {
        (self.hub.finish(), self.still)
    }
}

impl Still {
    /// Gives who looks the report instead, on a thread of its own: nobody here waits for a browser.
    pub(super) fn show(self, run: &Run) -> Showing {
        let Self { dashboard, pages } = self;
        let last = dashboard.map(|dashboard| dashboard.last(run));
        let show = move || {
            if let Some(last) = last {
                last.show();
            }
            pages.into_iter().for_each(Serving::finish);
        };
        Showing(thread::Builder::new().spawn(show).ok())
    }
}

/// Who looked is given the report.
pub(super) struct Showing(Option<JoinHandle<()>>);

impl Showing {
    /// Waits until they have it, a few seconds at most.
    pub(super) fn finish(self) {
        if let Some(thread) = self.0 {
            let _ = thread.join();
        }
    }
}

fn thread_of(started: io::Result<()>) -> Result<(), CliError> {
    started.map_err(|source| CliError::System {
        doing: "start a thread",
        source,
    })
}

/// A variable of the environment that is not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Serves the numbers for Prometheus.
fn page(place: &HostPort, numbers: Exposition) -> Result<Serving, CliError> {
    let HostPort { host, port } = place;
    let failed = |source| CliError::Listen {
        what: "`--output prometheus`",
        address: format!("{host}:{port}"),
        source,
    };
    let listening = Listening::at(host, *port).map_err(failed)?;
    let guard = Guard::open(listening.address());
    let text = move || numbers.text().ok();
    let site = move || web::metrics(guard, Exposition::TYPE, text);
    listening.serve(site).map_err(failed)
}

fn jsonl(path: &Path, about: &About, needed: &[Needed]) -> Result<Jsonl<File>, CliError> {
    let path = match path == Path::new("-") {
        true => Path::new("/dev/stdout"),
        false => path,
    };
    let file = files::create(path, needed)?;
    Jsonl::new(file, about).map_err(|source| CliError::write(path, source))
}
