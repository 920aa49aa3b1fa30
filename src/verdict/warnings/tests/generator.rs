//! What wsbench itself did to the numbers.

use std::time::Duration;

use super::{found, judged};
use crate::metric::Counter;
use crate::scenario::Pacing;
use crate::verdict::facts::{Facts, Throttling};
use crate::verdict::fixture::{Run, scenario};
use crate::verdict::judge::judge;
use crate::verdict::warning::Warning;

#[test]
fn a_busy_generator_matters_differently_in_a_closed_model() {
    let mut run = Run::healthy();
    run.cpu(&[50.0, 189.0]);
    assert_eq!(found(&scenario(), &run), []);
    run.cpu(&[191.0]);
    let open = found(&scenario(), &run);
    assert!(open[0].to_string().ends_with("191 % at the peak, of 200 %"));
    assert!(open[0].hint().unwrap().starts_with("offer less"));
    let mut closed = scenario();
    closed.cohorts[0].messages[0].pacing = Pacing::Closed {
        in_flight: 1,
        think: Duration::ZERO,
    };
    assert!(
        found(&closed, &run)[0]
            .hint()
            .unwrap()
            .contains("partly the generator's")
    );
}

#[test]
fn late_sends_are_said_once() {
    let mut run = Run::healthy();
    run.late(1_500_000, 1_000);
    assert_eq!(
        found(&scenario(), &run)[0].to_string(),
        "sends were late: p99 1.50 ms"
    );
    run.not_sent(500);
    let verdict = judge(&scenario(), &run.summary(), &Facts::completed(2));
    let kinds: Vec<_> = verdict.warnings.iter().map(Warning::kind).collect();
    assert_eq!(kinds, ["sends_late"]);
}

/// Of thirty sends the p99 would be the latest of them.
#[test]
fn a_few_late_sends_have_no_percentile() {
    let mut run = Run::healthy();
    run.late(19_100_000, 30);
    assert_eq!(
        found(&scenario(), &run)[0].to_string(),
        "sends were late: at most 19.1 ms"
    );
}

#[test]
fn what_the_server_did_not_take_is_told() {
    let mut run = Run::healthy();
    run.late(2_000_000, 1_000)
        .not_sent(500)
        .add(Counter::MessagesNotTaken, 500)
        .add(Counter::MessagesHeldUp, 30);
    let told: Vec<String> = found(&scenario(), &run)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        told,
        [
            "sends were late: p99 2.00 ms; for 30 messages the server took no bytes before",
            "500 of 100,500 messages due were not sent, because the server took no bytes",
        ]
    );
}

#[test]
fn a_long_stop_is_told() {
    let mut run = Run::healthy();
    run.lagged(2_000_000_000, 1);
    assert_eq!(
        found(&scenario(), &run)[0].to_string(),
        "wsbench itself was held up for 2.00 s at once, and for 10.0 % of the time"
    );
}

#[test]
fn processor_time_is_held_to_what_may_be_had() {
    let mut run = Run::healthy();
    run.cpu(&[18.0]);
    let facts = Facts {
        cores: Some(0.2),
        throttling: Some(Throttling {
            periods: 100,
            throttled: 2,
        }),
        ..Facts::completed(2)
    };
    let warnings = judged(&scenario(), &run.summary(), &facts, &[]);
    let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "the generator was busy: 18 % CPU on average, 18 % at the peak, of 20 %",
            "the kernel kept wsbench from running in 2 of 100 periods, for its limit of CPU was used up"
        ]
    );
}

#[test]
fn a_few_unsent_messages_are_named() {
    let mut run = Run::healthy();
    run.not_sent(1);
    let warnings = found(&scenario(), &run);
    assert_eq!(
        warnings[0].to_string(),
        "1 of 100,001 messages due was not sent"
    );
}
