//! Distributions that say little, and what reports cannot hold.

use super::{found, judged};
use crate::metric::Counter;
use crate::scenario::{Op, Stat};
use crate::verdict::facts::Facts;
use crate::verdict::fixture::{Run, scenario, timed_gate};
use crate::verdict::warning::Warning;
use crate::verdict::warnings::samples_for;

#[test]
fn thin_percentiles_are_named_from_the_lowest_on() {
    let mut run = Run::new();
    run.opened(10).echoed(500, 1_000_000);
    assert_eq!(found(&scenario(), &run), [], "no gate looks at one");

    let mut strict = scenario();
    for percent in [99.99, 99.0, 90.0] {
        let stat = Stat::Percentile(percent);
        (strict.gates.pass).push(timed_gate(stat, "latency.echo", Op::Less, 1e9));
    }
    let warnings = found(&strict, &run);
    assert_eq!(
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["500 samples of `latency.echo` are too few for p99, which wants 1,000"]
    );
    run.echoed(99_500, 1_000_000);
    assert_eq!(found(&strict, &run), []);
}

#[test]
fn percentiles_want_ten_samples_above_them() {
    let wanted = [50.0, 90.0, 99.0, 99.9, 99.99].map(samples_for);
    assert_eq!(wanted, [20, 100, 1_000, 10_000, 100_000]);
}

#[test]
fn what_reports_cannot_hold_is_said() {
    let mut run = Run::healthy();
    run.echoed(1, 2 * 3_600_000_000_000)
        .add(Counter::MessagesRetyped, 4);
    let mut summary = run.summary();
    summary.endings.more = 7;
    let kinds = |warnings: &[Warning]| -> Vec<&'static str> {
        warnings.iter().map(Warning::kind).collect()
    };
    let warnings = judged(&scenario(), &summary, &Facts::completed(2), &[]);
    assert_eq!(kinds(&warnings), ["clipped", "retyped", "endings_overflow"]);
}
