//! Who leads a run: from the search for agents to the first dial. What comes after is [`Following`].

use std::future::Future;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use super::agent::CALL;
use super::error::FleetError;
use super::following::{Followed, Following};
use super::gather::{Found, Taker, gather};
use super::message::{Assigned, Offer, Ordered, Origin, Ready, Seat, Start, decode, encode};
use super::signs::offsets;
use super::steady::Steady;
use crate::cluster::{AgentId, Broker, Error, Feed, Kind, Limits, Link, Offset, RunId, Subject};
use crate::engine::{Led, News, Orders};
use crate::measure::Layout;
use crate::units::Nanos;

/// The least time from an order to when it holds.
const NOTICE: Nanos = Nanos::from_millis(500);
/// How many of the longest round trips that time has at least.
const ROUND_TRIPS: u64 = 10;
/// The least time from the start being named to the first dial.
const LEAD: Duration = Duration::from_secs(1);
/// How much of what agents tell waits for the engine.
const NEWS: usize = 64;
/// The time between two looks at whether somebody wants to leave.
const LOOK: Duration = Duration::from_millis(20);

/// Who leads a run that did not begin yet.
#[derive(Debug)]
pub struct Coordinator {
    /// Lets the agents go that wait for a start that will not come; before the link, which it needs.
    awaited: Option<Awaited>,
    link: Link,
    run: RunId,
    steady: Steady,
    address: String,
    found: Found,
    offsets: Vec<Offset>,
}

/// A run that begins.
#[derive(Debug)]
pub struct Started {
    /// How agents are reached, for the engine.
    pub led: Led,
    /// What goes on beside it.
    pub following: Following,
}

/// What the engine must know of a plan.
#[derive(Debug)]
pub struct Asked {
    /// Of its shards.
    pub layout: Layout,
    /// What is known of its course beforehand.
    pub orders: Orders,
    /// How long after the first dial all openings are planned, where measuring waits for them.
    pub ramp_up: Duration,
    /// The longest that connections can take to open after that, or to end after the load.
    pub overtime: Duration,
}

impl Coordinator {
    /// Makes the stream where it is not there.
    ///
    /// # Errors
    /// When the broker does not permit it, or has no log.
    pub fn new(link: Link, run: RunId, address: String) -> Result<Self, FleetError> {
        let everything = Subject::everything(&run);
        link.call(|broker| async move {
            match broker.follow(&everything, CALL).await {
                Ok(_) => Ok(()),
                Err(Error::Missing(_)) => broker.init(Limits::default(), CALL).await.map(drop),
                Err(error) => Err(error),
            }
        })?;
        Ok(Self {
            awaited: None,
            link,
            run,
            steady: Steady::start(),
            address,
            found: Found::default(),
            offsets: Vec::new(),
        })
    }

    /// The run.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// Finds so many agents that take a share. Returns how many workers they have in all.
    ///
    /// # Errors
    /// When they are not there in time, or `leaves` says so.
    pub fn gather(
        &mut self,
        offer: Offer,
        wanted: usize,
        within: Duration,
        leaves: &dyn Fn() -> bool,
    ) -> Result<u32, FleetError> {
        let begun = Instant::now();
        let until = begun + within;
        let broker = self.link.broker().clone();
        self.awaited = Some(Awaited {
            broker: broker.clone(),
            handle: self.link.handle().clone(),
            run: self.run.clone(),
        });
        let work = async move {
            let mut found = Found::default();
            let all = gather(&broker, &offer, wanted, until, &mut found).await?;
            Ok((found, all))
        };
        let (found, all) = until_left(self.link.handle(), leaves, work)?;
        self.found = found;
        if !all {
            return Err(FleetError::Missing {
                wanted,
                taken: (self.found.takers.iter())
                    .map(|taker| taker.name.clone())
                    .collect(),
                // It may have ended earlier, as nobody else came.
                within: within.min(begun.elapsed()),
                refused: self.found.refusals(),
                address: self.address.clone(),
            });
        }
        let workers = self.found.takers.iter().map(|taker| taker.machine.workers);
        Ok(workers.fold(0, u32::saturating_add))
    }

    /// The shares of the agents, in the order of their numbers.
    pub fn seats(&self) -> Vec<Seat> {
        let mut first = 0;
        let seat = |taker: &Taker| {
            let seat = Seat {
                agent: taker.id.to_string(),
                name: taker.name.clone(),
                first,
                machine: taker.machine.clone(),
            };
            first += taker.machine.workers;
            seat
        };
        self.found.takers.iter().map(seat).collect()
    }

    /// Tells the agents what each of them plays, waits until all are ready, and compares their clocks.
    ///
    /// # Errors
    /// When one cannot, or is not in time.
    pub fn plan(
        &mut self,
        assigned: &Assigned,
        within: Duration,
        leaves: &dyn Fn() -> bool,
    ) -> Result<(), FleetError> {
        let until = Instant::now() + within;
        let (broker, run, steady) = (self.link.broker().clone(), self.run.clone(), self.steady);
        let bytes = encode(assigned);
        let seats = assigned.seats.clone();
        let takers = self.found.takers.iter();
        let ids: Vec<Option<AgentId>> = takers.map(|taker| Some(taker.id.clone())).collect();
        self.offsets = until_left(self.link.handle(), leaves, async move {
            let plan = Subject::to_all(&run, Kind::Plan);
            let id = format!("{run}.plan");
            broker.publish(&plan, &id, bytes.into(), CALL).await?;
            let mut feed = broker.follow(&Subject::everything(&run), CALL).await?;
            ready(&mut feed, &seats, until).await?;
            let offsets = offsets(&broker, &ids, steady).await;
            let failed = |(seat, offset): (&Seat, &Result<Offset, Error>)| {
                let error = offset.as_ref().err()?;
                Some((seat.name.clone(), format!("failed to {error}")))
            };
            let failed: Vec<_> = seats.iter().zip(&offsets).filter_map(failed).collect();
            match failed.is_empty() {
                true => Ok(offsets.into_iter().flatten().collect()),
                false => Err(FleetError::NotReady(failed)),
            }
        })?;
        Ok(())
    }

    /// Names the first dial to all agents. It is in the future.
    ///
    /// # Errors
    /// When they cannot be told.
    pub fn start(mut self, assigned: Assigned, asked: Asked) -> Result<Started, FleetError> {
        let longest = self.offsets.iter().map(|offset| offset.bound_ns).max();
        let round_trip = Nanos(longest.unwrap_or_default()) * 2;
        let notice = NOTICE.max(round_trip * ROUND_TRIPS);
        let lead = LEAD + Duration::from(notice);
        let at_ns = self.steady.now_ns() + lead.as_nanos() as u64;
        let origin_of = |offset: &Offset| Origin {
            at_ns: at_ns.saturating_add_signed(offset.ns),
            bound_ns: offset.bound_ns,
        };
        let start = encode(&Start {
            wall_ns: at_ns,
            origins: self.offsets.iter().map(origin_of).collect(),
            notice_ns: notice.0,
        });
        let run = self.run.clone();
        self.link.call(|broker| async move {
            let subject = Subject::to_all(&run, Kind::Start);
            let id = format!("{run}.start");
            broker.publish(&subject, &id, start.into(), CALL).await
        })?;
        if let Some(awaited) = self.awaited.take() {
            awaited.begins();
        }
        let origin = self.steady.instant(at_ns).unwrap_or_else(Instant::now);
        let offsets = self.offsets.into_iter().map(Some).collect();
        Ok(follow(
            self.link,
            Begun {
                run: self.run,
                assigned,
                origin,
                notice,
                steady: self.steady,
                offsets,
            },
            asked,
        ))
    }
}

/// A run whose first dial is named.
pub(super) struct Begun {
    pub(super) run: RunId,
    pub(super) assigned: Assigned,
    pub(super) origin: Instant,
    pub(super) notice: Nanos,
    pub(super) steady: Steady,
    pub(super) offsets: Vec<Option<Offset>>,
}

/// Begins to follow a run.
pub(super) fn follow(link: Link, begun: Begun, asked: Asked) -> Started {
    let orders = watch::Sender::new(asked.orders);
    let (tell, news) = mpsc::channel::<News>(NEWS);
    let led = Led {
        agents: begun.assigned.seats.len(),
        all_workers: begun.assigned.workers as usize,
        origin: begun.origin,
        notice: begun.notice,
        known: asked.orders,
        orders: orders.clone(),
        news,
    };
    let followed = Followed {
        run: begun.run,
        assigned: begun.assigned,
        layout: asked.layout,
        origin: begun.origin,
        steady: begun.steady,
        offsets: begun.offsets,
        orders: orders.subscribe(),
        news: tell,
        ramp_up: asked.ramp_up,
        overtime: asked.overtime,
    };
    Started {
        led,
        following: Following::begin(link, followed),
    }
}

/// Does something on the connection's thread, until it is done or `leaves` says so.
pub(super) fn until_left<T: Send + 'static>(
    handle: &Handle,
    leaves: &dyn Fn() -> bool,
    work: impl Future<Output = Result<T, FleetError>> + Send + 'static,
) -> Result<T, FleetError> {
    let (tell, told) = sync_channel(1);
    let task = handle.spawn(async move {
        let _ = tell.send(work.await);
    });
    loop {
        match told.recv_timeout(LOOK) {
            Ok(done) => return done,
            Err(RecvTimeoutError::Timeout) if !leaves() => {}
            Err(RecvTimeoutError::Timeout) => {
                task.abort();
                return Err(FleetError::Interrupted);
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::Thread("it has ended".to_owned()).into());
            }
        }
    }
}

/// Waits until all agents have said that they can begin.
async fn ready(feed: &mut Feed, seats: &[Seat], until: Instant) -> Result<(), FleetError> {
    let mut said: Vec<Option<Ready>> = vec![None; seats.len()];
    while said.iter().any(Option::is_none) {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() || said.iter().flatten().any(|ready| ready.refused.is_some()) {
            break;
        }
        let Some(entry) = feed.next(left).await? else {
            continue;
        };
        let number = match Subject::parse(&entry.subject) {
            Some((_, Kind::Ready, Some(number))) => number,
            Some((_, Kind::Stop, _)) => return Err(FleetError::Stopped),
            _ => continue,
        };
        let index = (number as usize).wrapping_sub(1);
        let ready = decode::<Ready>(&entry.payload)?;
        if seats
            .get(index)
            .is_some_and(|seat| seat.agent == ready.agent)
        {
            said[index] = Some(ready);
        }
    }
    let of_seat = |(seat, said): (&Seat, &Option<Ready>)| match said {
        Some(Ready { refused: None, .. }) => None,
        Some(Ready {
            refused: Some(why), ..
        }) => Some((seat.name.clone(), why.clone())),
        None => Some((seat.name.clone(), "it was not ready in time".to_owned())),
    };
    // Who had no time to answer is not to blame for the refusal of another.
    let refused: Vec<(String, String)> =
        match said.iter().flatten().any(|one| one.refused.is_some()) {
            true => {
                let both = seats.iter().zip(&said).filter(|(_, said)| said.is_some());
                both.filter_map(of_seat).collect()
            }
            false => seats.iter().zip(&said).filter_map(of_seat).collect(),
        };
    match refused.is_empty() {
        true => Ok(()),
        false => Err(FleetError::NotReady(refused)),
    }
}

/// Agents that wait for a start.
#[derive(Debug)]
struct Awaited {
    broker: Broker,
    handle: Handle,
    run: RunId,
}

impl Awaited {
    /// The start has come.
    fn begins(self) {
        std::mem::forget(self);
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        let (broker, run) = (self.broker.clone(), self.run.clone());
        let (tell, told) = sync_channel(1);
        self.handle.spawn(async move {
            let given_up = encode(&Ordered {
                orders: Orders::default(),
                given_up: Some("its coordinator gave it up before its start".to_owned()),
            });
            let subject = Subject::to_all(&run, Kind::Stop);
            let id = format!("{run}.given-up");
            // Where they cannot be told, they wait as long as they said they would.
            let _ = broker.publish(&subject, &id, given_up.into(), CALL).await;
            let _ = tell.send(());
        });
        let _ = told.recv_timeout(CALL);
    }
}
