//! Requests of HTTP and their answers, on a connection that makes no upgrade: there is one at a time, so that an answer
//! belongs to the newest request.

use super::fact::Facts;
use super::talk::Asked;
use super::{Fit, Meaning, Play, Received, intended, scene};
use crate::http;
use crate::plan::ClientPlan;
use crate::scenario::Kept;
use crate::units::Timestamp;

impl Play {
    /// Handles the answer to a request of this connection: its head, and its body.
    pub(in crate::engine) fn receive_answer(
        &mut self,
        client: ClientPlan<'_>,
        answer: (&http::Answer, &[u8]),
        now: Timestamp,
        facts: &mut Facts,
    ) -> Meaning {
        let index = self.exchanges.len().saturating_sub(1);
        let Some((steps, talk)) = self.steps() else {
            return Meaning::Nothing;
        };
        let Some(sequence) = steps.sequence().checked_sub(1) else {
            return Meaning::Nothing;
        };
        let answering = talk.script().answering(client.program());
        let Some((operation, http)) = answering.and_then(|one| Some((one, one.http()?))) else {
            return self.too_late(client, index, sequence, now);
        };
        let came = steps.answer(sequence, now);
        let (slot, is_setup) = (operation.slot, operation.is_setup);
        let asked = Asked {
            slot,
            n: talk.count(slot).saturating_sub(1),
            id: talk.id_of(index, sequence),
            check: Some(&http.check),
            save: &[],
        };
        let wrong = talk.judge_poll(http, &asked, client, answer, now, facts);
        let fit = match wrong {
            None => Fit::Right,
            Some(_) => Fit::Wrong,
        };
        let (head, body) = answer;
        talk.hide_cookies(client, head);
        let wrong = wrong.map(|wrong| {
            let find = |what: &Kept, kept: &mut Vec<u8>| what.find_of(head, body, kept);
            talk.told(&wrong, client, operation, (&http.save, body), find)
        });
        talk.script_mut().answered(wrong, scene(client, now), facts);
        self.tell(client, now);
        Meaning::Answer(Received {
            slot,
            answer: came,
            sequence: Some(sequence),
            fit,
            is_uncertain: false,
            intended: intended(came, now),
            is_setup,
        })
    }
}
