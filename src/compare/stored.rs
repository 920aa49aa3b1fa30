//! `session.json`: what `run --repeat` leaves beside the folders of its runs.

use std::io;

use serde::{Deserialize, Serialize};

use super::baseline::{MAX_RUNS, check};
use super::session::Session;
use crate::report::json;
use crate::verdict::{Exit, GateResult};

const KIND: &str = "wsbench session";
const VERSION: u32 = 1;

/// A session as it is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredSession {
    kind: String,
    schema_version: u32,
    /// The greatest exit code of its runs, or a greater one from the baseline.
    pub exit_code: Exit,
    /// The folders of its runs, beside it.
    pub runs: Vec<String>,
    /// The gates on the baseline, judged once for all runs.
    pub gates: Vec<GateResult>,
    /// Its numbers; `None` where a run of it cannot be trusted or was cut short.
    pub session: Option<Session>,
}

impl StoredSession {
    /// The name of its file.
    pub const FILE: &'static str = "session.json";
    /// The longest file that is read, in bytes.
    pub const MAX_BYTES: u64 = 16 << 20;

    /// A session of so many runs, in folders that are counted from 1.
    pub fn new(exit: Exit, runs: usize, gates: Vec<GateResult>, session: Option<Session>) -> Self {
        Self {
            kind: KIND.to_owned(),
            schema_version: VERSION,
            exit_code: exit,
            runs: (1..=runs).map(|number| number.to_string()).collect(),
            gates,
            session,
        }
    }

    /// The text of its file.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn text(&self) -> io::Result<String> {
        json(self)
    }

    /// Reads the bytes of a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() as u64 > Self::MAX_BYTES {
            return Err(format!(
                "it has more than {} MiB, which no session has",
                Self::MAX_BYTES >> 20
            ));
        }
        let stored: Self =
            serde_json::from_slice(bytes).map_err(|error| format!("it is broken: {error}"))?;
        if stored.kind != KIND {
            return Err("it is no session of wsbench".to_owned());
        }
        if stored.schema_version != VERSION {
            return Err(format!(
                "its `schema_version` is {}, this wsbench reads {VERSION}",
                stored.schema_version
            ));
        }
        if stored.runs.len() > MAX_RUNS {
            return Err(format!("it has more than {MAX_RUNS} runs"));
        }
        stored.session.iter().try_for_each(check)?;
        Ok(stored)
    }
}
