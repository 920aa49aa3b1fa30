//! The problems of a scenario, each with its place and, where something can be done, a hint.
//! Rendered in the style of rustc, with the line and a caret.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::mask::masked;
use super::place::Place;
use super::schema::join;
use super::source::Source;

/// One problem of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key with the problem, such as `load.duration`.
    pub key: Option<String>,
    pub(in crate::scenario) place: Place,
    /// What is wrong, with the key in backticks.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Problem {
    pub(in crate::scenario) fn new(
        key: impl Into<String>,
        place: &Place,
        what: impl fmt::Display,
    ) -> Self {
        let key = key.into();
        Self {
            message: format!("`{key}` {what}"),
            key: Some(key),
            place: place.clone(),
            hint: None,
        }
    }

    /// Whether both report the same problem at the same place. A problem of a shared table may be noted again for a
    /// cohort, under the cohort's own key.
    fn repeats(&self, other: &Self) -> bool {
        self.place != Place::Nowhere && self.place == other.place && self.short() == other.short()
    }

    /// The last part of the key, and the message without the key.
    fn short(&self) -> (Option<&str>, &str) {
        let key = self.key.as_deref().unwrap_or_default();
        let rest = self.message.strip_prefix('`');
        let rest = rest.and_then(|rest| rest.strip_prefix(key));
        (key.rsplit('.').next(), rest.unwrap_or(&self.message))
    }

    /// The range of bytes in the scenario's text; `None` if the problem is about something that was left out, or about
    /// an option of the command line.
    pub fn span(&self) -> Option<Range<usize>> {
        self.place.span()
    }
}

/// All problems of a scenario, in the order of the text; problems outside the text come last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    source: Source,
    list: Vec<Problem>,
    more: usize,
}

impl std::error::Error for Problems {}

impl Problems {
    /// The number of problems that are kept; further ones are counted.
    pub const MAX: usize = 100;

    pub(in crate::scenario) fn new(source: &Source) -> Self {
        Self {
            source: source.clone(),
            list: Vec::new(),
            more: 0,
        }
    }

    /// The problems that are kept.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// The number of problems.
    pub fn len(&self) -> usize {
        self.list.len() + self.more
    }

    /// Whether there are no problems. Never true for what [`crate::scenario::parse()`] returns.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text of [`fmt::Display`] with the colours of a terminal.
    pub fn coloured(&self) -> String {
        self.render(&Renderer::styled())
    }

    /// Gives the problems of these keys at this place another name for the key.
    pub(in crate::scenario) fn rename(
        &mut self,
        place: &Range<usize>,
        keys: &[String],
        name: &str,
    ) {
        let here = Place::Text(place.clone());
        for problem in self.list.iter_mut().filter(|one| one.place == here) {
            let Some(key) = problem.key.clone() else {
                continue;
            };
            if let Some((path, last)) = key.rsplit_once('.')
                && keys.iter().any(|key| key == last)
            {
                let renamed = join(path, name);
                problem.message = problem.message.replacen(&key, &renamed, 1);
                problem.key = Some(renamed);
            }
        }
    }

    /// Keeps a problem, unless the same problem was noted for the same place before.
    pub(in crate::scenario) fn push(&mut self, problem: Problem) {
        if self.list.iter().any(|known| known.repeats(&problem)) {
            return;
        }
        if self.list.len() < Self::MAX {
            self.list.push(problem);
        } else {
            self.more += 1;
        }
    }

    /// Counts further problems without keeping them.
    pub(in crate::scenario) fn and_more(&mut self, more: usize) {
        self.more += more;
    }

    pub(in crate::scenario) fn is_full(&self) -> bool {
        self.more > 0
    }

    pub(in crate::scenario) fn sort(&mut self) {
        // The sort is stable: problems of one place stay in the order in which they were found.
        self.list.sort_by_key(|problem| match problem.span() {
            Some(span) => (false, span.start),
            None => (true, 0),
        });
    }

    fn render(&self, renderer: &Renderer) -> String {
        let mut all: Vec<String> = self
            .list
            .iter()
            .map(|problem| self.render_one(problem, renderer))
            .collect();
        if self.more > 0 {
            all.push(format!("and {} more", self.more));
        }
        all.join("\n\n")
    }

    fn render_one(&self, problem: &Problem, renderer: &Renderer) -> String {
        let title = Level::ERROR.primary_title(&problem.message);
        let main = match &problem.place {
            Place::Text(span) => title.element(
                Snippet::source(masked(&self.source.text))
                    .path(&self.source.name)
                    .annotation(AnnotationKind::Primary.span(first_line(&self.source.text, span))),
            ),
            Place::Option(option) => title.element(Origin::path(*option)),
            Place::Line(file, line) => {
                title.element(Origin::path(file.as_str()).line(*line as usize))
            }
            Place::Nowhere => title.element(Origin::path(&self.source.name)),
        };
        let hint = problem.hint.as_deref().map(|hint| {
            let level = Level::HELP.with_name(Some("hint"));
            Group::with_title(level.secondary_title(hint))
        });
        let groups: Vec<Group<'_>> = std::iter::once(main).chain(hint).collect();
        renderer.render(&groups)
    }
}

impl fmt::Display for Problems {
    /// Writes each problem with file name, line and caret, then `hint: …`; one empty line between two. No colour.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

/// The part of a span on its first line, which is enough to find the place.
fn first_line(text: &str, span: &Range<usize>) -> Range<usize> {
    let length = text
        .get(span.clone())
        .map_or(0, |part| part.lines().next().unwrap_or_default().len());
    span.start.min(text.len())..(span.start + length).min(text.len())
}
