//! The processes of a run in parts as a table, one row for each: how it ended, what it did, and how punctual it was.

use super::run::PartRecord;
use super::tables::{Table, most, size};
use crate::units::{cut, human_count, human_ns, visible};
use crate::verdict::ClockOffset;

/// Longer names and machines are cut, in characters.
const NAME: usize = 12;
const MACHINE_NAME: usize = 60;
const MACHINE: &str = "machine";

/// How much a table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    /// What fits into 80 columns.
    Short,
    /// All.
    Full,
}

/// A column: where it is shown, its head, and what it says of a part.
type Column = (Shown, &'static str, fn(&PartRecord) -> String);

#[derive(Clone, Copy)]
enum Shown {
    Everywhere,
    Only(Detail),
}

use Detail::{Full, Short};
use Shown::{Everywhere, Only};

/// The columns of words.
const WORDS: [Column; 5] = [
    (Everywhere, "part", named),
    (Only(Short), "ended", trouble),
    (Only(Full), "ended", ended),
    (Only(Full), "doubts", |part| {
        visible(&part.doubts.join(", "))
    }),
    (Only(Full), MACHINE, |part| {
        cut(&visible(&part.machine), MACHINE_NAME)
    }),
];

/// The columns of numbers.
const NUMBERS: [Column; 10] = [
    (Only(Full), "workers", |part| part.workers.to_string()),
    (Only(Full), "cores", |part| {
        part.cores
            .map(|cores| format!("{cores:.1}"))
            .unwrap_or_default()
    }),
    (Everywhere, "opened", |part| human_count(part.opened)),
    (Only(Full), "failed", |part| human_count(part.failed)),
    (Everywhere, "CPU", |part| {
        part.cpu_percent
            .map(|cpu| format!("{cpu:.0} %"))
            .unwrap_or_default()
    }),
    (Everywhere, "memory", |part| {
        part.rss_bytes.map(size).unwrap_or_default()
    }),
    (Only(Full), "late p99", |part| time(part.lag_p99_ns)),
    (Everywhere, "held up", |part| time(part.longest_lag_ns)),
    (Everywhere, "settled", |part| {
        time(part.settled_seconds.map(nanoseconds))
    }),
    (Only(Full), "clock", |part| {
        part.clock.as_ref().map(offset).unwrap_or_default()
    }),
];

/// The table of all parts, and how many there was no room for among so many rows: first those are left out that ended as
/// planned and that nothing is doubted about. A column that would be empty is left out, too, and the machine where all parts
/// have the same: that is said of the run.
pub(super) fn table(parts: &[PartRecord], detail: Detail, rows: usize) -> (Table, usize) {
    let (parts, more) = most(parts.iter().collect(), rows, |part| !part.fared_well());
    let is_one_machine = parts.windows(2).all(|two| two[0].machine == two[1].machine);
    let is_shown = |column: &&Column| {
        if column.1 == MACHINE && is_one_machine {
            return false;
        }
        let is_here = match column.0 {
            Everywhere => true,
            Only(one) => one == detail,
        };
        is_here && parts.iter().any(|part| !(column.2)(part).is_empty())
    };
    let words = WORDS.iter().filter(is_shown);
    let numbers = NUMBERS.iter().filter(is_shown);
    let columns: Vec<&Column> = words.clone().chain(numbers).collect();
    let head = columns.iter().map(|(_, head, _)| (*head).to_owned());
    let row = |part: &&PartRecord| columns.iter().map(|(.., cell)| cell(part)).collect();
    let table = Table::new(words.count(), head.collect(), parts.iter().map(row));
    (table, more)
}

fn named(part: &PartRecord) -> String {
    match &part.name {
        Some(name) => format!("{} {}", part.part, cut(&visible(name), NAME)),
        None => part.part.to_string(),
    }
}

fn ended(part: &PartRecord) -> String {
    match part.lost_seconds {
        Some(lost) => format!("lost at {}", human_ns(nanoseconds(lost))),
        None => cut(&visible(&part.outcome), NAME),
    }
}

/// What is wrong with a part, in one word or two; empty if nothing is.
fn trouble(part: &PartRecord) -> String {
    match part.outcome.as_str() {
        _ if part.fared_well() => String::new(),
        "completed" => "in doubt".to_owned(),
        _ => ended(part),
    }
}

fn nanoseconds(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1e9) as u64
}

fn time(ns: Option<u64>) -> String {
    ns.map(human_ns).unwrap_or_default()
}

/// `+1.20 ms ± 40.0 µs`
fn offset(clock: &ClockOffset) -> String {
    let sign = if clock.offset_ns < 0 { '-' } else { '+' };
    let (offset, error) = (clock.offset_ns.unsigned_abs(), clock.error_ns);
    format!("{sign}{} ± {}", human_ns(offset), human_ns(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(number: u32) -> PartRecord {
        PartRecord {
            part: number,
            name: None,
            machine: "a machine".to_owned(),
            workers: 2,
            cores: Some(2.0),
            outcome: "completed".to_owned(),
            lost_seconds: None,
            opened: 250_000,
            failed: 0,
            settled_seconds: Some(45.25),
            cpu_percent: Some(37.5),
            rss_bytes: Some(700e6),
            longest_lag_ns: Some(12_345_678),
            lag_p99_ns: Some(100_000),
            clock: None,
            doubts: Vec::new(),
        }
    }

    #[test]
    fn those_in_trouble_are_shown_first_and_say_what_it_is() {
        let mut parts: Vec<PartRecord> = (1..=9).map(part).collect();
        parts[6].doubts = vec!["workers_late".to_owned()];
        parts[7].outcome = "interrupted".to_owned();
        parts[8].outcome = "lost".to_owned();
        parts[8].lost_seconds = Some(12.25);
        let (table, more) = table(&parts, Short, 4);
        assert_eq!(more, 5);
        let cells = table.rows.iter().flat_map(|row| &row[..2]);
        let shown: Vec<&str> = cells.map(String::as_str).collect();
        assert_eq!(
            shown,
            [
                "part",
                "ended",
                "1",
                "",
                "7",
                "in doubt",
                "8",
                "interrupted",
                "9",
                "lost at 12.2 s"
            ]
        );
    }

    #[test]
    fn what_no_part_says_has_no_column() {
        let mut all = vec![part(1), part(2)];
        let heads = |parts: &[PartRecord], detail| table(parts, detail, 9).0.rows[0].join(" ");
        assert_eq!(heads(&all, Short), "part opened CPU memory held up settled");
        assert!(!heads(&all, Full).contains("clock"));
        all[1].clock = Some(ClockOffset {
            offset_ns: -1_200_000,
            error_ns: 40_000,
        });
        assert!(heads(&all, Full).ends_with("settled clock"));
        assert!(!heads(&all, Full).contains("machine"));
        let another = PartRecord {
            machine: "another".to_owned(),
            ..part(3)
        };
        assert!(heads(&[part(1), another], Full).contains("ended machine workers"));
        let rows = table(&all, Full, 9).0.rows;
        assert_eq!(rows[2].last().unwrap(), "-1.20 ms ± 40.0 µs");
    }
}
