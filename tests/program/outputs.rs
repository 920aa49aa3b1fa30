//! Readers of what a run says that stand still: none of them holds it up.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, PipeReader, PipeWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::common::real::wsbench;
use super::common::{Script, Server, process};
use super::leftovers::{short, wait_for};

/// A pipe that holds as much as it can. Whoever writes into it waits, for nobody reads.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    loop {
        match writer.write(&[b'x'; 4096]) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    (reader, writer)
}

struct Stuck {
    child: Child,
    folder: TempDir,
}

impl Stuck {
    fn start(scenario: &str, arguments: &[&str], out: Stdio, error: Stdio) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("test.toml"), scenario).unwrap();
        let child = process::command(wsbench())
            .args(["run", "test.toml", "--out", "report"])
            .args(arguments)
            .current_dir(folder.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(error)
            .spawn()
            .unwrap();
        Self { child, folder }
    }

    fn end(&mut self, within: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + within;
        loop {
            let status = self.child.try_wait().unwrap();
            if status.is_some() || Instant::now() >= deadline {
                return status;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn has_report(&self) -> bool {
        self.folder.path().join("report/run.json").exists()
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        // It fails where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A log collector that stands still.
#[test]
fn nobody_reads_standard_error() {
    let server = Server::start(Script::default());
    let (_reader, writer) = full_pipe();
    let mut run = Stuck::start(&short(&server.url()), &[], Stdio::null(), writer.into());
    let status = run.end(Duration::from_secs(20)).expect("it ends");
    assert!(matches!(status.code(), Some(0 | 4)), "{status}");
    assert!(run.has_report());
}

/// The summary waits for its reader, as with a pager. A signal ends that, and the run keeps its exit code.
#[test]
fn nobody_reads_standard_output() {
    let server = Server::start(Script::default());
    let (_reader, writer) = full_pipe();
    let (errors, says) = io::pipe().unwrap();
    let scenario = short(&server.url());
    let mut run = Stuck::start(&scenario, &["--json"], writer.into(), says.into());
    wait_for(|| run.has_report());
    assert_eq!(run.end(Duration::from_millis(300)), None);
    process::signal(run.child.id(), "INT");
    let status = run.end(Duration::from_secs(10)).expect("it ends");
    assert!(matches!(status.code(), Some(0 | 4)), "{status}");
    let says = io::read_to_string(errors).unwrap();
    assert!(says.contains("nobody read standard output"), "{says}");
}

/// A file of another format may be a pipe, and waits for its reader like the summary.
#[test]
fn nobody_reads_another_format() {
    let server = Server::start(Script::default());
    let (reader, full) = full_pipe();
    let (errors, says) = io::pipe().unwrap();
    let scenario = short(&server.url());
    let mut run = Stuck::start(&scenario, &["--junit", "-"], full.into(), says.into());
    wait_for(|| run.has_report());
    assert_eq!(run.end(Duration::from_millis(300)), None);
    // The first signal ends the wait for this file, the second that for the summary.
    process::signal(run.child.id(), "INT");
    assert_eq!(run.end(Duration::from_millis(300)), None);
    process::signal(run.child.id(), "INT");
    let status = run.end(Duration::from_secs(10)).expect("it ends");
    assert!(status.code().is_some(), "{status}");
    let says = io::read_to_string(errors).unwrap();
    assert!(
        says.contains("nobody read the files of other formats"),
        "{says}"
    );
    drop(reader);
}

/// A full disk behind the messages and standard output: both are told.
#[cfg(target_os = "linux")]
#[test]
fn every_output_that_fails_is_told() {
    let server = Server::start(Script::default());
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (reader, writer) = io::pipe().unwrap();
    let arguments = ["--json", "--messages", "/dev/full"];
    let mut run = Stuck::start(
        &short(&server.url()),
        &arguments,
        full().into(),
        writer.into(),
    );
    let status = run.end(Duration::from_secs(20)).expect("it ends");
    assert_eq!(status.code(), Some(1));
    let says = io::read_to_string(reader).unwrap();
    for failed in ["write /dev/full", "write to standard output"] {
        assert!(
            says.contains(&format!("error: failed to {failed}")),
            "{says}"
        );
    }
}

/// Single messages into a pipe whose reader stands still are lost, counted, and hold up nothing.
#[test]
fn nobody_reads_the_messages() {
    let server = Server::start(Script::default());
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(
        process::command("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    // Opened without waiting for a writer, and never read.
    let nonblocking = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(&pipe)
        .unwrap();
    let busy = short(&server.url()).replace("20/s", "500/s");
    let (reader, writer) = io::pipe().unwrap();
    let pipe = pipe.to_str().unwrap();
    // And a log into the same pipe, which waits as well.
    let arguments = ["--quiet", "--messages", pipe, "--log", pipe];
    let mut run = Stuck::start(&busy, &arguments, Stdio::null(), writer.into());
    let status = run.end(Duration::from_secs(20)).expect("it ends");
    assert!(matches!(status.code(), Some(0 | 4)), "{status}");
    assert!(run.has_report());
    let says = io::read_to_string(reader).unwrap();
    assert!(
        says.contains("messages had no room among `--messages`"),
        "{says}"
    );
    drop(nonblocking);
}

/// A terminal that knows no escape sequences, and a user who wants none.
#[cfg(target_os = "linux")]
#[test]
fn plain_terminals_get_plain_lines() {
    let server = Server::start(Script::default());
    for (name, value, has_escapes) in [
        ("TERM", "dumb", false),
        ("NO_COLOR", "1", false),
        ("TERM", "xterm", true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("test.toml"), short(&server.url())).unwrap();
        let run = format!("'{}' run test.toml --out report", wsbench().display());
        // It gives the program a terminal, and keeps what that is told.
        let ended = process::command("script")
            .args(["-qec", &run, "typescript"])
            .current_dir(folder.path())
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .env(name, value)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(matches!(ended.code(), Some(0 | 4)), "{ended}");
        let shown = fs::read(folder.path().join("typescript")).unwrap();
        let shown = String::from_utf8_lossy(&shown);
        assert!(shown.contains("4 attempted"), "{shown}");
        assert_eq!(
            shown.contains('\x1b'),
            has_escapes,
            "{name}={value}: {shown}"
        );
    }
}
