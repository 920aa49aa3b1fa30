//! Where the numbers of a run went while it ran, and how much of them was lost on the way.

use serde::{Deserialize, Serialize};

use super::{Note, Run};
use crate::units::{counted, human_count};

/// What one output took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputRecord {
    /// The output as the user wrote it, which holds no secret: `influx=http://127.0.0.1:8086/?db=ws`.
    pub output: String,
    /// The seconds that it took.
    pub sent: u64,
    /// The seconds that it did not take.
    pub lost: u64,
    /// Why the last of these was lost; `None` if none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Run {
    /// Adds what its outputs took. What one lost becomes a warning; it changes no verdict.
    pub fn sent_to(&mut self, outputs: Vec<OutputRecord>) {
        let warnings = outputs.iter().filter_map(OutputRecord::warning);
        self.verdict.warnings.extend(warnings);
        self.outputs = outputs;
    }
}

impl OutputRecord {
    fn warning(&self) -> Option<Note> {
        let all = self.sent.saturating_add(self.lost);
        let why = self.error.as_deref().unwrap_or("it did not end in time");
        (self.lost > 0).then(|| Note {
            kind: "output_lost".to_owned(),
            text: format!(
                "the output `{}` lost {} of {}: {why}",
                self.output,
                human_count(self.lost),
                counted(all, "second"),
            ),
            hint: Some("the report has all numbers; only what was sent is not whole".to_owned()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_lost_is_warned_of() {
        let record = |sent, lost| OutputRecord {
            output: "statsd=127.0.0.1:8125".to_owned(),
            sent,
            lost,
            error: (lost > 0).then(|| "connection refused".to_owned()),
        };
        assert_eq!(record(28, 0).warning(), None);
        let warned = record(25, 3).warning().unwrap();
        assert_eq!(
            warned.text,
            "the output `statsd=127.0.0.1:8125` lost 3 of 28 seconds: connection refused"
        );
    }
}
