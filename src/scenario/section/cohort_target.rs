//! `[cohort.target]`: the server of a cohort, and what is spoken with it.

use super::Cohort;
use super::access::{Access, AccessTable, SharedAccess};
use super::servers::{self, Address, Servers, TargetUrl};
use super::target;
use super::url::Protocol;
use crate::scenario::reading::{At, Check, Given as _, Key, Section, given};

/// What a cohort speaks, and with which server, if that is not the one of `[target]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spoken {
    pub(super) protocol: Protocol,
    pub(super) servers: Option<Servers>,
    pub(super) keep_alive: bool,
    pub(super) access: Access,
}

/// Resolves it; `shared` is the address of `[target]`, if that is valid.
pub(super) fn resolve(
    check: &mut Check<'_>,
    own: &Key<AccessTable>,
    shared: Option<&Address>,
    access: &SharedAccess,
) -> Option<Spoken> {
    let protocol = shared.map_or(Protocol::WebSocket, |shared| shared.protocol);
    let Some(At { value: keys, place }) = own else {
        return Some(Spoken {
            protocol,
            servers: None,
            keep_alive: access.keep_alive(),
            access: access.access.clone(),
        });
    };
    let section = &mut Section {
        check,
        path: "cohort.target",
        place,
    };
    let own = match (&keys.url, &keys.unix) {
        (None, None) => None,
        (url, unix) => Some(servers::resolve(section, url, unix, shared)?),
    };
    let protocol = own.as_ref().map_or(protocol, |own| own.protocol);
    target::keeps(section, protocol, &given!(keys; keep_alive));
    if let Some(address) = own.as_ref().or(shared) {
        target::packs(section, address, &keys.compression);
    }
    let keep_alive = keys.keep_alive.value_or(access.keep_alive());
    let access = keys.over_shared(section, access, own.as_ref().or(shared));
    let is_embedded = shared.is_none_or(|shared| shared.url == TargetUrl::Embedded);
    let servers = match own.map(|own| own.url) {
        Some(TargetUrl::Servers(servers)) => Some(servers),
        Some(TargetUrl::Embedded) if !is_embedded => {
            let what = "is the built-in server, which this run does not start";
            let hint = "write `url = \"embedded\"` in `[target]`, and the other server here";
            section.wrong("url", &keys.url, what, hint);
            None
        }
        Some(TargetUrl::Embedded) | None => None,
    };
    Some(Spoken {
        protocol,
        servers,
        keep_alive,
        access,
    })
}

/// Notes settings of TLS where the cohort speaks it with nobody; `shared` is the address of `[target]`.
pub(super) fn check(
    check: &mut Check<'_>,
    own: &Key<AccessTable>,
    shared: Option<&Address>,
    cohort: &Cohort,
) {
    let Some(At { value: keys, place }) = own else {
        return;
    };
    let dials_target = cohort.servers.is_none();
    let is_secure = dials_target && shared.is_none_or(Address::is_secure);
    if !is_secure && !cohort.may_lead_to_tls() {
        let path = "cohort.target";
        keys.exclude_tls(&mut Section { check, path, place });
    }
}
