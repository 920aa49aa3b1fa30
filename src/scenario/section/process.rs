//! `target.command` and `target.pid`: how wsbench gets to know the process of the target.

use super::servers::TargetUrl;
use super::target::TargetTable;
use crate::scenario::reading::{Given as _, Section, given};

/// How wsbench gets to know the target's process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Process {
    /// The process is unknown.
    Unknown,
    /// wsbench starts this program with its arguments, and ends it after the run.
    Command(Vec<String>),
    /// The process runs already, under this id.
    Pid(u32),
}

/// Resolves `target.command` and `target.pid`.
pub(super) fn resolve(
    section: &mut Section<'_, '_>,
    keys: &TargetTable,
    url: Option<&TargetUrl>,
) -> Process {
    if keys.command.is_some() {
        let because = "cannot be used with `target.command`, which starts the target";
        section.excluded(&given!(keys; pid), because, "leave out one of them");
    }
    let given = given!(keys; command, pid);
    match url {
        Some(TargetUrl::Embedded) => {
            let because = "cannot be used with the built-in server, which wsbench starts itself";
            section.excluded(&given, because, "leave it out");
        }
        Some(TargetUrl::Servers(servers)) if !servers.is_loopback() => {
            let because = "needs a target on this machine, and `target.url` is elsewhere";
            let hint = "use the address of a server on this machine, such as ws://127.0.0.1:8080/";
            section.excluded(&given, because, hint);
        }
        _ => {}
    }
    let Some(command) = &keys.command else {
        return keys.pid.value().map_or(Process::Unknown, Process::Pid);
    };
    let words = &command.value.0;
    let program = words.first().map(|program| program.value.trim());
    if program.unwrap_or_default().is_empty() {
        let hint = "write `command = [\"node\", \"server.js\"]`";
        section.wrong("command", &keys.command, "names no program", hint);
    }
    if let Some(word) = words.iter().find(|word| word.value.contains('\0')) {
        let what = "holds a byte of zero, which no argument may";
        section.wrong_at("command", &word.place, what, None);
    }
    Process::Command(words.iter().map(|word| word.value.clone()).collect())
}
