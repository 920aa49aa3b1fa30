//! The changes that the command line makes to a scenario. They are applied to what the user wrote, before anything is
//! resolved, so that a wrong option is found and reported like a wrong key.

mod access;
mod load;
mod target;

use super::reading::{Place, Problem, Problems, Text};
use super::root::File;

pub use self::access::{AccessOption, OptionValue};

/// The changes that the command line makes to a scenario.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Overrides {
    /// `--url`: replaces `target.url`. Removes keys that only the built-in server has (`push`, `heartbeat`), or, if it
    /// is "embedded", keys that only another server has (`command`, `pid`); and, if it is one without TLS, those of TLS.
    pub url: Option<String>,
    /// Whether `url` was an argument of its own, and not the value of `--url`.
    pub url_is_argument: bool,
    /// How to get to the server. Each replaces what `[target]` says of the same.
    pub access: Vec<AccessOption>,
    /// `--pid`: replaces `target.pid` and `target.command`.
    pub pid: Option<u32>,
    /// `--connections`: replaces `load.connections`, or `max_open` of `load.arrivals`; or is the peak to which
    /// `load.stages` are scaled; or is the sum of all cohorts, which keep their proportion.
    pub connections: Option<u32>,
    /// `--connections COHORT=NUMBER`: replaces `connections` of a cohort.
    pub cohorts: Vec<(String, u32)>,
    /// `--arrivals`: replaces `rate` of `load.arrivals`.
    pub arrivals: Option<String>,
    /// `--duration`: replaces `load.duration`, or is the length to which `load.stages` are scaled.
    pub duration: Option<String>,
    /// `--rate`: `RATE` for the only message (or the arrivals, where there is none), or `NAME=RATE`.
    pub rates: Vec<String>,
    /// `--gate`: replaces the gates in `gates.pass` with the same statistic and metric; added if there is none.
    pub gates: Vec<String>,
    /// `--abort`: added to `gates.abort`.
    pub aborts: Vec<String>,
}

impl Overrides {
    /// Applies all changes except the gates, which are compared after they have been read.
    pub(super) fn apply(&self, file: &mut File, problems: &mut Problems) {
        if let Some(url) = &self.url {
            let option = match self.url_is_argument {
                true => "the address",
                false => "--url",
            };
            target::url(file, option, url);
        }
        access::apply(&self.access, file);
        if let Some(number) = self.pid {
            target::pid(file, number, problems);
        }
        if let Some(count) = self.connections {
            load::connections(file, count, problems);
        }
        for (cohort, count) in &self.cohorts {
            load::connections_of(file, cohort, *count, problems);
        }
        if let Some(text) = &self.arrivals {
            load::arrivals(file, text, problems);
        }
        if let Some(text) = &self.duration
            && let Some(wanted) = read("--duration", text, problems)
        {
            load::duration(file, wanted, problems);
        }
        for text in &self.rates {
            load::rate(file, text, problems);
        }
    }
}

fn read<T: Text>(name: &'static str, text: &str, problems: &mut Problems) -> Option<T> {
    T::read(text)
        .map_err(|error| problems.push(option(name, format_args!("cannot be read: {error}"))))
        .ok()
}

fn option(name: &'static str, what: impl std::fmt::Display) -> Problem {
    Problem::new(name, &Place::Option(name), what)
}

#[cfg(test)]
mod tests;
