//! Recognises the dialect of a server by what it says first.

use serde::Serialize;
use toml::Spanned;
use toml::de::DeValue;

use super::{Dialect, text};

/// A dialect that a server was heard to speak.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spoken {
    /// The dialect.
    #[serde(rename = "name", serialize_with = "name")]
    pub dialect: Dialect,
    /// The option that the server's answer tells, such as a version, and its text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub option: Option<(String, String)>,
    /// How it was recognised.
    pub by: Sign,
}

/// How a dialect is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Sign {
    /// The server chose its subprotocol.
    Subprotocol,
    /// The server's first message is its greeting.
    Greeting,
}

fn name<S: serde::Serializer>(dialect: &Dialect, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(dialect.name)
}

impl Spoken {
    /// Recognises a dialect by the subprotocol that a server chose, and by its first message before it heard any.
    pub fn new(subprotocol: Option<&str>, greeting: Option<&str>) -> Option<Self> {
        let chosen = subprotocol.and_then(|name| {
            Dialect::ALL.into_iter().find_map(|dialect| {
                let (by, option) = (Sign::Subprotocol, dialect.offers(name)?);
                Some(Self {
                    dialect,
                    option,
                    by,
                })
            })
        });
        let greeted = || {
            let greeting = greeting?;
            let mut all = Dialect::ALL.into_iter();
            let dialect = all.find(|dialect| {
                let own = dialect.parts().get("greeting").and_then(text);
                own.is_some_and(|own| greeting.starts_with(&own))
            })?;
            let (by, option) = (Sign::Greeting, None);
            Some(Self {
                dialect,
                option,
                by,
            })
        };
        chosen.or_else(greeted)
    }

    /// The value of `target.dialect` for it, as TOML.
    pub fn text(&self) -> String {
        let name = self.dialect.name;
        match &self.option {
            Some((option, text)) => format!("{{ name = \"{name}\", {option} = \"{text}\" }}"),
            None => format!("\"{name}\""),
        }
    }

    /// What a client of it says first, with the options as they are by default; `None` where it says nothing, or what only a
    /// run can fill in.
    pub fn first_word(&self) -> Option<String> {
        let parts = self.dialect.parts();
        if let Some(DeValue::Table(target)) = parts.get("target").map(Spanned::get_ref)
            && target.contains_key("split")
        {
            // Its messages are packets, not texts.
            return None;
        }
        let DeValue::Array(steps) = parts.get("setup")?.get_ref() else {
            return None;
        };
        let send = steps.iter().find_map(|step| match step.get_ref() {
            DeValue::Table(step) => step.get("send"),
            _ => None,
        });
        let DeValue::Table(send) = send?.get_ref() else {
            return None;
        };
        let mut word = [
            send.get("prefix"),
            send.get("text").or_else(|| send.get("json")),
        ]
        .into_iter()
        .flatten()
        .filter_map(text)
        .collect::<String>();
        if let Some(DeValue::Table(options)) = parts.get("option").map(Spanned::get_ref) {
            for (name, option) in options {
                let DeValue::Table(option) = option.get_ref() else {
                    continue;
                };
                let value = option.get("default").and_then(text).unwrap_or_default();
                let value = match (value.as_str(), option.get("as").and_then(text)) {
                    ("", _) | (_, None) => value,
                    (given, Some(form)) => form.replace("{{it}}", given),
                };
                let name = name.get_ref();
                for form in [
                    format!("{name}"),
                    format!("raw({name})"),
                    format!("json({name})"),
                ] {
                    word = word.replace(&format!("{{{{{form}}}}}"), &value);
                }
            }
        }
        (!word.is_empty() && !word.contains("{{")).then_some(word)
    }

    /// The address without the query that the dialect brings by itself.
    pub fn address<'u>(&self, url: &'u str) -> &'u str {
        let query = self.dialect.parts().get("query").and_then(text);
        let is_own = |(_, given): &(&str, &str)| query.as_deref() == Some(given);
        url.split_once('?')
            .filter(is_own)
            .map_or(url, |(url, _)| url)
    }
}

impl Dialect {
    /// Whether a connection in it begins with steps of its own.
    pub fn sets_up(self) -> bool {
        self.parts().contains_key("setup")
    }

    /// Whether it offers this subprotocol; with the option that makes it this one.
    fn offers(self, name: &str) -> Option<Option<(String, String)>> {
        let parts = self.parts();
        let DeValue::Table(target) = parts.get("target")?.get_ref() else {
            return None;
        };
        let DeValue::Array(own) = target.get("subprotocols").map(Spanned::get_ref)? else {
            return None;
        };
        own.iter().filter_map(text).find_map(|own| {
            let Some((before, rest)) = own.split_once("{{") else {
                return (own == name).then_some(None);
            };
            let (option, after) = rest.split_once("}}")?;
            let value = name.strip_prefix(before)?.strip_suffix(after)?;
            let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '.';
            (!value.is_empty() && value.chars().all(is_plain))
                .then(|| Some((option.to_owned(), value.to_owned())))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spoken(subprotocol: Option<&str>, greeting: Option<&str>) -> Option<(String, Sign)> {
        let spoken = Spoken::new(subprotocol, greeting);
        spoken.map(|spoken| (spoken.text(), spoken.by))
    }

    #[test]
    fn a_server_is_recognised_by_what_it_says_first() {
        for (subprotocol, text) in [
            ("graphql-transport-ws", "\"graphql-transport-ws\""),
            ("v12.stomp", "\"stomp\""),
            ("mqtt", "\"mqtt\""),
            ("actioncable-v1-json", "\"actioncable\""),
            ("ocpp1.6", "{ name = \"ocpp\", version = \"1.6\" }"),
            ("ocpp2.0.1", "{ name = \"ocpp\", version = \"2.0.1\" }"),
        ] {
            let expected = Some((text.to_owned(), Sign::Subprotocol));
            assert_eq!(spoken(Some(subprotocol), Some("hello")), expected);
        }
        for (greeting, text) in [
            ("0{\"sid\":\"x\",\"upgrades\":[]", "\"socket.io\""),
            ("{\"type\":\"welcome\"}", "\"actioncable\""),
            (
                "{\"event\":\"pusher:connection_established\",\"data\"",
                "\"pusher\"",
            ),
        ] {
            let expected = Some((text.to_owned(), Sign::Greeting));
            assert_eq!(spoken(Some("chat"), Some(greeting)), expected);
            assert_eq!(spoken(None, Some(greeting)), expected);
        }
        for (subprotocol, greeting) in [
            (None, None),
            (Some("ocpp"), None),
            (Some("ocpp1.6\"x"), Some("hello")),
            (Some("chat"), Some("{\"type\":\"hello\"}")),
        ] {
            assert_eq!(spoken(subprotocol, greeting), None);
        }
    }

    #[test]
    fn an_address_keeps_what_the_dialect_does_not_bring() {
        let spoken = Spoken::new(None, Some("0{\"sid\"")).unwrap();
        let own = "ws://h/socket.io/?EIO=4&transport=websocket";
        assert_eq!(spoken.address(own), "ws://h/socket.io/");
        for url in ["ws://h/", "ws://h/socket.io/?EIO=4&token=a"] {
            assert_eq!(spoken.address(url), url);
        }
    }
}
