//! Makes good what only a living wsbench can: a target that was stopped goes on, and one that was started ends, even
//! if wsbench is killed by SIGKILL. A small shell waits at a pipe, which breaks when wsbench is gone.

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use super::tree::MARK;

/// `$1` is whom to signal, with a minus a group; `$2` whether it is to end; `$3` what marks the environment of those that
/// came from it, wherever they went.
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

/// A shell that acts when this process ends without telling it to stop. Dropping the guard ends the shell.
#[derive(Debug)]
pub(super) struct Guard(Child);

impl Guard {
    /// Lets a process go on, once this one is gone.
    ///
    /// # Errors
    /// There is no `sh`.
    pub(super) fn of_process(pid: u32) -> io::Result<Self> {
        Self::start(&pid.to_string(), "leave", "")
    }

    /// Lets a group go on, and ends it and all that carries this value of [`MARK`], once this process is gone.
    ///
    /// # Errors
    /// There is no `sh`.
    pub(super) fn of_group(group: u32, mark: &str) -> io::Result<Self> {
        Self::start(&format!("-{group}"), "end", &format!("{MARK}={mark}"))
    }

    fn start(whom: &str, what: &str, mark: &str) -> io::Result<Self> {
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT, "wsbench guard", whom, what, mark]);
        shell.stdin(Stdio::piped());
        shell.stdout(Stdio::null()).stderr(Stdio::null());
        // A signal to the group of a terminal must not reach it.
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
