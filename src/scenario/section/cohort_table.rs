//! `[[cohort]]`: the cohorts of the file, or one called `main`, with the settings that are shared by all merged in.

use std::cell::OnceCell;

use super::access::{AccessTable, SharedAccess};
use super::cohort::Cohort;
use super::cohort_target::{self, Spoken};
use super::data::{self, Data};
use super::heartbeat_table::{self, HeartbeatTable};
use super::http_cohort;
use super::load::{Connections, Load, LoadTable, MAX_CONNECTIONS, check_lifetime};
use super::message::MessageTable;
use super::on::OnTable;
use super::reconnect::{self, Reconnect, ReconnectTable};
use super::scope::Scope;
use super::servers::Address;
use super::step_table::StepTable;
use super::streams;
use super::talk::{Lists, Talk};
use super::topic;
use super::upgrade::Said;
use super::url::Protocol;
use crate::scenario::contract::ContractTable;
use crate::scenario::fault::{self, FaultTable, Measured};
use crate::scenario::reading::{
    At, Check, Given as _, List, OneOrMany, Place, Section, Switch, given, keys,
};
use crate::scenario::root::File;
use crate::units::{counted, human_count};

const MAX_COHORTS: usize = 256;

keys! {
    /// A group of connections that behave alike.
    #[serde(expecting = "a table")]
    CohortTable = "Cohort" {
        /// Names its rows in reports: 1 to 64 letters, digits, `-` and `_`. Required.
        name: String,
        /// How many. Required.
        connections: Connections,
        /// The server of these connections, and what is spoken with it, where that is not the one of `[target]`.
        target: AccessTable,
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
        let spoken = cohort_target::resolve(check, &own.target, self.address, self.access);
        let said = own.target.as_ref().filter(|at| at.value.says_request());
        let said = said.map(|at| (&at.place, at.value.saying(&self.access.keys)));
        let shared = self.file.target.place().unwrap_or(&Place::Nowhere);
        let (path, place, keys) = match &said {
            Some((place, keys)) => ("cohort.target", *place, keys),
            None => ("target", shared, &self.access.keys),
        };
        let lists = Lists::of(self.file, own).saying(Said { path, place, keys }, said.is_some());
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
