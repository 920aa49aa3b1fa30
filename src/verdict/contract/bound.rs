//! How late the generator may be: a part of the tightest window that a contract promises.

use super::result::Bounds;
use crate::scenario::Scenario;

/// The tightest window of all contracts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Tightest {
    /// From its begin to its end; where it begins at nothing, its end.
    pub(in super::super) width_ns: u64,
    /// The promise.
    pub(in super::super) contract: &'static str,
    /// Whose promise.
    pub(in super::super) cohort: String,
}

/// `None` where no contract promises a time.
pub(in super::super) fn tightest(scenario: &Scenario) -> Option<Tightest> {
    let promises = scenario.cohorts.iter().flat_map(|cohort| {
        let contract = cohort.contract.iter();
        let promises = contract.flat_map(|contract| &contract.promises);
        promises.map(move |promise| (cohort, promise))
    });
    let windows = promises.filter_map(|(cohort, promise)| {
        let Bounds { lo_ns, hi_ns } = promise.span().map(Bounds::from)?;
        Some(Tightest {
            width_ns: hi_ns? - lo_ns,
            contract: promise.kind.key(),
            cohort: cohort.name.clone(),
        })
    });
    windows.min_by_key(|window| window.width_ns)
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{between, contract, scenario};
    use super::*;
    use crate::scenario::{Origin, PromiseKind};
    use std::time::Duration;

    #[test]
    fn the_narrowest_window_counts_not_the_earliest() {
        let second = Duration::from_secs(1);
        let scenario = scenario(contract(
            Origin::Open,
            vec![
                PromiseKind::ClosedBetween.of(between(20_000, 20_400)),
                PromiseKind::PongWithin.of(second),
                PromiseKind::AliveFor.of(second / 100),
                PromiseKind::Closed.of(0),
            ],
        ));
        let found = tightest(&scenario).unwrap();
        assert_eq!(
            (found.width_ns, found.contract),
            (400_000_000, "closed_between")
        );
    }
}
