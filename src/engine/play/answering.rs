//! What a received message is: the dispatch, in the order in which messages are taken.

use std::sync::Arc;

use super::answered::answer_message;
use super::exchange::{Exchange, Found};
use super::fact::Facts;
use super::ledger::{Answer, Standing};
use super::talk::{Asked, Taken};
use super::{Fit, Meaning, Play, Received, scene};
use crate::engine::fanout::Delivery;
use crate::plan::{ClientPlan, Operation, Stamp, Template};
use crate::scenario::{Expect, Match};
use crate::units::Timestamp;

impl Play {
    /// Handles a received message of this connection; `delivery` says where its stamp is if it was published to a topic.
    pub(in crate::engine) fn receive(
        &mut self,
        client: ClientPlan<'_>,
        bytes: &[u8],
        delivery: Option<Delivery>,
        now: Timestamp,
        facts: &mut Facts,
    ) -> Meaning {
        if delivery.is_some_and(|delivery| !delivery.may_answer) {
            return self.heard(client, bytes, now, facts);
        }
        // First tries the position where each exchange has the stamp of an echo.
        for (index, exchange) in self.exchanges.iter().enumerate() {
            if let Some(found) = exchange.find(bytes, now) {
                return self.stamped(index, client, &found, bytes, now, facts);
            }
        }
        self.receive_other(client, bytes, delivery, now, facts)
    }

    /// Handles a message that is not an echo with its stamp in its place.
    #[inline(never)]
    fn receive_other(
        &mut self,
        client: ClientPlan<'_>,
        bytes: &[u8],
        delivery: Option<Delivery>,
        now: Timestamp,
        facts: &mut Facts,
    ) -> Meaning {
        let is_fixed = |(exchange, template): &(&Exchange, &Template)| {
            exchange.is_echoed_in_order() && template.fixed().is_some()
        };
        let mut fixed = self.exchanges.iter().zip(client.templates());
        let same = fixed.position(|pair| is_fixed(&pair) && pair.1.fixed() == Some(bytes));
        if let Some(message) = same {
            return self.in_order(message, Fit::Echo, now);
        }
        let mut is_stamped = Stamp::decode(bytes).is_some();
        let published = delivery.map(|delivery| delivery.at);
        let stamps = client.plan.stamps.iter();
        let places = stamps.flat_map(|stamps| stamps.find(bytes));
        for at in places.chain(published) {
            is_stamped = true;
            for index in 0..self.exchanges.len() {
                if let Some(found) = self.exchanges[index].read(bytes, at, now) {
                    return self.stamped(index, client, &found, bytes, now, facts);
                }
            }
        }
        let meaning = self.heard(client, bytes, now, facts);
        if meaning != Meaning::Nothing || is_stamped {
            // A stamp that nothing above takes belongs to another connection or another run.
            return meaning;
        }
        // Takes other bytes for a mangled echo only if exactly one message could have been meant.
        let pairs = self.exchanges.iter().zip(client.templates()).enumerate();
        let mut waiting = pairs.filter(|(_, pair)| is_fixed(pair) && pair.0.awaits());
        match (waiting.next(), waiting.next()) {
            (Some((message, _)), None) => self.in_order(message, Fit::Wrong, now),
            _ => Meaning::Nothing,
        }
    }

    /// Handles a message that holds the stamp of one that was sent.
    #[inline(always)]
    fn stamped(
        &mut self,
        index: usize,
        client: ClientPlan<'_>,
        found: &Found,
        bytes: &[u8],
        now: Timestamp,
        facts: &mut Facts,
    ) -> Meaning {
        if let Some(talk) = &self.talk
            && (talk.steps() == Some(index)
                || client.cohort().messages[index].expect != Expect::Echo)
        {
            return self.stamp_came(index, client, found, bytes, now, facts);
        }
        let exchange = &mut self.exchanges[index];
        let answer = exchange.answer(found.sequence, now);
        let (intended, is_due_then) = match answer {
            Answer::InTime { intended, .. } => (intended, found.intended == intended),
            _ => (found.intended, true),
        };
        let values = || client.values(index, found.sequence);
        let is_echo = is_due_then && client.templates()[index].is_echo(found.at, bytes, values);
        Meaning::Answer(Received {
            slot: index,
            answer,
            sequence: Some(found.sequence),
            fit: if is_echo { Fit::Echo } else { Fit::Wrong },
            is_uncertain: false,
            intended,
            is_setup: false,
        })
    }

    /// Handles the stamp of a step, or of a message that expects its stamp in any answer.
    #[inline(never)]
    fn stamp_came(
        &mut self,
        index: usize,
        client: ClientPlan<'_>,
        found: &Found,
        bytes: &[u8],
        now: Timestamp,
        facts: &mut Facts,
    ) -> Meaning {
        let sequence = found.sequence;
        let Some(talk) = &mut self.talk else {
            return Meaning::Nothing;
        };
        let id = talk.id_of(index, sequence);
        if talk.steps() != Some(index) {
            let message = &client.cohort().messages[index];
            if message.expect != Expect::Stamp {
                return self.heard(client, bytes, now, facts);
            }
            let asked = Asked {
                slot: index,
                n: sequence,
                id,
                check: message.check.as_ref(),
                save: &message.save,
            };
            return answer_message(
                &mut self.exchanges[index],
                talk,
                &asked,
                sequence,
                client,
                bytes,
                now,
            );
        }
        let program = client.program();
        let is_expected = self.exchanges[index].standing(sequence) == Standing::Pending;
        let operation = talk.script().answering(program).filter(|_| is_expected);
        let Some((operation, send)) = operation.and_then(|one| Some((one, one.send()?))) else {
            let meaning = self.heard(client, bytes, now, facts);
            // Only where a stamp answers, one that comes again answers again.
            return match meaning == Meaning::Nothing && program.is_answered_by_stamps() {
                true => self.too_late(client, index, sequence, now),
                false => meaning,
            };
        };
        let n = talk.count(operation.slot).saturating_sub(1);
        let fit = match send.expect {
            Expect::Echo => {
                let values = || talk.values(client, operation.slot, n, id);
                let is_echo = client.templates()[operation.slot].is_echo(found.at, bytes, values);
                if is_echo { Fit::Echo } else { Fit::Wrong }
            }
            Expect::Stamp => Fit::Right,
            Expect::None | Expect::Match(_) => return self.heard(client, bytes, now, facts),
        };
        self.answer_step(client, sequence, fit, bytes, now, facts)
    }

    /// Shows a message to everything that is told apart by what it says.
    fn heard(
        &mut self,
        client: ClientPlan<'_>,
        bytes: &[u8],
        now: Timestamp,
        facts: &mut Facts,
    ) -> Meaning {
        if self.talk.is_none() {
            return Meaning::Nothing;
        }
        let mut repeated = None;
        for finder in client.finders() {
            if let Some((index, sequence)) = finder.id(bytes).and_then(|id| self.of_id(id)) {
                match self.identified(finder, (index, sequence), client, bytes, now, facts) {
                    Meaning::Answer(Received {
                        // `Unknown`: what was sent last expects no answer.
                        answer: Answer::Duplicate | Answer::Unknown,
                        ..
                    }) => {
                        // It may be something else, that names what was answered before.
                        repeated = Some((index, sequence));
                    }
                    Meaning::Nothing => {}
                    meaning => return meaning,
                }
            }
        }
        let meaning = self.expected(client, bytes, now, facts);
        if meaning != Meaning::Nothing {
            return meaning;
        }
        match repeated {
            Some((index, sequence)) => self.too_late(client, index, sequence, now),
            None => Meaning::Nothing,
        }
    }

    /// The exchange and the sequence number of an id.
    fn of_id(&self, id: u64) -> Option<(usize, u64)> {
        let (index, sequence) = self.talk.as_ref()?.of_id(id)?;
        (index < self.exchanges.len()).then_some((index, sequence))
    }

    /// Handles a message in which `finder` has found the exchange and the sequence number of one that was sent.
    fn identified(
        &mut self,
        finder: &Match,
        (index, sequence): (usize, u64),
        client: ClientPlan<'_>,
        bytes: &[u8],
        now: Timestamp,
        facts: &mut Facts,
    ) -> Meaning {
        let Some(talk) = &mut self.talk else {
            return Meaning::Nothing;
        };
        let id = talk.id_of(index, sequence);
        let exchange = &mut self.exchanges[index];
        let standing = exchange.standing(sequence);
        if standing == Standing::Unknown {
            return Meaning::Nothing;
        }
        if talk.steps() == Some(index) {
            let operation = talk.script().answering(client.program());
            let Some(operation) = operation.filter(|_| standing == Standing::Pending) else {
                return self.too_late(client, index, sequence, now);
            };
            let n = talk.count(operation.slot).saturating_sub(1);
            let values = talk.values(client, operation.slot, n, id);
            let expect = operation.send().map(|send| &send.expect);
            return match expect {
                Some(Expect::Match(any))
                    if named(any, |one| one.holds_too(finder, bytes, &values)) =>
                {
                    self.answer_step(client, sequence, Fit::Right, bytes, now, facts)
                }
                _ => Meaning::Nothing,
            };
        }
        let message = &client.cohort().messages[index];
        let Expect::Match(any) = &message.expect else {
            return Meaning::Nothing;
        };
        let values = talk.values(client, index, sequence, id);
        if !named(any, |one| one.holds_too(finder, bytes, &values)) {
            return Meaning::Nothing;
        }
        let asked = Asked {
            slot: index,
            n: sequence,
            id,
            check: message.check.as_ref(),
            save: &message.save,
        };
        answer_message(exchange, talk, &asked, sequence, client, bytes, now)
    }

    /// Shows a message to what names no id: the answer to a step, awaits, answers in their order, and `[[on]]`.
    fn expected(
        &mut self,
        client: ClientPlan<'_>,
        bytes: &[u8],
        now: Timestamp,
        facts: &mut Facts,
    ) -> Meaning {
        let Some(talk) = &mut self.talk else {
            return Meaning::Nothing;
        };
        let program = client.program();
        let answering = talk.script().answering(program);
        let is_echo = |operation: &&Operation| {
            operation
                .send()
                .is_some_and(|send| send.expect == Expect::Echo)
                && client.templates()[operation.slot].fixed() == Some(bytes)
        };
        if let (Some(_), Some(steps)) = (answering.filter(is_echo), talk.steps()) {
            let sequence = self.exchanges[steps].sequence().saturating_sub(1);
            return self.answer_step(client, sequence, Fit::Echo, bytes, now, facts);
        }
        let broken_off = || talk.script().broken_off(program);
        if let Some(operation) = answering.or_else(broken_off)
            && let Some(Expect::Match(any)) = operation.send().map(|send| &send.expect)
        {
            let n = talk.count(operation.slot).saturating_sub(1);
            let values = talk.values(client, operation.slot, n, 0);
            if unnamed(any, |one| one.holds(bytes, &values))
                && let Some(steps) = talk.steps()
            {
                let sequence = self.exchanges[steps].sequence().saturating_sub(1);
                return match answering {
                    Some(_) => self.answer_step(client, sequence, Fit::Right, bytes, now, facts),
                    None => self.too_late(client, steps, sequence, now),
                };
            }
        }
        if let Taken::By { slot, is_wrong } = talk.awaited(scene(client, now), bytes, facts) {
            self.tell(client, now);
            return Meaning::Taken { slot, is_wrong };
        }
        let waiting = self.exchanges.iter().zip(&client.cohort().messages);
        let waiting = waiting
            .enumerate()
            .filter_map(|(index, (exchange, message))| {
                let Expect::Match(any) = &message.expect else {
                    return None;
                };
                let oldest = exchange.oldest().filter(|_| exchange.awaits())?;
                let values = talk.values(client, index, oldest.sequence, 0);
                unnamed(any, |one| one.holds(bytes, &values)).then_some((oldest.sent, index))
            });
        if let Some((_, index)) = waiting.min() {
            let sequence = self.exchanges[index]
                .oldest()
                .map_or(0, |oldest| oldest.sequence);
            let message = &client.cohort().messages[index];
            let asked = Asked {
                slot: index,
                n: sequence,
                id: 0,
                check: message.check.as_ref(),
                save: &message.save,
            };
            let fit = match talk.judge(&asked, client, bytes) {
                None => Fit::Right,
                Some(_) => Fit::Wrong,
            };
            return self.in_order(index, fit, now);
        }
        match talk.pushed(scene(client, now), bytes, facts) {
            Taken::By { slot, is_wrong } => Meaning::Taken { slot, is_wrong },
            Taken::Nothing => Meaning::Nothing,
        }
    }
}

/// Whether one of those that name an id holds.
fn named(any: &Arc<[Match]>, holds: impl Fn(&Match) -> bool) -> bool {
    any.iter().any(|one| one.has_id() && holds(one))
}

/// Whether one of those that name no id holds.
fn unnamed(any: &Arc<[Match]>, holds: impl Fn(&Match) -> bool) -> bool {
    any.iter().any(|one| !one.has_id() && holds(one))
}
