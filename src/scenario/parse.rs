//! The way from text to a [`Scenario`]: read, override, resolve.
//! Problems of all three are collected, so that one run shows them all.

use super::model::Scenario;
use super::overrides::Overrides;
use super::reading::{self, Outside, Problems, Source};
use super::resolve::resolve;

/// Reads a scenario, as the command line changes it.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn parse(
    source: &Source,
    overrides: &Overrides,
    outside: &Outside<'_>,
) -> Result<Scenario, Problems> {
    let mut problems = Problems::new(source);
    let scenario = reading::read(&source.text, &mut problems).and_then(|mut document| {
        overrides.apply(&mut document.file, &mut problems);
        resolve(&document, source, &overrides.gates, outside, &mut problems)
    });
    match scenario {
        Some(scenario) if problems.is_empty() => Ok(scenario),
        _ => {
            problems.sort();
            Err(problems)
        }
    }
}
