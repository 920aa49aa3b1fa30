//! What a rule came out as, and how what several connections saw becomes one outcome.

use serde::Serialize;

use super::log::{Log, Seen};
use super::rules::Rule;
use super::trial::Trial;

/// Whether a rule was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was kept wherever it was tried.
    Pass,
    /// It was broken.
    Fail,
    /// Nothing was seen that tells.
    NotTried,
}

/// A rule with what was seen of it.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// The rule.
    #[serde(flatten)]
    pub rule: &'static Rule,
    /// Whether it was kept.
    pub outcome: Outcome,
    /// What was seen, in words.
    pub seen: String,
}

/// What one connection says about a rule: that it was kept, or nothing.
///
/// # Errors
/// How it was broken.
pub(super) type Said = Result<Option<String>, String>;

/// An outcome in words.
pub(super) type Found = (Outcome, String);

/// Kept, as far as was seen.
pub(super) fn kept(seen: impl Into<String>) -> Said {
    Ok(Some(seen.into()))
}

/// Nothing that tells was seen.
pub(super) fn untold(why: impl Into<String>) -> Found {
    (Outcome::NotTried, why.into())
}

/// Judges by each trial of the rule: broken where one of them says so.
pub(super) fn each(rule: &Rule, seen: &Seen, look: impl Fn(Trial, &Log) -> Said) -> Found {
    let (mut kept, mut broken) = (Vec::new(), Vec::new());
    let mut failed = None;
    for trial in rule.tried {
        let Some(log) = seen.log(*trial) else {
            continue;
        };
        if let Some(why) = &log.failed {
            failed.get_or_insert_with(|| why.clone());
            continue;
        }
        match look(*trial, log) {
            Ok(Some(words)) => kept.push((*trial, words)),
            Ok(None) => {}
            Err(words) => broken.push((*trial, words)),
        }
    }
    match (&broken[..], &kept[..]) {
        ([], []) => untold(match failed {
            Some(why) => format!("no connection: {why}"),
            None => "nothing came that tells".to_owned(),
        }),
        ([], kept) => (Outcome::Pass, together(kept)),
        (broken, _) => (Outcome::Fail, together(broken)),
    }
}

/// What was seen, once where all trials have seen the same, else with what each did; each text once.
fn together(said: &[(Trial, String)]) -> String {
    if said.iter().all(|(_, words)| *words == said[0].1) {
        return match said {
            [(trial, words)] => format!("{}: {words}", trial.words()),
            _ => said[0].1.clone(),
        };
    }
    let each = said
        .iter()
        .map(|(trial, words)| format!("{}: {words}", trial.words()));
    each.collect::<Vec<_>>().join("\n")
}
