//! Resolves a `[contract]` or `[cohort.contract]`: merges the promises of its keys into those of its preset, and finds
//! the event from which times count.

use std::time::Duration;

use super::judgeable::Environment;
use super::promise::{Need, Promise, PromiseKind};
use super::table::{ContractTable, TCP_END_WITHIN, Value};
use super::value::{Back, Between, Promised};
use super::{Contract, Origin};
use crate::scenario::Cohort;
use crate::scenario::fault::FaultKind;
use crate::scenario::gate::Run;
use crate::scenario::preset::Expanded;
use crate::scenario::reading::{At, Check, Given as _, Items as _, Place, Switch};
use crate::scenario::root::File;

/// A contract as it is written in the file.
pub(super) struct Written<'a> {
    /// The name of its table: `contract` or `cohort.contract`.
    pub(super) path: &'static str,
    pub(super) place: &'a Place,
    pub(super) table: &'a ContractTable,
}

/// A promise, and the place where it was given.
pub(super) struct Placed {
    pub(super) promise: Promise,
    /// The key as the user wrote it.
    pub(super) key: &'static str,
    pub(super) place: Place,
}

/// A contract, and all that decides whether a run can judge it.
pub(super) struct Case<'a> {
    pub(super) written: &'a Written<'a>,
    pub(super) given: &'a [Placed],
    pub(super) cohort: &'a Cohort,
    pub(super) contract: &'a Contract,
    pub(super) environment: &'a Environment<'a>,
    /// The run, with cohorts that have no contract yet.
    pub(super) run: Run<'a>,
}

/// Gives each cohort its contract. `environment` is `None` if the target, the path or the load is invalid.
pub(in crate::scenario) fn contracts(
    check: &mut Check<'_>,
    file: &File,
    cohorts: &mut [Cohort],
    environment: Option<&Environment<'_>>,
) {
    let all = cohorts.to_vec();
    let of_all = file.contract.as_ref();
    let mut idle = of_all.filter(|given| matches!(given.value, Switch::On(_)) && !all.is_empty());
    for (index, cohort) in cohorts.iter_mut().enumerate() {
        let Some(written) = written(file, index, cohort) else {
            continue;
        };
        if written.path == OF_ALL {
            idle = None;
        }
        let Some((contract, given)) = written.contract(check, cohort) else {
            continue;
        };
        if let Some(environment) = environment {
            let case = Case {
                written: &written,
                given: &given,
                cohort,
                contract: &contract,
                environment,
                run: Run {
                    environment,
                    cohorts: &all,
                },
            };
            case.can_be_judged(check);
            // Skips the check where a setting was invalid: the preset has used its default instead.
            if !check.has_removed(written.place) {
                case.is_decided_in_time(check);
            }
        }
        cohort.contract = Some(contract);
    }
    if let Some(idle) = idle {
        let what = "concerns nobody: each cohort has a fault, or a contract of its own";
        let hint = "write `[cohort.contract]` for those that it is about, or leave it out";
        check.problem(OF_ALL, &idle.place, what, hint);
    }
}

/// The key of the contract of all cohorts.
const OF_ALL: &str = "contract";

/// The contract of the cohort at this index of the file. `[contract]` applies only to cohorts of healthy clients.
fn written<'a>(file: &'a File, index: usize, cohort: &Cohort) -> Option<Written<'a>> {
    let own = file.cohort.items().get(index);
    let own = own.and_then(|own| own.value.contract.as_ref());
    let (path, given) = match own {
        Some(own) => ("cohort.contract", own),
        None if cohort.faults.is_empty() => (OF_ALL, file.contract.as_ref()?),
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

    fn contract(&self, check: &mut Check<'_>, cohort: &Cohort) -> Option<(Contract, Vec<Placed>)> {
        let own = self.own(check);
        let preset = match &self.table.preset {
            Some(preset) => Some((preset, self.preset(check, preset)?)),
            None => None,
        };
        let mut given = own?;
        let mut contract = Contract {
            from: default_origin(cohort),
            preset: None,
            promises: Vec::new(),
        };
        if let Some((name, expanded)) = preset {
            let Expanded {
                shown,
                from,
                promises,
                ..
            } = expanded;
            (contract.from, contract.preset) = (from, Some(shown));
            let is_seen = |promise: &Promise| {
                cohort.sees_frames() || !promise.kind.rule().needs.contains(&Need::Frames)
            };
            for promise in promises.into_iter().filter(is_seen) {
                if !given.iter().any(|own| own.promise.kind == promise.kind) {
                    let (key, place) = ("preset", name.place.clone());
                    given.push(Placed {
                        promise,
                        key,
                        place,
                    });
                }
            }
        }
        if let Some(word) = &self.table.from {
            contract.from = word.value;
        }
        if given.is_empty() {
            let hint = "write what the server promises, such as `closed = 0`";
            check.empty(self.place, self.path, hint);
            return None;
        }
        given.sort_by_key(|given| given.promise.kind);
        contract.promises = given.iter().map(|given| given.promise.clone()).collect();
        Some((contract, given))
    }

    /// The promises of the contract's own keys; `None` if a value makes no sense.
    fn own(&self, check: &mut Check<'_>) -> Option<Vec<Placed>> {
        let before = check.problems.len();
        let mut own = Vec::new();
        for (kind, given) in &self.table.promises {
            own.push(Placed {
                promise: kind.of(self.promised(check, kind.key(), given)),
                key: kind.key(),
                place: given.place.clone(),
            });
        }
        if let Some(At { value, place }) = &self.table.tcp_end_within {
            let kind = PromiseKind::TcpEndBetween;
            if self.table.promises.contains_key(&kind) {
                let what = format_args!(
                    "cannot be used with `{}`, which says it too",
                    self.key(kind.key())
                );
                let key = self.key(TCP_END_WITHIN);
                check.problem(&key, place, what, "leave out one of them");
            }
            let (lo, hi) = (Duration::ZERO, value.0);
            own.push(Placed {
                promise: kind.of(Between { lo, hi }),
                key: TCP_END_WITHIN,
                place: place.clone(),
            });
        }
        (check.problems.len() == before).then_some(own)
    }

    /// The promised value. Notes one that has the right form but makes no sense.
    fn promised(&self, check: &mut Check<'_>, key: &str, given: &At<Value>) -> Promised {
        let (name, place) = (self.key(key), &given.place);
        match &given.value {
            Value::Plain(value) => value.clone(),
            Value::True(is_true) => {
                if !is_true {
                    let hint = "leave it out where nothing is promised";
                    check.problem(&name, place, "can only be `true`", hint);
                }
                Promised::True
            }
            Value::Codes(codes) => {
                let codes = codes.each_in(place);
                if codes.is_empty() {
                    check.empty(place, &name, "write `code = 1011`");
                }
                for (place, _) in codes
                    .iter()
                    .filter(|(_, code)| matches!(code.0, 1006 | 1015))
                {
                    let what = "is a code that is never on the wire (RFC 6455 section 7.4.1)";
                    let hint = "an end without a Close frame is `ends_with = [\"fin\", \"rst\"]`";
                    check.problem(&name, place, what, hint);
                }
                Promised::Codes(codes.iter().map(|(_, code)| code.0 as u16).collect())
            }
            Value::Ends(ends) => {
                let ends = ends.each_in(place);
                if ends.is_empty() {
                    check.empty(place, &name, "write `ends_with = \"close_frame\"`");
                }
                Promised::Ends(ends.iter().map(|(_, end)| **end).collect())
            }
            Value::Back(keys) => {
                let keys = [&keys.p50, &keys.p90, &keys.p99, &keys.all];
                let given: Vec<_> = keys.into_iter().flatten().collect();
                if given.is_empty() {
                    check.empty(place, &name, "write { p50 = \"1s\", all = \"10s\" }");
                }
                for pair in given.windows(2) {
                    if pair[1].value.0 < pair[0].value.0 {
                        let what = "has a larger part that is back sooner than a smaller one";
                        check.problem(&name, &pair[1].place, what, None);
                    }
                }
                let [p50, p90, p99, all] = keys.map(|key| key.value());
                Promised::Back(Back { p50, p90, p99, all })
            }
        }
    }
}

/// The event from which times count if the contract does not name one: derived from the faults of the clients.
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
