//! Reads `[[setup]]` and `[[step]]` in their order, so that each step can name what the steps before it keep.

use super::expect::{self, Expect};
use super::match_table;
use super::payload;
use super::save;
use super::scope::{Known, Scope};
use super::step::{Await, OnFail, Repeat, Send, Step, Verb};
use super::step_table::{RepeatTable, StepTable};
use super::topic::{self, Publishing};
use super::url::Protocol;
use crate::scenario::reading::{
    At, Check, Given as _, Items as _, Key, List, Place, Section, given, hints,
};

/// How deep repeats may be nested.
const DEEPEST: usize = 3;
/// The most awaits that wait at the same time.
const MAX_AWAITS: usize = 16;

/// Declares the names of what steps keep.
pub(super) fn declare<'a>(scope: &mut Scope<'a>, list: &'a Key<List<At<StepTable>>>) {
    for At { value: keys, .. } in list.items() {
        save::declare(scope, &keys.save, &keys.name);
        declare(scope, &keys.step);
    }
}

/// Lists steps, each before those inside of it.
pub(super) fn each(list: &Key<List<At<StepTable>>>) -> Vec<&At<StepTable>> {
    let mut all = Vec::new();
    for step in list.items() {
        all.push(step);
        all.extend(each(&step.value.step));
    }
    all
}

/// Reads steps one after the other.
pub(super) struct Reader<'r, 'a, 'c> {
    pub(super) check: &'r mut Check<'c>,
    /// What the next step can name.
    pub(super) scope: Scope<'a>,
    /// Whether the steps are those of `[[setup]]`.
    pub(super) is_setup: bool,
    /// What its clients speak.
    pub(super) protocol: Protocol,
    /// Whether something says how a client dials again.
    pub(super) can_reconnect: bool,
    /// The slot of the next step; see [`super::Cohort::each_step`].
    pub(super) slot: usize,
    /// How many awaits there are since the last send or repeat.
    pub(super) awaits: usize,
    /// What is known when the connection is dialled, and the step that comes first on it: it is no request of HTTP.
    pub(super) dialled: Option<(Scope<'a>, &'a str)>,
}

impl<'a> Reader<'_, 'a, '_> {
    /// Reads the steps of a list or of a repeat; `None` if something in them is wrong. Behind them, only what is kept in
    /// any case is known.
    pub(super) fn list(
        &mut self,
        path: &str,
        list: &'a Key<List<At<StepTable>>>,
        depth: usize,
    ) -> Option<Vec<Step>> {
        let mut all = Vec::new();
        // What is known before the first step that may leave out the rest.
        let mut before: Option<Vec<Known>> = None;
        let mut end = None;
        for At { value: keys, place } in list.items() {
            if let Some(end) = end {
                let what = format_args!("comes after {end}, and is never played");
                self.check
                    .problem(path, place, what, "put it before, or leave it out");
            }
            if self.dialled.is_none() && keys.http.is_none() {
                let mut scope = self.scope.clone();
                if let Some(before) = &before {
                    scope.doubt(before);
                }
                let first = keys
                    .name
                    .as_ref()
                    .map_or("the other steps", |name| &name.value);
                self.dialled = Some((scope, first));
            }
            if before.is_none()
                && self.on_fail(keys) == OnFail::Skip
                && (keys.http.is_some() || keys.send.is_some() || keys.r#await.is_some())
            {
                before = Some(self.scope.known());
            }
            let step = self.step(path, keys, place, depth);
            let is_sure = keys.chance().0 >= 1.0 && !self.is_setup;
            end = step
                .as_ref()
                .filter(|_| is_sure)
                .and_then(|step| endless(&step.verb));
            all.push(step);
        }
        if let Some(before) = before {
            self.scope.doubt(&before);
        }
        all.into_iter().collect()
    }

    fn on_fail(&self, keys: &StepTable) -> OnFail {
        let default = if self.is_setup {
            OnFail::Close
        } else {
            OnFail::Skip
        };
        keys.on_fail.value().unwrap_or(default)
    }

    fn step(
        &mut self,
        path: &str,
        keys: &'a StepTable,
        place: &Place,
        depth: usize,
    ) -> Option<Step> {
        let slot = self.slot;
        self.slot += 1;
        let on_fail = self.on_fail(keys);
        let mut section = Section {
            check: &mut *self.check,
            path,
            place,
        };
        if let Some(name) = &keys.name {
            section.check.name(&section.key("name"), name);
        }
        if on_fail == OnFail::Reconnect && !self.can_reconnect {
            section.wrong(
                "on_fail",
                &keys.on_fail,
                "cannot be `reconnect` while nothing says how",
                "write `reconnect = { initial = \"500ms\", max = \"30s\" }` in `[load]` or in the cohort",
            );
        }
        let chance = keys.chance().0;
        let verb = self.verb(path, keys, place, depth);
        // What a wrong step keeps is known, too: else each step that names it would be told.
        let known = match chance >= 1.0 && on_fail != OnFail::GoOn {
            true => Known::Surely,
            false => Known::Perhaps,
        };
        for name in keys.save.iter().flat_map(|table| table.value.keys()) {
            self.scope.learn_name(name, known);
            if keys.http.as_ref().is_some_and(|http| http.value.once()) {
                self.scope.share(name);
            }
        }
        if keys.send.is_some() || keys.http.is_some() {
            self.scope.learn_id(slot, known);
        }
        let name = keys.name.as_ref().map(|name| name.value.clone());
        Some(Step {
            name,
            verb: verb?,
            chance,
            on_fail,
        })
    }

    fn verb(
        &mut self,
        path: &str,
        keys: &'a StepTable,
        place: &Place,
        depth: usize,
    ) -> Option<Verb> {
        let verbs = given!(keys; http, send, r#await, pause, repeat, wait_for, close, reconnect);
        let mut section = Section {
            check: &mut *self.check,
            path,
            place,
        };
        let given: Vec<&str> = verbs
            .iter()
            .filter(|(_, place)| place.is_some())
            .map(|(verb, _)| *verb)
            .collect();
        match given[..] {
            [] => {
                let names = verbs.map(|(verb, _)| verb);
                let hint = format!(
                    "write one of {}",
                    hints::one_of(names).replace(" or ", " and ")
                );
                section.lacks_all(&names, "says nothing to do", &hint);
                return None;
            }
            [verb] => keys.check_keys_beside(&mut section, verb),
            [one, other, ..] => {
                let what = format_args!("says two things to do: `{one}` and `{other}`");
                let hint = match (one, other) {
                    ("send", "await") => {
                        "an answer to `send` goes into `expect`; make two steps of them for another message"
                    }
                    _ => "make two steps of them",
                };
                section.wrong_whole(what, hint);
                return None;
            }
        }
        if let Some(only) = keys.only_when_ready().filter(|_| self.is_setup) {
            section.wrong_whole(only, "move it to `[[step]]`");
        }
        if keys.http.is_some() {
            return self.http(path, keys, place, depth).map(Verb::Http);
        }
        if keys.send.is_some() {
            return self.send(path, keys, place, depth).map(Verb::Send);
        }
        if keys.r#await.is_some() {
            return self.wait(path, keys, place, depth).map(Verb::Await);
        }
        if let Some(At { value: pause, .. }) = &keys.pause {
            return pause.resolve(&mut section).map(Verb::Pause);
        }
        if let Some(At {
            value: repeat,
            place: own,
        }) = &keys.repeat
        {
            return self
                .repeat(path, keys, (place, own), repeat, depth)
                .map(Verb::Repeat);
        }
        self.awaits = 0;
        if let Some(At {
            value: close,
            place,
        }) = &keys.close
        {
            let path = &section.key("close");
            return close.resolve(&mut Section {
                check: section.check,
                path,
                place,
            });
        }
        if let Some(At { value: redial, .. }) = &keys.reconnect {
            return Some(Verb::Reconnect {
                after: redial.after().0,
            });
        }
        Some(Verb::WaitForMeasuring)
    }

    fn send(&mut self, path: &str, keys: &StepTable, place: &Place, depth: usize) -> Option<Send> {
        self.awaits = 0;
        self.scope.is_sent = true;
        self.scope.has_turns = depth > 0;
        let scope = &self.scope;
        let mut section = Section {
            check: &mut *self.check,
            path,
            place,
        };
        let frame = keys.frame();
        let given = keys.send.as_ref()?;
        let payload = payload::resolve(section.check, scope, &section.key("send"), given, frame);
        let hint = "write what answers it, or `expect = \"none\"`";
        let expect = section.required("expect", &keys.expect, hint);
        let expect = expect.and_then(|expect| {
            let place = keys.expect.place().unwrap_or(place);
            expect::resolve(&mut section, scope, &expect, place)
        });
        if let (Some(payload), Some(expect)) = (&payload, &expect) {
            expect::fits(&mut section, expect, payload, &given!(keys; send, expect));
        }
        if expect
            .as_ref()
            .is_some_and(|expect| *expect != Expect::None)
        {
            keys.require_name(&mut section);
        }
        let (check, save) = expect::answer(
            &mut section,
            scope,
            expect.as_ref(),
            &keys.check,
            &keys.save,
        )?;
        let to = topic::to(
            &mut section,
            scope.data,
            &Publishing {
                to: &keys.to,
                comes_back: &keys.comes_back,
                timeout: (&keys.timeout, keys.timeout()),
                payload: payload.as_ref(),
                expect: expect.as_ref(),
            },
        );
        let joins = topic::list(&mut section, scope.data, "joins", &keys.joins);
        let leaves = topic::list(&mut section, scope.data, "leaves", &keys.leaves);
        let timeout = keys.timeout().0;
        Some(Send {
            payload: payload?,
            frame,
            expect: expect?,
            check,
            save,
            timeout,
            to: to?,
            joins: joins?,
            leaves: leaves?,
        })
    }

    fn wait(&mut self, path: &str, keys: &StepTable, place: &Place, depth: usize) -> Option<Await> {
        self.awaits += 1;
        self.scope.is_sent = false;
        self.scope.has_turns = depth > 0;
        let scope = &self.scope;
        let mut section = Section {
            check: &mut *self.check,
            path,
            place,
        };
        if self.awaits == MAX_AWAITS + 1 {
            let what =
                format_args!("is more than the {MAX_AWAITS} awaits that can wait at the same time");
            section.wrong_whole(what, "use `times`, or one `await` with a list");
        }
        keys.require_name(&mut section);
        let At {
            value: matches,
            place,
        } = keys.r#await.as_ref()?;
        let any = match_table::any(section.check, scope, &section.key("await"), place, matches);
        let (check, save) = expect::answer(&mut section, scope, None, &keys.check, &keys.save)?;
        let joins = topic::list(&mut section, scope.data, "joins", &keys.joins);
        let (times, timeout) = (keys.times().0, keys.timeout().0);
        Some(Await {
            any: any?.to_vec(),
            times,
            check,
            save,
            timeout,
            joins: joins?,
        })
    }

    fn repeat(
        &mut self,
        path: &str,
        keys: &'a StepTable,
        (place, own): (&Place, &Place),
        repeat: &RepeatTable,
        depth: usize,
    ) -> Option<Repeat> {
        let mut section = Section {
            check: &mut *self.check,
            path,
            place,
        };
        if depth == DEEPEST {
            let what = format_args!("repeats inside of {DEEPEST} other repeats");
            section.wrong_whole(what, "move it out of one of them");
            return None;
        }
        if keys.step.items().is_empty()
            && !keys
                .step
                .as_ref()
                .is_some_and(|list| section.check.has_removed(&list.place))
        {
            let hint = format!("put what it repeats into `[[{path}.step]]` below it");
            section.missing(&["step"], &hint);
        }
        let inner = &section.key("repeat");
        let pace = repeat.pace(&mut Section {
            check: section.check,
            path: inner,
            place: own,
        });
        let before = self.scope.known();
        self.awaits = 0;
        let steps = self.list(&format!("{path}.step"), &keys.step, depth + 1);
        self.awaits = 0;
        let (count, lasts) = (repeat.count.value(), repeat.r#for.value());
        if count.is_none() || lasts.is_some() {
            // There may be no turn at all.
            self.scope.doubt(&before);
        }
        Some(Repeat {
            steps: steps?,
            count,
            lasts,
            pace,
        })
    }
}

/// What ends the steps for good, as a message calls it.
fn endless(verb: &Verb) -> Option<&'static str> {
    match verb {
        Verb::Close { .. } => Some("`close`"),
        Verb::Reconnect { .. } => Some("`reconnect`, which begins again"),
        Verb::Repeat(repeat) if repeat.count.is_none() && repeat.lasts.is_none() => {
            Some("a `repeat` without `count` or `for`")
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "steps_tests.rs"]
mod tests;
