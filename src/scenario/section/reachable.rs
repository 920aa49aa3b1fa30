//! What cannot be together with how clients get to their servers: the path, a proxy, and faults below the frames.

use super::cohort::{Cohort, CohortTable};
use super::servers::Servers;
use super::target::Target;
use crate::scenario::fault::{FaultKind, Path};
use crate::scenario::reading::{At, Check, Given as _, List, Place};
use crate::scenario::root::File;

/// Notes what does not fit the servers of each cohort.
pub(in crate::scenario) fn check(
    check: &mut Check<'_>,
    file: &File,
    target: &Target,
    path: Option<&Path>,
    cohorts: &[Cohort],
) {
    let tables = file.cohort.as_ref().map(
        |At {
             value: List(list), ..
         }| list,
    );
    for cohort in cohorts {
        let is_own = |at: &&At<CohortTable>| {
            let name = at.value.name.as_ref();
            name.is_some_and(|name| name.value == cohort.name)
        };
        let table = tables.and_then(|list| list.iter().find(is_own));
        let own = table.map(|table| &table.value);
        let servers = cohort.dialled(&target.url);
        if let Some(servers) = servers.filter(|servers| servers.has_unix()) {
            over_unix(check, file, own, servers, cohort);
        }
        if let (Some(path), Some(place)) = (path, file.path.place()) {
            on_path(check, path, place, servers, cohort);
        }
    }
}

/// Notes what clients of a Unix socket cannot do.
fn over_unix(
    check: &mut Check<'_>,
    file: &File,
    own: Option<&CohortTable>,
    servers: &Servers,
    cohort: &Cohort,
) {
    let own_target = own.and_then(|own| own.target.as_ref());
    if cohort.access.proxy.is_some() {
        let proxy = own_target.and_then(|table| table.value.proxy.place());
        let shared = file
            .target
            .as_ref()
            .and_then(|table| table.value.proxy.place());
        let (key, place) = match (proxy, shared) {
            (Some(place), _) => ("cohort.target.proxy", place),
            (None, place) => ("target.proxy", place.unwrap_or(&Place::Nowhere)),
        };
        let what = "is on the way to a Unix socket, which no proxy can dial";
        let hint = match own {
            Some(_) => "write `proxy = \"off\"` in `[cohort.target]`",
            None => "leave it out",
        };
        check.problem(key, place, what, hint);
    }
    let shown = servers.urls().find_map(|url| url.unix.as_ref());
    let shown = shown
        .map(|path| path.display().to_string())
        .unwrap_or_default();
    let place = own.and_then(|own| own.fault.place());
    for fault in &cohort.faults {
        let why = match fault.kind {
            FaultKind::Reset => "a Unix socket has no RST, and ends in order",
            FaultKind::Vanish { .. } => "a Unix socket has no packets that could be lost",
            _ => continue,
        };
        let what = format_args!("cannot be `{}` over {shown}: {why}", fault.kind.name());
        let hint = "use `half_close` or `stop_reading`, or the address of a port";
        let nowhere = &Place::Nowhere;
        check.problem("cohort.fault", place.unwrap_or(nowhere), what, hint);
    }
}

/// Notes cohorts that the path cannot lead to their servers.
fn on_path(
    check: &mut Check<'_>,
    path: &Path,
    place: &Place,
    servers: Option<&Servers>,
    cohort: &Cohort,
) {
    let name = &cohort.name;
    let mut named = path.faults.iter().flat_map(|fault| &fault.cohorts);
    if cohort.servers.is_some() && named.any(|named| named == name) {
        let what = format_args!("names `{name}`, which has a server of its own");
        let hint = "leave it out: the path leads to the server of `[target]`";
        check.problem("path", place, what, hint);
    }
    if !path.leads(name) {
        return;
    }
    let others = "name the other cohorts in the faults of the path";
    if cohort.servers.is_some() {
        return;
    }
    if servers.is_some_and(Servers::are_several) {
        let what = format_args!("leads `{name}` to one server, and `target.url` has several");
        let hint = format!("{others}, or write one `url`");
        check.problem("path", place, what, hint);
    } else if servers.is_some_and(Servers::has_unix) {
        let what = format_args!("leads `{name}` to a port, and the target has a Unix socket");
        let hint = format!("{others}, or use the address of a port");
        check.problem("path", place, what, hint);
    }
}
