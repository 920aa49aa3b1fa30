//! What differs from client to client in the upgrade request: placeholders in `target.url`, `headers` and `subprotocols`.

use std::sync::Arc;

use ::http::HeaderName;

use super::access::AccessTable;
use super::address;
use super::ask;
use super::http::{self, PART_END};
use super::payload::{self, Payload, Segment};
use super::scope::Scope;
use super::servers;
use super::template;
use super::url::Protocol;
use super::variable::Form;
use crate::scenario::reading::{At, Check, Items as _, Place, Section};

/// An upgrade request that has placeholders.
#[derive(Debug, Clone, PartialEq)]
pub struct Upgrade {
    /// How many servers the target has.
    pub servers: usize,
    /// The names of its extra headers, in order.
    pub headers: Vec<String>,
    /// How many subprotocols it offers.
    pub subprotocols: usize,
    /// What is rendered for each dial: the path with its query for each server, the value of each header, and each
    /// subprotocol, each followed by [`PART_END`].
    pub payload: Payload,
}

/// The keys that say what an upgrade request is, and the table that they stand in.
#[derive(Clone, Copy)]
pub(super) struct Said<'a> {
    pub(super) path: &'static str,
    pub(super) place: &'a Place,
    pub(super) keys: &'a AccessTable,
}

/// Whether the upgrade request has placeholders.
pub(super) fn has_placeholders(keys: &AccessTable) -> bool {
    let urls = servers::texts(&keys.url);
    let headers = keys
        .headers
        .iter()
        .flat_map(|headers| headers.value.values());
    let subprotocols = keys.subprotocols.items().iter();
    let mut texts = urls
        .iter()
        .chain(headers.chain(subprotocols))
        .map(|at| &at.value);
    texts.any(|text| text.contains("{{"))
}

/// Resolves the upgrade request of a cohort: none if it has no placeholders; `None` if something in it is wrong. In
/// `scope` is what is known when the connection is dialled.
#[expect(clippy::option_option, reason = "there may be none, or a wrong one")]
pub(super) fn resolve(
    check: &mut Check<'_>,
    scope: &Scope<'_>,
    said: Said<'_>,
) -> Option<Option<Upgrade>> {
    let Said { path, place, keys } = said;
    if !has_placeholders(keys) {
        return Some(None);
    }
    let scope = &Scope {
        is_sent: false,
        has_turns: false,
        ..scope.clone()
    };
    let section = &mut Section { check, path, place };
    let urls = servers::texts(&keys.url);
    let mut resource = |url: &At<String>| match &*url.value {
        "embedded" => Some(vec![literal(b"/")]),
        _ => {
            let address = address::resolve(section, scope, "url", url, Protocol::WebSocket);
            address.map(|address| address.resource)
        }
    };
    let resources: Vec<_> = urls.iter().map(&mut resource).collect();
    let headers = http::headers(section, scope, &keys.headers, ask::own_header);
    let subprotocols = subprotocols(section, scope, keys);
    let (headers, subprotocols) = (headers?, subprotocols?);
    let mut parts = Vec::new();
    for resource in resources {
        parts.extend(resource?);
        parts.push(literal(PART_END));
    }
    let (names, values): (Vec<String>, Vec<Vec<Segment>>) = headers.into_iter().unzip();
    let count = subprotocols.len();
    for part in values.into_iter().chain(subprotocols) {
        parts.extend(part);
        parts.push(literal(PART_END));
    }
    Some(Some(Upgrade {
        servers: urls.len(),
        headers: names,
        subprotocols: count,
        payload: Payload::of(parts),
    }))
}

fn subprotocols(
    section: &mut Section<'_, '_>,
    scope: &Scope<'_>,
    keys: &AccessTable,
) -> Option<Vec<Vec<Segment>>> {
    const KEY: &str = "subprotocols";
    let path = section.key(KEY);
    let given = keys.subprotocols.items();
    section.check.unique(&path, given.iter());
    let mut all = Vec::new();
    let mut are_right = true;
    for text in given {
        let expanded = payload::expanded(section, &path, text);
        let resolved = expanded
            .and_then(|text| template::in_form(section.check, scope, Form::Header, &path, &text));
        let Some(resolved) = resolved else {
            are_right = false;
            continue;
        };
        let segments = resolved.into_segments();
        let is_wrong = |segment: &Segment| match segment {
            Segment::Literal(bytes) => HeaderName::from_bytes(bytes).is_err(),
            Segment::Stamp | Segment::Variable(_) | Segment::Base64(..) => false,
        };
        if segments.is_empty() || segments.iter().any(is_wrong) {
            ask::no_subprotocol(section, &text.place);
            are_right = false;
        }
        all.push(segments);
    }
    are_right.then_some(all)
}

fn literal(bytes: &[u8]) -> Segment {
    Segment::Literal(Arc::from(bytes))
}
