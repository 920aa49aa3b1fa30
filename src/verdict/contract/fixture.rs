//! Builds a cohort with a contract and its records by hand, for the tests of this folder.
//! Compiled for tests only. Times are milliseconds.

use std::sync::LazyLock;
use std::time::Duration;

use super::super::fixture::{self, Run};
use super::judge::judge;
use super::result::ContractResult;
use crate::measure::{
    ConnectionRecord, ConnectionRecords, EndedBy, Incident, IncidentKind, Summary, Surroundings,
    TcpEnding,
};
use crate::metric::Cause;
use crate::scenario::{Between, Contract, Origin, Promise, Scenario};
use crate::units::{Nanos, after};

/// The numbers of a healthy run. Made once: they take a hundred thousand answers.
static HEALTHY: LazyLock<Summary> = LazyLock::new(|| Run::healthy().summary());

pub(super) const MS: Nanos = Nanos::from_millis(1);

pub(super) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(super) fn between(lo: u64, hi: u64) -> Between {
    Between {
        lo: ms(lo),
        hi: ms(hi),
    }
}

pub(super) fn contract(from: Origin, promises: Vec<Promise>) -> Contract {
    Contract {
        from,
        preset: None,
        promises,
    }
}

/// One cohort, `main`, with this contract; the target is on another machine.
pub(super) fn scenario(contract: Contract) -> Scenario {
    let mut scenario = fixture::scenario();
    scenario.cohorts[0].contract = Some(contract);
    scenario
}

pub(super) fn summary(records: Vec<ConnectionRecord>) -> Summary {
    with_records(HEALTHY.clone(), records)
}

pub(super) fn with_records(mut summary: Summary, records: Vec<ConnectionRecord>) -> Summary {
    summary.records = ConnectionRecords {
        rows: records,
        more: 0,
    };
    summary
}

/// Judges one promise by these records.
pub(super) fn verdict(
    from: Origin,
    promise: Promise,
    records: Vec<ConnectionRecord>,
) -> ContractResult {
    around(from, promise, records, &Surroundings::default())
}

pub(super) fn around(
    from: Origin,
    promise: Promise,
    records: Vec<ConnectionRecord>,
    surroundings: &Surroundings,
) -> ContractResult {
    let scenario = scenario(contract(from, vec![promise]));
    let mut results = judge(&scenario, &summary(records), surroundings);
    results.remove(0)
}

pub(super) fn incident(kind: IncidentKind, began: u64, ended: Option<u64>) -> Incident {
    Incident {
        kind,
        cohorts: Vec::new(),
        began_ns: after(began * MS),
        ended_ns: ended.map(|ended| after(ended * MS)),
    }
}

/// A healthy connection: opened at 100 ms, closed by the plan at 60 s.
pub(in super::super) fn record(connection: u32) -> ConnectionRecord {
    ConnectionRecord {
        connection,
        cohort: 0,
        local_port: Some(40_000 + connection as u16),
        level_ns: None,
        opened_ns: after(100 * MS),
        ready_ns: Some(after(100 * MS)),
        lost_before_ns: None,
        fault_ns: None,
        fault_end_ns: None,
        unanswered_ping_ns: None,
        last_sent_ns: None,
        first_answer_ns: None,
        pings_ns: Vec::new(),
        resumed_ns: Vec::new(),
        dead_ns: None,
        dead_as: None,
        close_sent_ns: Some(after(60_000 * MS)),
        close_sent_code: Some(1000),
        close_received_ns: Some(after(60_001 * MS)),
        close_code: Some(1000),
        close_reason: String::new(),
        frames_after_close: 0,
        tcp_end_ns: Some(after(60_002 * MS)),
        tcp_end: Some(TcpEnding::Fin),
        probe: None,
        ended_by: EndedBy::Plan,
        cause: Cause::Completed,
        ended_ns: after(60_002 * MS),
    }
}

/// Not closed by either side before the end of the run, and nothing was received after.
pub(super) fn silent(connection: u32) -> ConnectionRecord {
    ConnectionRecord {
        close_received_ns: None,
        close_code: None,
        tcp_end_ns: None,
        tcp_end: None,
        ..record(connection)
    }
}

/// Ended by the server with a Close frame, at this time.
pub(super) fn closed(connection: u32, at: u64, code: u16) -> ConnectionRecord {
    ConnectionRecord {
        close_sent_ns: None,
        close_sent_code: None,
        close_received_ns: Some(after(at * MS)),
        close_code: Some(code),
        tcp_end_ns: Some(after((at + 1) * MS)),
        ended_by: EndedBy::Server,
        cause: Cause::ClosedByPeer,
        ended_ns: after((at + 1) * MS),
        ..record(connection)
    }
}

/// Ended by the server without a Close frame.
pub(super) fn cut(connection: u32, at: u64, how: TcpEnding) -> ConnectionRecord {
    ConnectionRecord {
        close_received_ns: None,
        close_code: None,
        tcp_end_ns: Some(after(at * MS)),
        tcp_end: Some(how),
        cause: Cause::Eof,
        ended_ns: after(at * MS),
        ..closed(connection, at, 0)
    }
}

/// With an unanswered ping at this time.
pub(in super::super) fn pinged(at: u64, record: ConnectionRecord) -> ConnectionRecord {
    ConnectionRecord {
        unanswered_ping_ns: Some(after(at * MS)),
        pings_ns: vec![after(at * MS)],
        ..record
    }
}
