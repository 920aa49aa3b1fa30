//! What cannot be together with how clients get to their servers: the path, a proxy, redirects, names that nobody dials, and
//! faults below the frames.

use std::net::IpAddr;

use super::access::AccessTable;
use super::addresses::Family;
use super::cohort::Cohort;
use super::cohort_table::CohortTable;
use super::http_version::HttpVersion;
use super::servers::Servers;
use super::target::Target;
use super::url::{Protocol, WsUrl};
use crate::scenario::fault::{FaultKind, Path};
use crate::scenario::reading::{At, Check, Given as _, Key, List, Place, nearest};
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
        redirected(check, file, own, path, cohort);
        of_one_family(check, file, own, servers, cohort);
    }
    unused(check, file, target, cohorts);
}

/// A key of `[cohort.target]`, or that of `[target]`, with its place.
fn given<T>(
    file: &File,
    own: Option<&CohortTable>,
    key: &str,
    of: impl Fn(&AccessTable) -> &Key<T>,
) -> (String, Place) {
    let own = own.and_then(|own| own.target.as_ref());
    let own = own.and_then(|at| of(&at.value).place());
    match own {
        Some(place) => (format!("cohort.target.{key}"), place.clone()),
        None => {
            let shared = file.target.as_ref().map(|at| AccessTable::from(&at.value));
            let place = shared.and_then(|keys| of(&keys).place().cloned());
            (format!("target.{key}"), place.unwrap_or_default())
        }
    }
}

/// Notes redirects that cannot be followed.
fn redirected(
    check: &mut Check<'_>,
    file: &File,
    own: Option<&CohortTable>,
    path: Option<&Path>,
    cohort: &Cohort,
) {
    if cohort.access.redirects == 0 {
        return;
    }
    let (key, place) = given(file, own, "redirects", |keys| &keys.redirects);
    let name = &cohort.name;
    if cohort.protocol == Protocol::Http {
        let what = format_args!("is for upgrade requests, and the clients of `{name}` make none");
        let hint = "leave it out: `http` steps see the redirects themselves";
        check.problem(&key, &place, what, hint);
    } else if cohort.access.http != HttpVersion::One {
        // The connection that they lead away from is shared.
        let what = format_args!("are not followed over HTTP/2, which `{name}` speaks");
        let hint = "leave it out for this cohort (`redirects = 0`), or write `http = \"1.1\"`";
        check.problem(&key, &place, what, hint);
    } else if path.is_some_and(|path| path.leads(name)) {
        let what = format_args!("would lead `{name}` around the relay of `[path]`");
        let hint = "leave it out, or name the other cohorts in the faults of the path";
        check.problem(&key, &place, what, hint);
    }
}

/// Notes addresses that cannot be dialled: of another family than `family`, or than the addresses to dial from.
fn of_one_family(
    check: &mut Check<'_>,
    file: &File,
    own: Option<&CohortTable>,
    servers: Option<&Servers>,
    cohort: &Cohort,
) {
    let access = &cohort.access;
    let dialled = servers.iter().flat_map(|all| all.urls()).map(WsUrl::origin);
    for origin in dialled.chain(cohort.other_servers()) {
        let (first, behind) = access.hosts(&origin);
        let literal = |host: &str| host.parse::<IpAddr>().ok();
        let hosts = [first, behind].into_iter().flatten();
        let mut literals = hosts.filter_map(|(host, _)| literal(host));
        if let Some(address) = literals.find(|address| !access.addresses.family.has(*address)) {
            let (key, place) = given(file, own, "family", |keys| &keys.family);
            let other = Family::of(address).word();
            let what = format_args!("is not that of {address}, which is an {other}");
            check.problem(&key, &place, what, "leave it out, or dial a name");
            return;
        }
        // Addresses to dial from are of one family.
        let (Some((host, _)), Some(source)) = (first, access.sources.first()) else {
            continue;
        };
        let known = literal(host).map(|address| vec![address]);
        let known = known.or_else(|| access.addresses.pinned(host).map(<[_]>::to_vec));
        let fits = |address: &IpAddr| Family::of(*source).has(*address);
        if known.is_some_and(|known| !known.iter().any(fits)) {
            let key = "source_addresses";
            let (key, place) = given(file, own, key, |keys| &keys.source_addresses);
            let word = Family::of(*source).word();
            let what = format_args!("cannot dial {host}: {source} is an {word}, and that is none");
            check.problem(&key, &place, what, "write addresses of its family");
            return;
        }
    }
}

/// Notes addresses of names that nobody dials, and look-ups of names that are never made.
fn unused(check: &mut Check<'_>, file: &File, target: &Target, cohorts: &[Cohort]) {
    let hosts = |cohort: &Cohort| -> Vec<String> {
        let mut hosts = Vec::new();
        let dialled = cohort.dialled(&target.url);
        let dialled = dialled.iter().flat_map(|all| all.urls()).map(WsUrl::origin);
        for origin in dialled.chain(cohort.other_servers()) {
            let (first, behind) = cohort.access.hosts(&origin);
            let both = first.into_iter().chain(behind);
            hosts.extend(both.map(|(host, _)| host.to_owned()));
        }
        for host in &mut hosts {
            *host = host.trim_end_matches('.').to_ascii_lowercase();
        }
        hosts
    };
    let all: Vec<(&Cohort, Vec<String>)> = cohorts.iter().map(|one| (one, hosts(one))).collect();
    let own = file.cohort.as_ref().map_or(&[][..], |at| &at.value.0);
    let own = own.iter().filter_map(|at| at.value.target.as_ref());
    let own = own.map(|at| ("cohort.target", &at.value.resolve, &at.value.resolve_every));
    let shared = file.target.as_ref();
    let shared = shared.map(|at| ("target", &at.value.resolve, &at.value.resolve_every));
    for (path, resolve, every) in own.chain(shared) {
        for (host, given) in resolve.iter().flat_map(|at| &at.value) {
            let name = host.trim_end_matches('.').to_ascii_lowercase();
            let is_dialled = |(cohort, hosts): &(&Cohort, Vec<String>)| {
                // A redirect may lead anywhere.
                hosts.contains(&name) || cohort.access.redirects > 0
            };
            if name.parse::<IpAddr>().is_err() && !all.iter().any(is_dialled) {
                let known = all.iter().flat_map(|(_, hosts)| hosts);
                let known = known.filter(|host| host.parse::<IpAddr>().is_err());
                let nearest = nearest(&name, known.map(String::as_str));
                let hint = match nearest {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => "leave it out, or write the name as `url` has it".to_owned(),
                };
                let key = format!("{path}.resolve.{host}");
                check.problem(&key, &given.place, "is a name that nobody dials", hint);
            }
        }
        let is_again = |(cohort, hosts): &(&Cohort, Vec<String>)| {
            let addresses = &cohort.access.addresses;
            addresses.every.is_some() && hosts.iter().any(|host| addresses.are_looked_up(host))
        };
        if let Some(At { value, place }) = every
            && !value.0.is_zero()
            && !all.iter().any(is_again)
        {
            let what = "is for names, and none is looked up here";
            let hint = "leave it out, or write the server's name in `url`";
            check.problem(&format!("{path}.resolve_every"), place, what, hint);
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
