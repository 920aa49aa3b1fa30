//! `--dashboard`: the report's page while the run goes on, in a browser.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::address::Address;
use super::attempt::{self, Records};
use super::error::CliError;
use super::signals::Stopper;
use crate::engine;
use crate::measure::{Progress, Summary, Timeline};
use crate::output::{Exposition, Output, Second, SendError};
use crate::report::{self, LivePage, Run};
use crate::scenario::Scenario;
use crate::verdict::{Exit, Outcome, Verdict, so_far};
use crate::web::{self, Content, Document, Pulse};

const OPTION: &str = "`--dashboard`";
/// What it means without an address.
pub(super) const DEFAULT: &str = "127.0.0.1:9770";

/// The dashboard of a run.
pub(super) struct Dashboard {
    page: web::Dashboard,
    latest: Arc<Mutex<Option<Latest>>>,
}

/// The newest numbers that no interval has.
struct Latest {
    progress: Progress,
    summary: Summary,
}

/// From so many cohorts on, only those times are shown that a gate is about.
const MANY_COHORTS: usize = 32;

impl Dashboard {
    /// Listens, and serves. Returns what has to be handed each second, as an output.
    pub(super) fn start(
        address: &Address,
        run: Begun,
        numbers: Exposition,
        stopper: Stopper,
    ) -> Result<(Self, Seconds), CliError> {
        let listening = address.listen(OPTION)?;
        let latest = Arc::new(Mutex::new(None));
        let timeline = Arc::new(Mutex::new(Timeline::new(Duration::ZERO)));
        let content = Shown {
            run,
            timeline: timeline.clone(),
            latest: latest.clone(),
            numbers,
            stopper,
        };
        let page = web::Dashboard::start(listening, Box::new(content));
        let page = page.map_err(|source| address.failed(OPTION, source))?;
        let seconds = Seconds {
            timeline,
            pulse: page.pulse(),
        };
        Ok((Self { page, latest }, seconds))
    }

    /// What is told of it: where it is, and who can open it.
    pub(super) fn told(&self) -> String {
        let who = match self.page.is_public() {
            true => {
                "\nwho has this address can see the run and end it, and so can who reads it on the way: there is no TLS"
            }
            false => "",
        };
        format!("dashboard: {}{who}", self.page.url())
    }

    /// Takes the numbers of a second that no interval has. Called by the supervisor, and never waits.
    pub(super) fn second(&self, second: &engine::Second<'_>, scenario: &Scenario) {
        let is_small = scenario.cohorts.len() < MANY_COHORTS;
        let gates = &scenario.gates.pass;
        let wanted = |metric: &str| is_small || gates.iter().any(|gate| gate.subject.is_of(metric));
        let newest = Latest {
            progress: second.progress.clone(),
            summary: second.snapshot(&wanted),
        };
        if let Ok(mut latest) = self.latest.try_lock() {
            *latest = Some(newest);
        }
    }

    /// The report for all who look.
    pub(super) fn last(self, run: &Run) -> Last {
        let mut text = Vec::new();
        // What cannot be rendered is told where the report is written.
        let text = report::html(run, &mut text).map(|()| text);
        Last {
            page: self.page,
            text: text.ok(),
        }
    }
}

/// A dashboard whose run is over.
pub(super) struct Last {
    page: web::Dashboard,
    text: Option<Vec<u8>>,
}

impl Last {
    /// Gives all who look the report, and ends.
    pub(super) fn show(self) {
        if let Some(text) = self.text {
            let text = String::from_utf8_lossy(&text).into_owned();
            self.page.finish(text, report::html_policy());
        }
    }
}

/// Adds the seconds to what the page shows.
pub(super) struct Seconds {
    timeline: Arc<Mutex<Timeline>>,
    pulse: Pulse,
}

impl Output for Seconds {
    fn send(&mut self, second: &Second) -> Result<(), SendError> {
        let mut timeline = self.timeline.lock().unwrap_or_else(PoisonError::into_inner);
        timeline.push(&second.interval);
        drop(timeline);
        self.pulse.beat();
        Ok(())
    }
}

/// What is known of a run when it begins.
pub(super) struct Begun {
    pub(super) records: Records,
    pub(super) started_at: SystemTime,
    pub(super) workers: usize,
}

impl Begun {
    /// The run as far as it has come. It has no verdict, only its gates as they stand.
    fn so_far(&self, mut summary: Summary) -> Run {
        let cohorts = self.records.scenario.cohorts.iter();
        summary.cohorts = cohorts.map(|cohort| cohort.name.clone()).collect();
        // These are of the whole run already.
        let errors = summary.metrics.iter();
        let errors = errors.filter(|metric| metric.name.starts_with("errors."));
        summary.totals = errors.cloned().collect();
        let facts = attempt::facts(Outcome::Completed, self.workers, None);
        let verdict = Verdict {
            gates: so_far(&self.records.scenario, &summary),
            contracts: Vec::new(),
            warnings: Vec::new(),
            distrust: Vec::new(),
            exit: Exit::Passed,
        };
        self.records.run(self.started_at, facts, summary, verdict)
    }
}

/// What the page shows.
struct Shown {
    run: Begun,
    timeline: Arc<Mutex<Timeline>>,
    latest: Arc<Mutex<Option<Latest>>>,
    numbers: Exposition,
    stopper: Stopper,
}

impl Content for Shown {
    fn draw(&mut self) -> Document {
        let timeline = self.timeline.lock().unwrap_or_else(PoisonError::into_inner);
        let intervals = timeline.intervals();
        drop(timeline);
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let (progress, summary) = match &*latest {
            Some(Latest { progress, summary }) => (Some(progress.clone()), summary.clone()),
            None => (None, Summary::default()),
        };
        drop(latest);
        let run = self.run.so_far(Summary {
            intervals,
            ..summary
        });
        match report::live_page(&run, progress.as_ref()) {
            Ok(LivePage {
                text,
                parts,
                policy,
            }) => Document {
                text,
                parts,
                policy,
            },
            Err(error) => Document {
                text: format!(
                    "the page cannot be drawn: {}",
                    crate::units::visible(&error.to_string())
                ),
                parts: Vec::new(),
                policy: "default-src 'none'".to_owned(),
            },
        }
    }

    fn metrics(&self) -> (&'static str, Option<String>) {
        (Exposition::TYPE, self.numbers.text().ok())
    }

    fn stop(&self) {
        self.stopper.stop();
    }
}
