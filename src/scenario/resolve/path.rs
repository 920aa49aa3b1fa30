//! Resolves the `[path]` section: what a relay does to connections, when, and to which cohorts.

use std::time::Duration;

use crate::scenario::file::{DelayTable, Key, PathTable, SpellTable};
use crate::scenario::model::{Path, PathFault, PathFaultKind};
use crate::scenario::reading::{
    At, Check, Given as _, List, Place, Several, Short, Time, TimeOrZero, words,
};
use crate::units::ByteSize;

const MAX_FAULTS: usize = 100;

/// Resolves `[path]`; `cohorts` are the names as in the file.
pub(super) fn path(
    check: &mut Check<'_>,
    given: &Key<PathTable>,
    cohorts: &[&str],
) -> Option<Path> {
    let given = given.as_ref()?;
    let mut reader = Reader {
        check,
        cohorts,
        found: Vec::new(),
    };
    reader.delays(&given.value);
    reader.throttles(&given.value);
    reader.spells(&given.value);
    let mut found = reader.found;
    if found.is_empty() {
        check.empty(
            &given.place,
            "path",
            "write `delay = \"50ms\"`, or leave it out",
        );
        return None;
    }
    if found.len() > MAX_FAULTS {
        check.problem(
            "path",
            &given.place,
            format_args!("has more than {MAX_FAULTS} faults"),
        );
        return None;
    }
    found.sort_by_key(|(place, _)| place.span().map(|span| span.start));
    strikes(check, &found);
    Some(Path {
        faults: found.into_iter().map(|(_, fault)| fault).collect(),
    })
}

/// Notes two faults that would end the same connections at the same time, as only one of them can happen.
fn strikes(check: &mut Check<'_>, found: &[(Place, PathFault)]) {
    let ends = |fault: &PathFault| {
        matches!(
            fault.kind,
            PathFaultKind::Reset | PathFaultKind::Forget | PathFaultKind::Cut
        )
    };
    let is_half = |fault: &PathFault| matches!(fault.kind, PathFaultKind::HalfClose(_));
    let meet = |one: &PathFault, other: &PathFault| {
        let shared = |name: &String| other.concerns(name);
        let whom = one.cohorts.is_empty() || one.cohorts.iter().any(shared);
        one.after == other.after && whom
    };
    for (index, (place, one)) in found.iter().enumerate() {
        let rival = found[..index].iter().find(|(_, other)| {
            let both_end = ends(one) && (ends(other) || is_half(other))
                || ends(other) && is_half(one)
                || is_half(one) && one.kind == other.kind;
            both_end && meet(one, other)
        });
        if let Some((_, rival)) = rival {
            let (own, other) = (one.kind.key(), rival.kind.key());
            let what = format_args!("strikes at the same time as `path.{other}`, and only one can");
            let hint = "leave out one of them, or give it another `after`";
            check.problem_with_hint(&format!("path.{own}"), place, what, hint);
        }
    }
}

/// Collects the faults, each with its place.
struct Reader<'c, 'a, 'n> {
    check: &'c mut Check<'a>,
    cohorts: &'n [&'n str],
    found: Vec<(Place, PathFault)>,
}

/// When a fault happens, and to which cohorts.
struct When<'a> {
    after: &'a Key<TimeOrZero>,
    lasts: &'a Key<Time>,
    cohorts: &'a Key<List<At<String>>>,
}

impl Reader<'_, '_, '_> {
    fn delays(&mut self, keys: &PathTable) {
        let jitter = keys.jitter.as_ref();
        let Some(delay) = &keys.delay else {
            if let Some(jitter) = jitter {
                self.always(&jitter.place, Duration::ZERO, jitter.value.0);
            }
            return;
        };
        if let (Several::One(Short::Value(by)), jitter) = (&delay.value, jitter) {
            let jitter = jitter.map_or(Duration::ZERO, |jitter| jitter.value.0);
            return self.always(&delay.place, by.0, jitter);
        }
        self.check.excluded(
            &[("path.jitter", jitter.map(|jitter| &jitter.place))],
            "can stand only beside a `delay` of one duration",
            "write it into the table: { by = \"150ms\", jitter = \"20ms\" }",
        );
        for (place, one) in Several::each(delay) {
            match one {
                Short::Value(by) => self.always(place, by.0, Duration::ZERO),
                Short::Table(table) => self.delay(place, table),
            }
        }
    }

    fn always(&mut self, place: &Place, by: Duration, jitter: Duration) {
        self.keep(place, PathFaultKind::Delay { by, jitter }, None);
    }

    fn delay(&mut self, place: &Place, table: &DelayTable) {
        let by = table.by.value_or(Duration::ZERO);
        let jitter = table.jitter.value_or(Duration::ZERO);
        if by.is_zero() && jitter.is_zero() {
            let hint = "write `by = \"150ms\"`";
            self.check
                .missing_any(place, &["path.delay.by", "path.delay.jitter"], hint);
        }
        let when = When {
            after: &table.after,
            lasts: &table.lasts,
            cohorts: &table.cohorts,
        };
        self.keep(place, PathFaultKind::Delay { by, jitter }, Some(when));
    }

    fn throttles(&mut self, keys: &PathTable) {
        for (place, one) in keys.throttle.iter().flat_map(Several::each) {
            let (rate, when) = match one {
                Short::Value(rate) => (Some((*rate, place)), None),
                Short::Table(table) => {
                    let when = When {
                        after: &table.after,
                        lasts: &table.lasts,
                        cohorts: &table.cohorts,
                    };
                    (
                        table.rate.as_ref().map(|rate| (rate.value, &rate.place)),
                        Some(when),
                    )
                }
            };
            match rate {
                None => self
                    .check
                    .missing(place, "path.throttle.rate", "write `rate = \"10KiB\"`"),
                Some((ByteSize(0), place)) => {
                    let hint = "use `freeze` where nothing shall pass";
                    self.check
                        .problem_with_hint("path.throttle", place, "is not above zero", hint);
                }
                Some((rate, _)) => self.keep(place, PathFaultKind::Throttle(rate), when),
            }
        }
    }

    fn spells(&mut self, keys: &PathTable) {
        type Spells = Key<Several<SpellTable>>;
        let kinds: [(&str, &Spells); 6] = [
            ("freeze", &keys.freeze),
            ("drop", &keys.drop),
            ("half_close", &keys.half_close),
            ("reset", &keys.reset),
            ("forget", &keys.forget),
            ("cut", &keys.cut),
        ];
        for (name, given) in kinds {
            for (place, table) in given.iter().flat_map(Several::each) {
                if let Some(kind) = self.spell(name, place, table) {
                    let when = When {
                        after: &table.after,
                        lasts: &table.lasts,
                        cohorts: &table.cohorts,
                    };
                    self.keep(place, kind, Some(when));
                }
            }
        }
    }

    fn spell(&mut self, name: &str, place: &Place, table: &SpellTable) -> Option<PathFaultKind> {
        let key = |last: &str| format!("path.{name}.{last}");
        if table.after.is_none() {
            self.check.missing(
                place,
                &key("after"),
                "write `after = \"5s\"`; it counts from the start of measuring",
            );
        }
        if !matches!(name, "freeze" | "drop") {
            let lasts = table.lasts.as_ref().map(|time| &time.place);
            let because = "is not for what happens once";
            self.check
                .excluded(&[(&key("for"), lasts)], because, "leave it out");
        }
        let direction = table.direction.as_ref();
        if !matches!(name, "drop" | "half_close") {
            let direction = direction.map(|direction| &direction.place);
            let because = "is not for what happens both ways";
            self.check
                .excluded(&[(&key("direction"), direction)], because, "leave it out");
        } else if direction.is_none() {
            let hint = "write `direction = \"to_server\"` or `direction = \"to_client\"`";
            self.check.missing(place, &key("direction"), hint);
        }
        let direction = direction.map(|direction| direction.value);
        table.after.as_ref()?;
        Some(match name {
            "freeze" => PathFaultKind::Freeze,
            "drop" => PathFaultKind::Drop(direction?),
            "half_close" => PathFaultKind::HalfClose(direction?),
            "reset" => PathFaultKind::Reset,
            "forget" => PathFaultKind::Forget,
            _ => PathFaultKind::Cut,
        })
    }

    fn keep(&mut self, place: &Place, kind: PathFaultKind, when: Option<When<'_>>) {
        let mut fault = PathFault {
            kind,
            after: None,
            lasts: None,
            cohorts: Vec::new(),
        };
        if let Some(when) = when {
            fault.after = when.after.as_ref().map(|after| after.value.0);
            fault.lasts = when.lasts.as_ref().map(|lasts| lasts.value.0);
            fault.cohorts = self.names(&format!("path.{}.cohorts", kind.key()), when.cohorts);
        }
        self.found.push((place.clone(), fault));
    }

    fn names(&mut self, key: &str, given: &Key<List<At<String>>>) -> Vec<String> {
        let Some(given) = given else {
            return Vec::new();
        };
        let names = &given.value.0;
        if names.is_empty() {
            self.check
                .empty(&given.place, key, "leave it out, and it happens to all");
        }
        self.check.unique(key, names.iter());
        for name in names {
            if self.cohorts.contains(&name.value.as_str()) {
                continue;
            }
            let what = format_args!("names no cohort: `{}`", name.value);
            let hint = match words::nearest(&name.value, self.cohorts.iter().copied()) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("there is {}", words::one_of(self.cohorts.iter().copied())),
            };
            self.check.problem_with_hint(key, &name.place, what, hint);
        }
        names.iter().map(|name| name.value.clone()).collect()
    }
}
