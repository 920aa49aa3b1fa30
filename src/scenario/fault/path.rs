//! The faults of the path between clients and target: `[path]`, what a relay does to connections, when, and to which
//! cohorts.

use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use super::{Measured, shown_after, shown_for};
use crate::scenario::reading::{
    At, Check, Given as _, Key, List, OneOrMany, Place, Section, ShortTime, Shorthand, Time,
    TimeOrZero, given, hints, keys, words,
};
use crate::units::{ByteSize, format_duration};

const MAX_FAULTS: usize = 100;

/// A relay between wsbench's connections and the target, with what it does to them.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// The faults, in the order of the file, by name. Never empty.
    pub faults: Vec<PathFault>,
}

/// One fault of the path.
#[derive(Debug, Clone, PartialEq)]
pub struct PathFault {
    /// The kind of fault.
    pub kind: PathFaultKind,
    /// The time from the start of measuring. `None` means from the first byte on.
    pub after: Option<Duration>,
    /// The length. `None` means to the end of the run.
    pub lasts: Option<Duration>,
    /// The names of the cohorts that it concerns. Empty means all.
    pub cohorts: Vec<String>,
}

/// A kind of fault of the path.
#[derive(Debug, Clone, Copy, PartialEq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum PathFaultKind {
    /// Bytes arrive later in both directions, by `by` and a random part of `jitter`; their order is kept.
    Delay {
        /// The constant delay. May be zero.
        by: Duration,
        /// The range of the random delay. May be zero.
        jitter: Duration,
    },
    /// Nothing is passed on in either direction until the freeze ends; then everything is.
    Freeze,
    /// Bytes in one direction are dropped.
    Drop(Direction),
    /// The relay ends one half of TCP (FIN) and goes on with the other.
    HalfClose(Direction),
    /// The relay resets both of its connections.
    Reset,
    /// The relay forgets both of its connections without sending anything, as a NAT does; it answers whatever comes
    /// next with a RST.
    Forget,
    /// The relay ends both connections in the middle of a frame from the server.
    Cut,
    /// At most this many bytes pass per second in each direction.
    Throttle(ByteSize),
}

words! {
    /// One way along the path.
    pub enum Direction {
        /// From the clients to the server.
        ToServer,
        /// From the server to the clients.
        ToClient,
    }
}

keys! {
    /// What happens on the way to the target. Each key is one fault, or a list of them.
    #[serde(expecting = "a table")]
    PathTable = "Path" {
        /// Bytes arrive later in both directions; "150ms" is the short form.
        delay: OneOrMany<Shorthand<ShortTime, DelayTable>>,
        /// A random part of this time is added to each delay; alone, or beside the short form of `delay`.
        jitter: ShortTime,
        /// Nothing is passed on in either direction until the freeze ends; then everything is.
        freeze: OneOrMany<IncidentTable>,
        /// What is sent in one direction is thrown away.
        drop: OneOrMany<IncidentTable>,
        /// The relay ends one half of TCP (FIN), and goes on with the other.
        half_close: OneOrMany<IncidentTable>,
        /// The relay resets both of its connections.
        reset: OneOrMany<IncidentTable>,
        /// The relay forgets both of its connections without sending anything, as a NAT does.
        forget: OneOrMany<IncidentTable>,
        /// The relay ends both connections in the middle of a frame from the server.
        cut: OneOrMany<IncidentTable>,
        /// At most this many bytes per second pass in each direction; "10KiB" is the short form.
        throttle: OneOrMany<Shorthand<ByteSize, ThrottleTable>>,
    }
}

keys! {
    /// A delay.
    #[serde(expecting = "a table")]
    DelayTable = "Delay" {
        /// How much later. Default "0s", with `jitter`.
        by: TimeOrZero,
        /// A random part of this time is added.
        jitter: TimeOrZero = TimeOrZero::ZERO,
        /// From the start of measuring. Default: from the first byte on.
        after: TimeOrZero,
        /// How long it lasts. Default: to the end.
        r#for: Time,
        /// The names of the cohorts it happens to. Default: all.
        cohorts: List<At<String>>,
    }
}

keys! {
    /// A limit on how much passes.
    #[serde(expecting = "a table")]
    ThrottleTable = "Throttle" {
        /// The most bytes per second in each direction. Required.
        rate: ByteSize,
        /// From the start of measuring. Default: from the first byte on.
        after: TimeOrZero,
        /// How long it lasts. Default: to the end.
        r#for: Time,
        /// The names of the cohorts it happens to. Default: all.
        cohorts: List<At<String>>,
    }
}

keys! {
    /// Something that happens at a time, and to some cohorts.
    #[serde(expecting = "a table such as { after = \"5s\" }, or a list of them")]
    IncidentTable = "Incident" {
        /// From the start of measuring. Required.
        after: TimeOrZero,
        /// How long it lasts. Only with `freeze` and `drop`. Default: to the end.
        r#for: Time,
        /// Which way. Required with `drop` and `half_close`, only there.
        direction: Direction,
        /// The names of the cohorts it happens to. Default: all.
        cohorts: List<At<String>>,
    }
}

/// Resolves `[path]`. `cohorts` are the names as in the file; `measured` is `None` if the load is invalid.
pub(in crate::scenario) fn resolve(
    check: &mut Check<'_>,
    given: &Key<PathTable>,
    cohorts: &[&str],
    measured: Option<Measured>,
) -> Option<Path> {
    let At { value: keys, place } = given.as_ref()?;
    let mut reader = Reader {
        check,
        cohorts,
        measured,
        found: Vec::new(),
    };
    reader.delays(keys);
    reader.throttles(keys);
    reader.incidents(keys);
    let mut found = reader.found;
    if found.is_empty() {
        check.empty(place, "path", "write `delay = \"50ms\"`, or leave it out");
        return None;
    }
    if found.len() > MAX_FAULTS {
        let what = format_args!("has more than {MAX_FAULTS} faults");
        check.problem("path", place, what, None);
        return None;
    }
    found.sort_by_key(|(place, _)| place.span().map(|span| span.start));
    clashes(check, &found);
    let faults = found.into_iter().map(|(_, fault)| fault).collect();
    Some(Path { faults })
}

/// Notes two faults that would end the same connections at the same time, as only one of them can happen.
fn clashes(check: &mut Check<'_>, found: &[(&Place, PathFault)]) {
    use PathFaultKind::{Cut, Forget, HalfClose, Reset};
    let ends = |fault: &PathFault| matches!(fault.kind, Reset | Forget | Cut);
    let is_half = |fault: &PathFault| matches!(fault.kind, HalfClose(_));
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
            check.problem(&format!("path.{own}"), place, what, hint);
        }
    }
}

/// Collects the faults, each with its place.
struct Reader<'c, 'a, 'r> {
    check: &'c mut Check<'a>,
    cohorts: &'r [&'r str],
    measured: Option<Measured>,
    found: Vec<(&'r Place, PathFault)>,
}

/// When a fault happens, and to which cohorts.
struct When<'a> {
    after: &'a Key<TimeOrZero>,
    lasts: &'a Key<Time>,
    cohorts: &'a Key<List<At<String>>>,
}

/// The keys `after`, `for` and `cohorts` of a table.
macro_rules! when {
    ($keys:expr) => {
        Some(When {
            after: &$keys.after,
            lasts: &$keys.r#for,
            cohorts: &$keys.cohorts,
        })
    };
}

/// How the kind of an incident follows from its `direction`.
enum Kind {
    Both(PathFaultKind),
    One(fn(Direction) -> PathFaultKind),
}

impl<'r> Reader<'_, '_, 'r> {
    fn delays(&mut self, keys: &'r PathTable) {
        let jitter = keys.jitter.value_or(Duration::ZERO);
        let delay = |by, jitter| PathFaultKind::Delay { by, jitter };
        match (&keys.delay, &keys.jitter) {
            (None, None) => return,
            (None, Some(At { place, .. })) => {
                return self.keep(place, delay(Duration::ZERO, jitter), None);
            }
            (Some(At { value, place }), _) => {
                if let OneOrMany::One(Shorthand::Value(by)) = value {
                    return self.keep(place, delay(by.0, jitter), None);
                }
            }
        }
        let because = "can stand only beside a `delay` of one duration";
        let hint = "write it into the table: { by = \"150ms\", jitter = \"20ms\" }";
        if let Some(place) = keys.jitter.place() {
            self.check.problem("path.jitter", place, because, hint);
        }
        for (place, one) in keys.delay.iter().flat_map(OneOrMany::each) {
            let table = match one {
                Shorthand::Value(by) => {
                    self.keep(place, delay(by.0, Duration::ZERO), None);
                    continue;
                }
                Shorthand::Table(table) => table,
            };
            self.starts_in_time("delay", &table.after);
            let (by, jitter) = (table.by.value_or(Duration::ZERO), table.jitter().0);
            if by.is_zero() && jitter.is_zero() {
                let keys = ["path.delay.by", "path.delay.jitter"];
                self.check
                    .missing_any(place, &keys, "write `by = \"150ms\"`");
            }
            self.keep(place, delay(by, jitter), when!(table));
        }
    }

    fn throttles(&mut self, keys: &'r PathTable) {
        for (place, one) in keys.throttle.iter().flat_map(OneOrMany::each) {
            let (rate, given, when) = match one {
                Shorthand::Value(rate) => (Some(*rate), place, None),
                Shorthand::Table(table) => {
                    self.starts_in_time("throttle", &table.after);
                    let given = table.rate.place().unwrap_or(place);
                    (table.rate.value(), given, when!(table))
                }
            };
            match rate {
                None => {
                    let hint = "write `rate = \"10KiB\"`";
                    self.check.missing(place, "path.throttle.rate", hint);
                }
                Some(ByteSize(0)) => {
                    let (key, what) = ("path.throttle", "is not above zero");
                    let hint = "use `freeze` where nothing shall pass";
                    self.check.problem(key, given, what, hint);
                }
                Some(rate) => self.keep(place, PathFaultKind::Throttle(rate), when),
            }
        }
    }

    fn incidents(&mut self, keys: &'r PathTable) {
        use PathFaultKind::{Cut, Drop, Forget, Freeze, HalfClose, Reset};
        // The kind, whether it has a `for`, and its key.
        for (kind, has_length, given) in [
            (Kind::Both(Freeze), true, &keys.freeze),
            (Kind::One(Drop), true, &keys.drop),
            (Kind::One(HalfClose), false, &keys.half_close),
            (Kind::Both(Reset), false, &keys.reset),
            (Kind::Both(Forget), false, &keys.forget),
            (Kind::Both(Cut), false, &keys.cut),
        ] {
            for (place, keys) in given.iter().flat_map(OneOrMany::each) {
                self.starts_in_time(kind.key(), &keys.after);
                let path = &format!("path.{}", kind.key());
                let check = &mut *self.check;
                let section = Section { check, path, place };
                if let Some(kind) = keys.kind(section, &kind, has_length) {
                    self.keep(place, kind, when!(keys));
                }
            }
        }
    }

    /// Notes a fault that would start after the end of the run.
    fn starts_in_time(&mut self, fault: &str, after: &Key<TimeOrZero>) {
        if let (Some(after), Some(measured)) = (after, self.measured) {
            let key = format!("path.{fault}.after");
            measured.must_hold(self.check, &key, &after.place, after.value.0);
        }
    }

    fn keep(&mut self, place: &'r Place, kind: PathFaultKind, when: Option<When<'_>>) {
        let mut fault = PathFault {
            kind,
            after: None,
            lasts: None,
            cohorts: Vec::new(),
        };
        if let Some(when) = when {
            let key = |last: &str| format!("path.{}.{last}", kind.key());
            fault.after = when.after.value();
            fault.lasts = when.lasts.value();
            fault.cohorts = self.names(&key("cohorts"), when.cohorts);
        }
        self.found.push((place, fault));
    }

    fn names(&mut self, key: &str, given: &Key<List<At<String>>>) -> Vec<String> {
        let Some(At { value, place }) = given else {
            return Vec::new();
        };
        let names = &value.0;
        if names.is_empty() {
            let hint = "leave it out, and it happens to all";
            self.check.empty(place, key, hint);
        }
        self.check.unique(key, names.iter());
        for name in names {
            if !self.cohorts.contains(&name.value.as_str()) {
                let what = format_args!("names no cohort: `{}`", name.value);
                let hint = hints::meant(&name.value, self.cohorts);
                self.check.problem(key, &name.place, what, hint);
            }
        }
        names.iter().map(|name| name.value.clone()).collect()
    }
}

impl Kind {
    /// The key of `[path]`.
    fn key(&self) -> &'static str {
        match self {
            Self::Both(kind) => kind.key(),
            Self::One(kind) => kind(Direction::ToServer).key(),
        }
    }
}

impl IncidentTable {
    fn kind(
        &self,
        mut section: Section<'_, '_>,
        kind: &Kind,
        has_length: bool,
    ) -> Option<PathFaultKind> {
        let hint = "write `after = \"5s\"`; it counts from the start of measuring";
        let after = section.required("after", &self.after, hint);
        if !has_length {
            let because = "is not for what happens once";
            section.excluded(&given!(self; r#for), because, "leave it out");
        }
        let kind = match kind {
            Kind::Both(kind) => {
                let because = "is not for what happens both ways";
                section.excluded(&given!(self; direction), because, "leave it out");
                *kind
            }
            Kind::One(kind) => {
                let hint = "write `direction = \"to_server\"` or `direction = \"to_client\"`";
                kind(section.required("direction", &self.direction, hint)?)
            }
        };
        after.map(|_| kind)
    }
}

impl Path {
    /// Whether the connections of a cohort go through the relay.
    pub fn leads(&self, cohort: &str) -> bool {
        self.faults.iter().any(|fault| fault.concerns(cohort))
    }
}

impl PathFault {
    /// Whether it concerns a cohort.
    pub fn concerns(&self, cohort: &str) -> bool {
        self.cohorts.is_empty() || self.cohorts.iter().any(|name| name == cohort)
    }

    /// Whether it is a lasting property of the path rather than an incident: a delay or a throttle without an end.
    /// Times of a contract do not count from it.
    pub fn is_lasting(&self) -> bool {
        let slows = matches!(
            self.kind,
            PathFaultKind::Delay { .. } | PathFaultKind::Throttle(_)
        );
        slows && self.after.is_none() && self.lasts.is_none()
    }
}

impl PathFaultKind {
    /// Whether it keeps data from its receiver while both connections stay open.
    pub fn holds_back(&self) -> bool {
        matches!(self, Self::Freeze | Self::Drop(_))
    }

    /// The key of `[path]`.
    pub fn key(&self) -> &'static str {
        self.into()
    }
}

impl Display for PathFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.key())?;
        match self.kind {
            PathFaultKind::Delay { by, jitter } => {
                write!(f, " by {}", format_duration(by))?;
                if !jitter.is_zero() {
                    write!(f, " and up to {} more", format_duration(jitter))?;
                }
            }
            PathFaultKind::Drop(direction) | PathFaultKind::HalfClose(direction) => {
                write!(f, " {direction}")?;
            }
            PathFaultKind::Throttle(rate) => write!(f, " to {rate} a second")?,
            _ => {}
        }
        shown_for(f, self.lasts)?;
        shown_after(f, self.after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_to_the_path_says_when() {
        let freeze = PathFault {
            kind: PathFaultKind::Freeze,
            after: Some(Duration::from_secs(5)),
            lasts: Some(Duration::from_secs(3)),
            cohorts: Vec::new(),
        };
        assert_eq!(freeze.to_string(), "freeze for 3s after 5s");
    }
}
