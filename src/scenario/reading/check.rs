//! What all sections need while they are resolved: a list for problems, and access to the environment and to files.
//! Only this module expands `${NAME}` and finds files.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::document::Removed;
use super::hints;
use super::place::{At, Place};
use super::problem::{Problem, Problems};
use super::source::{Outside, Source};
use crate::scenario::secrets::Secrets;
use crate::units::ByteSize;

pub(in crate::scenario) struct Check<'a> {
    pub(in crate::scenario) source: &'a Source,
    pub(in crate::scenario) outside: &'a Outside<'a>,
    pub(in crate::scenario) removed: &'a [Removed],
    pub(in crate::scenario) problems: &'a mut Problems,
    /// The values from the environment, and other values that must not be shown.
    pub(in crate::scenario) secrets: Secrets,
}

/// What to do about a problem, if something can be done.
pub(in crate::scenario) trait Hint {
    /// The text.
    fn hint(self) -> Option<String>;
}

impl Hint for &str {
    fn hint(self) -> Option<String> {
        Some(self.to_owned())
    }
}

impl Hint for String {
    fn hint(self) -> Option<String> {
        Some(self)
    }
}

impl Hint for Option<String> {
    fn hint(self) -> Option<String> {
        self
    }
}

impl Check<'_> {
    /// Notes a problem, with a hint if there is one.
    pub(in crate::scenario) fn problem(
        &mut self,
        key: &str,
        place: &Place,
        what: impl Display,
        hint: impl Hint,
    ) {
        let mut problem = Problem::new(key, place, what);
        problem.hint = hint.hint();
        self.problems.push(problem);
    }

    /// Notes that a table lacks a key, unless the key was given with a wrong value.
    pub(in crate::scenario) fn missing(&mut self, table: &Place, key: &str, hint: &str) {
        self.missing_any(table, &[key], hint);
    }

    /// Notes that a table lacks the first of these keys, unless one of them was given with a wrong value.
    pub(in crate::scenario) fn missing_any(&mut self, table: &Place, keys: &[&str], hint: &str) {
        if !self.explains_lack(table, keys) {
            self.problem(keys[0], table, "is missing", hint);
        }
    }

    /// Whether one of these keys was given with a wrong value.
    pub(in crate::scenario) fn explains_lack(&self, table: &Place, keys: &[&str]) -> bool {
        let explained = |key: &&str| self.removed.iter().any(|one| one.explains(table, key));
        keys.iter().any(explained)
    }

    /// Notes that a table or list is empty, unless something wrong was removed from it.
    pub(in crate::scenario) fn empty(&mut self, whole: &Place, key: &str, hint: &str) {
        if !self.has_removed(whole) {
            self.problem(key, whole, "is empty", hint);
        }
    }

    /// Whether something wrong was removed from a table or list.
    pub(in crate::scenario) fn has_removed(&self, whole: &Place) -> bool {
        self.removed.iter().any(|one| one.is_in(whole))
    }

    /// Checks a name: 1 to 64 letters, digits, `-` and `_`.
    pub(in crate::scenario) fn name(&mut self, key: &str, name: &At<String>) {
        if !is_name(&name.value) {
            let hint = "use 1 to 64 letters, digits, `-` and `_`";
            self.problem(key, &name.place, "is not a name", hint);
        }
    }

    /// Replaces each `${NAME}` in the text from the environment.
    pub(in crate::scenario) fn expand(&mut self, key: &str, text: &At<String>) -> Option<String> {
        let mut out = String::new();
        let mut rest = text.value.as_str();
        let mut whole = true;
        while let Some(start) = rest.find("${") {
            out.push_str(&rest[..start]);
            let after = &rest[start + 2..];
            let Some((name, tail)) = after.split_once('}') else {
                self.problem(
                    key,
                    &text.place,
                    "has a `${` without its `}`",
                    "write `${NAME}`",
                );
                return None;
            };
            rest = tail;
            if let Some(value) = (self.outside.env)(name).filter(|_| is_variable(name)) {
                self.secrets.variable(name, &value);
                out.push_str(&value);
            } else {
                whole = false;
                self.variable(key, text, name);
            }
        }
        out.push_str(rest);
        whole.then_some(out)
    }

    fn variable(&mut self, key: &str, text: &At<String>, name: &str) {
        if is_variable(name) {
            let what = format_args!("needs the environment variable `{name}`, which is not set");
            let hint = format!("run with `{name}=… wsbench …`");
            self.problem(key, &text.place, what, hint);
        } else {
            let what = format_args!("names no environment variable: `${{{name}}}`");
            let hint = "use letters, digits and `_`";
            self.problem(key, &text.place, what, hint);
        }
    }

    /// A path of the scenario, as seen from here.
    pub(in crate::scenario) fn found(&self, path: &str) -> PathBuf {
        let folder = Path::new(&self.source.name).parent();
        folder.map_or_else(|| PathBuf::from(path), |folder| folder.join(path))
    }

    /// The files of a folder, by name, each with its path as seen from here.
    pub(in crate::scenario) fn folder(
        &mut self,
        key: &str,
        path: &At<String>,
    ) -> Option<Vec<PathBuf>> {
        match (self.outside.list)(&self.found(&path.value)) {
            Ok(files) => Some(files),
            Err(error) => {
                let what = format_args!("cannot be listed: {error}");
                let hint = match error.kind() {
                    ErrorKind::NotADirectory => Some("write the path of a folder".to_owned()),
                    _ => self.way_to(path, &error),
                };
                self.problem(key, &path.place, what, hint);
                None
            }
        }
    }

    /// Reads a file of at most so many bytes, and returns them and its path as seen from here.
    pub(in crate::scenario) fn file(
        &mut self,
        key: &str,
        path: &At<String>,
        most: u64,
    ) -> Option<(PathBuf, Vec<u8>)> {
        let found = self.found(&path.value);
        match (self.outside.read)(&found) {
            Ok(bytes) if bytes.len() as u64 > most => {
                let what = format_args!("is longer than {}", ByteSize(most));
                self.problem(key, &path.place, what, None);
                None
            }
            Ok(bytes) => Some((found, bytes)),
            Err(error) => {
                let what = format_args!("cannot be read: {error}");
                let hint = match error.kind() {
                    ErrorKind::IsADirectory => Some("name a file in it".to_owned()),
                    _ => self.way_to(path, &error),
                };
                self.problem(key, &path.place, what, hint);
                None
            }
        }
    }

    /// What to do about a file or a folder that cannot be opened, if that can be told.
    fn way_to(&self, path: &At<String>, error: &io::Error) -> Option<String> {
        let found = self.found(&path.value);
        let found = found.display();
        match (error.kind(), &path.place) {
            (ErrorKind::NotFound, Place::Option(_)) => {
                Some(format!("it was looked for at {found}"))
            }
            (ErrorKind::NotFound, _) => Some(format!(
                "it was looked for at {found}: paths are relative to the scenario file"
            )),
            (ErrorKind::PermissionDenied, _) => {
                Some(format!("let this user read it: chmod u+r {found}"))
            }
            _ => None,
        }
    }

    /// Notes names that were given more than once.
    pub(in crate::scenario) fn unique<'n>(
        &mut self,
        key: &str,
        names: impl Iterator<Item = &'n At<String>>,
    ) {
        let mut seen = std::collections::HashSet::new();
        for name in names {
            if !seen.insert(&name.value) {
                let what = format_args!("is given twice: {}", hints::one_of([name.value.as_str()]));
                let hint = "rename one of them, or leave it out";
                self.problem(key, &name.place, what, hint);
            }
        }
    }
}

/// Whether this is 1 to 64 letters, digits, `-` and `_`.
pub(in crate::scenario) fn is_name(name: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    (1..=64).contains(&name.len()) && name.chars().all(legal)
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
