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
    missed: VecDeque<Ping>,
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
            missed: VecDeque::new(),
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
        let oldest = self.outstanding.front().or_else(|| self.missed.front());
        oldest.map_or(self.sequence, |ping| ping.sequence)
    }

    /// Handles an answer that names no ping, as in text heartbeats. It is matched to the oldest ping that was not
    /// missed, or to a missed one if there is no other. So a lost answer is one missed ping, whatever comes after.
    pub(super) fn pong_in_order(&mut self, now: Timestamp) -> Pong {
        self.is_mixed = self.is_uncertain();
        let pong = match self.outstanding.front().or_else(|| self.missed.front()) {
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
                self.missed.pop_front();
            }
            self.missed.push_back(ping);
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
mod tests {
    use super::*;
    use crate::scenario::{Gaps, Phase, PingKind};
    use crate::units::after;
    use std::time::Duration;

    const S: Nanos = Nanos::from_secs(1);

    fn heart(max_missed: u32, alive_on: AliveOn) -> Heart {
        of_kind(PingKind::Frames, max_missed, alive_on)
    }

    fn text(max_missed: u32) -> Heart {
        of_kind(PingKind::texts("?", "!"), max_missed, AliveOn::Pong)
    }

    fn of_kind(kind: PingKind, max_missed: u32, alive_on: AliveOn) -> Heart {
        let pings = Pings {
            interval: Duration::from_secs(10),
            phase: Phase::Aligned,
            kind,
            watch: Some(Watch {
                timeout: Duration::from_secs(4),
                max_missed,
                alive_on,
            }),
        };
        let pacer = Pacer::new(
            10.0 * S.0 as f64,
            Gaps::Constant,
            Phase::Aligned,
            0,
            0,
            Timestamp::ORIGIN,
        );
        Heart::new(&pings, pacer, Timestamp::from_nanos(1))
    }

    #[test]
    fn a_pong_in_time_keeps_the_peer_alive() {
        let mut heart = heart(1, AliveOn::Pong);
        assert_eq!(heart.next_ping(), after(10 * S));
        let sequence = heart.ping(after(10 * S));
        assert_eq!(heart.deadline(), after(14 * S));
        let pong = Pong::InTime {
            intended: after(10 * S),
            rtt: S,
        };
        assert_eq!(heart.pong(sequence, after(11 * S)), pong);
        assert_eq!(heart.expire(after(14 * S), None, Timestamp::NEVER), None);
        assert_eq!(heart.next_ping(), after(20 * S));
    }

    #[test]
    fn so_many_in_a_row_and_the_peer_is_dead_once() {
        let mut heart = heart(2, AliveOn::Pong);
        let mut deaths = Vec::new();
        for time in [10 * S, 20 * S, 30 * S] {
            heart.ping(after(time));
            assert_eq!(
                heart.expire(
                    after((time + 4 * S).saturating_sub(Nanos(1))),
                    None,
                    Timestamp::NEVER
                ),
                None
            );
            deaths.push(
                heart
                    .expire(after(time + 4 * S), None, Timestamp::NEVER)
                    .unwrap()
                    .dead,
            );
        }
        assert_eq!(deaths, [false, true, false]);
        assert_eq!(heart.silent_since(), Some(after(10 * S)));
    }

    #[test]
    fn a_late_pong_is_late_and_a_sign_of_life() {
        let mut heart = heart(2, AliveOn::Pong);
        let first = heart.ping(after(10 * S));
        heart.expire(after(14 * S), None, Timestamp::NEVER).unwrap();
        let late = Pong::Late {
            intended: after(10 * S),
            rtt: 5 * S,
        };
        assert_eq!(heart.pong(first, after(15 * S)), late);
        assert_eq!((heart.missed_in_row(), heart.silent_since()), (0, None));
        assert_eq!(heart.pong(first, after(16 * S)), Pong::Unsolicited);
    }

    #[test]
    fn a_pong_that_is_looked_at_late_is_late_and_a_sign_of_life() {
        let mut heart = heart(1, AliveOn::Pong);
        let sequence = heart.ping(after(10 * S));
        let overdue = Pong::Overdue {
            intended: after(10 * S),
            rtt: 4 * S,
        };
        assert_eq!(heart.pong(sequence, after(14 * S)), overdue);
        assert_eq!(heart.expire(after(14 * S), None, Timestamp::NEVER), None);
    }

    #[test]
    fn a_pong_acknowledges_all_earlier_pings() {
        let mut heart = heart(1, AliveOn::Pong);
        let first = heart.ping(after(10 * S));
        let second = heart.ping(after(11 * S));
        assert!(matches!(
            heart.pong(second, after(12 * S)),
            Pong::InTime { .. }
        ));
        assert!(heart.is_settled(Timestamp::NEVER));
        assert_eq!(heart.pong(first, after(12 * S)), Pong::Unsolicited);
    }

    #[test]
    fn any_traffic_counts_only_where_it_is_asked_for() {
        let mut any = heart(1, AliveOn::Any);
        any.ping(after(10 * S));
        assert_eq!(
            any.expire(after(14 * S), Some(after(12 * S)), Timestamp::NEVER),
            None
        );
        any.ping(after(20 * S));
        assert!(
            any.expire(after(24 * S), Some(after(12 * S)), Timestamp::NEVER)
                .unwrap()
                .dead
        );
        let mut pong = heart(1, AliveOn::Pong);
        pong.ping(after(10 * S));
        assert!(
            pong.expire(after(14 * S), Some(after(12 * S)), Timestamp::NEVER)
                .unwrap()
                .dead
        );
    }

    #[test]
    fn a_ping_that_was_sent_late_has_its_whole_timeout() {
        let mut heart = heart(1, AliveOn::Pong);
        heart.ping(after(35 * S));
        assert_eq!(heart.deadline(), after(39 * S));
        assert_eq!(heart.next_ping(), after(40 * S));
    }

    #[test]
    fn a_deadline_that_was_looked_at_late_is_put_off_once() {
        let mut heart = heart(1, AliveOn::Pong);
        let sequence = heart.ping(after(10 * S));
        assert_eq!(heart.expire(after(20 * S), None, Timestamp::NEVER), None);
        assert_eq!(heart.deadline(), Timestamp::from_nanos(20_400_000_000));
        let mut answered = heart.clone();
        let rtt = 10 * S + Nanos(1);
        let overdue = Pong::Overdue {
            intended: after(10 * S),
            rtt,
        };
        assert_eq!(answered.pong(sequence, after(20 * S + Nanos(1))), overdue);
        assert!(
            heart
                .expire(after(30 * S), None, Timestamp::NEVER)
                .unwrap()
                .dead
        );
    }

    #[test]
    fn without_a_name_the_oldest_that_was_not_missed_is_answered() {
        let mut heart = text(3);
        heart.ping(after(10 * S));
        heart.expire(after(14 * S), None, Timestamp::NEVER).unwrap();
        heart.ping(after(17 * S));
        assert!(heart.is_uncertain());
        assert!(matches!(
            heart.pong_in_order(after(18 * S)),
            Pong::InTime { .. }
        ));
        assert!(heart.is_uncertain());
        assert!(matches!(
            heart.pong_in_order(after(18 * S)),
            Pong::Late { .. }
        ));
        assert!(!heart.is_uncertain());
    }

    #[test]
    fn an_answer_too_many_makes_text_heartbeats_uncertain_until_it_is_quiet() {
        let mut heart = text(3);
        heart.ping(after(10 * S));
        let in_time = heart.pong_in_order(after(11 * S));
        assert!(matches!(in_time, Pong::InTime { .. }));
        assert!(!heart.is_uncertain());
        assert_eq!(heart.pong_in_order(after(12 * S)), Pong::Unsolicited);
        heart.ping(after(15 * S));
        assert!(heart.is_uncertain(), "4 s are not over since 12 s");
        heart.pong_in_order(after(16 * S));
        heart.ping(after(20 * S));
        assert!(!heart.is_uncertain());
    }

    #[test]
    fn text_heartbeats_are_certain_again_after_a_quiet_timeout() {
        let mut heart = text(3);
        heart.ping(after(10 * S));
        heart.expire(after(14 * S), None, Timestamp::NEVER).unwrap();
        heart.ping(after(17 * S));
        heart.pong_in_order(after(18 * S));
        assert!(heart.is_uncertain());
        heart.ping(after(22 * S));
        assert!(!heart.is_uncertain());
        heart.expire(after(26 * S), None, Timestamp::NEVER).unwrap();
        assert!(!heart.is_uncertain(), "only one can still come");
        assert!(matches!(
            heart.pong_in_order(after(27 * S)),
            Pong::Late { .. }
        ));
    }
}
