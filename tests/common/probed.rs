//! What the probe writes, `run` takes, and the same healthy server passes.

use std::fs;
use std::thread;
use std::time::Duration;

use wsbench::units::parse_duration;

use super::Running;
use super::pressure::{QUIET, pressure};

/// The longest that a run of a scenario takes that a probe has written: of a dialect, 30 s and what comes before and after.
const LONGEST: Duration = Duration::from_secs(90);

/// The most attempts at one server on a machine that does other things too.
const TRIES: usize = 4;

/// A server to be probed.
pub struct Probed {
    name: String,
    url: String,
    watched: &'static str,
    options: Vec<&'static str>,
}

impl Probed {
    /// The server at a socket address.
    pub fn at(name: impl Into<String>, address: &str) -> Self {
        Self::of(name, &format!("ws://{address}/"))
    }

    /// The server at an address of a WebSocket.
    pub fn of(name: impl Into<String>, url: &str) -> Self {
        Self {
            name: name.into(),
            url: url.to_owned(),
            watched: "7s",
            options: Vec::new(),
        }
    }

    /// Asks for this, without the slash before it.
    pub fn path(mut self, path: &str) -> Self {
        self.url += path;
        self
    }

    /// Probes it for so long.
    pub fn watched(self, watched: &'static str) -> Self {
        Self { watched, ..self }
    }

    /// Probes it with these options too.
    pub fn with(self, options: &[&'static str]) -> Self {
        let options = options.to_vec();
        Self { options, ..self }
    }

    /// Probes it, and runs what the probe has written; again, where the machine was busy with the others.
    fn passes(&self) -> Result<(), String> {
        for _ in 1..TRIES {
            let (result, pressure) = pressure(|| self.passes_once());
            if result.is_ok() || pressure <= QUIET {
                return result;
            }
        }
        self.passes_once()
    }

    fn passes_once(&self) -> Result<(), String> {
        let Self { name, url, .. } = self;
        let arguments = ["probe", url, "--for", self.watched, "--out", "probed.toml"];
        let folder = tempfile::tempdir().unwrap();
        let probed = Running::call(folder, &[&arguments, &self.options[..]].concat(), &[]);
        let probed = probed.within(LONGEST).end();
        if probed.code != 0 {
            return Err(format!("{name} is not probed: {}", probed.stderr));
        }
        let found = probed.stdout.clone();
        // A second over all is for a machine with other things to do.
        let watched = parse_duration(self.watched).unwrap();
        if probed.took > watched + Duration::from_secs(1) {
            return Err(format!("{name} was probed for {:?}\n{found}", probed.took));
        }
        let folder = probed.into_folder();
        let scenario = fs::read_to_string(folder.path().join("probed.toml")).unwrap();
        let run = ["run", "probed.toml", "--quiet"];
        let ended = Running::call(folder, &run, &[]).within(LONGEST).end();
        match ended.code {
            0 => Ok(()),
            code => Err(format!(
                "{name} ended with {code}\n{found}\n{scenario}\n{}{}",
                ended.stdout, ended.stderr
            )),
        }
    }
}

/// Asserts it for each of these. They are probed side by side, since that is nearly all waiting.
#[track_caller]
pub fn all_pass(servers: Vec<Probed>) {
    let threads = servers
        .into_iter()
        .map(|server| thread::spawn(move || server.passes()));
    let threads: Vec<_> = threads.collect();
    let failed: Vec<String> = (threads.into_iter())
        .filter_map(|thread| thread.join().unwrap().err())
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}
