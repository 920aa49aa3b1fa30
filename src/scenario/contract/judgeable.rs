//! Checks whether a contract can be judged at all: what each promise needs of its cohort, the path and the target, and
//! which promises exclude each other. Without these checks a promise that nothing can break would hold in every run.

use super::promise::{By, Ended, Need, Promise, PromiseKind};
use super::resolve::{Case, Placed};
use super::value::Promised;
use super::{End, Origin};
use crate::scenario::fault::{Fault, FaultKind};
use crate::scenario::reading::Check;
use crate::scenario::{
    Cohort, Heartbeat, Load, Path, PathFault, PathFaultKind, Process, Reconnect, Scenario, Servers,
    Signal, Target, TargetUrl,
};

/// The least number of levels of a sweep. With fewer, a threshold cannot be found.
const MIN_LEVELS: usize = 4;
/// The least number of clients whose pings are compared. The pings of fewer coincide by chance.
const MIN_CLIENTS: u32 = 10;

/// The parts of a scenario that surround the cohorts.
pub(in crate::scenario) struct Environment<'a> {
    pub(in crate::scenario) target: &'a Target,
    pub(in crate::scenario) path: Option<&'a Path>,
    pub(in crate::scenario) load: &'a Load,
}

impl Environment<'_> {
    /// The faults of the path that concern a cohort.
    pub(super) fn on_path(&self, cohort: &Cohort) -> impl Iterator<Item = &PathFault> {
        let faults = self.path.iter().flat_map(|path| &path.faults);
        faults.filter(|fault| fault.concerns(&cohort.name))
    }
}

impl Case<'_> {
    /// Notes each promise that this run cannot judge.
    pub(super) fn can_be_judged(&self, check: &mut Check<'_>) {
        let Self {
            written,
            given,
            cohort,
            contract,
            environment,
            ..
        } = *self;
        for Placed {
            promise,
            key,
            place,
        } in given
        {
            // A client that answers pings wrongly is a healthy one where no ping comes.
            let pings = promise.kind.is_kept_by_nothing() && cohort.errs_when_pinged();
            let needs = promise.kind.rule().needs.iter();
            let needs = needs.chain(pings.then_some(&Need::ServerPings));
            let lacking = needs.filter(|need| !need.is_met(promise, cohort, environment));
            if let Some((what, hint)) = lacking.map(|need| need.in_words()).next() {
                check.problem(&written.key(key), place, what, hint);
            }
        }
        self.contradictions(check);
        self.detection(check);
        if contract.from == Origin::Fault && !anything_happens(cohort, environment) {
            let from = written.table.from.as_ref();
            let place = from.map_or(written.place, |from| &from.place);
            let what =
                "is \"fault\", and there is none: of the cohort, on the path, or of the target";
            let hint = "use `from = \"open\"`, or give the cohort a `fault`";
            check.problem(&written.key("from"), place, what, hint);
        }
        if contract.from == Origin::Ping && sees_no_ping(cohort) {
            let (key, from) = match (&written.table.from, &written.table.preset) {
                (Some(from), _) => ("from", &from.place),
                (None, Some(preset)) => ("preset", &preset.place),
                (None, None) => ("from", written.place),
            };
            let what = "counts from a ping, and these clients see none: they do not read";
            let hint = "use `closed_between` with `from = \"last_byte\"`, or `reaped_between`";
            check.problem(&written.key(key), from, what, hint);
        }
    }

    /// Notes a promise of detection that counts from the opening because `from` is not given, while a fault happens later.
    fn detection(&self, check: &mut Check<'_>) {
        let is_early = self.contract.from == Origin::Open && self.written.table.from.is_none();
        let happens = is_early && anything_happens(self.cohort, self.environment);
        let mut promises = self.given.iter();
        let detected = promises.find(|given| given.promise.kind == PromiseKind::DetectedBetween);
        if let Some(one) = detected.filter(|_| happens) {
            let what = "counts from the 101 where no `from` is given, and the fault comes later";
            let hint = "write `from = \"fault\"`, or `from = \"open\"` where that is meant";
            check.problem(&self.written.key(one.key), &one.place, what, hint);
        }
    }

    /// Notes promises that cannot be kept together. Of two such promises, reports the one that comes later in the table.
    fn contradictions(&self, check: &mut Check<'_>) {
        for (index, one) in self.given.iter().enumerate() {
            let before = self.given[..index].iter();
            let mut rivals = before.filter(|other| self.exclude(&other.promise, &one.promise));
            if let Some(rival) = rivals.next() {
                let other = self.written.key(rival.key);
                let what = format_args!("cannot be kept together with `{other}`");
                let kinds = [rival.promise.kind, one.promise.kind];
                let both = |kind: &PromiseKind| {
                    is_of_closing(*kind) || *kind == PromiseKind::TcpEndBetween
                };
                let hint = match kinds.iter().all(both) {
                    true => {
                        "give the cohort `fault = { kind = \"close\", after = \"1s\" }`: both are then about its Close"
                    }
                    false => "leave out one of them, or use two cohorts",
                };
                check.problem(&self.written.key(one.key), &one.place, what, hint);
            }
        }
    }

    /// Whether the scenario says that the server, or a fault, ends connections before the run does.
    fn expects_ends(&self) -> bool {
        let ends = [PromiseKind::ClosedBetween, PromiseKind::Code];
        ends.iter().any(|kind| self.contract.has(*kind))
            || self.environment.target.embedded_heartbeat.is_some()
            || anything_happens(self.cohort, self.environment)
    }

    /// Whether no connections of this cohort can keep both promises.
    fn exclude(&self, one: &Promise, other: &Promise) -> bool {
        let cohort = self.cohort;
        let [one_by, other_by] = [one, other].map(|promise| who(promise, cohort));
        let can = |by: &By| match by {
            By::Server | By::Plan => true,
            By::Fault => cohort
                .faults
                .iter()
                .any(|fault| matches!(fault.kind, FaultKind::Close { .. } | FaultKind::Reset)),
            By::Heartbeat => cohort.gives_up(),
        };
        let meet = |one: &[By], other: &[By]| one.iter().any(|by| other.contains(by) && can(by));
        let apart = match (one_by, other_by) {
            (Ended::Each(one), Ended::Each(other)) => !meet(one, other),
            (Ended::Each(each), Ended::One(some)) | (Ended::One(some), Ended::Each(each)) => {
                // A cohort that reconnects also has later connections, which the end of the run may cut short.
                let has_others = cohort.reconnect != Reconnect::None
                    && some.contains(&By::Plan)
                    && self.expects_ends();
                !meet(each, some) && !has_others
            }
            _ => false,
        };
        // A sweep finds no threshold if the server ended every connection.
        let spares = |set: &[By]| set.iter().any(|by| *by != By::Server && can(by));
        let sweeps = [one, other].map(|promise| promise.kind == PromiseKind::EffectiveTimeout);
        let apart = apart
            || match (sweeps, one_by, other_by) {
                ([true, _], _, Ended::Each(set)) | ([_, true], Ended::Each(set), _) => !spares(set),
                _ => false,
            };
        // Without a Close frame from the server, nothing shows how it closes.
        let bare = |promise: &Promise| match &promise.value {
            Promised::Ends(ends) => ends.iter().all(|end| matches!(end, End::Fin | End::Rst)),
            _ => false,
        };
        let of_closing = |promise: &Promise| is_of_closing(promise.kind);
        let is_bare = bare(one) && of_closing(other) || bare(other) && of_closing(one);
        let apart = apart || is_bare && cohort.reconnect == Reconnect::None;
        apart || values_exclude(one, other) || values_exclude(other, one)
    }
}

/// Whether no client of a cohort can see a ping that it leaves unanswered.
fn sees_no_ping(cohort: &Cohort) -> bool {
    let mut faults = cohort.faults.iter();
    faults.all(|fault| fault.kind.hides_frames()) && !cohort.faults.is_empty()
}

impl Scenario {
    /// Whether nothing in the scenario ends connections of this cohort before the run does. A server that wsbench does
    /// not know may end them, or may not: then a promise about lost connections has none to look at.
    pub fn only_the_server_may_end(&self, cohort: &Cohort) -> bool {
        let environment = Environment {
            target: &self.target,
            path: self.path.as_ref(),
            load: &self.load,
        };
        self.target.url != TargetUrl::Embedded && !loses_connections(cohort, &environment)
    }
}

/// Whether any fault concerns the connections of a cohort, so that times can be counted from it.
fn anything_happens(cohort: &Cohort, environment: &Environment<'_>) -> bool {
    !cohort.faults.is_empty()
        || !environment.target.faults.is_empty()
        || environment.on_path(cohort).any(|fault| !fault.is_lasting())
}

/// Whether a fault ends connections of a cohort to a correct server, or silences one so that its heartbeat does.
fn loses_connections(cohort: &Cohort, environment: &Environment<'_>) -> bool {
    use FaultKind as Own;
    use PathFaultKind as OnPath;
    let server_pings = environment.target.embedded_heartbeat.is_some();
    let gives_up = server_pings || cohort.gives_up();
    let own = cohort.faults.iter().any(|fault| match fault.kind {
        Own::Close { .. } | Own::Reset | Own::HalfClose | Own::IllegalFrame(_) => true,
        Own::StopReading | Own::Vanish { .. } => gives_up,
        Own::NoPong
        | Own::LatePong { .. }
        | Own::PongStopsAfter { .. }
        | Own::WrongPong
        | Own::Only { .. }
        | Own::Trickle { .. } => server_pings,
        Own::NeverClose | Own::Fragments { .. } | Own::Hold => false,
    });
    let on_path = environment.on_path(cohort).any(|fault| match fault.kind {
        OnPath::Reset | OnPath::Forget | OnPath::Cut | OnPath::HalfClose(_) => true,
        OnPath::Freeze | OnPath::Drop(_) | OnPath::Delay { .. } | OnPath::Throttle(_) => {
            gives_up && !fault.is_lasting()
        }
    });
    let mut target = environment.target.faults.iter();
    own || on_path || target.any(|fault| gives_up || fault.kind == Signal::Terminate)
}

impl Need {
    fn is_met(self, promise: &Promise, cohort: &Cohort, environment: &Environment<'_>) -> bool {
        let target = environment.target;
        let stops = || target.faults.iter().any(|fault| fault.kind == Signal::Stop);
        match self {
            Self::Heartbeat => match promise.kind {
                PromiseKind::DetectedBetween => cohort.heartbeat.iter().any(Heartbeat::can_die),
                _ => cohort.watched().is_some(),
            },
            Self::Reconnect => cohort.reconnect != Reconnect::None,
            Self::Loss => {
                target.url != TargetUrl::Embedded || loses_connections(cohort, environment)
            }
            Self::Stall => {
                let freezes = |fault: &PathFault| fault.kind == PathFaultKind::Freeze;
                stops() || environment.on_path(cohort).any(freezes)
            }
            Self::EndOfFault => {
                let returns =
                    |fault: &Fault| matches!(fault.kind, FaultKind::Vanish { lasts: Some(_) });
                let passes = |fault: &PathFault| fault.lasts.is_some();
                cohort.faults.iter().any(returns)
                    || stops()
                    || environment.on_path(cohort).any(passes)
            }
            Self::Sweep => {
                let levels = cohort.faults.iter().filter_map(|fault| match &fault.kind {
                    FaultKind::LatePong { delay } => Some(delay.levels.len()),
                    _ => None,
                });
                let levels = levels.max().unwrap_or(0);
                levels.min(cohort.connections as usize) >= MIN_LEVELS
            }
            Self::SameHost => {
                let servers = cohort.dialled(&target.url);
                let is_port = |servers: &Servers| !servers.are_several() && !servers.has_unix();
                target.url.is_local() && servers.is_none_or(is_port)
            }
            Self::Ports => {
                let servers = cohort.dialled(&target.url);
                !servers.is_some_and(Servers::has_unix)
            }
            Self::OwnPorts => cohort.access.proxy.is_none(),
            Self::OwnTcp => !cohort.access.http.is_shared(),
            Self::Process => {
                target.process != Process::Unknown || target.url == TargetUrl::Embedded
            }
            Self::CloseTimeout => {
                let promised = promise.span().and_then(|span| span.hi);
                promised.is_none_or(|time| time <= target.close_timeout)
            }
            Self::ServerPings => {
                target.url != TargetUrl::Embedded || target.embedded_heartbeat.is_some()
            }
            Self::Clients => cohort.connections >= MIN_CLIENTS,
            Self::Frames => cohort.sees_frames(),
            Self::Packets => !cohort.faults.iter().any(|fault| fault.kind.hides_packets()),
        }
    }

    /// What is missing, and what to do about it.
    fn in_words(self) -> (&'static str, &'static str) {
        match self {
            Self::Heartbeat => (
                "needs clients that ping",
                "write `heartbeat = { interval = \"1s\", timeout = \"1s\" }`",
            ),
            Self::Reconnect => (
                "needs clients that come back",
                "write `reconnect = { initial = \"500ms\", max = \"30s\" }`",
            ),
            Self::Loss => (
                "needs something that ends connections, and nothing here does: neither a fault nor the built-in server",
                "add `reset = { after = \"3s\" }` in `[path]`, for this cohort or for all",
            ),
            Self::Stall => (
                "needs a time in which the target stands still",
                "add `[[target.fault]]` with `kind = \"sigstop\"`, or `freeze` in `[path]`",
            ),
            Self::EndOfFault => (
                "needs a fault that comes to an end",
                "give a fault of the target, of `[path]`, or `vanish` its `for`",
            ),
            Self::Sweep => (
                "needs clients that answer pings later and later: a sweep of 4 levels and connections at least",
                "write `fault = { kind = \"late_pong\", delay = { from = \"100ms\", to = \"2s\", levels = 16 } }`",
            ),
            Self::ServerPings => (
                "needs pings of the server, and the built-in one sends none",
                "write `heartbeat = { interval = \"1s\", timeout = \"1s\" }` in `[target]`",
            ),
            Self::Clients => (
                "compares the pings to 10 clients at least",
                "use more connections",
            ),
            Self::SameHost => (
                "can be seen only of a target on this machine, which listens on one port",
                "use the address of one server on this machine, or leave it out",
            ),
            Self::Ports => (
                "looks for the server's sockets by the clients' ports, and a Unix socket has none",
                "use the address of a port, or `closed_between`",
            ),
            Self::OwnPorts => (
                "looks for the server's sockets by the clients' ports, and a proxy dials from its own",
                "leave out `proxy` for this cohort, or use `closed_between`",
            ),
            Self::OwnTcp => (
                "looks for the server's sockets by the clients' ports, and these clients share TCP connections",
                "write `streams_per_connection = 1` for this cohort, or use `closed_between`",
            ),
            Self::Process => (
                "needs a target whose process is known",
                "write `command = [\"node\", \"server.js\"]` or `pid = 4711` in `[target]`",
            ),
            Self::CloseTimeout => (
                "is longer than `target.close_timeout`, after which the connection is given up",
                "write a longer `close_timeout` in `[target]`",
            ),
            Self::Frames => (
                "needs clients that read: others do not see the server's frames",
                "use `closed_between` with `from = \"last_byte\"`, or `reaped_between`",
            ),
            Self::Packets => (
                "needs clients that come back: one that has vanished does not see the end",
                "use `reaped_between`, which looks at the server's side",
            ),
        }
    }
}

/// Whether a promise is about the close handshake that a client begins.
fn is_of_closing(kind: PromiseKind) -> bool {
    matches!(
        kind,
        PromiseKind::CloseAnsweredWithin
            | PromiseKind::CloseCodeEchoed
            | PromiseKind::SilentAfterClose
    )
}

/// Which side must have ended the connections so that this promise, with this value, can be kept.
fn who(promise: &Promise, cohort: &Cohort) -> Ended {
    const ENDED: Ended = Ended::Each(&[By::Server, By::Fault]);
    const NOT_ENDED: Ended = Ended::Each(&[By::Fault, By::Heartbeat, By::Plan]);
    match (promise.kind, &promise.value) {
        (PromiseKind::Closed, Promised::Count(most)) if *most < u64::from(cohort.connections) => {
            match most {
                0 => NOT_ENDED,
                // Up to this many connections may be ended by the server, so only one has to be ended otherwise.
                _ => Ended::One(&[By::Fault, By::Heartbeat, By::Plan]),
            }
        }
        (PromiseKind::EndsWith, Promised::Ends(ends)) if !ends.contains(&End::Nothing) => ENDED,
        (PromiseKind::EndsWith, Promised::Ends(ends)) if **ends == [End::Nothing] => NOT_ENDED,
        _ => promise.kind.rule().ended,
    }
}

/// Whether the values of two promises exclude each other.
fn values_exclude(one: &Promise, other: &Promise) -> bool {
    let (span, rival) = (one.span(), other.span());
    let ends_before = |latest: Option<std::time::Duration>| {
        rival.zip(latest).is_some_and(|(rival, hi)| hi < rival.lo)
    };
    match (one.kind, other.kind) {
        (PromiseKind::ClosedBetween, PromiseKind::AliveFor)
        | (PromiseKind::ReleasedWithin, PromiseKind::ClosedBetween | PromiseKind::ReapedBetween) => {
            ends_before(span.and_then(|span| span.hi))
        }
        (PromiseKind::EndsWith, PromiseKind::Code | PromiseKind::TcpEndBetween) => {
            let wanted = match other.kind {
                PromiseKind::Code => |end: &End| *end == End::CloseFrame,
                _ => |end: &End| *end != End::Nothing,
            };
            matches!(&one.value, Promised::Ends(ends) if !ends.iter().any(wanted))
        }
        _ => false,
    }
}
