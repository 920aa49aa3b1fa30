//! What `check` accepts, a run can decide: for random scenarios, gates that are accepted have data in a possible run of
//! the plan, and those that are refused for want of data have none.

mod draw;
mod ends;
mod heartbeats;
mod possible;
mod records;
mod said;
mod steps;
mod talk;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use wsbench::metric::{self, Kind};
use wsbench::plan::Plan;
use wsbench::scenario::{self, Outside, Overrides, PromiseKind, Scenario, Source, Stat, Subject};
use wsbench::verdict::{Facts, View, judge, observe};

use draw::{gate, scenario};

const CASES: u32 = 100;

fn parse(text: &str, gates: &[String]) -> Result<Scenario, String> {
    let source = Source {
        name: "drawn.toml".into(),
        text: text.to_owned(),
    };
    let overrides = Overrides {
        gates: gates.to_vec(),
        ..Overrides::default()
    };
    let nowhere = Outside {
        env: &|_| None,
        read: &|_| Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
        list: &Outside::no_folder,
    };
    scenario::parse(&source, &overrides, &nowhere).map_err(|problems| problems.to_string())
}

/// Draws the same cases each time.
fn runner() -> TestRunner {
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

/// Whether a possible run has data for the gate: a time or a state that was seen, or a count above zero.
fn has_data(subject: &Subject, view: &View<'_>) -> bool {
    let Ok(seen) = observe(subject, view) else {
        return false;
    };
    let counts = match subject {
        Subject::Ratio(..) => true,
        Subject::Stat(stat, selector) => {
            let message = selector.metric.split_once('.').map_or("", |(_, name)| name);
            let kind = metric::kind_of(&selector.metric, &[message]);
            kind == Some(Kind::Counter) || matches!(stat, Stat::Count | Stat::Rate)
        }
    };
    !counts || seen.value > 0.0
}

#[test]
fn what_check_accepts_can_be_decided() {
    let (accepted, refused) = (Cell::new(0u32), Cell::new(0u32));
    let cases = (scenario(), prop::collection::vec(gate(), 12));
    let run = runner().run(&cases, |(drawn, gates)| {
        let text = drawn.to_string();
        let plain =
            parse(&text, &[]).map_err(|why| TestCaseError::fail(format!("{text}\n{why}")))?;
        let plan = Plan::new(plain, 1, 1);
        let summary = possible::summary(&plan);
        for gate in gates {
            match parse(&text, std::slice::from_ref(&gate)) {
                Ok(with_gate) => {
                    accepted.set(accepted.get() + 1);
                    let view = View::new(&with_gate, &summary);
                    let subject = &with_gate.gates.pass[0].subject;
                    prop_assert!(has_data(subject, &view), "accepted: {gate}\n{text}");
                }
                Err(why) if why.contains(" needs ") => {
                    prop_assert!(why.contains("hint: "), "{why}");
                    // A sample may fall into a shorter time than a second, and may not; and so may a message that
                    // is hardly to be expected there.
                    let is_late = why.contains("due in the measured time");
                    let is_chance =
                        why.contains("once a second") || is_late && text.contains("poisson");
                    let Some(gate) = draw::unchecked(&gate).filter(|_| !is_chance) else {
                        continue;
                    };
                    refused.set(refused.get() + 1);
                    let view = View::new(&plan.scenario, &summary);
                    prop_assert!(!has_data(&gate, &view), "{why}\n{text}");
                }
                Err(_) => {}
            }
        }
        Ok(())
    });
    run.unwrap_or_else(|why| panic!("{why}"));
    let (accepted, refused) = (accepted.get(), refused.get());
    assert!(
        accepted > CASES && refused > CASES,
        "{accepted} accepted, {refused} refused"
    );
}

/// A server that never ends a connection has broken each promise about its end, or kept it: the run is long enough to
/// say which.
#[test]
fn what_check_accepts_of_contracts_can_be_decided() {
    let accepted = RefCell::new(BTreeMap::<PromiseKind, u32>::new());
    let cases = (scenario(), prop::collection::vec(draw::promise(), 20));
    let run = runner().run(&cases, |(drawn, promises)| {
        for promise in promises {
            let text = drawn.promising(&promise);
            let Ok(scenario) = parse(&text, &[]) else {
                continue;
            };
            let plan = Plan::new(scenario, 1, 1);
            let summary = possible::summary(&plan);
            let facts = Facts {
                surroundings: possible::surroundings(&plan, &summary),
                ..Facts::completed(1)
            };
            let verdict = judge(&plan.scenario, &summary, &facts);
            for result in verdict.contracts {
                *accepted.borrow_mut().entry(result.contract).or_default() += 1;
                let is_undecided = ["undecided when", "watched for less"]
                    .iter()
                    .any(|words| result.why.contains(words));
                prop_assert!(
                    result.n > 0 && !is_undecided && possible::suffices(&result, &summary),
                    "{}\n{text}",
                    result.why
                );
            }
        }
        Ok(())
    });
    run.unwrap_or_else(|why| panic!("{why}"));
    let accepted = accepted.into_inner();
    for kind in draw::PROMISED {
        assert!(accepted.contains_key(kind), "never accepted: {kind:?}");
    }
    assert!(accepted.values().sum::<u32>() > CASES, "{accepted:?}");
}
