//! Reads runs and sessions that the command line names.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::error::CliError;
use super::files;
use super::past::{self, IfMissing};
use crate::compare::{Session, SessionError, StoredSession};
use crate::report::Run;
use crate::scenario::{BaselineGate, Subject};
use crate::verdict::Exit;

/// Runs that began within this time of the first are one session.
const TOGETHER: Duration = Duration::from_secs(3600);

/// What the command line names.
pub(super) struct Named {
    pub(super) sessions: Vec<Session>,
    /// The gates on a baseline that they were run with.
    pub(super) gates: Vec<BaselineGate>,
    /// The greatest exit code.
    pub(super) exit: Exit,
}

/// Reads these runs: folders, `run.json`, reports, and folders of sessions. `asked` are numbers that are needed besides
/// the usual ones. Runs without a session, on one machine and within an hour, are one.
///
/// # Errors
/// When one cannot be read, or says nothing.
pub(super) fn read(paths: &[PathBuf], asked: &[Subject]) -> Result<Named, CliError> {
    let mut named = Named {
        sessions: Vec::new(),
        gates: Vec::new(),
        exit: Exit::Passed,
    };
    let mut alone: Vec<Session> = Vec::new();
    for path in paths {
        let file = match path.is_dir() {
            true => path.join(StoredSession::FILE),
            false => path.clone(),
        };
        if file.ends_with(StoredSession::FILE) && file.exists() {
            let stored = stored(&file)?;
            named.exit = named.exit.max(stored.exit_code);
            named.add_gates(stored.gates.iter().map(|gate| gate.gate.as_str()));
            let refused = || {
                let code = stored.exit_code.code();
                let what = format!("it has no numbers that can be compared (exit code {code})");
                CliError::NotASession {
                    path: path.clone(),
                    what,
                }
            };
            named
                .sessions
                .push(stored.session.clone().ok_or_else(refused)?);
            continue;
        }
        let run = run(path)?;
        named.exit = named.exit.max(run.verdict.exit);
        let gates = run.verdict.gates.iter();
        named.add_gates(gates.map(|gate| gate.gate.as_str()));
        let gated: Vec<Subject> = named
            .gates
            .iter()
            .map(|gate| gate.subject.clone())
            .collect();
        let asked: Vec<Subject> = asked.iter().cloned().chain(gated).collect();
        alone.push(Session::of([&run], &asked).map_err(|error| not_a_session(path, &error))?);
    }
    alone.sort_by(|one, other| one.started_at.cmp(&other.started_at));
    let mut together: Vec<Session> = Vec::new();
    for one in alone {
        match together.last_mut().filter(|last| belongs(&one, last)) {
            Some(last) => last
                .add(one)
                .map_err(|error| not_a_session(&paths[0], &error))?,
            None => together.push(one),
        }
    }
    named.sessions.extend(together);
    named
        .sessions
        .sort_by(|one, other| one.started_at.cmp(&other.started_at));
    Ok(named)
}

impl Named {
    fn add_gates<'a>(&mut self, texts: impl Iterator<Item = &'a str>) {
        let stored = texts.filter_map(|text| BaselineGate::stored(text).ok().flatten());
        for gate in stored {
            if !self.gates.contains(&gate) {
                self.gates.push(gate);
            }
        }
    }
}

/// Reads a stored run, and tells where a baseline is named in its place.
fn run(path: &Path) -> Result<Run, CliError> {
    Run::read(path).map_err(|error| match past::read(path, IfMissing::AddRuns) {
        Ok(_) => CliError::NotASession {
            path: path.to_owned(),
            what: format!(
                "it is no run of wsbench, but a baseline\nhint: wsbench compare --baseline {} NEW…",
                path.display()
            ),
        },
        Err(_) => error.into(),
    })
}

/// Whether a run follows those of a session.
fn belongs(run: &Session, session: &Session) -> bool {
    let began = |session: &Session| humantime::parse_rfc3339(&session.started_at).ok();
    let since = |from: SystemTime| began(run)?.duration_since(from).ok();
    let is_near = began(session)
        .and_then(since)
        .is_some_and(|since| since <= TOGETHER);
    is_near && run.machine == session.machine
}

fn not_a_session(path: &Path, error: &SessionError) -> CliError {
    CliError::NotASession {
        path: path.to_owned(),
        what: error.to_string(),
    }
}

fn stored(path: &Path) -> Result<StoredSession, CliError> {
    let failed = |what: String| CliError::NotASession {
        path: path.to_owned(),
        what,
    };
    let bytes = files::read(path, StoredSession::MAX_BYTES);
    let bytes = bytes.map_err(|error| failed(error.to_string()))?;
    StoredSession::parse(&bytes).map_err(failed)
}
