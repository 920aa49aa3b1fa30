//! What went wrong around the connections: faults that could not be carried out, look-ups, and the relay of the path.

use crate::measure::{Relayed, Summary, Surroundings};
use crate::metric::Counter;
use crate::scenario::Scenario;
use crate::verdict::warning::Warning;

/// Warns of problems with the faults themselves: of the target and of the path.
pub(super) fn gone_wrong(surroundings: &Surroundings) -> impl Iterator<Item = Warning> {
    let failed = (surroundings.fault_failed.clone()).map(|why| Warning::TargetFaultFailed { why });
    let look_ups = surroundings.look_ups_failed.clone();
    let look_ups = look_ups.map(|(count, why)| Warning::LookUpsFailed { count, why });
    let failed = failed.into_iter().chain(look_ups);
    let Relayed {
        connections,
        unreachable,
        accepts_failed,
        backed_up,
        ..
    } = surroundings.relayed.unwrap_or_default();
    let unreachable = (unreachable > 0).then_some(Warning::PathUnreachable {
        unreachable,
        connections,
    });
    let backed_up = (backed_up > 0).then_some(Warning::PathBackedUp {
        backed_up,
        connections,
    });
    let accepts = (accepts_failed > 0).then_some(Warning::PathAccepts {
        failed: accepts_failed,
    });
    let of_path = unreachable.into_iter().chain(accepts).chain(backed_up);
    failed.into_iter().chain(of_path)
}

/// Warns of connections to the relay that no client of this run has dialled.
pub(super) fn strangers(
    scenario: &Scenario,
    all: &Summary,
    around: &Surroundings,
) -> Option<Warning> {
    let (path, relayed) = (scenario.path.as_ref()?, around.relayed?);
    let attempted = Counter::ConnectionsAttempted.name();
    let cohorts = (scenario.cohorts.iter()).filter(|cohort| path.leads(&cohort.name));
    let dialled =
        cohorts.map(|cohort| Summary::sum(all.select(attempted, Some(&cohort.name), None)));
    let strangers = relayed.connections.saturating_sub(dialled.sum());
    (strangers > 0).then_some(Warning::PathStrangers { strangers })
}
