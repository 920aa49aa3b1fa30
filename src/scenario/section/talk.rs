//! All that a client of a cohort says and listens to: the lists `[[setup]]`, `[[step]]`, `[[message]]` and `[[on]]`, each
//! of the cohort or of the file, which share names.

use std::collections::HashSet;

use super::cohort_table::CohortTable;
use super::data::Data;
use super::message::{self, Message, MessageTable};
use super::on::{self, On, OnTable};
use super::scope::{IdName, Known, SavedName, Scope};
use super::step::Step;
use super::step_table::StepTable;
use super::steps::{self, Reader};
use super::upgrade::{self, Said, Upgrade};
use super::url::Protocol;
use crate::scenario::reading::{At, Check, Items as _, Key, List, Place, hints};
use crate::scenario::root::File;

/// The most names of a cohort, and so of its metrics.
const MAX_NAMES: usize = 256;
/// The most steps of a cohort.
const MAX_STEPS: usize = 1024;

/// What a client says and listens to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Talk {
    pub(super) messages: Vec<Message>,
    pub(super) setup: Vec<Step>,
    pub(super) steps: Vec<Step>,
    pub(super) on: Vec<On>,
    /// The names of what is kept.
    pub(super) saved: Vec<String>,
    /// The upgrade request, if it has placeholders.
    pub(super) upgrade: Option<Upgrade>,
    /// For each of them, what keeps it, and whether it is known when a client is ready.
    kept: Vec<(String, Known)>,
}

impl Talk {
    /// What can be named beside the steps, when a client is ready.
    pub(super) fn ready<'a>(&'a self, data: &'a [Data]) -> Scope<'a> {
        let names = self.saved.iter().zip(&self.kept);
        let saved = names.map(|(name, (by, known))| SavedName {
            name,
            by,
            known: *known,
            is_shared: false,
        });
        Scope {
            saved: saved.collect(),
            is_beside: true,
            ..Scope::of(data)
        }
    }
}

/// The lists that hold for a cohort, each with its full name.
#[derive(Clone, Copy)]
pub(super) struct Lists<'a> {
    pub(super) message: (&'static str, &'a Key<List<At<MessageTable>>>),
    pub(super) setup: (&'static str, &'a Key<List<At<StepTable>>>),
    pub(super) step: (&'static str, &'a Key<List<At<StepTable>>>),
    pub(super) on: (&'static str, &'a Key<List<At<OnTable>>>),
    /// What is said by upgrade requests.
    said: Option<Said<'a>>,
    /// Whether all of them are those of the file, and so is what upgrade requests say.
    pub(super) are_shared: bool,
}

/// The list of the cohort, or else that of the file.
fn own<'a, T>(
    names: [&'static str; 2],
    own: &'a Key<T>,
    shared: &'a Key<T>,
) -> (&'static str, &'a Key<T>) {
    match own {
        Some(_) => (names[0], own),
        None => (names[1], shared),
    }
}

impl<'a> Lists<'a> {
    pub(super) fn of(file: &'a File, cohort: &'a CohortTable) -> Self {
        Self {
            message: own(
                ["cohort.message", "message"],
                &cohort.message,
                &file.message,
            ),
            setup: own(["cohort.setup", "setup"], &cohort.setup, &file.setup),
            step: own(["cohort.step", "step"], &cohort.step, &file.step),
            on: own(["cohort.on", "on"], &cohort.on, &file.on),
            said: None,
            are_shared: cohort.message.is_none()
                && cohort.setup.is_none()
                && cohort.step.is_none()
                && cohort.on.is_none(),
        }
    }

    /// The same with what is said by upgrade requests, and whether the cohort says it.
    pub(super) fn saying(self, said: Said<'a>, is_own: bool) -> Self {
        Self {
            said: Some(said),
            are_shared: self.are_shared && !is_own,
            ..self
        }
    }

    /// Reads all of them; `None` if something in them is wrong.
    pub(super) fn resolve(
        self,
        check: &mut Check<'_>,
        data: &'a [Data],
        protocol: Protocol,
        can_reconnect: bool,
    ) -> Option<Talk> {
        let setup_steps = steps::each(self.setup.1);
        let later_steps = steps::each(self.step.1);
        self.names(check, &setup_steps, &later_steps)?;
        let mut scope = Scope::of(data);
        steps::declare(&mut scope, self.setup.1);
        steps::declare(&mut scope, self.step.1);
        message::declare(&mut scope, self.message.1);
        on::declare(&mut scope, self.on.1);
        let messages = self.message.1.items().iter().map(|at| &at.value.name);
        let all = setup_steps.iter().chain(&later_steps);
        let names = messages.chain(all.map(|at| {
            match at.value.send.is_some() || at.value.http.is_some() {
                true => &at.value.name,
                false => &None,
            }
        }));
        scope.ids = names
            .map(|name| IdName {
                name: name.as_ref().map(|name| name.value.as_str()),
                known: Known::Later,
            })
            .collect();
        let slot = self.message.1.items().len();
        let mut reader = Reader {
            check: &mut *check,
            scope,
            is_setup: true,
            protocol,
            can_reconnect,
            slot,
            awaits: 0,
            dialled: None,
        };
        let setup = reader.list(self.setup.0, self.setup.1, 0);
        let mut ready = reader.scope.clone();
        let dialled = reader.dialled.take().map(|(scope, _)| scope);
        let dialled = dialled.unwrap_or_else(|| ready.clone());
        reader.is_setup = false;
        let steps = reader.list(self.step.0, self.step.1, 0);
        let upgrade = match self.said {
            Some(said) => upgrade::resolve(check, &dialled, said),
            None => Some(None),
        };
        ready.is_sent = true;
        ready.has_turns = false;
        ready.is_beside = true;
        let messages = message::resolve(check, &ready, self.message.0, self.message.1);
        let on = on::resolve(check, &ready, self.on.0, self.on.1);
        let saved = ready.saved.iter().map(|saved| saved.name.to_owned());
        let kept = (ready.saved.iter()).map(|saved| (saved.by.to_owned(), saved.known));
        Some(Talk {
            messages: messages?,
            setup: setup?,
            steps: steps?,
            on: on?,
            saved: saved.collect(),
            kept: kept.collect(),
            upgrade: upgrade?,
        })
    }

    /// Checks that names are unique and not too many.
    fn names(
        &self,
        check: &mut Check<'_>,
        setup: &[&At<StepTable>],
        steps: &[&At<StepTable>],
    ) -> Option<()> {
        let messages = self.message.1.items().iter();
        let listeners = self.on.1.items().iter();
        let of = |path: &'static str| move |name: &'a Key<String>| (path, name);
        let names = (setup.iter().map(|at| (self.setup.0, &at.value.name)))
            .chain(steps.iter().map(|at| (self.step.0, &at.value.name)))
            .chain(messages.map(|at| &at.value.name).map(of(self.message.0)))
            .chain(listeners.map(|at| &at.value.name).map(of(self.on.0)));
        let mut seen = HashSet::new();
        for (path, name) in names {
            let Some(At { value: name, place }) = name else {
                continue;
            };
            if !seen.insert(name) {
                let what = format_args!("is given twice: {}", hints::one_of([name.as_str()]));
                check.problem(&format!("{path}.name"), place, what, None);
            }
        }
        let many = [
            (seen.len(), MAX_NAMES, "names"),
            (setup.len() + steps.len(), MAX_STEPS, "steps"),
            (self.on.1.items().len(), MAX_NAMES, "`[[on]]`"),
        ];
        for (count, most, what) in many {
            if count > most {
                let what = format_args!("has more than {most} {what} in one cohort");
                let place = self.place();
                check.problem(
                    self.message
                        .0
                        .trim_end_matches("message")
                        .trim_end_matches('.'),
                    &place,
                    what,
                    None,
                );
                return None;
            }
        }
        Some(())
    }

    /// The place of the first list.
    pub(super) fn place(&self) -> Place {
        let lists = [
            self.setup.1.as_ref().map(|at| &at.place),
            self.step.1.as_ref().map(|at| &at.place),
            self.message.1.as_ref().map(|at| &at.place),
            self.on.1.as_ref().map(|at| &at.place),
        ];
        lists
            .into_iter()
            .flatten()
            .next()
            .cloned()
            .unwrap_or_default()
    }
}
