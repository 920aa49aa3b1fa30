//! The verdict as JUnit XML, which CI systems show as tests: whether the run can be trusted, then each gate and each
//! promise. A gate that was not judged is neither passed nor failed: its test is skipped.

use std::io::{self, Write};
use std::time::Duration;

use chrono::DateTime;
use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::run::Run;
use super::words::{Stands, expected, seen, sentence};
use crate::units::visible;
use crate::verdict::{ContractResult, Exit, GateResult};

/// Writes the verdict of a run as JUnit XML.
///
/// # Errors
/// When writing to `out` fails.
pub fn write(run: &Run, mut out: impl Write) -> io::Result<()> {
    let mut suite = TestSuite::new(xml(&run.scenario.name));
    suite.set_time(seconds(run));
    if let Ok(began) = DateTime::parse_from_rfc3339(&run.started_at) {
        suite.set_timestamp(began);
    }
    suite.add_properties(properties(run));
    suite.add_test_case(trust(run));
    suite.add_test_cases(run.verdict.gates.iter().map(|one| gate(run, one)));
    suite.add_test_cases(run.verdict.contracts.iter().map(|one| promise(run, one)));
    let mut report = Report::new(env!("CARGO_PKG_NAME"));
    report.set_time(seconds(run));
    report.add_test_suite(suite);
    let text = report.to_string().map_err(io::Error::other)?;
    out.write_all(without_skipped(&text).as_bytes())
}

/// The document without the number of skipped tests at its root, where Jenkins' schema has no such attribute. Each suite
/// has its own.
fn without_skipped(text: &str) -> String {
    let root = text.find("<testsuites ").unwrap_or(0);
    let end = text[root..].find('>').map_or(0, |end| root + end);
    let attribute = " skipped=\"";
    let Some(begin) = text[root..end].find(attribute).map(|at| root + at) else {
        return text.to_owned();
    };
    let value = begin + attribute.len();
    let after = text[value..].find('"').map_or(value, |end| value + end + 1);
    format!("{}{}", &text[..begin], &text[after..])
}

/// A text in which each character is one of XML 1.0 (section 2.2), and safe to show.
fn xml(text: &str) -> String {
    visible(text).replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}

fn seconds(run: &Run) -> Duration {
    Duration::try_from_secs_f64(run.summary.seconds).unwrap_or_default()
}

/// What one needs to know to run it again.
fn properties(run: &Run) -> Vec<Property> {
    let overrides = run.options.overrides.join(" ");
    let all = [
        ("wsbench", run.tool.version.as_str()),
        ("target", &run.scenario.target),
        ("seed", &run.options.seed.to_string()),
        ("overrides", &overrides),
        ("scenario.sha256", &run.scenario.sha256),
    ];
    let labels = run.options.labels.iter();
    let labels = labels.map(|(key, value)| Property::new(format!("label.{key}"), xml(value)));
    let all = all.map(|(name, value)| Property::new(name, xml(value)));
    all.into_iter().chain(labels).collect()
}

/// The test of a suite, with the time it took: consumers drop tests without a class or a time.
fn test(run: &Run, of: &str, name: &str, status: TestCaseStatus) -> TestCase {
    let mut test = TestCase::new(xml(name), status);
    let scenario = xml(&run.scenario.name);
    test.set_classname(format!("{}.{scenario}{of}", env!("CARGO_PKG_NAME")));
    test.set_time(Duration::ZERO);
    test
}

/// Whether the run says anything: in doubt, interrupted and broken runs are errors.
fn trust(run: &Run) -> TestCase {
    let verdict = &run.verdict;
    let is_trusted = matches!(verdict.exit, Exit::Passed | Exit::Failed);
    let mut status = match is_trusted {
        true => TestCaseStatus::success(),
        false => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    if !is_trusted {
        let first = verdict.distrust.first();
        status.set_type(first.map_or("ended", |doubt| doubt.kind.as_str()));
        status.set_message(xml(&sentence(run, verdict.exit)));
        let doubts = verdict.distrust.iter().map(|doubt| {
            let hint = doubt
                .hint
                .iter()
                .map(|hint| format!("\nhint: {}", xml(hint)));
            format!("{}{}", xml(&doubt.text), hint.collect::<String>())
        });
        status.set_description(doubts.collect::<Vec<_>>().join("\n"));
    }
    let mut test = test(run, "", "run can be trusted", status);
    test.set_time(seconds(run));
    test
}

fn gate(run: &Run, gate: &GateResult) -> TestCase {
    let status = judged("gate", Stands::of_gate(gate), || match gate.ended_the_run {
        true => format!("it ended the run: {}", gate.why),
        false => gate.why.clone(),
    });
    let mut test = test(run, ".gates", &gate.gate, status);
    test.set_system_out(xml(&format!("observed {}", seen(gate))));
    test
}

fn promise(run: &Run, promise: &ContractResult) -> TestCase {
    let name = format!("{} {}", promise.contract.key(), expected(promise));
    let status = judged("promise", Stands::of_promise(promise), || {
        promise.why.clone()
    });
    let of = format!(".promises.{}", xml(&promise.cohort));
    test(run, &of, name.trim_end(), status)
}

fn judged(kind: &str, stands: Stands, why: impl FnOnce() -> String) -> TestCaseStatus {
    let mut status = match stands {
        Stands::InDoubt | Stands::Open => TestCaseStatus::skipped(),
        Stands::Held => return TestCaseStatus::success(),
        Stands::Broken => TestCaseStatus::non_success(NonSuccessKind::Failure),
    };
    let why = match stands {
        Stands::InDoubt => "the run is in doubt".to_owned(),
        Stands::Open => xml(&format!("not decided: {}", why())),
        Stands::Held | Stands::Broken => xml(&why()),
    };
    status.set_type(kind);
    status.set_message(why);
    status
}
