//! The cohorts: one called `main`, or those the file names, with what is said for all merged in.

use super::{heartbeat, load, message, streams};
use crate::scenario::fault;
use crate::scenario::file::{CohortTable, File, Key, LoadTable, MessageTable};
use crate::scenario::model::{Cohort, Load, Message, Reconnect};
use crate::scenario::reading::{At, Check, List};

const MAX_COHORTS: usize = 256;
const MAX_CONNECTIONS: u64 = 10_000_000;

type Messages = Key<List<At<MessageTable>>>;

/// Resolves all cohorts; `None` where one cannot be.
pub(super) fn cohorts(
    check: &mut Check<'_>,
    file: &File,
    table: &At<LoadTable>,
    load: Option<&Load>,
) -> Option<Vec<Cohort>> {
    let shared = Shared {
        messages: messages(check, "message", &file.message),
        file,
        reconnect: load::reconnect(check, "load.reconnect", &table.value.reconnect),
    };
    let given = file.cohort.as_ref().filter(|list| !list.value.0.is_empty());
    let Some(given) = given else {
        let connections = load::connections(check, table, load.map(|load| &load.shape));
        let own = CohortTable::default();
        let main = shared.cohort(check, Some("main".into()), connections, &own);
        return main.map(|main| vec![main]);
    };
    no_shared_load(check, &table.value);
    if given.value.0.len() > MAX_COHORTS {
        let what = format_args!("is given more than {MAX_COHORTS} times");
        check.problem("cohort", &given.place, what);
        return None;
    }
    let names = given
        .value
        .0
        .iter()
        .filter_map(|own| own.value.name.as_ref());
    check.unique("cohort.name", names);
    let cohorts: Vec<_> = given
        .value
        .0
        .iter()
        .map(|own| shared.named(check, own))
        .collect();
    let cohorts: Vec<Cohort> = cohorts.into_iter().collect::<Option<_>>()?;
    let total: u64 = cohorts
        .iter()
        .map(|cohort| u64::from(cohort.connections))
        .sum();
    if total > MAX_CONNECTIONS {
        let what = format_args!("come to {total} connections in all, more than {MAX_CONNECTIONS}");
        check.problem("cohort.connections", &given.place, what);
    }
    Some(cohorts)
}

/// What the file says for all cohorts.
struct Shared<'a> {
    file: &'a File,
    /// `None` where one of them is wrong.
    messages: Option<Vec<Message>>,
    reconnect: Reconnect,
}

impl Shared<'_> {
    fn named(&self, check: &mut Check<'_>, table: &At<CohortTable>) -> Option<Cohort> {
        let keys = &table.value;
        match &keys.name {
            Some(name) => check.name("cohort.name", name),
            None => check.missing(&table.place, "cohort.name", "write `name = \"healthy\"`"),
        }
        if keys.connections.is_none() {
            check.missing(
                &table.place,
                "cohort.connections",
                "write `connections = 100`",
            );
        }
        let name = keys.name.as_ref().map(|name| name.value.clone());
        let connections = keys.connections.as_ref().map(|count| count.value.0);
        self.cohort(check, name, connections, keys)
    }

    fn cohort(
        &self,
        check: &mut Check<'_>,
        name: Option<String>,
        connections: Option<u32>,
        own: &CohortTable,
    ) -> Option<Cohort> {
        let messages = match &own.message {
            Some(_) => messages(check, "cohort.message", &own.message),
            None => self.messages.clone(),
        };
        let reconnect = match &own.reconnect {
            Some(_) => load::reconnect(check, "cohort.reconnect", &own.reconnect),
            None => self.reconnect,
        };
        let path = if own.heartbeat.is_some() {
            "cohort.heartbeat"
        } else {
            "heartbeat"
        };
        let heartbeat = match heartbeat::merge(&self.file.heartbeat, &own.heartbeat) {
            Some(table) => heartbeat::heartbeat(check, path, &table, reconnect).map(Some),
            None => Some(None),
        };
        let faults = fault::faults(check, &own.fault);
        let cohort = Cohort {
            name: name?,
            connections: connections?,
            messages: messages?,
            heartbeat: heartbeat?,
            reconnect,
            faults: faults?,
            contract: None,
        };
        fault::with_cohort(check, &own.fault, &cohort);
        let (key, list) = match &own.message {
            Some(_) => ("cohort.message", &own.message),
            None => ("message", &self.file.message),
        };
        if let Some(list) = list {
            streams::check(check, key, &list.value.0, &cohort);
        }
        Some(cohort)
    }
}

fn messages(check: &mut Check<'_>, path: &str, given: &Messages) -> Option<Vec<Message>> {
    match given {
        Some(list) => message::messages(check, path, list),
        None => Some(Vec::new()),
    }
}

fn no_shared_load(check: &mut Check<'_>, load: &LoadTable) {
    const BECAUSE: &str = "cannot be used with `[[cohort]]`";
    check.excluded(
        &[(
            "load.connections",
            load.connections.as_ref().map(|key| &key.place),
        )],
        BECAUSE,
        "leave it out; each cohort has its own `connections`",
    );
    check.excluded(
        &[
            ("load.stages", load.stages.as_ref().map(|key| &key.place)),
            (
                "load.arrivals",
                load.arrivals.as_ref().map(|key| &key.place),
            ),
        ],
        BECAUSE,
        "use `ramp_up` and `duration`, which all cohorts share",
    );
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::scenario::{HeartbeatKind, Outside, Overrides, Scenario, Source, parse};

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
        let outside = Outside {
            env: &|_| None,
            read: &|_| unreachable!("no file is named"),
        };
        let name = "x".into();
        parse(&Source { name, text }, &Overrides::default(), &outside)
            .unwrap_or_else(|problems| panic!("{problems}"))
    }

    #[test]
    fn what_a_cohort_leaves_out_it_has_from_above() {
        let scenario = scenario("[[cohort]]\nname = \"a\"\nconnections = 3");
        let cohort = &scenario.cohorts[0];
        assert_eq!((cohort.name.as_str(), cohort.connections), ("a", 3));
        assert_eq!(cohort.messages[0].name, "shared");
        assert_eq!(
            cohort.heartbeat.as_ref().unwrap().interval,
            Duration::from_secs(20)
        );
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
        let heartbeat = cohort.heartbeat.as_ref().unwrap();
        assert_eq!(heartbeat.interval, Duration::from_secs(20));
        assert_eq!(heartbeat.timeout, Duration::from_secs(1));
        assert!(matches!(heartbeat.kind, HeartbeatKind::Text { .. }));
    }

    #[test]
    fn another_kind_of_heartbeat_takes_its_keys_with_it() {
        let scenario = scenario(
            "[[cohort]]\nname = \"a\"\nconnections = 1\nheartbeat = { kind = \"frames\" }",
        );
        let heartbeat = scenario.cohorts[0].heartbeat.as_ref().unwrap();
        assert_eq!(heartbeat.kind, HeartbeatKind::Frames);
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
