//! The program as a process: [`Ended::run`] for a whole run, [`Running::start`] for one that a test interferes with.
//! A run that hangs is killed, and fails its test.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::process::{self, Leashed};
use super::real::wsbench;
use super::report::Report;

/// The extra time of a busy machine on top of the longest time that a run announces.
const SLACK: Duration = Duration::from_secs(2);
/// The timeout of a call that does not announce a longer time.
const HANGS: Duration = Duration::from_secs(30);

/// A running call of the program, with a working folder of its own.
pub struct Running {
    child: Leashed,
    folder: TempDir,
    started: Instant,
    longest: Option<Duration>,
}

impl Running {
    /// Starts `wsbench run` with this scenario, and with arguments that do not change the scenario; its report goes to
    /// `report`.
    pub fn start(scenario: &str, arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), scenario, arguments, &[])
    }

    /// The same in a given folder, which may hold other files, and with these environment variables.
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
        let longest = plan["longest_s"].as_f64().map(Duration::from_secs_f64);
        let run = [&["run", "test.toml", "--out", "report"], arguments].concat();
        Self {
            longest,
            ..Self::call(checked.folder, &run, environment)
        }
    }

    /// Starts the program in a folder.
    pub fn call(folder: TempDir, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        Self::call_by(&[], folder, arguments, environment)
    }

    /// The same through another program that then executes it, such as `setpriv` or `prlimit`.
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
        let child = process::command(words[0])
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

    /// Lets it take so long, where it does not announce a time.
    pub fn within(self, longest: Duration) -> Self {
        let longest = Some(longest);
        Self { longest, ..self }
    }

    /// How long it has been running, in seconds.
    pub fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// The working folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.0.id()
    }

    /// Its standard error so far.
    pub fn stderr(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr.txt")).unwrap()
    }

    /// Sends it a signal: `INT`, `TERM`, `KILL`.
    pub fn signal(&self, signal: &str) {
        process::signal(self.id(), signal);
    }

    /// Sends a signal to its whole group, as Ctrl-C does.
    pub fn signal_group(&self, signal: &str) {
        process::signal_group(self.id(), signal);
    }

    /// Waits for the end; a run must end within the time that it announced.
    pub fn end(self) -> Ended {
        let ended = self.end_broken();
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
        ended
    }

    /// The same, for a program that is made to panic.
    pub fn end_broken(mut self) -> Ended {
        let (status, memory) = self.wait();
        let took = self.started.elapsed();
        let text = |name| fs::read_to_string(self.folder.path().join(name)).unwrap();
        let (stdout, stderr) = (text("stdout.txt"), text("stderr.txt"));
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

    /// Its status, and the most memory that it was seen to use.
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

/// The exit code, or for a signal that ended the program its negative number.
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
    /// Runs one scenario to its end; the program must write nothing to standard error.
    pub fn run(scenario: &str) -> Self {
        let ended = Running::start(scenario, &["--quiet"]).end();
        assert_eq!(ended.stderr, "");
        assert_eq!(ended.stdout.is_empty(), ended.code == 0, "{}", ended.stdout);
        ended
    }

    /// Runs one scenario as it is written, but for a second; it must pass.
    #[track_caller]
    pub fn passes(scenario: &str) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("passes.toml"), scenario).unwrap();
        let run = ["run", "passes.toml", "--duration", "1s"];
        let ended = Running::call(folder, &run, &[]).end();
        let (out, error) = (&ended.stdout, &ended.stderr);
        assert_eq!(ended.code, 0, "{out}\n{error}\n{scenario}");
    }

    /// The working folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the working folder, for another call in it.
    pub fn into_folder(self) -> TempDir {
        self.folder
    }

    /// The path of a file of its report.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder().join("report").join(name)
    }

    /// The report. It exists only if all its files do.
    pub fn report(&self) -> Report {
        Report::read(&self.folder().join("report"))
    }
}
