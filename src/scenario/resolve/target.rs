//! Resolves the `[target]` section: address, headers, trust and local addresses.

use std::net::IpAddr;
use std::time::Duration;

use http::{HeaderName, HeaderValue};

use super::{process, url};
use crate::scenario::file::TargetTable;
use crate::scenario::model::{Cohort, Payload, Target, TargetUrl, Trust};
use crate::scenario::reading::{At, Check, Place};
use crate::scenario::secrets::shown_address;
use crate::units::ByteSize;

/// The most bytes of one message that each connection may have to hold.
const MAX_MESSAGE: ByteSize = ByteSize(1 << 30);
/// The most local addresses.
const MAX_SOURCES: u32 = 4096;

/// Resolves `[target]`; the default of `max_message` depends on the cohorts.
pub(super) fn target(
    check: &mut Check<'_>,
    table: &At<TargetTable>,
    cohorts: &[Cohort],
) -> Option<Target> {
    let keys = &table.value;
    let url = target_url(check, table);
    let trust = trust(check, keys, url.as_ref());
    let headers = headers(check, keys);
    let origin = keys.origin.as_ref().and_then(|origin| {
        const KEY: &str = "target.origin";
        let expanded = check.expand(KEY, origin)?;
        header_value(check, KEY, &origin.place, &expanded);
        Some(expanded)
    });
    if let (Some(push), Some(TargetUrl::Url(_))) = (&keys.push, &url) {
        check.problem_with_hint(
            "target.push",
            &push.place,
            "is only for the built-in server",
            "leave it out, or write `url = \"embedded\"`",
        );
    }
    let max_message = match &keys.max_message {
        Some(size) if size.value.0 == 0 => {
            check.problem("target.max_message", &size.place, "is not above zero");
            size.value
        }
        Some(size) if size.value > MAX_MESSAGE => {
            let what = format_args!("is {}, more than {MAX_MESSAGE}", size.value);
            let hint =
                "write a smaller size: each connection may hold a message of that length in memory";
            check.problem_with_hint("target.max_message", &size.place, what, hint);
            size.value
        }
        Some(size) => size.value,
        None => default_max_message(cohorts),
    };
    Some(Target {
        connect_timeout: keys
            .connect_timeout
            .as_ref()
            .map_or(Duration::from_secs(10), |t| t.value.0),
        close_timeout: keys
            .close_timeout
            .as_ref()
            .map_or(Duration::from_secs(5), |t| t.value.0),
        subprotocols: subprotocols(check, keys),
        source_addresses: source_addresses(check, keys),
        embedded_push: keys.push.as_ref().map(|push| push.value.0),
        embedded_heartbeat: process::heartbeat(check, keys.heartbeat.as_ref(), url.as_ref()),
        process: process::process(check, keys, url.as_ref()),
        faults: process::faults(check, keys, url.as_ref()),
        url: url?,
        headers,
        origin,
        trust,
        max_message,
    })
}

fn target_url(check: &mut Check<'_>, table: &At<TargetTable>) -> Option<TargetUrl> {
    const KEY: &str = "target.url";
    let Some(url) = &table.value.url else {
        let hint = "write `url = \"ws://…\"`, or \"embedded\" for the built-in echo server";
        check.missing(&table.place, KEY, hint);
        return None;
    };
    if url.value == "embedded" {
        return Some(TargetUrl::Embedded);
    }
    let expanded = check.expand(KEY, url)?;
    check.secrets.address(&url.value);
    match url::read(&expanded, &shown_address(&url.value)) {
        Ok(read) => Some(TargetUrl::Url(read)),
        Err(error) => {
            match error.hint {
                Some(hint) => check.problem_with_hint(KEY, &url.place, error.what, hint),
                None => check.problem(KEY, &url.place, error.what),
            }
            None
        }
    }
}

fn trust(check: &mut Check<'_>, keys: &TargetTable, url: Option<&TargetUrl>) -> Trust {
    let insecure = keys.insecure.as_ref().filter(|insecure| insecure.value);
    let plain = match url {
        Some(TargetUrl::Url(url)) => !url.secure,
        Some(TargetUrl::Embedded) => true,
        None => false,
    };
    if plain {
        check.excluded(
            &[
                ("target.ca", keys.ca.as_ref().map(|ca| &ca.place)),
                ("target.insecure", insecure.map(|insecure| &insecure.place)),
            ],
            "is only for wss://",
            "leave it out, or use a wss:// address",
        );
    }
    let Some(ca) = &keys.ca else {
        return insecure.map_or(Trust::System, |_| Trust::Anyone);
    };
    if insecure.is_some() {
        let what = "cannot be used with `target.insecure`, which trusts any certificate";
        check.problem_with_hint("target.ca", &ca.place, what, "leave out one of them");
    }
    check
        .file("target.ca", ca)
        .map_or(Trust::System, |(path, _)| Trust::File(path))
}

fn headers(check: &mut Check<'_>, keys: &TargetTable) -> Vec<(String, String)> {
    let mut given: Vec<_> = keys
        .headers
        .iter()
        .flat_map(|headers| &headers.value)
        .collect();
    given.sort_by_key(|(_, value)| value.place.span().map(|span| span.start));
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in given {
        let key = format!("target.headers.{name}");
        header_name(check, &key, &value.place, name);
        if let Some((other, _)) = headers.iter().find(|(o, _)| o.eq_ignore_ascii_case(name)) {
            let what = format_args!("is the same header as `{other}`");
            check.problem_with_hint(&key, &value.place, what, "leave out one of them");
        }
        if let Some(expanded) = check.expand(&key, value) {
            header_value(check, &key, &value.place, &expanded);
            if let Place::Option(_) = value.place {
                check.secrets.header(name, &value.value);
            }
            headers.push((name.clone(), expanded));
        }
    }
    headers
}

fn header_name(check: &mut Check<'_>, key: &str, place: &Place, name: &str) {
    let Ok(name) = name.parse::<HeaderName>() else {
        let hint = "use letters, digits and `-`";
        return check.problem_with_hint(key, place, "is not a header name", hint);
    };
    let hint = match name.as_str() {
        "origin" => "use `target.origin`",
        "sec-websocket-protocol" => "use `target.subprotocols`",
        "upgrade" | "connection" | "content-length" | "transfer-encoding" => "leave it out",
        name if name.starts_with("sec-websocket-") => "leave it out",
        _ => return,
    };
    check.problem_with_hint(key, place, "is a header that wsbench sets itself", hint);
}

/// Checks the value of a header. Never quotes it, as it may be secret.
fn header_value(check: &mut Check<'_>, key: &str, place: &Place, value: &str) {
    if HeaderValue::from_str(value).is_err() {
        let hint = "use printable ASCII characters";
        check.problem_with_hint(key, place, "holds a character that no header may", hint);
    }
}

fn subprotocols(check: &mut Check<'_>, keys: &TargetTable) -> Vec<String> {
    const KEY: &str = "target.subprotocols";
    let given = || keys.subprotocols.iter().flat_map(|list| &list.value.0);
    check.unique(KEY, given());
    let mut names = Vec::new();
    for protocol in given() {
        let Some(expanded) = check.expand(KEY, protocol) else {
            continue;
        };
        // RFC 6455 section 4.1 demands a token of RFC 9110, and a header name is such a token.
        if expanded.parse::<HeaderName>().is_err() {
            let hint = "use letters, digits, `-`, `.` and `_`";
            check.problem_with_hint(
                KEY,
                &protocol.place,
                "has an entry that is no name of a subprotocol",
                hint,
            );
        }
        names.push(expanded);
    }
    names
}

fn source_addresses(check: &mut Check<'_>, keys: &TargetTable) -> Vec<IpAddr> {
    const KEY: &str = "target.source_addresses";
    let mut addresses = Vec::new();
    for text in keys.source_addresses.iter().flat_map(|list| &list.value.0) {
        match range(&text.value) {
            Some(range) if addresses.len() + range.len() <= MAX_SOURCES as usize => {
                addresses.extend(range)
            }
            Some(_) => {
                let what = format_args!("comes to more than {MAX_SOURCES} addresses");
                check.problem(KEY, &text.place, what);
                break;
            }
            None => {
                let hint = "write \"127.0.0.1\", or \"127.0.0.1-127.0.0.8\" for a range";
                check.problem_with_hint(
                    KEY,
                    &text.place,
                    "has an entry that is no IP address and no range of them",
                    hint,
                );
            }
        }
    }
    addresses
}

/// The addresses of a range, at most one more than allowed; `None` if the text is not a range of addresses.
fn range(text: &str) -> Option<Vec<IpAddr>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (IpAddr, IpAddr) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let most = MAX_SOURCES as usize + 1;
    match (first, last) {
        (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => Some(
            (first.to_bits()..=last.to_bits())
                .take(most)
                .map(|bits| IpAddr::V4(bits.into()))
                .collect(),
        ),
        (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => Some(
            (first.to_bits()..=last.to_bits())
                .take(most)
                .map(|bits| IpAddr::V6(bits.into()))
                .collect(),
        ),
        _ => None,
    }
}

/// The default limit: four times the longest payload, at least 1 MiB.
fn default_max_message(cohorts: &[Cohort]) -> ByteSize {
    let messages = cohorts.iter().flat_map(|cohort| &cohort.messages);
    let longest = messages.map(|message| Payload::len(&message.payload)).max();
    ByteSize(longest.unwrap_or(0).saturating_mul(4).max(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_of_addresses_is_counted_out() {
        let addresses = range("127.0.0.254-127.0.1.1").unwrap();
        let texts: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
        assert_eq!(
            texts,
            ["127.0.0.254", "127.0.0.255", "127.0.1.0", "127.0.1.1"]
        );
        assert_eq!(range("::1 - ::3").unwrap().len(), 3);
        assert_eq!(range("10.0.0.1").unwrap().len(), 1);
    }

    #[test]
    fn a_huge_range_is_cut_off_and_a_wrong_one_is_none() {
        assert_eq!(range("::-ffff::").unwrap().len(), 4097);
        assert_eq!(range("10.0.0.2-10.0.0.1"), None);
        assert_eq!(range("10.0.0.1-::1"), None);
        assert_eq!(range("localhost"), None);
    }
}
