//! What one client says and hears beyond messages on a schedule: its steps, what it waits for, what it does with
//! messages that nothing else takes, and what it keeps of them.

mod armed;
mod dice;
mod listener;
mod script;
mod turns;

use std::collections::VecDeque;

use self::armed::Outcome;
use self::dice::Dice;
use self::listener::Listener;
pub(in crate::engine) use self::script::Ask;
pub(super) use self::script::Scene;
use self::script::Script;
use super::Due;
use super::fact::{Facts, Move};
use crate::engine::saved::{add_cookie, quoted};
use crate::http::{Answer, cookie_values};
use crate::metric::Counter;
use crate::plan::{ClientPlan, Operation, STAMP_LEN, Values, What};
use crate::scenario::{Http, Kept, Match, OnFail, Save};
use crate::units::Timestamp;

/// What one client says and hears beyond messages on a schedule.
#[derive(Debug)]
pub(super) struct Talk {
    /// How many exchanges have a number of their own in an id.
    lanes: u64,
    /// Which exchange books the messages of its steps; `None` without steps.
    steps: Option<usize>,
    script: Script,
    /// One for each `[[on]]`, and then for each request whose answers tell how old they are.
    listeners: Box<[Listener]>,
    /// What was kept of messages, by name. Empty: nothing yet.
    saved: Vec<Vec<u8>>,
    /// The last id of each slot; 0 before the first.
    ids: Box<[u64]>,
    /// How often each slot was sent.
    counts: Box<[u64]>,
    /// The replies that are owed, the oldest first.
    owed: VecDeque<Reply>,
    /// The text of the reply that is sent now.
    replying: Vec<u8>,
}

/// A reply that is owed. It is written when the message comes that it answers, since the next one may change what is kept.
#[derive(Debug)]
struct Reply {
    slot: usize,
    since: Timestamp,
    text: Vec<u8>,
}

/// The most replies that are owed at a time, and their most bytes; further ones are counted as not sent.
const MOST_OWED: usize = 64;
const MOST_OWED_BYTES: usize = 1 << 20;

/// What a message was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// This slot waited for it, or is that of an `[[on]]` that matched it.
    By {
        slot: usize,
        is_wrong: bool,
    },
    Nothing,
}

impl Talk {
    /// Makes the part of a client; `None` if it only sends messages on a schedule, and expects them back.
    pub(super) fn new(client: ClientPlan<'_>) -> Option<Box<Self>> {
        let cohort = client.cohort();
        if !client.has_talk() {
            return None;
        }
        let slots = client.templates().len();
        let messages = cohort.messages.len();
        Some(Box::new(Self {
            lanes: client.exchanges(),
            steps: (!client.program().is_empty()).then_some(messages),
            script: Script::new(Dice::new(client.draws())),
            listeners: (0..cohort.on.len() + client.aged().len())
                .map(|_| Listener::default())
                .collect(),
            saved: vec![Vec::new(); cohort.saved.len()],
            ids: vec![0; slots].into(),
            counts: vec![0; slots].into(),
            owed: VecDeque::new(),
            replying: Vec::new(),
        }))
    }

    /// Adds what this client alone knows to the values of a message.
    pub(super) fn values<'a>(
        &'a self,
        client: ClientPlan<'a>,
        slot: usize,
        n: u64,
        id: u64,
    ) -> Values<'a> {
        Values {
            id,
            turn: self.script.turn_number(),
            saved: &self.saved,
            ids: &self.ids,
            ..client.values(slot, n)
        }
    }

    /// The id of a message: no other one of this connection has it, and none is 0.
    pub(super) fn id(&self, due: &Due) -> u64 {
        let id = due
            .exchange
            .map(|exchange| self.id_of(exchange, due.sequence));
        id.unwrap_or(due.sequence * self.lanes)
    }

    /// The id of a message of this exchange.
    pub(super) fn id_of(&self, exchange: usize, sequence: u64) -> u64 {
        sequence * self.lanes + exchange as u64 + 1
    }

    /// The exchange and the sequence number of an id. The last exchange may be that of the heartbeat.
    pub(super) fn of_id(&self, id: u64) -> Option<(usize, u64)> {
        let id = id.checked_sub(1)?;
        Some(((id % self.lanes) as usize, id / self.lanes))
    }

    /// The slot of a message of this exchange, by the last id of each. A step that was sent again since is taken for the
    /// one that was sent next, as far as that is known: no older id is kept.
    pub(super) fn slot_of(&self, client: ClientPlan<'_>, exchange: usize, sequence: u64) -> usize {
        if self.steps != Some(exchange) {
            return exchange;
        }
        let id = self.id_of(exchange, sequence);
        (exchange..client.first_listener())
            .filter(|slot| self.ids[*slot] >= id)
            .min_by_key(|slot| self.ids[*slot])
            .unwrap_or(exchange)
    }

    /// How often a slot was sent.
    pub(super) fn count(&self, slot: usize) -> u64 {
        self.counts[slot]
    }

    /// A message was sent.
    pub(super) fn named(&mut self, slot: usize, id: u64) {
        self.counts[slot] += 1;
        self.ids[slot] = id;
    }

    /// Returns whether messages on a schedule may begin.
    pub(super) fn is_ready(&self) -> bool {
        self.steps.is_none() || self.script.is_ready()
    }

    /// Returns which exchange books the messages of its steps.
    pub(super) fn steps(&self) -> Option<usize> {
        self.steps
    }

    pub(super) fn script(&self) -> &Script {
        &self.script
    }

    pub(super) fn script_mut(&mut self) -> &mut Script {
        &mut self.script
    }

    /// Takes a reply that is owed: its slot, and since when. Its text is then that of [`Self::replying`].
    pub(super) fn reply(&mut self) -> Option<(usize, Timestamp)> {
        let Reply { slot, since, text } = self.owed.pop_front()?;
        self.replying = text;
        Some((slot, since))
    }

    /// The text of the reply that was taken last.
    pub(super) fn replying(&self) -> &[u8] {
        &self.replying
    }

    /// What was kept of messages; behind that, what the cookies of this client hold.
    pub(super) fn saved(&self) -> &[Vec<u8>] {
        &self.saved
    }

    /// Returns whether a reply is owed.
    pub(super) fn owes(&self) -> bool {
        !self.owed.is_empty()
    }

    /// A new connection: nothing of the one before is known any more, but for what all clients know.
    pub(super) fn forget(&mut self, client: ClientPlan<'_>) {
        self.saved.truncate(client.cohort().saved.len());
        self.saved.iter_mut().for_each(Vec::clear);
        if let Some(once) = client.once() {
            self.saved.clone_from_slice(&once.saved);
        }
        self.owed.clear();
        self.listeners.iter_mut().for_each(Listener::forget);
    }

    /// An answer of HTTP came: the cookies that it sets are kept from being shown, like what is saved.
    pub(super) fn hide_cookies(&mut self, client: ClientPlan<'_>, head: &Answer) {
        for value in cookie_values(head) {
            add_cookie(&client.cohort().saved, &mut self.saved, value);
        }
    }

    /// Says what is wrong with the answer to a step, and how the answer begins, if that fails the client: nobody looks
    /// at it otherwise. What was to be kept of the answer is hidden in it. `find` looks for that.
    pub(super) fn told(
        &self,
        wrong: &str,
        client: ClientPlan<'_>,
        operation: &Operation,
        (save, answer): (&[Save], &[u8]),
        find: impl Fn(&Kept, &mut Vec<u8>) -> bool,
    ) -> String {
        if matches!(operation.on_fail, OnFail::GoOn | OnFail::Skip) {
            return String::new();
        }
        let mut kept = self.saved.clone();
        for save in save {
            find(&save.what, &mut kept[usize::from(save.name)]);
        }
        let name = client.slot_name(operation.slot);
        let said = quoted(&client.cohort().saved, &kept, answer);
        format!("`{name}`: {wrong}{said}")
    }

    /// Checks an answer, and keeps what is asked for; says what is wrong with it.
    pub(super) fn judge(
        &mut self,
        asked: &Asked<'_>,
        client: ClientPlan<'_>,
        bytes: &[u8],
    ) -> Option<String> {
        let values = || self.values(client, asked.slot, asked.n, asked.id);
        let wrong = |check: &Match| check.wrong(bytes, &values());
        if let Some(wrong) = asked.check.and_then(wrong) {
            return Some(wrong);
        }
        self.keep(asked.save, client, bytes)
    }

    /// The same for an answer of HTTP with this body.
    pub(super) fn judge_http(
        &mut self,
        asked: &Asked<'_>,
        client: ClientPlan<'_>,
        head: &Answer,
        body: &[u8],
    ) -> Option<String> {
        let values = self.values(client, asked.slot, asked.n, asked.id);
        let mut check = asked.check.iter();
        if let Some(wrong) = check.find_map(|check| check.wrong_of(head, body, &values)) {
            return Some(wrong);
        }
        self.keep_by(asked.save, client, |what, kept| {
            what.find_of(head, body, kept)
        })
    }

    /// The same for an answer on a connection that makes no upgrade. One that has no content (RFC 9110 sections 15.3.5 and
    /// 15.4.5) says that there is nothing new: what was kept before stays.
    pub(super) fn judge_poll(
        &mut self,
        http: &Http,
        asked: &Asked<'_>,
        client: ClientPlan<'_>,
        (head, body): (&Answer, &[u8]),
        now: Timestamp,
        facts: &mut Facts,
    ) -> Option<String> {
        let has_content = !matches!(head.status, 204 | 304);
        let asked = Asked {
            save: if has_content { &http.save } else { &[] },
            ..*asked
        };
        let wrong = self.judge_http(&asked, client, head, body);
        let place = client.aged().iter().position(|slot| *slot == asked.slot);
        let (None, true, Some(time), Some(place)) = (&wrong, has_content, &http.time, place) else {
            return wrong;
        };
        let listener = &mut self.listeners[client.cohort().on.len() + place];
        let slot = client.templates().len() + place;
        let tells = listener.hear_age(time, slot, body, now, facts);
        (!tells).then(|| format!("it has no time at `{}`", time.at))
    }

    fn keep(&mut self, save: &[Save], client: ClientPlan<'_>, bytes: &[u8]) -> Option<String> {
        self.keep_by(save, client, |what, kept| what.find(bytes, kept))
    }

    fn keep_by(
        &mut self,
        save: &[Save],
        client: ClientPlan<'_>,
        find: impl Fn(&Kept, &mut Vec<u8>) -> bool,
    ) -> Option<String> {
        for save in save {
            let kept = &mut self.saved[usize::from(save.name)];
            kept.clear();
            if !find(&save.what, kept) {
                kept.clear();
                return Some(not_found(client, save));
            }
        }
        None
    }

    /// Shows a message to the awaits that are armed.
    pub(super) fn awaited(&mut self, scene: Scene<'_>, bytes: &[u8], facts: &mut Facts) -> Taken {
        let Scene {
            client,
            program,
            now,
            ..
        } = scene;
        for place in 0..self.script.armed().len() {
            let armed = &self.script.armed()[place];
            let Some(operation) = program.get(armed.at) else {
                continue;
            };
            let What::Await(wait) = &operation.what else {
                continue;
            };
            if armed.outcome != Outcome::Waiting {
                continue;
            }
            let slot = operation.slot;
            let (n, since) = (self.count(slot), armed.since);
            let values = self.values(client, slot, n, 0);
            if !wait.any.iter().any(|one| one.holds(bytes, &values)) {
                continue;
            }
            let is_last = armed.left <= 1;
            let asked = Asked {
                slot,
                n,
                id: 0,
                check: wait.check.as_ref(),
                save: if is_last { &wait.save } else { &[] },
            };
            let wrong = self.judge(&asked, client, bytes).map(|wrong| {
                let find = |what: &Kept, kept: &mut Vec<u8>| what.find(bytes, kept);
                self.told(&wrong, client, operation, (&wait.save, bytes), find)
            });
            let armed = &mut self.script.armed_mut()[place];
            armed.left -= 1;
            let is_wrong = wrong.is_some();
            let counter = match wrong {
                Some(wrong) => {
                    armed.outcome = Outcome::Wrong(wrong);
                    Some(Counter::AwaitsWrong)
                }
                None if is_last => {
                    armed.outcome = Outcome::Met(now);
                    self.counts[slot] += 1;
                    if !wait.joins.is_empty() {
                        facts.moves.push(Move::Done(slot));
                    }
                    if operation.is_named {
                        let at = (!operation.is_setup).then_some(since);
                        facts.lasted(slot, now.saturating_since(since), at);
                    }
                    Some(Counter::AwaitsMet)
                }
                None => None,
            };
            if let Some(counter) = counter.filter(|_| !operation.is_setup) {
                facts.count(counter, since);
            }
            self.script.run(scene, facts);
            return Taken::By { slot, is_wrong };
        }
        Taken::Nothing
    }

    /// Shows a message to what listens for all messages that nothing else takes.
    pub(super) fn pushed(&mut self, scene: Scene<'_>, bytes: &[u8], facts: &mut Facts) -> Taken {
        let Scene { client, now, .. } = scene;
        let first = client.first_listener();
        for (place, on) in client.cohort().on.iter().enumerate() {
            let slot = first + place;
            let n = self.count(slot);
            let values = self.values(client, slot, n, 0);
            if !on.matching.holds(bytes, &values) {
                continue;
            }
            let asked = Asked {
                slot,
                n,
                id: 0,
                check: on.check.as_ref(),
                save: &on.save,
            };
            let is_wrong = self.judge(&asked, client, bytes).is_some();
            self.listeners[place].hear(on, slot, bytes, is_wrong, now, facts);
            if on.reply.is_some() {
                self.owe(slot, scene, facts);
            }
            return Taken::By { slot, is_wrong };
        }
        Taken::Nothing
    }

    /// Writes the reply of this slot, which is sent as soon as it can be.
    fn owe(&mut self, slot: usize, Scene { client, now, .. }: Scene<'_>, facts: &mut Facts) {
        let bytes: usize = self.owed.iter().map(|reply| reply.text.len()).sum();
        if self.owed.len() >= MOST_OWED || bytes >= MOST_OWED_BYTES {
            facts.count(Counter::MessagesDue, now);
            facts.count(Counter::MessagesNotSent, now);
            return;
        }
        let before = self.owed.iter().filter(|reply| reply.slot == slot).count();
        let n = self.count(slot) + before as u64;
        let id = n * self.lanes;
        let mut text = Vec::new();
        let values = || self.values(client, slot, n, id);
        client.templates()[slot].write(|| [b'0'; STAMP_LEN], values, &mut text);
        self.owed.push_back(Reply {
            slot,
            since: now,
            text,
        });
    }
}

fn not_found(client: ClientPlan<'_>, save: &Save) -> String {
    let name = &client.cohort().saved[usize::from(save.name)];
    format!("`save.{name}` found nothing")
}

/// What was asked for, as far as an answer is judged by it.
pub(super) struct Asked<'a> {
    pub(super) slot: usize,
    /// How often it was sent before.
    pub(super) n: u64,
    pub(super) id: u64,
    pub(super) check: Option<&'a Match>,
    pub(super) save: &'a [Save],
}
