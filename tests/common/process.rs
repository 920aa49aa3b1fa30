//! Operations on other processes by their id: signals, children, memory, and whether they are alive.

use std::ffi::OsStr;
use std::fs;
use std::process::{Child, Command};
use std::sync::Once;
use std::thread;

use tokio::signal::unix::{SignalKind, signal as signal_of_unix};

/// A command whose process gets nothing but the standard streams, whatever this test has inherited: CI agents hand down
/// descriptors, and limits and counts of them would depend on that. Nor is it deaf to SIGHUP, as below `nohup`.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    wsbench::cli::keep_inherited_descriptors();
    static HANDLED: Once = Once::new();
    // On a thread of its own: a runtime may not be dropped within another, where a test may be.
    HANDLED.call_once(|| thread::spawn(handle_hangup).join().unwrap());
    Command::new(program)
}

/// Handles SIGHUP in this process. A handler ends with an `exec`, and an ignored signal stays ignored.
fn handle_hangup() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .unwrap();
    let _inside = runtime.enter();
    let _handled = signal_of_unix(SignalKind::hangup()).unwrap();
}

/// A process that is killed at the end of its test.
pub struct Leashed(pub Child);

impl Drop for Leashed {
    fn drop(&mut self) {
        // Fails only if the process has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a signal: `INT`, `TERM`, `KILL`.
pub fn signal(process: u32, signal: &str) {
    kill(signal, &process.to_string());
}

/// Sends a signal to all processes of a group, as a terminal does.
pub fn signal_group(group: u32, signal: &str) {
    kill(signal, &format!("-{group}"));
}

fn kill(signal: &str, whom: &str) {
    let mut kill = command("kill");
    let status = kill.args(["-s", signal, "--", whom]).status().unwrap();
    assert!(status.success(), "{kill:?}");
}

/// Whether it runs; false for a process that has ended and was not waited for.
pub fn is_alive(process: u32) -> bool {
    stat(process).is_some_and(|(state, _)| state != 'Z')
}

/// The child processes that still exist.
pub fn children(process: u32) -> Vec<u32> {
    let all = fs::read_dir("/proc").unwrap();
    let all = all.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    all.filter(|child| stat(*child).is_some_and(|(_, parent)| parent == process))
        .collect()
}

/// The number of its open sockets.
pub fn sockets(process: u32) -> usize {
    let Ok(open) = fs::read_dir(format!("/proc/{process}/fd")) else {
        return 0;
    };
    // Skips a descriptor that was closed meanwhile.
    let open = open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    open.filter(|file| file.to_string_lossy().starts_with("socket:"))
        .count()
}

/// The most memory it has used so far, in bytes; `None` if it has ended.
pub fn peak_memory(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = peak.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes << 10)
}

/// The state and the parent of a process.
fn stat(process: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // Splits behind the name's closing bracket, as the name may contain spaces; the state follows.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((state, fields.next()?.parse().ok()?))
}
