//! `wsbench merge`: puts the recorded parts of a run together, and judges and reports them as one run.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::conclude::Reporting;
use super::error::CliError;
use super::files;
use super::input::Loaded;
use super::part::{again, differs, or_its_name, start_of};
use super::past::{Against, Generator, Past};
use super::signals::Signals;
use crate::engine::{self, Limits, Recorded, Replayed, replay};
use crate::measure::{Layout, Sample, Shard, Summary, Surroundings};
use crate::plan::Plan;
use crate::record::{End, Head, Machine, PartOf, Reader};
use crate::report::{Host, Options, Parts, Run};
use crate::units::{Nanos, Timestamp, visible};
use crate::verdict::{Exit, Facts, Outcome, PartFacts, Throttling, judge};

/// Put the recorded parts of a run together, and judge them by its gates.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The files of all parts, in any order
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    against: Against,
    #[command(flatten)]
    reporting: Reporting,
}

/// Executes the whole command.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    // There may be more parts than the soft limit of descriptors allows.
    Limits::of_this_machine();
    let parts = open_all(&args.files)?;
    let mut loaded = again(&parts[0].head().recipe, &or_its_name)?;
    let run = merge(args, &mut loaded, parts);
    run.map_err(|error| error.masked(&loaded.scenario.secrets))
}

fn merge(args: &Args, loaded: &mut Loaded, mut parts: Vec<PartFile>) -> Result<Exit, CliError> {
    let head = parts[0].head().clone();
    let workers = parts
        .iter()
        .map(|part| part.head().machine.workers as usize);
    let generator = Generator {
        host: common(|| parts.iter().map(|part| &part.head().machine)),
        workers: workers.sum(),
        processes: parts.len(),
    };
    let past = Past::open(&args.against, loaded, &generator)?;
    let labels = args.reporting.labels(loaded)?;
    let plan = Plan::new(loaded.scenario.clone(), head.recipe.seed, 0);
    let layout = plan.layout();
    for part in &mut parts {
        part.layout = Some(layout.clone());
    }
    let mut replayed = replay(&plan, &mut parts, &mut Silent)?;
    let secrets = &loaded.scenario.secrets;
    replayed.summary.each_text(|text| secrets.mask_in(text));

    let (signals, _) = Signals::listen()?;
    let output = (args.reporting).open_output(&loaded.scenario, start_of(&head))?;
    let mut needed = loaded.files.clone();
    needed.extend(
        parts
            .iter()
            .map(|part| (part.path.clone(), "a part of the run")),
    );
    let formats = args.reporting.formats.open(&needed, None)?;
    let Replayed { summary, health } = replayed;
    let facts = facts(&parts, health);
    let verdict = judge(&loaded.scenario, &summary, &facts);
    let mut run = Run::of(Parts {
        scenario: &loaded.scenario,
        scenario_text: &loaded.text,
        scenario_file: loaded.file.clone(),
        options: Options {
            seed: head.recipe.seed,
            overrides: head.recipe.changes.clone(),
            labels,
        },
        host: generator.host,
        started_at: start_of(&head),
        facts,
        summary,
        verdict,
    });
    if let Some(past) = &past {
        past.settle(&mut run);
    }
    let heard = signals.count();
    let failures = [None, None];
    Ok((args.reporting).conclude(&run, output, formats, &signals, heard, failures))
}

/// The way out where a file is none.
const FILES: &str =
    "\nhint: give the files that `wsbench run --part` wrote with --record, of all parts";

/// A part that is being read.
struct PartFile {
    path: PathBuf,
    reader: Reader<BufReader<File>>,
    /// The layout of its shards, once the plan is known.
    layout: Option<Layout>,
    /// When measuring began or will, as far as is known.
    measured_from: Option<Timestamp>,
}

impl PartFile {
    fn open(path: &Path) -> Result<Self, CliError> {
        let file = files::open_file(path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => unusable(path, format_args!("it is not there{FILES}")),
            ErrorKind::InvalidInput => unusable(path, format_args!("{error}{FILES}")),
            _ => unusable(path, error),
        })?;
        let reader = Reader::begin(BufReader::new(file));
        Ok(Self {
            reader: reader.map_err(|error| unusable(path, error))?,
            path: path.to_owned(),
            layout: None,
            measured_from: None,
        })
    }

    fn head(&self) -> &Head {
        self.reader.head()
    }

    fn part(&self) -> PartOf {
        self.reader.head().part
    }
}

impl Recorded for PartFile {
    type Error = CliError;

    fn next(&mut self) -> Result<Option<(Shard, Sample)>, CliError> {
        let Some(layout) = &self.layout else {
            return Ok(None);
        };
        let second = self.reader.second(layout);
        let second = second.map_err(|error| unusable(&self.path, error))?;
        Ok(second.map(|second| {
            self.measured_from = second.measured_from;
            (second.shard, second.sample)
        }))
    }

    fn workers(&self) -> usize {
        self.head().machine.workers as usize
    }

    fn measured_from(&self) -> Option<Timestamp> {
        self.measured_from
    }

    fn ended(&self) -> (Timestamp, Timestamp) {
        let end = self.reader.end();
        end.map_or((Timestamp::ORIGIN, Timestamp::ORIGIN), |end| {
            (end.load_ended_ns, end.ended_ns)
        })
    }
}

fn unusable(path: &Path, error: impl std::fmt::Display) -> CliError {
    CliError::Part {
        path: path.to_owned(),
        what: error.to_string(),
    }
}

/// Opens all parts of one run, in the order of their numbers. There is at least one.
fn open_all(paths: &[PathBuf]) -> Result<Vec<PartFile>, CliError> {
    let parts = paths.iter().map(|path| PartFile::open(path));
    let mut parts: Vec<PartFile> = parts.collect::<Result<_, _>>()?;
    parts.sort_by_key(|part| part.part().number);
    for pair in parts.windows(2) {
        let [one, other] = pair else { continue };
        if let Some(why) = differs(other.head(), one.head()) {
            return Err(unusable(
                &other.path,
                format_args!("it is of another run: {why}\nhint: give the files of one run"),
            ));
        }
        if one.part() == other.part() {
            let (number, first) = (one.part().number, one.path.display());
            let why = format_args!(
                "it is part {number} once more, which {first} is already\nhint: leave one of them out"
            );
            return Err(unusable(&other.path, why));
        }
    }
    let PartOf { parts: all, .. } = parts[0].part();
    let there: Vec<u32> = parts.iter().map(|part| part.part().number).collect();
    let missing: Vec<String> = (1..=all)
        .filter(|number| there.binary_search(number).is_err())
        .map(|number| number.to_string())
        .collect();
    match missing.len() {
        0 => Ok(parts),
        _ => Err(CliError::Parts(format!(
            "of {all} parts, {} missing: {}\nhint: give the files of all parts",
            match missing.len() {
                1 => "one is".to_owned(),
                many => format!("{many} are"),
            },
            missing.join(", ")
        ))),
    }
}

/// What is known of the processes together, and of each.
fn facts(parts: &[PartFile], health: Vec<Summary>) -> Facts {
    let each: Vec<PartFacts> = (parts.iter().zip(health))
        .filter_map(|(part, health)| Some(of_part(part, part.reader.end()?, health)))
        .collect();
    let ends = || parts.iter().filter_map(|part| part.reader.end());
    let failed = parts.iter().find_map(|part| {
        let why = part.reader.end()?.failure.as_ref()?;
        let number = part.part().number;
        Some(format!("part {number} failed to {why}"))
    });
    let outcome = match failed {
        Some(why) => Outcome::Broken { why },
        None if ends().any(|end| end.interrupted) => Outcome::Interrupted,
        None => Outcome::Completed,
    };
    let failed = ends().filter_map(|end| end.look_ups_failed.clone());
    let look_ups_failed =
        failed.reduce(|(all, _), (count, last)| (all.saturating_add(count), last));
    let surroundings = Surroundings {
        look_ups_failed,
        ..Surroundings::default()
    };
    Facts::of_parts(outcome, surroundings, each)
}

fn of_part(part: &PartFile, end: &End, health: Summary) -> PartFacts {
    let machine = &part.head().machine;
    let outcome = match (&end.failure, end.interrupted) {
        (Some(why), _) => Outcome::Broken {
            why: format!("failed to {why}"),
        },
        (None, true) => Outcome::Interrupted,
        (None, false) => Outcome::Completed,
    };
    PartFacts {
        number: part.part().number,
        name: part.head().name.as_deref().map(visible),
        machine: described(machine),
        facts: Facts {
            outcome,
            workers: machine.workers as usize,
            precise_timer: machine.precise_timer,
            kernel_view: machine.kernel_view,
            cores: machine.cores,
            throttling: (end.throttling)
                .map(|(periods, throttled)| Throttling { periods, throttled }),
            surroundings: Surroundings::default(),
            parts: Vec::new(),
        },
        health,
        settled: end.settled_ns,
        told_late: end.told_late_ns.map(Nanos),
        clock: None,
        lost: None,
    }
}

/// A machine, for people.
pub(super) fn described(machine: &Machine) -> String {
    let words = [
        machine.cpu_model.clone().unwrap_or_default(),
        format!("{} {}", machine.os, machine.arch),
        machine.kernel.clone().unwrap_or_default(),
    ];
    let words = words.into_iter().filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(", ")
}

/// The machine, as far as all parts have the same; else what is said of all of them.
pub(super) fn common<'a, I: Iterator<Item = &'a Machine>>(machines: impl Fn() -> I) -> Host {
    fn same<T: PartialEq>(mut all: impl Iterator<Item = T>) -> Option<T> {
        let first = all.next()?;
        all.all(|other| other == first).then_some(first)
    }
    let several = || "several".to_owned();
    // `2 × A, 1 × B`: in the order of their names, so that the same machines are the same mixture.
    let mixture = || {
        let mut models: BTreeMap<&str, usize> = BTreeMap::new();
        for machine in machines() {
            *models
                .entry(machine.cpu_model.as_deref().unwrap_or("unknown"))
                .or_default() += 1;
        }
        let models = models
            .iter()
            .map(|(model, parts)| format!("{parts} × {model}"));
        models.collect::<Vec<_>>().join(", ")
    };
    Host {
        os: same(machines().map(|one| one.os.clone())).unwrap_or_else(several),
        arch: same(machines().map(|one| one.arch.clone())).unwrap_or_else(several),
        kernel: same(machines().map(|one| one.kernel.clone())).flatten(),
        congestion_control: same(machines().map(|one| one.congestion_control.clone())).flatten(),
        cpus: same(machines().map(|one| one.cpus)).flatten(),
        cpu_model: same(machines().map(|one| one.cpu_model.clone()))
            .unwrap_or_else(|| Some(mixture())),
    }
}

/// Looks at nothing: the run is over.
struct Silent;

impl engine::Observer for Silent {
    fn second(&mut self, _second: &engine::Second<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
