//! Tests each warning: when it is given, and its text.

mod answers;
mod around;
mod connections;
mod generator;
mod samples;

use super::find;
use crate::measure::Summary;
use crate::scenario::Scenario;
use crate::verdict::distrust::Doubt;
use crate::verdict::facts::Facts;
use crate::verdict::fixture::{Run, scenario};
use crate::verdict::view::View;
use crate::verdict::warning::Warning;

fn found(scenario: &Scenario, run: &Run) -> Vec<Warning> {
    judged(scenario, &run.summary(), &Facts::completed(2), &[])
}

fn judged(scenario: &Scenario, summary: &Summary, facts: &Facts, doubts: &[Doubt]) -> Vec<Warning> {
    find(scenario, &View::new(scenario, summary), facts, doubts)
}

#[test]
fn a_healthy_run_warns_of_nothing() {
    assert_eq!(found(&scenario(), &Run::healthy()), []);
}

#[test]
fn a_system_that_cannot_tell_says_so() {
    let facts = Facts {
        precise_timer: false,
        kernel_view: false,
        ..Facts::completed(2)
    };
    let warnings = judged(&scenario(), &Run::healthy().summary(), &facts, &[]);
    assert_eq!(warnings, [Warning::NoPreciseTimer, Warning::NoKernelView]);
}
