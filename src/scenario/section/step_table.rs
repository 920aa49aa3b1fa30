//! `[[setup]]` and `[[step]]` as the user writes them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserialize, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use super::expect::ExpectGiven;
use super::http::HttpTable;
use super::match_table::MatchGiven;
use super::message::{FrameKind, Gaps, Phase};
use super::on::TimeTable;
use super::payload::PayloadGiven;
use super::save::SaveTable;
use super::step::{OnFail, Pause, TurnPace, Verb};
use crate::scenario::reading::{
    At, Given as _, List, OneOrMany, Percent, Section, Time, TimeOrZero, Whole, Window, given,
    hints, keys, words,
};
use crate::units::Rate;

/// The longest reason of a Close frame: RFC 6455 section 5.5 allows 125 bytes, two of which are the code.
const MAX_REASON: usize = 123;

words! {
    /// What a client can wait for without a message.
    pub enum WaitWord {
        /// The measured window begins.
        Measuring,
    }
}

keys! {
    /// One thing that a client does in its turn: exactly one of `http`, `send`, `await`, `pause`, `repeat`, `wait_for`,
    /// `close` and `reconnect`, and what belongs to it.
    #[serde(expecting = "a table")]
    StepTable = "Step" {
        /// Names its metrics, as in `latency.<name>`: 1 to 64 letters, digits, `-` and `_`. Required where something is
        /// timed: with `http`, with `await`, and with a `send` that expects an answer.
        name: String,
        /// Asks a server by HTTP, and waits for its answer. In `[[setup]]`, before every other verb: requests come before
        /// the connection is dialled. Where the address of the clients is http://, everywhere.
        http: HttpTable,
        /// Sends a message, and waits for its answer.
        send: PayloadGiven,
        /// Waits for a message that no send asked for; a list means any of its matches.
        r#await: OneOrMany<MatchGiven>,
        /// Does nothing for so long: "2s", between two times ["1s", "3s"], or with an exponential { mean = "2s" }.
        pause: PauseGiven,
        /// Plays the `[[step.step]]` below it in turns.
        repeat: RepeatTable,
        /// Waits until the measured window begins, and so until all clients are ready.
        wait_for: WaitWord,
        /// Sends a Close frame: a planned end.
        close: CloseTable,
        /// Closes the connection and dials again; then set-up and steps are played from their beginning.
        reconnect: RedialTable,
        /// The steps of a `repeat`.
        step: List<At<StepTable>>,
        /// Which message is the answer to `send`; as in `[[message]]`. Required there.
        expect: ExpectGiven,
        /// What the message that has come must be like to be right, beside that.
        check: MatchGiven,
        /// What is kept of the message that has come, by the names that placeholders use.
        save: SaveTable,
        /// Where the server's time stands in the answer to `http`: its age is measured, as `age.<name>`.
        time: TimeTable,
        /// The longest time until the message has come.
        timeout: Time = Time::seconds(5),
        /// How `send` sends: as text or as binary.
        frame: FrameKind = FrameKind::Text,
        /// Who should hear what is sent: the members of this topic, as in `[[message]]`.
        to: String,
        /// Whether the server sends it back to a speaker that is a member. Only with `to`. Default true.
        #[serde(rename = "self")]
        comes_back: bool,
        /// Topics that the connection is a member of from when the right answer, or what `await` waits for, has come: one
        /// name or a list. At most 8 for a connection.
        joins: OneOrMany<String>,
        /// Topics that the connection is no longer a member of from the send on: one name or a list.
        leaves: OneOrMany<String>,
        /// How many messages `await` takes; its time is that of the last one.
        times: Whole<1, 1_000_000> = Whole(1),
        /// The probability with which it is played; from the seed.
        chance: Percent = Percent::ALL,
        /// What follows a wrong answer, a timeout or a `save` that found nothing. Default "close" in `[[setup]]` and
        /// "skip" in `[[step]]`.
        on_fail: OnFail,
    }
}

keys! {
    /// How often steps are played: until the end of the load, unless `count` or `for` end it.
    #[serde(expecting = "a table such as { count = 3 } or { rate = \"4/m\" }")]
    RepeatTable = "Repeat" {
        /// The number of turns.
        count: Whole<1, { u32::MAX }>,
        /// No turn begins after so long.
        r#for: Time,
        /// For each connection, when turns are due, whether the server keeps up or not.
        rate: Rate,
        /// How the gaps between turns vary. Only with `rate`.
        gaps: Gaps = Gaps::Constant,
        /// Where in the gap a connection starts. Only with `rate`.
        phase: Phase = Phase::Spread,
    }
}

keys! {
    /// The Close frame.
    #[serde(expecting = "a table such as { code = 1000 }")]
    CloseTable = "CloseStep" {
        /// 1000, or 3000 to 4999 (RFC 6455 section 7.4).
        code: Whole<1000, 4999> = Whole(1000),
        /// At most 123 bytes.
        reason: String,
    }
}

keys! {
    /// How a client comes back.
    #[serde(expecting = "a table such as { after = \"1s\" }")]
    RedialTable = "Redial" {
        /// From the end of the connection to the next dial.
        after: TimeOrZero = TimeOrZero::ZERO,
    }
}

keys! {
    /// An exponential time.
    #[serde(expecting = "a table such as { mean = \"2s\" }")]
    MeanTable = "Mean" {
        /// Its mean; it is at most 20 times as long.
        mean: Time,
    }
}

/// How long a pause lasts, as the user wrote it.
#[derive(Debug, Clone)]
pub(in crate::scenario) enum PauseGiven {
    Constant(Time),
    Even(Window),
    Mean(MeanTable),
}

impl StepTable {
    /// Why it cannot be a step of the set-up.
    pub(super) fn only_when_ready(&self) -> Option<&'static str> {
        let repeat = self.repeat.as_ref().map(|at| &at.value);
        let is_endless =
            repeat.is_some_and(|repeat| repeat.count.is_none() && repeat.r#for.is_none());
        if is_endless {
            Some("repeats without end, so that no client is ever ready")
        } else if self.wait_for.is_some() {
            Some("waits for the measured window, which begins only when all are ready")
        } else if self.close.is_some() {
            Some("closes the connection before the client is ready")
        } else if self.reconnect.is_some() {
            Some("dials again, so that no client is ever ready")
        } else {
            None
        }
    }

    /// Notes the keys that are not for a step with this verb.
    pub(super) fn check_keys_beside(&self, section: &mut Section<'_, '_>, verb: &str) {
        const OWNERS: [(&str, &[&str]); 12] = [
            ("expect", &["send"]),
            ("check", &["http", "send", "await"]),
            ("save", &["http", "send", "await"]),
            ("time", &["http"]),
            ("timeout", &["http", "send", "await"]),
            ("frame", &["send"]),
            ("to", &["send"]),
            ("self", &["send"]),
            ("joins", &["send", "await"]),
            ("leaves", &["send"]),
            ("times", &["await"]),
            ("step", &["repeat"]),
        ];
        let beside = given!(
            self;
            expect, check, save, time, timeout, frame, to, comes_back, joins, leaves, times, step
        );
        for ((key, owners), (_, place)) in OWNERS.iter().zip(beside) {
            if !owners.contains(&verb) {
                let because = format!("cannot be used with `{verb}`");
                let hint = format!("it belongs to {}", hints::one_of(owners.iter().copied()));
                section.excluded(&[(key, place)], &because, &hint);
            }
        }
    }

    /// Notes that it has no name, where it is timed.
    pub(super) fn require_name(&self, section: &mut Section<'_, '_>) {
        if self.name.is_none() {
            let hint = "write `name = \"login\"`; its metrics are named after it";
            section.missing(&["name"], hint);
        }
    }
}

impl CloseTable {
    pub(super) fn resolve(&self, section: &mut Section<'_, '_>) -> Option<Verb> {
        let code = self.code().0 as u16;
        if code != 1000 && code < 3000 {
            let what = format_args!(
                "cannot be {code}, which is not for applications (RFC 6455 section 7.4)"
            );
            section.wrong("code", &self.code, what, "write 1000, or 3000 to 4999");
        }
        let reason = match &self.reason {
            Some(text) => section.expand("reason", text)?,
            None => String::new(),
        };
        if reason.len() > MAX_REASON {
            let what = format_args!("is longer than {MAX_REASON} bytes");
            section.wrong("reason", &self.reason, what, None);
        }
        Some(Verb::Close { code, reason })
    }
}

impl RepeatTable {
    /// When its turns are due; `None`: each follows the one before.
    pub(super) fn pace(&self, section: &mut Section<'_, '_>) -> Option<TurnPace> {
        let Some(rate) = self.rate.value() else {
            let because = "is only for turns with a `rate`";
            let hint = "leave it out, or add a `rate`";
            section.excluded(&given!(self; gaps, phase), because, hint);
            return None;
        };
        Some(TurnPace {
            rate,
            gaps: self.gaps(),
            phase: self.phase(),
        })
    }
}

impl PauseGiven {
    /// Resolves the `pause` of this step.
    pub(super) fn resolve(&self, step: &mut Section<'_, '_>) -> Option<Pause> {
        Some(match self {
            Self::Constant(time) => Pause::Constant(time.0),
            Self::Even(window) => Pause::Even(window.0.lo, window.0.hi),
            Self::Mean(mean) => {
                let mut section = Section {
                    path: &step.key("pause"),
                    place: step.place,
                    check: &mut *step.check,
                };
                let hint = "write { mean = \"2s\" }";
                Pause::Exponential(section.required("mean", &mean.mean, hint)?.0)
            }
        })
    }
}

impl<'de> Deserialize<'de> for PauseGiven {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PauseVisitor)
    }
}

struct PauseVisitor;

impl<'de> Visitor<'de> for PauseVisitor {
    type Value = PauseGiven;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"2s\", [\"1s\", \"3s\"] or { mean = \"2s\" }")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<PauseGiven, E> {
        Time::deserialize(text.into_deserializer()).map(PauseGiven::Constant)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<PauseGiven, A::Error> {
        Window::deserialize(SeqAccessDeserializer::new(items)).map(PauseGiven::Even)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PauseGiven, A::Error> {
        MeanTable::deserialize(MapAccessDeserializer::new(map)).map(PauseGiven::Mean)
    }
}

impl JsonSchema for PauseGiven {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Pause".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let constant = generator.subschema_for::<Time>();
        let even = generator.subschema_for::<Window>();
        let mean = generator.subschema_for::<MeanTable>();
        json_schema!({ "anyOf": [constant, even, mean] })
    }
}
