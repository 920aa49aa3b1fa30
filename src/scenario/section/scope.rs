//! What placeholders may name at one place of a cohort.

use super::data::{Data, Per};
use super::variable::{Column, Form, Number, Variable, Wrong};

/// What placeholders may name at one place of a cohort. Steps that come one after the other share one, which learns what
/// each of them saves.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope<'a> {
    /// The tables that columns belong to.
    pub data: &'a [Data],
    /// The names of what is kept of messages, by their index in [`super::Cohort::saved`].
    pub saved: Vec<SavedName<'a>>,
    /// By slot (see [`super::Cohort::each_step`]), the messages and steps whose last id can be named.
    pub ids: Vec<IdName<'a>>,
    /// Whether the place is inside of a repeat, so that `turn` is known.
    pub has_turns: bool,
    /// Whether the place is beside the steps, so that only what the set-up keeps is known.
    pub is_beside: bool,
    /// Whether the place is in a request which is the same for all clients.
    pub is_once: bool,
    /// Whether the place looks at an answer of HTTP.
    pub is_http: bool,
    /// Whether the place is written for each send; otherwise only what the plan knows, and what is kept, can be named.
    pub is_sent: bool,
}

/// A name under which a part of a message is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SavedName<'a> {
    /// The name.
    pub name: &'a str,
    /// The step, message or `[[on]]` that keeps it first.
    pub by: &'a str,
    /// Whether it is there at this place.
    pub known: Known,
    /// Whether it is the same for all clients.
    pub is_shared: bool,
}

/// A message or step whose last id can be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IdName<'a> {
    /// Its name; `None` if it has none, or sends nothing.
    pub name: Option<&'a str>,
    /// Whether it was sent before this place.
    pub known: Known,
}

/// Whether a name has its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Known {
    /// Not yet: what keeps it comes after.
    Later,
    /// Perhaps: what keeps it may be left out, or fail and be gone past.
    Perhaps,
    /// In any case.
    Surely,
}

impl<'a> Scope<'a> {
    /// What a message can name that is sent in a cohort which keeps nothing.
    pub(super) fn of(data: &'a [Data]) -> Self {
        Self {
            data,
            is_sent: true,
            ..Self::default()
        }
    }

    /// Adds a name that `by` keeps somewhere in the cohort, and returns its index; `None` if there would be more than 256.
    pub(super) fn declare(&mut self, name: &'a str, by: &'a str) -> Option<u8> {
        let known = self.saved.iter().position(|saved| saved.name == name);
        let at = known.unwrap_or(self.saved.len());
        let index = u8::try_from(at).ok()?;
        if known.is_none() {
            let known = Known::Later;
            let is_shared = false;
            self.saved.push(SavedName {
                name,
                by,
                known,
                is_shared,
            });
        }
        Some(index)
    }

    /// Notes that a name has its value from here on. What was surely known stays so.
    pub(super) fn learn(&mut self, index: u8, known: Known) {
        let saved = &mut self.saved[usize::from(index)];
        saved.known = saved.known.max(known);
    }

    /// Notes that a name has its value from here on, if it was declared.
    pub(super) fn learn_name(&mut self, name: &str, known: Known) {
        if let Some(index) = self.saved.iter().position(|saved| saved.name == name) {
            self.learn(index as u8, known);
        }
    }

    /// Notes that a name has the same value for all clients.
    pub(super) fn share(&mut self, name: &str) {
        let mut saved = self.saved.iter_mut();
        if let Some(saved) = saved.find(|saved| saved.name == name) {
            saved.is_shared = true;
        }
    }

    /// Notes that a message or step has been sent.
    pub(super) fn learn_id(&mut self, slot: usize, known: Known) {
        if let Some(id) = self.ids.get_mut(slot) {
            id.known = id.known.max(known);
        }
    }

    /// What is known here of all names.
    pub(super) fn known(&self) -> Vec<Known> {
        let saved = self.saved.iter().map(|saved| saved.known);
        saved.chain(self.ids.iter().map(|id| id.known)).collect()
    }

    /// Notes that what was not surely known before is known only perhaps.
    pub(super) fn doubt(&mut self, before: &[Known]) {
        for (known, before) in self.each_known().zip(before) {
            if *before < Known::Surely {
                *known = (*known).min(Known::Perhaps);
            }
        }
    }

    /// Notes that everything is known.
    pub(super) fn learn_all(&mut self) {
        self.each_known().for_each(|known| *known = Known::Surely);
    }

    fn each_known(&mut self) -> impl Iterator<Item = &mut Known> {
        let saved = self.saved.iter_mut().map(|saved| &mut saved.known);
        saved.chain(self.ids.iter_mut().map(|id| &mut id.known))
    }

    /// A name that is kept, as a placeholder writes it; `None` if nothing keeps it.
    pub(super) fn saved(&self, name: &str, form: Form) -> Option<Result<Variable, Wrong>> {
        let index = self.saved.iter().position(|saved| saved.name == name)?;
        let by = || self.saved[index].by.to_owned();
        Some(match self.saved[index].known {
            Known::Surely => Ok(Variable::Saved {
                name: index as u8,
                form,
            }),
            _ if self.is_beside => Err(Wrong::Beside(by())),
            Known::Perhaps => Err(Wrong::Perhaps(by())),
            Known::Later => Err(Wrong::Later(by())),
        })
    }

    /// `TABLE.COLUMN`, or the last id of a message or step.
    pub(super) fn member(
        &self,
        of: &str,
        member: &str,
        form: Form,
    ) -> Option<Result<Variable, Wrong>> {
        if self
            .data
            .iter()
            .any(|data| data.name == of && data.is_broken())
        {
            // Stands anywhere: what is wrong with the table is enough to tell.
            return Some(Ok(Variable::Number(Number::Place, None)));
        }
        if let Some(column) = self.column(of, member, form) {
            return Some(Ok(Variable::Column(column)));
        }
        let slot = self.ids.iter().position(|id| id.name == Some(of))?;
        (member == "id").then(|| match self.ids[slot].known {
            Known::Surely => Ok(Variable::IdOf(slot as u16)),
            _ if self.is_beside => Err(Wrong::Beside(of.to_owned())),
            Known::Perhaps | Known::Later => Err(Wrong::Unsent(of.to_owned())),
        })
    }

    fn column(&self, table: &str, column: &str, form: Form) -> Option<Column> {
        let at = self.data.iter().position(|data| data.name == table)?;
        let data = &self.data[at];
        let column = data.columns().iter().position(|name| name == column)?;
        Some(Column {
            data: at as u8,
            column: column as u16,
            form,
            longest: data.longest(column),
            is_json: data.is_json(column),
        })
    }

    /// Refuses what is not known at this place.
    pub(super) fn allow(&self, variable: Variable) -> Result<Variable, Wrong> {
        if self.is_once && self.differs(variable) {
            return Err(Wrong::Differs);
        }
        let needs_send = match variable {
            Variable::Number(Number::Turn, _) if !self.has_turns => return Err(Wrong::NoTurns),
            Variable::Number(Number::N | Number::Id, _)
            | Variable::Random(..)
            | Variable::Hex(_)
            | Variable::Uuid
            | Variable::Now(_) => true,
            Variable::Column(column) => {
                let data = &self.data[usize::from(column.data)];
                if column.form == Form::Header && data.has_controls(column.column) {
                    return Err(Wrong::Controls);
                }
                data.per == Per::Send
            }
            Variable::Number(Number::Connection | Number::Place | Number::Turn, _)
            | Variable::Cohort
            | Variable::Run
            | Variable::Text(_)
            | Variable::Saved { .. }
            | Variable::IdOf(_) => false,
        };
        match needs_send && !self.is_sent {
            true => Err(Wrong::AtSend),
            false => Ok(variable),
        }
    }

    /// Whether it is not the same for all clients.
    fn differs(&self, variable: Variable) -> bool {
        match variable {
            Variable::Number(..) | Variable::Cohort | Variable::Column(_) | Variable::IdOf(_) => {
                true
            }
            Variable::Saved { name, .. } => !self.saved[usize::from(name)].is_shared,
            Variable::Run
            | Variable::Random(..)
            | Variable::Hex(_)
            | Variable::Text(_)
            | Variable::Uuid
            | Variable::Now(_) => false,
        }
    }

    /// Everything that can be named here, and for a name that is kept, what keeps it.
    pub(super) fn names(&self) -> impl Iterator<Item = (String, Option<&'a str>)> {
        let saved = self
            .saved
            .iter()
            .filter(|saved| saved.known == Known::Surely);
        let saved = saved.map(|saved| (saved.name.to_owned(), Some(saved.by)));
        let columns = self.data.iter().flat_map(|data| {
            let of = move |column: &String| (format!("{}.{column}", data.name), None);
            data.columns().iter().map(of)
        });
        let ids = self.ids.iter().filter(|id| id.known == Known::Surely);
        let ids = ids.filter_map(|id| id.name);
        let ids = ids.map(|name| (format!("{name}.id"), None));
        let own = Variable::names().map(|name| (name.to_owned(), None));
        saved.chain(columns).chain(ids).chain(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, scope: &Scope<'_>) -> Result<Variable, Wrong> {
        Variable::read(text, scope, Form::Raw)
    }

    #[test]
    fn what_a_step_keeps_is_known_behind_it() {
        let mut scope = Scope::of(&[]);
        let token = scope.declare("token", "login").unwrap();
        assert_eq!(scope.declare("token", "again"), Some(token));
        let late = scope.declare("my-late", "rest").unwrap();
        assert_eq!(read("token", &scope), Err(Wrong::Later("login".to_owned())));
        scope.learn(token, Known::Perhaps);
        let perhaps = Err(Wrong::Perhaps("login".to_owned()));
        assert_eq!(read("token", &scope), perhaps);
        scope.learn(token, Known::Surely);
        scope.learn(token, Known::Perhaps);
        scope.learn(late, Known::Surely);
        for (text, name) in [("token", token), (" my-late ", late)] {
            let form = Form::Raw;
            assert_eq!(read(text, &scope), Ok(Variable::Saved { name, form }));
        }
        let names: Vec<String> = (0..254).map(|name| format!("v{name}")).collect();
        for name in &names {
            assert!(scope.declare(name, "login").is_some(), "{name}");
        }
        assert_eq!(scope.declare("one-more", "login"), None);
    }

    #[test]
    fn the_last_id_of_a_step_is_named_by_its_slot() {
        let mut scope = Scope::of(&[]);
        let id = |name| IdName {
            name,
            known: Known::Later,
        };
        scope.ids = vec![id(None), id(Some("subscribe"))];
        let unsent = Err(Wrong::Unsent("subscribe".to_owned()));
        assert_eq!(read("subscribe.id", &scope), unsent);
        scope.learn_id(1, Known::Surely);
        assert_eq!(read("subscribe.id", &scope), Ok(Variable::IdOf(1)));
        for unknown in ["subscribe.name", "other.id"] {
            let wrong = Err(Wrong::Unknown(unknown.to_owned()));
            assert_eq!(read(unknown, &scope), wrong);
        }
    }

    /// `raw(x)` must not smuggle a line break into the head of a request.
    #[test]
    fn nothing_brings_a_line_break_into_a_head() {
        let mut scope = Scope::of(&[]);
        let name = scope.declare("token", "login").unwrap();
        scope.learn(name, Known::Surely);
        for (text, place, form) in [
            ("token", Form::Header, Form::Header),
            ("raw(token)", Form::Header, Form::Header),
            ("url(token)", Form::Header, Form::Url),
            ("json(token)", Form::Raw, Form::Json),
            ("json(token)", Form::Json, Form::JsonInJson),
            ("json(token)", Form::Header, Form::Json),
            ("token", Form::Url, Form::Url),
            ("raw(token)", Form::Url, Form::Header),
        ] {
            let read = Variable::read(text, &scope, place);
            assert_eq!(read, Ok(Variable::Saved { name, form }), "{text}");
        }
    }

    #[test]
    fn rows_with_line_breaks_stand_in_no_head() {
        let data = [Data::of_lines("user", "{\"name\":\"a\\nb\",\"id\":1}")];
        let scope = Scope::of(&data);
        let read = |text, form| Variable::read(text, &scope, form);
        assert_eq!(read("user.name", Form::Header), Err(Wrong::Controls));
        assert_eq!(read("raw(user.name)", Form::Url), Err(Wrong::Controls));
        for (text, form) in [
            ("user.id", Form::Header),
            ("url(user.name)", Form::Header),
            ("user.name", Form::Raw),
        ] {
            assert!(read(text, form).is_ok(), "{text}");
        }
    }

    #[test]
    fn what_is_known_only_at_a_send_is_refused_before() {
        let mut scope = Scope::of(&[]);
        assert_eq!(read("turn", &scope), Err(Wrong::NoTurns));
        scope.has_turns = true;
        assert!(read("turn % 2", &scope).is_ok());
        scope.is_sent = false;
        for text in ["n", "id + 1", "random(1, 2)", "hex(8)", "uuid", "now_ms"] {
            assert_eq!(read(text, &scope), Err(Wrong::AtSend), "{text}");
        }
        for text in ["place / 20", "connection", "cohort", "run", "text(8)"] {
            assert!(read(text, &scope).is_ok(), "{text}");
        }
    }
}
