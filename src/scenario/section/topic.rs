//! Topics: who should hear a message (`to`), and who is a member (`joins`).

use std::collections::HashMap;
use std::sync::Arc;

use super::cohort::Cohort;
use super::data::Data;
use super::payload::{Payload, Segment};
use super::scope::Scope;
use super::template;
use super::variable::{Change, Number, Variable};
use crate::scenario::reading::{At, Check, Key, OneOrMany, Place};
use crate::units::human_count;

/// The most topics of a run.
pub const MAX_TOPICS: usize = 1 << 16;
/// The most topics that a connection is in.
pub const MAX_JOINED: usize = 8;
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

/// Resolves the topics that the connections of a cohort are in; `None` if one is invalid.
pub(super) fn joins(
    check: &mut Check<'_>,
    data: &[Data],
    given: &Key<OneOrMany<String>>,
) -> Option<Vec<Topic>> {
    const KEY: &str = "cohort.joins";
    let Some(whole) = given else {
        return Some(Vec::new());
    };
    let each = OneOrMany::each(whole);
    if each.len() > MAX_JOINED {
        let what = format_args!("names more than {MAX_JOINED} topics");
        check.problem(KEY, &whole.place, what, None);
        return None;
    }
    let topics: Vec<_> = (each.into_iter())
        .map(|(place, value)| {
            let (value, place) = (value.clone(), place.clone());
            resolve(check, data, KEY, &At { value, place })
        })
        .collect();
    topics.into_iter().collect()
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
