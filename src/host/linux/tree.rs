//! Reads the table of processes (`/proc`): parents, process groups, and the processes that a command started.

use std::fs;

/// One process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProcessRow {
    pub(super) pid: u32,
    pub(super) parent: u32,
    pub(super) group: u32,
    /// Whether it is alive, and not a zombie: an ended process stays in the table until its parent waits for it.
    pub(super) lives: bool,
}

/// All visible processes. A process that ends meanwhile may be missing.
pub(super) fn processes() -> Vec<ProcessRow> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pid = |entry: fs::DirEntry| entry.file_name().to_str()?.parse().ok();
    let pids = entries.filter_map(|entry| pid(entry.ok()?));
    pids.filter_map(row).collect()
}

/// The process with this id; `None` if there is none.
pub(super) fn row(pid: u32) -> Option<ProcessRow> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse(pid, &String::from_utf8_lossy(&stat))
}

/// Whether any process of a group is alive.
pub(super) fn group_lives(group: u32) -> bool {
    let mut all = processes().into_iter();
    all.any(|row| row.group == group && row.lives)
}

/// The name of a variable in the environment of a command. All processes that it starts inherit the variable, including
/// those that leave its group or its session, or lose their parent.
pub(super) const MARK: &str = "WSBENCH_COMMAND";

/// Live processes with this value of [`MARK`].
pub(super) fn marked(value: &str) -> Vec<u32> {
    let all = processes().into_iter().filter(|row| row.lives);
    let pids = all.map(|row| row.pid);
    pids.filter(|pid| is_marked(*pid, value)).collect()
}

fn is_marked(pid: u32, value: &str) -> bool {
    // Treats unreadable environments as empty: they belong to other users, whose processes cannot be ended either.
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    let mut variables = environment.split(|byte| *byte == 0);
    variables.any(|variable| {
        variable.strip_prefix(MARK.as_bytes()) == Some(format!("={value}").as_bytes())
    })
}

/// A process and all live processes that it has started; parents come first.
pub(super) fn family(pid: u32) -> Vec<u32> {
    descend(pid, &processes())
}

fn descend(pid: u32, all: &[ProcessRow]) -> Vec<u32> {
    let mut family = vec![pid];
    let mut next = 0;
    while let Some(&parent) = family.get(next) {
        next += 1;
        for row in all.iter().filter(|row| row.parent == parent && row.lives) {
            // Skips numbers seen before: rows are read one by one, and a number may be reused meanwhile.
            if !family.contains(&row.pid) {
                family.push(row.pid);
            }
        }
    }
    family
}

/// Reads `/proc/<pid>/stat` (proc(5)): `pid (name) state ppid pgrp …`.
fn parse(pid: u32, stat: &str) -> Option<ProcessRow> {
    // Splits behind the name's closing bracket, as the name may contain spaces and brackets; the state follows.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let lives = !matches!(fields.next()?, "Z" | "X");
    Some(ProcessRow {
        pid,
        lives,
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_does_not_confuse() {
        let row = parse(7, "7 (a) S (b)) T 3 5 5 0 -1 4194560 99").unwrap();
        let expected = ProcessRow {
            pid: 7,
            parent: 3,
            group: 5,
            lives: true,
        };
        assert_eq!(row, expected);
        assert!(!parse(7, "7 (x) Z 3 5 5 0").unwrap().lives);
        assert_eq!(parse(7, "7 (x"), None);
    }

    #[test]
    fn a_family_is_all_that_came_from_one() {
        let row = |pid, parent| ProcessRow {
            pid,
            parent,
            group: 1,
            lives: true,
        };
        let dead = ProcessRow {
            lives: false,
            ..row(6, 2)
        };
        let all = [row(5, 4), row(2, 1), row(4, 2), row(3, 1), dead];
        assert_eq!(descend(2, &all), [2, 4, 5]);
    }

    #[test]
    fn this_process_is_in_the_table() {
        let own = std::process::id();
        assert!(processes().iter().any(|row| row.pid == own && row.lives));
        assert_eq!(row(u32::MAX), None);
    }
}
