//! `http`: a request of HTTP/1.1, as a verb of a step.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::address;
use super::expect;
use super::match_table::MatchGiven;
use super::matching::{Condition, Match};
use super::on::{self, ServerTime};
use super::payload::{self, Payload, Segment};
use super::save::{Save, SaveTable};
use super::scope::Scope;
use super::step_table::StepTable;
use super::steps::Reader;
use super::template;
use super::url::{Protocol, WebOrigin};
use super::variable::Form;
use crate::scenario::reading::{At, Key, Place, Section, given, keys};

/// What stands between the parts of a request in [`Http::payload`]: no part before the body can hold it.
pub const PART_END: &[u8] = b"\r\n";

/// A request of HTTP/1.1, and what its answer must be like.
#[derive(Debug, Clone, PartialEq)]
pub struct Http {
    /// A token of RFC 9110, such as `POST`.
    pub method: String,
    /// The server that is asked; `None` for the target.
    pub origin: Option<WebOrigin>,
    /// The names of its headers, in order.
    pub headers: Vec<String>,
    /// Whether it has a body.
    pub has_body: bool,
    /// What is rendered for each request: the path with its query and the value of each header, each followed by
    /// [`PART_END`], and then the body.
    pub payload: Payload,
    /// What the answer must be like to be right. Says something of the status.
    pub check: Match,
    /// What is kept of the answer.
    pub save: Vec<Save>,
    /// Where the time stands in the answer at which the server made it.
    pub time: Option<ServerTime>,
    /// The longest time from the first byte of a connection to the end of the answer. Above zero.
    pub timeout: Duration,
    /// Whether it is sent once for the run, before the first dial, and what is kept is that of all clients.
    pub once: bool,
}

keys! {
    /// A request of HTTP/1.1.
    #[serde(expecting = "a table such as { method = \"POST\", url = \"/login\", json = '{}' }")]
    HttpTable = "Http" {
        /// "GET" if left out, or "POST" with a body.
        method: String,
        /// `http://…` or `https://…`, or a path such as "/login" at the host of the target. Placeholders stand in path and
        /// query. Required.
        url: String,
        /// Headers of the request, beside those that it needs anyway. Values take placeholders.
        headers: BTreeMap<String, At<String>>,
        /// The body as JSON, as `json` of a payload.
        json: String,
        /// The body as text, as `text` of a payload.
        text: String,
        /// One request for the whole run, before the first dial: what it saves is that of all clients.
        once: bool = false,
    }
}

impl Reader<'_, '_, '_> {
    /// Reads a step that asks by HTTP.
    pub(super) fn http(
        &mut self,
        path: &str,
        keys: &StepTable,
        place: &Place,
        depth: usize,
    ) -> Option<Http> {
        let given = keys.http.as_ref()?;
        let is_once = given.value.once();
        let scope = Scope {
            is_sent: true,
            is_http: true,
            has_turns: depth > 0,
            is_once,
            ..self.scope.clone()
        };
        let mut section = Section {
            check: &mut *self.check,
            path,
            place,
        };
        let own = &given.place;
        if self.protocol == Protocol::Http {
            // A request is what goes over an open connection.
            if is_once && !self.is_setup {
                let what = "is `once`, and comes after the connection is open";
                section.wrong_at("http", own, what, "move it to the begin of `[[setup]]`");
            }
        } else if !self.is_setup {
            let what = "comes after the connection is open";
            section.wrong_at("http", own, what, "move it to the begin of `[[setup]]`");
        } else if let Some((_, first)) = &self.dialled {
            let what = "comes after the connection is open";
            let hint = match *first {
                "the other steps" => "put it before the other steps".to_owned(),
                first => format!("put it before `{first}`"),
            };
            section.wrong_at("http", own, what, hint);
        }
        keys.require_name(&mut section);
        if is_once {
            once(&mut section, &given!(keys; chance, on_fail));
        }
        let around = Around {
            check: &keys.check,
            save: &keys.save,
            timeout: keys.timeout().0,
        };
        let mut http = resolve(&mut section, &scope, given, &around)?;
        if self.is_setup {
            let because = "is only for `[[step]]`: ages are measured when clients are ready";
            section.excluded(&given!(keys; time), because, "leave it out");
        } else {
            http.time = on::time(&mut section, &keys.time)?;
        }
        Some(http)
    }
}

/// The keys of the step around it.
struct Around<'a> {
    check: &'a Key<MatchGiven>,
    save: &'a Key<SaveTable>,
    timeout: Duration,
}

/// Resolves a request; `None` if something in it is wrong. The section is that of the step.
fn resolve(
    section: &mut Section<'_, '_>,
    scope: &Scope<'_>,
    keys: &At<HttpTable>,
    around: &Around<'_>,
) -> Option<Http> {
    let At { value: keys, place } = keys;
    let path = &section.key("http");
    let mut inner = Section {
        check: &mut *section.check,
        path,
        place,
    };
    let address = match &keys.url {
        Some(text) => address::resolve(&mut inner, scope, "url", text, Protocol::Http),
        None => {
            inner.missing(&["url"], "write `url = \"/login\"`");
            None
        }
    };
    let body = keys.body(&mut inner, scope);
    let headers = keys.headers(&mut inner, scope);
    let method = keys.method(&mut inner);
    let (check, save) = expect::answer(section, scope, None, around.check, around.save)?;
    let (address, mut headers, body) = (address?, headers?, body?);
    if let Some((_, kind)) = &body
        && !headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("content-type"))
    {
        let value = vec![literal(kind.as_bytes())];
        headers.push(("Content-Type".to_owned(), value));
    }
    let mut parts = address.resource;
    parts.push(literal(PART_END));
    let mut names = Vec::new();
    for (name, value) in headers {
        names.push(name);
        parts.extend(value);
        parts.push(literal(PART_END));
    }
    let has_body = body.is_some();
    if let Some((body, _)) = body {
        parts.extend(body.into_segments());
    }
    Some(Http {
        method: method?,
        origin: address.origin,
        headers: names,
        has_body,
        payload: Payload::of(parts),
        check: with_status(check),
        save,
        time: None,
        timeout: around.timeout,
        once: keys.once(),
    })
}

/// A match that says something of the status: from 400 on it is an error (RFC 9110 section 15), unless it is asked for.
fn with_status(check: Option<Match>) -> Match {
    let mut conditions = check.map_or_else(Vec::new, |check| check.conditions.to_vec());
    if !conditions
        .iter()
        .any(|one| matches!(one, Condition::Status(_)))
    {
        conditions.insert(0, Condition::Status([(200, 399)].into()));
    }
    Match {
        conditions: conditions.into(),
    }
}

fn literal(bytes: &[u8]) -> Segment {
    Segment::Literal(Arc::from(bytes))
}

impl HttpTable {
    /// The body and its media type; `None` if it is wrong.
    #[expect(clippy::option_option, reason = "there may be none, or a wrong one")]
    fn body(
        &self,
        section: &mut Section<'_, '_>,
        scope: &Scope<'_>,
    ) -> Option<Option<(Payload, &'static str)>> {
        let json = "application/json";
        let plain = "text/plain; charset=utf-8";
        let (key, text, kind) = match (&self.json, &self.text) {
            (None, None) => return Some(None),
            (Some(text), None) => ("json", text, json),
            (None, Some(text)) => ("text", text, plain),
            (Some(_), Some(_)) => {
                section.wrong_whole(
                    "says more than once what is sent",
                    "keep one of `json` and `text`",
                );
                return None;
            }
        };
        let path = section.key(key);
        let text = payload::expanded(section, &path, text)?;
        let body = match key {
            "json" => template::json(section.check, scope, &path, &text),
            _ => template::text(section.check, scope, &path, &text),
        };
        Some(Some((body?, kind)))
    }

    fn method(&self, section: &mut Section<'_, '_>) -> Option<String> {
        let Some(method) = &self.method else {
            let has_body = self.json.is_some() || self.text.is_some();
            return Some(if has_body { "POST" } else { "GET" }.to_owned());
        };
        let is_token = method.value.parse::<HeaderName>().is_ok();
        if !is_token || method.value == "CONNECT" {
            let hint =
                "write \"GET\", \"POST\", \"PUT\", \"PATCH\", \"DELETE\", \"HEAD\" or \"OPTIONS\"";
            section.wrong(
                "method",
                &self.method,
                "is no method that can be sent",
                hint,
            );
            return None;
        }
        let upper = method.value.to_ascii_uppercase();
        if upper != method.value {
            let what = "is not in capital letters, by which servers know it";
            section.wrong("method", &self.method, what, format!("write \"{upper}\""));
        }
        Some(upper)
    }

    fn headers(
        &self,
        section: &mut Section<'_, '_>,
        scope: &Scope<'_>,
    ) -> Option<Vec<(String, Vec<Segment>)>> {
        headers(section, scope, &self.headers, |name| match name {
            "content-length" | "transfer-encoding" | "connection" => Some("leave it out"),
            _ => None,
        })
    }
}

/// Resolves the headers of a request, in the order in which they are written; `None` if one is wrong. `own` tells what
/// to do instead of setting a header that wsbench sets itself.
pub(super) fn headers(
    section: &mut Section<'_, '_>,
    scope: &Scope<'_>,
    given: &Key<BTreeMap<String, At<String>>>,
    own: impl Fn(&str) -> Option<&'static str>,
) -> Option<Vec<(String, Vec<Segment>)>> {
    let mut given: Vec<_> = given.iter().flat_map(|headers| &headers.value).collect();
    given.sort_by_key(|(_, value)| value.place.span().map(|span| span.start));
    let mut headers: Vec<(String, Vec<Segment>)> = Vec::new();
    let mut are_right = true;
    for (name, value) in given {
        let key = format!("headers.{name}");
        match name.parse::<HeaderName>() {
            Ok(known) => {
                if let Some(hint) = own(known.as_str()) {
                    let what = "is a header that wsbench sets itself";
                    section.wrong_at(&key, &value.place, what, hint);
                }
            }
            Err(_) => {
                let hint = "use letters, digits and `-`";
                section.wrong_at(&key, &value.place, "is not a header name", hint);
            }
        }
        if let Some((other, _)) = headers.iter().find(|(o, _)| o.eq_ignore_ascii_case(name)) {
            let what = format_args!("is the same header as `{other}`");
            section.wrong_at(&key, &value.place, what, "leave out one of them");
        }
        match header(section, scope, &key, value) {
            Some(segments) => headers.push((name.clone(), segments)),
            None => are_right = false,
        }
    }
    are_right.then_some(headers)
}

/// Resolves the value of a header. Problems never quote it, as it may be secret.
fn header(
    section: &mut Section<'_, '_>,
    scope: &Scope<'_>,
    key: &str,
    value: &At<String>,
) -> Option<Vec<Segment>> {
    let path = section.key(key);
    let expanded = payload::expanded(section, &path, value)?;
    let resolved = template::in_form(section.check, scope, Form::Header, &path, &expanded)?;
    let segments = resolved.into_segments();
    let is_wrong = |segment: &Segment| match segment {
        Segment::Literal(bytes) => HeaderValue::from_bytes(bytes).is_err() || !bytes.is_ascii(),
        Segment::Stamp | Segment::Variable(_) | Segment::Base64(..) => false,
    };
    if segments.iter().any(is_wrong) {
        let what = "holds a character that no header may";
        section.wrong_at(key, &value.place, what, "use printable ASCII characters");
        return None;
    }
    Some(segments)
}

/// Notes the keys that a request which is sent once cannot have beside it.
fn once(section: &mut Section<'_, '_>, given: &[(&str, Option<&Place>)]) {
    let because = "cannot be used with `once`: without its answer nobody can begin";
    section.excluded(given, because, "leave it out, or leave out `once`");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::parse::parse_alone;
    use crate::scenario::{Kept, Overrides, Verb};

    fn request(keys: &str) -> Http {
        let text = format!(
            "name = \"x\"\ntarget.url = \"ws://h:81/\"\nload.connections = 1\n[[setup]]\nname = \"login\"\n{keys}"
        );
        let parsed = parse_alone(&text, &Overrides::default());
        let scenario = parsed.unwrap_or_else(|problems| panic!("{problems}"));
        match &scenario.cohorts[0].setup[0].verb {
            Verb::Http(http) => http.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_is_one_text_in_parts() {
        let http = request(
            "http = { url = \"https://a.example:8443/lü?u={{place}}\", headers = { X-A = \"b {{run}}\" }, json = '{ \"a\": {{place}} }' }",
        );
        let Payload::Template(segments) = &http.payload else {
            panic!("{http:?}");
        };
        let shown: String = segments
            .iter()
            .map(|segment| match segment {
                Segment::Literal(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                _ => "…".to_owned(),
            })
            .collect();
        assert_eq!(
            shown,
            "/l%C3%BC?u=…\r\nb …\r\napplication/json\r\n{\"a\":…}"
        );
        assert_eq!((&*http.method, http.has_body), ("POST", true));
        assert_eq!(http.headers, ["X-A", "Content-Type"]);
        let origin = http.origin.unwrap();
        assert_eq!(
            (origin.secure, &*origin.host, origin.port),
            (true, "a.example", 8443)
        );
        assert_eq!(http.timeout, Duration::from_secs(5));
    }

    #[test]
    fn a_path_is_one_of_the_target_and_errors_are_wrong() {
        let http = request("http = { url = \"/me\" }\nsave = { t = { header = \"x-ticket\" } }");
        assert_eq!(
            (&*http.method, http.has_body, http.origin),
            ("GET", false, None)
        );
        assert_eq!(http.payload, Payload::Fixed((*b"/me\r\n").into()));
        assert_eq!(
            &http.check.conditions[..],
            [Condition::Status([(200, 399)].into())]
        );
        assert_eq!(http.save[0].what, Kept::Header("x-ticket".into()));
        let http = request(
            "http = { url = \"/\" }\ncheck = { status = [200, 404], header = { X-B = \"c\" } }",
        );
        let c = Segment::Literal((*b"c").into());
        assert_eq!(
            &http.check.conditions[..],
            [
                Condition::Status([(200, 200), (404, 404)].into()),
                Condition::Header("X-B".into(), [c].into())
            ]
        );
    }
}
