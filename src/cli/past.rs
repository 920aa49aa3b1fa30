//! The baseline that runs are held against: read before the first connection, so that whatever keeps it from deciding is
//! said before the load, and not after it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::CliError;
use super::files;
use super::input::Loaded;
use super::term;
use crate::compare::{
    self, Baseline, Evidence, Machine, Open, Session, Setting, base_of, measure_of, not_compared,
    record, reopen,
};
use crate::report::{Host, Run};
use crate::scenario::{BaselineGate, Subject};
use crate::verdict::{GateResult, Observed};

/// What is held against a baseline.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Gates")]
pub(super) struct Against {
    /// What `… of baseline` in gates is about: a file of `wsbench baseline add`
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,
    /// Give no verdict (exit code 4) where a gate on the baseline is not decided
    #[arg(long, requires = "baseline")]
    pub(super) strict: bool,
}

/// The sessions of the past, and the gates that are about them.
pub(super) struct Past {
    sessions: Vec<Session>,
    elsewhere: usize,
    gates: Vec<BaselineGate>,
    strict: bool,
}

/// Who plays the load, as far as only the same can be compared.
pub(super) struct Generator {
    pub(super) host: Host,
    pub(super) workers: usize,
    /// One, or the parts of a run.
    pub(super) processes: usize,
}

impl Generator {
    /// This process, with so many workers.
    pub(super) fn here(workers: usize) -> Self {
        Self {
            host: Host::detect(),
            workers,
            processes: 1,
        }
    }
}

/// What to do where a baseline is not there.
#[derive(Debug, Clone, Copy)]
pub(super) enum IfMissing {
    /// Begin it: with gates on it no run is possible before.
    Begin,
    /// Add runs to it.
    AddRuns,
}

/// Reads a baseline.
///
/// # Errors
/// When it cannot be read, or is none.
pub(super) fn read(path: &Path, if_missing: IfMissing) -> Result<Baseline, CliError> {
    let failed = |what: String| CliError::Baseline {
        path: path.to_owned(),
        what,
    };
    let file = path.display();
    let bytes = files::read(path, Baseline::MAX_BYTES).map_err(|source| {
        let hint = match (source.kind(), if_missing) {
            (ErrorKind::NotFound, IfMissing::Begin) => {
                format!("\nhint: make an empty one: wsbench baseline add {file}")
            }
            (ErrorKind::NotFound, IfMissing::AddRuns) => {
                format!("\nhint: `wsbench baseline add {file} RUN…` makes one")
            }
            (ErrorKind::IsADirectory, _) => {
                "\nhint: a baseline is a file: wsbench baseline add FILE RUN…".to_owned()
            }
            _ => String::new(),
        };
        failed(format!("{source}{hint}"))
    })?;
    Baseline::parse(&bytes).map_err(|error| failed(error.to_string()))
}

impl Past {
    /// Reads the baseline that is asked for, and gives each gate on it the limit that follows, as far as one does; so a
    /// doubt about the generator concerns it like any gate. `None` where nothing is held against a baseline.
    ///
    /// # Errors
    /// When a gate is about a baseline and there is none, it cannot be read, or it was asked something else.
    pub(super) fn open(
        against: &Against,
        loaded: &mut Loaded,
        generator: &Generator,
    ) -> Result<Option<Self>, CliError> {
        let gates = loaded.scenario.gates.baseline.clone();
        let Some(path) = &against.baseline else {
            return match gates.into_iter().next() {
                Some(gate) => Err(CliError::NoBaseline { gate: gate.text }),
                None => Ok(None),
            };
        };
        loaded.files.push((path.clone(), "the baseline"));
        if gates.is_empty() && against.strict {
            return Err(CliError::NothingStrict);
        }
        let scenario = &loaded.scenario;
        let target = scenario.target.url.shown();
        let setting = Setting::new(
            &scenario.name,
            &loaded.text,
            &target,
            &loaded.overrides,
            generator.workers,
        )
        .of_processes(generator.processes);
        let machine = Machine::of(&generator.host);
        let baseline = read(path, IfMissing::Begin)?;
        let past = Self::of(
            (path, baseline),
            gates,
            against.strict,
            (&setting, &machine),
        )?;
        for gate in &past.gates {
            let base = past.base(&gate.subject);
            if gate.wants_slack(base) {
                term::note(slack(gate));
            }
            let gates = &mut loaded.scenario.gates;
            gates.pass.extend(base.map(|base| gate.where_base_is(base)));
        }
        Ok(Some(past))
    }

    /// Reads the baseline that a stored run is held against, by the gates that it has. `None` if it is held against none.
    ///
    /// # Errors
    /// When the baseline cannot be read, was asked something else, or there is nothing to be strict about.
    pub(super) fn of_stored(against: &Against, run: &Run) -> Result<Option<Self>, CliError> {
        let Some(path) = &against.baseline else {
            return Ok(None);
        };
        let gates = run.verdict.gates.iter();
        let gates = gates.filter_map(|gate| BaselineGate::stored(&gate.gate).ok().flatten());
        let gates: Vec<BaselineGate> = gates.collect();
        if gates.is_empty() && against.strict {
            return Err(CliError::NothingStored);
        }
        let baseline = read(path, IfMissing::AddRuns)?;
        let asked = (&Setting::of_run(run), &Machine::of(&run.host));
        Self::of((path, baseline), gates, against.strict, asked).map(Some)
    }

    /// Takes the sessions of this machine, if all were asked the same.
    fn of(
        (path, baseline): (&Path, Baseline),
        gates: Vec<BaselineGate>,
        strict: bool,
        (setting, machine): (&Setting, &Machine),
    ) -> Result<Self, CliError> {
        baseline
            .check_setting(setting)
            .map_err(|mismatch| CliError::Baseline {
                path: path.to_owned(),
                what: format!(
                    "{mismatch}\nhint: begin a new file where what is asked of the server has changed"
                ),
            })?;
        let sessions: Vec<Session> = baseline.of(machine).cloned().collect();
        if gates.is_empty() {
            term::note("note: no gate is about the baseline, so it decides nothing");
        }
        Ok(Self {
            elsewhere: baseline.sessions.len() - sessions.len(),
            sessions,
            gates,
            strict,
        })
    }

    /// What the baseline has, in the unit of a gate's value; `None` where it decides nothing.
    fn base(&self, subject: &Subject) -> Option<f64> {
        let base = base_of(&self.sessions, subject)?;
        Some(Observed::of_reported(base, measure_of(subject)).value)
    }

    /// What its gates look at.
    pub(super) fn subjects(&self) -> Vec<Subject> {
        self.gates.iter().map(|gate| gate.subject.clone()).collect()
    }

    /// Judges its gates on a session.
    pub(super) fn judge(&self, new: Session) -> Vec<GateResult> {
        let evidence = Evidence::History {
            base: self.sessions.clone(),
            elsewhere: self.elsewhere,
            new: vec![new],
        };
        let gates = self.gates.iter();
        gates.map(|gate| compare::judge(gate, &evidence)).collect()
    }

    /// The result of all gates where nothing is compared.
    pub(super) fn nothing(&self, why: &str) -> Vec<GateResult> {
        let gates = self.gates.iter();
        gates.map(|gate| not_compared(gate, why)).collect()
    }

    /// What becomes of a run whose gates are not all decided.
    pub(super) fn open_gates(&self) -> Open {
        match self.strict {
            true => Open::IsADoubt,
            false => Open::IsAWarning,
        }
    }

    /// Judges its gates on a run that is a session of its own.
    pub(super) fn settle(&self, run: &mut Run) {
        let results = match Session::of([&*run], &self.subjects()) {
            Ok(session) => self.judge(session),
            Err(error) => self.nothing(&error.to_string()),
        };
        compare::settle(run, results, self.open_gates());
        self.put_into(run);
    }

    /// Judges its gates on a stored run, whatever they came to before.
    pub(super) fn settle_anew(&self, run: &mut Run) {
        reopen(run);
        self.settle(run);
    }

    /// Leaves the gates of one of several runs to the session.
    pub(super) fn postpone(&self, run: &mut Run) {
        let why = "judged once, on all runs of the session: see session.json";
        compare::settle(run, self.nothing(why), Open::IsLeftOut);
        self.put_into(run);
    }

    /// Puts what the baseline has into the record of a run, so that its pictures show it.
    fn put_into(&self, run: &mut Run) {
        run.baseline = Some(record(&self.sessions, &self.gates));
    }
}

/// What to know of a gate without a slack.
pub(super) fn slack(gate: &BaselineGate) -> String {
    format!(
        "warning: `{}` has no slack, and a high percentile of a few milliseconds differs by more than that from run to \
         run\nhint: allow what nobody feels: `{} + 2ms`",
        gate.text, gate.text
    )
}
