//! Follows a run from its first dial to its end: takes in what agents tell, looks who is still there, passes orders on.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::agent::CALL;
use super::fold::Fold;
use super::joined::{PAUSE, are_possible, is_kept};
use super::liveness::{Liveness, SIGN};
use super::message::{Assigned, Handed, Ordered, Ready, Settled, decode, encode};
use super::signs::{self, Heard};
use super::steady::Steady;
use crate::cluster::{Broker, Entry, Kind, Link, Offset, RunId, Subject};
use crate::engine::{News, Orders};
use crate::measure::Layout;
use crate::record::{Assembly, End, Taken};
use crate::units::{Timestamp, visible};

/// How much of what is heard waits to be taken in.
const HEARD: usize = 256;
/// How long after the last moment that an agent may need it is lost if it has not ended.
const OVERDUE: Duration = Duration::from_secs(60);
/// How long after an interrupt.
const OVERDUE_INTERRUPTED: Duration = Duration::from_secs(10);
/// How long the broker may be gone, beyond the time for which agents go on alone.
const GONE: Duration = Duration::from_secs(60);

/// What goes on beside the engine.
#[derive(Debug)]
pub struct Following {
    link: Link,
    task: JoinHandle<Vec<OfAgent>>,
}

/// What is known of an agent at the end.
#[derive(Debug, Clone, Default)]
pub struct OfAgent {
    /// How it ended, if it told.
    pub end: Option<End>,
    /// When it was last heard of, and why it counts as lost.
    pub lost: Option<(Timestamp, String)>,
    /// When its planned connections were open or had failed.
    pub settled: Option<Timestamp>,
    /// How far its clock was ahead when the start was named, and by how much its times may be wrong.
    pub clock: Option<Offset>,
}

/// What is followed.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) run: RunId,
    pub(super) assigned: Assigned,
    pub(super) layout: Layout,
    /// The first dial.
    pub(super) origin: Instant,
    pub(super) steady: Steady,
    /// What was known of the clocks when the start was named; `None` of those that did not answer.
    pub(super) offsets: Vec<Option<Offset>>,
    pub(super) orders: watch::Receiver<Orders>,
    pub(super) news: mpsc::Sender<News>,
    /// How long after the first dial all openings are planned, where measuring waits for them.
    pub(super) ramp_up: Duration,
    /// The longest that connections can take to open after that, or to end after the load.
    pub(super) overtime: Duration,
}

impl Following {
    /// Begins to follow, from the begin of what the stream keeps of the run.
    pub(super) fn begin(link: Link, followed: Followed) -> Self {
        let broker = link.broker().clone();
        let task = link.handle().spawn(follow(broker, followed));
        Self { link, task }
    }

    /// What is known of the agents, after the engine has ended.
    pub fn finish(self) -> Vec<OfAgent> {
        let Self { link, task } = self;
        let (tell, told) = std::sync::mpsc::sync_channel(1);
        link.handle().spawn(async move {
            let _ = tell.send(task.await.unwrap_or_default());
        });
        told.recv_timeout(CALL).unwrap_or_default()
    }
}

/// One run, as it is followed.
struct Run {
    followed: Followed,
    folds: Vec<Fold>,
    assemblies: Vec<Assembly>,
    agents: Vec<OfAgent>,
    /// Those that will tell nothing more.
    is_over: Vec<bool>,
    liveness: Liveness,
    has_settled: bool,
    /// Whether the stream is read again, to be sure of who is lost: who takes a run over has read little of it.
    reads_again: bool,
    /// Since when the broker is gone.
    gone: Option<Instant>,
}

/// The engine has ended.
struct Ended;

async fn follow(broker: Broker, followed: Followed) -> Vec<OfAgent> {
    let (tell, mut heard) = mpsc::channel(HEARD);
    let mut tasks = JoinSet::new();
    let (run, seats) = (&followed.run, &followed.assigned.seats);
    tasks.spawn(signs::read(
        broker.clone(),
        Subject::everything(run),
        tell.clone(),
    ));
    tasks.spawn(signs::lives(broker.clone(), run.clone(), tell.clone()));
    tasks.spawn(signs::clocks(
        broker.clone(),
        seats.clone(),
        followed.steady,
        tell.clone(),
    ));
    tasks.spawn(signs::restarts(
        broker.clone(),
        run.clone(),
        seats.clone(),
        tell.clone(),
    ));
    tasks.spawn(signs::here(broker.clone(), run.clone()));
    tasks.spawn(pass_on(
        broker.clone(),
        run.clone(),
        followed.steady,
        followed.orders.clone(),
    ));
    let refused = broker.refused_in(run);
    let news = followed.news.clone();
    tasks.spawn(async move {
        let _ = news.send(News::Broken(refused.await.to_string())).await;
    });
    let mut ticks = tokio::time::interval(SIGN / 4);
    let news = followed.news.clone();
    let mut run = Run::new(followed);
    while !run.is_over.iter().all(|is_over| *is_over) {
        let done = tokio::select! {
            Some(heard) = heard.recv() => run.take(heard).await,
            _ = ticks.tick() => {
                let looked = run.look(broker.is_connected()).await;
                // Who has told all gives no signs any more, and may not have been read yet.
                if let Some(silent) = run.wonders() {
                    let subjects = Subject::everything(&run.followed.run);
                    tasks.spawn(signs::read_again(broker.clone(), subjects, silent, tell.clone()));
                }
                looked
            }
            () = news.closed() => Err(Ended),
        };
        if let Err(Ended) = done {
            break;
        }
    }
    run.agents
}

impl Run {
    fn new(followed: Followed) -> Self {
        let count = followed.assigned.seats.len();
        let agent = |offset: &Option<Offset>| OfAgent {
            clock: *offset,
            ..OfAgent::default()
        };
        Self {
            agents: followed.offsets.iter().map(agent).collect(),
            folds: std::iter::repeat_with(Fold::default).take(count).collect(),
            assemblies: std::iter::repeat_with(Assembly::default)
                .take(count)
                .collect(),
            is_over: vec![false; count],
            liveness: Liveness::new(count, Instant::now().max(followed.origin)),
            has_settled: false,
            reads_again: false,
            gone: None,
            followed,
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::of(Instant::now(), self.followed.origin)
    }

    async fn take(&mut self, heard: Heard) -> Result<(), Ended> {
        match heard {
            Heard::Entry(entry) => self.entry(&entry).await,
            Heard::Alive(number, agent) => {
                if let Some(index) = self.index(Some(number), &agent) {
                    self.liveness.sign(index, Instant::now());
                }
                Ok(())
            }
            Heard::Clock(index, offset) => {
                if let (Some(first), Some(of)) =
                    (self.followed.offsets[index], self.agents.get_mut(index))
                {
                    // Times are those of the first estimate: they are as wrong as the clocks have come apart since.
                    let apart = offset.ns.abs_diff(first.ns).saturating_add(offset.bound_ns);
                    of.clock = Some(Offset {
                        ns: first.ns,
                        bound_ns: of.clock.map_or(apart, |known| known.bound_ns.max(apart)),
                    });
                }
                Ok(())
            }
            Heard::ReadAgain(silent) => {
                self.reads_again = false;
                // After an interrupt nobody waits for a broker from which nothing can be read.
                let is_left = self.is_past(self.drained_by());
                for (index, at, why) in self.doubtful() {
                    if silent.as_ref().map_or(is_left, |all| all.contains(&index)) {
                        self.lose(index, at, why.to_owned()).await?;
                    }
                }
                Ok(())
            }
            Heard::Restarted(index) if self.is_over[index] => Ok(()),
            Heard::Restarted(index) => {
                let at = self.now();
                self.lose(
                    index,
                    at,
                    "it was started again, and its load is gone".to_owned(),
                )
                .await
            }
        }
    }

    /// The index of an agent that goes on; `None` of all others.
    fn index(&self, number: Option<u32>, agent: &str) -> Option<usize> {
        let index = usize::try_from(number?).ok()?.checked_sub(1)?;
        let seat = self.followed.assigned.seats.get(index)?;
        (seat.agent == agent && !self.is_over[index]).then_some(index)
    }

    async fn entry(&mut self, entry: &Entry) -> Result<(), Ended> {
        let Some((_, kind, number)) = Subject::parse(&entry.subject) else {
            return Ok(());
        };
        let payload = &entry.payload;
        match kind {
            Kind::Settled => {
                let Ok(Settled { agent, at }) = decode(payload) else {
                    return Ok(());
                };
                if let Some(index) = self.index(number, &agent) {
                    self.agents[index].settled = Some(at);
                    return self.settle().await;
                }
            }
            Kind::Ready => {
                let Ok(Ready {
                    agent,
                    refused: Some(why),
                }) = decode(payload)
                else {
                    return Ok(());
                };
                if let Some(index) = self.index(number, &agent) {
                    let at = self.now();
                    return self.lose(index, at, visible(&why)).await;
                }
            }
            Kind::Windows | Kind::Stop => {
                // What this process ordered is known already.
                let known = *self.followed.orders.borrow();
                if let Ok(Ordered { orders, .. }) = decode(payload)
                    && are_possible(&orders)
                    && orders.since(&known).next().is_some()
                {
                    return self.tell(News::Ordered(orders)).await;
                }
            }
            Kind::Shard | Kind::Done => {
                let Ok(handed) = decode::<Handed>(payload) else {
                    return Ok(());
                };
                if let Some(index) = self.index(number, &handed.agent) {
                    return self.record(index, handed).await;
                }
            }
            _ => {}
        }
        Ok(())
    }

    async fn record(&mut self, index: usize, handed: Handed) -> Result<(), Ended> {
        let taken = self.folds[index].take(handed.number, handed.record.0);
        if let Err(error) = taken {
            let at = self.now();
            return self.lose(index, at, format!("it {error}")).await;
        }
        while let Some(record) = self.folds[index].next() {
            // One that is read again is no sign of life.
            self.liveness.sign(index, Instant::now());
            match self.assemblies[index].take(&record, &self.followed.layout) {
                Ok(Taken::Piece) => {}
                Ok(Taken::Second(second)) => {
                    let news = News::Second {
                        agent: index,
                        shard: Box::new(second.shard),
                        sample: second.sample,
                    };
                    self.tell(news).await?;
                }
                Ok(Taken::End(end)) => return self.ended(index, *end).await,
                Err(error) => {
                    let why = format!("it handed in what cannot be used: {error}");
                    let at = self.now();
                    return self.lose(index, at, why).await;
                }
            }
        }
        Ok(())
    }

    async fn ended(&mut self, index: usize, end: End) -> Result<(), Ended> {
        let is_interrupted = self.followed.orders.borrow().drained_by.is_some();
        let why = match &end.failure {
            Some(why) => Some(format!("it failed to {}", visible(why))),
            None if end.interrupted && !is_interrupted => Some("a signal ended it".to_owned()),
            None => None,
        };
        let (load_ended, ended) = (end.load_ended_ns, end.ended_ns);
        self.agents[index].settled = self.agents[index].settled.or(end.settled_ns);
        self.agents[index].end = Some(end);
        if let Some(why) = why {
            return self.lose(index, load_ended, why).await;
        }
        self.over(index);
        self.tell(News::Done {
            agent: index,
            load_ended,
            ended,
        })
        .await?;
        self.settle().await
    }

    async fn lose(&mut self, index: usize, at: Timestamp, why: String) -> Result<(), Ended> {
        self.agents[index].lost = Some((at, why));
        self.over(index);
        self.tell(News::Lost {
            agent: index,
            at,
            is_whole: self.agents[index].end.is_some(),
            ends_run: !self.followed.assigned.goes_on,
        })
        .await?;
        self.settle().await
    }

    fn over(&mut self, index: usize) {
        self.is_over[index] = true;
        self.liveness.forget(index);
    }

    /// Tells when all that are still there have settled.
    async fn settle(&mut self) -> Result<(), Ended> {
        let mut agents = self.agents.iter().zip(&self.is_over);
        let all = agents.all(|(agent, is_over)| *is_over || agent.settled.is_some());
        if all && !self.has_settled {
            self.has_settled = true;
            return self.tell(News::Settled).await;
        }
        Ok(())
    }

    async fn tell(&self, news: News) -> Result<(), Ended> {
        self.followed.news.send(news).await.map_err(|_| Ended)
    }

    /// Looks who is still there.
    async fn look(&mut self, is_connected: bool) -> Result<(), Ended> {
        let now = Instant::now();
        self.liveness.hears(is_connected, now);
        self.gone = match is_connected {
            true => None,
            false => self.gone.or(Some(now)),
        };
        let grace = Duration::from_millis(self.followed.assigned.orphan_grace_ms);
        if self
            .gone
            .is_some_and(|since| since.elapsed() > grace + GONE)
        {
            let limit = humantime::format_duration(grace + GONE);
            let why = format!(
                "the NATS server is gone for {limit}\nhint: `wsbench attach {}` finishes the report when it is back",
                self.followed.run
            );
            self.tell(News::Broken(why)).await?;
            return Err(Ended);
        }
        Ok(())
    }

    /// Whom the stream has to be asked about once more, unless that goes on already.
    fn wonders(&mut self) -> Option<Vec<usize>> {
        let doubtful = self.doubtful().into_iter();
        let doubtful: Vec<usize> = doubtful.map(|(index, ..)| index).collect();
        if doubtful.is_empty() || self.reads_again {
            return None;
        }
        self.reads_again = true;
        Some(doubtful)
    }

    /// Who seems to be lost, since when and why. Each may have told all, in what was not read yet.
    fn doubtful(&self) -> Vec<(usize, Timestamp, &'static str)> {
        let silent = self.liveness.lost(Instant::now()).into_iter();
        let mut all: Vec<_> = silent
            .map(|(index, sign)| {
                let at = Timestamp::of(sign, self.followed.origin);
                (index, at, "it gave no sign of life any more")
            })
            .collect();
        let (is_overdue, settles_late) = (self.is_overdue(), self.settles_late());
        for index in (0..self.is_over.len()).filter(|index| !self.is_over[*index]) {
            if is_overdue {
                all.push((index, self.now(), "it did not end when it had to"));
            } else if settles_late && self.agents[index].settled.is_none() {
                let why = "its connections were neither open nor failed when they had to be";
                all.push((index, self.now(), why));
            }
        }
        // The first reason counts.
        let mut seen = BTreeSet::new();
        all.retain(|(index, ..)| seen.insert(*index));
        all
    }

    /// Whether all agents had to be done by now. While the broker is gone nobody can say so.
    fn is_overdue(&self) -> bool {
        let orders = *self.followed.orders.borrow();
        let to = orders.windows.map(|(_, to)| to);
        let ends = to.into_iter().chain(orders.cut_short).min();
        let planned = ends.map(|end| end + (self.followed.overtime + OVERDUE).into());
        self.is_past(planned.into_iter().chain(self.drained_by()).min())
    }

    /// When all agents have to be done after an interrupt.
    fn drained_by(&self) -> Option<Timestamp> {
        let drained_by = self.followed.orders.borrow().drained_by;
        drained_by.map(|by| by + OVERDUE_INTERRUPTED.into())
    }

    /// Whether measuring waits for openings that had to be over by now.
    fn settles_late(&self) -> bool {
        let waits = self.followed.orders.borrow().windows.is_none();
        let by = self.followed.ramp_up + self.followed.overtime + OVERDUE;
        waits && self.is_past(Some(Timestamp::ORIGIN + by.into()))
    }

    fn is_past(&self, by: Option<Timestamp>) -> bool {
        self.gone.is_none() && by.is_some_and(|by| self.now() > by)
    }
}

/// Passes orders on to the agents, until the broker keeps them.
async fn pass_on(broker: Broker, run: RunId, steady: Steady, mut orders: watch::Receiver<Orders>) {
    let mut passed = *orders.borrow_and_update();
    while orders.changed().await.is_ok() {
        loop {
            let all = *orders.borrow_and_update();
            let kind = match all.windows == passed.windows {
                true => Kind::Stop,
                false => Kind::Windows,
            };
            let ordered = encode(&Ordered {
                orders: all,
                given_up: None,
            });
            let id = format!("{run}.orders.{}", steady.now_ns());
            let subject = Subject::to_all(&run, kind);
            if is_kept(broker.publish(&subject, &id, ordered.into(), CALL).await) {
                passed = all;
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
