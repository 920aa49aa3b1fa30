//! Servers that freeze: TCP stays open, and nothing comes any more.

use std::time::Duration;

use super::common::{Act, Script, When};
use super::{CONNECTIONS, GATES, HEARTBEAT, echoes, run, scenario};

/// Nobody is declared dead where nobody pings.
fn gates_without_pings() -> String {
    GATES.replace("  \"count(connections.dead) == 0\",\n", "")
}

#[test]
fn a_server_that_accepts_and_then_freezes() {
    let outcome = run(&scenario(), Script::act(When::Open, Act::Freeze));
    outcome.assert_all_end("peer_frozen", "timeout.local");
    outcome.assert_rows(&[
        ("state", "dead"),
        ("pings_missed", "1"),
        ("last_received_s", ""),
        ("last_pong_s", ""),
        ("close_code", ""),
    ]);
    assert_eq!(outcome.count("connections.dead"), CONNECTIONS);
    assert_eq!(outcome.count("messages.received"), 0);
    outcome.assert_untrusted("no_answer");
}

#[test]
fn a_server_that_freezes_in_the_middle_is_noticed_in_time() {
    let freeze = When::After(Duration::from_millis(310));
    let outcome = run(&scenario(), Script::act(freeze, Act::Freeze));
    outcome.assert_all_end("peer_frozen", "timeout.local");
    assert_eq!(outcome.count("connections.dead"), CONNECTIONS);
    outcome.assert_fails(&["messages.timed_out", "connections.dead", "connections.lost"]);
    for row in &outcome.report.connections {
        assert_ne!(row["last_received_s"], "");
        assert_ne!(row["tcp_last_ack_s"], "", "the kernel's view");
        assert_eq!(row["tcp_retransmits"], "0");
    }
    let row = outcome.report.rows("totals", "heartbeat.detection")[0];
    assert_eq!(row["count"], CONNECTIONS);
    // The last sign of life was an echo; from the freeze it is `interval` and `timeout` at most, and an echo comes
    // every 50 ms.
    let most = row["max"].as_f64().unwrap();
    let limit = 600e3 + 50e3;
    let late = outcome.report.rows("totals", "schedule.lateness")[0]["max"].as_f64();
    assert!(most < limit + late.unwrap() + 50e3, "{most} µs");
}

#[test]
fn without_pings_its_messages_time_out_and_so_does_our_close() {
    let freeze = When::After(Duration::from_millis(310));
    let scenario = format!("{}{}", echoes(), gates_without_pings());
    let outcome = run(&scenario, Script::act(freeze, Act::Freeze));
    outcome.assert_all_end("close_timeout", "timeout.local");
    assert!(outcome.count("messages.timed_out") >= CONNECTIONS * 10);
    outcome.assert_fails(&["messages.timed_out", "errors.close_timeout"]);
}

#[test]
fn a_server_that_reads_nothing_fills_up() {
    let scenario = format!("{}{}", echoes(), gates_without_pings())
        .replace(
            "name = \"echo\"",
            "name = \"echo\"\npayload = { size = \"1MiB\" }",
        )
        .replace("rate = \"20/s\"", "rate = \"40/s\"");
    let outcome = run(&scenario, Script::act(When::Open, Act::Freeze));
    outcome.assert_all_end("write_timeout", "timeout.local");
    assert!(outcome.count("messages.not_sent") > 0, "what does not fit");
    outcome.assert_untrusted("no_answer");
    // A backlog is no queue.
    outcome.assert_memory_below(64 << 20);
}

/// What it does not take is no sign of a slow generator.
#[test]
fn a_server_that_stops_reading_is_to_blame_for_what_it_does_not_take() {
    let scenario = format!("{}{}", echoes(), gates_without_pings()).replace(
        "name = \"echo\"",
        "name = \"echo\"\npayload = { size = \"1MiB\" }",
    );
    let scenario = scenario.replace("duration = \"1s\"", "duration = \"2s\"");
    let freeze = When::After(Duration::from_millis(310));
    let outcome = run(&scenario, Script::act(freeze, Act::Freeze));
    outcome.assert_fails(&["messages.timed_out"]);
    let (not_sent, not_taken) = ("messages.not_sent", "messages.not_taken");
    assert!(outcome.count(not_taken) > 0);
    assert_eq!(outcome.count(not_taken), outcome.count(not_sent));
    assert!(outcome.report.warnings().contains(&"not_sent"));
}

#[test]
fn a_server_that_stalls_and_goes_on_loses_nothing() {
    let stall = Act::Stall(Duration::from_millis(200));
    let middle = When::After(Duration::from_millis(310));
    let scenario = format!("{}{HEARTBEAT}{GATES}", echoes());
    let outcome = run(&scenario, Script::act(middle, stall));
    outcome.assert_all_complete();
    assert_eq!(
        outcome.count("messages.echoed"),
        outcome.count("messages.due")
    );
    let latency = outcome.report.rows("totals", "latency.echo")[0];
    assert!(latency["max"].as_f64().unwrap() >= 150e3, "{latency}");
    outcome.assert_passes();
}
