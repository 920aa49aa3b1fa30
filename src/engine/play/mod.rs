//! The messages of one client, across reconnects: what is due, what an answer means, when to wake the client. Pure:
//! takes the time and the received bytes as arguments; sends nothing.

mod answered;
mod answering;
mod asking;
mod due;
mod exchange;
mod fact;
mod ledger;
mod meaning;
mod pace;
mod polling;
mod rehearsal;
mod talk;

use self::answered::intended;
pub(super) use self::due::{Due, Lapsed, Task, Written};
use self::exchange::{Exchange, Next};
pub(super) use self::fact::{Fact, Facts, Move, Moves};
pub(super) use self::ledger::Answer;
pub(super) use self::meaning::{Fit, Meaning, Received};
pub use self::rehearsal::Rehearsal;
pub(super) use self::talk::Ask;
use self::talk::{Scene, Talk};
use crate::frame::Packing;
use crate::plan::{
    ClientPlan, Opening, Plan, Published, STAMP_LEN, Series, Split, TopicSeries, What,
};
use crate::units::{Nanos, Timestamp};

/// All messages of one client, and the answers to them.
#[derive(Debug)]
pub(super) struct Play {
    /// One for each message of the cohort, and one for all steps if there are any.
    exchanges: Box<[Exchange]>,
    /// What it says and hears beyond that.
    talk: Option<Box<Talk>>,
}

impl Play {
    pub(super) fn new(plan: &Plan, opening: &Opening) -> Self {
        let Opening {
            at,
            connection,
            cohort,
            ..
        } = *opening;
        let client = plan.client(cohort, connection);
        let series = |index: usize| Series::new(plan.run, cohort as u8, connection, index as u8);
        let topic_series = |slots| {
            let numbers = plan.topics.numbers(cohort, slots)?;
            Some(TopicSeries::new(plan.run, connection, numbers))
        };
        let messages = plan.cohort(cohort).messages.iter().enumerate();
        let mut exchanges: Vec<Exchange> = messages
            .map(|(index, message)| {
                let pacer = plan.pacer(cohort, index, connection, at);
                let template = &plan.templates(cohort)[index];
                let published = topic_series(index..index + 1);
                Exchange::new(message, pacer, series(index), published, template)
            })
            .collect();
        if !client.program().is_empty() {
            let first = exchanges.len();
            let published = topic_series(first..usize::MAX);
            exchanges.push(Exchange::of_steps(series(first), published));
        }
        Self {
            exchanges: exchanges.into(),
            talk: Talk::new(client),
        }
    }

    /// The connection is open; `begun` is when it was dialled. Messages on a schedule begin once the client is ready:
    /// returns whether it is.
    pub(super) fn open(
        &mut self,
        client: ClientPlan<'_>,
        begun: Timestamp,
        now: Timestamp,
        facts: &mut Facts,
    ) -> bool {
        let Some(talk) = &mut self.talk else {
            return true;
        };
        let program = client.program();
        if !talk.script().is_dialling() {
            talk.forget(client);
        }
        if program.is_empty() {
            return true;
        }
        talk.script_mut().open(scene(client, now), begun, facts);
        self.tell(client, now);
        false
    }

    /// Messages on a schedule begin for the first time. What would have been due before was never due.
    pub(super) fn start(&mut self, now: Timestamp) {
        (self.exchanges.iter_mut()).for_each(|exchange| exchange.start(now));
    }

    /// Messages on a schedule go on.
    pub(super) fn resume(&mut self, now: Timestamp) {
        (self.exchanges.iter_mut()).for_each(|exchange| exchange.resume(now));
    }

    /// Does what a client does by itself at this time, beyond sending.
    pub(super) fn run(
        &mut self,
        client: ClientPlan<'_>,
        now: Timestamp,
        measure_from: Option<Timestamp>,
        facts: &mut Facts,
    ) {
        let Some(talk) = self.talk.as_mut().filter(|talk| talk.script().may_go_on()) else {
            return;
        };
        let scene = Scene {
            measure_from,
            ..scene(client, now)
        };
        talk.script_mut().run(scene, facts);
        self.tell(client, now);
    }

    /// Tells the exchange of the steps which message is due.
    fn tell(&mut self, client: ClientPlan<'_>, now: Timestamp) {
        let Some((steps, talk)) = self.steps() else {
            return;
        };
        let Some((operation, due)) = talk.script().due(client.program()) else {
            return;
        };
        let (is_answered, timeout) = match &operation.what {
            What::Send(send) => (send.expects_answer(), send.timeout),
            What::Http(http) => (true, http.timeout),
            _ => return,
        };
        let has_stamp = client.templates()[operation.slot].has_stamp();
        steps.tell(due, now, is_answered, Nanos::from(timeout), has_stamp);
    }

    /// The exchange of the steps, and the part that they belong to.
    fn steps(&mut self) -> Option<(&mut Exchange, &mut Talk)> {
        let talk = self.talk.as_deref_mut()?;
        Some((&mut self.exchanges[talk.steps()?], talk))
    }

    /// Returns whether it says or hears anything but messages on a schedule and their echoes.
    pub(super) fn has_talk(&self) -> bool {
        self.talk.is_some()
    }

    /// What is kept of received messages, by the place of its name in the cohort.
    #[inline(always)]
    pub(super) fn saved(&self) -> &[Vec<u8>] {
        self.talk.as_ref().map_or(&[], |talk| talk.saved())
    }

    /// What the client asks of its connection.
    pub(super) fn ask(&mut self) -> Option<Ask> {
        self.talk.as_mut()?.script_mut().ask()
    }

    /// Returns the next thing to do now; `None` if there is nothing. Nothing is due from `end` on. `turn` is the
    /// exchange that is asked first: begin with 0, and call again until there is nothing.
    #[inline]
    pub(super) fn due(
        &mut self,
        client: ClientPlan<'_>,
        turn: &mut usize,
        now: Timestamp,
        end: Timestamp,
        facts: &mut Facts,
    ) -> Option<Task> {
        if let Some(talk) = &mut self.talk {
            if let Some((slot, intended)) = talk.reply() {
                return Some(Task::Send(Due {
                    slot,
                    exchange: None,
                    intended,
                    sequence: talk.count(slot),
                    is_setup: false,
                }));
            }
            if let Some(steps) = talk.steps().filter(|_| !talk.is_ready()) {
                // Only steps are due before the client is ready.
                *turn = (*turn).max(steps);
            }
        }
        while let Some(exchange) = self.exchanges.get_mut(*turn) {
            match exchange.next(now, end) {
                Next::Wait => *turn += 1,
                Next::GiveUp(intended) => {
                    let is_setup = self.unsent(*turn, client, now, facts);
                    return Some(Task::GiveUp(Lapsed { intended, is_setup }));
                }
                Next::Send { intended, sequence } => {
                    let mut due = Due {
                        slot: *turn,
                        exchange: Some(*turn),
                        intended,
                        sequence,
                        is_setup: false,
                    };
                    if let Some(talk) = &self.talk
                        && talk.steps() == Some(*turn)
                        && let Some((operation, _)) = talk.script().due(client.program())
                    {
                        due.slot = operation.slot;
                        due.is_setup = operation.is_setup;
                    }
                    return Some(Task::Send(due));
                }
            }
        }
        None
    }

    /// A message of this exchange could not be sent in time. Returns whether it belongs to the set-up.
    fn unsent(
        &mut self,
        exchange: usize,
        client: ClientPlan<'_>,
        now: Timestamp,
        facts: &mut Facts,
    ) -> bool {
        let Some(talk) = self
            .talk
            .as_mut()
            .filter(|talk| talk.steps() == Some(exchange))
        else {
            return false;
        };
        let is_setup = !talk.is_ready();
        talk.script_mut().unsent(scene(client, now), facts);
        self.tell(client, now);
        is_setup
    }

    /// Builds the payload of a message that is due, compressed if `packing` says how and it was prepared. `published` is
    /// its place, if it is published to a topic.
    pub(super) fn write(
        &mut self,
        client: ClientPlan<'_>,
        due: &Due,
        published: Option<Published>,
        packing: Option<Packing>,
        out: &mut Vec<u8>,
    ) -> Written {
        let template = &client.templates()[due.slot];
        let prepared = packing.and_then(|packing| template.prepared(packing));
        let end = || client.plan.split.as_ref().map_or(&b""[..], Split::end);
        let exchanges = &mut self.exchanges;
        let stamp = || match due.exchange {
            Some(exchange) => exchanges[exchange].stamp(due.sequence, due.intended, published),
            None => [b'0'; STAMP_LEN],
        };
        let mut packed = None;
        match &self.talk {
            None => {
                let values = || client.values(due.slot, due.sequence);
                match prepared {
                    None => template.write(stamp, values, out),
                    Some(prepared) => {
                        packed = Some(template.pack(prepared, stamp, values, end(), out));
                    }
                }
            }
            Some(talk) if due.exchange.is_none() => {
                out.clear();
                out.extend_from_slice(talk.replying());
            }
            Some(talk) => {
                let n = talk.count(due.slot);
                let id = talk.id(due);
                let values = || talk.values(client, due.slot, n, id);
                match prepared {
                    None => template.write(stamp, values, out),
                    Some(prepared) => {
                        packed = Some(template.pack(prepared, stamp, values, end(), out));
                    }
                }
            }
        }
        let kind = template.frame();
        Written { kind, packed }
    }

    /// Records that a message that was due has been sent.
    #[inline]
    pub(super) fn sent(
        &mut self,
        client: ClientPlan<'_>,
        due: &Due,
        now: Timestamp,
        facts: &mut Facts,
    ) {
        if let Some(exchange) = due.exchange {
            self.exchanges[exchange].sent(due.intended, now);
        }
        if self.talk.is_some() {
            self.said(client, due, now, facts);
        }
    }

    /// The same, for what it says and hears beyond messages on a schedule.
    #[inline(never)]
    fn said(&mut self, client: ClientPlan<'_>, due: &Due, now: Timestamp, facts: &mut Facts) {
        let Some(talk) = &mut self.talk else {
            return;
        };
        talk.named(due.slot, talk.id(due));
        if due.exchange.is_some() && due.exchange == talk.steps() {
            talk.script_mut().sent(scene(client, now), facts);
            self.tell(client, now);
        }
    }

    /// Gives up the next message that was due before `until`.
    pub(super) fn give_up(&mut self, until: Timestamp) -> Option<Lapsed> {
        let talk = self.talk.as_deref_mut();
        if let Some((_, intended)) = talk.and_then(Talk::reply) {
            return Some(Lapsed {
                intended,
                is_setup: false,
            });
        }
        let is_ready = self.talk.as_ref().is_none_or(|talk| talk.is_ready());
        let steps = self.talk.as_ref().and_then(|talk| talk.steps());
        // Before the client is ready, no message on a schedule is due.
        self.lapsed(|index, exchange| match is_ready || steps == Some(index) {
            true => exchange.give_up(until),
            false => None,
        })
    }

    /// Gives up the next message on a schedule that was due before `until`, while there was no connection that was
    /// ready.
    pub(super) fn offline(&mut self, until: Timestamp) -> Option<Timestamp> {
        let steps = self.talk.as_ref().and_then(|talk| talk.steps());
        let lapsed = self.lapsed(|index, exchange| match steps == Some(index) {
            true => None,
            false => exchange.give_up(until),
        });
        lapsed.map(|lapsed| lapsed.intended)
    }

    /// Finds an exchange of which a message lapses.
    fn lapsed(
        &mut self,
        mut lapse: impl FnMut(usize, &mut Exchange) -> Option<Timestamp>,
    ) -> Option<Lapsed> {
        let mut all = self.exchanges.iter_mut().enumerate();
        let (index, intended) = all.find_map(|(index, one)| Some((index, lapse(index, one)?)))?;
        let talk = self
            .talk
            .as_ref()
            .filter(|talk| talk.steps() == Some(index));
        let is_setup = talk.is_some_and(|talk| !talk.is_ready());
        Some(Lapsed { intended, is_setup })
    }

    /// Gives up the next message whose answer is overdue.
    pub(super) fn expire(
        &mut self,
        client: ClientPlan<'_>,
        now: Timestamp,
        facts: &mut Facts,
    ) -> Option<Lapsed> {
        let lapsed = self.lapsed(|_, exchange| exchange.expire(now))?;
        if let Some((steps, talk)) = self.steps()
            && steps.is_settled()
        {
            let scene = scene(client, now);
            talk.script_mut()
                .unanswered("no answer came in time", scene, facts);
            self.tell(client, now);
        }
        Some(lapsed)
    }

    /// Nothing new is due from `stop` on, and no answer that belongs to the set-up.
    pub(super) fn stop(
        &mut self,
        client: ClientPlan<'_>,
        stop: Timestamp,
        now: Timestamp,
        facts: &mut Facts,
    ) {
        if let Some((steps, talk)) = self.steps() {
            if !talk.is_ready() {
                steps.lose().for_each(drop);
            }
            talk.script_mut().stop(stop, scene(client, now), facts);
        }
    }

    /// The connection is gone: returns the messages that were unanswered on it.
    pub(super) fn lose(
        &mut self,
        client: ClientPlan<'_>,
        facts: &mut Facts,
    ) -> impl Iterator<Item = Lapsed> {
        let mut setup = None;
        if let Some(talk) = &mut self.talk {
            setup = talk.steps().filter(|_| !talk.is_ready());
            talk.script_mut().lose(client.program(), facts);
        }
        let all = self.exchanges.iter_mut().enumerate();
        all.flat_map(move |(index, exchange)| {
            let is_setup = setup == Some(index);
            let lost = exchange.lose();
            lost.map(move |intended| Lapsed { intended, is_setup })
        })
    }

    /// Returns whether no answer is due.
    pub(super) fn is_settled(&self) -> bool {
        self.exchanges.iter().all(Exchange::is_settled)
    }

    /// Returns whether messages on a schedule may be due: the set-up is done, if there is one.
    pub(super) fn is_ready(&self) -> bool {
        self.talk.as_ref().is_none_or(|talk| talk.is_ready())
    }

    /// Returns whether all its steps are played: the last one is done, or the rest of them is left out.
    pub(super) fn is_played(&self, client: ClientPlan<'_>) -> bool {
        let script = self.talk.as_ref().map(|talk| talk.script());
        script.is_some_and(|script| script.is_played(client.program()))
    }

    /// When the next answer is overdue; `Timestamp::NEVER` if none is due.
    pub(super) fn expires(&self) -> Timestamp {
        let times = self.exchanges.iter().map(Exchange::expires);
        times.min().unwrap_or(Timestamp::NEVER)
    }

    /// When to call [`Self::run`] or [`Self::due`] again, if no answer comes before. Now or earlier means at once.
    pub(super) fn wakes(&self, end: Timestamp, measure_from: Option<Timestamp>) -> Timestamp {
        let mut first = 0;
        let mut steps = Timestamp::NEVER;
        if let Some(talk) = &self.talk {
            if talk.owes() {
                return Timestamp::ORIGIN;
            }
            first = talk.steps().filter(|_| !talk.is_ready()).unwrap_or(0);
            steps = talk.script().wakes(measure_from);
        }
        let exchanges = self.exchanges[first..].iter();
        let times = exchanges.map(|exchange| exchange.wakes(end));
        times.min().unwrap_or(Timestamp::NEVER).min(steps)
    }
}

/// What the script of a client looks at.
fn scene(client: ClientPlan<'_>, now: Timestamp) -> Scene<'_> {
    Scene {
        client,
        program: client.program(),
        now,
        measure_from: None,
    }
}
