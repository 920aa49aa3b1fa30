//! What the stream keeps of a run, for who takes it over or ends it from elsewhere.

use std::collections::BTreeSet;
use std::time::Instant;

use super::agent::CALL;
use super::coordinator::{Asked, Begun, Started, follow, until_left};
use super::error::FleetError;
use super::joined::are_possible;
use super::message::{Assigned, Ordered, Start, decode, encode};
use super::signs::offsets;
use super::steady::Steady;
use crate::cluster::{AgentId, Kind, Link, Offset, RunId, Subject};
use crate::engine::{Command, Orders};
use crate::units::{Nanos, Timestamp};

/// A run that somebody began.
#[derive(Debug)]
pub struct Past {
    link: Link,
    run: RunId,
    /// Who plays what.
    pub assigned: Assigned,
    start: Option<Start>,
    /// All orders so far.
    pub orders: Orders,
    given_up: bool,
    /// The numbers of the agents that have told all.
    done: BTreeSet<u32>,
}

impl Past {
    /// Reads what the stream keeps of a run.
    ///
    /// # Errors
    /// When it keeps nothing of it, or cannot be read.
    pub fn read(link: Link, run: RunId, leaves: &dyn Fn() -> bool) -> Result<Self, FleetError> {
        let (broker, name) = (link.broker().clone(), run.clone());
        let read = until_left(link.handle(), leaves, async move {
            let mut feed = broker.follow(&Subject::everything(&name), CALL).await?;
            let (mut assigned, mut start) = (None, None);
            let (mut orders, mut given_up) = (Orders::default(), false);
            let mut done = BTreeSet::new();
            let mut pending = feed.pending;
            while pending > 0 {
                let Some(entry) = feed.next(CALL).await? else {
                    break;
                };
                pending = entry.pending;
                match Subject::parse(&entry.subject) {
                    Some((_, Kind::Plan, _)) => {
                        assigned = Some(decode::<Assigned>(&entry.payload)?)
                    }
                    Some((_, Kind::Start, _)) => start = Some(decode::<Start>(&entry.payload)?),
                    Some((_, Kind::Done, number)) => done.extend(number),
                    Some((_, Kind::Windows | Kind::Stop, _)) => {
                        let all = decode::<Ordered>(&entry.payload)?;
                        given_up |= all.given_up.is_some();
                        if are_possible(&all.orders) {
                            orders.merge(&all.orders);
                        }
                    }
                    _ => {}
                }
            }
            Ok((assigned, start, orders, given_up, done))
        })?;
        let (assigned, start, orders, given_up, done) = read;
        let no_plan = || match given_up {
            true => FleetError::NeverBegan(run.to_string()),
            false => FleetError::Unknown(run.to_string()),
        };
        Ok(Self {
            assigned: assigned.ok_or_else(no_plan)?,
            start,
            orders,
            given_up,
            done,
            link,
            run,
        })
    }

    /// When it began, in nanoseconds since 1970 by the clock of who began it.
    pub fn wall_ns(&self) -> Option<u64> {
        self.start.as_ref().map(|start| start.wall_ns)
    }

    /// Whether all agents have told all.
    pub fn is_over(&self) -> bool {
        self.done.len() >= self.assigned.seats.len()
    }

    /// Takes the run over: all that was told so far is told again.
    ///
    /// # Errors
    /// When it never began.
    pub fn take_over(self, asked: Asked, leaves: &dyn Fn() -> bool) -> Result<Started, FleetError> {
        let Some(start) = self.start.filter(|_| !self.given_up) else {
            return Err(FleetError::NeverBegan(self.run.to_string()));
        };
        let steady = Steady::start();
        let seats = &self.assigned.seats;
        let ids: Vec<Option<AgentId>> = seats.iter().map(|seat| seat.agent.parse().ok()).collect();
        let broker = self.link.broker().clone();
        let offsets: Vec<Option<Offset>> = until_left(self.link.handle(), leaves, async move {
            let offsets = offsets(&broker, &ids, steady).await;
            Ok(offsets.into_iter().map(Result::ok).collect())
        })?;
        // The first dial by this clock: by the agent that answers the quickest, or else by the wall clocks.
        let known = offsets.iter().zip(&start.origins);
        let known = known.filter_map(|(offset, origin)| offset.map(|offset| (offset, origin)));
        let quickest = known.min_by_key(|(offset, _)| offset.bound_ns);
        let at_ns = match quickest {
            Some((offset, origin)) => origin.at_ns.saturating_add_signed(-offset.ns),
            None => start.wall_ns,
        };
        let origin = steady.instant(at_ns).unwrap_or_else(Instant::now);
        let mut orders = asked.orders;
        orders.merge(&self.orders);
        let begun = Begun {
            run: self.run,
            assigned: self.assigned,
            origin: origin.min(Instant::now()),
            notice: Nanos(start.notice_ns),
            steady,
            offsets,
        };
        Ok(follow(self.link, begun, Asked { orders, ..asked }))
    }

    /// Ends the run everywhere, as an interrupt of its coordinator would. Before its start it is given up.
    ///
    /// # Errors
    /// When the agents cannot be told.
    pub fn stop(self, why: &str) -> Result<(), FleetError> {
        let mut orders = self.orders;
        let wall_ns = Steady::start().now_ns();
        if let Some(start) = &self.start {
            let since = Nanos(wall_ns.saturating_sub(start.wall_ns));
            let at = Timestamp::ORIGIN + since + Nanos(start.notice_ns);
            orders.add(Command::Interrupt {
                at,
                drained_by: at + Nanos::from_secs(2),
            });
        }
        let ordered = encode(&Ordered {
            orders,
            given_up: self.start.is_none().then(|| why.to_owned()),
        });
        let run = self.run;
        self.link.call(|broker| async move {
            let subject = Subject::to_all(&run, Kind::Stop);
            let id = format!("{run}.stop.{wall_ns}");
            broker.publish(&subject, &id, ordered.into(), CALL).await
        })?;
        Ok(())
    }
}
