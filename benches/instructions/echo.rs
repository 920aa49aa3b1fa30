//! Echoes and deliveries on one connection: from the bytes that its socket has to those that it writes. The other end is
//! here, and its part in each is small: it echoes frames whose place it knows.

use std::sync::Arc;

use wsbench::engine::rehearse;
use wsbench::metric::{Counter, Timer};
use wsbench::plan::{Published, STAMP_LEN, TopicSeries};

use crate::steps::{plan, plan_of_all};

/// A client's frame: header, mask and payload.
const FRAME: usize = 2 + 4 + PAYLOAD;
const PAYLOAD: usize = 64;
const FIN_TEXT: u8 = 0x81;

/// See [`crate::PATHS`].
pub(crate) fn one_in_flight(count: u64) {
    echo(count, 1);
}

/// See [`crate::PATHS`].
pub(crate) fn sixteen_in_flight(count: u64) {
    echo(count, 16);
}

/// So many turns, in each of which all that is in flight comes back.
fn echo(turns: u64, in_flight: u64) {
    let message = format!(
        "[[message]]\nname = \"echo\"\npayload = {{ size = \"64B\" }}\nin_flight = {in_flight}\n"
    );
    let plan = Arc::new(plan(&message));
    let seen = rehearse(&plan, turns, |_, heard, said| {
        let frames = heard.as_chunks::<FRAME>().0;
        assert_eq!(frames.len() as u64, in_flight);
        frames.iter().for_each(|frame| echo_frame(frame, said));
    });
    let seen = seen.expect("the rehearsal goes on");
    assert_eq!(seen.counter(Counter::MessagesEchoed), turns * in_flight);
}

/// Sends a client's frame back.
fn echo_frame(frame: &[u8; FRAME], said: &mut Vec<u8>) {
    let [first, _, a, b, c, d, payload @ ..] = frame;
    let key = u64::from_ne_bytes([*a, *b, *c, *d, *a, *b, *c, *d]);
    said.extend_from_slice(&[*first, PAYLOAD as u8]);
    for word in payload.as_chunks::<8>().0 {
        said.extend_from_slice(&(u64::from_ne_bytes(*word) ^ key).to_ne_bytes());
    }
}

/// See [`crate::PATHS`].
pub(crate) fn heard(count: u64) {
    const ROOM: &str = r#"
        [[cohort]]
        name = "listeners"
        connections = 1
        joins = "room"
        message = []
        [[cohort]]
        name = "speaker"
        connections = 1
        joins = "room"
        [[cohort.message]]
        name = "say"
        payload = { size = "64B" }
        rate = "20/s"
        expect = "none"
        to = "room"
    "#;
    let plan = Arc::new(plan_of_all(ROOM));
    let series = TopicSeries::new(plan.run, 1, 0..=0);
    let mut number = 0;
    let seen = rehearse(&plan, count, |now, _, said| {
        let published = Published {
            message: 0,
            lane: 0,
            number,
        };
        said.extend_from_slice(&[FIN_TEXT, PAYLOAD as u8]);
        said.extend_from_slice(&series.stamp(published, number.into(), now));
        said.extend_from_slice(&[b'x'; PAYLOAD - STAMP_LEN]);
        number += 1;
    });
    let seen = seen.expect("the rehearsal goes on");
    let heard = seen
        .timer(Timer::DeliveryLatency)
        .map_or(0, |times| times.count());
    assert_eq!(heard, count);
    // In the second in which it became a member, nothing has to come.
    assert!(seen.counter(Counter::DeliveryUnsure) < count);
}
