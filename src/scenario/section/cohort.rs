//! A cohort: a group of connections that behave alike, and what can be asked of it.

use std::collections::HashSet;
use std::time::Duration;

use super::access::Access;
use super::heartbeat::Heartbeat;
use super::http_version::HttpVersion;
use super::matching::{Condition, Match};
use super::message::{FrameKind, Message, Pacing};
use super::on::{On, ServerTime};
use super::payload::{Payload, Segment};
use super::reconnect::Reconnect;
use super::servers::Servers;
use super::step::{OnFail, Step, Verb, each, longest};
use super::topic::{Topic, WithTo};
use super::upgrade::Upgrade;
use super::url::Protocol;
use crate::metric;
use crate::scenario::contract::Contract;
use crate::scenario::fault::{Fault, FaultKind};

/// A group of connections that behave alike.
#[derive(Debug, Clone, PartialEq)]
pub struct Cohort {
    /// Letters, digits, `-` and `_`; unique.
    pub name: String,
    /// The number of connections: for `Shape::Stages` of the highest stage, for `Shape::Arrivals` of arrivals. Above
    /// zero.
    pub connections: u32,
    /// What its clients speak.
    pub protocol: Protocol,
    /// Its servers, if they are not those of the target.
    pub servers: Option<Servers>,
    /// Over HTTP: whether a connection is kept between two requests, if the server keeps it too.
    pub keep_alive: bool,
    /// How its clients get to the server.
    pub access: Access,
    /// The messages that each connection sends, independently of each other. May be empty; at most 256.
    pub messages: Vec<Message>,
    /// The topics that each connection is a member of when it is ready. At most 8, with those that its steps join.
    pub joins: Vec<Topic>,
    /// What each client does before it is ready: in order, once for each connection.
    pub setup: Vec<Step>,
    /// What each client does when it is ready: in order, once.
    pub steps: Vec<Step>,
    /// What is done with messages that nothing else takes.
    pub on: Vec<On>,
    /// The names of what is kept of received messages. At most 256.
    pub saved: Vec<String>,
    /// The upgrade request, if it has placeholders; `None`: that of the target.
    pub upgrade: Option<Upgrade>,
    /// How each connection checks that the server is alive; `None` is "off".
    pub heartbeat: Option<Heartbeat>,
    /// What a client does when its connection is lost.
    pub reconnect: Reconnect,
    /// The deliberate faults of its clients. Empty for healthy clients.
    pub faults: Vec<Fault>,
    /// What the server promises about its connections.
    pub contract: Option<Contract>,
}

impl Cohort {
    /// Whether a gate on this metric looks at this cohort if the gate names none: see [`is_looked_at`].
    pub fn is_looked_at(&self, metric: &str) -> bool {
        is_looked_at(metric, self.is_healthy(), self.expects_end())
    }

    /// Whether nothing its clients do depends on when they take what has come, but for the answers to pings of the server: they
    /// send on a schedule and record what they hear. A contract wants each event as soon as it can be seen, and an answer that is
    /// told by its order, or by what it is like, must be taken before the next message is sent, or it would be taken for its.
    pub fn is_lazy(&self) -> bool {
        let is_open = |message: &Message| {
            matches!(
                message.pacing,
                Pacing::Open {
                    in_flight: None,
                    ..
                }
            )
        };
        let is_named = |message: &Message| {
            !message.is_matched_by_order() && message.expect.matches().is_empty()
        };
        self.protocol == Protocol::WebSocket
            && self.access.http == HttpVersion::One
            && self
                .messages
                .iter()
                .all(|message| is_open(message) && is_named(message))
            && !self.heartbeat.iter().any(Heartbeat::is_text)
            && self.each_step().next().is_none()
            && self.on.is_empty()
            && self.faults.is_empty()
            && self.contract.is_none()
    }

    /// All its steps, each before those inside of it, those of the set-up first. A *slot* counts its messages, in their
    /// order, and then these.
    pub fn each_step(&self) -> impl Iterator<Item = &Step> {
        each(self.setup.iter().chain(&self.steps))
    }

    /// Whether a client of it opens more than one connection to a server.
    pub fn dials_again(&self) -> bool {
        let dials = |step: &Step| {
            matches!(step.verb, Verb::Http(_) | Verb::Reconnect { .. })
                || step.on_fail == OnFail::Reconnect
        };
        self.reconnect != Reconnect::None || self.each_step().any(dials)
    }

    /// As [`Self::each_step`], those of the set-up alone.
    pub fn each_step_of_setup(&self) -> impl Iterator<Item = &Step> {
        each(self.setup.iter())
    }

    /// As [`Self::each_step`], without those of the set-up.
    pub fn each_step_after_setup(&self) -> impl Iterator<Item = &Step> {
        each(self.steps.iter())
    }

    /// The longest time from a 101 until a client is ready.
    pub fn longest_setup(&self) -> Duration {
        longest(&self.setup)
    }

    /// The payloads of all its messages, steps, replies and heartbeats, each with the name of what sends it.
    pub fn payloads(&self) -> impl Iterator<Item = (&str, &Payload)> {
        let requests = self.each_step().filter_map(|step| match &step.verb {
            Verb::Http(http) => Some((step.name.as_deref().unwrap_or("step"), &http.payload)),
            _ => None,
        });
        let frames = self.frames().map(|(name, payload, _)| (name, payload));
        frames.chain(requests)
    }

    /// The same without requests of HTTP: what it sends in frames, which are text in a heartbeat.
    pub fn frames(&self) -> impl Iterator<Item = (&str, &Payload, FrameKind)> {
        let messages = self.messages.iter();
        let messages = messages.map(|message| (&*message.name, &message.payload, message.frame));
        let steps = self.each_step().filter_map(|step| match &step.verb {
            Verb::Send(send) => {
                let name = step.name.as_deref().unwrap_or("step");
                Some((name, &send.payload, send.frame))
            }
            _ => None,
        });
        let replies = self.on.iter().filter_map(|on| {
            let (payload, frame) = on.reply.as_ref()?;
            Some((&*on.name, payload, *frame))
        });
        let heartbeat = self.heartbeat.iter();
        let texts = heartbeat.flat_map(Heartbeat::payloads);
        let texts = texts.map(|payload| ("heartbeat", payload, FrameKind::Text));
        messages.chain(steps).chain(replies).chain(texts)
    }

    /// Its requests of HTTP that tell when the server made their answers: each with its slot and where that stands.
    pub fn timed_requests(&self) -> impl Iterator<Item = (usize, &Step, &ServerTime)> {
        let first = self.messages.len();
        let steps = self.each_step().enumerate();
        steps.filter_map(move |(index, step)| match &step.verb {
            Verb::Http(http) => Some((first + index, step, http.time.as_ref()?)),
            _ => None,
        })
    }

    /// All that has placeholders in it: what its clients write, and what they compare messages with.
    pub fn texts(&self) -> Vec<&[Segment]> {
        let mut matches: Vec<&Match> = Vec::new();
        for message in &self.messages {
            matches.extend(message.expect.matches().iter().chain(&message.check));
        }
        for step in self.each_step() {
            match &step.verb {
                Verb::Send(send) => {
                    matches.extend(send.expect.matches().iter().chain(&send.check));
                }
                Verb::Http(http) => matches.push(&http.check),
                Verb::Await(wait) => matches.extend(wait.any.iter().chain(&wait.check)),
                _ => {}
            }
        }
        for on in &self.on {
            matches.extend([&on.matching].into_iter().chain(&on.check));
        }
        matches.extend(self.heartbeat.iter().flat_map(Heartbeat::matches));
        let payloads = self.payloads().map(|(_, payload)| payload.segments());
        let conditions = matches.into_iter().flat_map(|one| &*one.conditions);
        let conditions = conditions.map(Condition::segments);
        let topics = self.topics().map(Topic::segments);
        let upgrade = self.upgrade.iter();
        let upgrade = upgrade.map(|upgrade| upgrade.payload.segments());
        let texts = payloads.chain(conditions).chain(topics);
        texts.chain(upgrade).collect()
    }

    /// The messages and steps that are published, in the order of their slots.
    pub fn published(&self) -> Vec<WithTo<'_>> {
        let messages = self.messages.iter().map(|message| {
            let to = message.to.as_ref()?;
            Some((to, &message.expect, message.timeout))
        });
        let steps = self.each_step().map(|step| match &step.verb {
            Verb::Send(send) => Some((send.to.as_ref()?, &send.expect, send.timeout)),
            _ => None,
        });
        let all = messages.chain(steps).enumerate();
        let published = all.filter_map(|(slot, one)| {
            let (to, expect, timeout) = one?;
            Some(WithTo {
                slot,
                to,
                expect,
                timeout,
            })
        });
        published.collect()
    }

    /// The topics that its connections are in or send to; some may be the same.
    pub fn topics(&self) -> impl Iterator<Item = &Topic> {
        let to = self.published().into_iter().map(|one| &one.to.topic);
        let steps = self.each_step();
        let by_steps = steps.flat_map(|step| step.joins().iter().chain(step.leaves()));
        self.joins.iter().chain(to).chain(by_steps)
    }

    /// The topics that its connections are ever in.
    pub fn joined(&self) -> HashSet<&Topic> {
        let by_steps = self.each_step().flat_map(Step::joins);
        self.joins.iter().chain(by_steps).collect()
    }

    /// How many of its exchanges have a number of their own in an id: its messages, one for all steps, and its heartbeat
    /// where that is answered by id.
    pub fn exchanges(&self) -> u64 {
        let has_steps = !self.setup.is_empty() || !self.steps.is_empty();
        let is_asked = (self.heartbeat.iter()).any(|heartbeat| heartbeat.is_named_by_id());
        self.messages.len() as u64 + u64::from(has_steps) + u64::from(is_asked)
    }

    /// Whether each message that its clients send is waited for, so that of each is known what becomes of it.
    pub fn awaits_all(&self) -> bool {
        let is_settled = |step: &Step| match &step.verb {
            Verb::Send(send) => send.expects_answer(),
            _ => true,
        };
        self.messages.iter().all(Message::expects_answer)
            && self.each_step_after_setup().all(is_settled)
            && self.on.iter().all(|on| on.reply.is_none())
    }

    /// Whether its clients have no fault.
    pub fn is_healthy(&self) -> bool {
        self.faults.is_empty()
    }

    /// Whether no fault of its clients touches their messages and the answers to them.
    pub fn keeps_messages(&self) -> bool {
        !self
            .faults
            .iter()
            .any(|fault| fault.kind.touches_messages())
    }

    /// Whether its clients do nothing wrong before the server pings them: their faults concern pongs, or what follows a
    /// Close.
    pub fn errs_when_pinged(&self) -> bool {
        let ends = |kind: &FaultKind| matches!(kind, FaultKind::NeverClose | FaultKind::Hold);
        let mut faults = self.faults.iter().map(|fault| &fault.kind);
        faults.clone().any(FaultKind::is_of_pongs)
            && faults.all(|kind| kind.is_of_pongs() || ends(kind))
    }

    /// Whether no fault keeps its clients from seeing the server's frames.
    pub fn sees_frames(&self) -> bool {
        !self.faults.iter().any(|fault| fault.kind.hides_frames())
    }

    /// Whether its contract expects the server to end its connections.
    pub fn expects_end(&self) -> bool {
        let contract = self.contract.iter();
        let mut promises = contract.flat_map(|contract| &contract.promises);
        promises.any(|promise| promise.kind.expects_end())
    }
}

/// Whether a gate on this metric that names no cohort looks at such a cohort: its clients must have no fault, and if the
/// metric counts ends, its contract must not expect any.
pub fn is_looked_at(metric: &str, is_healthy: bool, expects_end: bool) -> bool {
    is_healthy && !(expects_end && metric::tells_of_ends(metric))
}
