//! What a metric needs so that it can have data: whether a cohort has it, in time, and what to do otherwise.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::due::{Period, Schedule};
use super::run::{ANY_TIME, Run};
use crate::metric::{self, ENOUGH_FOR_MEMORY, Timer};
use crate::scenario::fault::FaultKind;
use crate::scenario::{
    Cohort, Expect, Heartbeat, HttpVersion, Message, OnDead, Pacing, Protocol, Reconnect,
    Resumption, Servers, Shape, Step, Trust, Verb, WebOrigin, WsUrl,
};

/// The codes of wsbench's own Close frames: at the end of a run, and to a server that its heartbeat found dead.
const NORMAL: u16 = 1000;
pub(super) const GIVES_UP: u16 = 1011;

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
    /// The same, because pongs are missing.
    Misses,
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
    /// A name is looked up, and by wsbench.
    LookUp,
    /// What is dialled is a name, which may have several addresses.
    OtherAddress,
    Tls,
    /// The server's certificate is checked.
    CheckedTls,
    /// The server's public key is pinned.
    PinnedTls,
    /// A client may resume its session.
    ResumedTls,
    /// There is a proxy.
    Proxy,
    /// Compression is offered.
    Compression,
    /// The same, and a handshake without it fails.
    RequiredCompression,
    /// The same, and something that is sent is compressed.
    PackedMessages,
    /// Redirects are followed.
    Redirects,
    /// Clients that are refused wait as the server asks.
    RetryAfter,
    /// WebSockets go over HTTP/2.
    Http2,
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
    /// The process of the target is known.
    Process,
    /// A second of the measured time, since states are sampled once a second.
    Second,
}

/// Which messages of a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Any,
    /// Those that follow a schedule, and steps, which are due when what stands before them is done.
    Scheduled,
    /// Those that follow a schedule and are no steps: the steps of a lost connection begin again.
    Paced,
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
            Which::Scheduled | Which::Paced => matches!(message.pacing, Pacing::Open { .. }),
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
            Self::Paced | Self::Unstamped | Self::Published => false,
        }
    }

    /// Whether a step is of this kind.
    fn is_step(self, step: &Step, metric: &str) -> bool {
        let name = metric.split_once('.').map(|(_, name)| name);
        if self == Self::Named && step.name.as_deref() != name {
            return false;
        }
        match &step.verb {
            Verb::Send(send) if self == Self::Published => send.to.is_some(),
            Verb::Send(send) => self.fits(&send.expect),
            Verb::Http(_) => self.fits(&Expect::Stamp),
            // Nothing is sent that could be answered later than it was due.
            Verb::Await(_) | Verb::Repeat(_) => {
                self == Self::Named && !metric.starts_with("service.")
            }
            _ => false,
        }
    }

    /// Whether the cohort has such a step.
    fn has_step(self, cohort: &Cohort, metric: &str) -> bool {
        let mut steps: Box<dyn Iterator<Item = &Step>> = match self {
            Self::Named => Box::new(cohort.each_step()),
            _ => Box::new(cohort.each_step_after_setup()),
        };
        steps.any(|step| self.is_step(step, metric))
    }
}

impl Need {
    /// Whether the cohort has what is needed, apart from the time of the run.
    pub(super) fn is_there(self, wanted: &Wanted<'_>, cohort: &Cohort, run: &Run<'_>) -> bool {
        let target = run.environment.target;
        let load = run.environment.load;
        let servers = cohort.dialled(&target.url);
        // Redirects may lead to TLS. Of requests of set-ups no times are kept.
        let is_secure = servers.is_some_and(Servers::is_secure) || cohort.access.redirects > 0;
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
            Self::Turns => cohort.each_step_after_setup().any(is_paced),
            Self::Pushes => !cohort.on.is_empty(),
            Self::Heard => wanted.is_heard(cohort),
            Self::Numbers => cohort.on.iter().any(|on| on.counts()),
            Self::Pings => cohort.sends_pings(),
            Self::Pongs | Self::Misses => cohort.watched().is_some(),
            Self::Death => cohort.heartbeat.iter().any(Heartbeat::can_die),
            Self::Silence => cohort.silence().is_some(),
            Self::TextPings => cohort
                .watched()
                .is_some_and(|(pings, _)| !pings.kind.is_named()),
            Self::Gap | Self::Receives => {
                run.tells(cohort).is_some()
                    || wanted.messages(Which::Answered, cohort).next().is_some()
                    || Which::Answered.has_step(cohort, wanted.metric)
            }
            Self::ServerPings(_) => run.pings(cohort).is_some(),
            Self::Reconnect => cohort.reconnect != Reconnect::None,
            Self::Abandons => {
                // With a steady load all set-ups are over before the measuring begins.
                let is_steady = matches!(load.shape, Shape::Steady { .. });
                let first = cohort.setup.first().map(|step| &step.verb);
                cohort.reconnect != Reconnect::None
                    || !is_steady && matches!(first, Some(Verb::Http(_)))
            }
            Self::Fault => !cohort.is_healthy(),
            Self::Process => target.has_known_process(),
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
                code == NORMAL
                    || code == GIVES_UP && gives_up
                    || fault_closes_with(cohort, code)
                    || cohort
                        .each_step_after_setup()
                        .any(|step| is_close(step, code))
            }
            Self::OwnReset => {
                let mut faults = cohort.faults.iter();
                faults.any(|fault| matches!(fault.kind, FaultKind::Reset))
            }
            Self::Redirects => cohort.access.redirects > 0,
            Self::RetryAfter => cohort.reconnect.heeds_retry_after(),
            Self::LookUp | Self::OtherAddress => {
                let is_relayed =
                    (run.environment.path).is_some_and(|path| path.leads(&cohort.name));
                let is_of_run = metric::is_of_run(wanted.metric);
                (is_of_run || !is_relayed) && self.is_of_names(cohort, servers)
            }
            Self::Tls => is_secure,
            Self::CheckedTls => {
                is_secure && !matches!(cohort.access.tls.trust, Trust::Anyone | Trust::Pinned)
            }
            Self::Proxy => cohort.access.proxy.is_some(),
            Self::Http2 => cohort.access.http != HttpVersion::One,
            Self::PinnedTls => is_secure && !cohort.access.tls.pins.is_empty(),
            Self::ResumedTls => {
                is_secure && cohort.access.tls.resumption == Resumption::Own && cohort.dials_again()
            }
            Self::Compression => cohort.packs().is_some(),
            Self::RequiredCompression => cohort.packs().is_some_and(|packs| packs.required),
            Self::PackedMessages => cohort.packs_messages(),
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

    /// Whether a name is looked up, or dialled, on the way to a server.
    fn is_of_names(self, cohort: &Cohort, servers: Option<&Servers>) -> bool {
        let access = &cohort.access;
        let is_one = |origin: WebOrigin| {
            let (first, behind) = access.hosts(&origin);
            match self {
                Self::OtherAddress => {
                    first.is_some_and(|(host, _)| host.parse::<IpAddr>().is_err())
                }
                _ => (first.into_iter().chain(behind))
                    .any(|(host, _)| access.addresses.are_looked_up(host)),
            }
        };
        let dialled = servers.into_iter().flat_map(Servers::urls);
        // The built-in server has an address of this machine.
        let built_in = servers.is_none().then(|| WebOrigin {
            secure: false,
            host: Ipv4Addr::LOCALHOST.to_string(),
            port: 0,
            unix: None,
        });
        let mut all = (cohort.other_servers())
            .chain(dialled.map(WsUrl::origin))
            .chain(built_in);
        all.any(is_one)
    }

    /// Whether the run is long enough, and at the right time, for what [`Self::is_there`].
    pub(super) fn is_in_time(self, wanted: &Wanted<'_>, cohort: &Cohort, run: &Run<'_>) -> bool {
        let part = wanted.part();
        let pings = || cohort.pings().map(Schedule::of_pings);
        let messages = |which| wanted.messages(which, cohort).map(Schedule::of_message);
        let every = |gap: Duration| Schedule::Since {
            gap: gap.as_nanos() as f64,
        };
        let is_due = |schedules: Vec<Schedule>, earlier: bool| {
            run.is_due(cohort, &schedules, part, 1.0, f64::from(u8::from(earlier)))
        };
        let steps = |is_one: &dyn Fn(&Step) -> bool| {
            let played = run.played(cohort).into_iter();
            let played = played.filter(|played| is_one(played.step));
            played.map(|played| played.due).collect::<Vec<_>>()
        };
        let of_kind = |which: Which| steps(&|step: &Step| which.is_step(step, wanted.metric));
        match self {
            // The times of a set-up are those of the whole run.
            Self::Messages(Which::Named)
                if wanted.stage.is_none()
                    && cohort
                        .each_step_of_setup()
                        .any(|step| Which::Named.is_step(step, wanted.metric)) =>
            {
                true
            }
            Self::Messages(Which::Named) => {
                let played = run.played(cohort).into_iter();
                let played =
                    played.filter(|played| Which::Named.is_step(played.step, wanted.metric));
                let whole = played.map(|played| played.due.taking(played.takes));
                is_due(messages(Which::Named).chain(whole).collect(), false)
            }
            Self::Messages(which) => {
                let or_pings = wanted.metric == Timer::ScheduleLateness.name();
                let pings = pings().filter(|_| or_pings);
                let all = messages(which).chain(pings);
                is_due(all.chain(of_kind(which)).collect(), false)
            }
            Self::Awaits => {
                let awaits = |step: &Step| matches!(step.verb, Verb::Await(_));
                is_due(steps(&awaits), false)
            }
            Self::Turns => is_due(steps(&is_paced), false),
            Self::Pings | Self::Pongs | Self::TextPings => {
                is_due(pings().into_iter().collect(), false)
            }
            Self::Death => {
                let ways = [Self::Misses, Self::Silence];
                let mut ways = ways.iter().filter(|way| way.is_there(wanted, cohort, run));
                ways.any(|way| way.is_in_time(wanted, cohort, run))
            }
            Self::Misses => cohort.watched().is_some_and(|(pings, watch)| {
                let pings = [Schedule::of_pings(pings)];
                run.is_due(
                    cohort,
                    &pings,
                    Period::Whole,
                    f64::from(watch.max_missed),
                    0.0,
                )
            }),
            Self::Silence => {
                let silence = cohort.silence().map(every);
                let schedules: Vec<Schedule> = silence.into_iter().collect();
                run.is_due(cohort, &schedules, Period::Whole, 1.0, 0.0)
            }
            Self::OwnCode(NORMAL) => true,
            Self::OwnCode(code) if !fault_closes_with(cohort, code) => {
                let closes = steps(&|step: &Step| is_close(step, code));
                run.is_due(cohort, &closes, Period::Whole, 1.0, 0.0)
                    || code == GIVES_UP && Self::Death.is_in_time(wanted, cohort, run)
            }
            Self::Open => is_due(vec![every(ANY_TIME)], false),
            Self::Receives | Self::Gap => {
                let unasked = run.tells(cohort).map(every);
                let sources = messages(Which::Answered).chain(unasked);
                let sources = sources.chain(of_kind(Which::Answered));
                is_due(sources.collect(), self == Self::Gap)
            }
            Self::ServerPings(twice) => {
                let interval = run.pings(cohort);
                is_due(interval.map(every).into_iter().collect(), twice)
            }
            Self::Second => run.length(part) >= 1e9,
            Self::Published => run.cohorts.iter().any(|one| {
                let published = wanted.messages(Which::Published, one);
                let published = published.map(Schedule::of_message);
                let played = run.played(one).into_iter();
                let played =
                    played.filter(|played| Which::Published.is_step(played.step, wanted.metric));
                let schedules: Vec<Schedule> =
                    published.chain(played.map(|played| played.due)).collect();
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
}

/// Whether it has turns with a schedule.
fn is_paced(step: &Step) -> bool {
    matches!(&step.verb, Verb::Repeat(repeat) if repeat.pace.is_some())
}

/// Whether a fault of the cohort closes connections with this code.
fn fault_closes_with(cohort: &Cohort, code: u16) -> bool {
    let mut faults = cohort.faults.iter();
    faults.any(|fault| match &fault.kind {
        FaultKind::Close { codes } => codes.iter().any(|own| own.unwrap_or(1005) == code),
        _ => false,
    })
}

/// Whether a step closes its connection with this code.
fn is_close(step: &Step, code: u16) -> bool {
    matches!(&step.verb, Verb::Close { code: own, .. } if *own == code)
}
