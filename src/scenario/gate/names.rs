//! What the gates of a scenario may refer to: its cohorts and their messages.

use super::check::GateError;
use super::grammar::Piece;
use super::run::Run;
use crate::metric;
use crate::scenario::contract::Environment;
use crate::scenario::reading::Items as _;
use crate::scenario::root::File;
use crate::scenario::section::StepTable;
use crate::scenario::{Cohort, Load, Shape};

/// The names that a gate of this scenario may refer to.
#[derive(Default)]
pub(in crate::scenario) struct Names<'a> {
    pub(in crate::scenario) cohorts: Vec<CohortNames<'a>>,
    /// The number of stages; zero where there are none.
    pub(in crate::scenario) stages: u32,
    /// The run that the gates judge. `None` where a part of it could not be resolved: then only the names in the file
    /// are known, and other problems were noted.
    pub(in crate::scenario) run: Option<Run<'a>>,
}

/// A cohort and what is timed of it, by name.
#[derive(Debug)]
pub(in crate::scenario) struct CohortNames<'a> {
    pub(in crate::scenario) name: &'a str,
    /// Its messages, its steps, and what listens.
    pub(in crate::scenario) messages: Vec<&'a str>,
}

impl<'a> Names<'a> {
    /// The names that gates may refer to; if the cohorts could not be resolved, all names in the file. `environment` is
    /// `None` if the target or the load is invalid.
    pub(in crate::scenario) fn of(
        file: &'a File,
        load: Option<&Load>,
        cohorts: Option<&'a [Cohort]>,
        environment: Option<&'a Environment<'a>>,
    ) -> Self {
        let group = |cohort: &'a Cohort| CohortNames {
            name: &cohort.name,
            messages: timed(cohort),
        };
        Self {
            cohorts: match cohorts {
                Some(cohorts) => cohorts.iter().map(group).collect(),
                None => written(file),
            },
            stages: match load.map(|load| &load.shape) {
                Some(Shape::Stages(stages)) => stages.len() as u32,
                _ => 0,
            },
            run: environment.zip(cohorts).map(|(environment, cohorts)| Run {
                environment,
                cohorts,
            }),
        }
    }

    /// The cohort of this name, or all cohorts if none is named.
    pub(super) fn groups(&self, cohort: Option<&str>) -> impl Iterator<Item = &CohortNames<'a>> {
        let wanted =
            move |group: &&CohortNames<'a>| cohort.is_none_or(|cohort| group.name == cohort);
        self.cohorts.iter().filter(wanted)
    }

    /// Whether a metric is the time of a step that stands in set-ups alone, which is timed over the whole run.
    pub(super) fn are_of_setups(&self, metric: &str) -> bool {
        let Some((group, name)) = metric.split_once('.') else {
            return false;
        };
        let Some(run) = self
            .run
            .as_ref()
            .filter(|_| metric::Timed::GROUPS.contains(&group))
        else {
            return false;
        };
        let mut cohorts = (run.cohorts.iter()).filter(|cohort| timed(cohort).contains(&name));
        let is_of_setup = |cohort: &Cohort| {
            let mut steps = cohort.each_step_of_setup();
            steps.any(|step| step.name.as_deref() == Some(name))
        };
        let first = cohorts.next().is_some_and(is_of_setup);
        first && cohorts.all(is_of_setup)
    }

    /// The messages of the cohort of this name, or of all cohorts if none is named.
    pub(super) fn messages(&self, cohort: Option<&str>) -> Vec<&'a str> {
        let groups = self.groups(cohort);
        let mut names: Vec<&str> = groups.flat_map(|group| group.messages.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The names of the messages of a cohort, of its steps, and of what listens.
fn timed(cohort: &Cohort) -> Vec<&str> {
    let messages = cohort.messages.iter().map(|message| message.name.as_str());
    let steps = cohort.each_step().filter_map(|step| step.name.as_deref());
    let on = cohort.on.iter().map(|on| on.name.as_str());
    messages.chain(steps).chain(on).collect()
}

/// The cohorts as they are written, where they could not be resolved.
fn written(file: &File) -> Vec<CohortNames<'_>> {
    let given = || file.cohort.items().iter();
    let own = given().flat_map(|cohort| cohort.value.message.items());
    let messages = file.message.items().iter().chain(own);
    let messages = messages.filter_map(|message| message.value.name.as_ref());
    let own = given().flat_map(|cohort| [&cohort.value.setup, &cohort.value.step]);
    let lists = [&file.setup, &file.step].into_iter().chain(own);
    let mut steps: Vec<&StepTable> = lists
        .flat_map(|list| list.items())
        .map(|at| &at.value)
        .collect();
    let mut next = 0;
    while let Some(step) = steps.get(next) {
        next += 1;
        steps.extend(step.step.items().iter().map(|at| &at.value));
    }
    let steps = steps.into_iter().filter_map(|step| step.name.as_ref());
    let own = given().flat_map(|cohort| cohort.value.on.items());
    let on = file.on.items().iter().chain(own);
    let on = on.filter_map(|on| on.value.name.as_ref());
    let messages: Vec<&str> = messages
        .chain(steps)
        .chain(on)
        .map(|name| name.value.as_str())
        .collect();
    let names = given().filter_map(|cohort| Some(cohort.value.name.as_ref()?.value.as_str()));
    names
        .chain(file.cohort.is_none().then_some("main"))
        .map(|name| CohortNames {
            name,
            messages: messages.clone(),
        })
        .collect()
}

/// Refuses a gate that names no cohort if there is no cohort that it would look at.
pub(super) fn looks_at_a_cohort(metric: &Piece<'_>, names: &Names<'_>) -> Result<(), GateError> {
    let Some(run) = &names.run else {
        return Ok(());
    };
    let mut cohorts = run.cohorts.iter();
    if metric::is_of_run(metric.text) || cohorts.any(|cohort| cohort.is_looked_at(metric.text)) {
        return Ok(());
    }
    let why = match run.cohorts.iter().any(Cohort::is_healthy) {
        true => "a contract expects the end of each",
        false => "each has a fault",
    };
    let what = format!(
        "`{}` names no cohort, and there is none to look at: {why}",
        metric.text
    );
    let name = run.cohorts.first().map_or("main", |cohort| &cohort.name);
    let hint = format!("name the cohort, as in `{}{{cohort={name}}}`", metric.text);
    Err(GateError::new(metric, what).hint(hint))
}
