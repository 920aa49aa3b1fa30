//! Compares the times that wsbench reports with the delays that a server has logged.
//! No limit here needs a quiet machine: the lower ones are exact, and the upper ones far above any noise.

mod common;

use std::time::{Duration, Instant};

use common::books::assert_balanced;
use common::frame::{CLOSE, PING, PONG, TEXT};
use common::run::{Run, run, trusted};
use common::{Act, Echo, Event, Log, Pong, Script, Server, When};

const MS: u64 = 1_000_000;
/// The resolution of a histogram, which has three significant digits.
const DIGITS: f64 = 0.999;

/// Runs five connections for two seconds, with messages or a heartbeat, against a server that follows a script.
#[track_caller]
fn measure(script: &Script, rest: &str) -> (Run, Server) {
    let (run, server) = trusted(|| {
        let server = Server::start(script.clone());
        (run(&scenario(&server.url(), rest), &[]), server)
    });
    run.assert_passed();
    assert_balanced(&run);
    (run, server)
}

fn scenario(url: &str, rest: &str) -> String {
    format!(
        "name = \"accuracy\"\n[target]\nurl = \"{url}\"\n[load]\nconnections = 5\nramp_up = \"0s\"\n\
         duration = \"2s\"\nramp_down = \"0s\"\n{rest}"
    )
}

/// The times that the server kept each frame of one kind before its answer, sorted, in nanoseconds. It answers in
/// order.
fn delays(log: &Log, asked: u8, answered: u8) -> Vec<u64> {
    let entries = log.entries();
    let times = |connection: u64, received: bool, opcode: u8| -> Vec<Instant> {
        let own = entries
            .iter()
            .filter(|entry| entry.connection == connection);
        own.filter(|entry| match &entry.event {
            Event::Received(frame) => received && frame.opcode == opcode,
            Event::Sent(frame) => !received && frame.opcode == opcode,
            _ => false,
        })
        .map(|entry| entry.at)
        .collect()
    };
    let connections = entries.iter().map(|entry| entry.connection).max().unwrap() + 1;
    let mut delays = Vec::new();
    for connection in 0..connections {
        let (came, left) = (
            times(connection, true, asked),
            times(connection, false, answered),
        );
        assert_eq!(came.len(), left.len(), "each frame was answered");
        delays.extend(
            came.iter()
                .zip(left)
                .map(|(came, left)| (left - *came).as_nanos() as u64),
        );
    }
    delays.sort_unstable();
    delays
}

/// Checks that the measured times are at least the server's delays, and at the median not much more.
#[track_caller]
fn assert_holds(run: &Run, metric: &str, delays: &[u64]) {
    assert!(delays.len() >= 50, "{} samples are too few", delays.len());
    let rank = |percent: usize| delays[(delays.len() * percent).div_ceil(100) - 1];
    let of = |stat| run.total_ns(metric, stat);
    let seen = format!(
        "{metric}: p50 {} where the server took {}, p99 {} where it took {}",
        of("p50"),
        rank(50),
        of("p99"),
        rank(99)
    );
    // Each sample is at least the delay it contains, so every quantile and the sum are too.
    for (stat, delay) in [
        ("min", delays[0]),
        ("p50", rank(50)),
        ("p99", rank(99)),
        ("max", rank(100)),
    ] {
        assert!(of(stat) as f64 >= delay as f64 * DIGITS, "{stat}, {seen}");
    }
    assert!(of("sum") >= delays.iter().sum(), "sum, {seen}");
    assert!(of("p50") <= rank(50) + 15 * MS, "{seen}");
    assert!(of("p99") <= rank(99) + 150 * MS, "{seen}");
}

#[test]
fn latency_is_the_servers_delay_and_a_little_more() {
    for delay in [0, 20, 200] {
        let echo = if delay == 0 {
            Echo::Same
        } else {
            Echo::Late(Duration::from_millis(delay))
        };
        let (run, server) = measure(
            &Script::echo(echo),
            "[[message]]\nname = \"echo\"\nrate = \"20/s\"\n",
        );
        let delays = delays(server.log(), TEXT, TEXT);
        assert_eq!(delays.len() as u64, run.report.count("messages.echoed"));
        assert_holds(&run, "latency.echo", &delays);
        assert_holds(&run, "service.echo", &delays);
        for stat in ["p50", "p99", "max", "sum"] {
            let (latency, service) = (
                run.total_ns("latency.echo", stat),
                run.total_ns("service.echo", stat),
            );
            assert!(latency >= service, "{stat}: latency counts from earlier");
        }
    }
}

#[test]
fn heartbeat_rtt_is_the_servers_delay_and_a_little_more() {
    for delay in [0, 20, 200] {
        let pong = if delay == 0 {
            Pong::Prompt
        } else {
            Pong::Late(Duration::from_millis(delay))
        };
        let heartbeat = "[heartbeat]\ninterval = \"100ms\"\ntimeout = \"5s\"\n";
        let (run, server) = measure(&Script::pong(pong), heartbeat);
        let delays = delays(server.log(), PING, PONG);
        assert_eq!(
            delays.len() as u64,
            run.report.count("heartbeat.pongs_received")
        );
        assert_holds(&run, "heartbeat.rtt", &delays);
    }
}

/// Checks against coordinated omission: a client that waits for the server before the next send sees one slow answer
/// where fifty users would have waited.
#[test]
fn a_stall_shows_as_all_the_messages_that_waited_for_it() {
    const CONNECTIONS: u64 = 5;
    let stall = Act::Stall(Duration::from_secs(1));
    let script = Script::act(When::After(Duration::from_millis(500)), stall);
    let message = "[[message]]\nname = \"echo\"\nrate = \"50/s\"\nin_flight = 1\n";
    let (run, _) = measure(&script, message);
    assert_eq!(
        run.count("messages.due"),
        50 * 2 * CONNECTIONS,
        "none was skipped for the stall"
    );

    let (latency, service) = (run.histogram("latency.echo"), run.histogram("service.echo"));
    let above =
        |times: &hdrhistogram::Histogram<u64>, ms: u64| times.count_between(ms * MS, u64::MAX);
    assert_eq!(
        above(&service, 500),
        CONNECTIONS,
        "one slow answer on each connection"
    );
    let waited = above(&latency, 50) as f64 / CONNECTIONS as f64;
    assert!(
        (40.0..=60.0).contains(&waited),
        "{waited} messages on each connection waited for a second's stall"
    );
    // The waits are spread evenly from zero to the whole stall, so half of them are longer than half of it.
    let half = above(&latency, 500) as f64 / CONNECTIONS as f64;
    assert!(
        (20.0..=32.0).contains(&half),
        "{half} messages on each connection waited for half of it"
    );
}

/// The report must match what the server saw, exactly.
#[test]
fn every_frame_is_counted_once() {
    let both = "[[message]]\nname = \"echo\"\nrate = \"20/s\"\n[heartbeat]\ninterval = \"100ms\"\n";
    let (run, server) = measure(&Script::default(), both);
    let log = server.log();
    assert_eq!(log.messages() as u64, run.report.count("messages.sent"));
    assert_eq!(log.pings() as u64, run.report.count("heartbeat.pings_sent"));
    let closes =
        log.count(|event| matches!(event, Event::Received(frame) if frame.opcode == CLOSE));
    assert_eq!(closes as u64, run.report.count("closes.1000.local"));
    assert_eq!(log.violations(), Vec::<String>::new());
}
