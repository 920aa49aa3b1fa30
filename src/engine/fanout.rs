//! Fan-out on one worker: who is in which topic, what is published, and what is heard.

use std::cell::RefCell;

use super::play::{Due, Move, Moves};
use super::shared::Shared;
use crate::measure::{Audience, Heard, Listener, Receipt, second_before};
use crate::metric::{Counter, Timer};
use crate::plan::{ClientPlan, Plan, Publication, Published, TopicFinder, TopicStamp};
use crate::units::{Nanos, Timestamp};

/// How long after it is ready, or after a step that nothing answers, a connection is a member: a server may not have put
/// it into its rooms yet.
const SETTLING: Nanos = Nanos::from_millis(100);

/// What one worker needs for fan-out.
pub(super) struct Fanout {
    /// The number of the worker.
    lane: u8,
    finder: TopicFinder,
    audience: RefCell<Audience>,
}

/// A published message that a connection heard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivery {
    /// The position of its stamp.
    pub(super) at: usize,
    /// Whether this connection published it and waits until it comes back.
    pub(super) may_answer: bool,
}

impl Fanout {
    /// The most workers: their numbers stand in stamps.
    pub(super) const MAX_LANES: usize = 256;

    /// Makes what a worker needs; `None` if the plan publishes nothing.
    pub(super) fn new(plan: &Plan, worker: usize) -> Option<Self> {
        let (topics, cohorts) = (&plan.topics, plan.scenario.cohorts.len());
        let audience = || Audience::new(topics.patience(), topics.names().len(), cohorts);
        (!topics.is_silent()).then(|| Self {
            lane: worker as u8,
            finder: TopicFinder::new(plan.run),
            audience: RefCell::new(audience()),
        })
    }
}

impl Shared {
    /// A connection is open: returns its memberships, which begin when it is ready; `None` if the plan publishes nothing.
    pub(super) fn listener(&self, cohort: usize, connection: u32) -> Option<Box<Listener>> {
        let audience = &*self.fanout.as_ref()?.audience.borrow();
        let mut listener = Listener::new(cohort as u8);
        let place = self.plan.place(cohort, connection);
        for topic in self.plan.topics.joins(cohort, place) {
            listener.joining(topic, audience);
        }
        Some(Box::new(listener))
    }

    /// A connection is ready, and so a member of its topics.
    pub(super) fn join(&self, client: ClientPlan<'_>, listener: &mut Listener, now: Timestamp) {
        if let Some(fanout) = &self.fanout {
            let audience = &mut *fanout.audience.borrow_mut();
            let place = self.plan.place(client.cohort, client.connection);
            for topic in self.plan.topics.joins(client.cohort, place) {
                listener.join(topic, now + SETTLING, now, audience);
            }
        }
    }

    /// Steps of a connection were sent or done: it leaves and joins topics by them.
    #[inline(never)]
    pub(super) fn moves(
        &self,
        client: ClientPlan<'_>,
        moves: &mut Moves,
        listener: Option<&mut Listener>,
        now: Timestamp,
    ) {
        let (Some(fanout), Some(listener)) = (&self.fanout, listener) else {
            return moves.clear();
        };
        let audience = &mut *fanout.audience.borrow_mut();
        let topics = &self.plan.topics;
        let place = self.plan.place(client.cohort, client.connection);
        for one in moves.drain(..) {
            let slot = match one {
                Move::Sent { slot, .. } | Move::Armed(slot) | Move::Done(slot) => slot,
            };
            if let Move::Sent { .. } = one {
                for topic in topics.left_by(client.cohort, slot, place) {
                    listener.leave(topic, now, audience);
                }
            }
            for topic in topics.joined_by(client.cohort, slot, place) {
                match one {
                    Move::Sent {
                        is_answered: false, ..
                    } => listener.join(topic, now + SETTLING, now, audience),
                    Move::Sent { .. } | Move::Armed(_) => listener.joining(topic, audience),
                    Move::Done(_) => listener.join(topic, now, now, audience),
                }
            }
        }
    }

    /// A connection ends.
    pub(super) fn leave(&self, listener: Option<&mut Listener>, now: Timestamp) {
        if let (Some(fanout), Some(listener)) = (&self.fanout, listener) {
            listener.leave_all(now, &mut fanout.audience.borrow_mut());
        }
    }

    /// A message is sent: returns its place among those that are published; `None` if it is not.
    #[inline]
    pub(super) fn publish(
        &self,
        client: ClientPlan<'_>,
        due: &Due,
        listener: Option<&mut Listener>,
        now: Timestamp,
    ) -> Option<Published> {
        let fanout = self.fanout.as_ref()?;
        self.publish_by(fanout, client, due, listener, now)
    }

    #[inline(never)]
    fn publish_by(
        &self,
        fanout: &Fanout,
        client: ClientPlan<'_>,
        due: &Due,
        listener: Option<&mut Listener>,
        now: Timestamp,
    ) -> Option<Published> {
        let ClientPlan {
            cohort, connection, ..
        } = client;
        let topics = &self.plan.topics;
        let message = topics.number(cohort, due.slot)?;
        let place = self.plan.place(cohort, connection);
        let (publication, topic) = topics.publication(cohort, message, place)?;
        let speaker = listener.filter(|_| !publication.comes_back);
        let mut audience = fanout.audience.borrow_mut();
        let number = audience.publish(topic, due.intended, now, speaker);
        self.record(cohort, second_before(due.intended), |cells| {
            cells.count(Counter::DeliveryPublished);
        });
        Some(Published {
            message,
            lane: fanout.lane,
            number,
        })
    }

    /// A connection hears a message; `None` if it was not published in this run.
    pub(super) fn hear(
        &self,
        client: ClientPlan<'_>,
        listener: &mut Listener,
        bytes: &[u8],
        now: Timestamp,
    ) -> Option<Delivery> {
        let fanout = self.fanout.as_ref()?;
        let (at, stamp) = fanout.finder.find(bytes, now)?;
        let is_own = stamp.connection == client.connection;
        let (publication, heard) = self.heard(&stamp, is_own)?;
        let receipt = listener.hear(&heard, now, &mut fanout.audience.borrow_mut())?;
        self.record(
            client.cohort,
            second_before(heard.intended),
            |cells| match receipt {
                Receipt::Stray => cells.count(Counter::DeliveryStray),
                Receipt::Duplicate => cells.count(Counter::DeliveryDuplicated),
                Receipt::First {
                    is_late,
                    is_unsure,
                    is_unordered,
                } => {
                    cells.time(Timer::DeliveryLatency, now.saturating_since(heard.intended));
                    if is_unsure {
                        cells.count(Counter::DeliveryUnsure);
                    } else if is_late {
                        cells.count(Counter::DeliveryLate);
                    }
                    if is_unordered {
                        cells.count(Counter::DeliveryUnordered);
                    }
                }
            },
        );
        let may_answer = is_own && publication.is_expected_back;
        Some(Delivery { at, may_answer })
    }

    /// What a stamp says by the plan; `None` if the plan has no such message.
    fn heard(&self, stamp: &TopicStamp, is_own: bool) -> Option<(&Publication, Heard)> {
        let cohort = self.plan.cohort_of(stamp.connection)?;
        let place = self.plan.place(cohort, stamp.connection);
        let topics = &self.plan.topics;
        let (publication, topic) = topics.publication(cohort, stamp.message, place)?;
        let heard = Heard {
            topic,
            lane: stamp.lane,
            sequence: stamp.number,
            speaker: stamp.connection,
            is_returned: is_own && !publication.comes_back,
            intended: stamp.intended,
            timeout: publication.timeout,
        };
        Some((publication, heard))
    }

    /// Until when members stay after the end of the load, so that its last second counts.
    pub(super) fn listens_until(&self) -> Timestamp {
        const ALMOST: Nanos = Nanos(999_999_999);
        let end = self.state.end().saturating_add(ALMOST);
        second_before(end).saturating_add(self.plan.topics.patience())
    }

    /// Puts the seconds that are over into the shard; all, if the worker is done.
    pub(super) fn close_seconds(&self, is_done: bool) {
        let Some(fanout) = &self.fanout else {
            return;
        };
        let now = self.clock.now();
        let deliveries = &mut self.shard.borrow_mut().deliveries;
        let window = |time| self.window(time);
        (fanout.audience.borrow_mut()).hand_over(now, is_done, window, deliveries);
    }
}
