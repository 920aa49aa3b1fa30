//! The options that change `[target]`: its address and process, and what the server asks of a client.

use std::collections::BTreeMap;

use super::{Overrides, option};
use crate::scenario::reading::{At, List, Problems, Whole};
use crate::scenario::root::File;

/// Applies the options that give the server what it asks of a client, such as credentials.
pub(super) fn access(options: &Overrides, file: &mut File) {
    const HEADER: &str = "--header";
    const SUBPROTOCOL: &str = "--subprotocol";
    let nothing = options.headers.is_empty() && options.subprotocols.is_empty();
    if nothing && options.ca.is_none() && !options.insecure {
        return;
    }
    let target = &mut file.target.get_or_insert_default().value;
    for (name, value) in &options.headers {
        let value = At::option(HEADER, value.clone());
        if name.eq_ignore_ascii_case("origin") {
            target.origin = Some(value);
            continue;
        }
        let headers = target
            .headers
            .get_or_insert_with(|| At::option(HEADER, BTreeMap::new()));
        headers
            .value
            .retain(|other, _| !other.eq_ignore_ascii_case(name));
        headers.value.insert(name.clone(), value);
    }
    if !options.subprotocols.is_empty() {
        let names = options.subprotocols.iter();
        let names = names.map(|name| At::option(SUBPROTOCOL, name.clone()));
        target.subprotocols = Some(At::option(SUBPROTOCOL, List(names.collect())));
    }
    if let Some(ca) = &options.ca {
        let ca = ca.to_string_lossy().into_owned();
        target.ca = Some(At::option("--ca", ca));
        target.insecure = None;
    }
    if options.insecure {
        target.ca = None;
        target.insecure = Some(At::option("--insecure", true));
    }
}

pub(super) fn url(file: &mut File, url: &str) {
    let target = &mut file.target.get_or_insert_default().value;
    target.url = Some(At::option("--url", url.to_owned()));
    if url == "embedded" {
        target.command = None;
        target.pid = None;
    } else {
        target.push = None;
        target.heartbeat = None;
        target.rooms = None;
    }
}

pub(super) fn pid(file: &mut File, number: u32, problems: &mut Problems) {
    const OPTION: &str = "--pid";
    if !(1..=i32::MAX as u32).contains(&number) {
        problems.push(option(OPTION, "is no number of a process"));
        return;
    }
    let target = &mut file.target.get_or_insert_default().value;
    target.pid = Some(At::option(OPTION, Whole(number)));
    target.command = None;
}
