//! `target.url` and `target.unix`: the server of a target or of a cohort, or several by turns; or the built-in one.

use super::cohort::Cohort;
use super::step::Verb;
use super::url::{self, Protocol, UrlError, WebOrigin, WsUrl};
use crate::scenario::reading::{At, Key, OneOrMany, Place, Section, Shorthand, Whole, keys};
use crate::scenario::secrets::shown_address;

/// The most servers of a list.
const MAX_SERVERS: usize = 256;

/// The address of a server, and what is spoken with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::scenario) struct Address {
    pub(in crate::scenario) url: TargetUrl,
    pub(in crate::scenario) protocol: Protocol,
}

impl Address {
    /// Whether TLS is spoken there.
    pub(in crate::scenario) fn is_secure(&self) -> bool {
        self.url.servers().is_some_and(Servers::is_secure)
    }
}

/// The address of the server, or of several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TargetUrl {
    /// The built-in server, started for this run.
    Embedded,
    /// One or several servers that run already.
    Servers(Servers),
}

impl TargetUrl {
    /// The servers, if they are not the built-in one.
    pub fn servers(&self) -> Option<&Servers> {
        match self {
            Self::Embedded => None,
            Self::Servers(servers) => Some(servers),
        }
    }

    /// Whether it is all on this machine, judged by its name.
    pub fn is_local(&self) -> bool {
        self.servers().is_none_or(Servers::is_loopback)
    }

    /// The address as reports and messages show it.
    pub fn shown(&self) -> String {
        let built_in = || "the built-in server".to_owned();
        self.servers().map_or_else(built_in, Servers::shown)
    }
}

/// Servers that connections go to in turn, by their weights. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Servers(Vec<Server>);

/// One of several servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Its address.
    pub url: WsUrl,
    /// How many connections it gets for each one that a server of weight 1 gets; from 1 to 100.
    pub weight: u32,
}

impl From<WsUrl> for Servers {
    fn from(url: WsUrl) -> Self {
        Self(vec![Server { url, weight: 1 }])
    }
}

impl Servers {
    /// The first one, or the only one.
    pub fn first(&self) -> &WsUrl {
        &self.0[0].url
    }

    /// All of them, in the order of the scenario.
    pub fn iter(&self) -> std::slice::Iter<'_, Server> {
        self.0.iter()
    }

    /// Their addresses.
    pub fn urls(&self) -> impl Iterator<Item = &WsUrl> {
        self.0.iter().map(|server| &server.url)
    }

    /// Whether there are several.
    pub fn are_several(&self) -> bool {
        self.0.len() > 1
    }

    /// Whether TLS is spoken with one of them.
    pub fn is_secure(&self) -> bool {
        self.urls().any(|url| url.secure)
    }

    /// Whether each of them is on this machine.
    pub fn is_loopback(&self) -> bool {
        self.urls().all(WsUrl::is_loopback)
    }

    /// Whether one of them is dialled by a Unix socket.
    pub fn has_unix(&self) -> bool {
        self.urls().any(|url| url.unix.is_some())
    }

    /// Their addresses as reports and messages show them; of many, the first.
    pub fn shown(&self) -> String {
        const MOST: usize = 3;
        let more = match self.0.len() {
            all if all > MOST + 1 => all - MOST,
            _ => 0,
        };
        let shown = |Server { url, weight }: &Server| match weight {
            1 => url.shown.clone(),
            weight => format!("{} (weight {weight})", url.shown),
        };
        let first = self.0.iter().take(self.0.len() - more).map(shown);
        let first = first.collect::<Vec<_>>().join(", ");
        match more {
            0 => first,
            more => format!("{first} and {more} more"),
        }
    }
}

impl Cohort {
    /// The servers that its connections are opened to; `None` for the built-in one.
    pub fn dialled<'a>(&'a self, target: &'a TargetUrl) -> Option<&'a Servers> {
        self.servers.as_ref().or_else(|| target.servers())
    }

    /// Whether a server beside those of `target.url` may speak TLS with its clients: one of its own, or where redirects lead.
    pub fn may_lead_to_tls(&self) -> bool {
        self.access.redirects > 0 || self.other_servers().any(|server| server.secure)
    }

    /// The servers that its clients dial or ask by HTTP, without those of `target.url`.
    pub fn other_servers(&self) -> impl Iterator<Item = WebOrigin> {
        let asked = self.each_step().filter_map(|step| match &step.verb {
            Verb::Http(http) => http.origin.clone(),
            _ => None,
        });
        asked.chain(
            self.servers
                .iter()
                .flat_map(Servers::urls)
                .map(WsUrl::origin),
        )
    }
}

keys! {
    /// One of several servers.
    #[serde(expecting = "an address, or a table such as { url = \"ws://…\", weight = 3 }")]
    ServerTable = "OneOfServers" {
        /// Its address.
        url: String,
        /// How many connections it gets for each one that a server of weight 1 gets.
        weight: Whole<1, 100> = Whole(1),
        /// The Unix socket to dial for it.
        unix: String,
    }
}

/// An address, or several, each with its weight.
pub(in crate::scenario) type UrlGiven = OneOrMany<Shorthand<String, ServerTable>>;

impl UrlGiven {
    /// One address.
    pub(in crate::scenario) fn of(url: String) -> Self {
        Self::One(Shorthand::Value(url))
    }

    /// The texts of all addresses, to be changed.
    pub(in crate::scenario) fn texts_mut(&mut self) -> Vec<&mut String> {
        fn text(given: &mut Shorthand<String, ServerTable>) -> Option<&mut String> {
            match given {
                Shorthand::Value(text) => Some(text),
                Shorthand::Table(table) => table.url.as_mut().map(|url| &mut url.value),
            }
        }
        match self {
            Self::One(one) => text(one).into_iter().collect(),
            Self::Many(list) => list
                .iter_mut()
                .filter_map(|at| text(&mut at.value))
                .collect(),
        }
    }
}

/// The texts of all addresses, each with its place.
pub(super) fn texts(given: &Key<UrlGiven>) -> Vec<At<String>> {
    let each = given.iter().flat_map(OneOrMany::each);
    let text = |(place, given): (&Place, &Shorthand<String, ServerTable>)| match given {
        Shorthand::Value(text) => Some(At {
            value: text.clone(),
            place: place.clone(),
        }),
        Shorthand::Table(table) => table.url.clone(),
    };
    each.filter_map(text).collect()
}

/// Resolves `url` and `unix`; `None` if they are missing or invalid. `shared` is the address of `[target]`, which a cohort
/// dials by a socket of its own where it gives `unix` alone.
pub(super) fn resolve(
    section: &mut Section<'_, '_>,
    given: &Key<UrlGiven>,
    unix: &Key<String>,
    shared: Option<&Address>,
) -> Option<Address> {
    let Some(At { value, place }) = given else {
        return match (unix, shared) {
            (Some(unix), Some(shared)) => over(section, shared.clone(), unix),
            _ => {
                let hint = "write `url = \"ws://…\"`, or \"embedded\" for the built-in server";
                section.missing(&["url"], hint);
                None
            }
        };
    };
    let address = match value {
        OneOrMany::One(Shorthand::Value(text)) => {
            let text = At {
                value: text.clone(),
                place: place.clone(),
            };
            one(section, &text)?
        }
        OneOrMany::One(Shorthand::Table(_)) | OneOrMany::Many(_) => {
            list(section, place, &OneOrMany::each_in(value, place))?
        }
    };
    match unix {
        Some(unix) => over(section, address, unix),
        None => Some(address),
    }
}

/// An address alone.
fn one(section: &mut Section<'_, '_>, text: &At<String>) -> Option<Address> {
    let embedded = |protocol| Address {
        url: TargetUrl::Embedded,
        protocol,
    };
    match &*text.value {
        "embedded" => return Some(embedded(Protocol::WebSocket)),
        "embedded-http" => return Some(embedded(Protocol::Http)),
        _ => {}
    }
    let (url, protocol) = server(section, text)?;
    Some(Address {
        url: TargetUrl::Servers(url.into()),
        protocol,
    })
}

/// A list of servers.
fn list(
    section: &mut Section<'_, '_>,
    whole: &Place,
    given: &[(&Place, &Shorthand<String, ServerTable>)],
) -> Option<Address> {
    const KEY: &str = "url";
    if given.is_empty() {
        let hint = "write `url = [\"ws://a.example.org/\", \"ws://b.example.org/\"]`";
        section.check.empty(whole, &section.key(KEY), hint);
        return None;
    }
    if given.len() > MAX_SERVERS {
        let what = format_args!("has more than {MAX_SERVERS} servers");
        section.wrong_at(KEY, whole, what, "use several cohorts");
        return None;
    }
    let mut servers: Vec<Server> = Vec::new();
    let mut protocols = Vec::new();
    for (place, one) in given {
        let (text, weight, unix) = match one {
            Shorthand::Value(text) => {
                let (value, place) = (text.clone(), (*place).clone());
                (At { value, place }, 1, &None)
            }
            Shorthand::Table(table) => match &table.url {
                Some(text) => (text.clone(), table.weight().0, &table.unix),
                None => {
                    let hint = "write { url = \"ws://…\", weight = 3 }";
                    section.check.missing(place, &section.key("url.url"), hint);
                    continue;
                }
            },
        };
        if text.value.starts_with("embedded") {
            let what = "has the built-in server in a list";
            section.wrong_at(
                KEY,
                &text.place,
                what,
                "write the addresses of servers that run already",
            );
            continue;
        }
        let Some((mut url, protocol)) = server(section, &text) else {
            continue;
        };
        if let Some(unix) = unix {
            url.unix = Some(socket(section, "url.unix", unix)?);
        }
        if servers.iter().any(|known| known.url == url) {
            let what = format_args!("has `{}` twice", url.shown);
            let hint = "give it a weight: { url = \"ws://…\", weight = 2 }";
            section.wrong_at(KEY, &text.place, what, hint);
        }
        if protocols.first().is_some_and(|first| *first != protocol) {
            let what = "has servers of WebSocket and of HTTP in one list";
            section.wrong_at(KEY, &text.place, what, "use two cohorts");
        }
        protocols.push(protocol);
        servers.push(Server { url, weight });
    }
    let protocol = *protocols.first()?;
    (servers.len() == given.len()).then_some(Address {
        url: TargetUrl::Servers(Servers(servers)),
        protocol,
    })
}

/// One server, and what is spoken with it.
fn server(section: &mut Section<'_, '_>, text: &At<String>) -> Option<(WsUrl, Protocol)> {
    let expanded = section.expand("url", text)?;
    section.check.secrets.address(&text.value);
    let protocol = Protocol::of(&expanded);
    let shown = shown_address(&text.value);
    if expanded.contains("{{") {
        // What is wrong with it is told of the upgrade request, which has the placeholders.
        let read = url::read(&without_placeholders(&expanded), &shown, protocol);
        return Some((read.ok()?, protocol));
    }
    match url::read(&expanded, &shown, protocol) {
        Ok(url) => Some((url, protocol)),
        Err(UrlError { what, hint }) => {
            section.wrong_at("url", &text.place, what, hint);
            None
        }
    }
}

/// An address that is dialled by a Unix socket.
fn over(section: &mut Section<'_, '_>, mut address: Address, unix: &At<String>) -> Option<Address> {
    const KEY: &str = "unix";
    let path = socket(section, KEY, unix)?;
    let servers = match &mut address.url {
        TargetUrl::Servers(servers) if !servers.are_several() => servers,
        TargetUrl::Servers(_) => {
            let what = "is one socket, and `url` is a list";
            let hint = "write it in the list: [{ url = \"ws://…\", unix = \"/run/a.sock\" }, …]";
            section.wrong_at(KEY, &unix.place, what, hint);
            return None;
        }
        TargetUrl::Embedded => {
            let what = "cannot be used with the built-in server, which listens on a port";
            section.wrong_at(KEY, &unix.place, what, "leave it out");
            return None;
        }
    };
    let url = &mut servers.0[0].url;
    if url.unix.is_some() {
        let what = "is given twice: `url` names a Unix socket too";
        section.wrong_at(KEY, &unix.place, what, "leave out one of them");
    }
    url.unix = Some(path);
    Some(address)
}

/// The path of a Unix socket, relative to the scenario file.
fn socket(
    section: &mut Section<'_, '_>,
    key: &str,
    unix: &At<String>,
) -> Option<std::path::PathBuf> {
    let expanded = section.expand(key, unix)?;
    match url::socket(&section.check.found(&expanded)) {
        Ok(path) => Some(path),
        Err(UrlError { what, hint }) => {
            section.wrong_at(key, &unix.place, what, hint);
            None
        }
    }
}

/// The address with a digit in place of each placeholder.
fn without_placeholders(url: &str) -> String {
    let mut plain = String::new();
    let mut rest = url;
    while let Some((before, after)) = rest.split_once("{{") {
        plain.push_str(before);
        plain.push('0');
        rest = after.split_once("}}").map_or("", |(_, after)| after);
    }
    plain + rest
}
