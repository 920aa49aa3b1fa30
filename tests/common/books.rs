//! Checks the counts of a run: sums that must match exactly in every row of its report, whatever the server did.
//! `docs/measurement.md` promises each of these. [`Report::read`](super::Report::read) checks those of any run, so no
//! test can read a report that breaks one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::run::{Part, Row, Run, rows};

/// Checks what holds in every row of the report of any run.
#[track_caller]
pub fn assert_kept(json: &Value) {
    let text = json["scenario"]["text"].as_str().unwrap();
    // Verbs of a dialect may expect no answer.
    let is_answered = !text.contains("\"none\"") && !text.contains("dialect");
    for list in ["metrics", "totals"] {
        for (part, row) in &rows(&json[list]) {
            let wrong = wrong(kept(row, is_answered));
            assert!(
                wrong.is_empty(),
                "{list} of {part:?}:\n  {}\n{row:#?}\n{text}",
                wrong.join("\n  ")
            );
        }
    }
}

/// Checks also what holds where every message expects an echo, there are no steps, and no heartbeat is text.
#[track_caller]
pub fn assert_balanced(run: &Run) {
    let (measured, totals) = (run.measured(), run.totals());
    for (name, parts) in [("metrics", &measured), ("totals", &totals)] {
        for (part, row) in parts {
            let wrong = wrong(echoes(row));
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
    fn equal(what: &'static str, left: u64, right: u64) -> Self {
        Self { what, left, right }
    }

    /// The right is at most the left.
    fn at_least(what: &'static str, left: u64, right: u64) -> Self {
        Self::equal(what, left, left.max(right))
    }

    fn wrong(self) -> Option<String> {
        let Self { what, left, right } = self;
        (left != right).then(|| format!("{what}: {left} is not {right}"))
    }
}

fn wrong(balances: Vec<Balance>) -> Vec<String> {
    balances.into_iter().filter_map(Balance::wrong).collect()
}

/// What holds in any run; `is_answered`: every message expects an answer.
fn kept(row: &Row, is_answered: bool) -> Vec<Balance> {
    [
        messages(row, is_answered),
        steps(row),
        deliveries(row),
        pings(row),
        connections(row),
    ]
    .concat()
}

fn messages(row: &Row, is_answered: bool) -> Vec<Balance> {
    let of = |name: &str| row.count(&format!("messages.{name}"));
    let sum = |names: &[&str]| names.iter().map(|name| of(name)).sum::<u64>();
    let outcomes = sum(&["echoed", "answered", "mismatched", "timed_out", "lost"]);
    let came = sum(&["echoed", "answered", "mismatched", "late", "duplicated"]);
    let outcome = match is_answered {
        true => Balance::equal,
        false => Balance::at_least,
    };
    vec![
        Balance::equal(
            "due = sent + not_sent + offline",
            of("due"),
            sum(&["sent", "not_sent", "offline"]),
        ),
        outcome(
            "sent = echoed + answered + mismatched + timed_out + lost",
            of("sent"),
            outcomes,
        ),
        Balance::at_least("not_sent >= not_taken", of("not_sent"), of("not_taken")),
        Balance::at_least("sent >= held_up", of("sent"), of("held_up")),
        Balance::at_least(
            "received >= answers + late + duplicated + unsolicited + pushes",
            of("received"),
            came + of("unsolicited") + row.count("pushes.received"),
        ),
        Balance::at_least(
            "one latency for each echo that is certain",
            row.sum("latency.") + of("uncertain"),
            of("echoed"),
        ),
        Balance::equal(
            "one lateness for each message and ping sent",
            row.count("schedule.lateness"),
            of("sent") + row.count("heartbeat.pings_sent"),
        ),
    ]
}

fn steps(row: &Row) -> Vec<Balance> {
    let sums = |group: &str, names: &[&str]| -> u64 {
        let names = names.iter();
        names
            .map(|name| row.count(&format!("{group}.{name}")))
            .sum()
    };
    let setups = ["ready", "failed", "lost", "abandoned"];
    let awaits = ["met", "wrong", "timed_out", "lost", "abandoned"];
    vec![
        Balance::equal(
            "setup.begun = ready + failed + lost + abandoned",
            row.count("setup.begun"),
            sums("setup", &setups),
        ),
        Balance::equal(
            "one setup.duration for each that is ready",
            row.count("setup.duration"),
            row.count("setup.ready"),
        ),
        Balance::equal(
            "awaits.begun = met + wrong + timed_out + lost + abandoned",
            row.count("awaits.begun"),
            sums("awaits", &awaits),
        ),
        Balance::equal(
            "turns.due = begun + missed",
            row.count("turns.due"),
            sums("turns", &["begun", "missed"]),
        ),
        Balance::at_least(
            "pushes.received >= wrong",
            row.count("pushes.received"),
            row.count("pushes.wrong"),
        ),
        Balance::at_least(
            "pushes.received >= numbered",
            row.count("pushes.received"),
            row.count("pushes.numbered"),
        ),
    ]
}

fn deliveries(row: &Row) -> Vec<Balance> {
    let of = |name: &str| row.count(&format!("delivery.{name}"));
    vec![
        Balance::at_least("expected >= received", of("expected"), of("received")),
        Balance::at_least(
            "one delivery.latency for each that was received",
            of("latency"),
            of("received"),
        ),
    ]
}

fn echoes(row: &Row) -> Vec<Balance> {
    let (lost, dead) = ("connections.lost", "connections.dead");
    let of = |name: &str| row.count(&format!("messages.{name}"));
    let beside = of("late") + of("duplicated") + of("unsolicited");
    vec![
        Balance::at_least("lost >= dead", row.count(lost), row.count(dead)),
        Balance::equal(
            "received = echoed + mismatched + late + duplicated + unsolicited",
            of("received"),
            of("echoed") + of("mismatched") + beside,
        ),
        Balance::equal(
            "one latency for each echo that is certain",
            row.sum("latency.") + of("uncertain"),
            of("echoed"),
        ),
        Balance::equal(
            "one service time for each echo that is certain",
            row.sum("service.") + of("uncertain"),
            of("echoed"),
        ),
    ]
}

fn pings(row: &Row) -> Vec<Balance> {
    let of = |name: &str| row.count(&format!("heartbeat.{name}"));
    let (pings, pongs) = (of("pings_sent"), of("pongs_received"));
    vec![
        // A connection may end before a pong is due, so some pings were neither answered nor missed.
        Balance::at_least(
            "pings_sent >= pongs_received + missed",
            pings,
            pongs + of("missed"),
        ),
        Balance::equal(
            "one rtt for each pong that is certain",
            of("rtt") + of("uncertain"),
            pongs + of("late"),
        ),
    ]
}

/// Checks the connections. No connection is open when a report is written.
fn connections(row: &Row) -> Vec<Balance> {
    let of = |name: &str| row.count(&format!("connections.{name}"));
    let (opened, closed, lost) = (of("opened"), of("closed"), of("lost"));
    vec![
        Balance::equal(
            "attempted = opened + failed + abandoned",
            of("attempted"),
            opened + of("failed") + of("abandoned"),
        ),
        Balance::equal("opened = closed", opened, closed),
        Balance::at_least("opened >= lost", opened, lost),
        Balance::at_least("opened >= dead", opened, of("dead")),
        Balance::equal("closed = all closes", closed, row.sum("closes.")),
        Balance::equal(
            "one handshake for each connection, and for each that was renewed",
            row.count("handshake.total"),
            opened + of("renewed"),
        ),
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
