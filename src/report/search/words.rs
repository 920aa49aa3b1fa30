//! What a search says for people.

use super::Search;
use crate::report::picture::Unit;
use crate::search::{Bound, End};
use crate::units::human_count;

impl Search {
    /// The result in one sentence: `680 connections hold, 710 do not`.
    pub fn result(&self) -> String {
        let what = &self.what;
        let found = self.found;
        let Some(most) = found.most else {
            return match (found.end, found.bound) {
                (End::Found, Bound::Broke(value)) => format!(
                    "{} {} not hold, and nothing less was left to try",
                    what.counted(value),
                    if value == 1 { "does" } else { "do" }
                ),
                (_, Bound::Generator(value)) => format!(
                    "nothing is known: wsbench itself was the limit at {}",
                    what.counted(value)
                ),
                _ => format!("no number of {what} is known to hold{}", self.reason()),
            };
        };
        let hold = if most == 1 { "holds" } else { "hold" };
        let most = what.counted(most);
        let said = match found.bound {
            Bound::None => format!("at least {most} {hold}, nothing higher was tried"),
            // It lies above one at least.
            Bound::Broke(value) => format!("{most} {hold}, {} do not", human_count(value)),
            Bound::Generator(value) => format!(
                "at least {most} {hold}; at {} wsbench itself was the limit",
                human_count(value)
            ),
        };
        match found.is_confirmed {
            true => said + &self.reason(),
            false => format!("{said}, not confirmed{}", self.reason()),
        }
    }

    /// Why it ended, if not because it found what it was for.
    fn reason(&self) -> String {
        let why = match self.found.end {
            End::Found => return String::new(),
            End::NoVerdict => "a probe has no verdict",
            End::Unsteady => "what held once did not hold again, five times",
            End::TooMany => "it took as many probes as a search may",
            End::Budget => "the time of `--budget` was over",
            End::Interrupted => "it was interrupted",
            End::Failed => "a probe could not be run",
        };
        format!(" ({why})")
    }

    /// What was asked for, where something was.
    pub(super) fn asked(&self) -> Option<String> {
        let least = self.at_least?;
        Some(format!("asked for: at least {}", human_count(least)))
    }

    /// What else a reader should know, one sentence each.
    pub fn notes(&self) -> Vec<String> {
        let what = &self.what;
        let mut notes = Vec::new();
        if let Some((held, broke)) = self.found.not_monotone {
            notes.push(format!(
                "warning: {} held, though {} did not: the result is the most below that",
                what.counted(held),
                human_count(broke)
            ));
        }
        if let Some(knee) = self.knee() {
            notes.push(format!(
                "knee: up to {} the p99 is at most three times the least",
                what.counted(knee as u64)
            ));
        }
        notes.extend(self.memory().map(memory));
        notes.extend(self.processor().and_then(processor));
        notes
    }
}

/// What a connection takes, and what there is without any, in bytes.
fn memory((each, without): (f64, f64)) -> String {
    if each <= 0.0 {
        return "memory of the server: it does not grow with the connections".to_owned();
    }
    let each = Unit::Bytes.value(each * 1_000.0);
    let without = match without >= 0.0 {
        true => format!(", {} without any", Unit::Bytes.value(without)),
        false => String::new(),
    };
    format!("memory of the server: {each} for 1,000 connections{without}")
}

/// What a connection takes, in percent of one core, or what it is below; `None` where that says nothing, because it is
/// above a whole core for 1,000 connections.
fn processor(each: Result<f64, f64>) -> Option<String> {
    let (below, each) = match each {
        Ok(each) => ("", each * 1_000.0),
        Err(least) => ("less than ", least * 1_000.0),
    };
    let each = (below.is_empty() || each < 100.0).then(|| Unit::Percent.value(each))?;
    Some(format!(
        "processor of the server: {below}{each} of a core for 1,000 connections"
    ))
}
