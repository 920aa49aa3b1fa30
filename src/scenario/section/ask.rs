//! What upgrade requests say besides their address, and where clients dial from: in `[target]`, and in `[cohort.target]`
//! over it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ::http::{HeaderName, HeaderValue};

use super::access::AccessTable;
use super::network::range;
use super::upgrade;
use crate::scenario::reading::{At, Items as _, Place, Section};

/// The most local addresses.
const MAX_SOURCES: usize = 4096;
/// What a cohort writes in place of a header of `[target]` that its clients leave out.
const OFF: &str = "off";

/// What upgrade requests say besides their address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ask {
    /// Extra request headers, in order. Values may be secret: they are never reported.
    pub headers: Vec<(String, String)>,
    /// The `Origin` header.
    pub origin: Option<String>,
    /// The subprotocols to offer, in this order.
    pub subprotocols: Vec<String>,
}

impl AccessTable {
    /// Whether it says anything of upgrade requests.
    pub(super) fn says_request(&self) -> bool {
        self.headers.is_some() || self.origin.is_some() || self.subprotocols.is_some()
    }

    /// What those of `[target]` say.
    pub(super) fn ask(&self, section: &mut Section<'_, '_>) -> Ask {
        Ask {
            headers: self.headers(section),
            origin: self.origin(section),
            subprotocols: self.subprotocols(section),
        }
    }

    /// What those of a cohort say; `shared` is what those of `[target]` do.
    pub(super) fn ask_over(&self, section: &mut Section<'_, '_>, shared: &Ask) -> Ask {
        let mut ask = shared.clone();
        for (name, value) in self.headers(section) {
            (ask.headers).retain(|(other, _)| !other.eq_ignore_ascii_case(&name));
            if value != OFF {
                ask.headers.push((name, value));
            }
        }
        match &self.origin {
            Some(origin) if origin.value == OFF => ask.origin = None,
            Some(_) => ask.origin = self.origin(section),
            None => {}
        }
        if self.subprotocols.is_some() {
            ask.subprotocols = self.subprotocols(section);
        }
        ask
    }

    /// The keys of a cohort over those of `[target]`, as far as upgrade requests go, which may have placeholders.
    pub(super) fn saying(&self, shared: &Self) -> Self {
        let mut all = shared.clone();
        if let Some(own) = &self.headers {
            let headers = all.headers.get_or_insert_with(|| At {
                value: BTreeMap::new(),
                place: own.place.clone(),
            });
            for (name, value) in &own.value {
                (headers.value).retain(|other, _| !other.eq_ignore_ascii_case(name));
                if value.value != OFF {
                    headers.value.insert(name.clone(), value.clone());
                }
            }
        }
        if self.origin.is_some() {
            all.origin.clone_from(&self.origin);
        }
        if self.subprotocols.is_some() {
            all.subprotocols.clone_from(&self.subprotocols);
        }
        all
    }

    fn headers(&self, section: &mut Section<'_, '_>) -> Vec<(String, String)> {
        let is_told = upgrade::has_placeholders(self);
        let given = self.headers.iter().flat_map(|headers| &headers.value);
        let mut given: Vec<_> = given.collect();
        given.sort_by_key(|(_, value)| value.place.span().map(|span| span.start));
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value) in given {
            let key = format!("headers.{name}");
            if is_told {
                // What is wrong with one that has placeholders is told of the whole request.
                if let Place::Option(_) = value.place {
                    section.check.secrets.header(name, &value.value);
                }
                continue;
            }
            header_name(section, &key, &value.place, name);
            if let Some((other, _)) = headers.iter().find(|(o, _)| o.eq_ignore_ascii_case(name)) {
                let what = format_args!("is the same header as `{other}`");
                section.wrong_at(&key, &value.place, what, "leave out one of them");
            }
            if let Some(expanded) = header_value(section, &key, value) {
                if let Place::Option(_) = value.place {
                    section.check.secrets.header(name, &value.value);
                }
                headers.push((name.clone(), expanded));
            }
        }
        headers
    }

    fn origin(&self, section: &mut Section<'_, '_>) -> Option<String> {
        let origin = self.origin.as_ref()?;
        if let Place::Option(_) = origin.place {
            section.check.secrets.header("Origin", &origin.value);
        }
        header_value(section, "origin", origin)
    }

    fn subprotocols(&self, section: &mut Section<'_, '_>) -> Vec<String> {
        const KEY: &str = "subprotocols";
        if upgrade::has_placeholders(self) {
            return Vec::new();
        }
        let given = self.subprotocols.items();
        section.check.unique(&section.key(KEY), given.iter());
        let mut names = Vec::new();
        for protocol in given {
            let Some(expanded) = section.expand(KEY, protocol) else {
                continue;
            };
            // RFC 6455 section 4.1 demands a token of RFC 9110, and a header name is such a token.
            if expanded.parse::<HeaderName>().is_err() {
                no_subprotocol(section, &protocol.place);
            }
            names.push(expanded);
        }
        names
    }

    /// The local addresses to dial from.
    pub(super) fn sources(&self, section: &mut Section<'_, '_>) -> Vec<IpAddr> {
        const KEY: &str = "source_addresses";
        let mut addresses = Vec::new();
        for text in self.source_addresses.items() {
            match range(&text.value, MAX_SOURCES + 1) {
                Some(range) if addresses.len() + range.len() <= MAX_SOURCES => {
                    addresses.extend(range);
                }
                Some(_) => {
                    let what = format_args!("comes to more than {MAX_SOURCES} addresses");
                    section.wrong_at(KEY, &text.place, what, None);
                    break;
                }
                None => {
                    let what = "has an entry that is no IP address and no range of them";
                    let hint = "write \"127.0.0.1\", or \"127.0.0.1-127.0.0.8\" for a range";
                    section.wrong_at(KEY, &text.place, what, hint);
                }
            }
        }
        addresses
    }
}

fn header_name(section: &mut Section<'_, '_>, key: &str, place: &Place, name: &str) {
    let Ok(name) = name.parse::<HeaderName>() else {
        let hint = "use letters, digits and `-`";
        return section.wrong_at(key, place, "is not a header name", hint);
    };
    if let Some(hint) = own_header(name.as_str()) {
        section.wrong_at(key, place, "is a header that wsbench sets itself", hint);
    }
}

/// What to do instead of setting a header of the upgrade request that wsbench sets itself.
pub(super) fn own_header(name: &str) -> Option<&'static str> {
    Some(match name {
        "origin" => "use `target.origin`",
        "sec-websocket-protocol" => "use `target.subprotocols`",
        "upgrade" | "connection" | "content-length" | "transfer-encoding" => "leave it out",
        name if name.starts_with("sec-websocket-") => "leave it out",
        _ => return None,
    })
}

/// Notes an entry of `subprotocols` that cannot be one.
pub(super) fn no_subprotocol(section: &mut Section<'_, '_>, place: &Place) {
    let what = "has an entry that is no name of a subprotocol";
    let hint = "use letters, digits, `-`, `.` and `_`";
    section.wrong_at("subprotocols", place, what, hint);
}

/// The value of a header with its variables replaced. Problems never quote it, as it may be secret.
fn header_value(section: &mut Section<'_, '_>, key: &str, value: &At<String>) -> Option<String> {
    let expanded = section.expand(key, value)?;
    if HeaderValue::from_str(&expanded).is_err() {
        let what = "holds a character that no header may";
        section.wrong_at(key, &value.place, what, "use printable ASCII characters");
    }
    Some(expanded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse::parse_alone;
    use crate::scenario::{Overrides, Scenario};

    /// A scenario with a cohort that has these keys of its own.
    fn read(own: &str) -> Result<Scenario, String> {
        let text = format!(
            r#"
            name = "x"
            load.duration = "9s"
            [target]
            url = "ws://127.0.0.1:9/"
            headers = {{ Authorization = "Bearer a", X-Team = "load" }}
            origin = "https://a.example"
            subprotocols = ["chat"]
            source_addresses = ["127.0.0.1-127.0.0.2"]
            proxy_protocol = {{ source = "203.0.113.0/24" }}
            [[cohort]]
            name = "own"
            connections = 4
            target = {{ {own} }}
            "#
        );
        let scenario = parse_alone(&text, &Overrides::default());
        scenario.map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_cohort_says_its_own_name_by_name_and_leaves_out_what_is_off() {
        let own = "headers = { authorization = \"off\", X-Room = \"b\" }, origin = \"off\", \
            subprotocols = [], source_addresses = [\"127.0.0.9\"], proxy_protocol = \"off\"";
        let scenario = read(own).unwrap();
        let (shared, own) = (&scenario.target.access, &scenario.cohorts[0].access);
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            own.ask.headers,
            [header("X-Team", "load"), header("X-Room", "b")]
        );
        assert_eq!(own.ask.origin, None);
        assert_eq!(own.ask.subprotocols, [""; 0]);
        assert_eq!(own.sources, ["127.0.0.9".parse::<IpAddr>().unwrap()]);
        assert_eq!(own.announce, None);
        assert_eq!((shared.ask.headers.len(), shared.sources.len()), (2, 2));
        let scenario = read("").unwrap();
        assert_eq!(scenario.cohorts[0].access, scenario.target.access);
    }

    #[test]
    fn placeholders_of_either_are_filled_in_for_the_cohort() {
        let scenario = read("headers = { X-Team = \"{{connection}}\", Authorization = \"off\" }");
        let scenario = scenario.unwrap();
        let upgrade = scenario.cohorts[0].upgrade.as_ref().unwrap();
        assert_eq!(upgrade.headers, ["X-Team"]);
        assert_eq!(upgrade.subprotocols, 1);
        assert!(read("").unwrap().cohorts[0].upgrade.is_none());
    }

    #[test]
    fn what_is_wrong_is_said_of_the_cohort_and_of_what_holds_for_all() {
        for (own, said) in [
            (
                "headers = { \"a b\" = \"c\" }",
                "`cohort.target.headers.a b` is not a header name",
            ),
            (
                "subprotocols = [\"a b\"]",
                "`cohort.target.subprotocols` has an entry that is no name of a subprotocol",
            ),
            (
                "source_addresses = [\"x\"]",
                "`cohort.target.source_addresses` has an entry that is no IP address",
            ),
            (
                "max_message = \"1KiB\"",
                "hint: it holds for the whole run: write `target.max_message`",
            ),
            (
                "dialect = \"mqtt\"",
                "hint: it holds for the whole run: write `target.dialect`",
            ),
        ] {
            let refused = read(own).unwrap_err();
            assert!(refused.contains(said), "{said}\n{refused}");
        }
    }
}
