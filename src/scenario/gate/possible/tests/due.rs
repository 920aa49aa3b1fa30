//! What has to be due in the measured time, or in a stage of it.

use super::{ECHO, ELSEWHERE, LISTENERS, read, refused, taken};

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
