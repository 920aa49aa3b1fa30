//! Cohorts that ask by HTTP: what they cannot have, since it takes a WebSocket, and which server they ask.

use super::cohort::Cohort;
use super::cohort_table::CohortTable;
use super::servers::{Address, Servers, UrlGiven, texts};
use super::step::{Step, Verb};
use super::steps;
use super::talk::Lists;
use super::url::{Protocol, WsUrl};
use crate::scenario::reading::{At, Check, Given as _, Key, Place, Switch, given};
use crate::scenario::root::File;
use crate::scenario::secrets::shown_address;

/// Notes what a cohort has that takes a WebSocket, if it speaks HTTP. What is given above it has to be removed in it.
pub(super) fn check(
    check: &mut Check<'_>,
    lists: Lists<'_>,
    (file, own): (&File, &CohortTable),
    target: Option<&Address>,
    cohort: &Cohort,
) {
    if cohort.protocol == Protocol::WebSocket {
        return;
    }
    let is_asking = |step: &Step| matches!(step.verb, Verb::Http(_));
    if !cohort.each_step().any(is_asking) {
        // A WebSocket was meant, most likely.
        let url =
            |table: Option<&Key<UrlGiven>>| table.and_then(|url| texts(url).into_iter().next());
        let own = url(own.target.as_ref().map(|table| &table.value.url));
        let shared = url(file.target.as_ref().map(|table| &table.value.url));
        let (key, url) = match own {
            Some(own) => ("cohort.target.url", Some(own)),
            None => ("target.url", shared),
        };
        let shown = url.as_ref().and_then(|url| url.value.strip_prefix("http"));
        let socket = match shown {
            Some(rest) => format!("write ws{} for a WebSocket", shown_address(rest)),
            None => "write \"embedded\" for a WebSocket".to_owned(),
        };
        let address = shown.map(|rest| format!("http{}", shown_address(rest)));
        let place = url.map_or_else(Place::default, |url| url.place);
        let (key, what, hint) = match (&place, address) {
            // There may be no file that a step could be added to, and nobody wrote a key.
            (Place::Option(_), Some(address)) => (
                address,
                "opens no WebSocket, and nothing is asked by HTTP",
                socket,
            ),
            _ => (
                key.to_owned(),
                "makes no upgrade, and there is no `[[step]]` that asks for anything",
                format!("{socket}, or add a `[[step]]` such as `http = {{ url = \"/poll\" }}`"),
            ),
        };
        check.problem(&key, &place, what, hint);
        return;
    }
    let mut wrong = |key: &str, place: &Place, hint: &str| {
        let what = "takes a WebSocket, and these clients ask by HTTP";
        check.problem(key, place, what, hint);
    };
    let above = |key: &str, off: &str| match key.starts_with("cohort.") {
        true => "leave it out, or use a ws:// address".to_owned(),
        false => format!("write `{off}` in the cohort, or use a ws:// address"),
    };
    if let (key, Some(list)) = lists.message
        && !list.value.0.is_empty()
    {
        let hint = "write `message = []` in the cohort: these clients send by `http` in `[[step]]`, or use a ws:// address";
        wrong(key, &list.place, hint);
    }
    if let (key, Some(list)) = lists.on
        && !list.value.0.is_empty()
    {
        wrong(key, &list.place, &above(key, "on = []"));
    }
    for (key, list) in [lists.setup, lists.step] {
        for step in steps::each(list) {
            let verbs = given!(step.value; send, r#await);
            for (verb, place) in verbs {
                if let Some(place) = place {
                    let hint = "use `http`, give the cohort its own list, or use a ws:// address";
                    wrong(&format!("{key}.{verb}"), place, hint);
                }
            }
        }
    }
    if cohort.heartbeat.is_some() {
        let heartbeats = [
            ("cohort.heartbeat", own.heartbeat.place()),
            ("heartbeat", file.heartbeat.place()),
        ];
        if let Some((key, Some(place))) = heartbeats.into_iter().find(|(_, at)| at.is_some()) {
            wrong(key, place, &above(key, "heartbeat = \"off\""));
        }
    }
    let contracts = [
        ("cohort.contract", own.contract.place()),
        ("contract", file.contract.place()),
    ];
    let is_off = matches!(
        &own.contract,
        Some(At {
            value: Switch::Off,
            ..
        })
    );
    if !is_off && let Some((key, Some(place))) = contracts.into_iter().find(|(_, at)| at.is_some())
    {
        wrong(key, place, &above(key, "contract = \"off\""));
    }
    for (key, place) in given!(own; joins, fault) {
        if let Some(place) = place {
            let key = format!("cohort.{key}");
            wrong(&key, place, &above(&key, ""));
        }
    }
    let shared = || target.and_then(|target| target.url.servers());
    servers(
        check,
        lists,
        cohort.servers.as_ref().or_else(shared),
        cohort,
    );
}

/// Notes the requests that go to another server than the one that the clients are connected to.
fn servers(check: &mut Check<'_>, lists: Lists<'_>, own: Option<&Servers>, cohort: &Cohort) {
    let all = steps::each(lists.setup.1).into_iter();
    let all = all.chain(steps::each(lists.step.1));
    let own: Vec<_> = own
        .iter()
        .flat_map(|own| own.urls())
        .map(WsUrl::origin)
        .collect();
    for (table, step) in all.zip(cohort.each_step()) {
        let Verb::Http(http) = &step.verb else {
            continue;
        };
        let is_own = |origin| own.iter().all(|own| own == origin) && !own.is_empty();
        if http.once || http.origin.as_ref().is_none_or(is_own) {
            continue;
        }
        if let Some(http) = &table.value.http {
            let what = "goes to another server than the one that these clients are connected to";
            let hint = "write the path alone, such as \"/poll\"";
            check.problem("step.http.url", &http.place, what, hint);
        }
    }
}
