//! What a metric needs so that it can have data: whether a cohort has it, in time, and what to do otherwise.

use std::time::Duration;

use super::due::{Period, Schedule};
use crate::metric::{self, ENOUGH_FOR_MEMORY, Timer};
use crate::scenario::contract::Environment;
use crate::scenario::fault::FaultKind;
use crate::scenario::{
    Cohort, Expect, Heartbeat, Message, OnDead, Pacing, Protocol, Reconnect, Resumption, Shape,
    Step, TargetUrl, Trust, Verb,
};

/// The interval of a server that sends whenever it likes.
const ANY_TIME: Duration = Duration::from_micros(1);

/// The codes of wsbench's own Close frames: at the end of a run, and to a server that its heartbeat found dead.
const NORMAL: u16 = 1000;
const GIVES_UP: u16 = 1011;

/// A scenario without its gates.
#[derive(Clone, Copy)]
pub(in crate::scenario) struct Run<'a> {
    pub(in crate::scenario) environment: &'a Environment<'a>,
    pub(in crate::scenario) cohorts: &'a [Cohort],
}

/// A condition without which a metric has no data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// The cohort has such messages, and at least one is due in the measured time.
    Messages(Which),
    /// Two messages of the server on one connection are to be expected in the measured time.
    Gap,
    /// The server sends messages: asked, or unasked.
    Receives,
    /// A connection is open in the measured time, so that the server can send something.
    Open,
    /// The cohort pings, and a ping is due in the measured time.
    Pings,
    /// The same, and answers are waited for.
    Pongs,
    /// The same, and the answers are messages that name no ping.
    TextPings,
    /// The cohort has a heartbeat that can find the server dead before the run ends.
    Death,
    /// The cohort has a heartbeat with `silence`, which is over before the run ends.
    Silence,
    /// The server pings; two times in the measured time if `true`.
    ServerPings(bool),
    Reconnect,
    /// Dials may be under way when the load ends, and be cut off by that.
    Abandons,
    /// The client has a fault.
    Fault,
    /// wsbench closes the connection.
    OwnClose,
    /// wsbench may send a Close with this code first.
    OwnCode(u16),
    /// The client resets TCP.
    OwnReset,
    /// The host of the address is a name, and it is looked up by wsbench.
    HostName,
    Tls,
    /// The server's certificate is checked.
    CheckedTls,
    /// The server's public key is pinned.
    PinnedTls,
    /// A client may resume its session.
    ResumedTls,
    /// Arrivals may find `max_open` connections open.
    Skips,
    /// The clients ask for an upgrade.
    Upgrade,
    /// The clients ask by HTTP.
    Http,
    /// The clients have a set-up.
    Setup,
    /// The clients have steps.
    Steps,
    /// A step waits for messages that no send asked for.
    Awaits,
    /// Turns of a repeat follow a schedule.
    Turns,
    /// An `on` takes messages.
    Pushes,
    /// The `on` that the metric is named after, with what it measures.
    Heard,
    /// An `on` follows the numbers of messages.
    Numbers,
    /// Enough connections are open at once.
    Many,
    /// The cohort joins a topic.
    Member,
    /// Some cohort publishes to a topic in the measured time.
    Published,
    /// A second of the measured time, since states are sampled once a second.
    Second,
}

/// Which messages of a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Any,
    /// Those that follow a schedule.
    Scheduled,
    /// Those with an expected answer.
    Answered,
    /// Those that are expected back.
    Echoed,
    /// Those with an expected answer that is no echo.
    Matched,
    /// Those with an expected answer and without a stamp.
    Unstamped,
    /// Those that are published to a topic.
    Published,
    /// The one that the metric is named after, with an expected answer.
    Named,
}

/// A metric that a gate looks at.
pub(super) struct Wanted<'a> {
    pub(super) metric: &'a str,
    pub(super) stage: Option<u32>,
}

impl Wanted<'_> {
    fn part(&self) -> Period {
        self.stage.map_or(Period::Measured, Period::Stage)
    }

    /// Whether an `on` of the cohort has the name of the metric, and measures what it asks for.
    fn is_heard(&self, cohort: &Cohort) -> bool {
        self.metric.split_once('.').is_some_and(|(group, name)| {
            let mut named = cohort.on.iter().filter(|on| on.name == name);
            let mut asked = cohort.timed_requests();
            named.any(|on| group == "gap" || on.tells_age())
                || asked.any(|(_, step, _)| step.name.as_deref() == Some(name))
        })
    }

    /// The messages of this cohort that concern the metric.
    fn messages<'c>(&self, which: Which, cohort: &'c Cohort) -> impl Iterator<Item = &'c Message> {
        let name = self.metric.split_once('.').map_or("", |(_, name)| name);
        cohort.messages.iter().filter(move |message| match which {
            Which::Any => true,
            Which::Scheduled => matches!(message.pacing, Pacing::Open { .. }),
            Which::Answered => message.expects_answer(),
            Which::Echoed | Which::Matched => which.fits(&message.expect),
            Which::Unstamped => message.is_matched_by_order(),
            Which::Published => message.to.is_some(),
            Which::Named => message.expects_answer() && message.name == name,
        })
    }
}

impl Which {
    /// Whether an answer that is expected like this is one of those.
    fn fits(self, expect: &Expect) -> bool {
        match self {
            Self::Any | Self::Scheduled => true,
            Self::Answered | Self::Named => *expect != Expect::None,
            Self::Echoed => *expect == Expect::Echo,
            Self::Matched => matches!(expect, Expect::Stamp | Expect::Match(_)),
            Self::Unstamped | Self::Published => false,
        }
    }

    /// Whether a step of the cohort is of this kind; nobody knows in advance when it is due.
    fn has_step(self, cohort: &Cohort, metric: &str) -> bool {
        let name = metric.split_once('.').map(|(_, name)| name);
        let mut steps: Box<dyn Iterator<Item = &Step>> = match self {
            Self::Named => Box::new(
                cohort
                    .each_step()
                    .filter(|step| step.name.as_deref() == name),
            ),
            _ => Box::new(cohort.each_step_after_setup()),
        };
        steps.any(|step| match &step.verb {
            Verb::Send(send) if self == Self::Published => send.to.is_some(),
            Verb::Send(send) => self.fits(&send.expect),
            Verb::Http(_) => self.fits(&Expect::Stamp),
            // Nothing is sent that could be answered later than it was due.
            Verb::Await(_) | Verb::Repeat(_) => {
                self == Self::Named && !metric.starts_with("service.")
            }
            _ => false,
        })
    }
}

impl Need {
    /// Whether the cohort has what is needed, apart from the time of the run.
    pub(super) fn is_there(self, wanted: &Wanted<'_>, cohort: &Cohort, run: &Run<'_>) -> bool {
        let target = run.environment.target;
        let load = run.environment.load;
        let server = match (&cohort.server, &target.url) {
            (Some(server), _) | (None, TargetUrl::Url(server)) => Some(server),
            (None, TargetUrl::Embedded) => None,
        };
        let is_secure = server.is_some_and(|server| server.secure);
        match self {
            Self::Messages(which) => {
                let pings = wanted.metric == Timer::ScheduleLateness.name();
                wanted.messages(which, cohort).next().is_some()
                    || which.has_step(cohort, wanted.metric)
                    || pings && cohort.sends_pings()
            }
            Self::Http => cohort.protocol == Protocol::Http,
            Self::Setup => !cohort.setup.is_empty(),
            Self::Steps => !cohort.steps.is_empty(),
            Self::Awaits => {
                let mut steps = cohort.each_step_after_setup();
                steps.any(|step| matches!(step.verb, Verb::Await(_)))
            }
            Self::Turns => cohort
                .each_step_after_setup()
                .any(|step| matches!(&step.verb, Verb::Repeat(repeat) if repeat.pace.is_some())),
            Self::Pushes => !cohort.on.is_empty(),
            Self::Heard => wanted.is_heard(cohort),
            Self::Numbers => cohort.on.iter().any(|on| on.counts()),
            Self::Pings => cohort.sends_pings(),
            Self::Pongs => cohort.watched().is_some(),
            Self::Death => cohort.heartbeat.iter().any(Heartbeat::can_die),
            Self::Silence => cohort.silence().is_some(),
            Self::TextPings => cohort
                .watched()
                .is_some_and(|(pings, _)| !pings.kind.is_named()),
            Self::Gap | Self::Receives => {
                target.url != TargetUrl::Embedded
                    || target.embedded_push.is_some()
                    || target.embedded_rooms.is_some()
                    || wanted.messages(Which::Answered, cohort).next().is_some()
                    || cohort.each_step().next().is_some()
            }
            Self::ServerPings(_) => {
                target.url != TargetUrl::Embedded
                    || target.embedded_heartbeat.is_some()
                    || cohort.takes_texts_for_pings()
            }
            Self::Reconnect => cohort.reconnect != Reconnect::None,
            Self::Abandons => {
                // With a steady load all set-ups are over before the measuring begins.
                let is_steady = matches!(load.shape, Shape::Steady { .. });
                let first = cohort.setup.first().map(|step| &step.verb);
                cohort.reconnect != Reconnect::None
                    || !is_steady && matches!(first, Some(Verb::Http(_)))
            }
            Self::Fault => !cohort.is_healthy(),
            Self::Upgrade => cohort.protocol == Protocol::WebSocket,
            Self::OwnClose if cohort.protocol == Protocol::Http => false,
            Self::OwnClose => !cohort.faults.iter().any(|fault| {
                matches!(
                    fault.kind,
                    FaultKind::Reset | FaultKind::Vanish { lasts: None }
                )
            }),
            Self::OwnCode(code) => {
                let gives_up = (cohort.heartbeat.iter())
                    .any(|one| one.can_die() && one.on_dead == OnDead::Close);
                code == NORMAL || code == GIVES_UP && gives_up || closes_with(cohort, code)
            }
            Self::OwnReset => {
                let mut faults = cohort.faults.iter();
                faults.any(|fault| matches!(fault.kind, FaultKind::Reset))
            }
            Self::HostName => {
                let is_relayed =
                    (run.environment.path).is_some_and(|path| path.leads(&cohort.name));
                let is_of_run = metric::is_of_run(wanted.metric);
                server.is_some_and(|server| server.is_name()) && (is_of_run || !is_relayed)
            }
            Self::Tls => is_secure,
            Self::CheckedTls => {
                is_secure && !matches!(cohort.access.tls.trust, Trust::Anyone | Trust::Pinned)
            }
            Self::PinnedTls => is_secure && !cohort.access.tls.pins.is_empty(),
            Self::ResumedTls => {
                is_secure && cohort.access.tls.resumption == Resumption::Own && cohort.dials_again()
            }
            Self::Skips => {
                matches!(load.shape, Shape::Arrivals { max_open, .. } if max_open < cohort.connections)
            }
            Self::Many => {
                let all: u64 = run
                    .cohorts
                    .iter()
                    .map(|one| u64::from(one.connections))
                    .sum();
                let most = match load.shape {
                    Shape::Arrivals { max_open, .. } => all.min(max_open.into()),
                    _ => all,
                };
                most >= ENOUGH_FOR_MEMORY
            }
            Self::Member => !cohort.joined().is_empty(),
            Self::Published => (run.cohorts.iter()).any(|one| !one.published().is_empty()),
            Self::Open | Self::Second => true,
        }
    }

    /// Whether the run is long enough, and at the right time, for what [`Self::is_there`].
    pub(super) fn is_in_time(self, wanted: &Wanted<'_>, cohort: &Cohort, run: &Run<'_>) -> bool {
        let part = wanted.part();
        let pings = || cohort.pings().map(Schedule::of_pings);
        let target = run.environment.target;
        let messages = |which| wanted.messages(which, cohort).map(Schedule::of_message);
        let every = |gap: Duration| Schedule::Since {
            gap: gap.as_nanos() as f64,
        };
        let is_due = |schedules: Vec<Schedule>, earlier: bool| {
            run.is_due(cohort, &schedules, part, 1.0, f64::from(u8::from(earlier)))
        };
        match self {
            Self::Messages(which) if which.has_step(cohort, wanted.metric) => true,
            Self::Gap | Self::Receives if cohort.each_step().next().is_some() => true,
            Self::Messages(which) => {
                let or_pings = wanted.metric == Timer::ScheduleLateness.name();
                let pings = pings().filter(|_| or_pings);
                is_due(messages(which).chain(pings).collect(), false)
            }
            Self::Pings | Self::Pongs | Self::TextPings => {
                is_due(pings().into_iter().collect(), false)
            }
            Self::Death => {
                let ways = cohort
                    .watched()
                    .map(|(pings, watch)| (Schedule::of_pings(pings), f64::from(watch.max_missed)));
                let silent = cohort.silence().map(|silence| (every(silence), 1.0));
                let mut ways = ways.into_iter().chain(silent);
                ways.any(|(schedule, least)| {
                    run.is_due(cohort, &[schedule], Period::Whole, least, 0.0)
                })
            }
            Self::Silence => {
                let silence = cohort.silence().map(every);
                let schedules: Vec<Schedule> = silence.into_iter().collect();
                run.is_due(cohort, &schedules, Period::Whole, 1.0, 0.0)
            }
            Self::OwnCode(GIVES_UP) if !closes_with(cohort, GIVES_UP) => {
                Self::Death.is_in_time(wanted, cohort, run)
            }
            Self::Open => is_due(vec![every(ANY_TIME)], false),
            Self::Receives | Self::Gap => {
                let push = match target.url {
                    // What others say in a room may come at any time.
                    TargetUrl::Embedded => {
                        let rooms = target.embedded_rooms.map(|_| ANY_TIME);
                        rooms.or(target.embedded_push)
                    }
                    TargetUrl::Url(_) => Some(ANY_TIME),
                };
                let sources = messages(Which::Answered).chain(push.map(every));
                is_due(sources.collect(), self == Self::Gap)
            }
            Self::ServerPings(twice) => {
                let interval = match target.url {
                    TargetUrl::Embedded if cohort.takes_texts_for_pings() => Some(ANY_TIME),
                    TargetUrl::Embedded => target.embedded_heartbeat.map(|own| own.interval),
                    TargetUrl::Url(_) => Some(ANY_TIME),
                };
                is_due(interval.map(every).into_iter().collect(), twice)
            }
            Self::Second => run.length(part) >= 1e9,
            Self::Published => run.cohorts.iter().any(|one| {
                if Which::Published.has_step(one, wanted.metric) {
                    return true;
                }
                let published = wanted.messages(Which::Published, one);
                let schedules: Vec<Schedule> = published.map(Schedule::of_message).collect();
                run.is_due(one, &schedules, part, 1.0, 0.0)
            }),
            _ => true,
        }
    }

    /// Whether it would be in time if the messages had no `count`, which they have used up before.
    pub(super) fn is_used_up(self, wanted: &Wanted<'_>, cohort: &Cohort, run: &Run<'_>) -> bool {
        let mut endless = cohort.clone();
        for message in &mut endless.messages {
            message.count = None;
        }
        self.is_in_time(wanted, &endless, run)
    }

    /// What is needed, and how to get it.
    pub(super) fn in_words(self) -> (&'static str, &'static str) {
        match self {
            Self::Messages(Which::Any) => (
                "a message",
                "add a `[[message]]`, or look at `messages.received`",
            ),
            Self::Messages(Which::Scheduled) => (
                "a message that follows a schedule",
                "give a `[[message]]` a `rate`",
            ),
            Self::Messages(Which::Answered) => (
                "a message that is answered",
                "add a `[[message]]` without `expect = \"none\"`, or look at `messages.received`",
            ),
            Self::Messages(Which::Echoed) => (
                "a message that is expected back",
                "leave `expect` out where the server echoes, or look at `messages.answered`",
            ),
            Self::Messages(Which::Matched) => (
                "a message whose answer is no echo",
                "write what answers it into `expect`, or look at `messages.echoed`",
            ),
            Self::Upgrade => (
                "clients that ask for an upgrade",
                "look at `handshake.total`, or at a cohort with a ws:// address",
            ),
            Self::Http => (
                "clients that ask by HTTP",
                "give a cohort an http:// address: `target = { url = \"http://…\" }`",
            ),
            Self::Setup => ("a set-up", "add a `[[setup]]`"),
            Self::Steps => ("steps", "add a `[[step]]`"),
            Self::Awaits => ("a step that waits", "add a `[[step]]` with `await`"),
            Self::Turns => (
                "turns with a schedule",
                "write `repeat = { rate = \"1/s\" }` in a `[[step]]`",
            ),
            Self::Pushes => ("an `on`", "add an `[[on]]`"),
            Self::Heard => (
                "an `on` or an `http` of that name that tells it",
                "add an `[[on]]`; for `age`, with `time = { at = \"/at\", unit = \"ms\" }`",
            ),
            Self::Numbers => (
                "an `on` with numbers",
                "write `seq = \"/seq\"` in an `[[on]]`",
            ),
            Self::Messages(Which::Unstamped) => (
                "a message without a stamp that is answered",
                "leave it out: with stamps each answer names its message",
            ),
            Self::Messages(Which::Named) => (
                "a message that is answered",
                "leave `expect = \"none\"` out where the server answers",
            ),
            Self::Messages(Which::Published) | Self::Published => (
                "a message that is published",
                "write `to = \"room\"` in a `[[message]]` or a `[[step]]`",
            ),
            Self::Member => (
                "members of a topic",
                "write `joins = \"room\"` in a `[[cohort]]` or a step",
            ),
            Self::Open => (
                "an open connection",
                "use connections that stay open for longer",
            ),
            Self::Receives => (
                "messages of the built-in server",
                "add a `[[message]]`, or `push = \"1s\"` in `[target]`",
            ),
            Self::Gap => (
                "two messages of the built-in server",
                "add a `[[message]]`, or `push = \"1s\"` in `[target]`",
            ),
            Self::Pings => (
                "a heartbeat",
                "add a `[heartbeat]`, with `interval = \"30s\"`, or with `silence = \"45s\"` where the server pings",
            ),
            Self::Pongs => (
                "a heartbeat that is answered",
                "add a `[heartbeat]`, with `interval = \"30s\"`",
            ),
            Self::TextPings => (
                "a heartbeat of text messages",
                "leave it out: a pong names its ping",
            ),
            Self::Death => (
                "a heartbeat that can find the server dead",
                "add a `[heartbeat]`, with `interval = \"30s\"`",
            ),
            Self::Silence => (
                "a heartbeat with `silence`",
                "write `silence = \"45s\"` in `[heartbeat]`",
            ),
            Self::ServerPings(_) => (
                "pings of the built-in server",
                "write `heartbeat = { interval = \"1s\", timeout = \"1s\" }` in `[target]`",
            ),
            Self::Reconnect => (
                "clients that come back",
                "write `reconnect = { initial = \"500ms\", max = \"30s\" }` in `[load]`",
            ),
            Self::Abandons => (
                "dials that are under way when the load ends",
                "write `reconnect = { initial = \"500ms\", max = \"30s\" }` in `[load]`",
            ),
            Self::Fault => ("a client with a fault", "name a cohort that has a `fault`"),
            Self::OwnClose => (
                "a client that closes its connection",
                "name a cohort whose fault does not end TCP",
            ),
            Self::OwnCode(_) => (
                "a client that closes with this code",
                "wsbench closes with 1000, or with 1011 where its heartbeat gives up; the server's are `closes.<code>.peer`",
            ),
            Self::OwnReset => (
                "a client that resets TCP",
                "name a cohort with the fault `reset`; the server's are `closes.rst.peer`",
            ),
            Self::HostName => (
                "a target with a name to be looked up",
                "leave it out: an address is not looked up, and has no other to fall back to",
            ),
            Self::Tls => ("TLS", "use a `wss://` address, or leave it out"),
            Self::CheckedTls => (
                "a certificate that is checked",
                "leave out `insecure = true`, and name the certificate in `ca`",
            ),
            Self::PinnedTls => ("a key that is pinned", "write `target.tls.pin`"),
            Self::ResumedTls => (
                "a client that dials a server with TLS again, and may resume its session",
                "write `reconnect` for it, and not `resumption = \"off\"`",
            ),
            Self::Skips => (
                "arrivals that may find `max_open` connections open",
                "use `load.arrivals` with a lower `max_open`, or leave it out",
            ),
            Self::Many => (
                "5,000 open connections at least",
                "use more connections, or look at `generator.rss`",
            ),
            Self::Second => (
                "a sample",
                "write `duration = \"1s\"` in `[load]`, or longer",
            ),
        }
    }

    /// What is missing if the `count` of the messages is used up, and what to do.
    pub(super) const USED_UP: (&'static str, &'static str) = (
        "and no such message is due in the measured time: the `count` of each connection is used up before",
        "write a larger `count` or none, or a shorter `ramp_up` and `warm_up` in `[load]`",
    );

    /// What is missing if the run has it at the wrong time, and what to do.
    pub(super) fn too_late(self) -> (&'static str, &'static str) {
        const LONGER: &str =
            "write a longer `duration` in `[load]`, or a shorter interval or higher `rate`";
        match self {
            Self::Messages(_) | Self::Published => {
                ("and no such message is due in the measured time", LONGER)
            }
            Self::Pings | Self::Pongs | Self::TextPings => {
                ("and no ping is due in the measured time", LONGER)
            }
            Self::Silence => ("and the run is shorter", LONGER),
            Self::Death | Self::OwnCode(_) => {
                ("and the run ends before enough pings can be missed", LONGER)
            }
            Self::Second => (
                "which is taken once a second: the time is shorter",
                "write `duration = \"1s\"` in `[load]`, or longer",
            ),
            Self::Open => (
                "and none is open in the measured time",
                "write a longer `lifetime`, more arrivals, or a longer `duration` in `[load]`",
            ),
            _ => ("and none is due in the measured time", LONGER),
        }
    }
}

/// Whether a fault of the cohort closes connections with this code.
fn closes_with(cohort: &Cohort, code: u16) -> bool {
    let mut faults = cohort.faults.iter();
    let by_step = |step: &Step| matches!(&step.verb, Verb::Close { code: own, .. } if *own == code);
    cohort.each_step().any(by_step)
        || faults.any(|fault| match &fault.kind {
            FaultKind::Close { codes } => codes.iter().any(|own| own.unwrap_or(1005) == code),
            _ => false,
        })
}
