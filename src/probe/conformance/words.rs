//! The outcome of each rule in words.

use std::time::Duration;

use super::judged::{Judged, Outcome};
use super::play::{Conformance, Outcomes};
use crate::units::{counted, format_duration, is_harmless};

/// Says what is about to be done.
pub fn plan(url: &str, watch: Duration) -> String {
    format!(
        "trying the rules of RFC 6455 at {url}: at most {}, a few at a time; {} for a quiet one, and at most {} in all \
         where answers do not come\n\n",
        counted(Conformance::connections() as u64, "connection"),
        format_duration(watch),
        format_duration(Conformance::longest(watch)),
    )
}

/// One rule: its name, its outcome, its section, and what was seen.
pub fn finding(judged: &Judged) -> String {
    let rule = judged.rule;
    let outcome = match judged.outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "FAIL",
        Outcome::NotTried => "not tried",
    };
    let level = rule.level.words();
    let mut text = format!(
        "{:<5}{outcome:<10} {:<6} {level:<9}{}\n",
        rule.id, rule.section, rule.text
    );
    for line in judged.seen.lines() {
        let line: String = line.chars().filter(|c| is_harmless(*c)).collect();
        text += &format!("{:33}{line}\n", "");
    }
    text
}

/// How many rules were kept and broken.
pub fn summary(outcomes: &Outcomes) -> String {
    let count = |is: &dyn Fn(&&Judged) -> bool| outcomes.rules.iter().filter(is).count() as u64;
    let failed = |judged: &&Judged| judged.outcome == Outcome::Fail;
    let must = count(&|judged| failed(judged) && judged.rule.level.is_must());
    let should = count(&failed) - must;
    format!(
        "\n{}: {} kept, {must} that must be kept and {should} that should be broken, {} not tried; {}\n",
        counted(outcomes.rules.len() as u64, "rule"),
        count(&|judged| judged.outcome == Outcome::Pass),
        count(&|judged| judged.outcome == Outcome::NotTried),
        counted(outcomes.connections.into(), "connection"),
    )
}
