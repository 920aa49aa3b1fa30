//! Resolves the target's process, its faults, and the heartbeat of the built-in server.

use std::time::Duration;

use crate::scenario::file::{ServerHeartbeatTable, TargetFaultTable, TargetTable};
use crate::scenario::model::{Process, ServerHeartbeat, Signal, TargetFault, TargetUrl};
use crate::scenario::reading::{At, Check, Given as _, Place, Several};

const MAX_FAULTS: usize = 100;
const LOOPBACK: &str = "use the address of a server on this machine, such as ws://127.0.0.1:8080/";

/// How wsbench gets to know the target's process.
pub(super) fn process(
    check: &mut Check<'_>,
    keys: &TargetTable,
    url: Option<&TargetUrl>,
) -> Process {
    let command = keys.command.as_ref().map(|command| &command.place);
    let pid = keys.pid.as_ref().map(|pid| &pid.place);
    if let (Some(_), Some(pid)) = (command, pid) {
        let what = "cannot be used with `target.command`, which starts the target";
        check.problem_with_hint("target.pid", pid, what, "leave out one of them");
    }
    let given = [("target.command", command), ("target.pid", pid)];
    match url {
        Some(TargetUrl::Embedded) => {
            let because = "cannot be used with the built-in server, which wsbench starts itself";
            check.excluded(&given, because, "leave it out");
        }
        Some(TargetUrl::Url(url)) if !url.is_loopback() => {
            let because = "needs a target on this machine, and `target.url` is elsewhere";
            check.excluded(&given, because, LOOPBACK);
        }
        _ => {}
    }
    if let Some(command) = &keys.command {
        let words: Vec<String> = command
            .value
            .0
            .iter()
            .map(|word| word.value.clone())
            .collect();
        if words
            .first()
            .is_none_or(|program| program.trim().is_empty())
        {
            let hint = "write `command = [\"node\", \"server.js\"]`";
            check.problem_with_hint("target.command", &command.place, "names no program", hint);
        }
        if let Some(word) = command
            .value
            .0
            .iter()
            .find(|word| word.value.contains('\0'))
        {
            check.problem(
                "target.command",
                &word.place,
                "holds a byte of zero, which no argument may",
            );
        }
        return Process::Command(words);
    }
    keys.pid
        .as_ref()
        .map_or(Process::Unknown, |pid| Process::Pid(pid.value.0))
}

/// The faults of the target.
pub(super) fn faults(
    check: &mut Check<'_>,
    keys: &TargetTable,
    url: Option<&TargetUrl>,
) -> Vec<TargetFault> {
    const KEY: &str = "target.fault";
    let Some(given) = &keys.fault else {
        return Vec::new();
    };
    let tables = Several::each(given);
    if tables.len() > MAX_FAULTS {
        check.problem(
            KEY,
            &given.place,
            format_args!("are more than {MAX_FAULTS}"),
        );
        return Vec::new();
    }
    let known = keys.command.is_some() || keys.pid.is_some() || url == Some(&TargetUrl::Embedded);
    if let (Some((place, _)), Some(_), false) = (tables.first(), url, known) {
        let what = "needs a target whose process is known";
        let hint = "write `command = [\"node\", \"server.js\"]` or `pid = 4711` in `[target]`, or use `--pid 4711`";
        check.problem_with_hint(KEY, place, what, hint);
    }
    let faults: Vec<_> = tables
        .iter()
        .map(|(place, table)| fault(check, place, table))
        .collect();
    // Gives up if one fault is wrong: the list must match the places in the file one to one.
    faults
        .into_iter()
        .collect::<Option<_>>()
        .unwrap_or_default()
}

fn fault(check: &mut Check<'_>, place: &Place, table: &TargetFaultTable) -> Option<TargetFault> {
    let Some(kind) = &table.kind else {
        check.missing(place, "target.fault.kind", "write `kind = \"sigstop\"`");
        return None;
    };
    let after = table.after.value_or(Duration::ZERO);
    let lasts = (
        "target.fault.for",
        table.lasts.as_ref().map(|key| &key.place),
    );
    let repeat = (
        "target.fault.repeat",
        table.repeat.as_ref().map(|key| &key.place),
    );
    let every = (
        "target.fault.every",
        table.every.as_ref().map(|key| &key.place),
    );
    let phase = (
        "target.fault.phase",
        table.phase.as_ref().map(|key| &key.place),
    );
    if kind.value == Signal::Terminate {
        let because = "is only for \"sigstop\"";
        check.excluded(&[lasts, repeat, every, phase], because, "leave it out");
        return Some(TargetFault {
            kind: kind.value,
            after,
            lasts: Duration::ZERO,
            repeat: 1,
            every: Duration::ZERO,
            phase: Duration::ZERO,
        });
    }
    let Some(lasts) = &table.lasts else {
        check.missing(place, "target.fault.for", "write `for = \"3s\"`");
        return None;
    };
    let lasts = lasts.value.0;
    let times = table.repeat.as_ref().map_or(1, |count| count.value.0);
    if times == 1 {
        check.excluded(
            &[every, phase],
            "is only for a fault that is repeated",
            "add `repeat = 20`, or leave it out",
        );
    }
    let gap = table
        .every
        .value_or((2 * lasts).max(lasts + Duration::from_secs(1)));
    if let (true, Some(key)) = (gap <= lasts, &table.every) {
        let what = "is not longer than `target.fault.for`: the target would never run";
        check.problem("target.fault.every", &key.place, what);
    }
    Some(TargetFault {
        kind: kind.value,
        after,
        lasts,
        repeat: times,
        every: gap,
        phase: table.phase.value_or(Duration::ZERO),
    })
}

/// The heartbeat of the built-in server.
pub(super) fn heartbeat(
    check: &mut Check<'_>,
    table: Option<&At<ServerHeartbeatTable>>,
    url: Option<&TargetUrl>,
) -> Option<ServerHeartbeat> {
    let table = table?;
    if let Some(TargetUrl::Url(_)) = url {
        let what = "is only for the built-in server";
        let hint = "leave it out, or write `url = \"embedded\"`; clients ping by `[heartbeat]`";
        check.problem_with_hint("target.heartbeat", &table.place, what, hint);
    }
    Some(ServerHeartbeat {
        interval: table.value.interval.value_or(Duration::from_secs(10)),
        timeout: table.value.timeout.value_or(Duration::from_secs(5)),
        defect: table.value.defect.as_ref().map(|defect| defect.value),
    })
}
