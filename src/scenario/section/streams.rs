//! Checks that answers can be told apart: by a stamp, by an id, or else by their bytes or by what is expected of them.

use super::cohort::Cohort;
use super::expect::Expect;
use super::heartbeat::Heartbeat;
use super::matching::{Condition, Match};
use super::payload::{Payload, Segment};
use super::step::Verb;
use super::steps;
use super::talk::Lists;
use crate::scenario::reading::{Check, Items as _, Place};

/// What is known of answers that have neither stamp nor id.
enum Answers<'a> {
    /// They are the same bytes.
    Same(&'a Payload),
    /// One of these holds of them.
    Matching(&'a [Match]),
}

/// A message or a step that waits for such answers.
struct Waiting<'a> {
    name: &'a str,
    answers: Answers<'a>,
    key: &'a str,
    place: &'a Place,
    /// Whether it is a step: there is one at a time.
    is_step: bool,
}

/// Notes each message and step of a cohort whose answers cannot be told from those to an earlier one, or to the
/// heartbeat. `lists` holds the tables of its messages and steps. In the set-up there is nothing else to be answered.
pub(super) fn check(check: &mut Check<'_>, lists: Lists<'_>, cohort: &Cohort) {
    let messages = cohort.messages.iter().zip(lists.message.1.items());
    let messages = messages.filter_map(|(message, table)| {
        Some(Waiting {
            name: &message.name,
            answers: Answers::of(&message.payload, &message.expect)?,
            key: lists.message.0,
            place: &table.place,
            is_step: false,
        })
    });
    let tables = steps::each(lists.step.1);
    let setup = steps::each(lists.setup.1).len();
    let steps = cohort.each_step().skip(setup).zip(tables);
    let steps = steps.filter_map(|(step, table)| match &step.verb {
        Verb::Send(send) => Some(Waiting {
            name: step.name.as_deref().unwrap_or_default(),
            answers: Answers::of(&send.payload, &send.expect)?,
            key: lists.step.0,
            place: &table.place,
            is_step: true,
        }),
        _ => None,
    });
    let all: Vec<Waiting<'_>> = messages.chain(steps).collect();
    let heartbeat = cohort.heartbeat.iter().flat_map(Heartbeat::matches);
    let heartbeat: Vec<&Match> = heartbeat.filter(|one| !one.has_id()).collect();
    for (index, one) in all.iter().enumerate() {
        let earlier = all[..index].iter();
        let earlier = earlier.filter(|earlier| !(earlier.is_step && one.is_step));
        let twins = earlier.filter(|earlier| earlier.answers.alike(&one.answers));
        let mut rivals: Vec<String> = twins
            .map(|twin| format!("those to `{}`", twin.name))
            .collect();
        let mut texts = heartbeat.iter();
        if texts.any(|text| Answers::Matching(std::slice::from_ref(*text)).alike(&one.answers)) {
            rivals.push("those to the heartbeat".into());
        }
        let (key, hint) = match one.answers {
            Answers::Same(_) if !one.is_step => (
                "payload",
                "send different bytes, or put `{{stamp}}` into the text",
            ),
            Answers::Same(_) => (
                "send",
                "send different bytes, or put `{{stamp}}` into the text",
            ),
            Answers::Matching(_) => {
                let hint = "put `{{id}}` into what is sent and into what is expected, or expect something else";
                ("expect", hint)
            }
        };
        for rival in rivals {
            let what = format_args!("has answers that cannot be told from {rival}");
            check.problem(&format!("{}.{key}", one.key), one.place, what, hint);
        }
    }
}

impl<'a> Answers<'a> {
    /// `None` if there are none, or each of them names what it answers.
    fn of(payload: &'a Payload, expect: &'a Expect) -> Option<Self> {
        match expect {
            Expect::Echo if !payload.has_stamp() => Some(Self::Same(payload)),
            Expect::Match(all) if !all.iter().any(Match::has_id) => Some(Self::Matching(all)),
            Expect::Echo | Expect::Match(_) | Expect::Stamp | Expect::None => None,
        }
    }

    /// Whether a message may be one of either: the filling of a payload without a stamp is not specified.
    fn alike(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Same(Payload::Fixed(one)), Self::Same(Payload::Fixed(other))) => one == other,
            (Self::Same(one), Self::Same(other)) => one.longest() == other.longest(),
            (Self::Matching(one), Self::Matching(other)) => {
                one.iter().any(|one| other.contains(one))
            }
            (Self::Same(payload), Self::Matching(all))
            | (Self::Matching(all), Self::Same(payload)) => {
                all.iter().any(|one| is_text(one, payload))
            }
        }
    }
}

/// Whether a match is one of these bytes and of nothing else.
fn is_text(one: &Match, payload: &Payload) -> bool {
    match (&*one.conditions, payload) {
        ([Condition::Whole(segments)], Payload::Fixed(bytes)) => {
            matches!(&segments[..], [Segment::Literal(text)] if text == bytes)
        }
        _ => false,
    }
}
