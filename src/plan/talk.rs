//! What the clients of a cohort say and hear beyond messages on a schedule, prepared once for all of them.

use super::program::Program;
use super::template::{Slice, Template};
use crate::metric::Timed;
use crate::scenario::{Cohort, Expect, FrameKind, Match, Payload, Verb};

/// What the clients of a cohort say and hear beyond messages on a schedule.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) program: Program,
    /// See [`Cohort::exchanges`].
    pub(super) exchanges: u64,
    /// One match for each way in which answers name what they answer.
    pub(super) finders: Vec<Match>,
    /// Whether there is anything but messages on a schedule and their echoes.
    pub(super) is_more: bool,
    /// The upgrade request, if it has placeholders.
    pub(super) upgrade: Option<Template>,
    /// What is timed of each slot; a name is empty where a step has none. Behind them stand the ages of answers.
    pub(super) slots: Vec<Timed>,
    /// The slots of requests whose answers tell how old they are.
    pub(super) aged: Vec<usize>,
}

impl Talk {
    /// Prepares those of a cohort.
    pub(super) fn of(cohort: &Cohort) -> Self {
        let messages = cohort.messages.iter().map(|message| &message.expect);
        let steps = cohort.each_step().filter_map(|step| match &step.verb {
            Verb::Send(send) => Some(&send.expect),
            _ => None,
        });
        let mut finders: Vec<Match> = Vec::new();
        for expect in messages.chain(steps) {
            let Expect::Match(any) = expect else {
                continue;
            };
            for one in any.iter().filter(|one| one.has_id()) {
                if !finders.contains(one) {
                    finders.push(one.clone());
                }
            }
        }
        let program = Program::new(cohort);
        let is_plain = |expect: &Expect| matches!(expect, Expect::Echo | Expect::None);
        let mut messages = cohort.messages.iter();
        let is_asked = messages.any(|message| {
            !is_plain(&message.expect) || message.check.is_some() || !message.save.is_empty()
        });
        let messages = cohort
            .messages
            .iter()
            .map(|message| Timed::sent(&message.name));
        let steps = cohort.each_step();
        let steps = steps.map(|step| Timed::sent(step.name.as_deref().unwrap_or_default()));
        let on = cohort.on.iter().map(|on| Timed::heard(&on.name));
        let ages = cohort.timed_requests();
        let ages = ages.map(|(_, step, _)| Timed::heard(step.name.as_deref().unwrap_or_default()));
        Self {
            is_more: is_asked || !program.is_empty() || !cohort.on.is_empty(),
            program,
            exchanges: cohort.exchanges(),
            finders,
            upgrade: cohort.upgrade.as_ref().map(|upgrade| {
                let nothing = Slice::filler(0);
                Template::new(&upgrade.payload, FrameKind::Text, &nothing)
            }),
            slots: messages.chain(steps).chain(on).chain(ages).collect(),
            aged: cohort.timed_requests().map(|(slot, ..)| slot).collect(),
        }
    }
}

/// The templates of a cohort by slot.
pub(super) fn templates(cohort: &Cohort, filler: &Slice) -> Vec<Template> {
    let template = |payload: &Payload, frame| Template::new(payload, frame, filler);
    let nothing = || template(&Payload::Fixed([].into()), FrameKind::Text);
    let messages = cohort
        .messages
        .iter()
        .map(|one| template(&one.payload, one.frame));
    let steps = cohort.each_step().map(|step| match &step.verb {
        Verb::Http(http) => template(&http.payload, FrameKind::Text),
        Verb::Send(send) => template(&send.payload, send.frame),
        _ => nothing(),
    });
    let replies = cohort.on.iter().map(|on| match &on.reply {
        Some((payload, frame)) => template(payload, *frame),
        None => nothing(),
    });
    messages.chain(steps).chain(replies).collect()
}
