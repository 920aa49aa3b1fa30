//! Checks the counts of a run: sums that must match exactly in every row of its report, whatever the server did.
//! `docs/measurement.md` promises each of these.

use std::collections::BTreeMap;

use super::run::{Part, Row, Run};

/// Checks every row of the measured window, every row of the totals, and one against the other. For runs in which every
/// message expects an echo, and no heartbeat is text.
#[track_caller]
pub fn assert_balanced(run: &Run) {
    let (measured, totals) = (run.measured(), run.totals());
    for (name, parts) in [("metrics", &measured), ("totals", &totals)] {
        for (part, row) in parts {
            let all = [messages(row), pings(row), connections(row)].concat();
            let wrong: Vec<String> = all.into_iter().filter_map(Balance::wrong).collect();
            assert!(
                wrong.is_empty(),
                "{name} of {part:?}:\n  {}\n{row:#?}",
                wrong.join("\n  ")
            );
        }
    }
    assert_measured_is_part_of_total(&measured, &totals);
}

/// Two sums that must be equal.
#[derive(Clone)]
struct Balance {
    what: &'static str,
    left: u64,
    right: u64,
}

impl Balance {
    fn wrong(self) -> Option<String> {
        let Self { what, left, right } = self;
        (left != right).then(|| format!("{what}: {left} is not {right}"))
    }
}

fn messages(row: &Row) -> Vec<Balance> {
    let of = |name: &str| row.count(&format!("messages.{name}"));
    let (due, sent, echoed) = (of("due"), of("sent"), of("echoed"));
    let outcomes = echoed + of("mismatched") + of("timed_out") + of("lost");
    let beside = of("late") + of("duplicated") + of("unsolicited");
    vec![
        Balance {
            what: "due = sent + not_sent + offline",
            left: due,
            right: sent + of("not_sent") + of("offline"),
        },
        Balance {
            what: "sent = echoed + mismatched + timed_out + lost",
            left: sent,
            right: outcomes,
        },
        Balance {
            what: "received = echoed + mismatched + late + duplicated + unsolicited",
            left: of("received"),
            right: echoed + of("mismatched") + beside,
        },
        Balance {
            what: "one latency for each echo that is certain",
            left: row.sum("latency.") + of("uncertain"),
            right: echoed,
        },
        Balance {
            what: "one service time for each echo that is certain",
            left: row.sum("service.") + of("uncertain"),
            right: echoed,
        },
    ]
}

fn pings(row: &Row) -> Vec<Balance> {
    let of = |name: &str| row.count(&format!("heartbeat.{name}"));
    let (pings, pongs) = (of("pings_sent"), of("pongs_received"));
    // A connection may end before a pong is due, so some pings were neither answered nor missed.
    let accounted = (pongs + of("missed")).min(pings);
    vec![
        Balance {
            what: "pings_sent >= pongs_received + missed",
            left: pongs + of("missed"),
            right: accounted,
        },
        Balance {
            what: "one rtt for each pong that is certain",
            left: of("rtt") + of("uncertain"),
            right: pongs + of("late"),
        },
        Balance {
            what: "one lateness for each message and ping sent",
            left: row.count("schedule.lateness"),
            right: row.count("messages.sent") + pings,
        },
    ]
}

/// Checks the connections. No connection is open when a report is written.
fn connections(row: &Row) -> Vec<Balance> {
    let of = |name: &str| row.count(&format!("connections.{name}"));
    let (opened, closed, lost) = (of("opened"), of("closed"), of("lost"));
    vec![
        Balance {
            what: "attempted = opened + failed + abandoned",
            left: of("attempted"),
            right: opened + of("failed") + of("abandoned"),
        },
        Balance {
            what: "opened = closed",
            left: opened,
            right: closed,
        },
        Balance {
            what: "opened >= lost >= dead",
            left: lost,
            right: lost.clamp(of("dead").min(opened), opened),
        },
        Balance {
            what: "closed = all closes",
            left: closed,
            right: row.sum("closes."),
        },
        Balance {
            what: "one handshake for each connection",
            left: row.count("handshake.total"),
            right: opened,
        },
    ]
}

fn assert_measured_is_part_of_total(measured: &BTreeMap<Part, Row>, totals: &BTreeMap<Part, Row>) {
    for ((cohort, _), total) in totals {
        let parts = || {
            measured
                .iter()
                .filter(|((name, _), _)| name == cohort)
                .map(|(_, row)| row)
        };
        for name in [
            "messages.due",
            "messages.echoed",
            "messages.received",
            "heartbeat.pings_sent",
        ] {
            let part: u64 = parts().map(|row| row.count(name)).sum();
            assert!(
                part <= total.count(name),
                "{name} of {cohort}: {part} measured"
            );
        }
        for name in [
            "connections.opened",
            "connections.closed",
            "bytes.sent",
            "bytes.received",
        ] {
            let part: u64 = parts().map(|row| row.count(name)).sum();
            assert_eq!(
                part,
                total.count(name),
                "{name} of {cohort} covers the whole run"
            );
        }
    }
}
