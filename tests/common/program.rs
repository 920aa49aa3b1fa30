//! The program as a process: [`Ended::run`] for a whole run, [`Running::start`] for one that a test interferes with.
//! A run that hangs is killed, and fails its test.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::process;
use super::real::wsbench;
use super::report::Report;

/// What a busy machine may take on top of the longest time a run says it can take.
const SLACK: Duration = Duration::from_secs(2);
/// Nothing in these tests takes so long, unless it says so itself.
const HANGS: Duration = Duration::from_secs(30);

/// A call of the program, with a folder of its own to work in.
pub struct Running {
    child: Leashed,
    folder: TempDir,
    started: Instant,
    longest: Option<Duration>,
}

impl Running {
    /// Starts `wsbench run` on this scenario, with arguments that change nothing of it; its report goes to `report`.
    pub fn start(scenario: &str, arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), scenario, arguments, &[])
    }

    /// The same in a folder with other files in it, and with these variables in its environment.
    pub fn start_in(
        folder: TempDir,
        scenario: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        fs::write(folder.path().join("test.toml"), scenario).unwrap();
        let check = ["check", "test.toml", "--json"];
        let checked = Self::call(folder, &check, environment).end();
        assert_eq!(checked.code, 0, "{}", checked.stderr);
        let plan: Value = serde_json::from_str(&checked.stdout).unwrap();
        let longest = Duration::from_secs_f64(plan["longest_s"].as_f64().unwrap());
        let run = [&["run", "test.toml", "--out", "report"], arguments].concat();
        Self {
            longest: Some(longest),
            ..Self::call(checked.folder, &run, environment)
        }
    }

    /// Starts the program in a folder.
    pub fn call(folder: TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::call_by(&[], folder, arguments, environment)
    }

    /// The same by another program, which runs it in its own place: `setpriv`, `prlimit`.
    pub fn call_by(
        by: &[&str],
        folder: TempDir,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let file = |name| File::create(folder.path().join(name)).unwrap();
        let program = wsbench();
        let by = by.iter().map(OsStr::new);
        let words: Vec<&OsStr> = by.chain([program.as_os_str()]).collect();
        let child = Command::new(words[0])
            .args(&words[1..])
            .args(arguments)
            .envs(environment.iter().copied())
            .current_dir(folder.path())
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(file("stdout.txt"))
            .stderr(file("stderr.txt"))
            .spawn()
            .unwrap();
        Self {
            child: Leashed(child),
            folder,
            started: Instant::now(),
            longest: None,
        }
    }

    /// The folder it runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.0.id()
    }

    /// What it has said on standard error so far.
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr.txt")).unwrap()
    }

    /// Sends it a signal: `INT`, `TERM`, `KILL`.
    pub fn signal(&self, signal: &str) {
        process::signal(self.id(), signal);
    }

    /// The same to its whole group, as Ctrl-C does.
    pub fn signal_group(&self, signal: &str) {
        process::signal_group(self.id(), signal);
    }

    /// Waits for its end; a run must end within the time it said it can take.
    pub fn end(mut self) -> Ended {
        let (status, memory) = self.wait();
        let took = self.started.elapsed();
        let text = |name| fs::read_to_string(self.folder.path().join(name)).unwrap();
        let (stdout, stderr) = (text("stdout.txt"), text("stderr.txt"));
        assert!(!stderr.contains("panicked"), "{stderr}");
        if let Some(longest) = self.longest {
            assert!(
                took < longest + SLACK,
                "said {longest:?} at most, took {took:?}"
            );
        }
        Ended {
            code: code(status),
            took,
            memory,
            stdout,
            stderr,
            folder: self.folder,
        }
    }

    /// Its status, and the most memory it was seen to have used.
    fn wait(&mut self) -> (ExitStatus, u64) {
        let mut memory = 0;
        let hangs = HANGS.max(self.longest.unwrap_or_default() + SLACK);
        while self.started.elapsed() < hangs {
            memory = process::peak_memory(self.id()).unwrap_or(memory);
            if let Some(status) = self.child.0.try_wait().unwrap() {
                return (status, memory);
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.child.0.kill().unwrap();
        self.child.0.wait().unwrap();
        panic!("still running after {hangs:?}");
    }
}

/// A process that does not outlive its test.
struct Leashed(Child);

impl Drop for Leashed {
    fn drop(&mut self) {
        // It fails where it has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A signal that ended the program is a negative number.
fn code(status: ExitStatus) -> i32 {
    let signal = || status.signal().map_or(i32::MIN, |signal| -signal);
    status.code().unwrap_or_else(signal)
}

/// A call that has ended.
pub struct Ended {
    /// The exit code.
    pub code: i32,
    pub took: Duration,
    /// The most memory it used, in bytes.
    pub memory: u64,
    pub stdout: String,
    pub stderr: String,
    folder: TempDir,
}

impl Ended {
    /// One run from its start to its end, without a word but for what went wrong.
    pub fn run(scenario: &str) -> Self {
        let ended = Running::start(scenario, &["--quiet"]).end();
        assert_eq!(ended.stderr, "");
        assert_eq!(ended.stdout.is_empty(), ended.code == 0, "{}", ended.stdout);
        ended
    }

    /// The folder it ran in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The same, for another call in it.
    pub fn into_folder(self) -> TempDir {
        self.folder
    }

    /// A file of its report.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder().join("report").join(name)
    }

    /// What it says about itself; exists only when every file of the report does.
    pub fn report(&self) -> Report {
        Report::read(&self.folder().join("report"))
    }
}
