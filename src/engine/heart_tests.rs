//! Tests heartbeats against a clock that is told: pings, pongs, misses and deaths.

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
