//! Runs that end before their time: by a signal, by two, by an abort gate.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::common::{
    Echo, Ended, Event, FILES, Handshake, OnClose, Report, Running, Script, Server,
};
use super::leftovers;

/// Far longer than these tests: what ends it is what they are about.
pub(super) fn scenario(url: &str, ramp_up: &str) -> String {
    format!(
        r#"
        name = "long"
        [target]
        url = "{url}"
        [load]
        connections = 20
        ramp_up = "{ramp_up}"
        ramp_down = "100ms"
        duration = "20s"
        [[message]]
        name = "echo"
        rate = "20/s"
        [heartbeat]
        interval = "500ms"
        timeout = "5s"
        "#
    )
}

/// The report is whole and says that it was interrupted; every connection was closed as it should be.
fn assert_interrupted(ended: &Ended, server: &Server) {
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    for file in FILES {
        assert!(ended.file(file).exists(), "{file}");
    }
    let report = ended.report();
    assert_eq!(report.json["outcome"], "interrupted");
    assert_eq!(report.json["verdict"]["exit_code"], 130);
    assert_eq!(report.json["verdict"]["passed"], false);
    assert!(report.errors().is_empty(), "{:?}", report.errors());
    let opened = report.count("connections.opened");
    assert_eq!(server.log().opened() as u64, opened);
    assert_eq!(report.closes(), [("1000.local", opened)].into());
    assert_eq!(
        server.log().close_codes(),
        vec![Some(1000); opened as usize]
    );
    assert_eq!(
        report.count("messages.echoed"),
        report.count("messages.sent")
    );
}

#[test]
fn a_signal_in_the_ramp_up() {
    for signal in ["INT", "TERM"] {
        let server = Server::start(Script::default());
        let running = Running::start(&scenario(&server.url(), "6s"), &["--quiet"]);
        server.wait_until(|log| log.opened() >= 3);
        running.signal(signal);
        let ended = running.end();
        assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);
        assert_interrupted(&ended, &server);
        assert!(ended.report().count("connections.opened") < 20);
    }
}

#[test]
fn a_signal_in_the_measured_window() {
    for signal in ["INT", "TERM", "HUP"] {
        let server = Server::start(Script::default());
        let running = Running::start(&scenario(&server.url(), "0s"), &[]);
        server.wait_until(|log| log.messages() > 200);
        running.signal(signal);
        let ended = running.end();
        assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);
        assert_interrupted(&ended, &server);
        assert_eq!(ended.report().count("connections.opened"), 20);
        assert!(ended.stdout.contains("\nINTERRUPTED "), "{}", ended.stdout);
    }
}

/// A server that leaves a run waiting, and what the run does meanwhile.
struct Wait {
    server: Server,
    scenario: String,
    /// Whether messages reach the server; else only connections do.
    says: bool,
}

impl Wait {
    /// Two clients, with these tables. `URL` and `HTTP` stand for the server's address.
    fn new(script: Script, says: bool, tables: &str) -> Self {
        let server = Server::start(script);
        let http = format!("http://{}", server.address());
        let load =
            "[load]\nconnections = 2\nramp_up = \"0s\"\nduration = \"60s\"\nramp_down = \"30s\"";
        let scenario = format!("name = \"waits\"\n{tables}\n{load}\n");
        let scenario = scenario.replace("URL", &server.url());
        Self {
            scenario: scenario.replace("HTTP", &http),
            server,
            says,
        }
    }

    fn http_setup() -> Self {
        let tables = r#"
            target.url = "URL"
            setup = [{ name = "login", http = { url = "HTTP/login" }, timeout = "60s" }]
        "#;
        Self::new(Script::handshake(Handshake::Silent), false, tables)
    }

    fn step() -> Self {
        let tables = r#"
            target.url = "URL"
            step = [{ name = "hello", send = "hello", expect = "welcome", timeout = "60s" }]
        "#;
        Self::new(Script::echo(Echo::Never), true, tables)
    }

    /// Waits until this many clients wait, and sends the signal. Returns what is left when the program has ended, after
    /// three seconds at most.
    #[track_caller]
    fn interrupt(&self, running: Running, clients: usize) -> Ended {
        let waits = |event: &Event| match event {
            Event::Received(_) => self.says,
            event => !self.says && *event == Event::Accepted,
        };
        self.server.wait_until(|log| {
            let entries = log.entries().into_iter();
            let waiting = entries.filter(|entry| waits(&entry.event));
            let waiting: BTreeSet<u64> = waiting.map(|entry| entry.connection).collect();
            waiting.len() >= clients
        });
        running.signal("INT");
        let signalled = Instant::now();
        let ended = running.end();
        let took = signalled.elapsed();
        assert!(took < Duration::from_secs(3), "{took:?}: {}", self.scenario);
        assert_eq!(ended.code, 130, "{}", ended.stderr);
        ended
    }

    /// Interrupts a run of it, and returns its report.
    #[track_caller]
    fn report(self) -> Report {
        let running = Running::start(&self.scenario, &["--quiet"]);
        let report = self.interrupt(running, 2).report();
        assert_eq!(report.json["outcome"], "interrupted");
        let dials = ["opened", "failed", "abandoned"].map(|name| format!("connections.{name}"));
        let dials = dials.map(|name| report.count(&name));
        let attempted = report.count("connections.attempted");
        assert_eq!(attempted, dials.iter().sum::<u64>());
        assert_eq!(dials[1], 0, "what is abandoned has not failed");
        report
    }
}

#[test]
fn a_signal_abandons_set_ups_and_dials_that_nobody_answers() {
    let upgrade = "target = { url = \"URL\", connect_timeout = \"60s\" }";
    let upgrade = Wait::new(Script::handshake(Handshake::Silent), false, upgrade);
    let report = upgrade.report();
    assert_eq!(report.errors(), [("abandoned", 2)].into());

    let report = Wait::http_setup().report();
    assert_eq!(report.errors(), [("abandoned", 2)].into());
    assert_eq!(report.count("setup.begun"), 2);
    assert_eq!(report.count("setup.abandoned"), 2);

    let setup = r#"
        target.url = "URL"
        setup = [{ name = "login", send = "login", expect = "welcome", timeout = "60s" }]
    "#;
    let report = Wait::new(Script::echo(Echo::Never), true, setup).report();
    assert_eq!(report.count("setup.abandoned"), 2);
    assert_eq!(report.closes(), [("1000.local", 2)].into());
}

#[test]
fn after_a_signal_answers_are_waited_for_two_seconds_at_most() {
    let report = Wait::step().report();
    assert_eq!(report.count("messages.sent"), 2);
    assert_eq!(report.closes(), [("1000.local", 2)].into());
    let message = r#"
        target.url = "URL"
        message = [{ name = "m", rate = "20/s", timeout = "60s" }]
    "#;
    let report = Wait::new(Script::echo(Echo::Never), true, message).report();
    assert_eq!(
        report.count("messages.sent"),
        report.count("messages.lost"),
        "in the measured window"
    );
    let poll = r#"
        target.url = "HTTP/"
        step = [{ name = "poll", http = { url = "/poll" }, timeout = "60s" }]
    "#;
    let poll = Wait::new(Script::handshake(Handshake::Silent), false, poll);
    let report = poll.report();
    assert_eq!(report.count("messages.sent"), 2);
    let mute = "target = { url = \"URL\", close_timeout = \"60s\" }\n\
                message = [{ name = \"m\", rate = \"20/s\" }]";
    let report = Wait::new(Script::on_close(OnClose::Never), true, mute).report();
    assert_eq!(report.errors(), [("close_timeout", 2)].into());
}

#[test]
fn a_signal_ends_a_trial_as_soon() {
    for wait in [Wait::http_setup(), Wait::step()] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("test.toml"), &wait.scenario).unwrap();
        let running = Running::call(folder, &["try", "test.toml", "--for", "50s"], &[]);
        wait.interrupt(running, 1);
    }
}

/// Starts three runs of a scenario, which are one session.
fn session(scenario: &str) -> Running {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("test.toml"), scenario).unwrap();
    let run = ["run", "test.toml", "--repeat", "3", "--out", "report"];
    Running::call(folder, &run, &[])
}

/// Interrupts a session whose runs have then ended like this, and no other has begun.
#[track_caller]
fn assert_broken_off(session: Running, outcomes: &[&str]) {
    session.signal("INT");
    let ended = session.end();
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    let says = "the session was broken off (exit code 130)\n";
    assert!(ended.stdout.ends_with(says), "{}", ended.stdout);
    let runs: Vec<String> = (1..=outcomes.len()).map(|run| run.to_string()).collect();
    for (run, outcome) in runs.iter().zip(outcomes) {
        let report = Report::read(&ended.file(run));
        assert_eq!(report.json["outcome"], *outcome, "run {run}");
        assert!(report.count("connections.opened") > 0);
    }
    assert!(!ended.file(&(runs.len() + 1).to_string()).exists());
    let stored = std::fs::read_to_string(ended.file("session.json")).unwrap();
    let stored: serde_json::Value = serde_json::from_str(&stored).unwrap();
    assert_eq!(stored["exit_code"], 130);
    assert_eq!(stored["runs"], serde_json::json!(runs));
    // What was cut short is no value that versions could be compared by.
    assert!(stored["session"].is_null(), "{stored}");
    let add = ["baseline", "add", "base.json", "report"];
    let added = Running::call(ended.into_folder(), &add, &[]).end();
    assert_eq!(added.code, 2, "{}{}", added.stdout, added.stderr);
}

#[test]
fn a_signal_in_a_session_ends_it_with_the_run_that_goes_on() {
    let server = Server::start(Script::default());
    let long = session(&scenario(&server.url(), "0s"));
    server.wait_until(|log| log.messages() > 200);
    assert_broken_off(long, &["interrupted"]);

    let server = Server::start(Script::default());
    let short = session(&leftovers::short(&server.url()));
    server.wait_until(|log| log.opened() >= 8);
    assert_broken_off(short, &["completed", "interrupted"]);
}

#[test]
fn a_signal_between_two_runs_of_a_session_ends_it() {
    let server = Server::start(Script::default());
    let session = session(&leftovers::short(&server.url()));
    let begun = Instant::now();
    while !session.folder().join("report/1/run.json").exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it never ends");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_broken_off(session, &["completed"]);
}

#[test]
fn a_second_signal_quits_at_once() {
    let server = Server::start(Script::on_close(OnClose::Never));
    let scenario =
        scenario(&server.url(), "0s").replace("[load]", "close_timeout = \"20s\"\n[load]");
    let running = Running::start(&scenario, &["--quiet"]);
    server.wait_until(|log| log.messages() > 20);
    running.signal("INT");
    server.wait_until(|log| !log.close_codes().is_empty());
    let second = Instant::now();
    running.signal("INT");
    let ended = running.end();
    assert!(
        second.elapsed() < Duration::from_secs(5),
        "{:?}",
        second.elapsed()
    );
    assert_eq!(ended.code, 130);
    assert!(
        ended.stderr.contains("interrupted twice"),
        "{}",
        ended.stderr
    );
    assert!(!ended.file("run.json").exists(), "it was not to be written");
}

/// A name whose look-up never ends: glibc reads the file in `HOSTALIASES` first, and a FIFO has nothing to read.
#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn a_signal_while_a_name_is_looked_up() {
    let path = "[path]\ndelay = \"1ms\"\n";
    for around in ["", path] {
        let folder = tempfile::tempdir().unwrap();
        let names = folder.path().join("names");
        rustix::fs::mkfifoat(rustix::fs::CWD, &names, rustix::fs::Mode::RUSR).unwrap();
        let text = scenario("ws://somewhere:1/", "0s");
        std::fs::write(folder.path().join("test.toml"), text + around).unwrap();
        let environment = [("HOSTALIASES", names.to_str().unwrap())];
        let running = Running::call(folder, &["run", "test.toml"], &environment);
        let waits = || std::fs::read_dir(format!("/proc/{}/task", running.id()));
        let looks_up = || {
            let mut threads = waits().into_iter().flatten().flatten();
            threads.any(|thread| {
                let name = std::fs::read_to_string(thread.path().join("comm"));
                name.is_ok_and(|name| name == "resolver\n")
            })
        };
        let begun = Instant::now();
        while !looks_up() {
            assert!(begun.elapsed() < Duration::from_secs(20), "it never asks");
            std::thread::sleep(Duration::from_millis(5));
        }
        running.signal("INT");
        let signalled = Instant::now();
        let ended = running.end();
        assert!(signalled.elapsed() < Duration::from_secs(5), "{around}");
        assert_eq!(ended.code, 130, "{}", ended.stderr);
        assert!(ended.stderr.contains("interrupted"), "{}", ended.stderr);
    }
}

#[test]
fn an_abort_gate_ends_the_run_and_fails_it() {
    let server = Server::start(Script::echo(Echo::Never));
    let gates =
        "timeout = \"200ms\"\n[gates]\nabort = [\"count(messages.timed_out) > 0\"]\n[heartbeat]";
    let scenario = scenario(&server.url(), "0s").replace("[heartbeat]", gates);
    let ended = Ended::run(&scenario);
    assert!(ended.took < Duration::from_secs(10), "{:?}", ended.took);
    let report = ended.report();
    assert_eq!(report.json["outcome"], "aborted");
    assert_eq!(report.json["aborted_by"], "count(messages.timed_out) > 0");
    assert_eq!(report.failed_gates(), ["count(messages.timed_out) > 0"]);
    let late = report.was_starved();
    assert_eq!(ended.code, if late { 4 } else { 3 });
    assert_eq!(report.closes(), [("1000.local", 20)].into());
    assert_eq!(server.log().close_codes(), vec![Some(1000); 20]);
}

/// Every connection is closed then, which is no reason to end a run that has ended.
#[test]
fn what_holds_only_after_the_load_aborts_nothing() {
    let server = Server::start(Script::default());
    let gates = "[gates]\nabort = [\"last(connections.open) < 20\"]\n[heartbeat]";
    let scenario = scenario(&server.url(), "0s")
        .replace("[heartbeat]", gates)
        .replace("20s", "2s");
    let ended = Ended::run(&scenario);
    let report = ended.report();
    assert_eq!(report.json["outcome"], "completed", "{}", ended.stderr);
    assert_eq!(report.failed_gates(), [""; 0]);
}
