//! `[[message]]`: what is sent, when, and which answer is expected.

use std::time::Duration;

use super::expect::{self, Expect, ExpectGiven, ExpectWord};
use super::match_table::MatchGiven;
use super::matching::Match;
use super::payload::{self, Payload, PayloadGiven};
use super::save::{self, Save, SaveTable};
use super::scope::Scope;
use super::topic::{self, Publishing, To};
use crate::scenario::reading::{
    At, Check, Given as _, Items as _, Key, List, Section, Time, TimeOrZero, Whole, given, keys,
    words,
};
use crate::units::{ByteSize, Rate};

const MAX_MESSAGES: usize = 256;

/// A message that a connection sends repeatedly.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Letters, digits, `-` and `_`; unique in its cohort.
    pub name: String,
    /// The payload.
    pub payload: Payload,
    /// The opcode: text or binary.
    pub frame: FrameKind,
    /// When it is sent.
    pub pacing: Pacing,
    /// The number of sends per connection after which it stops. Above zero.
    pub count: Option<u64>,
    /// The expected answer.
    pub expect: Expect,
    /// What the answer must be like to be right, beside that.
    pub check: Option<Match>,
    /// What is kept of the answer.
    pub save: Vec<Save>,
    /// The longest time from the send to the answer, and from the intended send to a delivery. Above zero.
    pub timeout: Duration,
    /// Who should hear it; then its payload has a stamp.
    pub to: Option<To>,
}

words! {
    /// As text or as binary (RFC 6455 section 5.6).
    pub enum FrameKind {
        /// Opcode 1.
        Text,
        /// Opcode 2.
        Binary,
    }
}

/// When a message is sent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pacing {
    /// On a schedule (open model). With `in_flight`, at most this many messages are unanswered at a time.
    Open {
        /// The rate of each connection.
        rate: Rate,
        /// How the gaps vary.
        gaps: Gaps,
        /// The offset of a connection's first send within the gap.
        phase: Phase,
        /// The most unanswered messages. Above zero.
        in_flight: Option<u32>,
    },
    /// As soon as an answer has come (closed model).
    Closed {
        /// The number of unanswered messages at a time. Above zero.
        in_flight: u32,
        /// The time from an answer to the next send. May be zero.
        think: Duration,
    },
}

words! {
    /// How the gaps of a schedule vary.
    pub enum Gaps {
        /// All alike.
        Constant,
        /// Exponential: a Poisson process.
        Poisson,
    }
}

words! {
    /// Where in the gap a connection starts.
    pub enum Phase {
        /// Connections are offset evenly.
        Spread,
        /// All at the same time.
        Aligned,
    }
}

keys! {
    /// A message that is sent again and again by every connection.
    #[serde(expecting = "a table")]
    MessageTable = "Message" {
        /// Names its metrics, as in `latency.<name>`: 1 to 64 letters, digits, `-` and `_`. Required.
        name: String,
        /// What is sent. Default { size = "64B" }.
        payload: PayloadGiven,
        /// As text or as binary.
        frame: FrameKind = FrameKind::Text,
        /// For each connection, whether the server answers or not (open model).
        rate: Rate,
        /// How the gaps vary. Only with `rate`.
        gaps: Gaps = Gaps::Constant,
        /// Where in the gap a connection starts. Only with `rate`.
        phase: Phase = Phase::Spread,
        /// The number of unanswered messages at a time: without `rate` for the closed model, with `rate` as a limit.
        in_flight: Whole<1, 1_000_000>,
        /// From an answer to the next send. Only without `rate`.
        think: TimeOrZero = TimeOrZero::ZERO,
        /// The number of sends on each connection after which it stops.
        count: Whole<1, { u32::MAX }>,
        /// What must come back: the same bytes, nothing, a message with the stamp, or one that a match holds of; a list
        /// means any of its matches. Any other text is the text of the answer.
        expect: ExpectGiven = ExpectGiven::Word(ExpectWord::Echo),
        /// What the answer must be like to be right, beside that.
        check: MatchGiven,
        /// What is kept of the answer, by the names that placeholders use.
        save: SaveTable,
        /// From the send to the answer, and to those who should hear it.
        timeout: Time = Time::seconds(5),
        /// Who should hear it: the members of this topic. `{{place / 20}}` and others of the connection may stand in it;
        /// the payload needs a stamp.
        to: String,
        /// Whether the server sends it back to a speaker that is a member. Only with `to`. Default true.
        #[serde(rename = "self")]
        comes_back: bool,
    }
}

/// Resolves the messages of one cohort, or the shared ones; `None` if one is invalid.
pub(super) fn resolve(
    check: &mut Check<'_>,
    scope: &Scope<'_>,
    path: &str,
    list: &Key<List<At<MessageTable>>>,
) -> Option<Vec<Message>> {
    let Some(At { value, place }) = list else {
        return Some(Vec::new());
    };
    let given = &value.0;
    if given.len() > MAX_MESSAGES {
        let what = format_args!("is given more than {MAX_MESSAGES} times");
        check.problem(path, place, what, None);
        return None;
    }
    let resolved: Vec<_> = given
        .iter()
        .map(|At { value: keys, place }| {
            let check = &mut *check;
            keys.resolve(&mut Section { check, path, place }, scope)
        })
        .collect();
    resolved.into_iter().collect()
}

/// Declares the names of what is kept of the answers.
pub(super) fn declare<'a>(scope: &mut Scope<'a>, list: &'a Key<List<At<MessageTable>>>) {
    for At { value: keys, .. } in list.items() {
        save::declare(scope, &keys.save, &keys.name);
    }
}

impl MessageTable {
    fn resolve(&self, section: &mut Section<'_, '_>, scope: &Scope<'_>) -> Option<Message> {
        let hint = "write `name = \"echo\"`; its metrics are named after it";
        let name = section.name(&self.name, hint);
        let frame = self.frame();
        let place = self.expect.place().unwrap_or(section.place).clone();
        let expect = expect::resolve(section, scope, &self.expect(), &place);
        let payload = match &self.payload {
            Some(given) => {
                payload::resolve(section.check, scope, &section.key("payload"), given, frame)
            }
            None => Some(Payload::Size(ByteSize(64))),
        };
        if let (Some(payload), Some(expect)) = (&payload, &expect) {
            expect::fits(section, expect, payload, &given!(self; payload, expect));
        }
        let answer = expect::answer(section, scope, expect.as_ref(), &self.check, &self.save);
        let to = topic::to(
            section,
            scope.data,
            &Publishing {
                to: &self.to,
                comes_back: &self.comes_back,
                timeout: (&self.timeout, self.timeout()),
                payload: payload.as_ref(),
                expect: expect.as_ref(),
            },
        );
        let pacing = self.pacing(section);
        if expect == Some(Expect::None) && self.in_flight.is_some() {
            section.wrong(
                "in_flight",
                &self.in_flight,
                "cannot be used with `expect = \"none\"`: nothing would ever be answered",
                "leave it out and use `rate`",
            );
        }
        let (check, save) = answer?;
        Some(Message {
            name: name?,
            payload: payload?,
            frame,
            pacing: pacing?,
            count: self.count.value(),
            expect: expect?,
            check,
            save,
            timeout: self.timeout().0,
            to: to?,
        })
    }

    fn pacing(&self, section: &mut Section<'_, '_>) -> Option<Pacing> {
        let in_flight = self.in_flight.value();
        if let Some(rate) = self.rate.value() {
            let because = "cannot be used with `rate`, which says when to send";
            section.excluded(&given!(self; think), because, "leave out one of them");
            return Some(Pacing::Open {
                rate,
                gaps: self.gaps(),
                phase: self.phase(),
                in_flight,
            });
        }
        let Some(in_flight) = in_flight else {
            let hint = "write `rate = \"10/s\"`, or `in_flight = 1` to wait for each answer";
            section.missing(&["rate", "in_flight"], hint);
            return None;
        };
        let because = "is only for messages with a `rate`";
        let hint = "leave it out, or add a `rate`";
        section.excluded(&given!(self; gaps, phase), because, hint);
        Some(Pacing::Closed {
            in_flight,
            think: self.think().0,
        })
    }
}
