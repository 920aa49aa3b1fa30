//! Undoes what wsbench does to the target, even if wsbench is killed by SIGKILL: continues a target that was stopped,
//! and ends one that was started. A small shell waits at a pipe, which breaks when wsbench is gone.

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use super::tree::MARK;

/// The script of the shell. `$1` is the process to signal, or with a minus the group; `$2` says whether to end it; `$3`
/// is the mark in the environment of all processes that the command started, even outside its group.
const SCRIPT: &str = r#"
marked() {
    for process in /proc/[0-9]*; do
        grep -qszxF -- "$1" "$process/environ" && kill -s "$2" -- "${process#/proc/}"
    done
    true
}
read -r word && exit 0
kill -s CONT -- "$1"
test "$2" = end || exit 0
marked "$3" CONT
kill -s TERM -- "$1"
marked "$3" TERM
for second in 1 2 3; do
    sleep 1
    kill -s 0 -- "$1" || break
done
kill -s KILL -- "$1"
marked "$3" KILL
"#;

/// A shell that acts if this process ends without telling it to stop. Dropping the guard ends the shell.
#[derive(Debug)]
pub(super) struct Guard(Child);

impl Guard {
    /// Continues a process after this one is gone.
    ///
    /// # Errors
    /// The shell `sh` could not be started.
    pub(super) fn of_process(pid: u32) -> io::Result<Self> {
        Self::start(&pid.to_string(), "leave", "")
    }

    /// Continues a group, and ends it and all processes with this value of [`MARK`], after this process is gone.
    ///
    /// # Errors
    /// The shell `sh` could not be started.
    pub(super) fn of_group(group: u32, mark: &str) -> io::Result<Self> {
        Self::start(&format!("-{group}"), "end", &format!("{MARK}={mark}"))
    }

    fn start(whom: &str, what: &str, mark: &str) -> io::Result<Self> {
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT, "wsbench guard", whom, what, mark]);
        shell.stdin(Stdio::piped());
        shell.stdout(Stdio::null()).stderr(Stdio::null());
        // Puts the shell into its own group, so that a signal from the terminal to wsbench's group does not reach it.
        shell.process_group(0);
        shell.spawn().map(Self)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Fails only if the shell has ended already.
        let told = self
            .0
            .stdin
            .take()
            .map(|mut pipe| pipe.write_all(b"done\n"));
        if !matches!(told, Some(Ok(()))) {
            let _ = self.0.kill();
        }
        let _ = self.0.wait();
    }
}
