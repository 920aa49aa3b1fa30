//! Judges what the target still held after the run: `max_rss_growth` and `max_descriptor_growth`.

use super::case::{Case, Finding};
use crate::measure::Usage;
use crate::units::{ByteSize, human_count};

/// Judges `max_rss_growth`.
pub(super) fn rss(case: &Case<'_>, most: ByteSize) -> Finding {
    growth(case, most.0, |usage| usage.rss, mebibytes)
}

/// Judges `max_descriptor_growth`.
pub(super) fn descriptors(case: &Case<'_>, most: u64) -> Finding {
    growth(case, most, |usage| usage.descriptors, human_count)
}

fn growth(case: &Case<'_>, most: u64, of: fn(&Usage) -> u64, shown: fn(u64) -> String) -> Finding {
    let Some((before, after)) = &case.surroundings.usage else {
        return Finding::no_data("the target's resources could not be seen");
    };
    let (before, after) = (of(before), of(after));
    let why = format!("{} before, {} after", shown(before), shown(after));
    Finding {
        n: case.records.len() as u64,
        times: None,
        passed: after.saturating_sub(before) <= most,
        why,
        judged: Vec::new(),
    }
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / 1_048_576.0)
}
