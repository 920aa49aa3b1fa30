//! What is wrong with a scenario: every problem with its place and, where there is something to do, a hint.
//! Rendered the way rustc does it, with the line and a caret.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::place::Place;
use super::source::Source;
use super::veil::veiled;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key it is about, such as `load.duration`.
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

    /// Whether both say the same about one place; a cohort has what is said above under its own full name.
    fn repeats(&self, other: &Self) -> bool {
        self.place != Place::Nowhere && self.place == other.place && self.short() == other.short()
    }

    /// The last part of the key, and the message without it.
    fn short(&self) -> (Option<&str>, &str) {
        let key = self.key.as_deref().unwrap_or_default();
        let rest = self.message.strip_prefix('`');
        let rest = rest.and_then(|rest| rest.strip_prefix(key));
        (key.rsplit('.').next(), rest.unwrap_or(&self.message))
    }

    /// The bytes of the scenario's text it is about; `None` where it is about something that was left out,
    /// or about an option of the command line.
    pub fn span(&self) -> Option<Range<usize>> {
        self.place.span()
    }
}

/// Everything that is wrong with a scenario, in the order of the text; what is not in the text comes last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems {
    source: Source,
    list: Vec<Problem>,
    more: usize,
}

impl std::error::Error for Problems {}

impl Problems {
    /// So many are kept; the rest is counted.
    pub const MAX: usize = 100;

    pub(in crate::scenario) fn new(source: &Source) -> Self {
        Self {
            source: source.clone(),
            list: Vec::new(),
            more: 0,
        }
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.list.iter()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len() + self.more
    }

    /// Whether there are none. Never so for what [`crate::scenario::parse()`] returns.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As [`fmt::Display`] writes it, in the colours of a terminal.
    pub fn coloured(&self) -> String {
        self.render(&Renderer::styled())
    }

    /// Keeps a problem, unless the same was said about the same place before.
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

    /// Counts some that are not worth their lines.
    pub(in crate::scenario) fn and_more(&mut self, more: usize) {
        self.more += more;
    }

    pub(in crate::scenario) fn is_full(&self) -> bool {
        self.more > 0
    }

    pub(in crate::scenario) fn sort(&mut self) {
        // Stable: what is about one place stays in the order it was found.
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
                Snippet::source(veiled(&self.source.text))
                    .path(&self.source.name)
                    .annotation(AnnotationKind::Primary.span(first_line(&self.source.text, span))),
            ),
            Place::Option(option) => title.element(Origin::path(*option)),
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
    /// Each with file name, line and caret, then `hint: …`; one empty line between two. No colour.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(&Renderer::plain()))
    }
}

/// The part of a span on its first line: one line is enough to find the place.
fn first_line(text: &str, span: &Range<usize>) -> Range<usize> {
    let length = text
        .get(span.clone())
        .map_or(0, |part| part.lines().next().unwrap_or_default().len());
    span.start.min(text.len())..(span.start + length).min(text.len())
}
