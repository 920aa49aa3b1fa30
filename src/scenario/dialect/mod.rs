//! Dialects: protocols over WebSocket that a scenario names in one line. Each is one file in the language of scenarios:
//! what is set up, answered and watched, and words of its own for what is sent and for what comes. A scenario in a
//! dialect is expanded, as TOML, to one that says the same without it; then it is read like any other.

mod address;
mod arguments;
mod chosen;
mod expand;
mod spoken;
mod words;
mod written;

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::reading::{Problems, Source, read_toml};

pub(in crate::scenario) use expand::{Expansion, expand};
pub use spoken::{Sign, Spoken};
pub(in crate::scenario) use words::{add_matchers, add_verbs};

/// A protocol over WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// The name in scenarios.
    pub name: &'static str,
    /// Its file.
    text: &'static str,
}

const fn dialect(name: &'static str, text: &'static str) -> Dialect {
    Dialect { name, text }
}

impl Dialect {
    /// All dialects, in the order of their names.
    pub const ALL: [Self; 11] = [
        dialect("actioncable", include_str!("actioncable.toml")),
        dialect("centrifugo", include_str!("centrifugo.toml")),
        dialect(
            "graphql-transport-ws",
            include_str!("graphql-transport-ws.toml"),
        ),
        dialect("jsonrpc", include_str!("jsonrpc.toml")),
        dialect("mqtt", include_str!("mqtt.toml")),
        dialect("ocpp", include_str!("ocpp.toml")),
        dialect("phoenix", include_str!("phoenix.toml")),
        dialect("pusher", include_str!("pusher.toml")),
        dialect("signalr", include_str!("signalr.toml")),
        dialect("socket.io", include_str!("socket.io.toml")),
        dialect("stomp", include_str!("stomp.toml")),
    ];

    /// The dialect of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name == name)
    }

    /// The servers of other projects that it was tried against, such as `npm socket.io 4.8.4`. May be empty.
    pub fn tried(self) -> Vec<String> {
        match self.parts().get("tried").map(|tried| tried.get_ref()) {
            Some(DeValue::Array(servers)) => servers.iter().filter_map(text).collect(),
            _ => Vec::new(),
        }
    }

    /// Its file, which tests hold to be TOML.
    fn parts(self) -> DeTable<'static> {
        DeTable::parse_recoverable(self.text).0.into_inner()
    }
}

/// Whether a dialect brings this pair of a query by itself, so that it is no secret.
pub(in crate::scenario) fn brings(pair: &str) -> bool {
    static PAIRS: LazyLock<HashSet<String>> = LazyLock::new(|| {
        let own = |dialect: Dialect| dialect.parts().get("query").and_then(text);
        let queries = Dialect::ALL.into_iter().filter_map(own);
        let pairs = queries.flat_map(|query| Vec::from_iter(query.split('&').map(str::to_owned)));
        pairs.collect()
    });
    PAIRS.contains(pair)
}

/// A scenario without its dialect, as TOML: what it says in the words of a dialect is said in full. Comments are left out.
/// `url` is an address in place of its own.
///
/// # Errors
/// The text is no TOML, or uses words that no dialect has.
pub fn expanded(source: &Source, url: Option<&str>) -> Result<String, Problems> {
    let mut problems = Problems::new(source);
    let Some(root) = read_toml(&source.text, &mut problems) else {
        return Err(problems);
    };
    let mut table = root.into_inner();
    let dialect = expand(&mut table, &mut problems).dialect;
    if !problems.is_empty() {
        return Err(problems);
    }
    if let Some(DeValue::Table(target)) = table.get_mut("target").map(|target| target.get_mut()) {
        target.remove("dialect");
        if let Some(url) = url {
            let key = target.keys().find(|key| key.get_ref() == "url");
            let place = key.map_or(0..0, Spanned::span);
            let url = DeValue::String(url.to_owned().into());
            target.remove("unix");
            target.insert(
                Spanned::new(place.clone(), "url".into()),
                Spanned::new(place, url),
            );
        }
        if let (Some(dialect), Some(url)) = (dialect, target.get_mut("url")) {
            complete(dialect, url.get_mut());
        }
    }
    Ok(written::written(&table))
}

/// Gives each address the path and the query of a dialect where it has none.
fn complete(dialect: Dialect, url: &mut DeValue<'_>) {
    match url {
        DeValue::String(text) => {
            if let Some(whole) = dialect.address(text) {
                *text = whole.into();
            }
        }
        DeValue::Array(list) => {
            for one in list.iter_mut() {
                complete(dialect, one.get_mut());
            }
        }
        DeValue::Table(one) => {
            if let Some(url) = one.get_mut("url") {
                complete(dialect, url.get_mut());
            }
        }
        _ => {}
    }
}

fn text(value: &Spanned<DeValue<'_>>) -> Option<String> {
    match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        _ => None,
    }
}

/// `target.dialect` when the scenario is expanded: the name.
#[derive(Debug, Clone, serde::Deserialize)]
pub(in crate::scenario) struct DialectGiven(pub(in crate::scenario) String);

impl JsonSchema for DialectGiven {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Dialect".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names = Dialect::ALL.map(|dialect| dialect.name);
        json_schema!({
            "anyOf": [
                { "type": "string", "enum": names },
                {
                    "type": "object",
                    "properties": { "name": { "type": "string", "enum": names } },
                    "required": ["name"],
                    "additionalProperties": { "type": "string" },
                },
            ]
        })
    }
}

#[cfg(test)]
mod tests;
