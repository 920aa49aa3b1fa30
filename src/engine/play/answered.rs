//! What an answer means for what it answers: a message that was sent on a schedule, or a step.

use super::exchange::Exchange;
use super::fact::Facts;
use super::ledger::Answer;
use super::talk::{Asked, Talk};
use super::{Fit, Meaning, Play, Received, scene};
use crate::plan::ClientPlan;
use crate::scenario::Kept;
use crate::units::Timestamp;

impl Play {
    /// Takes a message for the answer to the oldest one of an exchange.
    pub(super) fn in_order(&mut self, index: usize, fit: Fit, now: Timestamp) -> Meaning {
        let exchange = &mut self.exchanges[index];
        let is_uncertain = exchange.is_uncertain();
        let answer = exchange.answer_in_order(now);
        Meaning::Answer(Received {
            slot: index,
            answer,
            sequence: None,
            fit,
            is_uncertain,
            intended: intended(answer, now),
            is_setup: false,
        })
    }

    /// Takes a message for the answer to the step that waits for one.
    pub(super) fn answer_step(
        &mut self,
        client: ClientPlan<'_>,
        sequence: u64,
        mut fit: Fit,
        bytes: &[u8],
        now: Timestamp,
        facts: &mut Facts,
    ) -> Meaning {
        let Some((steps, talk)) = self.steps() else {
            return Meaning::Nothing;
        };
        let program = client.program();
        let Some(operation) = talk.script().answering(program) else {
            return Meaning::Nothing;
        };
        let Some(send) = operation.send() else {
            return Meaning::Nothing;
        };
        let answer = steps.answer(sequence, now);
        let asked = Asked {
            slot: operation.slot,
            n: talk.count(operation.slot).saturating_sub(1),
            id: talk.steps().map_or(0, |steps| talk.id_of(steps, sequence)),
            check: send.check.as_ref(),
            save: &send.save,
        };
        let wrong = match fit {
            Fit::Wrong => Some("is not what was sent".to_owned()),
            Fit::Echo | Fit::Right => talk.judge(&asked, client, bytes),
        };
        if wrong.is_some() {
            fit = Fit::Wrong;
        }
        let wrong = wrong.map(|wrong| {
            let find = |what: &Kept, kept: &mut Vec<u8>| what.find(bytes, kept);
            talk.told(&wrong, client, operation, (&send.save, bytes), find)
        });
        let is_setup = operation.is_setup;
        let slot = operation.slot;
        talk.script_mut().answered(wrong, scene(client, now), facts);
        self.tell(client, now);
        Meaning::Answer(Received {
            slot,
            answer,
            sequence: Some(sequence),
            fit,
            is_uncertain: false,
            intended: intended(answer, now),
            is_setup,
        })
    }

    /// Handles an answer that nothing waits for any more.
    pub(super) fn too_late(
        &mut self,
        client: ClientPlan<'_>,
        index: usize,
        sequence: u64,
        now: Timestamp,
    ) -> Meaning {
        let answer = self.exchanges[index].answer(sequence, now);
        let talk = self.talk.as_ref();
        let is_setup = talk.is_some_and(|talk| talk.steps() == Some(index) && !talk.is_ready());
        Meaning::Answer(Received {
            slot: talk.map_or(index, |talk| talk.slot_of(client, index, sequence)),
            answer,
            sequence: Some(sequence),
            fit: Fit::Right,
            is_uncertain: false,
            intended: intended(answer, now),
            is_setup,
        })
    }
}

/// Takes a message for the answer to one that was sent on a schedule.
pub(super) fn answer_message(
    exchange: &mut Exchange,
    talk: &mut Talk,
    asked: &Asked<'_>,
    sequence: u64,
    client: ClientPlan<'_>,
    bytes: &[u8],
    now: Timestamp,
) -> Meaning {
    let answer = exchange.answer(sequence, now);
    let fit = match answer {
        Answer::InTime { .. } => talk
            .judge(asked, client, bytes)
            .map_or(Fit::Right, |_| Fit::Wrong),
        _ => Fit::Right,
    };
    Meaning::Answer(Received {
        slot: asked.slot,
        answer,
        sequence: Some(sequence),
        fit,
        is_uncertain: false,
        intended: intended(answer, now),
        is_setup: false,
    })
}

pub(super) fn intended(answer: Answer, now: Timestamp) -> Timestamp {
    match answer {
        Answer::InTime { intended, .. } => intended,
        _ => now,
    }
}
