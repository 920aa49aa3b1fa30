//! Passes each promise of each cohort to the function that judges it, and builds its row of the results.

use super::case::{Case, Finding};
use super::result::{Bounds, ContractResult, Evidence, Judged};
use super::{
    close, closed, decision, pings, pongs, reaping, resources, stall, storm, sweep, tcp_end,
};
use crate::measure::{Summary, Surroundings};
use crate::scenario::{Promise, PromiseKind, Promised, Scenario};
use crate::units::Nanos;
use crate::verdict::unnamed::{Unnamed, text_heartbeat};
use crate::verdict::view::View;

/// Judges every promise of every cohort, in the order of the scenario.
pub(in super::super) fn judge(
    scenario: &Scenario,
    summary: &Summary,
    surroundings: &Surroundings,
) -> Vec<ContractResult> {
    let mut results: Vec<(ContractResult, Vec<Judged>)> = Vec::new();
    for (index, cohort) in scenario.cohorts.iter().enumerate() {
        let Some(contract) = &cohort.contract else {
            continue;
        };
        let case = Case::new(scenario, summary, surroundings, index, contract);
        results.extend(
            contract
                .promises
                .iter()
                .map(|promise| result(&case, promise)),
        );
    }
    // Each promise has the same room.
    let judged = results.iter().filter(|(_, judged)| !judged.is_empty());
    let most = Evidence::MAX_ROWS / judged.count().max(1);
    let with_evidence = |(result, judged)| ContractResult {
        evidence: Evidence::of(judged, most),
        ..result
    };
    results.into_iter().map(with_evidence).collect()
}

/// The first cohort whose `pong_within` is broken only because pings were sent late, with 99 % of its times: counted
/// from when the pings were due, and counted from when they were sent.
pub(in super::super) fn pings_sent_late<'a>(
    scenario: &'a Scenario,
    summary: &Summary,
    surroundings: &Surroundings,
) -> Option<(&'a str, Nanos, Nanos)> {
    let cohorts = scenario.cohorts.iter().enumerate();
    cohorts
        .filter_map(|(index, cohort)| Some((index, cohort, cohort.contract.as_ref()?)))
        .find_map(|(index, cohort, contract)| {
            let case = Case::new(scenario, summary, surroundings, index, contract);
            let limit = contract.latest(PromiseKind::PongWithin)?;
            let (from_due, from_sent) = pongs::sent_late(&case, limit.into())?;
            Some((cohort.name.as_str(), from_due, from_sent))
        })
}

/// The cohorts whose `pong_within` may have another result, because answers to text heartbeats do not say which ping
/// they answer.
pub(in super::super) fn pongs_shifted<'a>(
    scenario: &'a Scenario,
    view: &View<'_>,
    surroundings: &Surroundings,
) -> Vec<(&'a str, Unnamed)> {
    let cohorts = scenario.cohorts.iter().enumerate();
    let found = cohorts.filter_map(|(index, cohort)| {
        let contract = cohort.contract.as_ref()?;
        let limit = contract.latest(PromiseKind::PongWithin)?;
        text_heartbeat(cohort)?;
        let unnamed = Unnamed::of(view, cohort, false);
        let case = Case::new(scenario, view.all(), surroundings, index, contract);
        (pongs::may_differ(&case, limit.into(), &unnamed))
            .then_some((cohort.name.as_str(), unnamed))
    });
    found.collect()
}

fn result(case: &Case<'_>, promise: &Promise) -> (ContractResult, Vec<Judged>) {
    let finding = if case.records.is_empty() {
        Finding::no_data("no connection of this cohort opened")
    } else if promise.kind.is_kept_by_nothing() {
        tested(case, promise)
    } else {
        find(case, promise)
    };
    let result = ContractResult {
        contract: promise.kind,
        cohort: case.cohort.name.clone(),
        from: promise.kind.has_origin().then_some(case.contract.from),
        bounds: promise.span().map(Bounds::from),
        expected: promise.besides_times(),
        n: finding.n,
        times: finding.times,
        passed: finding.passed,
        doubted: false,
        why: finding.why,
        evidence: Evidence::default(),
    };
    (result, finding.judged)
}

/// Judges a promise that is kept where nothing happens, by the connections to which something did.
fn tested(case: &Case<'_>, promise: &Promise) -> Finding {
    let tested = case.put_to_the_test();
    if tested.records.is_empty() {
        return Finding::no_data("no connection got a ping that its fault concerns");
    }
    let asked = tested.records.len();
    find(&tested, promise).without_unasked(asked, case.records.len() - asked)
}

fn find(case: &Case<'_>, promise: &Promise) -> Finding {
    match &promise.value {
        Promised::Within(_) | Promised::AtLeast(_) | Promised::Window(_) => timed(case, promise),
        Promised::Count(most) => counted(case, promise.kind, *most),
        Promised::Size(most) => resources::rss(case, *most),
        Promised::Codes(codes) => decision::code(case, codes),
        Promised::Ends(ends) => decision::ends_with(case, ends),
        Promised::Fraction(most) => pings::sync(case, *most),
        Promised::Back(back) => storm::judge(case, back),
        Promised::True if promise.kind == PromiseKind::SilentAfterClose => close::silent(case),
        Promised::True => close::code_echoed(case),
    }
}

/// Judges a promise of a time.
fn timed(case: &Case<'_>, promise: &Promise) -> Finding {
    let Some(bounds) = promise.span().map(Bounds::from) else {
        return Finding::no_data("it promises no time");
    };
    let judge: fn(&Case<'_>, Bounds) -> Finding = match promise.kind {
        PromiseKind::AliveFor => closed::alive_for,
        PromiseKind::ClosedBetween => decision::between,
        PromiseKind::TcpEndBetween => tcp_end::between,
        PromiseKind::ReapedBetween => reaping::reaped,
        PromiseKind::ReleasedWithin => reaping::released,
        PromiseKind::EffectiveTimeout => sweep::judge,
        PromiseKind::PongWithin => pongs::within,
        PromiseKind::PingsBetween => pings::between,
        PromiseKind::CloseAnsweredWithin => close::answered,
        PromiseKind::DetectedBetween => pongs::detected,
        PromiseKind::RecoversWithin => pongs::recovers,
        _ => |_, _| Finding::no_data("nobody judges this time"),
    };
    judge(case, bounds)
}

/// Judges a promise of a number.
fn counted(case: &Case<'_>, kind: PromiseKind, most: u64) -> Finding {
    let judge: fn(&Case<'_>, u64) -> Finding = match kind {
        PromiseKind::Closed => closed::at_most,
        PromiseKind::ClosedPerStall => stall::judge,
        PromiseKind::MaxDescriptorGrowth => resources::descriptors,
        _ => |_, _| Finding::no_data("no promise is a number of this kind"),
    };
    judge(case, most)
}
