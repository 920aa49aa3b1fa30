//! What the suite says of a client, in its `index.json`.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

/// What is no failure: right; allowed, though not as strict as it could be; or left to the client by the standard.
const PASSED: [&str; 3] = ["OK", "NON-STRICT", "INFORMATIONAL"];

/// What was said of one case.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Verdict {
    /// Of what the client sent.
    pub(crate) behavior: String,
    /// Of how it ended the connection.
    pub(crate) behavior_close: String,
}

/// What was said of a client, by case.
#[derive(Debug)]
pub(crate) struct Verdicts(pub(crate) BTreeMap<String, Verdict>);

impl Verdicts {
    /// Reads what was said of the client with this name.
    ///
    /// # Errors
    /// When nothing was.
    pub(crate) fn read(index: &str, agent: &str) -> Result<Self, String> {
        let all: BTreeMap<String, BTreeMap<String, Verdict>> =
            serde_json::from_str(index).map_err(|error| error.to_string())?;
        let mut all = all.into_iter();
        let found = all.find(|(name, cases)| name == agent && !cases.is_empty());
        found.map_or_else(
            || Err("no case ran".to_owned()),
            |(_, cases)| Ok(Self(cases)),
        )
    }

    /// Returns the cases that failed.
    pub(crate) fn failed(&self) -> Vec<&str> {
        let cases = self.0.iter();
        let failed = cases.filter(|(_, verdict)| {
            !PASSED.contains(&verdict.behavior.as_str())
                || !PASSED.contains(&verdict.behavior_close.as_str())
        });
        failed.map(|(name, _)| name.as_str()).collect()
    }
}

impl fmt::Display for Verdicts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
        for verdict in self.0.values() {
            *counts.entry(&verdict.behavior).or_default() += 1;
        }
        write!(f, "{} cases", self.0.len())?;
        for (behavior, count) in counts {
            write!(f, ", {count} {behavior}")?;
        }
        for name in self.failed() {
            let Verdict {
                behavior,
                behavior_close,
            } = &self.0[name];
            write!(f, "\n  {name}: {behavior}, its end: {behavior_close}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_known_as_good_has_failed() {
        let index = r#"{"wsbench": {
            "1.1.1": {"behavior": "OK", "behaviorClose": "OK", "duration": 2},
            "1.1.2": {"behavior": "NON-STRICT", "behaviorClose": "INFORMATIONAL"},
            "1.1.3": {"behavior": "FAILED", "behaviorClose": "OK"},
            "1.1.4": {"behavior": "OK", "behaviorClose": "UNCLEAN"},
            "1.1.5": {"behavior": "UNIMPLEMENTED", "behaviorClose": "OK"}}}"#;
        let verdicts = Verdicts::read(index, "wsbench").unwrap();
        assert_eq!(verdicts.failed(), ["1.1.3", "1.1.4", "1.1.5"]);
        assert!(verdicts.to_string().contains("1.1.4: OK, its end: UNCLEAN"));
        for nothing in ["{}", r#"{"wsbench": {}}"#, r#"{"other": {}}"#, "no JSON"] {
            assert!(Verdicts::read(nothing, "wsbench").is_err(), "{nothing}");
        }
    }
}
