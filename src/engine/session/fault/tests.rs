//! Tests the schedules of faults for any times of polling.

use std::time::Duration;

use proptest::prelude::*;

use super::{FaultAction, Faults, raw};
use crate::frame::{Frame, Inflater, mask};
use crate::plan::FaultPlan;
use crate::scenario::{Activity, Fault, FaultKind, Illegal, Sweep};
use crate::units::{Nanos, Timestamp};

const fn ns(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

fn fault(after: u64, kind: FaultKind) -> Fault {
    let after = Duration::from_nanos(after);
    Fault { kind, after }
}

fn sweep(nanos: u64) -> Sweep {
    Duration::from_nanos(nanos).into()
}

fn faults(after: u64, kind: FaultKind) -> Faults {
    let fault_plan = FaultPlan {
        faults: vec![fault(after, kind)],
        ..FaultPlan::default()
    };
    Faults::new(&fault_plan, Timestamp::ORIGIN).unwrap()
}

/// Returns all actions up to `end`, if each is polled when it is due.
fn until(faults: &mut Faults, end: Timestamp) -> Vec<(Timestamp, FaultAction)> {
    let mut steps = Vec::new();
    while faults.next(true) <= end {
        let now = faults.next(true);
        while let Some(step) = faults.due(now, true) {
            steps.push((now, step));
        }
        assert!(faults.next(true) > now);
    }
    steps
}

/// RFC 6455 section 5.5.1: nothing follows a Close frame.
#[test]
fn no_pong_follows_a_close_frame() {
    for kind in [
        FaultKind::WrongPong,
        FaultKind::LatePong {
            delay: sweep((ns(10)).as_nanos()),
        },
        FaultKind::NeverClose,
    ] {
        let mut faults = faults(0, kind.clone());
        faults.ping(&Frame::Pong(b"before"), ns(1));
        faults.close();
        assert!(!faults.ping(&Frame::Pong(b"after"), ns(2)), "{kind:?}");
        assert!(until(&mut faults, ns(1000)).is_empty(), "{kind:?}");
    }
    let mut faults = faults(5, FaultKind::IllegalFrame(Illegal::BadCloseCode));
    assert!(
        faults.ping(&Frame::Pong(b"before"), ns(1)) && !faults.ping(&Frame::Pong(b"after"), ns(6))
    );
}

#[test]
fn nothing_is_sent_once_our_half_of_tcp_has_ended() {
    let only = FaultKind::Only {
        frame: Activity::Ping,
        every: sweep((ns(7)).as_nanos()),
    };
    let fault_plan = FaultPlan {
        faults: vec![
            fault(
                (Timestamp::ORIGIN).as_nanos(),
                FaultKind::LatePong {
                    delay: sweep((ns(50)).as_nanos()),
                },
            ),
            fault(10, only),
            fault(20, FaultKind::HalfClose),
            fault(40, FaultKind::Reset),
        ],
        ..FaultPlan::default()
    };
    let mut faults = Faults::new(&fault_plan, Timestamp::ORIGIN).unwrap();
    faults.ping(&Frame::Pong(b"?"), ns(1));
    let after: Vec<_> = until(&mut faults, ns(1000))
        .into_iter()
        .filter(|(at, _)| *at >= ns(20))
        .collect();
    assert_eq!(
        after,
        [
            (ns(20), FaultAction::HalfClose),
            (ns(40), FaultAction::Reset)
        ]
    );
}

proptest! {
    #[test]
    fn activity_keeps_to_its_schedule_however_late_it_is_looked_at(
        after in 0u64..1000, every in 1u64..500, lags in prop::collection::vec(0u64..2000, 1..50),
    ) {
        let kind = FaultKind::Only { frame: Activity::Ping, every: sweep((ns(every)).as_nanos()) };
        let mut faults = faults(after, kind);
        let mut now = 0;
        let mut sent = 0;
        for lag in lags {
            now = (faults.next(true).max(ns(now)) + Nanos(lag)).as_nanos();
            while let Some(step) = faults.due(ns(now), true) {
                sent += u64::from(matches!(step, FaultAction::Put(_)));
            }
            let next = faults.next(true);
            // The next step is due at a whole number of gaps after the start, within one gap.
            prop_assert!(next > ns(now) && next <= ns(now.max(after) + every));
            prop_assert_eq!(next.saturating_since(ns(after)).0 % every, 0);
            prop_assert!(sent <= (now - after) / every);
        }
    }

    #[test]
    fn a_trickle_is_one_frame_after_another(take in 1usize..200_000) {
        let bytes = raw::long_message(0, take);
        let parts: Vec<u8> = (0..take as u64).step_by(7)
            .flat_map(|from| raw::long_message(from, 7.min(take - from as usize))).collect();
        prop_assert_eq!(&bytes, &parts);
        let whole = 8 + 65_535;
        if take > whole {
            prop_assert_eq!(&bytes[..take - whole], &bytes[whole..]);
        }
        let mask = bytes.get(4..8).into_iter().flatten().cycle();
        let payload: Vec<u8> = bytes.iter().skip(8).take(65_535).zip(mask).map(|(a, b)| a ^ b).collect();
        prop_assert!(payload.iter().all(|byte| *byte == b'x'));
    }

    #[test]
    fn waiting_pongs_are_bounded(pings in 0usize..200) {
        let mut faults = faults(0, FaultKind::LatePong { delay: sweep((ns(1000)).as_nanos()) });
        for at in 0..pings {
            faults.ping(&Frame::Pong(b""), ns(at as u64));
        }
        let pongs = until(&mut faults, ns(10_000));
        prop_assert_eq!(pongs.len(), pings.min(64));
    }
}

#[test]
fn what_sends_waits_for_room_and_what_does_not_goes_on() {
    let mut only = faults(
        0,
        FaultKind::Only {
            frame: Activity::Text,
            every: sweep((ns(10)).as_nanos()),
        },
    );
    assert_eq!(
        only.due(Timestamp::ORIGIN, false),
        Some(FaultAction::StopSending)
    );
    assert_eq!(
        (only.next(false), only.next(true)),
        (Timestamp::NEVER, ns(10))
    );
    assert_eq!(only.due(ns(50), false), None);
    assert_eq!(
        only.due(ns(50), true),
        Some(FaultAction::Put(raw::text("wsbench")))
    );
    let mut reset = faults(5, FaultKind::Reset);
    assert_eq!(reset.due(ns(5), false), Some(FaultAction::Reset));
    assert_eq!(reset.began(), Some(ns(5)));
}

#[test]
fn a_vanished_client_returns_at_its_time_even_in_the_close_handshake() {
    let mut faults = faults(
        10,
        FaultKind::Vanish {
            lasts: Some(Duration::from_nanos(20)),
        },
    );
    assert_eq!(until(&mut faults, ns(15)), [(ns(10), FaultAction::Vanish)]);
    faults.close();
    assert_eq!(until(&mut faults, ns(100)), [(ns(30), FaultAction::Return)]);
    assert_eq!(
        (faults.began(), faults.ended()),
        (Some(ns(10)), Some(ns(30)))
    );
}

#[test]
fn what_only_changes_an_answer_began_when_it_was_due() {
    let mut faults = faults(10, FaultKind::NoPong);
    assert!(faults.ping(&Frame::Pong(b"x"), ns(9)));
    assert!(!faults.ping(&Frame::Pong(b"x"), ns(10)));
    assert!(matches!(
        faults.due(ns(500), true),
        Some(FaultAction::Put(_))
    ));
    assert_eq!(faults.due(ns(500), true), None);
    assert_eq!(faults.began(), Some(ns(10)));
}

/// RFC 6455 section 5.2: each frame breaks the one rule that its name says.
#[test]
fn illegal_frames_are_illegal_in_one_way_each() {
    let frame = |illegal| raw::illegal(illegal);
    let long = frame(Illegal::LongPing);
    assert_eq!(long[..4], [0x89, 0x80 | 126, 0, 126]);
    assert_eq!(long.len(), 8 + 126);
    assert_eq!(frame(Illegal::FragmentedPing)[..2], [0x09, 0x84]);
    assert_eq!(frame(Illegal::BadCloseCode)[..2], [0x88, 0x82]);
    assert_eq!(frame(Illegal::BadUtf8)[..2], [0x81, 0x82]);
    assert_eq!(frame(Illegal::Unmasked), b"\x81\x05plain");
    assert_eq!(frame(Illegal::ReservedOpcode)[..2], [0x8B, 0x80]);
    assert_eq!(frame(Illegal::Rsv1Ping)[..2], [0xC9, 0x80]);
    assert_eq!(frame(Illegal::BadDeflate)[..2], [0xC1, 0x82]);
    let bomb = frame(Illegal::DeflateBomb);
    assert_eq!(bomb[..2], [0xC1, 0x80 | 126]);
    assert!((15_000..20_000).contains(&bomb.len()), "{}", bomb.len());
    let key = bomb[4..8].first_chunk().unwrap();
    let mut packed = bomb[8..].to_vec();
    mask(&mut packed, *key);
    let (mut inflater, mut zeros) = (Inflater::default(), Vec::new());
    inflater.add(&packed, &mut zeros, 16 << 20).unwrap();
    inflater.finish(&mut zeros, 16 << 20).unwrap();
    assert!(zeros.len() == 16 << 20 && zeros.iter().all(|byte| *byte == 0));
}
