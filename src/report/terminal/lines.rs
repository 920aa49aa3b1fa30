//! A run as it is now, as one line.

use std::time::Duration;

use crate::measure::Progress;
use crate::report::words::phase_name;
use crate::units::{human_count, human_ns};

/// Formats one snapshot as a plain line: `0:12 measure  1,000 open, 0 dead, …`.
pub(super) fn line(now: &Progress) -> String {
    let left = now.left.map(|left| format!(", {} left", clock(left)));
    format!(
        "{:>5} {:8} {}{}",
        clock(now.elapsed),
        phase_name(now.phase),
        state(now, false),
        left.unwrap_or_default()
    )
}

/// Formats open connections, the traffic of the last second, and its latency. If `brief`, shows only the
/// greater of both rates: what is received usually answers what was sent.
pub(super) fn state(now: &Progress, brief: bool) -> String {
    let open = human_count(now.open.open);
    let mut parts = vec![match now.connections {
        Some(all) if now.open.open < all => format!("{open} of {} open", human_count(all)),
        _ => format!("{open} open"),
    }];
    parts.push(format!("{} dead", human_count(now.open.dead)));
    let mut if_any = |count: u64, word: &str| {
        if count > 0 {
            parts.push(format!("{}{word}", human_count(count)));
        }
    };
    if_any(now.so_far.failed, " failed");
    if_any(now.timed_out, " timed out/s");
    if_any(now.missed, " missed/s");
    let is_idle = now.sent + now.received == 0;
    if is_idle {
        if_any(now.pings_sent, " pings/s");
    } else if brief {
        if_any(now.sent.max(now.received), "/s");
    } else {
        if_any(now.sent, " sent/s");
        if_any(now.received, " received/s");
    }
    let times = if is_idle { now.rtt } else { now.latency };
    for (name, ns) in [("p50", times.p50_ns), ("p99", times.p99_ns)] {
        parts.extend(ns.map(|ns| format!("{name} {}", human_ns(ns))));
    }
    parts.join(", ")
}

/// Formats `0:07`, `12:30`, `1:00:00`; rounds up, so that less than a second is not shown as zero.
pub(super) fn clock(time: Duration) -> String {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::measure::{Open, Phase, Times, Troubles};

    fn times(p50: u64, p99: u64, max: u64) -> Times {
        Times {
            p50_ns: Some(p50),
            p99_ns: Some(p99),
            max_ns: Some(max),
        }
    }

    pub(in super::super) fn snapshot(phase: Phase, second: u64) -> Progress {
        Progress {
            phase,
            elapsed: Duration::from_secs(second),
            left: Some(Duration::from_millis(17_400)),
            planned: Some(Duration::from_secs(30)),
            open: Open {
                open: 1_000,
                ..Open::default()
            },
            connections: Some(1_000),
            so_far: Troubles::default(),
            sent: 9_998,
            received: 9_997,
            timed_out: 0,
            pings_sent: 100,
            pongs_received: 100,
            missed: 0,
            latency: times(74_000, 1_250_000, 4_100_000),
            rtt: times(50_000, 60_000, 90_000),
            lateness: times(40_000, 112_000, 300_000),
            cpu: Some(36.2),
        }
    }

    #[test]
    fn a_line_says_it_all() {
        assert_eq!(
            line(&snapshot(Phase::Measure, 12)),
            " 0:12 measure  1,000 open, 0 dead, 9,998 sent/s, 9,997 received/s, p50 74.0 µs, p99 1.25 ms, 0:18 left"
        );
    }

    #[test]
    fn idle_connections_show_their_heartbeat() {
        let idle = Progress {
            sent: 0,
            received: 0,
            missed: 3,
            so_far: Troubles {
                failed: 2,
                missed: 5,
                ..Troubles::default()
            },
            open: Open {
                open: 990,
                dead: 8,
                ..Open::default()
            },
            left: None,
            latency: Times::default(),
            ..snapshot(Phase::Stage(2), 3_661)
        };
        assert_eq!(
            line(&idle),
            "1:01:01 stage 2  990 of 1,000 open, 8 dead, 2 failed, 3 missed/s, 100 pings/s, p50 50.0 µs, p99 60.0 µs"
        );
    }

    #[test]
    fn of_connections_that_come_and_go_none_are_missing() {
        let arrivals = Progress {
            connections: None,
            ..snapshot(Phase::Measure, 12)
        };
        assert!(line(&arrivals).starts_with(" 0:12 measure  1,000 open, 0 dead, "));
        let few = Progress {
            connections: Some(2_000),
            ..arrivals
        };
        assert!(line(&few).starts_with(" 0:12 measure  1,000 of 2,000 open, "));
    }
}
