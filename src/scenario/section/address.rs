//! Addresses whose path and query hold placeholders.

use super::payload::{self, Segment};
use super::scope::Scope;
use super::template;
use super::url::{Protocol, UrlError, WebOrigin, percent_encoded, read};
use super::variable::Form;
use crate::scenario::reading::{At, Section};
use crate::scenario::secrets::shown_address;

/// An address whose path and query hold placeholders.
pub(super) struct Templated {
    /// `None` for that of the target: the address is a path.
    pub(super) origin: Option<WebOrigin>,
    /// The path and query as sent in the request line.
    pub(super) resource: Vec<Segment>,
}

/// Resolves an address whose path and query may hold placeholders, or a path alone; `None` if something in it is wrong.
pub(super) fn resolve(
    section: &mut Section<'_, '_>,
    scope: &Scope<'_>,
    key: &str,
    given: &At<String>,
    protocol: Protocol,
) -> Option<Templated> {
    /// Stands for the value of a placeholder while the address is checked.
    const ANY: &str = "0";
    let path = section.key(key);
    let expanded = payload::expanded(section, &path, given)?;
    section.check.secrets.address(&given.value);
    let resolved = template::in_form(section.check, scope, Form::Url, &path, &expanded)?;
    let mut segments = resolved.into_segments();
    let text = |segment: &Segment| match segment {
        Segment::Literal(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Segment::Stamp | Segment::Variable(_) | Segment::Base64(..) => ANY.to_owned(),
    };
    let mut whole: String = segments.iter().map(text).collect();
    let is_path = whole.starts_with('/');
    let first = segments.first().map(text).unwrap_or_default();
    if is_path {
        whole.insert_str(0, "http://target");
    } else if segments.len() > 1 && after_authority(&first).is_none() {
        let what = "has a placeholder before its path";
        section.wrong_at(
            key,
            &given.place,
            what,
            "placeholders stand in the path and the query",
        );
        return None;
    }
    let protocol = if is_path { Protocol::Http } else { protocol };
    let read = match read(&whole, &shown_address(&given.value), protocol) {
        Ok(read) => read,
        Err(UrlError { what, hint }) => {
            section.wrong_at(key, &given.place, what, hint);
            return None;
        }
    };
    let origin = (!is_path).then(|| read.origin());
    if segments.len() == 1 {
        let resource = vec![Segment::Literal(read.resource.into_bytes().into())];
        return Some(Templated { origin, resource });
    }
    let rest = match is_path {
        true => &first,
        false => after_authority(&first).unwrap_or_default(),
    };
    let slash = if rest.starts_with('?') { "/" } else { "" };
    segments[0] = Segment::Literal(format!("{slash}{rest}").into_bytes().into());
    let mut is_query = false;
    for segment in &mut segments {
        if let Segment::Literal(bytes) = segment {
            let part = String::from_utf8_lossy(bytes).into_owned();
            *bytes = percent_encoded(&part, is_query).into_bytes().into();
            is_query |= part.contains('?');
        }
    }
    let resource = segments;
    Some(Templated { origin, resource })
}

/// The path and query of an address, if they begin in it.
fn after_authority(url: &str) -> Option<&str> {
    let authority = url.find("://")? + 3;
    let end = url[authority..].find(['/', '?'])?;
    Some(&url[authority + end..])
}
