//! `[[on]]`: what a client does with messages that nothing else takes.

use super::expect;
use super::match_table::{self, MatchGiven};
use super::matching::{Condition, Match};
use super::message::FrameKind;
use super::payload::{self, Payload, PayloadGiven, Segment};
use super::save::{self, Save, SaveTable};
use super::scope::Scope;
use super::variable::Variable;
use crate::json::Pointer;
use crate::scenario::reading::{At, Check, Items as _, Key, List, Section, keys, words};

/// What is done with each message that nothing else takes and that this matches. The first in the order of the file
/// takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct On {
    /// Names its metrics, as in `gap.<name>`. Unique in its cohort.
    pub name: String,
    /// Which messages it takes.
    pub matching: Match,
    /// What is sent at once.
    pub reply: Option<(Payload, FrameKind)>,
    /// What a message must be like to be right.
    pub check: Option<Match>,
    /// What is kept of it.
    pub save: Vec<Save>,
    /// Where a number stands that goes up by one from message to message.
    pub seq: Option<Pointer>,
    /// Where the time stands at which the server sent it.
    pub time: Option<ServerTime>,
}

/// A time by the server's clock, in a message.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerTime {
    /// Where it stands.
    pub at: Pointer,
    /// How it is written.
    pub unit: TimeUnit,
}

words! {
    /// How a time is written: since 1970 in this unit, or as RFC 3339 has it.
    pub enum TimeUnit {
        /// Seconds; they may have a fraction.
        S,
        /// Milliseconds.
        Ms,
        /// Microseconds.
        Us,
        /// Nanoseconds.
        Ns,
        /// Such as `2026-11-28T12:30:00.125Z` (RFC 3339 section 5.6).
        Iso,
    }
}

keys! {
    /// What a client does with messages that nothing else takes. The first match in the order of the file takes a message.
    #[serde(expecting = "a table")]
    OnTable = "On" {
        /// Names its metrics, as in `gap.<name>`: 1 to 64 letters, digits, `-` and `_`. Required.
        name: String,
        /// Which messages it takes. Required.
        r#match: MatchGiven,
        /// What is sent at once.
        reply: PayloadGiven,
        /// How `reply` is sent: as text or as binary.
        frame: FrameKind = FrameKind::Text,
        /// What a message must be like to be right, beside that.
        check: MatchGiven,
        /// What is kept of it, by the names that placeholders use.
        save: SaveTable,
        /// The pointer to a number that goes up by one from message to message: gaps, repeats and wrong order are counted.
        seq: String,
        /// Where the server's time stands in it: its age is measured.
        time: TimeTable,
    }
}

keys! {
    /// Where a time by the server's clock stands in a message.
    #[serde(expecting = "a table such as { at = \"/ts\", unit = \"ms\" }")]
    TimeTable = "ServerTime" {
        /// The pointer to it. Required.
        at: String,
        /// Since 1970 in this unit, or "iso" for a text such as "2026-11-28T12:30:00.125Z". Required.
        unit: TimeUnit,
    }
}

/// Declares the names of what is kept.
pub(super) fn declare<'a>(scope: &mut Scope<'a>, list: &'a Key<List<At<OnTable>>>) {
    for At { value: keys, .. } in list.items() {
        save::declare(scope, &keys.save, &keys.name);
    }
}

/// Reads the list; `None` if something in it is wrong. `ready` is what is known when a client is ready.
pub(super) fn resolve(
    check: &mut Check<'_>,
    ready: &Scope<'_>,
    path: &str,
    list: &Key<List<At<OnTable>>>,
) -> Option<Vec<On>> {
    let all: Vec<Option<On>> = (list.items().iter())
        .map(|At { value: keys, place }| {
            keys.resolve(
                &mut Section {
                    check: &mut *check,
                    path,
                    place,
                },
                ready,
            )
        })
        .collect();
    all.into_iter().collect()
}

impl OnTable {
    fn resolve(&self, section: &mut Section<'_, '_>, ready: &Scope<'_>) -> Option<On> {
        let name = section.name(
            &self.name,
            "write `name = \"price\"`; its metrics are named after it",
        );
        // All that is kept can be named. What is not known yet takes no message.
        let mut scope = ready.clone();
        scope.is_sent = false;
        scope.learn_all();
        let matching = match &self.r#match {
            Some(At { value, place }) => {
                match_table::one(section.check, &scope, &section.key("match"), place, value)
            }
            None => {
                section.missing(&["match"], "write `match = { \"/type\" = \"price\" }`");
                None
            }
        };
        let answer = expect::answer(section, &scope, None, &self.check, &self.save);
        scope.is_sent = true;
        let reply = self.reply(section, &scope);
        let seq = pointer(section, "seq", &self.seq);
        let time = time(section, &self.time);
        let (check, save) = answer?;
        let (mut matching, reply) = (matching?, reply?);
        let needed = needed(reply.as_ref(), &save);
        matching.conditions = matching.conditions.iter().cloned().chain(needed).collect();
        Some(On {
            name: name?,
            matching,
            reply,
            check,
            save,
            seq: seq?,
            time: time?,
        })
    }

    /// The inner `None` is no reply.
    fn reply(
        &self,
        section: &mut Section<'_, '_>,
        scope: &Scope<'_>,
    ) -> Option<Option<(Payload, FrameKind)>> {
        let Some(given) = &self.reply else {
            if let Some(at) = &self.frame {
                section.wrong_at(
                    "frame",
                    &at.place,
                    "is only for a `reply`",
                    "leave it out, or add one",
                );
            }
            return Some(None);
        };
        let payload = payload::resolve(
            section.check,
            scope,
            &section.key("reply"),
            given,
            self.frame(),
        )?;
        if payload.has_id() || payload.has_stamp() {
            let what = "has `{{id}}` or a stamp, and nothing answers a reply";
            section.wrong(
                "reply",
                &self.reply,
                what,
                "keep the id of the message with `save`, and send that",
            );
        }
        Some(Some((payload, self.frame())))
    }
}

/// Resolves `time`; the inner `None` is no time.
pub(super) fn time(
    section: &mut Section<'_, '_>,
    given: &Key<TimeTable>,
) -> Option<Option<ServerTime>> {
    let Some(At { value: keys, place }) = given else {
        return Some(None);
    };
    let path = &section.key("time");
    let section = &mut Section {
        check: &mut *section.check,
        path,
        place,
    };
    if keys.at.is_none() {
        section.missing(&["at"], "write `at = \"/ts\"`");
    }
    let unit = section.required("unit", &keys.unit, "write `unit = \"ms\"`");
    let at = pointer(section, "at", &keys.at);
    Some(Some(ServerTime {
        at: at??,
        unit: unit?,
    }))
}

/// The inner `None` is no pointer.
fn pointer(
    section: &mut Section<'_, '_>,
    key: &str,
    given: &Key<String>,
) -> Option<Option<Pointer>> {
    match given {
        Some(written) => match_table::pointer(section.check, &section.key(key), written).map(Some),
        None => Some(None),
    }
}

/// What has to be known for a reply: what was kept before, and ids.
fn needed(reply: Option<&(Payload, FrameKind)>, save: &[Save]) -> Vec<Condition> {
    let Some((Payload::Template(segments), _)) = reply else {
        return Vec::new();
    };
    let needed = segments.iter().filter_map(|segment| match segment {
        Segment::Variable(variable @ Variable::Saved { name, .. }) => {
            let is_own = save.iter().any(|save| save.name == *name);
            (!is_own).then_some(*variable)
        }
        Segment::Variable(variable @ Variable::IdOf(_)) => Some(*variable),
        _ => None,
    });
    needed.map(Condition::Known).collect()
}

impl On {
    /// Whether messages tell how old they are.
    pub fn tells_age(&self) -> bool {
        self.time.is_some()
    }

    /// Whether it follows the numbers of messages.
    pub fn counts(&self) -> bool {
        self.seq.is_some()
    }
}
