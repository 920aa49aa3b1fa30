//! A baseline: the sessions of the past, as a file that a team keeps beside its scenario. Accepting that a server got
//! slower is a change of that file.
//!
//! ```json
//! {
//!   "kind": "wsbench baseline",
//!   "schema_version": 1,
//!   "sessions": [
//!     {"started_at": "2026-11-23T20:15:00Z", "wsbench": "0.1.0", "machine": {"os": "linux", "cpus": 4, "cpu_model": "…"},
//!      "setting": {"scenario": "chat", "sha256": "…", "overrides": [], "target": "ws", "workers": 2, "schema_version": 1},
//!      "runs": 3, "values": {"p50(latency.say)": [211.9, 214.0, 212.6], …},
//!      "times": {"latency.say": {"count": 60000, …, "hdr": "HISTFAAA…"}}}
//!   ]
//! }
//! ```
//!
//! Each session is one line, the oldest first. Numbers are those of `run.json`: times are microseconds. `null` is a run
//! without data. `times` are whole distributions of what gates on the baseline are about, in nanoseconds; they and
//! `labels` are left out where there are none.

use std::io;

use serde::{Deserialize, Serialize};

use super::session::{Machine, Mismatch, Session, Setting};
use super::times;
use crate::report::json;
use crate::units::is_harmless;

/// What the file says it is.
const KIND: &str = "wsbench baseline";
/// The version of its format: raised when a reader of the old format could misread the new one.
const VERSION: u32 = 1;
/// The most sessions of a file. Of one machine there are [`Baseline::KEPT`] at most.
const MAX_SESSIONS: usize = 1000;
/// The most runs of a session.
pub(super) const MAX_RUNS: usize = 100;

/// The sessions of the past.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Baseline {
    /// The oldest first.
    pub sessions: Vec<Session>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    kind: String,
    schema_version: u32,
    sessions: Vec<Session>,
}

/// The part that says whether the rest can be understood.
#[derive(Deserialize)]
struct Head {
    kind: String,
    schema_version: u32,
}

/// Why a text is no baseline.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// It is longer than a baseline can be.
    #[error("it has more than {} MiB, which no baseline has", Baseline::MAX_BYTES >> 20)]
    TooLong,
    /// It is something else.
    #[error("it is no baseline of wsbench\nhint: `wsbench baseline add FILE RUN` makes one")]
    Foreign,
    /// It was written in another version of the format.
    #[error(
        "its `schema_version` is {0}, this wsbench reads {VERSION}\nhint: use the wsbench that wrote it"
    )]
    Version(u32),
    /// It is cut short, changed or contradicts itself.
    #[error("it is broken: {0}\nhint: take an earlier version of it, or begin a new one")]
    Broken(String),
}

/// Why a session is not added.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddError {
    /// It would be compared with what it cannot be compared with.
    #[error("{0}\nhint: begin a new file where what is asked of the server has changed")]
    Differs(#[from] Mismatch),
    /// It would count twice.
    #[error("it has the session that began {0} already")]
    Twice(String),
    /// There is no room.
    #[error("it has {MAX_SESSIONS} sessions\nhint: begin a new file")]
    Full,
}

impl Baseline {
    /// The longest file that is read, in bytes.
    pub const MAX_BYTES: u64 = 64 << 20;
    /// The newest sessions of a machine that are kept, unless a user says otherwise.
    pub const KEPT: usize = 20;

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// When it is too long, no baseline, of another version, or broken.
    pub fn parse(bytes: &[u8]) -> Result<Self, BaselineError> {
        if bytes.len() as u64 > Self::MAX_BYTES {
            return Err(BaselineError::TooLong);
        }
        let broken = |error: serde_json::Error| BaselineError::Broken(error.to_string());
        match serde_json::from_slice::<Head>(bytes) {
            Ok(head) if head.kind != KIND => return Err(BaselineError::Foreign),
            Ok(head) if head.schema_version != VERSION => {
                return Err(BaselineError::Version(head.schema_version));
            }
            Err(_) if !begins_as_ours(bytes) => return Err(BaselineError::Foreign),
            Ok(_) | Err(_) => {}
        }
        let document: Document = serde_json::from_slice(bytes).map_err(broken)?;
        match document.sessions.len() {
            0..=MAX_SESSIONS => {}
            more => {
                let what = format!("{more} sessions, and {MAX_SESSIONS} are the most");
                return Err(BaselineError::Broken(what));
            }
        }
        for (number, session) in (1..).zip(&document.sessions) {
            check(session)
                .map_err(|what| BaselineError::Broken(format!("session {number} {what}")))?;
        }
        Ok(Self {
            sessions: document.sessions,
        })
    }

    /// The text of its file.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn text(&self) -> io::Result<String> {
        json(&Document {
            kind: KIND.to_owned(),
            schema_version: VERSION,
            sessions: self.sessions.clone(),
        })
    }

    /// Adds a session, and keeps the newest so many of its machine. Returns how many old ones went.
    ///
    /// # Errors
    /// When it cannot be compared with the others, or is there already.
    pub fn add(&mut self, session: Session, keep: usize) -> Result<usize, AddError> {
        self.check_setting(&session.setting)?;
        let is_of_machine = |one: &Session| one.machine == session.machine;
        let mut same = self.sessions.iter().filter(|one| is_of_machine(one));
        if same.any(|one| one.started_at == session.started_at) {
            return Err(AddError::Twice(session.started_at));
        }
        let machine = session.machine.clone();
        self.sessions.push(session);
        self.sessions
            .sort_by(|one, other| one.started_at.cmp(&other.started_at));
        let there = self.of(&machine).count();
        let mut surplus = there.saturating_sub(keep);
        let gone = surplus;
        self.sessions.retain(|one| {
            let goes = surplus > 0 && one.machine == machine;
            surplus -= usize::from(goes);
            !goes
        });
        if self.sessions.len() > MAX_SESSIONS {
            return Err(AddError::Full);
        }
        Ok(gone)
    }

    /// Whether what is asked of the server is the same as in all of its sessions.
    ///
    /// # Errors
    /// The first difference.
    pub fn check_setting(&self, setting: &Setting) -> Result<(), Mismatch> {
        let mut differences = self.sessions.iter();
        let difference = differences.find_map(|session| session.setting.differs(setting));
        difference.map_or(Ok(()), Err)
    }

    /// The sessions of one machine.
    pub fn of<'a>(&'a self, machine: &'a Machine) -> impl Iterator<Item = &'a Session> {
        self.sessions
            .iter()
            .filter(move |session| session.machine == *machine)
    }
}

/// Whether a document that cannot be parsed begins as a baseline does.
fn begins_as_ours(bytes: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(256)]);
    start.contains(KIND)
}

/// What is wrong with a session whose shape is right.
pub(super) fn check(session: &Session) -> Result<(), String> {
    if session.runs == 0 || session.runs > MAX_RUNS {
        return Err(format!(
            "has {} runs: 1 to {MAX_RUNS} are possible",
            session.runs
        ));
    }
    for (name, values) in &session.values {
        if !name.chars().all(is_harmless) {
            return Err(format!("has the name {name:?}, which no gate has"));
        }
        if values.len() != session.runs {
            return Err(format!(
                "has {} of {} values of `{name}`",
                values.len(),
                session.runs
            ));
        }
        if values.iter().flatten().any(|value| *value < 0.0) {
            return Err(format!("has a value of `{name}` below zero"));
        }
    }
    times::check(&session.times)?;
    let texts = [
        &session.started_at,
        &session.wsbench,
        &session.setting.scenario,
    ];
    match texts.iter().find(|text| !text.chars().all(is_harmless)) {
        Some(text) => Err(format!("has the text {text:?}, which cannot be shown")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Encoded, Histogram};
    use crate::report::Labels;
    use proptest::prelude::*;

    fn times() -> Histogram {
        let mut times = Histogram::new();
        times.record(211_900);
        times
    }

    fn session(number: usize, cpus: usize) -> Session {
        Session {
            started_at: format!("2026-11-{:02}T20:15:00Z", number + 1),
            wsbench: "0.1.0".to_owned(),
            machine: Machine {
                os: "linux".to_owned(),
                cpus: Some(cpus),
                cpu_model: None,
            },
            setting: Setting::new("chat", "name = \"chat\"\n", "ws://127.0.0.1:1/", &[], 2),
            labels: Labels::of(["commit=abc123".parse().unwrap()]).unwrap(),
            runs: 2,
            values: [("p50(latency.echo)".to_owned(), vec![Some(211.9), None])].into(),
            times: [("latency.echo".to_owned(), Encoded::from(&times()))].into(),
        }
    }

    fn of(sessions: impl IntoIterator<Item = Session>) -> Baseline {
        let mut baseline = Baseline::default();
        for session in sessions {
            baseline.add(session, 20).unwrap();
        }
        baseline
    }

    #[test]
    fn what_is_written_is_read_back() {
        let baseline = of([session(3, 2), session(1, 4), session(2, 2)]);
        let text = baseline.text().unwrap();
        assert_eq!(Baseline::parse(text.as_bytes()).unwrap(), baseline);
        assert!(
            text.starts_with("{\n  \"kind\": \"wsbench baseline\""),
            "{text}"
        );
        let lines = text.lines().filter(|line| line.contains("started_at"));
        assert_eq!(lines.count(), 3, "a session is a line: {text}");
    }

    /// As those were that knew no labels and no distributions.
    #[test]
    fn an_older_file_is_read() {
        let mut baseline = of([session(1, 2)]);
        let text = baseline.text().unwrap();
        let part = |from: &str, to: &str| {
            let at = text.find(from).unwrap();
            let end = at + text[at..].find(to).unwrap() + to.len();
            text[at..end].to_owned()
        };
        let older = text.replace(&part("\"labels\":", "},"), "");
        let older = older.replace(&part(",\"times\":", "}}"), "");
        baseline.sessions[0].labels = Labels::default();
        baseline.sessions[0].times.clear();
        assert_eq!(Baseline::parse(older.as_bytes()).unwrap(), baseline);
        assert_eq!(baseline.text().unwrap(), older);
    }

    #[test]
    fn the_newest_of_each_machine_stay() {
        let mut baseline = of((0..5).map(|number| session(number, 2)));
        baseline.add(session(0, 8), 3).unwrap();
        assert_eq!(baseline.add(session(9, 2), 3), Ok(3));
        let here = session(0, 2).machine;
        let days = baseline.of(&here).map(|one| &one.started_at[8..10]);
        assert_eq!(days.collect::<Vec<_>>(), ["04", "05", "10"]);
        assert_eq!(baseline.sessions.len(), 4);
    }

    #[test]
    fn nothing_counts_twice_and_nothing_else_is_let_in() {
        let mut baseline = of([session(1, 2)]);
        assert!(matches!(
            baseline.add(session(1, 2), 20),
            Err(AddError::Twice(_))
        ));
        let mut other = session(2, 2);
        other.setting.workers = 8;
        let error = baseline.add(other, 20).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("the number of workers differs: 2 workers"),
            "{error}"
        );
        assert_eq!(baseline.sessions.len(), 1);
    }

    #[test]
    fn what_is_no_baseline_says_why() {
        let good = of([session(1, 2)]).text().unwrap();
        let refused = |text: &str| Baseline::parse(text.as_bytes()).unwrap_err().to_string();
        for (text, why) in [
            (String::new(), "it is no baseline"),
            ("{}".to_owned(), "it is no baseline"),
            (good.replace(KIND, "something"), "it is no baseline"),
            (
                good.replace("\"schema_version\": 1", "\"schema_version\": 9"),
                "its `schema_version` is 9",
            ),
            (good[..good.len() / 2].to_owned(), "it is broken: EOF"),
            (
                good.replace("\"runs\":2", "\"runs\":3"),
                "session 1 has 2 of 3 values of `p50(latency.echo)`",
            ),
            (
                good.replace("\"runs\":2", "\"runs\":0"),
                "session 1 has 0 runs",
            ),
            (good.replace("211.9", "-1"), "below zero"),
            (
                good.replace("HISTFAAA", "TSIHFAAA"),
                "has a broken distribution of `latency.echo`",
            ),
            (
                good.replace("p50(latency.echo)", "\\u001b[31m"),
                "which no gate has",
            ),
            (
                good.replace("\"runs\":2", "\"runs\":2,\"more\":1"),
                "unknown field `more`",
            ),
        ] {
            assert!(refused(&text).contains(why), "{why}: {}", refused(&text));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Baseline::parse(&bytes).is_err());
        }

        /// Cut or changed anywhere, a file is refused or read, and never more than that.
        #[test]
        fn no_change_panics(at in 0usize..900, byte in any::<u8>()) {
            let mut bytes = of([session(1, 2)]).text().unwrap().into_bytes();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = Baseline::parse(&bytes);
            let _ = Baseline::parse(&bytes[..at]);
        }
    }
}
