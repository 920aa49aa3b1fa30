//! A `[contract]` or `[cohort.contract]`: the promises of its keys over those of its preset, and where times begin.

use std::time::Duration;

use super::judge::{self, Around};
use super::length;
use super::preset::PROMISES;
use crate::scenario::fault::FaultKind;
use crate::scenario::file::{BackTable, ContractKeys, ContractTable, File, Key};
use crate::scenario::model::{Back, Between, Cohort, Contract, Origin, Promise};
use crate::scenario::reading::{At, Check, Place, Several, Switch};

/// A contract as the file has it.
pub(super) struct Written<'a> {
    /// What its keys are called: `contract` or `cohort.contract`.
    pub(super) path: &'static str,
    pub(super) place: &'a Place,
    pub(super) table: &'a ContractTable,
}

/// A promise, and where it was given.
pub(super) struct Given {
    pub(super) promise: Promise,
    /// The key as the user wrote it.
    pub(super) key: &'static str,
    pub(super) place: Place,
}

/// Gives each cohort its contract. What surrounds them is `None` where it is wrong itself.
pub(super) fn contracts(
    check: &mut Check<'_>,
    file: &File,
    cohorts: &mut [Cohort],
    around: Option<&Around<'_>>,
) {
    for (index, cohort) in cohorts.iter_mut().enumerate() {
        let Some(written) = written(file, index, cohort) else {
            continue;
        };
        let Some((contract, given)) = written.contract(check, cohort) else {
            continue;
        };
        if let Some(around) = around {
            judge::check(check, &written, &given, cohort, &contract, around);
            // Of wrong settings a preset has its defaults.
            if !check.has_hole(written.place) {
                length::check(check, &written, &given, cohort, &contract, around);
            }
        }
        cohort.contract = Some(contract);
    }
}

/// The contract of the cohort at this place of the file; the one for all is for healthy clients.
fn written<'a>(file: &'a File, index: usize, cohort: &Cohort) -> Option<Written<'a>> {
    let own = file.cohort.iter().flat_map(|list| &list.value.0).nth(index);
    let own = own.and_then(|own| own.value.contract.as_ref());
    let (path, given) = match own {
        Some(own) => ("cohort.contract", own),
        None if cohort.faults.is_empty() => ("contract", file.contract.as_ref()?),
        None => return None,
    };
    match &given.value {
        Switch::Off => None,
        Switch::On(table) => Some(Written {
            path,
            place: &given.place,
            table,
        }),
    }
}

impl Written<'_> {
    /// The full name of a key.
    pub(super) fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    fn contract(&self, check: &mut Check<'_>, cohort: &Cohort) -> Option<(Contract, Vec<Given>)> {
        let keys = &self.table.keys;
        let own = self.own(check, keys);
        let expanded = match &keys.preset {
            Some(preset) => Some(self.preset(check, preset)?),
            None => None,
        };
        let mut given = own?;
        let (mut from, mut shown) = (default_origin(cohort), None);
        if let (Some(expanded), Some(preset)) = (expanded, &keys.preset) {
            let is_own =
                |promise: &Promise| given.iter().any(|own| own.promise.key() == promise.key());
            let promises = expanded.promises.into_iter();
            let others: Vec<Given> = promises
                .filter(|promise| !is_own(promise))
                .map(|promise| Given {
                    promise,
                    key: "preset",
                    place: preset.place.clone(),
                })
                .collect();
            given.extend(others);
            (from, shown) = (expanded.from, Some(expanded.shown));
        }
        if let Some(word) = &keys.from {
            from = word.value;
        }
        if given.is_empty() {
            let hint = "write what the server promises, such as `closed = 0`";
            check.empty(self.place, self.path, hint);
            return None;
        }
        given.sort_by_key(|given| PROMISES.iter().position(|key| *key == given.promise.key()));
        let contract = Contract {
            from,
            preset: shown,
            promises: given.iter().map(|given| given.promise.clone()).collect(),
        };
        Some((contract, given))
    }

    /// The promises of its own keys, in the order of the catalogue.
    fn own(&self, check: &mut Check<'_>, keys: &ContractKeys) -> Option<Vec<Given>> {
        let mut all = Promises(Vec::new());
        all.put("closed", &keys.closed, |count| {
            Promise::Closed(count.0.into())
        });
        all.put("closed_per_stall", &keys.closed_per_stall, |count| {
            Promise::ClosedPerStall(count.0.into())
        });
        all.put("alive_for", &keys.alive_for, |time| {
            Promise::AliveFor(time.0)
        });
        all.put("closed_between", &keys.closed_between, |window| {
            Promise::ClosedBetween(window.0)
        });
        all.put_list("code", &keys.code, |code| code.0 as u16, Promise::Code);
        all.put_list("ends_with", &keys.ends_with, |end| *end, Promise::EndsWith);
        all.put("tcp_end_within", &keys.tcp_end_within, |time| {
            let (lo, hi) = (Duration::ZERO, time.0);
            Promise::TcpEndBetween(Between { lo, hi })
        });
        all.put("tcp_end_between", &keys.tcp_end_between, |window| {
            Promise::TcpEndBetween(window.0)
        });
        all.put("reaped_between", &keys.reaped_between, |window| {
            Promise::ReapedBetween(window.0)
        });
        all.put("released_within", &keys.released_within, |time| {
            Promise::ReleasedWithin(time.0)
        });
        all.put("effective_timeout", &keys.effective_timeout, |window| {
            Promise::EffectiveTimeout(window.0)
        });
        all.put("pong_within", &keys.pong_within, |time| {
            Promise::PongWithin(time.0)
        });
        all.put("pings_between", &keys.pings_between, |window| {
            Promise::PingsBetween(window.0)
        });
        all.put("max_ping_sync", &keys.max_ping_sync, |part| {
            Promise::MaxPingSync(part.0)
        });
        all.put(
            "close_answered_within",
            &keys.close_answered_within,
            |time| Promise::CloseAnsweredWithin(time.0),
        );
        all.put("close_code_echoed", &keys.close_code_echoed, |_| {
            Promise::CloseCodeEchoed
        });
        all.put("silent_after_close", &keys.silent_after_close, |_| {
            Promise::SilentAfterClose
        });
        all.put("detected_between", &keys.detected_between, |window| {
            Promise::DetectedBetween(window.0)
        });
        all.put("recovers_within", &keys.recovers_within, |time| {
            Promise::RecoversWithin(time.0)
        });
        all.put("back_within", &keys.back_within, |table| {
            Promise::BackWithin(back(table))
        });
        all.put("max_rss_growth", &keys.max_rss_growth, |size| {
            Promise::MaxRssGrowth(*size)
        });
        all.put(
            "max_descriptor_growth",
            &keys.max_descriptor_growth,
            |count| Promise::MaxDescriptorGrowth(count.0.into()),
        );
        self.values(check, keys).then_some(all.0)
    }

    /// Whether each value can be meant.
    fn values(&self, check: &mut Check<'_>, keys: &ContractKeys) -> bool {
        let before = check.problems.len();
        if let (Some(_), Some(within)) = (&keys.tcp_end_between, &keys.tcp_end_within) {
            let what = format_args!(
                "cannot be used with `{}`, which says it too",
                self.key("tcp_end_between")
            );
            check.problem_with_hint(
                &self.key("tcp_end_within"),
                &within.place,
                what,
                "leave out one of them",
            );
        }
        for (name, given) in [
            ("close_code_echoed", &keys.close_code_echoed),
            ("silent_after_close", &keys.silent_after_close),
        ] {
            if let Some(no) = given.as_ref().filter(|yes| !yes.value) {
                let what = "can only be `true`";
                check.problem_with_hint(
                    &self.key(name),
                    &no.place,
                    what,
                    "leave it out where nothing is promised",
                );
            }
        }
        if let Some(codes) = &keys.code {
            let key = self.key("code");
            for (place, _) in Several::each(codes)
                .iter()
                .filter(|(_, code)| matches!(code.0, 1006 | 1015))
            {
                let what = "is a code that is never on the wire (RFC 6455 section 7.4.1)";
                let hint = "an end without a Close frame is `ends_with = [\"fin\", \"rst\"]`";
                check.problem_with_hint(&key, place, what, hint);
            }
            if Several::each(codes).is_empty() {
                check.empty(&codes.place, &key, "write `code = 1011`");
            }
        }
        if let Some(ends) = keys
            .ends_with
            .as_ref()
            .filter(|ends| Several::each(ends).is_empty())
        {
            check.empty(
                &ends.place,
                &self.key("ends_with"),
                "write `ends_with = \"close_frame\"`",
            );
        }
        if let Some(table) = &keys.back_within {
            self.back_rises(check, table);
        }
        check.problems.len() == before
    }

    fn back_rises(&self, check: &mut Check<'_>, table: &At<BackTable>) {
        let key = self.key("back_within");
        let BackTable { p50, p90, p99, all } = &table.value;
        let given: Vec<_> = [p50, p90, p99, all].into_iter().flatten().collect();
        if given.is_empty() {
            check.empty(&table.place, &key, "write { p50 = \"1s\", all = \"10s\" }");
        }
        for pair in given.windows(2) {
            if pair[1].value.0 < pair[0].value.0 {
                let what = "has a larger part that is back sooner than a smaller one";
                check.problem(&key, &pair[1].place, what);
            }
        }
    }
}

/// Gathers promises with their places.
struct Promises(Vec<Given>);

impl Promises {
    fn put<T>(&mut self, key: &'static str, value: &Key<T>, promise: impl Fn(&T) -> Promise) {
        if let Some(At { value, place }) = value {
            self.0.push(Given {
                promise: promise(value),
                key,
                place: place.clone(),
            });
        }
    }

    fn put_list<T, U>(
        &mut self,
        key: &'static str,
        list: &Key<Several<T>>,
        one: impl Fn(&T) -> U,
        promise: impl Fn(Vec<U>) -> Promise,
    ) {
        if let Some(list) = list {
            let values = Several::each(list).into_iter().map(|(_, value)| one(value));
            self.0.push(Given {
                promise: promise(values.collect()),
                key,
                place: list.place.clone(),
            });
        }
    }
}

fn back(table: &BackTable) -> Back {
    let time = |key: &Key<crate::scenario::reading::Time>| key.as_ref().map(|time| time.value.0);
    Back {
        p50: time(&table.p50),
        p90: time(&table.p90),
        p99: time(&table.p99),
        all: time(&table.all),
    }
}

/// Where times begin if nothing says so: with what the clients do wrong.
fn default_origin(cohort: &Cohort) -> Origin {
    let does =
        |wanted: fn(&FaultKind) -> bool| cohort.faults.iter().any(|fault| wanted(&fault.kind));
    let keeps_pongs = |kind: &FaultKind| {
        matches!(
            kind,
            FaultKind::NoPong
                | FaultKind::LatePong { .. }
                | FaultKind::PongStopsAfter { .. }
                | FaultKind::WrongPong
        )
    };
    if cohort.faults.is_empty() {
        Origin::Open
    } else if does(keeps_pongs) {
        Origin::Ping
    } else if does(|kind| matches!(kind, FaultKind::Close { .. })) {
        Origin::Close
    } else {
        Origin::Fault
    }
}
