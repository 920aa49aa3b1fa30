//! The whole of a scenario: the sections of a file as the user wrote them, what they mean together with every default
//! filled in, and how one becomes the other.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::contract::{ContractTable, Environment, contracts};
use super::fault::{self, Measured, Path, PathTable};
use super::gate::{self, Gates, GatesTable, Names};
use super::overrides::Overrides;
use super::reading::{At, Check, Document, List, Outside, Place, Problems, Source, Switch, keys};
use super::secrets::Secrets;
use super::section::{
    self, Access, Cohort, CohortTable, Data, DataTable, Heartbeat, HeartbeatTable, Lasts, Load,
    LoadTable, MessageTable, OnTable, Payload, ProxyKind, Servers, Shape, StepTable, Target,
    TargetTable, Trust, Verb,
};
use crate::units::ByteSize;

/// One complete run.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// The name of the report folder: letters, digits, `-` and `_`.
    pub name: String,
    /// One line of description; may be empty.
    pub description: String,
    /// The server under test, and how to connect to it.
    pub target: Target,
    /// The relay and the faults of the path; `None` if connections go to the target without a relay.
    pub path: Option<Path>,
    /// The number of connections, their times, and the length of the run.
    pub load: Load,
    /// Groups of connections that behave alike. Never empty, at most 256; one called `main` where the file names none.
    pub cohorts: Vec<Cohort>,
    /// The rows that placeholders take their values from.
    pub data: Vec<Data>,
    /// The conditions that the run must meet.
    pub gates: Gates,
    /// Values that no output may show, even if the server sends them.
    pub secrets: Secrets,
}

keys! {
    /// A wsbench scenario: whom to connect to, with how much load, and what must hold.
    #[serde(expecting = "a table")]
    #[schemars(title = "wsbench scenario")]
    File = "Scenario" {
        /// Names the report folder: 1 to 64 letters, digits, `-` and `_`.
        name: String,
        /// One line for people.
        description: String,
        /// The server under test.
        target: TargetTable,
        /// A relay between wsbench and the target, and its faults. Without it connections go directly to the target.
        path: PathTable,
        /// How many connections, when, and for how long.
        load: LoadTable,
        /// Rows of values for placeholders, by name.
        data: BTreeMap<String, At<DataTable>>,
        /// The messages that each connection sends repeatedly, independently of each other.
        message: List<At<MessageTable>>,
        /// What each client does before it is ready: in order, once for each connection.
        setup: List<At<StepTable>>,
        /// What each client does when it is ready: in order, once.
        step: List<At<StepTable>>,
        /// What each client does with messages that nothing else takes.
        on: List<At<OnTable>>,
        /// How each connection checks that the server is alive; "off" if left out.
        heartbeat: Switch<HeartbeatTable>,
        /// What the server promises about the connections of each cohort that has no contract of its own and no fault.
        contract: Switch<ContractTable>,
        /// What must hold.
        gates: GatesTable,
        /// Groups of connections that behave alike and run side by side; one called `main` where left out.
        cohort: List<At<CohortTable>>,
    }
}

/// Resolves a file and the gates of the command line; returns `None` only if a problem was noted.
pub(super) fn resolve(
    document: &Document,
    source: &Source,
    overrides: &Overrides,
    outside: &Outside<'_>,
    problems: &mut Problems,
) -> Option<Scenario> {
    let check = &mut Check {
        source,
        outside,
        removed: &document.removed,
        problems,
        secrets: Secrets::default(),
    };
    let file = &document.file;
    match &file.name {
        Some(name) => check.name("name", name),
        None => {
            let hint =
                "write `name = \"echo\"` in the first line; the report folder is named after it";
            check.missing(&Place::Nowhere, "name", hint);
        }
    }
    if let Some(text) = &file.description
        && text.value.chars().any(char::is_control)
    {
        check.problem(
            "description",
            &text.place,
            "is not one line of plain text",
            "use comments for more",
        );
    }
    let load_table = file.load.clone().unwrap_or_default();
    let load = section::load(check, &load_table);
    let measured = load.as_ref().map(Measured::of);
    let data = section::data(check, &file.data);
    let target_table = file.target.clone().unwrap_or_default();
    let address = section::target_address(check, &target_table);
    let access = section::target_access(check, &target_table, address.as_ref());
    let mut cohorts = section::cohorts(
        check,
        file,
        &data,
        &load_table,
        load.as_ref(),
        address.as_ref(),
        &access,
    );
    let known = cohorts.as_deref().unwrap_or_default();
    let url = address.map(|address| address.url);
    let target = section::target(check, &target_table, url, access.access, known, measured);
    let names = Names::of(file, load.as_ref(), cohorts.as_deref(), None);
    let names: Vec<&str> = names.cohorts.iter().map(|group| group.name).collect();
    let path = fault::path(check, &file.path, &names, measured);
    let known = cohorts.as_deref().unwrap_or_default();
    if let Some(target) = &target {
        section::reachable(check, file, target, path.as_ref(), known);
    }
    let environment = match (&target, &load) {
        (Some(target), Some(load)) => Some(Environment {
            target,
            path: path.as_ref(),
            load,
        }),
        _ => None,
    };
    let with_contract = cohorts.as_deref_mut().unwrap_or_default();
    contracts(check, file, with_contract, environment.as_ref());
    if let Some(environment) = &environment
        && let Shape::Steady {
            duration: Lasts::Endless,
            ..
        } = environment.load.shape
        && let Some(given) = &load_table.value.duration
        && let Some((what, hint)) =
            section::not_endless(with_contract, environment.target, path.is_some())
    {
        check.problem("load.duration", &given.place, what, hint);
    }
    // Resolves the gates after the contracts, which decide at which cohorts a gate looks.
    let names = Names::of(
        file,
        load.as_ref(),
        cohorts.as_deref(),
        environment.as_ref(),
    );
    let gates_table = file.gates.clone().unwrap_or_default();
    let gates = gate::resolve(check, &gates_table, overrides, &names);
    Some(Scenario {
        name: file.name.as_ref()?.value.clone(),
        description: (file.description.as_ref()).map_or_else(String::new, |d| d.value.clone()),
        target: target?,
        path,
        load: load?,
        cohorts: cohorts?,
        data,
        gates,
        secrets: std::mem::take(&mut check.secrets),
    })
}

impl Scenario {
    /// The longest `timeout` of a message, step or heartbeat: how long after the last send an answer or a delivery can
    /// still be due.
    pub fn longest_answer(&self) -> Duration {
        self.cohorts
            .iter()
            .flat_map(|cohort| {
                let messages = cohort.messages.iter().filter(|m| m.expects_answer());
                let steps = cohort.each_step().filter_map(|step| match &step.verb {
                    Verb::Send(send) if send.expects_answer() => Some(send.timeout),
                    Verb::Http(http) => Some(http.timeout),
                    _ => None,
                });
                let heartbeat = cohort.heartbeat.iter().filter_map(Heartbeat::watched);
                let heartbeat = heartbeat.map(|(_, watch)| watch.timeout);
                messages.map(|m| m.timeout).chain(steps).chain(heartbeat)
            })
            .chain(self.patience())
            .max()
            .unwrap_or(Duration::ZERO)
    }

    /// The longest `timeout` of what has a `to`: how long a delivery can take; `None` if nothing is published.
    pub fn patience(&self) -> Option<Duration> {
        let published = self.cohorts.iter().flat_map(Cohort::published);
        published.map(|one| one.timeout).max()
    }

    /// Has the secrets of all sessions of TLS appended to a file, those with proxies too.
    pub fn log_keys(&mut self, path: &std::path::Path) {
        let cohorts = self.cohorts.iter_mut().map(|cohort| &mut cohort.access);
        for access in cohorts.chain([&mut self.target.access]) {
            let proxy = access.proxy.as_mut().map(|proxy| &mut proxy.tls);
            for tls in [&mut access.tls].into_iter().chain(proxy) {
                tls.key_log = Some(path.to_owned());
            }
        }
    }

    /// The file that the secrets of TLS are appended to.
    pub fn key_log(&self) -> Option<&PathBuf> {
        let mut cohorts = self.cohorts.iter();
        cohorts.find_map(|cohort| cohort.access.tls.key_log.as_ref())
    }

    /// Whether TLS is spoken with a server or a proxy, or a redirect may lead to where it is.
    pub fn may_speak_tls(&self) -> bool {
        self.cohorts.iter().any(|cohort| {
            let proxy = &cohort.access.proxy;
            let dialled = cohort.dialled(&self.target.url);
            dialled.is_some_and(Servers::is_secure)
                || cohort.may_lead_to_tls()
                || matches!(proxy, Some(proxy) if proxy.kind == ProxyKind::Https)
        })
    }

    /// Whether the certificates of a server are not checked.
    pub fn trusts_anyone(&self) -> bool {
        let mut cohorts = self.cohorts.iter();
        cohorts.any(|cohort| cohort.access.tls.trust == Trust::Anyone)
    }

    /// How clients get to the target, and how those of each cohort get to their servers.
    pub fn accesses(&self) -> impl Iterator<Item = &Access> {
        let cohorts = self.cohorts.iter().map(|cohort| &cohort.access);
        std::iter::once(&self.target.access).chain(cohorts)
    }

    /// Whether a server is dialled by a Unix socket.
    pub fn has_unix(&self) -> bool {
        let own = self
            .cohorts
            .iter()
            .filter_map(|cohort| cohort.servers.as_ref());
        let mut all = own.chain(self.target.url.servers());
        all.any(Servers::has_unix)
    }

    /// Whether only a signal ends it.
    pub fn is_endless(&self) -> bool {
        matches!(self.load.shape, Shape::Steady { duration, .. } if duration == Lasts::Endless)
    }

    /// The longest payload of any message.
    pub fn longest_payload(&self) -> ByteSize {
        let longest = self.payloads().map(Payload::longest).max();
        ByteSize(longest.unwrap_or(0))
    }

    /// The number of connections of the whole run; each arrival counts as one.
    pub fn connections(&self) -> u64 {
        let cohorts = self.cohorts.iter();
        cohorts.map(|cohort| u64::from(cohort.connections)).sum()
    }

    /// The longest payload that wsbench generates, as opposed to those it reads from the scenario.
    pub fn longest_made(&self) -> ByteSize {
        let made = self.payloads().filter_map(|payload| match payload {
            Payload::Size(size) => Some(*size),
            Payload::Fixed(_) | Payload::Template(_) => None,
        });
        made.max().unwrap_or(ByteSize(0))
    }

    /// Returns the longest time from a 101 until a client is ready.
    pub fn longest_setup(&self) -> Duration {
        let setups = self.cohorts.iter().map(Cohort::longest_setup);
        setups.max().unwrap_or(Duration::ZERO)
    }

    /// The payloads of all messages, those of steps and replies among them.
    pub fn payloads(&self) -> impl Iterator<Item = &Payload> {
        let payloads = self.cohorts.iter().flat_map(Cohort::payloads);
        payloads.map(|(_, payload)| payload)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Overrides;
    use crate::scenario::parse::parse_alone;

    #[test]
    fn what_steps_and_replies_say_is_as_long_as_what_messages_say() {
        for list in [
            "[[message]]\nname = \"a\"\nin_flight = 1\npayload = { size = \"5KiB\" }",
            "[[setup]]\nname = \"a\"\nsend = { size = \"5KiB\" }\nexpect = \"echo\"",
            "[[step]]\nname = \"a\"\nsend = { size = \"5KiB\" }\nexpect = \"none\"",
        ] {
            let text =
                format!("name = \"x\"\ntarget.url = \"embedded\"\nload.connections = 1\n{list}");
            let scenario = parse_alone(&text, &Overrides::default());
            let scenario = scenario.unwrap_or_else(|problems| panic!("{problems}"));
            let lengths = [scenario.longest_made(), scenario.longest_payload()];
            assert_eq!(lengths, [ByteSize(5 * 1024); 2], "{list}");
        }
    }
}
