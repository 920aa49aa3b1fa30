//! The text of a scenario and its name in messages; the environment that it may use.
//! The caller provides the functions that read files and variables, so this module stays pure.

use std::io;
use std::path::{Path, PathBuf};

use super::problem::{Problem, Problems};

/// The text of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The path of the file, or a name for messages. The files that the scenario names are relative to this path.
    pub name: String,
    /// The TOML text.
    pub text: String,
}

/// The functions by which a scenario reads the environment and files.
pub struct Outside<'a> {
    /// Reads an environment variable.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Reads the bytes of a file. May stop after [`Outside::MAX_DATA`] + 1 bytes.
    pub read: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
    /// Lists the files of a folder, by name.
    pub list: &'a dyn Fn(&Path) -> io::Result<Vec<PathBuf>>,
}

impl Outside<'_> {
    /// The longest file that a scenario may name, in bytes: 16 MiB.
    pub const MAX_FILE: u64 = 16 << 20;
    /// The longest file with rows of data, in bytes: 256 MiB.
    pub const MAX_DATA: u64 = 256 << 20;

    /// For [`Outside::list`] where there are no folders.
    ///
    /// # Errors
    /// Always.
    pub fn no_folder(_: &Path) -> io::Result<Vec<PathBuf>> {
        Err(io::ErrorKind::NotFound.into())
    }
}

impl Source {
    /// Makes a source of bytes.
    ///
    /// # Errors
    /// The bytes are not UTF-8; the problem has the place of the first bad byte.
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
    // The valid part ends exactly where the replacement character begins.
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
