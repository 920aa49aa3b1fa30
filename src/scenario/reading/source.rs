//! A scenario's text and the name it goes by in messages; the environment it may ask.
//! Reading files and variables is handed in, so that this module stays pure.

use std::io;
use std::path::Path;

use super::problem::{Problem, Problems};

/// The text of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path it was read from, or a name for people. Files it names are found relative to this.
    pub name: String,
    /// The TOML text.
    pub text: String,
}

/// What a scenario may ask of the world outside.
pub struct Outside<'a> {
    /// An environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// The bytes of a file. May stop after [`Outside::MAX_FILE`] bytes and one more.
    pub read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
}

impl Outside<'_> {
    /// The longest file a scenario may name, in bytes: 16 MiB.
    pub const MAX_FILE: u64 = 16 << 20;
}

impl Source {
    /// A scenario read as bytes.
    ///
    /// # Errors
    /// When they are not UTF-8, with the place of the first bad byte.
    pub fn from_bytes(name: impl Into<String>, bytes: Vec<u8>) -> Result<Self, Problems> {
        let name = name.into();
        String::from_utf8(bytes)
            .map(|text| Self {
                name: name.clone(),
                text,
            })
            .map_err(|error| not_utf8(name, error.as_bytes(), error.utf8_error().valid_up_to()))
    }
}

fn not_utf8(name: String, bytes: &[u8], good: usize) -> Problems {
    // The good part ends exactly where the replacement character begins.
    let text = String::from_utf8_lossy(bytes).into_owned();
    let bad = bytes[good];
    let mut problems = Problems::new(&Source { name, text });
    problems.push(Problem {
        key: None,
        place: super::place::Place::Text(good..good + char::REPLACEMENT_CHARACTER.len_utf8()),
        message: format!("the text is not UTF-8: byte {good} is 0x{bad:02x}"),
        hint: Some("save the file as UTF-8".into()),
    });
    problems
}
