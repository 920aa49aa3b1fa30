//! `wsbench run --agents`: finds agents, leads them, and judges what they saw as one run.

use std::time::{Duration, SystemTime};

use super::led::{Judging, generator, lead};
use super::{LeadArgs, OnLoss, connect, refused};
use crate::cli::cluster::PATIENCE;
use crate::cli::conclude::Reporting;
use crate::cli::error::CliError;
use crate::cli::input::Loaded;
use crate::cli::outputs::{Opening, OutputArgs};
use crate::cli::part::{Bundle, again, or_its_name, run_number};
use crate::cli::past::{Against, Past};
use crate::cli::signals::Signals;
use crate::cli::term;
use crate::cluster::{Role, RunId};
use crate::engine::{Limits, known_orders};
use crate::fleet::{Asked, Assigned, Coordinator, Offer};
use crate::plan::{Budget, Plan, Share};
use crate::record::Recipe;
use crate::scenario::Shape;
use crate::units::counted;
use crate::verdict::Exit;

/// A run that agents play.
pub(in crate::cli) struct Lead<'a> {
    pub(in crate::cli) loaded: &'a mut Loaded,
    /// The scenario as it was named.
    pub(in crate::cli) scenario: &'a str,
    pub(in crate::cli) seed: u64,
    pub(in crate::cli) agents: usize,
    pub(in crate::cli) args: &'a LeadArgs,
    pub(in crate::cli) against: &'a Against,
    pub(in crate::cli) reporting: &'a Reporting,
    pub(in crate::cli) outputs: &'a OutputArgs,
}

impl Lead<'_> {
    /// Executes the whole command.
    ///
    /// # Errors
    /// When it cannot begin.
    pub(in crate::cli) fn run(self) -> Result<Exit, CliError> {
        let Self {
            loaded,
            scenario,
            seed,
            agents,
            args,
            against,
            reporting,
            outputs,
        } = self;
        let labels = reporting.labels(loaded)?;
        let bundle = Bundle {
            scenario,
            loaded,
            seed,
        };
        let recipe = bundle.recipe()?;
        travels(&recipe, loaded)?;
        let plan = Plan::new(loaded.scenario.clone(), seed, 0);
        refused::check(&plan, agents)?;
        Limits::of_this_machine();
        let (signals, _) = Signals::listen()?;
        let leaves = || signals.heard();

        let run = name_of(&recipe);
        let options = args.nats.options(Role::Coordinator, PATIENCE)?;
        let (link, address) = (connect(&options, &signals)?, options.address.to_string());
        let mut coordinator = Coordinator::new(link, run.clone(), address)?;
        if !reporting.quiet {
            let agents = counted(agents as u64, "agent");
            term::note(format!("run {run}: looking for {agents}"));
        }
        let offer = Offer {
            run: run.to_string(),
            recipe: recipe.clone(),
            patience_ms: millis(args.ready_timeout * 3),
        };
        let workers = coordinator.gather(offer, agents, args.ready_timeout, &leaves)?;
        let assigned = Assigned {
            recipe,
            workers,
            seats: coordinator.seats(),
            orphan_grace_ms: millis(args.orphan_grace),
            goes_on: args.on_agent_loss == OnLoss::Continue,
        };
        let past = Past::open(against, loaded, &generator(&assigned))?;
        let started_at = SystemTime::now();
        let output = reporting.open_output(&loaded.scenario, started_at)?;
        let formats = reporting.formats.open(&loaded.files, None)?;
        let outputs = outputs.open(Opening {
            loaded,
            labels: &labels,
            seed,
            workers: assigned.workers as usize,
            started_at,
            needed: &loaded.files,
            report: &output,
            stopper: signals.stopper(),
        })?;
        let judging = Judging::begin(loaded, labels, seed, started_at, &signals)?.sending(outputs);
        coordinator.plan(&assigned, args.ready_timeout, &leaves)?;
        let interrupt = signals.interrupts()?;
        let begun = coordinator.start(assigned.clone(), asked(&plan))?;
        let judging = judging.beginning(begun.led.origin);
        let heard = (&signals, interrupt);
        let judged = lead(begun, &plan, &assigned, judging, heard, reporting.quiet)?;
        judged.conclude(reporting, past.as_ref(), output, formats, &signals)
    }
}

/// What is asked of agents, as the engine has to know it.
pub(super) fn asked(plan: &Plan) -> Asked {
    Asked {
        layout: plan.layout(),
        orders: known_orders(plan),
        ramp_up: match plan.scenario.load.shape {
            Shape::Steady { ramp_up, .. } => ramp_up,
            // Measuring begins whatever is open by then.
            Shape::Stages(_) | Shape::Arrivals { .. } => Duration::ZERO,
        },
        overtime: Budget::of_share(&plan.scenario, Share::whole(1)).overtime,
    }
}

/// Checks that agents can make this plan again of what travels.
fn travels(recipe: &Recipe, loaded: &Loaded) -> Result<(), CliError> {
    let again = again(recipe, &or_its_name)?;
    match again.scenario == loaded.scenario {
        true => Ok(()),
        false => Err(CliError::ByAgents {
            what: "a command line with something that is not told anybody: a header, a password in an address, or a key log"
                .to_owned(),
            hint: "write it into the scenario as ${NAME}: each agent takes it from its own environment",
        }),
    }
}

/// A name that no other run has: the time, and something of the plan and of this process.
fn name_of(recipe: &Recipe) -> RunId {
    let now = SystemTime::now();
    let since = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let own = format!("{} {}", std::process::id(), since.as_nanos());
    let time = crate::report::utc(now);
    let time: String = time.chars().filter(char::is_ascii_digit).take(14).collect();
    let (day, time) = time.split_at(time.len().min(8));
    let name = format!("{day}-{time}-{:08x}", run_number(recipe, &own));
    name.parse().expect("digits and dashes are a name")
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
