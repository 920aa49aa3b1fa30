//! Each promise of each cohort to its family, and the row that comes of it.

use super::case::{Case, Finding};
use super::result::{Bounds, ContractResult};
use super::window::ns;
use super::{
    close, closed, decision, pings, pongs, reaping, resources, stall, storm, sweep, tcp_end,
};
use crate::measure::{Summary, Surroundings};
use crate::scenario::{Back, Promise, Scenario};
use crate::units::{ByteSize, human_count, plain_duration};

/// Judges every promise of every cohort, in the order of the scenario.
pub(in super::super) fn judge(
    scenario: &Scenario,
    summary: &Summary,
    surroundings: &Surroundings,
) -> Vec<ContractResult> {
    let mut results = Vec::new();
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
    results
}

/// The first cohort whose `pong_within` only late sends have broken; and 99 % of its times, from when the pings were due
/// and from when they were sent.
pub(in super::super) fn pings_sent_late<'a>(
    scenario: &'a Scenario,
    summary: &Summary,
    surroundings: &Surroundings,
) -> Option<(&'a str, u64, u64)> {
    let cohorts = scenario.cohorts.iter().enumerate();
    cohorts
        .filter_map(|(index, cohort)| Some((index, cohort, cohort.contract.as_ref()?)))
        .find_map(|(index, cohort, contract)| {
            let case = Case::new(scenario, summary, surroundings, index, contract);
            let mut promises = contract.promises.iter();
            let (from_due, from_sent) = promises.find_map(|promise| match promise {
                Promise::PongWithin(time) => pongs::sent_late(&case, ns(*time)),
                _ => None,
            })?;
            Some((cohort.name.as_str(), from_due, from_sent))
        })
}

fn result(case: &Case<'_>, promise: &Promise) -> ContractResult {
    let finding = if case.lives.is_empty() {
        Finding::no_data("no connection of this cohort opened")
    } else {
        find(case, promise)
    };
    ContractResult {
        contract: promise.key(),
        cohort: case.cohort.name.clone(),
        from: counts_from_origin(promise).then_some(case.contract.from),
        bounds: bounds(promise),
        expected: expected(promise),
        n: finding.n,
        times: finding.times,
        passed: finding.passed,
        why: finding.why,
    }
}

fn find(case: &Case<'_>, promise: &Promise) -> Finding {
    match promise {
        Promise::Closed(most) => closed::at_most(case, *most),
        Promise::AliveFor(time) => closed::alive_for(case, ns(*time)),
        Promise::ClosedPerStall(most) => stall::judge(case, *most),
        Promise::ClosedBetween(between) => decision::between(case, (*between).into()),
        Promise::Code(codes) => decision::code(case, codes),
        Promise::EndsWith(ends) => decision::ends_with(case, ends),
        Promise::TcpEndBetween(between) => tcp_end::between(case, (*between).into()),
        Promise::ReapedBetween(between) => reaping::reaped(case, (*between).into()),
        Promise::ReleasedWithin(time) => reaping::released(case, Bounds::within(*time)),
        Promise::EffectiveTimeout(between) => sweep::judge(case, (*between).into()),
        Promise::PongWithin(time) => pongs::within(case, ns(*time)),
        Promise::PingsBetween(between) => pings::between(case, (*between).into()),
        Promise::MaxPingSync(most) => pings::sync(case, *most),
        Promise::CloseAnsweredWithin(time) => close::answered(case, Bounds::within(*time)),
        Promise::CloseCodeEchoed => close::code_echoed(case),
        Promise::SilentAfterClose => close::silent(case),
        Promise::DetectedBetween(between) => pongs::detected(case, (*between).into()),
        Promise::RecoversWithin(time) => pongs::recovers(case, Bounds::within(*time)),
        Promise::BackWithin(back) => storm::judge(case, back),
        Promise::MaxRssGrowth(size) => resources::rss(case, *size),
        Promise::MaxDescriptorGrowth(most) => resources::descriptors(case, *most),
    }
}

/// Whether its times begin at the contract's `from`.
fn counts_from_origin(promise: &Promise) -> bool {
    matches!(
        promise,
        Promise::AliveFor(_)
            | Promise::ClosedBetween(_)
            | Promise::ReapedBetween(_)
            | Promise::ReleasedWithin(_)
            | Promise::DetectedBetween(_)
    )
}

/// The times that it promises.
pub(super) fn bounds(promise: &Promise) -> Option<Bounds> {
    match promise {
        Promise::ClosedBetween(between)
        | Promise::TcpEndBetween(between)
        | Promise::ReapedBetween(between)
        | Promise::EffectiveTimeout(between)
        | Promise::PingsBetween(between)
        | Promise::DetectedBetween(between) => Some((*between).into()),
        Promise::ReleasedWithin(time)
        | Promise::PongWithin(time)
        | Promise::CloseAnsweredWithin(time)
        | Promise::RecoversWithin(time) => Some(Bounds::within(*time)),
        Promise::AliveFor(time) => Some(Bounds {
            lo_ns: ns(*time),
            hi_ns: None,
        }),
        Promise::BackWithin(back) => back.all.map(Bounds::within),
        Promise::Closed(_)
        | Promise::ClosedPerStall(_)
        | Promise::Code(_)
        | Promise::EndsWith(_)
        | Promise::MaxPingSync(_)
        | Promise::CloseCodeEchoed
        | Promise::SilentAfterClose
        | Promise::MaxRssGrowth(_)
        | Promise::MaxDescriptorGrowth(_) => None,
    }
}

/// What it promises besides times.
fn expected(promise: &Promise) -> String {
    match promise {
        Promise::Closed(most) => format!("at most {}", human_count(*most)),
        Promise::ClosedPerStall(most) => format!("at most {} each", human_count(*most)),
        Promise::Code(codes) => listed(codes.iter()),
        Promise::EndsWith(ends) => listed(ends.iter().map(|end| end.name())),
        Promise::PongWithin(_) => "99 %".to_owned(),
        Promise::MaxPingSync(most) => format!("at most {most}"),
        Promise::CloseCodeEchoed => "the same code".to_owned(),
        Promise::SilentAfterClose => "no frame".to_owned(),
        Promise::BackWithin(back) => curve(back),
        Promise::MaxRssGrowth(ByteSize(bytes)) => format!("at most {}", ByteSize(*bytes)),
        Promise::MaxDescriptorGrowth(most) => format!("at most {}", human_count(*most)),
        Promise::AliveFor(_)
        | Promise::ClosedBetween(_)
        | Promise::TcpEndBetween(_)
        | Promise::ReapedBetween(_)
        | Promise::ReleasedWithin(_)
        | Promise::EffectiveTimeout(_)
        | Promise::PingsBetween(_)
        | Promise::CloseAnsweredWithin(_)
        | Promise::DetectedBetween(_)
        | Promise::RecoversWithin(_) => String::new(),
    }
}

fn listed(items: impl Iterator<Item = impl ToString>) -> String {
    let items: Vec<String> = items.map(|item| item.to_string()).collect();
    items.join(", ")
}

fn curve(back: &Back) -> String {
    let parts = [
        ("50 %", back.p50),
        ("90 %", back.p90),
        ("99 %", back.p99),
        ("all", back.all),
    ];
    let promised = parts
        .into_iter()
        .filter_map(|(part, time)| Some((part, time?)));
    listed(promised.map(|(part, time)| format!("{part} in {}", plain_duration(time))))
}
