//! `wsbench ab`: runs a scenario against two servers in turn, and judges the one by the other. What both have in common,
//! such as a busy machine, is in neither's difference.

use std::path::PathBuf;
use std::time::SystemTime;

use super::attempt::{self, Attempt, Played};
use super::comparison::{self, Formats, Opened};
use super::error::CliError;
use super::input::{Input, Loaded};
use super::outputs::Outputs;
use super::repeat::{folder, pause};
use super::run::{parse_seed, parse_workers};
use super::signals::Signals;
use super::{past, start, term};
use crate::compare::{Evidence, Open, Session, Table, judge, not_compared, settle};
use crate::engine::{self, cores};
use crate::plan::Share;
use crate::report::{self, Labels, OutputSet};
use crate::scenario::{BaselineGate, Subject};
use crate::units::counted;
use crate::verdict::{Exit, GateResult};

/// Run against two servers in turn.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The server of the past, which the other is compared with
    #[arg(long, value_name = "URL", conflicts_with = "url")]
    base: String,
    /// The new server
    #[arg(long, value_name = "URL")]
    new: String,
    /// How often each is run against; four pairs are the fewest that decide
    #[arg(long, value_name = "NUMBER", default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=50))]
    pairs: u16,
    /// Give no verdict (exit code 4) where a gate on the baseline is not decided
    #[arg(long)]
    strict: bool,
    #[command(flatten)]
    formats: Formats,
    /// Write the reports of all runs into folders here [default: reports/SCENARIO/TIME]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Seed of all random choices: the same seed gives the same schedule
    #[arg(long, value_name = "NUMBER", default_value_t = 1, allow_negative_numbers = true, value_parser = parse_seed)]
    seed: u64,
    /// Threads that send and receive [default: one for each core]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true, value_parser = parse_workers())]
    workers: Option<u16>,
    /// Show no progress, only the comparison
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    input: Input,
}

/// Executes the whole command.
pub(super) fn run(args: &Args) -> Result<Exit, CliError> {
    let sides = [
        args.input.load_against(&args.base)?,
        args.input.load_against(&args.new)?,
    ];
    let result = run_loaded(args, &sides);
    result.map_err(|error| {
        let [base, new] = &sides;
        let error = error.masked(&base.scenario.secrets);
        error.masked(&new.scenario.secrets)
    })
}

fn run_loaded(args: &Args, sides: &[Loaded; 2]) -> Result<Exit, CliError> {
    for side in sides {
        side.has_an_end("compare runs")?;
    }
    let started_at = SystemTime::now();
    let workers = engine::workers(args.workers.map(usize::from), cores())?;
    let gates = &sides[1].scenario.gates.baseline;
    let asked: Vec<Subject> = gates.iter().map(|gate| gate.subject.clone()).collect();
    for gate in gates.iter().filter(|gate| gate.wants_slack(None)) {
        term::note(past::slack(gate));
    }
    let plan = attempt::plan(&sides[0], args.seed, started_at);
    start::get_rights(&plan, Share::whole(workers))?;
    let (signals, _) = Signals::listen()?;
    let folder = folder(args.out.as_deref(), &sides[0].scenario.name, started_at)?;
    let opened = args.formats.open(&sides[0].files)?;
    let mut turns = Turns {
        args,
        sides,
        workers,
        signals: &signals,
        folder,
        asked,
        exit: Exit::Passed,
        dropped: 0,
    };
    let mut all: Option<(Session, Session)> = None;
    for number in 1..=args.pairs {
        let Some((base, new)) = turns.pair(number)? else {
            continue;
        };
        match &mut all {
            None => all = Some((base, new)),
            Some((bases, news)) => {
                let added = bases.add(base).and_then(|()| news.add(new));
                added.map_err(|error| CliError::NotComparable(error.to_string()))?;
            }
        }
    }
    turns.finish(all, gates, opened)
}

/// The runs that take turns.
struct Turns<'a> {
    args: &'a Args,
    sides: &'a [Loaded; 2],
    workers: usize,
    signals: &'a Signals,
    folder: PathBuf,
    asked: Vec<Subject>,
    /// The greatest exit code of a run against the new server.
    exit: Exit,
    /// How many pairs had a run that cannot be compared.
    dropped: u16,
}

impl Turns<'_> {
    /// Runs against both, the new one first in each second pair; `None` where a run cannot be compared.
    ///
    /// # Errors
    /// When a run cannot begin, is interrupted, or breaks off.
    fn pair(&mut self, number: u16) -> Result<Option<(Session, Session)>, CliError> {
        let order = match number % 2 {
            1 => [0, 1],
            _ => [1, 0],
        };
        let mut pair = [None, None];
        for side in order {
            if number > 1 || side != order[0] {
                pause(self.signals)?;
            }
            pair[side] = self.once(number, side)?;
        }
        let [base, new] = pair;
        let pair = base.zip(new);
        self.dropped += u16::from(pair.is_none());
        Ok(pair)
    }

    fn once(&mut self, number: u16, side: usize) -> Result<Option<Session>, CliError> {
        let name = ["base", "new"][side];
        let folder = self.folder.join(format!("{number}-{name}"));
        let (loaded, started_at) = (&self.sides[side], SystemTime::now());
        let output = OutputSet::create(&folder, &loaded.scenario)?;
        let attempt = Attempt {
            loaded,
            labels: Labels::default(),
            seed: self.args.seed,
            workers: self.workers,
            signals: self.signals,
            messages: None,
            outputs: Outputs::default(),
            quiet: self.args.quiet,
            started_at,
            closing: None,
            watched: None,
        };
        let Played {
            mut run, failure, ..
        } = attempt.play()?;
        let gates = loaded.scenario.gates.baseline.iter();
        let why = "judged in pairs, by all runs of `ab`";
        let postponed = gates.map(|gate| not_compared(gate, why)).collect();
        settle(&mut run, postponed, Open::IsLeftOut);
        output.commit(&run).map_err(CliError::LateOutput)?;
        if let Some(failure) = failure {
            return Err(failure);
        }
        let exit = run.verdict.exit;
        if exit == Exit::Interrupted {
            return Err(CliError::Stopped);
        }
        if !self.args.quiet {
            let of = self.args.pairs;
            term::note(format!(
                "pair {number} of {of}, {name}: {}",
                report::in_short(&run, exit)
            ));
        }
        if side == 1 {
            self.exit = self.exit.max(exit);
        }
        Ok(Session::of([&run], &self.asked).ok())
    }

    /// Judges the pairs, and shows them.
    fn finish(
        self,
        all: Option<(Session, Session)>,
        gates: &[BaselineGate],
        opened: Opened,
    ) -> Result<Exit, CliError> {
        let dropped = (self.dropped > 0).then(|| {
            format!(
                "{} of {} cannot be compared, for want of a run with a verdict",
                self.dropped,
                counted(u64::from(self.args.pairs), "pair")
            )
        });
        if let Some(dropped) = &dropped {
            term::note(format!("warning: {dropped}"));
        }
        let Some((base, new)) = all else {
            term::note("error: no pair can be compared");
            return Ok(Exit::Untrusted.max(self.exit));
        };
        let evidence = Evidence::Pairs {
            base: Box::new(base),
            new: Box::new(new),
        };
        let judged: Vec<GateResult> = gates.iter().map(|gate| judge(gate, &evidence)).collect();
        let exit = comparison::exit(&judged, self.args.strict).max(self.exit);
        let mut table = Table::new(evidence, gates, judged);
        dropped
            .into_iter()
            .for_each(|dropped| table.remark(dropped));
        opened.show(&table, &title(&self.sides[0]), exit)?;
        if !self.args.quiet {
            term::note(format!("reports in {}", self.folder.display()));
        }
        Ok(exit)
    }
}

fn title(base: &Loaded) -> String {
    format!("wsbench · {} — base and new in turn", base.scenario.name)
}
