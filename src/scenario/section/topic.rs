//! Topics: who should hear a message (`to`), and who is a member (`joins`).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::cohort::Cohort;
use super::data::Data;
use super::expect::Expect;
use super::payload::{Payload, Segment};
use super::scope::Scope;
use super::steps;
use super::talk::Lists;
use super::template;
use super::variable::{Change, Number, Variable};
use crate::scenario::reading::{At, Check, Given as _, Key, OneOrMany, Place, Section, Time};
use crate::units::human_count;

/// The most topics of a run.
pub const MAX_TOPICS: usize = 1 << 16;
/// The most topics that a connection is in.
pub const MAX_JOINED: usize = 8;
/// The most messages and steps of a cohort that are published: their numbers stand in stamps.
const MAX_PUBLISHED: usize = 256;
/// The longest timeout of what is published: what members hear is kept for so long.
const MAX_PATIENCE: Duration = Duration::from_secs(60);
/// The longest name of a topic in bytes.
const MAX_NAME: usize = 256;

/// The name of a topic: a text that the plan can write for each connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Topic(Arc<[Segment]>);

/// Who should hear a message: the members of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct To {
    /// The topic.
    pub topic: Topic,
    /// Whether the server sends the message back to its speaker, if that is a member.
    pub comes_back: bool,
}

/// A message or a step with `to`.
#[derive(Debug, Clone, Copy)]
pub struct WithTo<'a> {
    /// Its slot; see [`Cohort::each_step`].
    pub slot: usize,
    /// Who should hear it.
    pub to: &'a To,
    /// The expected answer.
    pub expect: &'a Expect,
    /// How long after it was due it should be heard.
    pub timeout: Duration,
}

impl Topic {
    /// What its name consists of: literals, and variables that the plan knows.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// At most how many different names it has in a cohort.
    fn names(&self, cohort: &Cohort, data: &[Data]) -> u64 {
        let connections = u64::from(cohort.connections);
        let of = |variable: Variable| match variable {
            Variable::Number(number, change) => match change {
                Some(Change::Rest(k)) => k.min(connections),
                // Places count from zero; numbers of connections may begin within such a group.
                Some(Change::Over(k)) => {
                    connections.div_ceil(k) + u64::from(number != Number::Place)
                }
                Some(Change::Plus(_)) | None => connections,
            },
            Variable::Column(column) => data[usize::from(column.data)].rows(),
            _ => 1,
        };
        let variables = self.0.iter().flat_map(Segment::variables);
        let all = variables.map(of).fold(1, u64::saturating_mul);
        all.min(connections)
    }

    /// Whether two cohorts can have the same names of it.
    fn is_shared(&self) -> bool {
        let differs = |variable| {
            matches!(
                variable,
                Variable::Cohort | Variable::Number(Number::Connection, _)
            )
        };
        !self.0.iter().flat_map(Segment::variables).any(differs)
    }
}

/// Resolves the name of a topic; `None` if it is invalid.
pub(super) fn resolve(
    check: &mut Check<'_>,
    data: &[Data],
    key: &str,
    text: &At<String>,
) -> Option<Topic> {
    let place = text.place.clone();
    let value = check.expand(key, text)?;
    let scope = Scope {
        data,
        ..Scope::default()
    };
    let payload = template::text(check, &scope, key, &At { value, place })?;
    if !(1..=MAX_NAME as u64).contains(&payload.longest()) {
        let what = format_args!("is not 1 to {MAX_NAME} bytes long");
        check.problem(
            key,
            &text.place,
            what,
            "write it like \"room-{{place / 20}}\"",
        );
        return None;
    }
    Some(Topic(match payload {
        Payload::Template(segments) => segments,
        Payload::Fixed(bytes) => [Segment::Literal(bytes)].into(),
        Payload::Size(_) => return None,
    }))
}

/// The keys of a message or of a step that say who should hear it, and what they have to fit.
pub(super) struct Publishing<'a> {
    pub(super) to: &'a Key<String>,
    pub(super) comes_back: &'a Key<bool>,
    /// As it was given, and as it is.
    pub(super) timeout: (&'a Key<Time>, Time),
    pub(super) payload: Option<&'a Payload>,
    pub(super) expect: Option<&'a Expect>,
}

/// Resolves who should hear a message or a step; the inner `None` is nobody. `None` if that is invalid.
pub(super) fn to(
    section: &mut Section<'_, '_>,
    data: &[Data],
    given: &Publishing<'_>,
) -> Option<Option<To>> {
    let comes_back = given.comes_back.value();
    let Some(text) = given.to else {
        let what = "is only for messages with `to`";
        let hint = "leave it out, or add `to`";
        section.excluded(&[("self", given.comes_back.place())], what, hint);
        return Some(None);
    };
    let topic = resolve(section.check, data, &section.key("to"), text);
    if given.payload.is_some_and(|payload| !payload.has_stamp()) {
        let what = "names who hears it, but its payload holds no stamp";
        section.wrong("to", given.to, what, "put `{{stamp}}` into its text");
    }
    let (timeout, length) = &given.timeout;
    if length.0 > MAX_PATIENCE {
        let what = "is longer than 60s, which is the most for a message with `to`";
        section.wrong("timeout", timeout, what, "write `timeout = \"5s\"`");
    }
    if comes_back == Some(false) && matches!(given.expect, Some(Expect::Echo | Expect::Stamp)) {
        section.wrong(
            "self",
            given.comes_back,
            "says that the message does not come back, and `expect` that it does",
            "write `expect = \"none\"`",
        );
    }
    Some(Some(To {
        topic: topic?,
        comes_back: comes_back.unwrap_or(true),
    }))
}

/// Resolves one topic or a list of them; `None` if one is invalid.
pub(super) fn list(
    section: &mut Section<'_, '_>,
    data: &[Data],
    key: &str,
    given: &Key<OneOrMany<String>>,
) -> Option<Vec<Topic>> {
    let Some(whole) = given else {
        return Some(Vec::new());
    };
    let each = OneOrMany::each(whole);
    if each.len() > MAX_JOINED {
        let what = format_args!("names more than {MAX_JOINED} topics");
        section.wrong(key, given, what, None);
        return None;
    }
    let key = &section.key(key);
    let topics: Vec<_> = (each.into_iter())
        .map(|(place, value)| {
            let (value, place) = (value.clone(), place.clone());
            resolve(section.check, data, key, &At { value, place })
        })
        .collect();
    topics.into_iter().collect()
}

/// Checks what the steps of a cohort do with its topics: none is left that nobody joins, and a connection is never in too
/// many.
pub(super) fn check_steps(check: &mut Check<'_>, lists: Lists<'_>, cohort: &Cohort) {
    let tables = [lists.setup, lists.step].map(|(path, list)| {
        let tables = steps::each(list).into_iter();
        tables.map(move |table| (path, &table.value))
    });
    let mut joined: HashSet<&Topic> = cohort.joins.iter().collect();
    let all = || cohort.each_step().zip(tables.clone().into_iter().flatten());
    for (step, (path, table)) in all() {
        joined.extend(step.joins());
        if let Some(given) = table.joins.as_ref().filter(|_| joined.len() > MAX_JOINED) {
            let what =
                format_args!("comes to more than {MAX_JOINED} topics of a connection in all");
            check.problem(&format!("{path}.joins"), &given.place, what, None);
            break;
        }
    }
    for (step, (path, table)) in all() {
        let given = table.leaves.as_ref().map(OneOrMany::each);
        for (topic, (place, _)) in step.leaves().iter().zip(given.into_iter().flatten()) {
            if !joined.contains(topic) {
                let what = "is a topic that nothing joins";
                let hint = "write it as in `joins` of a step or of the cohort";
                check.problem(&format!("{path}.leaves"), place, what, hint);
            }
        }
    }
    let published = cohort.published().len();
    if published > MAX_PUBLISHED {
        let what = format_args!(
            "has more than {MAX_PUBLISHED} messages and steps with `to` in one cohort"
        );
        check.problem(lists.step.0, &lists.place(), what, None);
    }
}

/// Notes more topics than a run can have.
pub(super) fn check_number(
    check: &mut Check<'_>,
    place: &Place,
    cohorts: &[Cohort],
    data: &[Data],
) {
    // The names of each topic, by its cohort unless all have the same.
    let mut names: HashMap<(&Topic, Option<usize>), u64> = HashMap::new();
    for (index, cohort) in cohorts.iter().enumerate() {
        for topic in cohort.topics() {
            let of = (!topic.is_shared()).then_some(index);
            let most = names.entry((topic, of)).or_default();
            *most = topic.names(cohort, data).max(*most);
        }
    }
    let all = names.values().copied().fold(0, u64::saturating_add);
    if all > MAX_TOPICS as u64 {
        let (all, most) = (human_count(all), human_count(MAX_TOPICS as u64));
        let what = format_args!("may come to {all} topics in all, more than {most}");
        let hint = "put more connections into each, as in \"room-{{place / 20}}\"";
        check.problem("message.to", place, what, hint);
    }
}
