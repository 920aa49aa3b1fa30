//! Runs without end: their reports are closed while they go on, and a signal ends them as planned.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::common::{Echo, Ended, Report, Running, Script, Server};

fn scenario(url: &str, load: &str) -> String {
    format!(
        r#"
        name = "endless"
        target.url = "{url}"
        load = {{ connections = 5, ramp_up = "0s", ramp_down = "0s", {load} }}
        heartbeat = {{ interval = "100ms", timeout = "5s" }}
        gates.pass = ["count(connections.lost) == 0", "count(heartbeat.missed) == 0"]
        [[message]]
        name = "echo"
        rate = "20/s"
        "#
    )
}

/// Waits until a file is there.
fn wait_for(file: &Path) {
    let begun = Instant::now();
    while !file.exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{}",
            file.display()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn report(folder: &Path, number: u32) -> PathBuf {
    folder.join("report").join(number.to_string())
}

fn sum(folder: &Path, reports: u32, metric: &str) -> u64 {
    let counts =
        (1..=reports).map(|number| Report::read_closed(&report(folder, number)).count(metric));
    counts.sum()
}

#[test]
fn signals_close_reports_and_end_the_run() {
    let server = Server::start(Script::default());
    let running = Running::start(&scenario(&server.url(), "duration = \"endless\""), &[]);
    for number in 1..=2 {
        let messages = server.log().messages();
        server.wait_until(|log| log.messages() > messages + 100);
        running.signal("USR1");
        wait_for(&report(running.folder(), number).join("run.json"));
    }
    running.signal("HUP");
    let ended = running.end();
    assert_eq!(ended.code, 0, "{}\n{}", ended.stdout, ended.stderr);
    let reports: Vec<Report> = (1..=3)
        .map(|number| Report::read_closed(&report(ended.folder(), number)))
        .collect();
    for report in &reports {
        assert_eq!(report.json["outcome"], "completed");
        assert_eq!(
            report.json["verdict"]["passed"], true,
            "{}",
            report.json["verdict"]
        );
    }
    // What was sent on one side of a border counts there, and nothing twice.
    let sent = sum(ended.folder(), 3, "messages.sent");
    assert_eq!(server.log().messages() as u64, sent);
    assert_eq!(sum(ended.folder(), 3, "messages.echoed"), sent);
    assert_eq!(sum(ended.folder(), 3, "connections.opened"), 5);
    assert_eq!(reports[1].count("connections.opened"), 0);
    assert!(ended.stderr.contains("report 2  PASS"), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("3 reports: all passed"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("5 connections opened; 0 lost"),
        "{}",
        ended.stderr
    );
}

/// What is under way at a border counts in the report in which it is answered, so nothing is missing in any.
#[test]
fn a_healthy_server_has_answered_all_in_each_report() {
    // At each border some 15 messages wait for their echoes.
    let server = Server::start(Script::echo(Echo::Late(Duration::from_millis(150))));
    let arguments = [
        "--every",
        "1s",
        "--gate",
        "ratio(messages.echoed / messages.sent) == 100%",
        "--gate",
        "count(messages.timed_out) == 0",
    ];
    let running = Running::start(&scenario(&server.url(), "duration = \"4s\""), &arguments);
    let ended = running.end();
    let folder = ended.folder();
    let mut number = 0;
    let mut sent = 0;
    let (mut left, mut any) = (0, false);
    while report(folder, number + 1).join("run.json").exists() {
        number += 1;
        let report = Report::read_closed(&report(folder, number));
        let json = &report.json;
        let gates = json["verdict"]["gates"].as_array().unwrap();
        let broken = gates.iter().filter(|gate| gate["passed"] != true);
        assert_eq!(broken.count(), 0, "{number}: {gates:#?}");
        assert_eq!(
            report.count("messages.echoed"),
            report.count("messages.sent")
        );
        sent += report.count("messages.sent");
        assert_eq!(
            json["border"]["taken"].as_u64().unwrap_or(0),
            left,
            "{number}"
        );
        left = json["border"]["left"].as_u64().unwrap_or(0);
        any |= left > 0;
        if number > 1 {
            assert_eq!(json["border"]["open"], 5, "{number}");
        }
    }
    assert!(number >= 4 && left == 0 && any, "{number} {left}");
    assert_eq!(sent, server.log().messages() as u64);
    assert!(
        ended.stdout.contains("at its begin 5 connections open"),
        "{}",
        ended.stdout
    );
}

/// A report that failed decides how the run ends, though the last one passes.
#[test]
fn reports_are_judged_each_and_the_worst_decides() {
    let server = Server::start(Script::default());
    let arguments = ["--every", "1s", "--gate", "count(connections.opened) == 0"];
    let running = Running::start(&scenario(&server.url(), "duration = \"3s\""), &arguments);
    let ended = running.end();
    assert_eq!(ended.code, 3, "{}\n{}", ended.stdout, ended.stderr);
    let folder = ended.folder();
    let passed =
        |number| Report::read_closed(&report(folder, number)).json["verdict"]["passed"].clone();
    assert_eq!((passed(1), passed(2)), (false.into(), true.into()));
    assert!(ended.stderr.contains("1 did not pass"), "{}", ended.stderr);
}

/// A signal before anything was measured leaves nothing to judge.
#[test]
fn a_signal_in_the_ramp_up_interrupts() {
    let server = Server::start(Script::default());
    let text = scenario(&server.url(), "duration = \"endless\"")
        .replace("ramp_up = \"0s\"", "ramp_up = \"20s\"");
    let running = Running::start(&text, &[]);
    server.wait_until(|log| log.opened() >= 1);
    running.signal("INT");
    assert_eq!(running.end().code, 130);
}

#[test]
fn what_needs_an_end_is_refused() {
    let folder = || {
        let folder = tempfile::tempdir().unwrap();
        let text = scenario("ws://127.0.0.1:9/", "duration = \"endless\"");
        std::fs::write(folder.path().join("a.toml"), text).unwrap();
        folder
    };
    let contract = "contract = { closed = 0 }\n";
    let text = format!(
        "{contract}{}",
        scenario("ws://127.0.0.1:9/", "duration = \"endless\"")
    );
    let with_contract = folder();
    std::fs::write(with_contract.path().join("a.toml"), text).unwrap();
    let told = |ended: Ended, what: &str| {
        assert_eq!(ended.code, 2, "{}", ended.stderr);
        assert!(ended.stderr.contains(what), "{}", ended.stderr);
        assert!(ended.stderr.contains("hint: "), "{}", ended.stderr);
    };
    let check = Running::call(with_contract, &["check", "a.toml"], &[]).end();
    told(
        check,
        "`load.duration` cannot be \"endless\" with the contract",
    );
    let searched = [
        "search",
        "a.toml",
        "--vary",
        "connections",
        "--from",
        "1",
        "--to",
        "9",
        "--out",
        "s",
    ];
    told(
        Running::call(folder(), &searched, &[]).end(),
        "failed to search: ",
    );
    let repeated = ["run", "a.toml", "--repeat", "2"];
    told(
        Running::call(folder(), &repeated, &[]).end(),
        "of a run that is repeated",
    );
    let staged = ["run", "ramp", "--duration", "endless"];
    told(
        Running::call(folder(), &staged, &[]).end(),
        "`--duration` cannot be `endless`",
    );
}
