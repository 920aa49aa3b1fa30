//! Tests which gates are refused because nothing could be seen, and which are taken.

mod due;
mod steps;

use crate::scenario::{Outside, Overrides, Source, parse};

const ECHO: &str = "[[message]]\nname = \"echo\"\nrate = \"10/s\"\n";
const HEARTBEAT: &str = "heartbeat = { interval = \"1s\", timeout = \"1s\" }\n";
const LISTENERS: &str = "load = { connections = 20, duration = \"10s\" }\n";
const ELSEWHERE: &str = "target.url = \"ws://127.0.0.1:9\"\n";

/// Reads a scenario with this gate; returns the first line of the first problem, and its hint.
fn read(scenario: &str, gate: &str) -> Result<(), (String, String)> {
    let source = Source {
        name: "x.toml".into(),
        text: format!("name = \"x\"\n{scenario}"),
    };
    let overrides = Overrides {
        gates: vec![gate.to_owned()],
        ..Overrides::default()
    };
    let outside = Outside {
        env: &|_| None,
        read: &|_| Ok(Vec::new()),
        list: &Outside::no_folder,
    };
    let Err(problems) = parse(&source, &overrides, &outside) else {
        return Ok(());
    };
    let text = problems.to_string();
    let line = |begin: &str| {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix(begin));
        lines.next().unwrap_or_default().to_owned()
    };
    Err((line("error: "), line("hint: ")))
}

#[track_caller]
fn refused(scenario: &str, gate: &str, why: &str) {
    let (what, hint) = read(scenario, gate).expect_err(gate);
    assert!(what.contains(why), "{gate}: {what}");
    assert!(!hint.is_empty(), "{gate}: {what}");
}

#[track_caller]
fn taken(scenario: &str, gate: &str) {
    assert_eq!(read(scenario, gate), Ok(()), "{gate}\n{scenario}");
}

#[track_caller]
fn hinted(scenario: &str, gate: &str, hint: &str) {
    let (what, found) = read(scenario, gate).expect_err(gate);
    assert!(found.contains(hint), "{gate}: {what}\nhint: {found}");
}

#[test]
fn a_hint_names_the_cohort_that_has_it() {
    let cohorts = format!(
        "{ELSEWHERE}[[cohort]]\nname = \"ok\"\nconnections = 1\n\
        [[cohort]]\nname = \"bad\"\nconnections = 1\nfault = {{ kind = \"no_pong\" }}\n{}",
        ECHO.replace("[[message]]", "[[cohort.message]]"),
    );
    let named = "look at the cohort that has one: `latency.echo{cohort=bad}`";
    hinted(&cohorts, "p50(latency.echo) < 1s", named);
    let named = "look at the cohort that has one: `messages.late{cohort=bad}`";
    hinted(&cohorts, "count(messages.late{cohort=ok}) == 0", named);
    taken(&cohorts, "p50(latency.echo{cohort=bad}) < 1s");
}

#[test]
fn a_hint_says_where_a_count_is_used_up() {
    let load = "load = { connections = 4, warm_up = \"2s\", duration = \"2s\" }\n";
    let once = |load: &str| format!("{ELSEWHERE}{load}{ECHO}count = 1\n");
    hinted(
        &once(load),
        "p50(latency.echo) < 1s",
        "write a larger `count`",
    );
    // More of them would not be due sooner.
    let seldom = once(&load.replace("2s", "3s")).replace("10/s", "1/h");
    hinted(
        &seldom,
        "p50(latency.echo) < 1s",
        "write a longer `duration`",
    );
}

#[test]
fn what_nobody_does_is_not_counted() {
    let listeners = format!("{ELSEWHERE}{LISTENERS}");
    for gate in [
        "count(heartbeat.missed) == 0",
        "p99(heartbeat.rtt) < 1s",
        "count(connections.dead) == 0",
        "count(errors.peer_frozen) == 0",
        "count(connections.reconnected) > 0",
        "max(reconnect.duration) < 1s",
        "count(messages.timed_out) == 0",
        "ratio(messages.timed_out / messages.sent) < 1%",
        "count(messages.offline) == 0",
        "count(connections.skipped) == 0",
        "count(connections.fallbacks) == 0",
        "max(handshake.dns) < 1s",
        "max(handshake.tls) < 1s",
        "count(errors.tls_expired) == 0",
        "count(errors.dns) == 0",
        "count(errors.abandoned) == 0",
        "count(closes.1001.local) == 0",
        "count(closes.rst.local) == 0",
        "max(generator.bytes_per_connection) < 4KiB",
        "max(schedule.lateness) < 1ms",
    ] {
        refused(&listeners, gate, "needs");
    }
    let login = "[[setup]]\nname = \"login\"\nhttp = { url = \"https://h/login\" }\n";
    let gate = "max(handshake.tls) < 1s";
    refused(&format!("{listeners}{login}"), gate, "needs TLS");
    for gate in [
        "count(messages.received) > 0",
        "max(receive.gap) < 1s",
        "count(messages.unsolicited) > 0",
        "count(heartbeat.unsolicited) == 0",
        "count(server_ping.received) > 0",
        "p99(server_ping.interval) < 1s",
        "count(connections.lost) == 0",
        "count(errors.eof) == 0",
        "count(closes.1001.peer) == 0",
        "count(closes.timeout.local) == 0",
        "max(close.duration) < 1s",
    ] {
        taken(&listeners, gate);
    }
    let untold = format!("{listeners}{ECHO}expect = \"none\"");
    refused(
        &untold,
        "p99(latency.echo) < 1s",
        "needs a message that is answered",
    );
    refused(
        &untold,
        "count(messages.lost) == 0",
        "needs a message that is answered",
    );
    taken(&untold, "count(messages.sent) > 0");
    taken(&untold, "count(messages.not_sent) == 0");
    let closed = format!("{listeners}[[message]]\nname = \"echo\"\nin_flight = 1");
    refused(&closed, "count(messages.not_sent) == 0", "a schedule");
    taken(&closed, "p99(latency.echo) < 1s");
}

#[test]
fn what_is_needed_makes_it_possible() {
    let named = "target.url = \"wss://localhost:9\"\n";
    let many = "load = { connections = 5000 }\n";
    let arrivals = |max_open: u32| {
        format!(
            "load = {{ arrivals = {{ rate = \"10/s\", lifetime = \"1s\", max_open = {max_open} }}, duration = \"10s\" }}\n"
        )
    };
    for (scenario, gate) in [
        (format!("{named}{LISTENERS}"), "max(handshake.dns) < 1s"),
        (format!("{named}{LISTENERS}"), "max(handshake.tls) < 1s"),
        (
            format!("target.redirects = 1\n{ELSEWHERE}{LISTENERS}"),
            "max(handshake.tls) < 1s",
        ),
        (
            format!("{named}{LISTENERS}"),
            "count(errors.tls_expired) == 0",
        ),
        (
            format!("{named}{LISTENERS}"),
            "count(connections.fallbacks) == 0",
        ),
        (
            format!("{ELSEWHERE}{many}"),
            "max(generator.bytes_per_connection) < 4KiB",
        ),
        (
            format!("{ELSEWHERE}{}", arrivals(20)),
            "count(connections.skipped) == 0",
        ),
        (
            format!("{ELSEWHERE}{HEARTBEAT}{LISTENERS}"),
            "count(connections.dead) == 0",
        ),
        (
            format!("{ELSEWHERE}{HEARTBEAT}{LISTENERS}"),
            "count(closes.1011.local) == 0",
        ),
        (
            format!("{ELSEWHERE}{HEARTBEAT}{LISTENERS}"),
            "max(schedule.lateness) < 1ms",
        ),
    ] {
        taken(&scenario, gate);
    }
    refused(
        &format!("{ELSEWHERE}{}", arrivals(200)),
        "count(connections.skipped) == 0",
        "max_open",
    );
    let trusting = "target = { url = \"wss://localhost:9\", insecure = true }\n";
    refused(
        &format!("{trusting}{LISTENERS}"),
        "count(errors.tls_expired) == 0",
        "a certificate that is checked",
    );
    refused(
        &format!("{named}{LISTENERS}"),
        "max(handshake.dns{cohort=main}) < 1s",
        "belongs to no cohort",
    );
}

#[test]
fn only_names_that_wsbench_looks_up_have_times_of_look_ups() {
    const LOOK_UPS: [&str; 2] = ["max(handshake.dns) < 1s", "count(errors.dns) == 0"];
    const OTHERS: &str = "count(connections.fallbacks) == 0";
    let target =
        |keys: &str| format!("{LISTENERS}[target]\nurl = \"ws://a.example.org:9/\"\n{keys}\n");
    let here = "resolve = { \"a.example.org\" = [\"127.0.0.1\", \"127.0.0.2\"] }";
    let by_proxy = "proxy = \"socks5h://127.0.0.1:1080\"";
    for keys in [here, by_proxy, "proxy = \"http://127.0.0.1:3128\""] {
        for gate in LOOK_UPS {
            refused(&target(keys), gate, "a name that wsbench looks up");
        }
    }
    taken(&target(here), OTHERS);
    refused(&target(by_proxy), OTHERS, "a name to dial");
    for keys in [
        "",
        "proxy = \"socks5://127.0.0.1:1080\"",
        "proxy = \"http://proxy:3128\"",
    ] {
        for gate in LOOK_UPS {
            taken(&target(keys), gate);
        }
    }
    let embedded = |proxy: &str| {
        format!("target = {{ url = \"embedded\", proxy = \"{proxy}\" }}\n{LISTENERS}")
    };
    taken(&embedded("http://proxy:3128"), LOOK_UPS[0]);
    refused(&embedded("http://127.0.0.1:3128"), LOOK_UPS[0], "looks up");
}

#[test]
fn the_built_in_server_does_nothing_unasked_unless_told() {
    let embedded = |more: &str| format!("target = {{ url = \"embedded\"{more} }}\n{LISTENERS}");
    for gate in [
        "count(messages.received) > 0",
        "max(receive.gap) < 1s",
        "count(server_ping.received) > 0",
        "p99(server_ping.interval) < 1s",
    ] {
        refused(&embedded(""), gate, "of the built-in server");
        let more = ", push = \"1s\", heartbeat = { interval = \"1s\", timeout = \"1s\" }";
        taken(&embedded(more), gate);
    }
    taken(&format!("{}{ECHO}", embedded("")), "max(receive.gap) < 1s");
    taken(&embedded(", rooms = true"), "max(receive.gap) < 1s");
    refused(
        &embedded(", heartbeat = { interval = \"9s\", timeout = \"1s\" }"),
        "p99(server_ping.interval) < 10s",
        "none is due",
    );
}

#[test]
fn what_the_target_uses_needs_its_process() {
    let load = "load = { connections = 2, duration = \"10s\" }\n";
    for gate in [
        "max(target.rss) < 1GiB",
        "mean(target.cpu) < 80%",
        "last(target.descriptors) < 100",
    ] {
        refused(
            &format!("{load}{ELSEWHERE}"),
            gate,
            "whose process is known",
        );
        taken(&format!("{load}{ELSEWHERE}target.pid = 7\n"), gate);
        taken(&format!("{load}target.url = \"embedded\"\n"), gate);
    }
    let short = load.replace("10s", "100ms") + "target.url = \"embedded\"\n";
    refused(&short, "max(target.rss) < 1GiB", "a sample");
}

#[test]
fn a_gate_is_about_someone() {
    let cohorts = |fault: &str, contract: &str| {
        format!(
            "{ELSEWHERE}load.duration = \"10s\"\n{HEARTBEAT}[[cohort]]\nname = \"bad\"\nconnections = 2\n{fault}\n{contract}\n"
        )
    };
    let faulty = cohorts("fault = { kind = \"no_pong\" }", "");
    refused(&faulty, "p99(handshake.total) < 1s", "each has a fault");
    refused(&faulty, "count(heartbeat.missed) == 0", "each has a fault");
    taken(&faulty, "p99(handshake.total{cohort=bad}) < 1s");
    taken(&faulty, "peak(generator.cpu) < 80%");
    let ends = cohorts("", "contract = { code = 1001 }");
    refused(
        &ends,
        "count(connections.lost) == 0",
        "expects the end of each",
    );
    taken(&ends, "count(connections.lost{cohort=bad}) == 0");
    taken(&ends, "count(heartbeat.missed) == 0");
    let both =
        format!("{faulty}[[cohort]]\nname = \"good\"\nconnections = 2\nheartbeat = \"off\"\n");
    refused(
        &both,
        "count(heartbeat.missed) == 0",
        "no cohort without a fault has one",
    );
    refused(
        &both,
        "count(heartbeat.missed{cohort=good}) == 0",
        "cohort `good` has none",
    );
    refused(&both, "count(errors.fault) == 0", "a client with a fault");
    taken(&both, "count(errors.fault{cohort=bad}) == 0");
}

#[test]
fn who_asks_by_http_hears_nothing_unasked() {
    let http = "target.url = \"http://127.0.0.1:9\"\nload = { connections = 2, duration = \"10s\" }\n\
        [[step]]\npause = \"20s\"\n[[step]]\nname = \"ask\"\nhttp = { url = \"/\" }\n";
    for gate in [
        "count(messages.unsolicited) == 0",
        "count(server_ping.received) == 0",
        "count(messages.received) > 0",
    ] {
        refused(http, gate, "needs");
    }
    let soon = http.replace("20s", "2s");
    taken(&soon, "count(messages.received) > 0");
    taken(&soon, "p99(latency.ask) < 1s");
}

#[test]
fn pings_that_are_messages_are_pings_to_who_takes_them() {
    let texts = "target = { url = \"embedded\", heartbeat = { interval = \"1s\", timeout = \"1s\", kind = \"text\" } }\n";
    let plain = format!("{texts}{LISTENERS}");
    refused(
        &plain,
        "count(server_ping.received) > 0",
        "of the built-in server",
    );
    taken(&plain, "count(messages.received) > 0");
    let server = "heartbeat = { kind = \"text\", server = { ping = \"ping\", pong = \"pong\" } }\n";
    taken(
        &format!("{texts}{server}{LISTENERS}"),
        "count(server_ping.received) > 0",
    );
}
