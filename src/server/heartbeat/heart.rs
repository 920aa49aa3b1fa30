//! The heartbeat of one connection: when a ping is due, which pongs are missing, and whether the client is given up.
//! Uses no socket; the caller passes the time and what was seen.

use std::collections::VecDeque;
use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};

use super::policy::{Ends, Judges, Pings, Policy};
use crate::scenario::{HeartbeatWord, ServerHeartbeat};
use crate::server::schedule::Schedule;

/// The most pings whose pongs are watched at a time. Later pings are sent all the same: the first one decides.
const MAX_WATCHED: usize = 64;
/// How long to wait before checking again a client with an overdue pong and unread bytes, and how often to check. The
/// runtime gets one turn between two checks.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
const MAX_LOOKS: u32 = 64;
/// Makes the random phases independent of the choice of messages to drop.
const PHASES: u64 = 0x9e37_79b9_7f4a_7c15;

/// The heartbeat of one client.
#[derive(Debug)]
pub(in crate::server) struct Heart {
    policy: Policy,
    kind: HeartbeatWord,
    interval: Duration,
    timeout: Duration,
    schedule: Schedule,
    /// Added to the number of a ping, so that a pong cannot match by accident.
    salt: u64,
    /// The number of the last ping, from 1.
    last: u64,
    /// Pings without a pong, in order: the number, and when the pong is overdue.
    unanswered: VecDeque<(u64, Instant)>,
    /// Whether no write of the last ping has been tried yet.
    is_fresh: bool,
    looks: u32,
    /// When to check again, while a pong is overdue and may be among the unread bytes.
    look_at: Option<Instant>,
}

/// What is known of a client when its pong is overdue.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::server) struct ClientState {
    /// Whether bytes wait to be sent because the client has no room for them.
    pub(in crate::server) stuck: bool,
    /// Whether this server itself has paused reading.
    pub(in crate::server) busy: bool,
    /// Whether received bytes were not read yet.
    pub(in crate::server) unread: bool,
}

impl Heart {
    /// Creates the heart of a connection: `seed` is the connection's own, `started` is when the server started.
    pub(in crate::server) fn new(
        heartbeat: ServerHeartbeat,
        seed: u64,
        opened: Instant,
        started: Instant,
    ) -> Self {
        let mut dice = Xoshiro256PlusPlus::seed_from_u64(seed ^ PHASES);
        let policy = Policy::of(heartbeat.defect);
        let interval = heartbeat.interval;
        let first = match policy.pings {
            Pings::Apart => opened + interval.mul_f64(dice.random_range(0.5..=1.0)),
            Pings::Together => tick_after(opened, started, interval),
        };
        Self {
            policy,
            kind: heartbeat.kind,
            interval,
            timeout: heartbeat.timeout,
            schedule: Schedule::new(first, interval),
            salt: dice.random(),
            last: 0,
            unanswered: VecDeque::new(),
            is_fresh: false,
            looks: 0,
            look_at: None,
        }
    }

    /// When the next action is due.
    pub(in crate::server) fn next(&self) -> Instant {
        if let Some(at) = self.look_at {
            return at;
        }
        let ping = self.schedule.at();
        self.unanswered
            .front()
            .map_or(ping, |(_, at)| ping.min(*at))
    }

    /// A ping that is due. The time for its pong starts now, not when there is room to send the ping.
    /// Returns `None` while it is undecided whether the client is given up.
    pub(in crate::server) fn beat(&mut self, now: Instant) -> Option<Message> {
        if self.look_at.is_some() {
            return None;
        }
        self.last = self.schedule.take(now)?;
        if self.policy.judges != Judges::Never && self.unanswered.len() < MAX_WATCHED {
            self.unanswered.push_back((self.last, self.deadline(now)));
            self.is_fresh = true;
        }
        let payload = self.salt.wrapping_add(self.last).to_be_bytes();
        Some(match self.kind {
            HeartbeatWord::Frames => Message::Ping(Bytes::copy_from_slice(&payload)),
            HeartbeatWord::Text => Message::Text(Utf8Bytes::from_static(ServerHeartbeat::PING)),
        })
    }

    /// Reports that the ping was written, or that there was no room for it: the time for its pong starts now, so that
    /// a client never has less time than promised.
    pub(in crate::server) fn tried(&mut self, now: Instant) {
        if !std::mem::take(&mut self.is_fresh) {
            return;
        }
        let deadline = self.deadline(now);
        if let Some((_, at)) = self.unanswered.back_mut() {
            *at = deadline;
        }
    }

    /// Reports a pong. It acknowledges its ping and all earlier ones (RFC 6455 section 5.5.3).
    pub(in crate::server) fn pong(&mut self, payload: &[u8]) {
        let Ok(payload) = payload.try_into() else {
            return;
        };
        let number = u64::from_be_bytes(payload).wrapping_sub(self.salt);
        if number <= self.last {
            self.answered(number);
        }
    }

    /// Reports a message; returns whether it is a pong. It names no ping, so it answers all that were sent.
    pub(in crate::server) fn message(&mut self, text: &str) -> bool {
        let is_pong = self.kind == HeartbeatWord::Text && text == ServerHeartbeat::PONG;
        if is_pong {
            self.answered(self.last);
        }
        is_pong
    }

    /// The ping with this number was answered, and with it all before.
    fn answered(&mut self, number: u64) {
        while self.unanswered.front().is_some_and(|(n, _)| *n <= number) {
            self.unanswered.pop_front();
            self.looks = 0;
            self.look_at = None;
        }
    }

    /// Whether clients are judged before their sent bytes are read.
    pub(in crate::server) fn judges_before_reading(&self) -> bool {
        self.policy.judges == Judges::BeforeReading
    }

    /// Whether a pong is overdue.
    pub(in crate::server) fn is_overdue(&self, now: Instant) -> bool {
        let overdue = self.unanswered.front().is_some_and(|(_, at)| *at <= now);
        overdue && self.look_at.is_none_or(|at| at <= now)
    }

    /// Decides whether a client with an overdue pong is given up.
    pub(in crate::server) fn gives_up(&mut self, now: Instant, seen: ClientState) -> bool {
        if seen.stuck && self.policy.judges == Judges::WithRoom {
            self.start_anew(now);
            return false;
        }
        let may_have_answered = seen.busy || (seen.unread && self.looks < MAX_LOOKS);
        if may_have_answered && !self.judges_before_reading() {
            self.looks += u32::from(!seen.busy);
            self.look_at = Some(now + LOOK_AGAIN);
            return false;
        }
        true
    }

    /// How the connection of a client that is given up is ended.
    pub(in crate::server) fn ends(&self) -> Ends {
        self.policy.ends
    }

    /// Restarts the time of the last ping, and forgets the earlier ones.
    fn start_anew(&mut self, now: Instant) {
        let last = self.unanswered.pop_back();
        self.unanswered.clear();
        let deadline = self.deadline(now);
        self.unanswered
            .extend(last.map(|(number, _)| (number, deadline)));
        self.look_at = None;
    }

    fn deadline(&self, now: Instant) -> Instant {
        match self.policy.pings {
            Pings::Apart => now + self.timeout,
            Pings::Together => {
                let (tick, interval) = (self.schedule.at(), self.interval);
                // A server that stood still sends its pings late, and must not blame its clients for that.
                let is_near = tick.saturating_duration_since(now) < interval / 2;
                if is_near { tick + interval } else { tick }
            }
        }
    }
}

/// The first tick of a clock after `time`.
fn tick_after(time: Instant, started: Instant, interval: Duration) -> Instant {
    let mut ticks = Schedule::new(started, interval);
    ticks.take(time);
    ticks.at()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Defect;

    const SECOND: Duration = Duration::from_secs(1);
    const UNREAD: ClientState = ClientState {
        stuck: false,
        busy: false,
        unread: true,
    };
    const NOTHING: ClientState = ClientState {
        unread: false,
        ..UNREAD
    };

    /// A heart with a ping each second, and five seconds for each pong.
    fn heart(seed: u64, opened: Instant, defect: Option<Defect>) -> Heart {
        let heartbeat = ServerHeartbeat {
            interval: SECOND,
            timeout: 5 * SECOND,
            kind: HeartbeatWord::Frames,
            defect,
        };
        Heart::new(heartbeat, seed, opened, opened)
    }

    /// Sends `number` pings on time, and returns their payloads and the time of the last.
    fn beats(heart: &mut Heart, number: usize) -> (Vec<Bytes>, Instant) {
        let mut now = heart.next();
        let mut payloads = Vec::new();
        while payloads.len() < number {
            now = heart.schedule.at();
            payloads.push(heart.beat(now).unwrap().into_data());
            heart.tried(now);
        }
        (payloads, now)
    }

    #[test]
    fn the_first_ping_has_a_random_phase_in_the_second_half_of_an_interval() {
        let opened = Instant::now();
        let firsts: Vec<_> = (0..1000)
            .map(|seed| heart(seed, opened, None).next() - opened)
            .collect();
        assert!(firsts.iter().all(|at| (SECOND / 2..=SECOND).contains(at)));
        let mean = firsts.iter().sum::<Duration>() / 1000;
        assert!(
            mean > SECOND * 70 / 100 && mean < SECOND * 80 / 100,
            "{mean:?}"
        );
        assert_eq!(heart(7, opened, None).next() - opened, firsts[7]);
    }

    #[test]
    fn all_are_pinged_at_the_ticks_of_one_clock_where_that_is_the_defect() {
        let started = Instant::now();
        let heartbeat = ServerHeartbeat {
            interval: SECOND,
            timeout: SECOND,
            kind: HeartbeatWord::Frames,
            defect: Some(Defect::GlobalTick),
        };
        for (seed, after) in [(1, 100), (2, 900), (3, 1100)] {
            let opened = started + Duration::from_millis(after);
            let first = Heart::new(heartbeat, seed, opened, started).next();
            assert_eq!(first - started, SECOND * (1 + u32::from(after > 1000)));
        }
    }

    #[test]
    fn a_ping_has_until_the_next_tick_but_half_an_interval_at_least() {
        let opened = Instant::now();
        for (late, expected) in [(0, 1000), (400, 600), (600, 1400)] {
            let mut heart = heart(1, opened, Some(Defect::GlobalTick));
            let pinged = heart.next() + Duration::from_millis(late);
            heart.beat(pinged).unwrap();
            heart.tried(pinged);
            let overdue = pinged + Duration::from_millis(expected);
            assert!(!heart.is_overdue(overdue - Duration::from_millis(1)));
            assert!(heart.is_overdue(overdue));
        }
    }

    #[test]
    fn a_later_pong_stands_for_those_before_and_an_earlier_one_for_none_behind() {
        let mut heart = heart(1, Instant::now(), None);
        let (payloads, last) = beats(&mut heart, 3);
        heart.pong(&payloads[0]);
        assert!(!heart.is_overdue(last + 4 * SECOND - SECOND / 10));
        // The second ping was sent one second before the last.
        assert!(heart.is_overdue(last + 4 * SECOND));
        heart.pong(&payloads[2]);
        assert!(!heart.is_overdue(last + 9 * SECOND));
    }

    #[test]
    fn a_pong_that_was_never_asked_for_is_no_answer() {
        let mut heart = heart(1, Instant::now(), None);
        let (payloads, last) = beats(&mut heart, 1);
        let next = heart.salt.wrapping_add(2).to_be_bytes();
        for wrong in [&payloads[0][..7], b"", &next, &[0; 8]] {
            heart.pong(wrong);
        }
        let deadline = last + 5 * SECOND;
        assert!(heart.is_overdue(deadline) && heart.gives_up(deadline, NOTHING));
    }

    #[test]
    fn a_message_answers_all_pings_that_are_messages_and_only_those() {
        let opened = Instant::now();
        let heartbeat = ServerHeartbeat {
            interval: SECOND,
            timeout: 5 * SECOND,
            kind: HeartbeatWord::Text,
            defect: None,
        };
        let mut heart = Heart::new(heartbeat, 1, opened, opened);
        assert_eq!(heart.beat(heart.next()), Some(Message::text("ping")));
        let (_, last) = beats(&mut heart, 2);
        let deadline = last + 4 * SECOND;
        assert!(!heart.message("ping") && !heart.message("pong "));
        assert!(heart.is_overdue(deadline));
        assert!(heart.message("pong"));
        assert!(!heart.is_overdue(deadline + 9 * SECOND));
        let mut frames = self::heart(1, opened, None);
        let (_, last) = beats(&mut frames, 1);
        assert!(!frames.message("pong") && frames.is_overdue(last + 5 * SECOND));
    }

    #[test]
    fn the_time_of_a_pong_starts_when_its_ping_was_tried_to_write() {
        let mut heart = heart(1, Instant::now(), None);
        let due = heart.next();
        heart.beat(due).unwrap();
        heart.tried(due + SECOND);
        // Does not restart the time when there is room at last.
        heart.tried(due + 2 * SECOND);
        assert!(!heart.is_overdue(due + 6 * SECOND - SECOND / 10));
        assert!(heart.is_overdue(due + 6 * SECOND));
    }

    #[test]
    fn what_was_not_read_is_waited_for_but_not_for_ever() {
        let mut heart = heart(1, Instant::now(), None);
        let (_, last) = beats(&mut heart, 1);
        let mut now = last + 5 * SECOND;
        let mut looks = 0;
        while !heart.gives_up(now, UNREAD) {
            assert!(!heart.is_overdue(now), "one look in a turn");
            assert_eq!(heart.beat(now), None);
            now = heart.next();
            looks += 1;
        }
        assert_eq!(looks, MAX_LOOKS);
    }

    #[test]
    fn a_pong_found_late_clears_its_client() {
        let mut heart = heart(1, Instant::now(), None);
        let (payloads, last) = beats(&mut heart, 1);
        let now = last + 5 * SECOND;
        assert!(!heart.gives_up(now, UNREAD));
        heart.pong(&payloads[0]);
        assert!(!heart.is_overdue(now + SECOND));
        assert!(heart.beat(now).is_some(), "pings go on");
    }

    #[test]
    fn pings_are_watched_up_to_a_limit_and_sent_beyond_it() {
        let mut heart = heart(1, Instant::now(), None);
        let (payloads, _) = beats(&mut heart, MAX_WATCHED + 10);
        assert_eq!(heart.unanswered.len(), MAX_WATCHED);
        heart.pong(&payloads[MAX_WATCHED + 9]);
        assert_eq!(heart.unanswered.len(), 0);
    }

    #[test]
    fn judging_is_what_three_defects_get_wrong() {
        let stuck = ClientState {
            stuck: true,
            ..NOTHING
        };
        let cases = [
            (None, [true, true, false]),
            (Some(Defect::BlockedPing), [true, false, false]),
            (Some(Defect::KillsAfterStall), [true, true, true]),
        ];
        for (defect, expected) in cases {
            let given_up = [NOTHING, stuck, UNREAD].map(|seen| {
                let mut heart = heart(1, Instant::now(), defect);
                let (_, last) = beats(&mut heart, 1);
                heart.gives_up(last + 5 * SECOND, seen)
            });
            assert_eq!(given_up, expected, "{defect:?}");
        }
        let mut never = heart(1, Instant::now(), Some(Defect::NeverReaps));
        let (_, last) = beats(&mut never, 3);
        assert!(!never.is_overdue(last + 100 * SECOND));
    }
}
