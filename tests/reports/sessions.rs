//! Sessions of a run made by hand, with changes.

use wsbench::compare::{Session, SessionError, Setting};
use wsbench::report::Run;
use wsbench::scenario::{Selector, Stat, Subject};
use wsbench::verdict::{Exit, Outcome, observe};

use crate::fixture::troubled;

type Change = fn(&mut Run);

/// A run that failed a gate, with two cohorts.
fn stored() -> Run {
    troubled().run
}

fn subject(stat: Stat, metric: &str, cohort: Option<&str>) -> Subject {
    let selector = Selector {
        metric: metric.to_owned(),
        cohort: cohort.map(str::to_owned),
        stage: None,
    };
    Subject::Stat(stat, selector)
}

#[test]
fn a_session_has_the_numbers_of_its_runs_by_their_names_in_gates() {
    let run = stored();
    let one = subject(Stat::Percentile(50.0), "latency.echo", None);
    let seen = observe(&one, &run.view()).unwrap();
    let session = Session::of([&run, &run], &[]).unwrap();
    assert_eq!(session.runs, 2);
    let value = Some(seen.reported());
    assert_eq!(session.values["p50(latency.echo)"], [value, value]);
    assert_eq!(session.median(&one), value);

    let of_cohort = subject(Stat::Count, "messages.sent", Some("echo"));
    assert!(session.median(&of_cohort).is_some(), "{:?}", session.values);
    let absent = subject(Stat::Count, "errors.tls", None);
    assert_eq!(session.median(&absent), Some(0.0), "no row is zero");
    let thin = subject(Stat::Percentile(99.99), "latency.echo", None);
    assert_eq!(session.median(&thin), None);
    let asked = Session::of([&run], &[thin, one]).unwrap();
    assert!(
        !asked.values.contains_key("p99.99(latency.echo)"),
        "too few samples"
    );
}

#[test]
fn a_ratio_is_that_of_its_counts() {
    let session = Session::of([&stored()], &[]).unwrap();
    let selector = |metric: &str| Selector {
        metric: metric.to_owned(),
        cohort: None,
        stage: None,
    };
    let count = |metric| {
        session
            .median(&Subject::Stat(Stat::Count, selector(metric)))
            .unwrap()
    };
    let (timed_out, sent) = (count("messages.timed_out"), count("messages.sent"));
    assert!(timed_out > 0.0 && sent > 0.0);
    let ratio = Subject::Ratio(selector("messages.timed_out"), selector("messages.sent"));
    assert_eq!(session.median(&ratio), Some(timed_out / sent));
    let nothing = Subject::Ratio(selector("messages.sent"), selector("errors.tls"));
    assert_eq!(session.median(&nothing), None);
}

#[test]
fn runs_without_a_verdict_are_in_no_session() {
    for (exit, why) in [
        (Exit::Untrusted, "is in doubt (exit code 4)"),
        (Exit::Interrupted, "was interrupted (exit code 130)"),
        (Exit::Unexpected, "broke off (exit code 1)"),
    ] {
        let mut run = stored();
        run.verdict.exit = exit;
        let error = Session::of([&stored(), &run], &[]).unwrap_err();
        assert!(error.to_string().ends_with(why), "{error}");
    }
    let mut run = stored();
    run.facts.outcome = Outcome::Aborted {
        gate: "count(connections.failed) > 0".to_owned(),
    };
    let error = Session::of([&run], &[]).unwrap_err();
    assert!(error.to_string().contains("`abort` gate"), "{error}");
    assert_eq!(Session::of([], &[]), Err(SessionError::Empty));
}

#[test]
fn the_first_difference_is_named() {
    let of = |change: Change| {
        let mut run = stored();
        change(&mut run);
        Setting::of_run(&stored()).differs(&Setting::of_run(&run))
    };
    let nothing: [Change; 4] = [
        |run| run.scenario.text += "# a remark\n[gates]\npass = [\"count(bytes.sent) > 5\"]\n",
        |run| {
            run.options
                .overrides
                .push("--gate \"count(bytes.sent) > 5\"".into())
        },
        |run| run.options.overrides.push("--url ws://127.0.0.1:9/".into()),
        |run| run.scenario.target = "ws://elsewhere/".into(),
    ];
    for (number, change) in nothing.into_iter().enumerate() {
        assert_eq!(of(change), None, "{number}");
    }
    let some: [(Change, &str); 5] = [
        (
            |run| run.scenario.text += "load.connections = 9\n",
            "the scenario (its SHA-256)",
        ),
        (
            |run| run.options.overrides.push("--duration 9s".into()),
            "the command line",
        ),
        (
            |run| run.parts = super::parts::in_parts().parts,
            "the number of processes",
        ),
        (
            |run| run.scenario.target = "wss://127.0.0.1/".into(),
            "the kind of target",
        ),
        (|run| run.facts.workers += 1, "the number of workers"),
    ];
    for (change, what) in some {
        assert_eq!(of(change).map(|mismatch| mismatch.what), Some(what));
    }
    let mut other = stored();
    other.facts.workers += 1;
    let error = Session::of([&stored(), &other], &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the runs are of two settings: the number of workers differs: 2 workers there, 3 workers here"
    );
    let mut other = stored();
    other.host.cpus = Some(64);
    let error = Session::of([&stored(), &other], &[]).unwrap_err();
    assert!(matches!(error, SessionError::Machines(..)), "{error}");
}

#[test]
fn a_run_without_data_leaves_a_hole() {
    let (full, mut empty) = (stored(), stored());
    empty
        .summary
        .metrics
        .retain(|row| row.name != "latency.echo");
    let p50 = subject(Stat::Percentile(50.0), "latency.echo", None);
    for runs in [[&full, &empty], [&empty, &full]] {
        let session = Session::of(runs, &[]).unwrap();
        assert_eq!(session.values["p50(latency.echo)"].len(), 2);
        assert_eq!(session.median(&p50), None);
    }
}
