//! `wsbench search`: finds the most that still holds the gates. Each probe is `wsbench run` with one more option, in a
//! process of its own, so that it is exactly what a user would run.

mod probing;
mod vary;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use self::probing::{Ended, Prober};
pub(super) use self::vary::Vary;
use super::error::CliError;
use super::input::{Input, Loaded};
use super::signals::Signals;
use super::term;
use crate::engine::{self, Limits, cores};
use crate::plan::{Budget, Plan as RunPlan};
use crate::report::{self, ProbeRecord, Search};
use crate::scenario::{Scenario, TargetUrl};
use crate::search::{End, Found, MAX_PROBES, Plan, Probe, Step, next, so_far};
use crate::units::{counted, format_duration, human_count, human_ns, parse_duration};
use crate::verdict::Exit;

/// Find the most connections, messages or arrivals with which a scenario still holds its gates.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to vary: connections, connections=COHORT, rate, rate=MESSAGE, or arrivals
    #[arg(long, value_name = "WHAT", value_parser = Vary::parse)]
    vary: Vary,
    /// First value; it is doubled while the gates hold, and halved while they do not
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = parse_value)]
    from: u64,
    /// Highest value; may be left out for connections to this machine: as many as it can open
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = parse_value)]
    to: Option<u64>,
    /// How close together what holds and what does not shall be
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = parse_precision)]
    precision: f64,
    /// Fail if the result is below this
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = parse_value)]
    at_least: Option<u64>,
    /// Time between two probes, in which the server comes to rest
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_duration)]
    settle: Duration,
    /// Longest time of the whole search; then it ends with what it knows
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = parse_duration)]
    budget: Duration,
    /// Write the result, and a folder for each probe, into this new folder
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Threads that send and receive [default: one for each core]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = clap::value_parser!(u16).range(1..=1024))]
    workers: Option<u16>,
    #[command(flatten)]
    input: Input,
}

/// The options of a search that its probes do not have, each with a value.
const OWN: [&str; 8] = [
    "--vary",
    "--from",
    "--to",
    "--precision",
    "--at-least",
    "--settle",
    "--budget",
    "--out",
];

/// Executes the whole command.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let loaded = args.input.load_varied(&args.vary, args.from)?;
    let run = run_loaded(args, &loaded);
    run.map_err(|error| error.masked(&loaded.scenario.secrets))
}

fn run_loaded(args: &Args, loaded: &Loaded) -> Result<Exit, CliError> {
    loaded.has_an_end("search")?;
    let scenario = &loaded.scenario;
    let judged = scenario
        .cohorts
        .iter()
        .any(|cohort| cohort.contract.is_some());
    if scenario.gates.pass.is_empty() && !judged {
        return Err(CliError::Search(
            "search for the most that holds: there is no gate, so anything holds\nhint: write `[gates]` with `pass`, or `--gate \"p99(latency.echo) < 50ms\"`",
        ));
    }
    if !scenario.gates.baseline.is_empty() {
        return Err(CliError::Search(
            "search with a gate on a baseline: a probe has another load than its runs had\nhint: give the gate a limit of its own",
        ));
    }
    let workers = engine::workers(args.workers.map(usize::from), cores())?;
    let to = match args.to {
        Some(to) => to,
        None => highest(args, scenario, workers)?,
    };
    let plan = Plan::new(args.from, to, args.precision, args.at_least)?;
    let (signals, _) = Signals::listen()?;
    new_folder(&args.out)?;
    let each = Duration::from(RunPlan::new(scenario.clone(), 1, 0).length()) + args.settle;
    term::print(planned(args, &plan, each).as_bytes())?;
    let own: Vec<&str> = OWN.into_iter().chain(args.vary.replaces()).collect();
    let searching = Searching {
        args,
        plan,
        workers,
        started: Instant::now(),
        prober: Prober::new(&own, &signals, args.settle),
        probes: Vec::new(),
        records: Vec::new(),
    };
    let started_at = SystemTime::now();
    let (found, probes) = searching.search()?;
    let search = Search {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: scenario.name.clone(),
        target: scenario.target.url.shown(),
        started_at: report::utc(started_at),
        vary: args.vary.to_string(),
        what: args.vary.what(),
        range: (plan.from(), plan.to()),
        at_least: args.at_least,
        probes,
        found,
    };
    let search = masked(search, scenario);
    let text = finished(args, &search);
    term::print(text.as_bytes())?;
    write(&args.out, "search.json", |out| {
        report::search_json(&search, out)
    })?;
    write(&args.out, "search.csv", |out| {
        report::search_csv(&search, out)
    })?;
    write(&args.out, "search.html", |out| {
        report::search_html(&search, out)
    })?;
    Ok(search.exit())
}

/// A search that is under way.
struct Searching<'a> {
    args: &'a Args,
    plan: Plan,
    workers: usize,
    started: Instant,
    prober: Prober<'a>,
    probes: Vec<Probe>,
    records: Vec<ProbeRecord>,
}

impl Searching<'_> {
    /// Tries value after value until the search ends.
    fn search(mut self) -> Result<(Found, Vec<ProbeRecord>), CliError> {
        loop {
            let value = match next(&self.plan, &self.probes) {
                Step::Done(found) => return Ok((found, self.records)),
                Step::Probe(value) => value,
            };
            let end = match self.started.elapsed() > self.args.budget {
                true => Some(End::Budget),
                false => self.probe(value)?,
            };
            if let Some(end) = end {
                return Ok((so_far(&self.probes, end), self.records));
            }
        }
    }

    /// Tries one value. Returns why the search ends, if it does.
    fn probe(&mut self, value: u64) -> Result<Option<End>, CliError> {
        let loaded = self.args.input.load_varied(&self.args.vary, value)?;
        let budget = Budget::new(&loaded.scenario, self.workers);
        let number = self.probes.len() + 1;
        let of_value = self.probes.iter().filter(|probe| probe.value == value);
        let r#try = of_value.count() + 1;
        let folder = format!("{number:02}-{value}");
        let more = self.args.vary.option(value);
        let ended = match Limits::of_this_machine().check(&budget, 1) {
            Err(limit) => Ended::NoRoom(limit.to_string()),
            Ok(()) => {
                let ended = self
                    .prober
                    .run(&more, &self.args.out.join(&folder), &budget);
                // What is known until then is written all the same.
                ended.unwrap_or_else(|error| {
                    term::error(&error);
                    Ended::Failed
                })
            }
        };
        let (outcome, record) = match ended {
            Ended::Interrupted => return Ok(Some(End::Interrupted)),
            Ended::Failed => return Ok(Some(End::Failed)),
            Ended::NoRoom(why) => {
                let outcome = crate::search::Outcome::Generator;
                let why = why.lines().next().unwrap_or_default().to_owned();
                (
                    outcome,
                    ProbeRecord::not_run(number, value, r#try, outcome, why),
                )
            }
            Ended::Ran(run, outcome) => {
                let arrives = matches!(self.args.vary, Vary::Arrivals);
                let record = ProbeRecord::of(number, value, r#try, outcome, &run, arrives, folder);
                (outcome, record)
            }
        };
        term::print(line(&self.args.vary, &record).as_bytes())?;
        self.probes.push(Probe { value, outcome });
        self.records.push(record);
        Ok(None)
    }
}

/// Where the search ends if nobody says it: at what this machine can open, and only against itself.
fn highest(args: &Args, scenario: &Scenario, workers: usize) -> Result<u64, CliError> {
    let is_here = match &scenario.target.url {
        TargetUrl::Embedded => true,
        TargetUrl::Servers(servers) => servers.is_loopback(),
    };
    if !is_here {
        return Err(CliError::Search(
            "search without an end: the target is not on this machine, and a search without an end is an attack\nhint: write the highest value as `--to`",
        ));
    }
    if !args.vary.is_connections() {
        return Err(CliError::Search(
            "search without an end: only connections have a natural one\nhint: write the highest value as `--to`",
        ));
    }
    let limits = Limits::of_this_machine();
    let fits = |value: u64| {
        let loaded = args.input.load_varied(&args.vary, value).ok()?;
        let budget = Budget::new(&loaded.scenario, workers);
        limits.check(&budget, 1).ok()
    };
    // The greatest that fits lies from `lo`, which does, to below `hi`.
    let (mut lo, mut hi) = (args.from, Plan::HIGHEST + 1);
    while hi - lo > lo / 100 + 1 {
        let middle = lo + (hi - lo) / 2;
        match fits(middle) {
            Some(()) => lo = middle,
            None => hi = middle,
        }
    }
    Ok(lo)
}

fn new_folder(folder: &Path) -> Result<(), CliError> {
    let failed = |source| CliError::write(folder, source);
    fs::create_dir_all(folder).map_err(failed)?;
    let mut files = fs::read_dir(folder).map_err(failed)?;
    match files.next() {
        None => Ok(()),
        Some(_) => Err(CliError::NotEmpty(folder.to_owned())),
    }
}

fn write(
    folder: &Path,
    name: &str,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), CliError> {
    let path = folder.join(name);
    let file = File::create(&path);
    let written = file.and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out)?;
        out.flush()
    });
    written.map_err(|source| CliError::LateWrite { path, source })
}

/// Masks the secrets of the scenario in what servers said.
fn masked(mut search: Search, scenario: &Scenario) -> Search {
    for probe in &mut search.probes {
        scenario.secrets.mask_in(&mut probe.why);
    }
    search
}

fn planned(args: &Args, plan: &Plan, each: Duration) -> String {
    format!(
        "search: {} from {} to {}: about {} of {}, more where one only just breaks ({MAX_PROBES} at most); {} at most\n",
        args.vary.what(),
        human_count(plan.from()),
        human_count(plan.to()),
        counted(plan.expected() as u64, "probe"),
        format_duration(Duration::from_secs(each.as_secs())),
        format_duration(args.budget),
    )
}

fn line(vary: &Vary, probe: &ProbeRecord) -> String {
    let times = (probe.times.as_ref()).and_then(|name| {
        let ns = (probe.p99_us.or(probe.p50_us)? * 1e3) as u64;
        let percent = if probe.p99_us.is_some() { "p99" } else { "p50" };
        Some(format!("{name} {percent} {}", human_ns(ns)))
    });
    let more: Vec<String> = times
        .into_iter()
        .chain((!probe.why.is_empty()).then(|| probe.why.clone()))
        .collect();
    let what = vary.what();
    let width = 11 + what.to_string().chars().count();
    let line = format!(
        "{:>4}  {:>width$}  {:<9}  {}",
        probe.probe,
        what.counted(probe.value),
        probe.outcome,
        more.join(" · ")
    );
    line.trim_end().to_owned() + "\n"
}

fn finished(args: &Args, search: &Search) -> String {
    let mut text = format!("\n{}\n", search.result());
    for note in search.notes() {
        text += &format!("{note}\n");
    }
    let folder = args.out.display();
    text + &format!("report: {folder}/search.html\n")
}

fn parse_value(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(value @ 1..=Plan::HIGHEST) => Ok(value),
        _ => Err(format!(
            "write a whole number from 1 to {}, without commas",
            Plan::HIGHEST
        )),
    }
}

fn parse_precision(text: &str) -> Result<f64, &'static str> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse().map(|percent: f64| percent / 100.0),
        None => text.parse(),
    };
    let is_fine = |share: &f64| (Plan::FINEST..=Plan::COARSEST).contains(share);
    share
        .ok()
        .filter(is_fine)
        .ok_or("write a share from 1% to 100%")
}
