//! What the clients of a plan send: how often, and how much in all.

use std::time::Duration;

use super::connections::{at_once, dials};
use super::open;
use crate::plan::often::{Often, Said};
use crate::scenario::{Cohort, Scenario, Shape, Verb};

/// How many HTTP requests and how many messages a client of a cohort sends to become ready, without requests that are
/// sent once for the run.
pub fn sent_by_setup(cohort: &Cohort) -> (u64, u64) {
    let (mut requests, mut messages) = (0.0, 0.0);
    for (step, often) in Often::of_steps(&cohort.setup, Duration::MAX) {
        let times = often.in_all.unwrap_or_default();
        match &step.verb {
            Verb::Http(http) if !http.once => requests += times,
            Verb::Send(_) => messages += times,
            _ => {}
        }
    }
    (requests.ceil() as u64, messages.ceil() as u64)
}

/// What one connection of a cohort says when it is ready.
fn said(scenario: &Scenario, cohort: &Cohort) -> impl Iterator<Item = Said> {
    let open = open(scenario, cohort);
    let messages = cohort.messages.iter();
    let messages = messages.map(move |message| Said::by_message(message, open));
    messages.chain([Said::by_steps(&cohort.steps, open)])
}

pub(super) fn sends_per_second(scenario: &Scenario) -> Option<f64> {
    let mut total = 0.0;
    for cohort in &scenario.cohorts {
        for said in said(scenario, cohort) {
            if said.as_answered {
                return None;
            }
            total += said.per_second * at_once(scenario, cohort);
        }
    }
    Some(total)
}

pub(super) fn sends_in_all(scenario: &Scenario) -> u64 {
    let of_cohort = |cohort: &Cohort| {
        let dials = match &scenario.load.shape {
            // Only one cohort can have stages.
            Shape::Stages(_) => dials(scenario),
            _ => u64::from(cohort.connections),
        };
        let each: f64 = said(scenario, cohort).map(|said| said.in_all).sum();
        (each * dials as f64).ceil() as u64
    };
    let cohorts = scenario.cohorts.iter().map(of_cohort);
    cohorts.fold(0, u64::saturating_add)
}

pub(super) fn pings_per_second(scenario: &Scenario) -> f64 {
    let mut total = 0.0;
    for cohort in &scenario.cohorts {
        if let Some(pings) = cohort.pings() {
            total += at_once(scenario, cohort) / pings.interval.as_secs_f64();
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::budget::tests::{budget, scenario};

    #[test]
    fn messages_whose_count_is_used_up_are_counted_in_all() {
        let sends = |keys: &str| {
            let load = "load = { connections = 20, duration = \"10s\" }";
            let budget = budget(&format!("{load}\n[[message]]\nname = \"m\"\n{keys}"));
            (budget.sends_per_second, budget.sends_in_all)
        };
        assert_eq!(sends("rate = \"1000/s\"\ncount = 1"), (Some(0.0), 20));
        assert_eq!(
            sends("rate = \"1000/s\"\ncount = 5000"),
            (Some(0.0), 100_000)
        );
        assert_eq!(sends("in_flight = 2\ncount = 5"), (Some(0.0), 100));
        // The run ends before.
        assert_eq!(sends("rate = \"1/s\"\ncount = 500"), (Some(20.0), 0));
        let second = "[[message]]\nname = \"n\"\nrate = \"2/s\"";
        assert_eq!(
            sends(&format!("rate = \"1000/s\"\ncount = 1\n{second}")),
            (Some(40.0), 20)
        );
        assert_eq!(sends("in_flight = 1"), (None, 0));
    }

    #[test]
    fn requests_and_messages_of_a_set_up_are_told_apart() {
        let login = |keys: &str| {
            format!(
                "[[setup]]\nname = \"login\"\nhttp = {{ url = \"http://127.0.0.1:9/\"{keys} }}\n"
            )
        };
        let send = "[[setup]]\nname = \"join\"\nsend = \"join\"\nexpect = \"none\"\n";
        let sent = |setup: &str| {
            let scenario = scenario(&format!("load.connections = 2\n{setup}"));
            sent_by_setup(&scenario.cohorts[0])
        };
        assert_eq!(
            sent(&(login("") + send + &send.replace("join", "look"))),
            (1, 2)
        );
        assert_eq!(sent(&(login(", once = true") + send)), (0, 1));
    }

    #[test]
    fn without_a_heartbeat_there_are_no_pings() {
        let pings = budget("load.connections = 20").pings_per_second;
        assert!(pings == 0.0 && pings.is_sign_positive(), "{pings}");
    }
}
