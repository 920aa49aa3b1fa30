//! Tests `close_answered_within`, `close_code_echoed` and `silent_after_close`.

use super::super::fixture::*;
use crate::measure::{ConnectionRecord, EndedBy};
use crate::scenario::{Origin, PromiseKind};
use crate::units::after;

fn closing(connection: u32, sent: Option<u16>, answer: Option<(u64, u16)>) -> ConnectionRecord {
    ConnectionRecord {
        close_sent_ns: Some(after(5_000 * MS)),
        close_sent_code: sent,
        close_received_ns: answer.map(|(late, _)| after((5_000 + late) * MS)),
        close_code: answer.map(|(_, code)| code),
        ended_by: EndedBy::Fault,
        ..record(connection)
    }
}

#[test]
fn a_close_is_answered_in_time() {
    let promise = || PromiseKind::CloseAnsweredWithin.of(ms(100));
    let judged = |records| verdict(Origin::Close, promise(), records);
    assert!(judged(vec![closing(0, None, Some((100, 1005))), record(1)]).passed);
    let late = judged(vec![closing(0, None, Some((101, 1005)))]);
    assert!(!late.passed);
    assert_eq!(late.why, "1 of 1 later than 100 ms, the last after 101 ms");
    let never = judged(vec![closing(0, None, None), record(1)]);
    assert!(!never.passed);
    assert_eq!((never.n, never.why.as_str()), (2, "1 of 2 never answered"));
    let none = judged(vec![closed(0, 5_000, 1000)]);
    assert!(!none.passed, "the server closed first");
    let dead = ConnectionRecord {
        ended_by: EndedBy::Heartbeat,
        ..closing(0, Some(1011), None)
    };
    assert_eq!(judged(vec![dead]).n, 0, "the dead answer nothing");
}

#[test]
fn a_code_is_echoed() {
    let judged = |records| verdict(Origin::Close, PromiseKind::CloseCodeEchoed.of(()), records);
    let kept = vec![
        closing(0, Some(3000), Some((1, 3000))),
        closing(1, None, Some((1, 1005))),
    ];
    assert!(judged(kept).passed);
    let broken = judged(vec![
        closing(0, Some(3000), Some((1, 1000))),
        closing(1, Some(3000), Some((1, 1000))),
        closing(2, None, Some((1, 1000))),
        closing(3, Some(1001), None),
    ]);
    assert!(!broken.passed);
    assert_eq!(
        broken.why,
        "1001 was not answered ×1; 1005 was answered with 1000 ×1; 3000 was answered with 1000 ×2"
    );
}

#[test]
fn nothing_follows_a_close() {
    let judged = |records| verdict(Origin::Close, PromiseKind::SilentAfterClose.of(()), records);
    assert!(judged(vec![record(0), closed(1, 9, 1000)]).passed);
    let talks = ConnectionRecord {
        frames_after_close: 2,
        ..record(0)
    };
    let result = judged(vec![talks, record(1)]);
    assert!(!result.passed);
    assert_eq!(
        result.why,
        "1 of 2 got frames after the server's Close, up to 2"
    );
    assert!(!judged(vec![silent(0)]).passed, "no data is no pass");
}
