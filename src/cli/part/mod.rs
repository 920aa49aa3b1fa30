//! `wsbench run --part`: plays one part of a plan, from a time on that all parts know, and writes what it saw. `wsbench
//! merge` puts the parts together.

mod bundle;
mod needed;
mod one_machine;
mod play;
mod recording;
mod refused;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::SystemTime;

#[cfg(feature = "cluster")]
pub(super) use bundle::{Bundle, run_number};
pub(super) use bundle::{again, differs, or_its_name, start_of};
#[cfg(feature = "cluster")]
pub(super) use one_machine::{Refused, of_one_machine};
pub(super) use play::Part;
#[cfg(feature = "cluster")]
pub(super) use recording::{Recorded, Recording, machine};

use crate::plan::Share;
use crate::record::PartOf;

/// Which part is played, from when on, and where it is written.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "One part of a run")]
pub(super) struct PartArgs {
    /// Play this part of the plan, like 2/4; others play the rest from the same time on, and `merge` judges all
    #[arg(
        long,
        value_name = "PART/PARTS",
        value_parser = parse_part,
        requires_all = ["start_at", "record"],
        conflicts_with_all = [
            "messages", "output", "dashboard", "repeat", "every", "baseline", "out", "json", "label", "junit", "md", "openmetrics", "bench", "github",
        ],
    )]
    part: Option<PartOf>,
    /// When all parts begin: a time in UTC at most a day from now, like 2027-01-01T10:00:00Z
    #[arg(long, value_name = "TIME", requires = "part", value_parser = parse_time)]
    start_at: Option<SystemTime>,
    /// Write what this part sees to this file
    #[arg(long, value_name = "FILE", requires = "part")]
    record: Option<PathBuf>,
}

/// A part that is to be played.
pub(super) struct Asked<'a> {
    part: PartOf,
    start_at: SystemTime,
    record: &'a Path,
}

impl PartArgs {
    /// The part that is to be played; `None`: the whole.
    pub(super) fn asked(&self) -> Option<Asked<'_>> {
        Some(Asked {
            part: self.part?,
            start_at: self.start_at?,
            record: self.record.as_deref()?,
        })
    }
}

fn parse_part(text: &str) -> Result<PartOf, String> {
    let most = Share::MAX_PARTS;
    let numbers = text.split_once('/').and_then(|(number, parts)| {
        let number = u32::from_str(number.trim()).ok()?;
        Some((number, u32::from_str(parts.trim()).ok()?))
    });
    match numbers {
        Some((number, parts)) if (1..=parts).contains(&number) && parts <= most => {
            Ok(PartOf { number, parts })
        }
        Some((_, parts)) if parts > most => Err(format!("there may be at most {most} parts")),
        Some((number, parts)) => Err(format!("of {parts}, there is no part {number}")),
        None => Err("write which part of how many, from 1 on, like 2/4".to_owned()),
    }
}

fn parse_time(text: &str) -> Result<SystemTime, &'static str> {
    humantime::parse_rfc3339(text)
        .map_err(|_| "write a date and a time in UTC, like 2027-01-01T10:00:00Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_from_one() {
        let part = |text| parse_part(text).map(|part| (part.number, part.parts));
        assert_eq!(part("2/4"), Ok((2, 4)));
        assert_eq!(part("1/1"), Ok((1, 1)));
        for wrong in ["0/4", "5/4", "4", "4/", "-1/2", "a/b", "1/1001"] {
            assert!(part(wrong).is_err(), "{wrong}");
        }
    }
}
