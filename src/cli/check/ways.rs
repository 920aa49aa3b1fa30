//! What `check` tells of the way from clients to their server. Each part of a way is a function of its own.

use serde::Serialize;

use crate::scenario::{
    Access, AnnounceVersion, Cohort, HttpVersion, Identities, Scenario, Servers, TlsSettings, Trust,
};
use crate::units::{counted, human_count};

/// The way of some cohorts.
#[derive(Serialize, PartialEq)]
pub(super) struct WayRow {
    cohorts: Vec<String>,
    server: String,
    /// The proxy, without its credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy: Option<String>,
    /// What is spoken there, in order.
    speaks: Vec<String>,
}

/// The different ways of all cohorts.
pub(super) fn ways(scenario: &Scenario) -> Vec<WayRow> {
    let mut rows: Vec<WayRow> = Vec::new();
    for cohort in &scenario.cohorts {
        let row = WayRow::of(scenario, cohort);
        let is_same = |known: &&mut WayRow| {
            (&known.server, &known.proxy, &known.speaks) == (&row.server, &row.proxy, &row.speaks)
        };
        match rows.iter_mut().find(is_same) {
            Some(known) => known.cohorts.extend(row.cohorts),
            None => rows.push(row),
        }
    }
    rows
}

impl WayRow {
    fn of(scenario: &Scenario, cohort: &Cohort) -> Self {
        let target = &scenario.target.url;
        let servers = cohort.dialled(target);
        let is_secure = servers.is_some_and(Servers::is_secure);
        let has_unix = servers.is_some_and(Servers::has_unix);
        let access = &cohort.access;
        let parts = [
            has_unix.then(|| "Unix socket, arrivals timed by reads".to_owned()),
            announced(access),
            is_secure.then(|| tls(&access.tls)),
            Some(http(access.http)),
            (cohort.packs()).map(|packs| format!("permessage-deflate, {}", packs.send)),
        ];
        Self {
            cohorts: vec![cohort.name.clone()],
            server: servers.map_or_else(|| target.shown(), Servers::shown),
            proxy: access.proxy.as_ref().map(|proxy| proxy.shown()),
            speaks: parts.into_iter().flatten().collect(),
        }
    }

    /// A line; names the cohorts where there are several ways.
    pub(super) fn text(&self, is_alone: bool) -> String {
        let cohorts = match is_alone {
            true => String::new(),
            false => format!("{}: ", self.cohorts.join(", ")),
        };
        let proxy = self.proxy.iter().map(|proxy| format!(" by {proxy}"));
        let speaks = self.speaks.iter().map(|part| format!(" · {part}"));
        let parts = proxy.chain(speaks).collect::<String>();
        format!("{cohorts}{}{parts}", self.server)
    }
}

fn announced(access: &Access) -> Option<String> {
    let announce = access.announce.as_ref()?;
    let version = match announce.version {
        AnnounceVersion::One => 1,
        AnnounceVersion::Two => 2,
    };
    let claimed = match announce.claimed.len() as u64 {
        0 => "the real address".to_owned(),
        1 => "1 address".to_owned(),
        many => format!("{} addresses", human_count(many)),
    };
    Some(format!("PROXY protocol {version} with {claimed}"))
}

fn http(version: HttpVersion) -> String {
    match version {
        HttpVersion::One => "HTTP/1.1".to_owned(),
        HttpVersion::Two(sharing) => {
            let streams = counted(u64::from(sharing.streams), "stream");
            format!("HTTP/2, {streams} on a TCP connection")
        }
    }
}

fn tls(settings: &TlsSettings) -> String {
    let versions = settings.versions.iter().map(|version| version.name());
    let mut parts = vec![format!("TLS {}", Vec::from_iter(versions).join(", "))];
    parts.extend(match &settings.identities {
        Identities::None => None,
        Identities::One { .. } => Some("1 identity".to_owned()),
        Identities::Each(all) => Some(match all.len() as u64 {
            1 => "1 identity".to_owned(),
            many => format!("{} identities", human_count(many)),
        }),
    });
    match (settings.pins.len() as u64, &settings.trust) {
        (0, Trust::Anyone) => parts.push("any certificate".to_owned()),
        (0, _) => {}
        (pins, _) => parts.push(counted(pins, "pin")),
    }
    parts.join(", ")
}
