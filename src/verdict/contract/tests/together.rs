//! Tests that every contract that `check` accepts can be kept: for each two promises, either `check` refuses the pair,
//! or there are connections that keep both.

use super::super::fixture::*;
use super::super::judge::judge;
use crate::measure::{
    ConnectionRecord, EndedBy, SocketEnd, Sockets, Summary, Surroundings, TcpEnding,
};
use crate::metric::Cause;
use crate::scenario::{Outside, Overrides, Scenario, Source, parse};
use crate::units::{Nanos, after};

const PROMISES: &[&str] = &[
    "closed = 0",
    "closed = 10",
    "alive_for = \"1s\"",
    "alive_for = \"5s\"",
    "closed_between = [\"2s\", \"3s\"]",
    "code = 1011",
    "ends_with = \"close_frame\"",
    "ends_with = [\"fin\", \"rst\"]",
    "ends_with = \"nothing\"",
    "tcp_end_within = \"1s\"",
    "reaped_between = [\"2s\", \"3s\"]",
    "released_within = \"1s\"",
    "released_within = \"4s\"",
    "effective_timeout = [\"1s\", \"2s\"]",
    "close_answered_within = \"1s\"",
    "close_code_echoed = true",
    "silent_after_close = true",
    "detected_between = [\"2s\", \"3s\"]",
    "back_within = { all = \"5s\" }",
];

/// Other keys of a cohort that some promises need to be judged.
const COHORTS: &[&str] = &[
    "fault = { kind = \"late_pong\", delay = { from = \"1s\", to = \"2s\", levels = 5 } }",
    "fault = { kind = \"close\", after = \"10s\" }",
    "heartbeat = { on_dead = \"keep\" }",
    "heartbeat = { on_dead = \"reconnect\" }\nreconnect = {}",
];

/// When clients reconnect, in milliseconds: early enough to be judged again, and so late that the end of the run cuts
/// it short.
const BACK: u64 = 56_000;
const CUT_SHORT: u64 = 3_100;

fn scenario(cohort: &str, one: &str, other: &str) -> Result<Scenario, String> {
    let text = format!(
        "name = \"x\"\ntarget.url = \"embedded\"\nload.duration = \"1m\"\n[[cohort]]\nname = \"main\"\n\
         connections = 10\n{cohort}\n[cohort.contract]\nfrom = \"open\"\n{one}\n{other}"
    );
    let name = "x".into();
    let outside = Outside {
        env: &|_| None,
        read: &|_| unreachable!("no file is named"),
        list: &Outside::no_folder,
    };
    let parsed = parse(&Source { name, text }, &Overrides::default(), &outside);
    parsed.map_err(|problems| problems.to_string())
}

/// The ways in which a connection can end: by each side that can end it, as early and as late as matters to a promise.
fn ways(cohort: &str, connection: u32) -> Vec<ConnectionRecord> {
    let by_fault = |code| ConnectionRecord {
        close_sent_ns: Some(after(10_100 * MS)),
        close_sent_code: Some(code),
        ended_by: EndedBy::Fault,
        ..closed(connection, 10_101, code)
    };
    let given_up = ConnectionRecord {
        ended_by: EndedBy::Heartbeat,
        cause: Cause::MissedPong,
        ended_ns: after(2_600 * MS),
        ..silent(connection)
    };
    let mut ways = vec![
        record(connection),
        silent(connection),
        closed(connection, 2_600, 1011),
        closed(connection, 6_000, 1011),
        closed(connection, 600, 1011),
        cut(connection, 2_600, TcpEnding::Fin),
        cut(connection, 6_000, TcpEnding::Fin),
        cut(connection, 600, TcpEnding::Fin),
    ];
    if cohort.contains("\"close\"") {
        ways.push(by_fault(1011));
        ways.push(ConnectionRecord {
            close_received_ns: None,
            close_code: None,
            ..by_fault(1011)
        });
    }
    if cohort.contains("\"reconnect\"") {
        ways.push(given_up);
    }
    ways
}

/// Ten connections with one way to end, or with two: the clients with the longer delays have the second.
/// If clients reconnect, `back` is when, in milliseconds.
fn records(cohort: &str, one: usize, other: usize, back: Option<u64>) -> Vec<ConnectionRecord> {
    let has_died = cohort.contains("heartbeat");
    let first = (0..10).map(|connection| {
        let way = if connection < 5 { one } else { other };
        let of_this = ways(cohort, connection).swap_remove(way);
        ConnectionRecord {
            level_ns: Some(Nanos(((1_000 + 250 * u64::from(connection / 2)) * MS).0)),
            pings_ns: vec![after(1_000 * MS)],
            dead_ns: has_died.then_some(after(2_500 * MS)),
            ..of_this
        }
    });
    let open_for = if back == Some(CUT_SHORT) { 900 } else { 4_000 };
    let second = (0..10).filter_map(|connection| {
        Some(ConnectionRecord {
            opened_ns: after(back? * MS),
            lost_before_ns: Some(after((back? - 500) * MS)),
            first_answer_ns: Some(after((back? + 1) * MS)),
            local_port: Some(50_000 + connection as u16),
            dead_ns: Some(after((back? + 2_400) * MS)),
            close_sent_ns: Some(after((back? + open_for) * MS)),
            close_received_ns: Some(after((back? + open_for + 1) * MS)),
            tcp_end_ns: Some(after((back? + open_for + 2) * MS)),
            ended_ns: after((back? + open_for + 2) * MS),
            ..record(connection)
        })
    });
    first.chain(second).collect()
}

fn surroundings(left: u64, gone: u64) -> Surroundings {
    let ends = [40_000, 50_000].into_iter().flat_map(|port| {
        let later = if port == 50_000 { BACK - 100 } else { 0 };
        (0..10).map(move |connection| SocketEnd {
            client_port: port + connection,
            relayed: None,
            seen_ns: after((later + 100) * MS),
            left_ns: Some(after((later + left) * MS)),
            gone_ns: Some(after((later + gone) * MS)),
            send_queue: 0,
        })
    });
    let sockets = Sockets {
        ends: ends.collect(),
        resolution_ns: MS,
        more: 0,
    };
    Surroundings {
        sockets: Some(sockets),
        ..Surroundings::default()
    }
}

/// All runs of a cohort, with one or two ways to end.
fn runs(cohort: &str) -> Vec<Summary> {
    let ways = ways(cohort, 0).len();
    let pairs = (0..ways).flat_map(|one| (0..ways).map(move |other| (one, other)));
    let base = summary(Vec::new());
    let backs: &[Option<u64>] = match cohort.contains("reconnect") {
        true => &[None, Some(BACK), Some(CUT_SHORT)],
        false => &[None],
    };
    let runs = pairs.flat_map(|pair| backs.iter().map(move |back| (pair, *back)));
    runs.map(|((one, other), back)| with_records(base.clone(), records(cohort, one, other, back)))
        .collect()
}

fn can_be_kept(scenario: &Scenario, runs: &[Summary]) -> bool {
    let around = [(500, 700), (2_500, 2_700)].map(|(left, gone)| surroundings(left, gone));
    runs.iter().any(|summary| {
        let mut around = around.iter();
        around.any(|around| {
            let results = judge(scenario, summary, around);
            results.iter().all(|result| result.passed)
        })
    })
}

#[test]
fn two_promises_are_refused_or_can_both_be_kept() {
    let (mut refused, mut kept, mut neither) = (0, 0, Vec::new());
    for cohort in COHORTS {
        let runs = runs(cohort);
        for (index, one) in PROMISES.iter().enumerate() {
            let key = |text: &&str| text.split(' ').next().unwrap_or_default().to_owned();
            for other in PROMISES[..index]
                .iter()
                .filter(|other| key(other) != key(one))
            {
                match scenario(cohort, other, one) {
                    Err(said) if said.contains("cannot be kept together") => refused += 1,
                    // One of the two needs another cohort.
                    Err(_) => {}
                    Ok(scenario) => {
                        kept += 1;
                        let what = format!("{cohort}: {other} and {one}");
                        if !can_be_kept(&scenario, &runs) {
                            neither.push(what);
                        }
                    }
                }
            }
        }
    }
    assert!(neither.is_empty(), "neither refused nor kept: {neither:#?}");
    assert!(refused > 50 && kept > 200, "{refused} refused, {kept} kept");
}
