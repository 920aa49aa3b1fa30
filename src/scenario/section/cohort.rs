//! `[[cohort]]`: the cohorts of the file, or one called `main`, with the settings that are shared by all merged in.

use std::cell::OnceCell;
use std::collections::HashSet;
use std::time::Duration;

use super::access::{Access, SharedAccess};
use super::cohort_target::{self, CohortTargetTable, Spoken};
use super::data::{self, Data};
use super::heartbeat::Heartbeat;
use super::heartbeat_table::{self, HeartbeatTable};
use super::http_cohort;
use super::load::{Connections, Load, LoadTable, MAX_CONNECTIONS, check_lifetime};
use super::matching::{Condition, Match};
use super::message::{FrameKind, Message, MessageTable};
use super::on::{On, OnTable, ServerTime};
use super::payload::{Payload, Segment};
use super::reconnect::{self, Reconnect, ReconnectTable};
use super::scope::Scope;
use super::servers::{Address, Servers};
use super::step::{OnFail, Step, Verb, each, longest};
use super::step_table::StepTable;
use super::streams;
use super::talk::{Lists, Talk};
use super::topic::{self, Topic, WithTo};
use super::upgrade::Upgrade;
use super::url::Protocol;
use crate::metric;
use crate::scenario::contract::{Contract, ContractTable};
use crate::scenario::fault::{self, Fault, FaultKind, FaultTable, Measured};
use crate::scenario::reading::{At, Check, List, OneOrMany, Place, Section, Switch, given, keys};
use crate::scenario::root::File;
use crate::units::{counted, human_count};

const MAX_COHORTS: usize = 256;

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

keys! {
    /// A group of connections that behave alike.
    #[serde(expecting = "a table")]
    CohortTable = "Cohort" {
        /// Names its rows in reports: 1 to 64 letters, digits, `-` and `_`. Required.
        name: String,
        /// How many. Required.
        connections: Connections,
        /// The server of these connections, and what is spoken with it, where that is not the one of `[target]`.
        target: CohortTargetTable,
        /// Replaces the `message`s above; `[]` removes them.
        message: List<At<MessageTable>>,
        /// The topics that these connections are members of as soon as they are ready: one name or a list of at most 8.
        /// Placeholders as in `to` of a message.
        joins: OneOrMany<String>,
        /// Replaces the `setup` above; `[]` removes it.
        setup: List<At<StepTable>>,
        /// Replaces the `step`s above; `[]` removes them.
        step: List<At<StepTable>>,
        /// Replaces the `on`s above; `[]` removes them.
        on: List<At<OnTable>>,
        /// Merges key by key with the `heartbeat` above; "off" removes it.
        heartbeat: Switch<HeartbeatTable>,
        /// Replaces `load.reconnect`.
        reconnect: Switch<ReconnectTable>,
        /// What these clients do wrong on purpose: one fault or a list. Default: nothing.
        fault: OneOrMany<FaultTable>,
        /// What the server promises about these connections. Replaces the `contract` above; "off" removes it.
        contract: Switch<ContractTable>,
    }
}

/// Resolves all cohorts; `None` if one is invalid.
pub(in crate::scenario) fn resolve(
    check: &mut Check<'_>,
    file: &File,
    data: &[Data],
    table: &At<LoadTable>,
    load: Option<&Load>,
    address: Option<&Address>,
    access: &SharedAccess,
) -> Option<Vec<Cohort>> {
    let shared = CommonSettings {
        file,
        data,
        address,
        access,
        talk: OnceCell::new(),
        measured: load.map(Measured::of),
        reconnect: reconnect::resolve(check, "load.reconnect", &table.value.reconnect),
    };
    let mut section = Section {
        check: &mut *check,
        path: "load",
        place: &table.place,
    };
    let Some(given) = file.cohort.as_ref().filter(|list| !list.value.0.is_empty()) else {
        let connections = load.and_then(|load| load.shape.connections(&mut section, &table.value));
        let own = CohortTable::default();
        let main = shared.cohort(check, Some("main".into()), connections, &own)?;
        check_lifetime(check, &table.value, &main);
        let place = Lists::of(file, &own).place();
        topic::check_number(check, &place, std::slice::from_ref(&main), data);
        return Some(vec![main]);
    };
    no_shared_load(&mut section, &table.value);
    let list = &given.value.0;
    if list.len() > MAX_COHORTS {
        let what = format_args!("is given more than {MAX_COHORTS} times");
        check.problem("cohort", &given.place, what, None);
        return None;
    }
    let names = list.iter().filter_map(|own| own.value.name.as_ref());
    check.unique("cohort.name", names);
    let unused = CohortTable::default();
    let cohorts: Vec<_> = list.iter().map(|own| shared.named(check, own)).collect();
    if list.iter().all(|own| own.value.message.is_some()) {
        // Nobody says what the file says, which may be wrong all the same.
        let lists = Lists::of(file, &unused);
        shared.talk(check, lists, shared.protocol(), shared.reconnect);
    }
    let cohorts: Vec<Cohort> = cohorts.into_iter().collect::<Option<_>>()?;
    let counts = cohorts.iter().map(|cohort| u64::from(cohort.connections));
    let total: u64 = counts.sum();
    if total > u64::from(MAX_CONNECTIONS) {
        let (total, most) = (
            counted(total, "connection"),
            human_count(MAX_CONNECTIONS.into()),
        );
        let what = format_args!("come to {total} in all, more than {most}");
        check.problem("cohort.connections", &given.place, what, None);
    }
    topic::check_number(check, &given.place, &cohorts, data);
    Some(cohorts)
}

/// The settings of the file that all cohorts share.
struct CommonSettings<'a> {
    file: &'a File,
    data: &'a [Data],
    /// `None` if the address of the target is invalid.
    address: Option<&'a Address>,
    access: &'a SharedAccess,
    /// What clients say that have the lists of the file, and its way to reconnect: resolved once, so that cohorts share
    /// the bytes. `None` if something in it is invalid.
    talk: OnceCell<Option<Talk>>,
    reconnect: Reconnect,
    /// `None` if the load is invalid.
    measured: Option<Measured>,
}

impl CommonSettings<'_> {
    fn named(&self, check: &mut Check<'_>, table: &At<CohortTable>) -> Option<Cohort> {
        let At { value: keys, place } = table;
        let path = "cohort";
        let mut section = Section { check, path, place };
        let name = section.name(&keys.name, "write `name = \"healthy\"`");
        let connections = section.required(
            "connections",
            &keys.connections,
            "write `connections = 100`",
        );
        self.cohort(check, name, connections.map(|count| count.0), keys)
    }

    fn talk(
        &self,
        check: &mut Check<'_>,
        lists: Lists<'_>,
        protocol: Protocol,
        reconnect: Reconnect,
    ) -> Option<Talk> {
        let mut resolve =
            || lists.resolve(check, self.data, protocol, reconnect != Reconnect::None);
        let is_same = protocol == self.protocol() && reconnect == self.reconnect;
        match lists.are_shared && is_same {
            true => self.talk.get_or_init(resolve).clone(),
            false => resolve(),
        }
    }

    /// What is spoken with the target.
    fn protocol(&self) -> Protocol {
        self.address
            .map_or(Protocol::WebSocket, |address| address.protocol)
    }

    fn cohort(
        &self,
        check: &mut Check<'_>,
        name: Option<String>,
        connections: Option<u32>,
        own: &CohortTable,
    ) -> Option<Cohort> {
        let reconnect = match &own.reconnect {
            Some(_) => reconnect::resolve(check, "cohort.reconnect", &own.reconnect),
            None => self.reconnect,
        };
        let target = self.file.target.as_ref().map(|target| &target.value);
        let spoken = cohort_target::resolve(check, &own.target, target, self.address, self.access);
        let lists = Lists::of(self.file, own);
        let protocol = (spoken.as_ref()).map_or_else(|| self.protocol(), |spoken| spoken.protocol);
        let talk = self.talk(check, lists, protocol, reconnect);
        let path = match &own.heartbeat {
            Some(_) => "cohort.heartbeat",
            None => "heartbeat",
        };
        let heartbeat = match heartbeat_table::merge(&self.file.heartbeat, &own.heartbeat) {
            Some(At { value: keys, place }) => {
                let (check, place) = (&mut *check, &place);
                let section = Section { check, path, place };
                let plain = Scope::of(self.data);
                let ready =
                    (talk.as_ref()).map_or_else(|| plain.clone(), |talk| talk.ready(self.data));
                keys.resolve(section, reconnect, &ready, &plain).map(Some)
            }
            None => Some(None),
        };
        let joins = topic::list(
            &mut Section {
                check: &mut *check,
                path: "cohort",
                place: &Place::default(),
            },
            self.data,
            "joins",
            &own.joins,
        );
        let faults = fault::faults(check, &own.fault, self.measured);
        let Talk {
            messages,
            setup,
            steps,
            on,
            saved,
            upgrade,
            ..
        } = talk?;
        let Spoken {
            protocol,
            servers,
            keep_alive,
            access,
        } = spoken?;
        let cohort = Cohort {
            name: name?,
            connections: connections?,
            protocol,
            servers,
            keep_alive,
            access,
            messages,
            joins: joins?,
            setup,
            steps,
            on,
            saved,
            upgrade,
            heartbeat: heartbeat?,
            reconnect,
            faults: faults?,
            contract: None,
        };
        cohort_target::check(check, &own.target, self.address, &cohort);
        http_cohort::check(check, lists, (self.file, own), self.address, &cohort);
        fault::with_cohort(check, &own.fault, &cohort);
        streams::check(check, lists, &cohort);
        topic::check_steps(check, lists, &cohort);
        data::check(check, &self.file.data, &cohort, self.data);
        Some(cohort)
    }
}

fn no_shared_load(section: &mut Section<'_, '_>, load: &LoadTable) {
    const BECAUSE: &str = "cannot be used with `[[cohort]]`";
    let hint = "leave it out; each cohort has its own `connections`";
    section.excluded(&given!(load; connections), BECAUSE, hint);
    let hint = "use `ramp_up` and `duration`, which all cohorts share";
    section.excluded(&given!(load; stages, arrivals), BECAUSE, hint);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::scenario::parse::parse_alone;
    use crate::scenario::{Overrides, PingKind, Scenario};

    fn scenario(cohorts: &str) -> Scenario {
        let text = format!(
            r#"
            name = "x"
            target.url = "embedded"
            [[message]]
            name = "shared"
            rate = "1/s"
            [heartbeat]
            interval = "20s"
            kind = "text"
            send = "ping"
            expect = "pong"
            {cohorts}
            "#
        );
        let parsed = parse_alone(&text, &Overrides::default());
        parsed.unwrap_or_else(|problems| panic!("{problems}"))
    }

    #[test]
    fn what_a_cohort_leaves_out_it_has_from_above() {
        let scenario = scenario("[[cohort]]\nname = \"a\"\nconnections = 3");
        let cohort = &scenario.cohorts[0];
        assert_eq!((cohort.name.as_str(), cohort.connections), ("a", 3));
        assert_eq!(cohort.messages[0].name, "shared");
        assert_eq!(cohort.pings().unwrap().interval, Duration::from_secs(20));
    }

    #[test]
    fn tables_merge_key_by_key_and_lists_are_replaced() {
        let scenario = scenario(
            r#"
            [[cohort]]
            name = "a"
            connections = 1
            heartbeat = { timeout = "1s" }
            [[cohort.message]]
            name = "own"
            in_flight = 1
            "#,
        );
        let cohort = &scenario.cohorts[0];
        let names: Vec<&str> = cohort.messages.iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names, ["own"]);
        let (heartbeat, watch) = cohort.watched().unwrap();
        assert_eq!(heartbeat.interval, Duration::from_secs(20));
        assert_eq!(watch.timeout, Duration::from_secs(1));
        assert!(matches!(heartbeat.kind, PingKind::Text { .. }));
    }

    #[test]
    fn another_kind_of_heartbeat_takes_its_keys_with_it() {
        let scenario = scenario(
            "[[cohort]]\nname = \"a\"\nconnections = 1\nheartbeat = { kind = \"frames\" }",
        );
        let heartbeat = scenario.cohorts[0].pings().unwrap();
        assert_eq!(heartbeat.kind, PingKind::Frames);
        assert_eq!(heartbeat.interval, Duration::from_secs(20));
    }

    #[test]
    fn off_and_an_empty_list_remove() {
        let scenario = scenario(
            "[[cohort]]\nname = \"a\"\nconnections = 1\nheartbeat = \"off\"\nmessage = []",
        );
        assert_eq!(scenario.cohorts[0].heartbeat, None);
        assert!(scenario.cohorts[0].messages.is_empty());
    }
}
