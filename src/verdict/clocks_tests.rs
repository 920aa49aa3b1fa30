//! Tests that what compares two machines' times is judged as surely as their clocks are known.

use super::super::fixture::{Run as Fixture, gate, scenario, timed_gate};
use super::super::{ClockOffset, Exit, PartFacts, Verdict, judge};
use super::*;
use crate::scenario::Op;
use crate::units::Timestamp;

const MS: u64 = 1_000_000;

fn part(number: u32, error_ns: Option<u64>) -> PartFacts {
    PartFacts {
        number,
        name: None,
        machine: String::new(),
        facts: Facts::completed(2),
        health: Fixture::healthy().summary(),
        settled: Some(Timestamp::ORIGIN),
        told_late: None,
        clock: error_ns.map(|error_ns| ClockOffset {
            offset_ns: 7,
            error_ns,
        }),
        lost: None,
    }
}

/// A run whose deliveries took 20 ms, judged by gates on them.
fn judged(gates: Vec<Gate>, errors: &[Option<u64>]) -> Verdict {
    let mut scenario = scenario();
    scenario.gates.pass = gates;
    let mut run = Fixture::healthy();
    run.timed(Timer::DeliveryLatency, 20 * MS, 500);
    let parts = (1..).zip(errors);
    let facts = Facts {
        parts: parts.map(|(number, error)| part(number, *error)).collect(),
        ..Facts::completed(4)
    };
    judge(&scenario, &run.summary(), &facts)
}

fn limit(ms: u64) -> Gate {
    timed_gate(Stat::Max, "delivery.latency", Op::Less, (ms * MS) as f64)
}

fn kinds(verdict: &Verdict) -> Vec<&'static str> {
    let warnings = verdict.warnings.iter().map(Warning::kind);
    warnings.filter(|kind| *kind == "clocks_apart").collect()
}

#[test]
fn a_limit_nearer_than_the_clocks_are_known_has_no_verdict() {
    // Times between the two worst may be wrong by 3 ms.
    let errors = [Some(MS), Some(2 * MS), Some(MS / 2)];
    for (ms, exit) in [
        (10, Exit::Failed),
        (18, Exit::Untrusted),
        (22, Exit::Untrusted),
        (24, Exit::Passed),
    ] {
        let verdict = judged(vec![limit(ms)], &errors);
        assert_eq!(verdict.exit, exit, "{ms} ms: {:?}", verdict.distrust);
    }
    let verdict = judged(vec![limit(22)], &errors);
    let said = verdict.distrust[0].reason.to_string();
    assert!(said.contains("may be wrong by 3.00 ms"), "{said}");
    // The doubt says it already.
    assert!(kinds(&verdict).is_empty());
}

#[test]
fn counts_are_unsure_only_where_clocks_are_far_apart() {
    let counted = || vec![gate(Stat::Count, "delivery.duplicated", Op::Equal, 0.0)];
    for (ms, exit) in [(24, Exit::Passed), (25, Exit::Untrusted)] {
        let errors = [Some(ms * MS), Some(ms * MS)];
        assert_eq!(judged(counted(), &errors).exit, exit, "{ms} ms");
    }
    // What is counted on one machine needs no other's clock.
    let own = vec![gate(Stat::Count, "messages.mismatched", Op::Equal, 0.0)];
    let far = [Some(500 * MS), Some(500 * MS)];
    assert_eq!(judged(own, &far).exit, Exit::Passed);
}

#[test]
fn a_clock_that_nobody_knows_leaves_times_without_a_verdict() {
    let verdict = judged(vec![limit(1_000)], &[Some(MS), None]);
    assert_eq!(verdict.exit, Exit::Untrusted);
    let said = verdict.distrust[0].reason.to_string();
    assert!(said.contains("is not known"), "{said}");
}

#[test]
fn one_machine_needs_no_other_clock() {
    for errors in [&[][..], &[None][..], &[Some(900 * MS)][..]] {
        let verdict = judged(vec![limit(21)], errors);
        assert_eq!(verdict.exit, Exit::Passed, "{errors:?}");
        assert!(kinds(&verdict).is_empty());
    }
}

#[test]
fn an_error_that_is_much_of_what_is_measured_is_told() {
    // 2 ms are a tenth of the 20 that half took.
    assert!(kinds(&judged(vec![limit(100)], &[Some(MS / 2), Some(MS)])).is_empty());
    let verdict = judged(vec![limit(100)], &[Some(2 * MS), Some(MS)]);
    assert_eq!(kinds(&verdict), ["clocks_apart"]);
    assert_eq!(verdict.exit, Exit::Passed);
}

#[test]
fn promises_that_count_from_the_coordinator_s_deed_are_as_sure_as_the_agents_clocks() {
    use super::super::{Bounds, Evidence, Judged, Times};
    use crate::scenario::PromiseKind;
    let promise = |min: u64, max: u64, passed: bool| ContractResult {
        contract: PromiseKind::ClosedBetween,
        cohort: "main".to_owned(),
        from: Some(Origin::Fault),
        bounds: Some(Bounds {
            lo_ns: Nanos::from_millis(100),
            hi_ns: Some(Nanos::from_millis(200)),
        }),
        expected: String::new(),
        n: 2,
        times: Some(Times {
            n: 2,
            min_ns: Nanos::from_millis(min),
            p50_ns: Nanos::from_millis(min),
            p99_ns: Nanos::from_millis(max),
            max_ns: Nanos::from_millis(max),
        }),
        passed,
        doubted: false,
        why: String::new(),
        evidence: Evidence {
            rows: vec![Judged {
                connection: 0,
                level_ns: None,
                seen: Occurred::After(Nanos::from_millis(max)),
                held: passed,
            }],
            more: 0,
        },
    };
    let error = Some(Nanos::from_millis(5));
    for (min, max, passed, is_unsure) in [
        (110, 190, true, false),
        (104, 190, true, true),
        (110, 196, true, true),
        (110, 204, false, true),
        (110, 206, false, false),
        (94, 190, false, false),
        (96, 190, false, true),
    ] {
        let promise = promise(min, max, passed);
        assert_eq!(
            may_be_otherwise(&promise, error),
            is_unsure,
            "{min} to {max}"
        );
        assert!(may_be_otherwise(&promise, None));
    }
    // What never happened is no matter of clocks.
    let mut never = promise(110, 204, false);
    never.evidence.rows[0].seen = Occurred::NotIn(Nanos::from_secs(1));
    assert!(!may_be_otherwise(&never, error));
}
