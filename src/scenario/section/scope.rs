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
    /// By slot (see [`super::Cohort::each_step`]), the names of the messages and steps whose last id can be named.
    pub ids: Vec<Option<&'a str>>,
    /// Whether the place is inside of a repeat, so that `turn` is known.
    pub has_turns: bool,
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
}

/// Whether a name has its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(
    not(test),
    allow(dead_code, reason = "steps that keep something come next")
)]
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
    #[cfg_attr(
        not(test),
        allow(dead_code, reason = "steps that keep something come next")
    )]
    pub(super) fn declare(&mut self, name: &'a str, by: &'a str) -> Option<u8> {
        let known = self.saved.iter().position(|saved| saved.name == name);
        let at = known.unwrap_or(self.saved.len());
        let index = u8::try_from(at).ok()?;
        if known.is_none() {
            let known = Known::Later;
            self.saved.push(SavedName { name, by, known });
        }
        Some(index)
    }

    /// Notes that a name has its value from here on. What was surely known stays so.
    #[cfg_attr(
        not(test),
        allow(dead_code, reason = "steps that keep something come next")
    )]
    pub(super) fn learn(&mut self, index: u8, known: Known) {
        let saved = &mut self.saved[usize::from(index)];
        saved.known = saved.known.max(known);
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
            Known::Perhaps => Err(Wrong::Perhaps(by())),
            Known::Later => Err(Wrong::Later(by())),
        })
    }

    /// `TABLE.COLUMN`, or the last id of a message or step.
    pub(super) fn member(&self, of: &str, member: &str, form: Form) -> Option<Variable> {
        if self
            .data
            .iter()
            .any(|data| data.name == of && data.is_broken())
        {
            // Stands anywhere: what is wrong with the table is enough to tell.
            return Some(Variable::Number(Number::Place, None));
        }
        let column = self.column(of, member, form).map(Variable::Column);
        column.or_else(|| {
            let slot = self.ids.iter().position(|name| *name == Some(of))?;
            (member == "id").then_some(Variable::IdOf(slot as u16))
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
        let ids = self.ids.iter().flatten();
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
        scope.ids = vec![None, Some("subscribe")];
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
