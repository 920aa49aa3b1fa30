//! Connections that did not open, and why.

use std::time::Duration;

use super::{found, judged};
use crate::metric::{Cause, Counter};
use crate::scenario::{Lifetime, Shape, Trust};
use crate::verdict::facts::{Facts, Outcome};
use crate::verdict::fixture::{Run, scenario};
use crate::verdict::warning::Warning;

#[test]
fn missing_connections_are_explained() {
    let mut run = Run::healthy();
    run.opened_less(3).refused(2, "connect: connection refused");
    run.failed(Cause::NoDescriptor, 1);
    let warnings = found(&scenario(), &run);
    assert_eq!(
        warnings[0].to_string(),
        "7 of 10 connections opened, 3 attempts failed: 2 refused, 1 no_descriptor (connect: connection refused)"
    );
    assert!(warnings[0].hint().unwrap().contains("running"));
}

#[test]
fn a_run_cut_short_is_held_to_what_it_tried() {
    let mut run = Run::healthy();
    run.opened_less(5);
    let interrupted = Facts {
        outcome: Outcome::Interrupted,
        ..Facts::completed(2)
    };
    assert_eq!(judged(&scenario(), &run.summary(), &interrupted, &[]), []);
    assert_eq!(found(&scenario(), &run)[0].kind(), "fewer_connections");
}

#[test]
fn skipped_arrivals_are_not_missing() {
    let mut run = Run::healthy();
    run.opened_less(4).add(Counter::ConnectionsSkipped, 4);
    let mut storm = scenario();
    storm.load.shape = Shape::Arrivals {
        rate: crate::units::Rate::per_second(5.0).unwrap(),
        lifetime: Lifetime::Fixed(Duration::from_secs(1)),
        max_open: 3,
        warm_up: Duration::ZERO,
        duration: Duration::from_secs(2),
    };
    let warnings = found(&storm, &run);
    assert_eq!(
        warnings,
        [Warning::ArrivalsSkipped {
            skipped: 4,
            max_open: 3
        }]
    );
}

#[test]
fn addresses_that_were_passed_over_and_certificates_that_were_not_checked_are_told() {
    let mut run = Run::healthy();
    run.add(Counter::ConnectionsFallbacks, 7);
    let mut summary = run.summary();
    summary.fallbacks.add("[::1]:1", 2, "unreachable");
    summary.fallbacks.add("[::2]:1", 5, "refused");
    let mut insecure = scenario();
    insecure.cohorts[0].access.tls.trust = Trust::Anyone;
    let warnings = judged(&insecure, &summary, &Facts::completed(2), &[]);
    let said: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "7 dials went on to another address of the name: `refused` at [::2]:1, `unreachable` at [::1]:1",
            "`insecure = true`: the server's certificate was not checked, so anybody may have answered",
        ]
    );
    assert!(warnings[0].hint().unwrap().contains("`handshake.tcp`"));
}

/// Nothing answers, so there is no time of an opening and no address that could be named instead.
#[test]
fn where_every_address_refuses_no_other_one_is_recommended() {
    let addresses = (1..=6).map(|number| (format!("127.0.0.{number}:1"), "refused".to_owned()));
    let warning = Warning::Fallbacks {
        count: 10,
        addresses: addresses.collect(),
        any_opened: false,
    };
    assert_eq!(warning.hint(), None);
    let said = warning.to_string();
    assert!(said.contains("at 127.0.0.4:1 and 2 more"), "{said}");
}
