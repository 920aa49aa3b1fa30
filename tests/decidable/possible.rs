//! The numbers of a possible run of a plan: all that the plan says is due happens in time, the server answers as it
//! must for the most to be seen, and of everything that can happen something does.

use std::collections::BTreeSet;
use std::ops::Range;

use wsbench::measure::{
    CohortShard, Collector, EndedBy, InPhases, Incident, IncidentKind, Phase, Sample, Shard,
    SocketEnd, Sockets, Summary, Surroundings, Usage, Window,
};
use wsbench::metric::{Counter, ENOUGH_FOR_MEMORY, Timer};
use wsbench::plan::{Opening, Plan, Until};
use wsbench::scenario::{
    FaultKind, Message, Pacing, PathFaultKind, PingKind, PromiseKind, Protocol, Reconnect, Shape,
    TargetUrl,
};
use wsbench::units::{Nanos, Timestamp};
use wsbench::verdict::ContractResult;

use super::steps;

const SECOND: Nanos = Nanos::from_secs(1);
/// How much later than planned measuring starts at the earliest.
pub(super) const NOTICE: Nanos = Nanos::from_millis(5);
/// The most messages or pings of a connection that are looked at.
pub(super) const MOST: usize = 20_000;

/// The most connections of a cohort that are looked at.
const MOST_PLACES: u32 = 1000;

/// The summary of that run.
pub(crate) fn summary(plan: &Plan) -> Summary {
    let run = Run::new(plan);
    let mut shard = Shard::new(&plan.layout());
    for opening in plan.openings(0, 1) {
        if plan.place(opening.cohort, opening.connection) < MOST_PLACES {
            run.live(&opening, &mut shard);
            shard.record(run.silent(&opening), usize::MAX);
        }
    }
    run.deliveries(&mut shard);
    for (index, cohort) in plan.scenario.cohorts.iter().enumerate() {
        run.ends(index, cohort, &mut shard);
    }
    shard.loop_lag.record(1);
    if (plan.scenario.target.url.servers()).is_some_and(|servers| servers.first().is_name()) {
        shard.look_ups.record(1);
    }
    let mut collector = Collector::new(plan.layout());
    let end = run.end();
    let idle = Shard::new(&plan.layout());
    for second in 1..=end.as_nanos() / SECOND.0 + 1 {
        let shard = if second == 1 {
            &mut shard
        } else {
            &mut idle.clone()
        };
        shard.interval = second - 1;
        let sample = Sample {
            cpu: Some(1.0),
            rss: Some(1.0),
            bytes_per_connection: run.is_large().then_some(1.0),
            target: plan.scenario.target.has_known_process().then_some(Usage {
                rss: 1,
                descriptors: 1,
                cpu: Some(Nanos(1)),
            }),
        };
        let end = Timestamp::ORIGIN + second * SECOND;
        let in_phases = InPhases {
            mostly: run.phase(end.saturating_sub(SECOND / 2)),
            at_end: run.phase(end),
        };
        collector.interval(in_phases, shard, sample);
    }
    let seconds: Vec<f64> = plan
        .windows()
        .seconds(Some(Timestamp::ORIGIN), Timestamp::NEVER);
    collector.summary((end + SECOND).as_secs_f64(), &seconds)
}

/// What happens around the connections of that run: the incidents of the path, and the server's sockets, which are there
/// to the end.
pub(crate) fn surroundings(plan: &Plan, summary: &Summary) -> Surroundings {
    let start = Run::new(plan).windows.first().map(|window| window.start);
    let faults = plan.scenario.path.iter().flat_map(|path| &path.faults);
    let incidents = faults.filter_map(|fault| {
        let kind = match fault.kind {
            PathFaultKind::Freeze => IncidentKind::Freeze,
            PathFaultKind::Reset => IncidentKind::Reset,
            _ => return None,
        };
        let began_ns = start? + Nanos::from(fault.after?);
        Some(Incident {
            kind,
            cohorts: fault.cohorts.clone(),
            began_ns,
            ended_ns: fault.lasts.map(|lasts| began_ns + Nanos::from(lasts)),
        })
    });
    let route = |cohort: usize| {
        let path = plan.scenario.path.as_ref();
        let leads = path.is_some_and(|path| path.leads(&plan.cohort(cohort).name));
        leads.then_some(cohort)
    };
    Surroundings {
        incidents: incidents.collect(),
        sockets: Some(Sockets {
            ends: (summary.records.rows.iter())
                .map(|record| SocketEnd {
                    client_port: record.local_port.unwrap_or_default(),
                    relayed: route(record.cohort),
                    seen_ns: record.opened_ns,
                    left_ns: None,
                    gone_ns: None,
                    send_queue: 0,
                })
                .collect(),
            resolution_ns: Nanos(1),
            more: 0,
        }),
        ..Surroundings::default()
    }
}

/// Whether the records of that run suffice to judge a promise by its meaning: each lost client could have been back in
/// time, and a threshold has four levels to lie between.
pub(crate) fn suffices(result: &ContractResult, summary: &Summary) -> bool {
    let rows = summary.records.rows.iter();
    match result.contract {
        PromiseKind::BackWithin => {
            let hi = result.bounds.and_then(|bounds| bounds.hi_ns);
            let end = Nanos((summary.seconds * 1e9) as u64).saturating_sub(SECOND);
            let mut lost = rows.filter(|record| record.ended_by != EndedBy::Plan);
            lost.all(|record| record.ended_ns + hi.unwrap_or_default() <= Timestamp::ORIGIN + end)
        }
        PromiseKind::EffectiveTimeout => {
            let levels: BTreeSet<_> = rows.filter_map(|record| record.level_ns).collect();
            levels.len() >= 4
        }
        _ => true,
    }
}

pub(super) struct Run<'a> {
    pub(super) plan: &'a Plan,
    /// The measured windows, since the first dial.
    pub(super) windows: Vec<Range<Timestamp>>,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan) -> Self {
        let from = match &plan.scenario.load.shape {
            Shape::Steady { warm_up, .. } => {
                let ready = |opening: Opening| {
                    opening.at + steps::setup(plan.client(opening.cohort, opening.connection))
                };
                let last = plan.openings(0, 1).map(ready).max();
                last.unwrap_or_default() + Nanos::from(*warm_up).max(NOTICE)
            }
            Shape::Arrivals { warm_up, .. } => Timestamp::ORIGIN + Nanos::from(*warm_up),
            Shape::Stages(_) => Timestamp::ORIGIN,
        };
        let mut start = from;
        let ends = plan.windows().ends().to_vec().into_iter();
        let windows = ends.map(|end| {
            let window = start..from + end;
            start = window.end;
            window
        });
        Self {
            plan,
            windows: windows.collect(),
        }
    }

    fn is_large(&self) -> bool {
        let all = self.plan.connections();
        let most = match self.plan.scenario.load.shape {
            Shape::Arrivals { max_open, .. } => all.min(max_open.into()),
            _ => all,
        };
        most >= ENOUGH_FOR_MEMORY
    }

    fn phase(&self, time: Timestamp) -> Phase {
        let found = self
            .windows
            .iter()
            .position(|window| window.start < time && time <= window.end);
        match (found, &self.plan.scenario.load.shape) {
            (Some(index), Shape::Stages(_)) => Phase::Stage(index as u32 + 1),
            (Some(_), _) => Phase::Measure,
            (None, _) => Phase::Drain,
        }
    }

    pub(super) fn measuring(&self) -> Timestamp {
        (self.windows.first()).map_or(Timestamp::ORIGIN, |window| window.start)
    }

    pub(super) fn end(&self) -> Timestamp {
        (self.windows.last()).map_or(Timestamp::ORIGIN, |window| window.end)
    }

    pub(super) fn window(&self, time: Timestamp) -> Option<Window> {
        let index = self
            .windows
            .iter()
            .position(|window| window.contains(&time))?;
        Some(Window::measured(index))
    }

    /// When the client of a connection is ready.
    pub(super) fn ready(&self, opening: &Opening) -> Timestamp {
        opening.at + steps::setup(self.plan.client(opening.cohort, opening.connection))
    }

    /// One connection, from its opening to its end or to its first fault.
    fn live(&self, opening: &Opening, shard: &mut Shard) {
        let cohort = self.plan.cohort(opening.cohort);
        let ready = self.ready(opening);
        let until = match opening.until {
            Until::End => self.end(),
            Until::Steps => self.last_step(opening).min(self.end()),
            Until::At(time) => time.min(self.end()),
            Until::After(time) => (opening.at + time).min(self.end()),
        };
        let ends = |kind: &FaultKind| matches!(kind, FaultKind::Reset | FaultKind::Close { .. });
        let faults = cohort.faults.iter().filter(|fault| ends(&fault.kind));
        let life = faults
            .map(|fault| ready + Nanos::from(fault.after))
            .fold(until, Timestamp::min);
        let cells = &mut shard.cohorts[opening.cohort];
        let mut received: Vec<Timestamp> = Vec::new();
        for due in self.steps(opening, ready, life) {
            self.step(&due, cells, &mut received);
        }
        if cohort.protocol == Protocol::Http {
            return self.count_received(received, cells);
        }
        let (open, life) = (opening.at + Nanos(1)..life, ready + Nanos(1)..life);
        for (index, message) in cohort.messages.iter().enumerate() {
            for at in self.dues(opening, index, message, &life) {
                let Some(window) = self.window(at) else {
                    received.push(at);
                    continue;
                };
                let cells = cells.window(window);
                cells.count(Counter::MessagesDue);
                cells.count(Counter::MessagesSent);
                cells.count(Counter::MessagesHeldUp);
                cells.time(Timer::ScheduleLateness, Nanos(1));
                let is_scheduled = matches!(message.pacing, Pacing::Open { .. });
                if is_scheduled {
                    cells.count(Counter::MessagesNotSent);
                    cells.count(Counter::MessagesNotTaken);
                }
                if is_scheduled && cohort.reconnect != Reconnect::None {
                    cells.count(Counter::MessagesOffline);
                }
                if message.expects_answer() {
                    received.push(at);
                    cells.answer(index, Nanos(2), Nanos(1));
                    for counter in [
                        Counter::MessagesEchoed,
                        Counter::MessagesMismatched,
                        Counter::MessagesDuplicated,
                        Counter::MessagesTimedOut,
                        Counter::MessagesLate,
                        Counter::MessagesLost,
                        Counter::MessagesRetyped,
                    ] {
                        cells.count(counter);
                    }
                }
                if message.is_matched_by_order() {
                    cells.count(Counter::MessagesUncertain);
                }
            }
        }
        // Messages begin when the client is ready, ping frames at the 101.
        let is_text = (cohort.pings()).is_some_and(|pings| pings.kind != PingKind::Frames);
        self.heartbeat(opening, if is_text { &life } else { &open }, cells);
        let life = open;
        let target = &self.plan.scenario.target;
        let every = |interval: Nanos| -> Vec<Timestamp> {
            let times = (1..).map(|k| opening.at + k * interval);
            times.take_while(|at| *at < life.end).take(MOST).collect()
        };
        // An unknown server may send what it likes, whenever it likes.
        let any_time = || -> Vec<Timestamp> {
            let spans = self.windows.iter().map(|window| {
                let start = window.start.max(life.start);
                let end = window.end.min(life.end);
                let times = start.as_nanos()..end.as_nanos();
                times.take(2).map(Timestamp::from_nanos)
            });
            spans.flatten().collect()
        };
        for at in any_time() {
            let Some(window) = self.window(at) else {
                continue;
            };
            let cells = cells.window(window);
            cells.count(Counter::MessagesUnsolicited);
            cells.count(Counter::PongsUnsolicited);
        }
        let is_embedded = target.url == TargetUrl::Embedded;
        let server_pings = match (is_embedded, target.embedded_heartbeat) {
            (false, _) => any_time(),
            _ if cohort.takes_texts_for_pings() => any_time(),
            (true, Some(heartbeat)) => every(Nanos::from(heartbeat.interval)),
            (true, None) => Vec::new(),
        };
        for (index, at) in server_pings.into_iter().enumerate() {
            let Some(window) = self.window(at) else {
                continue;
            };
            cells.window(window).count(Counter::ServerPings);
            if index > 0 {
                cells
                    .window(window)
                    .time(Timer::ServerPingInterval, Nanos(1));
            }
        }
        let is_known = is_embedded && target.embedded_rooms.is_none();
        received.extend(match (is_known, target.embedded_push) {
            (false, _) => any_time(),
            (true, Some(push)) => every(Nanos::from(push)),
            (true, None) => Vec::new(),
        });
        self.count_received(received, cells);
    }

    fn count_received(&self, mut received: Vec<Timestamp>, cells: &mut CohortShard) {
        received.sort_unstable();
        for (index, at) in received.into_iter().enumerate() {
            let Some(window) = self.window(at) else {
                continue;
            };
            cells.window(window).count(Counter::MessagesReceived);
            if index > 0 {
                cells.window(window).time(Timer::ReceiveGap, Nanos(1));
            }
        }
    }

    /// When a message is due on a connection, as soon as it can be, or as late, as the server likes.
    fn dues(
        &self,
        opening: &Opening,
        index: usize,
        message: &Message,
        life: &Range<Timestamp>,
    ) -> Vec<Timestamp> {
        let ready = self.ready(opening);
        let most = message.count.map_or(MOST, |count| count as usize);
        let pacer = self
            .plan
            .pacer(opening.cohort, index, opening.connection, ready);
        if let Some(mut pacer) = pacer {
            pacer.skip_to(life.start);
            let due = std::iter::from_fn(|| {
                let next = pacer.next();
                pacer.advance();
                Some(next)
            });
            return due
                .take(most.min(MOST))
                .take_while(|at| *at < life.end)
                .collect();
        }
        let Pacing::Closed { in_flight, think } = message.pacing else {
            return Vec::new();
        };
        let (think, timeout) = (Nanos::from(think), Nanos::from(message.timeout));
        let rounds = most.div_ceil(in_flight as usize) as u64;
        let mut due = Vec::new();
        for window in &self.windows {
            let (from, to) = (window.start.max(life.start), window.end.min(life.end));
            // The k-th round begins after k answers, each of which takes any time up to the timeout.
            let possible = (1..rounds).find_map(|k| {
                let (soonest, latest) = (ready + k * think, ready + k * (think + timeout));
                let at = from.max(soonest);
                (at < latest && at < to).then_some(at)
            });
            due.extend(possible);
        }
        // The first round begins at once; what comes before the first window is received as well.
        if !life.is_empty() {
            due.extend(std::iter::repeat_n(
                life.start,
                most.min(in_flight as usize),
            ));
        }
        due
    }
}
