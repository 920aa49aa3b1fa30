//! Tests what is told of a service that is watched, and that its table fits every terminal.

use std::net::SocketAddr;

use super::*;
use crate::measure::{Ending, State as Ended, TcpView};
use crate::metric::{Cause, Side};

const SECOND: Nanos = Nanos::from_secs(1);

fn at(seconds: u64) -> Timestamp {
    Timestamp::ORIGIN + seconds * SECOND
}

fn opened(away: Option<u64>, address: &str) -> Happened {
    let address: SocketAddr = address.parse().unwrap();
    Happened::Opened(Opened {
        took: Nanos::from_millis(12),
        away: away.map(Nanos::from_secs),
        address: Some(address),
        expires: None,
    })
}

fn ended(cause: Cause, was_open: bool, second: u64) -> Happened {
    Happened::Ended(Box::new(Ending {
        connection: 0,
        cohort: 0,
        opened_ns: was_open.then_some(Timestamp::ORIGIN),
        ended_ns: Some(at(second)),
        state: Ended::Dead,
        close_code: (cause == Cause::ClosedByPeer).then_some(1012),
        close_reason: match cause {
            Cause::ClosedByPeer => "restart\u{1b}[2J".to_owned(),
            _ => String::new(),
        },
        closed_by: Some(Side::Peer),
        cause,
        detail: String::new(),
        last_received_ns: Some(at(second - 15)),
        last_ping_ns: None,
        last_pong_ns: None,
        pings_missed: 2,
        tcp: Some(TcpView {
            unacked: 0,
            retransmits: 0,
            last_ack_ns: 30_000_000,
        }),
        extension: None,
        claimed: None,
        tls: None,
    }))
}

/// What is told of one client to which this happens in these seconds.
fn told(watched: &mut Watched, what: impl IntoIterator<Item = (u64, Happened)>) -> Vec<String> {
    let rows = what.into_iter().map(|(second, what)| Event {
        at: at(second),
        cohort: 0,
        connection: 3,
        what,
    });
    let events = Events {
        rows: rows.collect(),
        more: 0,
    };
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let now = Duration::from_secs(100);
    watched.take(&events, (now, start + now))
}

#[test]
fn a_life_is_told_in_lines() {
    let mut watched = Watched::new("ws://example.com/".to_owned(), 5);
    let lines = told(
        &mut watched,
        [
            (0, opened(None, "192.0.2.1:80")),
            (
                10,
                Happened::Answered {
                    rtt: Nanos(1_000_000),
                },
            ),
            (25, Happened::Missed { in_row: 1 }),
            (26, Happened::Late { rtt: 6 * SECOND }),
            (40, ended(Cause::PeerFrozen, true, 40)),
            (41, ended(Cause::Refused, false, 41)),
            (42, ended(Cause::Refused, false, 42)),
            (43, ended(Cause::HttpStatus, false, 43)),
            (50, opened(Some(10), "192.0.2.9:80")),
            (90, ended(Cause::ClosedByPeer, true, 90)),
        ],
    );
    let after = |line: &String| line.split_once("Z  ").unwrap().1.to_owned();
    let texts: Vec<String> = lines.iter().map(after).collect();
    assert_eq!(
        texts,
        [
            "open        #3  after 12.0 ms, at 192.0.2.1:80",
            "missed      #3  no answer to a ping in time",
            "late        #3  the answer came after 6.00 s",
            "lost        #3  peer_frozen: no pong came, and its kernel acknowledged all: the process hangs; the server ended it; open for 40.0 s; last heard 15.0 s before; 2 pings missed in a row; kernel: all acknowledged, last acknowledgement 30.0 ms before",
            "not opened  #3  refused: nothing listens on that port; the server ended it",
            "not opened  #3  http_status: the server did not upgrade; the server ended it",
            "back        #3  after 10.0 s, 3 dials failed",
            "address     #3  now 192.0.2.9, before 192.0.2.1",
            "lost        #3  closed_by_peer: the server closed it, code 1012 \"restart [2J\"; open for 1m 30s; last heard 15.0 s before; 2 pings missed in a row; kernel: all acknowledged, last acknowledgement 30.0 ms before",
        ]
    );
    assert!(
        lines[1].starts_with("2027-01-15T08:00:25.000Z  "),
        "{}",
        lines[1]
    );
}

/// A server that goes takes all with it.
#[test]
fn many_at_once_are_told_of_together() {
    let mut watched = Watched::new("ws://example.com/".to_owned(), 500);
    let rows = (0..500).map(|connection| Event {
        at: at(20),
        cohort: 0,
        connection,
        what: ended(Cause::Reset, true, 20),
    });
    let events = Events {
        rows: rows.collect(),
        more: 7,
    };
    let lines = watched.take(&events, (Duration::from_secs(20), SystemTime::now()));
    assert_eq!(lines.len(), AT_ONCE + 2);
    assert!(
        lines[AT_ONCE].ends_with("490 connections more in this second"),
        "{lines:?}"
    );
    assert!(
        lines[AT_ONCE + 1].contains("7 events had no room"),
        "{lines:?}"
    );
}

#[test]
fn a_certificate_is_told_of_once_a_day_when_it_ends_soon() {
    let mut watched = Watched::new("wss://example.com/".to_owned(), 1);
    let days = |left: i64, watched: &mut Watched| {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        watched.clock = (Duration::ZERO, now);
        watched.expires = Some(1_800_000_000 + left * DAY + 60);
        watched.certificate()
    };
    assert_eq!(days(31, &mut watched), None);
    let told = days(30, &mut watched).unwrap();
    assert!(
        told.starts_with("expires in 30 days: it is valid until 2027-02-14"),
        "{told}"
    );
    assert_eq!(days(30, &mut watched), None);
    assert!(days(1, &mut watched).unwrap().contains("in 1 day"));
    assert!(days(0, &mut watched).unwrap().contains("within a day"));
    assert!(days(-3, &mut watched).unwrap().contains("has expired"));
}

/// The text without colours.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        text += before;
        rest = after.split_once('m').map_or("", |(_, after)| after);
    }
    text + rest
}

#[test]
fn the_table_fits_every_terminal() {
    let mut watched = Watched::new(
        "wss://example.com/with/a/rather/long/path/to/it".to_owned(),
        40,
    );
    let rows = (0..40).flat_map(|connection| {
        let event = move |second, what| Event {
            at: at(second),
            cohort: 0,
            connection,
            what,
        };
        let answers = (1..70).map(move |second| {
            let rtt = Nanos(1_000 + u64::from(connection) * 999_999_999 * second);
            event(second, Happened::Answered { rtt })
        });
        [event(0, opened(None, "192.0.2.1:80"))]
            .into_iter()
            .chain(answers)
    });
    let events = Events {
        rows: rows.collect(),
        more: 0,
    };
    watched.take(&events, (Duration::from_secs(70), SystemTime::now()));
    told(&mut watched, [(80, ended(Cause::Reset, true, 80))]);
    for columns in 20..200 {
        for lines in [1, 11, 12, 24, 60] {
            let table = watched.table((columns, lines));
            assert!(
                table.len() <= lines.max(1),
                "{columns} × {lines}: {}",
                table.len()
            );
            for line in &table {
                let width = plain(line).chars().count();
                assert!(width < columns, "{columns}: {width} {line}");
            }
        }
    }
    let table = watched.table((120, 24));
    assert!(
        table[0].starts_with("39 of 40 open · 1m 40s · wss://"),
        "{}",
        table[0]
    );
    assert!(
        plain(&table[2]).starts_with("   3  away "),
        "who is away comes first: {table:#?}"
    );
}
