//! Requests of HTTP: what a client asks before its connection is dialled.

use super::fact::Facts;
use super::ledger::Answer as Standing;
use super::{Due, Play, Task, scene};
use crate::engine::play::talk::Asked;
use crate::http::Answer;
use crate::plan::{ClientPlan, What};
use crate::scenario::{Http, Kept};
use crate::units::Timestamp;

impl Play {
    /// The set-up begins, before the connection is dialled: with requests of HTTP.
    pub(in crate::engine) fn begin(
        &mut self,
        client: ClientPlan<'_>,
        now: Timestamp,
        facts: &mut Facts,
    ) {
        if let Some(talk) = &mut self.talk {
            talk.forget(client);
            talk.script_mut().begin_setup(scene(client, now), facts);
            self.tell(client, now);
        }
    }

    /// Returns the request that is due now; `None` if the connection is to be dialled, or a step has failed.
    pub(in crate::engine) fn request<'a>(
        &mut self,
        client: ClientPlan<'a>,
        now: Timestamp,
        facts: &mut Facts,
    ) -> Option<(Due, &'a Http)> {
        let (operation, _) = self.talk.as_ref()?.script().due(client.program())?;
        let What::Http(http) = &operation.what else {
            return None;
        };
        let never = Timestamp::NEVER;
        match self.due(client, &mut 0, now, never, facts)? {
            Task::Send(due) => Some((due, http)),
            Task::GiveUp(_) => None,
        }
    }

    /// A request that was rendered to this was answered, or why it was not. Returns what is wrong.
    pub(in crate::engine) fn answered(
        &mut self,
        client: ClientPlan<'_>,
        (due, rendered): (&Due, &[u8]),
        answer: Result<&Answer, String>,
        now: Timestamp,
        facts: &mut Facts,
    ) -> Option<String> {
        let (steps, talk) = self.steps()?;
        let operation = talk.script().answering(client.program())?;
        let What::Http(http) = &operation.what else {
            return None;
        };
        let id = talk.id(due);
        let wrong = match &answer {
            Ok(answer) => {
                talk.hide_cookies(client, answer);
                let standing = steps.answer(due.sequence, now);
                let asked = Asked {
                    slot: due.slot,
                    n: talk.count(due.slot).saturating_sub(1),
                    id,
                    check: Some(&http.check),
                    save: &http.save,
                };
                let wrong = talk.judge_http(&asked, client, answer, &answer.body);
                if let (None, Standing::InTime { intended, sent }) = (&wrong, standing) {
                    let times = [intended, sent].map(|from| now.saturating_since(from));
                    facts.answered(due.slot, times);
                }
                wrong
            }
            Err(why) => {
                steps.lose().for_each(drop);
                Some(why.clone())
            }
        };
        let detail = wrong.as_ref().map(|wrong| {
            let wrong = format!("{}: {wrong}", http.named(rendered));
            let find = |what: &Kept, kept: &mut Vec<u8>| {
                answer
                    .as_ref()
                    .is_ok_and(|answer| what.find_of(answer, &answer.body, kept))
            };
            let said = answer.as_ref().map_or(&[][..], |answer| &answer.body);
            talk.told(&wrong, client, operation, (&http.save, said), find)
        });
        talk.script_mut()
            .answered(detail, scene(client, now), facts);
        self.tell(client, now);
        wrong
    }

    /// Builds what differs from client to client in the upgrade request.
    pub(in crate::engine) fn upgrade(&self, client: ClientPlan<'_>) -> Option<Vec<u8>> {
        let template = client.upgrade()?;
        let mut rendered = Vec::new();
        let no_stamp = || [b'0'; crate::plan::STAMP_LEN];
        match &self.talk {
            None => template.write(no_stamp, || client.values(0, 0), &mut rendered),
            Some(talk) => template.write(no_stamp, || talk.values(client, 0, 0, 0), &mut rendered),
        }
        Some(rendered)
    }

    /// No connection was opened: the set-up that had begun will not be done. `is_over`: because the load has ended.
    pub(in crate::engine) fn undo(
        &mut self,
        client: ClientPlan<'_>,
        is_over: bool,
        facts: &mut Facts,
    ) {
        if let Some(talk) = &mut self.talk
            && is_over
        {
            talk.script_mut().abandon_setup(client.program(), facts);
        }
        self.lose(client, facts).for_each(drop);
    }
}
