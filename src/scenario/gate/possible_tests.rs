//! Tests which gates are refused because nothing could be seen, and which are taken.

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
fn what_is_due_is_due_in_the_measured_time() {
    let load = |duration: &str, connections: u32| {
        format!("{ELSEWHERE}load = {{ connections = {connections}, duration = \"{duration}\" }}\n")
    };
    let message = |keys: &str| format!("[[message]]\nname = \"echo\"\n{keys}");
    let gate = "p99(latency.echo) < 1s";
    for (scenario, is_taken) in [
        (load("20s", 1) + &message("rate = \"1/m\""), false),
        (load("61s", 1) + &message("rate = \"1/m\""), true),
        // Spread over the minute, some of many are due.
        (load("20s", 20) + &message("rate = \"1/m\""), true),
        (
            load("20s", 20) + &message("rate = \"1/m\"\nphase = \"aligned\""),
            false,
        ),
        (
            load("20s", 20) + &message("rate = \"1/m\"\ngaps = \"poisson\""),
            true,
        ),
        (
            load("20s", 2) + &message("rate = \"1/m\"\ngaps = \"poisson\""),
            false,
        ),
        // The first and only message of the first connections is sent before the measuring begins.
        (
            load("20s", 1) + &message("rate = \"1000/s\"\ncount = 1"),
            false,
        ),
        (
            load("20s", 20) + &message("rate = \"1/s\"\ncount = 1"),
            true,
        ),
        // In the closed model the server decides, but for a time to think.
        (load("20s", 1) + &message("in_flight = 1\ncount = 2"), true),
        (load("20s", 1) + &message("in_flight = 1\ncount = 1"), false),
        (
            load("20s", 1) + &message("in_flight = 1\nthink = \"1m\""),
            false,
        ),
    ] {
        match is_taken {
            true => taken(&scenario, gate),
            false => refused(
                &scenario,
                gate,
                "no such message is due in the measured time",
            ),
        }
    }
    let rare = "heartbeat = { interval = \"30s\", timeout = \"5s\" }\n";
    let short = load("20s", 1) + rare;
    refused(&short, "count(heartbeat.missed) == 0", "no ping is due");
    refused(
        &short,
        "count(connections.dead) == 0",
        "the run ends before",
    );
    let twice =
        load("40s", 1) + "heartbeat = { interval = \"30s\", timeout = \"5s\", max_missed = 2 }\n";
    refused(
        &twice,
        "count(connections.dead) == 0",
        "the run ends before",
    );
    taken(&(load("62s", 1) + rare), "count(connections.dead) == 0");
}

#[test]
fn each_stage_and_arrival_has_its_own_time() {
    let stages = format!(
        "{ELSEWHERE}load.stages = [{{ duration = \"2s\", connections = 4 }}, {{ duration = \"500ms\", connections = 4 }}, {{ duration = \"2s\", connections = 0 }}, {{ duration = \"2s\", connections = 0 }}]\n{ECHO}"
    );
    for (gate, is_taken) in [
        ("p99(latency.echo{stage=1}) < 1s", true),
        ("p99(latency.echo{stage=3}) < 1s", true),
        ("p99(latency.echo{stage=4}) < 1s", false),
        ("last(connections.open{stage=4}) == 0", true),
        ("last(connections.open{stage=2}) == 4", false),
        ("count(connections.lost{stage=1}) == 0", false),
        ("max(heartbeat.detection{stage=1}) < 1s", false),
    ] {
        match is_taken {
            true => taken(&stages, gate),
            false => assert!(read(&stages, gate).is_err(), "{gate}"),
        }
    }
    let arrivals = |lifetime: &str| {
        format!(
            "{ELSEWHERE}load = {{ arrivals = {{ rate = \"1/s\", lifetime = \"{lifetime}\" }}, duration = \"12s\" }}\n[[message]]\nname = \"echo\"\nrate = \"6/m\"\nphase = \"aligned\"\n"
        )
    };
    refused(&arrivals("100ms"), "p99(latency.echo) < 1s", "is due");
    taken(&arrivals("2s"), "p99(latency.echo) < 1s");
    let stays = |time: &str| {
        let steps = arrivals("steps").replace("\"steps\"", "\"steps\", max_open = 5");
        format!("{steps}[[step]]\npause = [\"10ms\", \"{time}\"]\n")
    };
    refused(&stays("100ms"), "p99(latency.echo) < 1s", "is due");
    taken(&stays("2s"), "p99(latency.echo) < 1s");
}

#[test]
fn a_gauge_has_the_statistics_that_say_something() {
    let listeners = format!("{ELSEWHERE}{LISTENERS}");
    for gate in [
        "min(connections.connecting) == 0",
        "last(connections.closing) == 0",
        "last(generator.cpu) < 80%",
        "min(generator.cpu) < 80%",
        "min(generator.rss) < 1GiB",
        "mean(generator.rss) < 1GiB",
    ] {
        refused(&listeners, gate, "says nothing");
    }
    for gate in [
        "last(connections.open) == 20",
        "min(connections.open) == 20",
        "mean(connections.open) == 20",
        "peak(connections.connecting) < 5",
        "mean(generator.cpu) < 80%",
        "last(generator.rss) < 1GiB",
    ] {
        taken(&listeners, gate);
    }
    let short = format!("{ELSEWHERE}load = {{ connections = 1, duration = \"500ms\" }}\n");
    refused(&short, "min(connections.open) == 1", "once a second");
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
fn a_step_is_due_when_what_stands_before_it_can_be_done() {
    let load = "load = { connections = 1, ramp_up = \"0s\", duration = \"10s\" }\n";
    let pause = |time: &str| format!("[[step]]\npause = {time}\n");
    let ask = "[[step]]\nname = \"ask\"\nsend = \"a\"\nexpect = \"b\"\ntimeout = \"2s\"\n";
    let tell = "[[step]]\nsend = \"a\"\nexpect = \"none\"\n";
    let wait = "[[step]]\nname = \"wait\"\nawait = \"c\"\ntimeout = \"1m\"\n";
    let asked = "p99(latency.ask) < 1s";
    let turns = |keys: &str, inside: &str| {
        let inside = inside.replace("[[step]]", "[[step.step]]");
        format!("[[step]]\nname = \"turn\"\nrepeat = {{ {keys} }}\n{inside}")
    };
    let timed = "p99(latency.turn) < 1s";
    for (steps, gate, is_taken) in [
        (pause("\"1s\"") + ask, asked, true),
        (pause("\"20s\"") + ask, asked, false),
        (pause("[\"1s\", \"20s\"]") + ask, asked, true),
        // The first step is due before measuring begins, and its answer comes in two seconds.
        (ask.to_owned(), asked, false),
        (format!("{tell}{ask}"), asked, false),
        (
            "[[step]]\nwait_for = \"measuring\"\n".to_owned() + ask,
            asked,
            true,
        ),
        (pause("\"20s\"") + ask, "count(messages.sent) > 0", false),
        (
            pause("\"20s\"") + tell,
            "max(schedule.lateness) < 1s",
            false,
        ),
        // An await listens from the send before it on.
        (
            pause("\"1s\"") + tell + &pause("\"20s\"") + wait,
            "count(awaits.met) > 0",
            true,
        ),
        (
            pause("\"20s\"") + tell + wait,
            "count(awaits.met) > 0",
            false,
        ),
        (turns("rate = \"3/m\"", ask), "count(turns.due) > 0", false),
        (turns("rate = \"1/s\"", ask), "count(turns.due) > 0", true),
        (turns("rate = \"1/s\"", ask), timed, true),
        (turns("rate = \"1/s\", count = 1", ask), timed, false),
        (
            pause("\"20s\"") + &turns("rate = \"1/s\"", ask),
            timed,
            false,
        ),
        // No turn comes to its end.
        (
            turns("rate = \"1/s\"", &(pause("\"20s\"") + ask)),
            timed,
            false,
        ),
        (
            turns("rate = \"1/s\"", &(pause("\"3s\"") + ask)),
            timed,
            true,
        ),
        (turns("count = 3", &(pause("\"2s\"") + ask)), asked, true),
        (
            turns("count = 3", &(pause("\"1ms\"") + tell)),
            "count(messages.sent) > 0",
            false,
        ),
        (
            turns("for = \"1ms\"", &(pause("\"1ms\"") + tell)) + ask,
            asked,
            false,
        ),
        (turns("", ask), asked, true),
        (
            "[[step]]\nclose = { code = 4000 }\n".to_owned(),
            "count(closes.4000.local) > 0",
            true,
        ),
        (
            pause("\"20s\"") + "[[step]]\nclose = { code = 4000 }\n",
            "count(closes.4000.local) > 0",
            false,
        ),
    ] {
        let scenario = format!("{ELSEWHERE}{load}{steps}");
        match is_taken {
            true => taken(&scenario, gate),
            false => refused(&scenario, gate, "due in the measured time"),
        }
    }
    // A turn that has begun is played to its end.
    let turn = turns("for = \"1s\"", &(pause("\"20s\"") + tell)) + ask;
    refused(&format!("{ELSEWHERE}{load}{turn}"), asked, "is due");
    // Who comes back begins again.
    let back = format!(
        "{ELSEWHERE}{}{ask}",
        load.replace(" }", ", reconnect = {} }")
    );
    taken(&back, asked);
}

#[test]
fn what_follows_no_schedule_is_never_offline() {
    let back = "load = { connections = 2, duration = \"10s\", reconnect = {} }\n\
        [[step]]\nrepeat = {}\n[[step.step]]\nsend = \"a\"\nexpect = \"none\"\n[[step.step]]\npause = \"1s\"\n";
    let steps = format!("{ELSEWHERE}{back}");
    taken(&steps, "count(messages.not_sent) == 0");
    refused(&steps, "count(messages.offline) == 0", "a schedule");
    taken(&format!("{steps}{ECHO}"), "count(messages.offline) == 0");
}

#[test]
fn pings_can_be_missed_before_measuring_and_not_by_one_that_is_no_death() {
    let scenario = |keys: &str, duration: &str| {
        format!(
            "{ELSEWHERE}load = {{ connections = 1, warm_up = \"3s\", duration = \"{duration}\" }}\nheartbeat = {{ interval = \"2s\", timeout = \"500ms\"{keys} }}\n"
        )
    };
    let gate = "count(errors.peer_frozen) == 0";
    taken(&scenario("", "100ms"), gate);
    let twice = scenario(", max_missed = 3", "1s");
    refused(&twice, gate, "before enough pings can be missed");
}

#[test]
fn messages_begin_when_a_set_up_is_done() {
    let load = |keys: &str| format!("{ELSEWHERE}load = {{ {keys}, duration = \"2s\" }}\n");
    let slow = "[[setup]]\npause = \"3s\"\n";
    let arrivals = load("arrivals = { rate = \"5/s\", lifetime = \"2s\" }") + ECHO;
    taken(&arrivals, "p99(latency.echo) < 1s");
    refused(
        &format!("{arrivals}{slow}"),
        "p99(latency.echo) < 1s",
        "is due",
    );
    // With a steady load, measuring begins when all are ready.
    let steady = load("connections = 1") + ECHO;
    taken(&format!("{steady}{slow}"), "p99(latency.echo) < 1s");
}

/// Whoever is set up when: all times of a set-up are kept together.
#[test]
fn times_of_a_set_up_are_of_no_stage() {
    let login = "target.url = \"ws://127.0.0.1:9\"\n\
        load.stages = [{ duration = \"2s\", connections = 9 }, { duration = \"2s\", connections = 0 }]\n\
        [[setup]]\nname = \"login\"\nsend = \"l\"\nexpect = { prefix = \"ok\" }\n";
    taken(login, "p99(latency.login) < 1s");
    let gate = "p99(latency.login{stage=1}) < 1s";
    refused(login, gate, "`latency.login` covers the whole run");
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
