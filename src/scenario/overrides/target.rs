//! The options that change the address and the process of `[target]`.

use super::option;
use crate::scenario::reading::{At, Items as _, Problems, Whole};
use crate::scenario::root::File;
use crate::scenario::section::UrlGiven;

pub(super) fn url(file: &mut File, option: &'static str, url: &str) {
    let target = &mut file.target.get_or_insert_default().value;
    target.url = Some(At::option(option, UrlGiven::of(url.to_owned())));
    target.unix = None;
    let is_plain = !["wss:", "https:"]
        .iter()
        .any(|scheme| url.starts_with(scheme));
    let others = (file.cohort.items().iter()).any(|cohort| cohort.value.target.is_some());
    if is_plain && !others {
        // They were for the address that is replaced: one file serves a server with TLS and without.
        target.ca = None;
        target.insecure = None;
        target.tls = None;
    }
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
        let mut problem = option(OPTION, format_args!("cannot be {number}"));
        problem.hint = Some("give the number of the server's process".into());
        problems.push(problem);
        return;
    }
    let target = &mut file.target.get_or_insert_default().value;
    target.pid = Some(At::option(OPTION, Whole(number)));
    target.command = None;
}
