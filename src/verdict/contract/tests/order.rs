//! Tests properties: the order of records does not matter, and a window holds exactly the times between its ends.

use proptest::prelude::*;

use super::super::fixture::*;
use super::super::judge::judge;
use crate::measure::{ConnectionRecord, IncidentKind, Surroundings, TcpEnding};
use crate::scenario::{Back, End, Origin, Promise, PromiseKind};
use crate::units::after;

fn any_life(connection: u32) -> impl Strategy<Value = ConnectionRecord> {
    let pings = prop::collection::vec(100_u64..60_000, 0..5);
    (0..5_u8, 200_u64..60_000, pings, any::<bool>()).prop_map(
        move |(kind, at, mut pings, again)| {
            pings.sort_unstable();
            let ended = match kind {
                0 => record(connection),
                1 => silent(connection),
                2 => cut(connection, at, TcpEnding::Fin),
                3 => cut(connection, at, TcpEnding::Rst),
                _ => closed(connection, at, 1011),
            };
            ConnectionRecord {
                unanswered_ping_ns: pings.first().map(|ms| after(*ms * MS)),
                pings_ns: pings.iter().map(|ms| after(*ms * MS)).collect(),
                level_ns: Some(at / 10_000 * MS),
                first_answer_ns: again.then_some(after((at + 10) * MS)),
                lost_before_ns: again.then_some(after((at - 100) * MS)),
                opened_ns: if again {
                    after(at * MS)
                } else {
                    after(100 * MS)
                },
                ended_ns: ended.ended_ns.max(after((at + 20) * MS)),
                probe: Some((after(at * MS), again)),
                ..ended
            }
        },
    )
}

fn everything() -> Vec<Promise> {
    let window = || between(5_000, 40_000);
    vec![
        PromiseKind::Closed.of(3),
        PromiseKind::ClosedPerStall.of(2),
        PromiseKind::AliveFor.of(ms(1_000)),
        PromiseKind::ClosedBetween.of(window()),
        PromiseKind::Code.of(vec![1011]),
        PromiseKind::EndsWith.of(vec![End::Fin]),
        PromiseKind::TcpEndBetween.of(window()),
        PromiseKind::ReapedBetween.of(window()),
        PromiseKind::EffectiveTimeout.of(window()),
        PromiseKind::PingsBetween.of(window()),
        PromiseKind::MaxPingSync.of(0.5),
        PromiseKind::CloseAnsweredWithin.of(ms(10)),
        PromiseKind::CloseCodeEchoed.of(()),
        PromiseKind::SilentAfterClose.of(()),
        PromiseKind::DetectedBetween.of(window()),
        PromiseKind::RecoversWithin.of(ms(10)),
        PromiseKind::BackWithin.of(Back {
            all: Some(ms(10)),
            ..Back::default()
        }),
    ]
}

fn stalled() -> Surroundings {
    Surroundings {
        incidents: vec![incident(IncidentKind::Sigstop, 20_000, Some(21_000))],
        ..Surroundings::default()
    }
}

proptest! {
    #[test]
    fn the_order_in_which_lives_end_changes_nothing(
        (records, shuffled) in prop::collection::vec(0_u32..30, 1..40)
            .prop_flat_map(|connections| {
                connections.into_iter().map(any_life).collect::<Vec<_>>()
            })
            .prop_flat_map(|records| (Just(records.clone()), Just(records).prop_shuffle()))
    ) {
        let scenario = scenario(contract(Origin::Ping, everything()));
        let told = judge(&scenario, &summary(records), &stalled());
        let retold = judge(&scenario, &summary(shuffled), &stalled());
        prop_assert_eq!(told.len(), everything().len());
        prop_assert_eq!(told, retold);
    }

    #[test]
    fn a_promise_is_kept_exactly_inside_of_its_window(at in 100_u64..60_000, lo in 0_u64..30_000, width in 1_u64..30_000) {
        let promise = PromiseKind::ClosedBetween.of(between(lo, lo + width));
        let result = verdict(Origin::Open, promise, vec![closed(0, at, 1011)]);
        let inside = (lo..=lo + width).contains(&(at - 100));
        prop_assert_eq!(result.passed, inside, "{}", result.why);
        prop_assert_eq!(result.why.is_empty(), inside);
    }
}
