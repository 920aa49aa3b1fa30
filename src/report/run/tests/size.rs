//! How long `run.json` can become through what it keeps of single connections.

use std::net::Ipv6Addr;

use super::*;
use crate::measure::{
    ConnectionRecord, ConnectionRecords, EndedBy, Ending, Endings, State, TcpEnding, TcpView,
};
use crate::metric::{Cause, Side};
use crate::units::{Nanos, Timestamp};

/// The longest reason of a Close frame and the longest detail, of characters that take six bytes each in JSON.
fn escaped(characters: usize) -> String {
    "\u{1}".repeat(characters)
}

fn longest_record(connection: u32) -> ConnectionRecord {
    let (at, some) = (Timestamp::NEVER, Some(Timestamp::NEVER));
    ConnectionRecord {
        connection,
        cohort: 0,
        local_port: Some(u16::MAX),
        level_ns: Some(Nanos::MAX),
        opened_ns: at,
        ready_ns: some,
        lost_before_ns: some,
        fault_ns: some,
        fault_end_ns: some,
        unanswered_ping_ns: some,
        last_sent_ns: some,
        first_answer_ns: some,
        pings_ns: vec![at; ConnectionRecord::MAX_PINGS],
        resumed_ns: vec![at; ConnectionRecord::MAX_PINGS],
        dead_ns: some,
        dead_as: Some(Cause::PeerFrozen),
        close_sent_ns: some,
        close_sent_code: Some(u16::MAX),
        close_received_ns: some,
        close_code: Some(u16::MAX),
        close_reason: escaped(123),
        frames_after_close: u32::MAX,
        tcp_end_ns: some,
        tcp_end: Some(TcpEnding::Fin),
        probe: Some((at, false)),
        ended_by: EndedBy::Heartbeat,
        cause: Cause::HandshakeGarbage,
        ended_ns: at,
    }
}

fn longest_ending(connection: u32) -> Ending {
    let some = Some(Timestamp::NEVER);
    Ending {
        connection,
        cohort: 0,
        opened_ns: some,
        ended_ns: some,
        state: State::Connecting,
        close_code: Some(u16::MAX),
        close_reason: escaped(123),
        closed_by: Some(Side::Local),
        cause: Cause::HandshakeGarbage,
        detail: escaped(200),
        last_received_ns: some,
        last_ping_ns: some,
        last_pong_ns: some,
        pings_missed: u32::MAX,
        tcp: Some(TcpView {
            unacked: u32::MAX,
            retransmits: u32::MAX,
            last_ack_ns: u64::MAX,
        }),
        extension: Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15; client_max_window_bits=15".to_owned()),
        claimed: Some(Ipv6Addr::from_bits(u128::MAX).into()),
        tls: Some("1.3 resumed".to_owned()),
    }
}

/// The bytes that a run keeps of a single connection: of a record of it, and of its ending.
#[test]
fn the_most_that_is_kept_can_be_read_back() {
    const ROWS: u32 = 100;
    let mut run = made_up(1);
    run.summary.intervals.clear();
    run.verdict.contracts.clear();
    run.summary.records = ConnectionRecords::default();
    run.summary.endings = Endings::default();
    let without = stored(&run).len();
    run.summary.records.rows = (0..ROWS).map(longest_record).collect();
    let with_records = stored(&run).len();
    run.summary.endings.rows = (0..ROWS).map(longest_ending).collect();
    let with_both = stored(&run).len();
    assert_eq!(read(&stored(&run)).unwrap(), run);
    let record = (with_records - without).div_ceil(ROWS as usize);
    let ending = (with_both - with_records).div_ceil(ROWS as usize);
    assert!(
        record < 3_000,
        "docs/measurement.md says at most 3 KB: {record}"
    );
    let most = record * ConnectionRecords::MAX_ROWS + ending * Endings::MAX_ROWS;
    assert!(
        most < Run::MAX_BYTES as usize / 10 * 9,
        "{most} bytes, {ending} of an ending"
    );
}
