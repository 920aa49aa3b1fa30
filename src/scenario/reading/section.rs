//! A table that is being resolved, with short methods to note what is wrong with its keys.

use std::fmt::Display;

use super::check::{Check, Hint};
use super::place::{At, Given as _, Key, Place};
use super::schema::join;

/// A table, with its full name and its place.
pub(in crate::scenario) struct Section<'s, 'a> {
    pub(in crate::scenario) check: &'s mut Check<'a>,
    /// The full name of the table, such as `cohort.message`.
    pub(in crate::scenario) path: &'s str,
    pub(in crate::scenario) place: &'s Place,
}

impl Section<'_, '_> {
    /// The full name of a key.
    pub(in crate::scenario) fn key(&self, key: &str) -> String {
        join(self.path, key)
    }

    /// Notes what is wrong with a key; if the key was left out, shows the place of the table.
    pub(in crate::scenario) fn wrong<T>(
        &mut self,
        key: &str,
        given: &Key<T>,
        what: impl Display,
        hint: impl Hint,
    ) {
        let place = given.place().unwrap_or(self.place);
        self.check.problem(&self.key(key), place, what, hint);
    }

    /// Notes what is wrong with a part of the value of a key.
    pub(in crate::scenario) fn wrong_at(
        &mut self,
        key: &str,
        place: &Place,
        what: impl Display,
        hint: impl Hint,
    ) {
        self.check.problem(&self.key(key), place, what, hint);
    }

    /// Replaces each `${NAME}` in a text from the environment.
    pub(in crate::scenario) fn expand(&mut self, key: &str, text: &At<String>) -> Option<String> {
        self.check.expand(&self.key(key), text)
    }

    /// Notes what is wrong with the table as a whole.
    pub(in crate::scenario) fn wrong_whole(&mut self, what: impl Display, hint: impl Hint) {
        self.check.problem(self.path, self.place, what, hint);
    }

    /// Notes that the table has none of these keys, unless one of them was given with a wrong value.
    pub(in crate::scenario) fn lacks_all(&mut self, keys: &[&str], what: &str, hint: &str) {
        let keys: Vec<String> = keys.iter().map(|key| self.key(key)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        if !self.check.explains_lack(self.place, &keys) {
            self.wrong_whole(what, hint);
        }
    }

    /// Notes that the first of these keys is missing, unless one of them was given with a wrong value.
    pub(in crate::scenario) fn missing(&mut self, keys: &[&str], hint: &str) {
        let keys: Vec<String> = keys.iter().map(|key| self.key(key)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        self.check.missing_any(self.place, &keys, hint);
    }

    /// The value of a required key.
    pub(in crate::scenario) fn required<T: Clone>(
        &mut self,
        key: &str,
        given: &Key<T>,
        hint: &str,
    ) -> Option<T> {
        if given.is_none() {
            self.missing(&[key], hint);
        }
        given.as_ref().map(|at| at.value.clone())
    }

    /// The value of the required key `name`: 1 to 64 letters, digits, `-` and `_`.
    pub(in crate::scenario) fn name(&mut self, given: &Key<String>, hint: &str) -> Option<String> {
        if let Some(name) = given {
            self.check.name(&self.key("name"), name);
        }
        self.required("name", given, hint)
    }

    /// Notes each of these keys that was given, with `because` as the reason against it.
    pub(in crate::scenario) fn excluded(
        &mut self,
        given: &[(&str, Option<&Place>)],
        because: &str,
        hint: &str,
    ) {
        for (key, place) in given {
            if let Some(place) = place {
                self.check.problem(&self.key(key), place, because, hint);
            }
        }
    }
}
