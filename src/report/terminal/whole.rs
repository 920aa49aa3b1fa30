//! All reports of a run together, in a line.

use crate::measure::Summary;
use crate::metric::{Counter, Timer};
use crate::report::times::covered;
use crate::units::{counted, human_count, human_ns, roughly};

/// How long it ran, what became of its connections, and how its heartbeat fared.
pub fn in_all(whole: &Summary) -> String {
    let total = |counter: Counter| whole.total(counter.name());
    let mut parts = vec![
        counted(total(Counter::ConnectionsOpened), "connection") + " opened",
        format!("{} lost", human_count(total(Counter::ConnectionsLost))),
        format!("{} failed", human_count(total(Counter::ConnectionsFailed))),
    ];
    let pings = total(Counter::PingsSent);
    if pings > 0 {
        let missed = human_count(total(Counter::PingsMissed));
        parts.push(format!("{}, {missed} missed", counted(pings, "ping")));
    }
    let rtt = (whole.totals.iter()).filter(|row| row.name == Timer::HeartbeatRtt.name());
    if let Some(rtt) = Summary::merged(rtt) {
        let of = |name, time: Option<u64>| Some(format!("{name} {}", human_ns(time?)));
        let told = [
            of("p50", covered(&rtt, 50.0)),
            of("p99", covered(&rtt, 99.0)),
            of("max", rtt.max()),
        ];
        let told: Vec<String> = told.into_iter().flatten().collect();
        parts.push(format!("round trip {}", told.join(", ")));
    }
    let lasted = std::time::Duration::from_secs_f64(whole.seconds);
    format!("all together, {}: {}", roughly(lasted), parts.join("; "))
}
