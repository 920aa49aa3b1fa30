//! What `check` tells of faults and promises: lines in groups, each with whom they concern.

use crate::plan::probed_within;
use crate::scenario::{PromiseKind, Scenario};
use crate::units::format_duration;

/// Formats lines under one name.
pub(super) fn rows_of(name: &str, lines: Vec<String>) -> String {
    let names = std::iter::once(name).chain(std::iter::repeat(""));
    let rows = names.zip(lines);
    rows.map(|(name, line)| format!("  {name:<12} {line}\n"))
        .collect()
}

/// The cohort or target that something concerns, and the lines about it.
pub(super) type Topic = (String, Vec<String>);

pub(super) fn count(groups: &[Topic]) -> usize {
    groups.iter().map(|(_, lines)| lines.len()).sum()
}

/// Formats groups under one name, each with its subject on the left, in lines of 100 characters.
pub(super) fn rows_by_group(name: &str, groups: &[Topic]) -> String {
    const WIDE: usize = 100 - 15;
    let longest = groups.iter().map(|(whom, _)| whom.chars().count()).max();
    let width = longest.unwrap_or(0).min(WIDE / 3);
    let mut lines = Vec::new();
    for (whom, items) in groups {
        let mut line = format!("{whom:<width$}  ");
        for (place, item) in items.iter().enumerate() {
            let comma = if place + 1 < items.len() { "," } else { "" };
            let length = line.chars().count() + item.chars().count() + 1;
            if place > 0 && length > WIDE {
                lines.push(std::mem::replace(&mut line, " ".repeat(width + 2)));
            } else if place > 0 {
                line.push(' ');
            }
            line += &format!("{item}{comma}");
        }
        lines.push(line);
    }
    rows_of(
        name,
        lines
            .into_iter()
            .map(|line| line.trim_end().to_owned())
            .collect(),
    )
}

/// The planned faults, and which cohorts or target they affect.
pub(super) fn faults(scenario: &Scenario) -> Vec<Topic> {
    let clients = scenario.cohorts.iter().map(|cohort| {
        let faults = cohort.faults.iter().map(ToString::to_string);
        let probes = probed_within(scenario, cohort).map(|within| {
            let within = format_duration(within);
            format!("then each asks once, by a pong within {within}, whether the server is there")
        });
        (cohort.name.clone(), faults.chain(probes).collect())
    });
    let path = scenario.path.iter().flat_map(|path| &path.faults);
    let path = path.map(|fault| match fault.cohorts.as_slice() {
        [] => fault.to_string(),
        cohorts => format!("{fault} ({})", cohorts.join(", ")),
    });
    let target = scenario.target.faults.iter().map(ToString::to_string);
    let around = [
        ("the path".to_owned(), path.collect()),
        ("the target".to_owned(), target.collect()),
    ];
    let groups = clients.chain(around);
    groups
        .filter(|(_, items): &Topic| !items.is_empty())
        .collect()
}

/// The server's promises, by cohort.
pub(super) fn promises(scenario: &Scenario) -> Vec<Topic> {
    let contracts = scenario.cohorts.iter();
    let contracts = contracts.filter_map(|cohort| Some((cohort, cohort.contract.as_ref()?)));
    contracts
        .map(|(cohort, contract)| {
            let promises = contract.promises.iter();
            let may_be_void = scenario.only_the_server_may_end(cohort);
            let promises = promises.map(|promise| match promise.kind {
                kind if kind.has_origin() => format!("{promise} from {}", contract.from.name()),
                PromiseKind::BackWithin if may_be_void => {
                    format!(
                        "{promise} (fails unless the server ends connections: nothing else does)"
                    )
                }
                _ => promise.to_string(),
            });
            (cohort.name.clone(), promises.collect())
        })
        .collect()
}
