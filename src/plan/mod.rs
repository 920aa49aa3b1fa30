//! Computes from a scenario and a seed what shall happen and when: pure functions of an index. Reads no clock; all
//! times count from the first dial.

mod budget;
mod fault_plan;
mod heartbeat;
mod matching;
mod often;
mod openings;
mod pacer;
mod program;
mod request;
mod rounds;
mod share;
mod split;
mod spread;
mod stamp;
mod talk;
mod template;
mod topic_stamp;
mod topics;
mod values;
mod windows;

pub use budget::{Budget, Compressing, sent_by_setup};
pub use fault_plan::{FaultPlan, probed_within};
use heartbeat::HeartbeatTexts;
pub use heartbeat::TextPong;
pub use openings::{Opening, Openings, Until};
pub use pacer::Pacer;
pub use program::{Operation, Program, Turns, What};
pub(crate) use request::parts;
pub(crate) use rounds::{Rounds, Turn};
pub use share::Share;
pub use split::Split;
pub use spread::{Draws, Seed};
pub use stamp::{PingName, STAMP_LEN, Series, Stamp, StampFinder};
use talk::{Talk, templates};
pub use template::{Slice, Template};
pub use topic_stamp::{Published, TopicFinder, TopicSeries, TopicStamp};
pub use topics::{Deliveries, Lonely, Publication, Topics};
pub use values::Values;
pub use windows::Windows;

pub use crate::scenario::fraction;

use std::sync::Arc;
use std::time::Duration;

use crate::http::Cookies;
use crate::measure::Layout;
use crate::scenario::{Cohort, Match, Pacing, Scenario, Shape, TurnPace};
use crate::units::{Nanos, Timestamp};

/// The plan of one run.
#[derive(Debug)]
pub struct Plan {
    /// The scenario.
    pub scenario: Scenario,
    /// The number in the stamps that distinguishes this run's messages from those of other runs.
    pub run: u32,
    /// The seed of all random numbers.
    pub seed: Seed,
    /// Whether each answered message is kept and reported to the observer of the run.
    pub keeps_echoes: bool,
    /// Whether all that passes on each connection is kept and reported likewise.
    pub traces: bool,
    /// Whether what happens to each client is kept and reported likewise.
    pub tells: bool,
    /// For each cohort, what all its clients know from requests that were sent once; empty before.
    pub(crate) once: Vec<Once>,
    /// For each cohort, the number of its first connection.
    firsts: Vec<u32>,
    /// For each cohort, the templates by slot.
    templates: Vec<Vec<Template>>,
    /// For each cohort, what its clients say and hear beyond messages on a schedule.
    talks: Vec<Talk>,
    /// For each cohort, the messages of its heartbeat.
    heartbeats: Vec<HeartbeatTexts>,
    /// Finds this run's stamps in what servers send; `None` if no message has one.
    pub stamps: Option<StampFinder>,
    /// Parts frames into messages; `None` where each frame is one.
    pub split: Option<Split>,
    /// Who hears what.
    pub topics: Topics,
}

/// What all clients of a cohort know from requests that were sent once.
#[derive(Debug, Default)]
pub(crate) struct Once {
    /// What was kept, by the index of its name. Empty: nothing.
    pub(crate) saved: Vec<Vec<u8>>,
    pub(crate) cookies: Cookies,
    /// The slots of the requests that were sent for this cohort, and how long they took.
    pub(crate) took: Vec<(usize, Nanos)>,
}

/// The part of a plan that concerns one connection.
#[derive(Debug, Clone, Copy)]
pub struct ClientPlan<'a> {
    /// The whole plan.
    pub plan: &'a Plan,
    /// The index of its cohort.
    pub cohort: usize,
    /// The number of the connection in the run.
    pub connection: u32,
}

impl<'a> ClientPlan<'a> {
    /// Returns its cohort.
    pub fn cohort(self) -> &'a Cohort {
        self.plan.cohort(self.cohort)
    }

    /// Returns the templates by slot: of its messages, its steps (empty where one sends nothing), and the replies of
    /// each `[[on]]`.
    pub fn templates(self) -> &'a [Template] {
        self.plan.templates(self.cohort)
    }

    /// Returns what it does in its turn.
    pub fn program(self) -> &'a Program {
        &self.plan.talks[self.cohort].program
    }

    /// Returns what all its clients know from requests that were sent once.
    pub(crate) fn once(self) -> Option<&'a Once> {
        self.plan.once.get(self.cohort)
    }

    /// Returns the upgrade request, if it has placeholders.
    pub fn upgrade(self) -> Option<&'a Template> {
        self.plan.talks[self.cohort].upgrade.as_ref()
    }

    /// Returns one match for each way in which answers name what they answer.
    pub fn finders(self) -> &'a [Match] {
        &self.plan.talks[self.cohort].finders
    }

    /// Returns how many of its exchanges have a number of their own in an id.
    pub fn exchanges(self) -> u64 {
        self.plan.talks[self.cohort].exchanges
    }

    /// Whether it says or hears anything but messages on a schedule and their echoes.
    pub fn has_talk(self) -> bool {
        self.plan.talks[self.cohort].is_more
    }

    /// Returns the name of a slot; empty if it has none.
    pub fn slot_name(self, slot: usize) -> &'a str {
        let slots = &self.plan.talks[self.cohort].slots;
        slots.get(slot).map_or("", |slot| &slot.name)
    }

    /// Returns the slot of its first `[[on]]`.
    pub fn first_listener(self) -> usize {
        self.templates().len() - self.cohort().on.len()
    }

    /// Returns the slots of its requests whose answers tell how old they are.
    pub fn aged(self) -> &'a [usize] {
        &self.plan.talks[self.cohort].aged
    }

    /// Returns the random numbers of its steps.
    pub fn draws(self) -> Draws {
        self.plan.seed.draws(self.connection)
    }

    /// Returns when the turns of the repeat with this slot are due, from `now` on.
    pub fn turns(self, slot: usize, pace: TurnPace, now: Timestamp) -> Pacer {
        let place = self.plan.place(self.cohort, self.connection);
        let random = self.plan.seed.stream(self.connection, slot as u32 + 1);
        let gap = pace.rate.gap_ns();
        Pacer::new(gap, pace.gaps, pace.phase, place, random, now)
    }

    /// Returns what the placeholders of a message stand for; `n` is its sequence number.
    pub fn values(self, message: usize, n: u64) -> Values<'a> {
        let (plan, connection) = (self.plan, self.connection);
        let cohort = plan.cohort(self.cohort);
        Values {
            cohort: &cohort.name,
            run: plan.run,
            connection,
            place: plan.place(self.cohort, connection),
            n,
            id: n * self.exchanges() + message as u64 + 1,
            turn: 0,
            saved: &[],
            ids: &[],
            connections: cohort.connections,
            seed: plan.seed,
            slot: message,
            data: &plan.scenario.data,
        }
    }
}

impl Plan {
    /// Plans a scenario. The same scenario and seed give the same plan; `run` should differ each time.
    pub fn new(scenario: Scenario, seed: u64, run: u32) -> Self {
        let seed = Seed::new(seed);
        let mut next = 0u32;
        let firsts = (scenario.cohorts.iter())
            .map(|cohort| {
                let first = next;
                next = next.saturating_add(cohort.connections);
                first
            })
            .collect();
        let filler = Slice::filler(scenario.longest_made().as_usize());
        let templates: Vec<Vec<Template>> = (scenario.cohorts.iter())
            .map(|cohort| templates(cohort, &filler))
            .collect();
        let has_stamps = templates.iter().flatten().any(Template::has_stamp);
        let mut plan = Self {
            run,
            seed,
            keeps_echoes: false,
            traces: false,
            tells: false,
            once: Vec::new(),
            firsts,
            templates,
            heartbeats: (scenario.cohorts.iter())
                .map(|cohort| HeartbeatTexts::of(cohort, &filler))
                .collect(),
            talks: scenario.cohorts.iter().map(Talk::of).collect(),
            stamps: has_stamps.then(|| StampFinder::new(run)),
            split: scenario.target.split.as_ref().map(Split::from),
            topics: Topics::default(),
            scenario,
        };
        plan.topics = Topics::of(&plan);
        plan
    }

    /// Returns a cohort.
    pub fn cohort(&self, cohort: usize) -> &Cohort {
        &self.scenario.cohorts[cohort]
    }

    /// Returns the number of the first connection of a cohort.
    pub(crate) fn first(&self, cohort: usize) -> u32 {
        self.firsts[cohort]
    }

    /// Whether a request is sent once for all clients.
    pub(crate) fn asks_once(&self) -> bool {
        self.talks
            .iter()
            .any(|talk| talk.program.once().next().is_some())
    }

    /// Returns the cohort of a connection; `None` if the plan has no such connection.
    pub fn cohort_of(&self, connection: u32) -> Option<usize> {
        let cohort = self
            .firsts
            .partition_point(|first| *first <= connection)
            .checked_sub(1)?;
        (self.place(cohort, connection) < self.cohort(cohort).connections).then_some(cohort)
    }

    /// Returns a connection's place in its cohort, from 0.
    pub fn place(&self, cohort: usize, connection: u32) -> u32 {
        connection - self.firsts[cohort]
    }

    /// Whether a worker may leave what comes for connections of a cohort unread until something is due: see [`Cohort::is_lazy`].
    /// Packets of MQTT have answers, and a frame with several messages is parted by the time at which it is read.
    pub fn is_lazy(&self, cohort: usize) -> bool {
        self.split.is_none() && self.cohort(cohort).is_lazy()
    }

    /// Returns a connection's turn in `ramp_down`: how long after the end of the load.
    pub fn ramp_down(&self, cohort: usize, connection: u32) -> Nanos {
        let whole = Nanos::from(self.scenario.load.ramp_down);
        whole.mul_f64(fraction(self.place(cohort, connection)))
    }

    /// Returns the templates of the messages of a cohort.
    pub fn templates(&self, cohort: usize) -> &[Template] {
        &self.templates[cohort]
    }

    /// Returns the part that concerns one connection.
    pub fn client(&self, cohort: usize, connection: u32) -> ClientPlan<'_> {
        ClientPlan {
            plan: self,
            cohort,
            connection,
        }
    }

    /// Returns the number of connections; each arrival is one.
    pub fn connections(&self) -> u64 {
        self.scenario.connections()
    }

    /// Returns the openings of worker `worker` of `workers`, in the order of time.
    pub fn openings(&self, worker: usize, workers: usize) -> Openings {
        Openings::new(self, worker as u32, workers as u32)
    }

    /// Returns the schedule of a connection's messages; `None` in the closed model, where nothing is due before an
    /// answer.
    pub fn pacer(
        &self,
        cohort: usize,
        message: usize,
        connection: u32,
        opening: Timestamp,
    ) -> Option<Pacer> {
        let place = self.place(cohort, connection);
        match self.cohort(cohort).messages[message].pacing {
            Pacing::Closed { .. } => None,
            Pacing::Open {
                rate, gaps, phase, ..
            } => {
                let random = self.seed.stream(connection, message as u32 + 1);
                let gap = rate.gap_ns();
                Some(Pacer::new(gap, gaps, phase, place, random, opening))
            }
        }
    }

    /// Returns the schedule of a connection's pings; `None` if it sends none.
    pub fn pings(&self, cohort: usize, connection: u32) -> Option<Pacer> {
        let pings = self.cohort(cohort).pings()?;
        let place = self.place(cohort, connection);
        let gap = Nanos::from(pings.interval).0 as f64;
        let gaps = crate::scenario::Gaps::Constant;
        Some(Pacer::new(
            gap,
            gaps,
            pings.phase,
            place,
            0,
            Timestamp::ORIGIN,
        ))
    }

    /// Returns the windows that are measured.
    pub fn windows(&self) -> Windows {
        Windows::new(&self.scenario.load.shape)
    }

    /// Returns how long the load lasts without delays: ramp-up, warm-up and the measured time; [`Nanos::MAX`] without
    /// end.
    pub fn length(&self) -> Nanos {
        let before = match &self.scenario.load.shape {
            Shape::Steady {
                ramp_up, warm_up, ..
            } => *ramp_up + *warm_up,
            Shape::Arrivals { warm_up, .. } => *warm_up,
            Shape::Stages(_) => Duration::ZERO,
        };
        Nanos::from(before).saturating_add(self.windows().length())
    }

    /// Returns the names for the indices that measurements use.
    pub fn layout(&self) -> Layout {
        let cohorts = self.scenario.cohorts.iter().zip(&self.talks);
        Layout {
            cohorts: cohorts
                .map(|(cohort, talk)| (cohort.name.clone(), talk.slots.clone()))
                .collect(),
            stages: match &self.scenario.load.shape {
                Shape::Stages(stages) => stages.len() as u32,
                _ => 0,
            },
            topics: Arc::clone(self.topics.names()),
        }
    }

    /// Whether some client waits until measuring starts.
    pub fn waits_for_measuring(&self) -> bool {
        let mut talks = self.talks.iter();
        talks.any(|talk| talk.program.waits_for_measuring())
    }
}
