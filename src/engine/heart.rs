//! The heartbeat of one connection: when a ping is due, what a pong means, and when the peer is dead. Pure: takes the
//! time as an argument and sends nothing.

use std::collections::VecDeque;

use crate::plan::Pacer;
use crate::scenario::{AliveOn, Pings, Watch};
use crate::units::{Nanos, Timestamp};

/// Number of missed pings that are remembered, so that a late pong is not taken for an unsolicited one. Older ones are
/// forgotten.
const REMEMBERED: usize = 64;

/// The heartbeat of one open connection.
#[derive(Debug)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Heart {
    pacer: Pacer,
    /// How answers are judged; `None` if none is waited for.
    watch: Option<Watch>,
    sequence: u32,
    outstanding: VecDeque<Ping>,
    /// The oldest first.
    missed: Vec<Ping>,
    /// Pings are messages, and their answers do not name a ping.
    is_unnamed: bool,
    /// An answer was matched that may belong to another ping, and another answer may still come.
    is_mixed: bool,
    /// An answer came that no ping waited for, so an earlier one may have been taken for the answer to another ping.
    has_surplus: bool,
    /// Since when no pong is due and no answer came that no ping waited for, if none is due.
    quiet_since: Timestamp,
    missed_in_row: u32,
    /// When the first ping of the pings missed in a row was sent.
    silent_since: Option<Timestamp>,
    dead: bool,
    last_ping: Option<Timestamp>,
    last_pong: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ping {
    sequence: u32,
    intended: Timestamp,
    sent: Timestamp,
    /// When it counts as missed.
    due: Timestamp,
    /// The deadline was put off once, because it was checked too late.
    put_off: bool,
}

/// What a pong means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pong {
    /// It answers a ping, and all earlier ones (RFC 6455 section 5.5.3).
    InTime { intended: Timestamp, rtt: Nanos },
    /// It answers a ping that has been counted as missed.
    Late { intended: Timestamp, rtt: Nanos },
    /// It answers a ping whose deadline has passed but was not checked yet: counts as missed and late, but not as
    /// silence.
    Overdue { intended: Timestamp, rtt: Nanos },
    /// It answers no ping. RFC 6455 allows that (section 5.5.3).
    Unsolicited,
}

/// A ping whose deadline passed without a pong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Missed {
    /// When it should have been sent.
    pub(super) intended: Timestamp,
    /// Whether the peer is declared dead now, for the first time.
    pub(super) dead: bool,
}

impl Heart {
    /// Creates the heartbeat of a connection that was opened `now`.
    pub(super) fn new(pings: &Pings, mut pacer: Pacer, now: Timestamp) -> Self {
        pacer.skip_to(now);
        Self {
            pacer,
            watch: pings.watch,
            sequence: 0,
            outstanding: VecDeque::new(),
            missed: Vec::new(),
            is_unnamed: !pings.kind.is_named(),
            is_mixed: false,
            has_surplus: false,
            quiet_since: now,
            missed_in_row: 0,
            silent_since: None,
            dead: false,
            last_ping: None,
            last_pong: None,
        }
    }

    /// The longest time from a ping to its pong.
    fn timeout(&self) -> Nanos {
        (self.watch).map_or(Nanos::MAX, |watch| Nanos::from(watch.timeout))
    }

    /// How many pings wait for their pongs.
    pub(super) fn waiting(&self) -> u64 {
        self.outstanding.len() as u64
    }

    /// When the next ping is due.
    pub(super) fn next_ping(&self) -> Timestamp {
        self.pacer.next()
    }

    /// Records that a ping is sent; returns its sequence number. Skips schedule times that have passed meanwhile: one
    /// ping proves as much as three.
    pub(super) fn ping(&mut self, now: Timestamp) -> u32 {
        let timeout = self.timeout();
        let is_quiet =
            self.outstanding.is_empty() && now >= self.quiet_since.saturating_add(timeout);
        if self.is_unnamed && is_quiet {
            // Answers that did not come within a whole timeout are taken for lost: the next answer belongs to this
            // ping.
            self.missed.clear();
            self.is_mixed = false;
            self.has_surplus = false;
        }
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        if self.watch.is_some() {
            // Most connections have one ping under way at a time, for which the usual four places are too many.
            if self.outstanding.capacity() == 0 {
                self.outstanding.reserve_exact(1);
            }
            self.outstanding.push_back(Ping {
                sequence,
                intended: self.pacer.next(),
                sent: now,
                due: now.saturating_add(timeout),
                put_off: false,
            });
        }
        self.last_ping = Some(now);
        self.pacer.skip_to(now + Nanos(1));
        sequence
    }

    /// Handles a pong that names its ping.
    pub(super) fn pong(&mut self, sequence: u32, now: Timestamp) -> Pong {
        if let Some(place) = self.outstanding.iter().position(|p| p.sequence == sequence) {
            let ping = self.outstanding[place];
            self.outstanding.drain(..=place);
            self.quiet_since = now;
            self.alive(now);
            let (intended, rtt) = (ping.intended, now.saturating_since(ping.sent));
            return if rtt < self.timeout() {
                Pong::InTime { intended, rtt }
            } else {
                Pong::Overdue { intended, rtt }
            };
        }
        if let Some(place) = self.missed.iter().position(|p| p.sequence == sequence) {
            let ping = self.missed[place];
            self.missed.drain(..=place);
            self.alive(now);
            return Pong::Late {
                intended: ping.intended,
                rtt: now.saturating_since(ping.sent),
            };
        }
        Pong::Unsolicited
    }

    /// The ping that an answer which names none would be matched to; the next one if there is no such ping.
    pub(super) fn oldest(&self) -> u32 {
        let oldest = self.outstanding.front().or_else(|| self.missed.first());
        oldest.map_or(self.sequence, |ping| ping.sequence)
    }

    /// Handles an answer that names no ping, as in text heartbeats. It is matched to the oldest ping that was not
    /// missed, or to a missed one if there is no other. So a lost answer is one missed ping, whatever comes after.
    pub(super) fn pong_in_order(&mut self, now: Timestamp) -> Pong {
        self.is_mixed = self.is_uncertain();
        let pong = match self.outstanding.front().or_else(|| self.missed.first()) {
            Some(oldest) => self.pong(oldest.sequence, now),
            None => {
                self.has_surplus = true;
                self.quiet_since = now;
                Pong::Unsolicited
            }
        };
        self.is_mixed &= !self.missed.is_empty();
        pong
    }

    /// Returns whether an answer that names no ping may belong to another ping than [`Self::pong_in_order`] assumes.
    pub(super) fn is_uncertain(&self) -> bool {
        let open = self.missed.len() + self.outstanding.len();
        self.has_surplus || !self.missed.is_empty() && (self.is_mixed || open > 1)
    }

    fn alive(&mut self, now: Timestamp) {
        self.heard();
        self.last_pong = Some(now);
    }

    fn heard(&mut self) {
        self.missed_in_row = 0;
        self.silent_since = None;
    }

    /// When the oldest ping's deadline passes; `Timestamp::NEVER` if there is none.
    pub(super) fn deadline(&self) -> Timestamp {
        (self.outstanding.front()).map_or(Timestamp::NEVER, |ping| ping.due)
    }

    /// Gives up the oldest ping if its deadline has passed. `last_received` is when the last bytes came; messages are
    /// sent until `stop`. If this is called later than a tenth of the timeout after a deadline, the worker was stopped.
    /// Then it puts the deadline off once, by a tenth, because what came meanwhile may be unread or still in the relay.
    pub(super) fn expire(
        &mut self,
        now: Timestamp,
        last_received: Option<Timestamp>,
        stop: Timestamp,
    ) -> Option<Missed> {
        while self.deadline() <= now {
            let tenth = self.timeout() / 10;
            if let Some(ping) = self.outstanding.front_mut()
                && !ping.put_off
                && now.saturating_since(ping.due) > tenth
            {
                ping.put_off = true;
                ping.due = now + tenth;
                continue;
            }
            let ping = self.outstanding.pop_front()?;
            self.quiet_since = now;
            if self.missed.len() == REMEMBERED {
                self.missed.remove(0);
            }
            self.missed.push(ping);
            if self
                .watch
                .is_some_and(|watch| watch.alive_on == AliveOn::Any)
            {
                if last_received >= Some(ping.sent) {
                    self.heard();
                    continue;
                }
                // No answer to a message can be the sign of life any more, because none is sent.
                if ping.due > stop {
                    continue;
                }
            }
            self.missed_in_row += 1;
            self.silent_since.get_or_insert(ping.sent);
            let most = self.watch.map_or(u32::MAX, |watch| watch.max_missed);
            let dead = !self.dead && self.missed_in_row >= most;
            self.dead |= dead;
            return Some(Missed {
                intended: ping.intended,
                dead,
            });
        }
        None
    }

    /// Returns whether no pong is due for a ping that was due before `stop`.
    pub(super) fn is_settled(&self, stop: Timestamp) -> bool {
        (self.outstanding.front()).is_none_or(|ping| ping.intended >= stop)
    }

    /// Deadlines missed in a row.
    pub(super) fn missed_in_row(&self) -> u32 {
        self.missed_in_row
    }

    /// When the first of the pings missed in a row was sent; `None` if the last one was answered.
    pub(super) fn silent_since(&self) -> Option<Timestamp> {
        self.silent_since
    }

    /// When the last ping was sent and the last pong received.
    pub(super) fn last(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        (self.last_ping, self.last_pong)
    }
}

#[cfg(test)]
#[path = "heart_tests.rs"]
mod tests;
