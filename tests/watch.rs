//! `wsbench watch` against a server that is killed, frozen and cut off in turn: each event is named rightly, and in time.
#![cfg(target_os = "linux")]

mod common;

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use common::process::{self, Leashed};
use common::real::wsbench;
use common::{Report, Running, Script, Server};

/// How a service is watched: a ping each second, which must be answered in one more.
const OPTIONS: [&str; 6] = ["--connections", "3", "--interval", "1s", "--timeout", "1s"];
/// From a ping that is due at once to the loss: two intervals and a timeout, the second in which it is told, and patience
/// for a busy machine.
const IN_TIME: Duration = Duration::from_secs(2 + 1 + 1 + 4);

/// A server of its own process, always on the same port.
struct Victim {
    port: u16,
    process: Option<Leashed>,
    log: PathBuf,
}

impl Victim {
    fn start(folder: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let log = folder.join("serve.txt");
        let mut victim = Self {
            port,
            process: None,
            log,
        };
        victim.again();
        victim
    }

    /// Starts it, again on its port.
    fn again(&mut self) {
        let out = File::create(&self.log).unwrap();
        let child = process::command(wsbench())
            .args(["serve", "--port", &self.port.to_string()])
            .stdout(out)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.process = Some(Leashed(child));
        until("the server listens", || {
            std::fs::read_to_string(&self.log).is_ok_and(|text| text.contains("ws://"))
        });
    }

    fn signal(&self, signal: &str) {
        let process = self.process.as_ref().expect("it runs");
        process::signal(process.0.id(), signal);
    }

    fn kill(&mut self) {
        drop(self.process.take());
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "waited for: {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The lines that were printed so far.
fn lines(watch: &Running) -> Vec<String> {
    let text = std::fs::read_to_string(watch.folder().join("stdout.txt")).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Waits until so many lines after the first `known` say this, in time. Returns how many lines there are.
fn told(watch: &Running, known: usize, count: usize, what: &str) -> usize {
    let begun = Instant::now();
    loop {
        let all = lines(watch);
        let found = all[known..].iter().filter(|line| line.contains(what));
        if found.count() >= count {
            return all.len();
        }
        assert!(
            begun.elapsed() < IN_TIME,
            "no {count} × `{what}` in time:\n{}",
            all[known..].join("\n")
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until all are back; a client waits the longer the more dials have failed. Returns how many lines there are.
fn all_back(watch: &Running, known: usize) -> usize {
    let is_back = |line: &&String| line.contains("  back  ");
    until("all are back", || {
        lines(watch)[known..].iter().filter(is_back).count() >= 3
    });
    lines(watch).len()
}

/// Kills and freezes a server in turn, as often as `goes_on` says of the rounds so far and the time since the first.
fn in_turn(longest: Duration, goes_on: impl Fn(u64, Duration) -> bool) {
    let folder = tempfile::tempdir().unwrap();
    let own = tempfile::tempdir().unwrap();
    let mut server = Victim::start(own.path());
    let url = format!("ws://127.0.0.1:{}/", server.port);
    let arguments = [&["watch", url.as_str()], &OPTIONS[..], &["--out", "report"]].concat();
    let watch = Running::call(folder, &arguments, &[]).within(longest);
    let mut known = told(&watch, 0, 1, "  open  ");
    let (begun, mut rounds) = (Instant::now(), 0);
    while goes_on(rounds, begun.elapsed()) {
        rounds += 1;
        server.kill();
        told(&watch, known, 3, "  lost  ");
        let last = told(&watch, known, 3, "  not opened  ");
        let all = lines(&watch);
        assert!(
            all[known..last].iter().all(|line| !line.contains("missed")),
            "{all:#?}"
        );
        let refused = all[known..]
            .iter()
            .filter(|line| line.contains("refused: nothing listens"));
        assert!(refused.count() >= 3, "{all:#?}");
        server.again();
        known = all_back(&watch, known);

        server.signal("STOP");
        told(&watch, known, 3, "  missed  ");
        told(&watch, known, 3, "peer_frozen: ");
        server.signal("CONT");
        known = all_back(&watch, known);
    }
    watch.signal("INT");
    let ended = watch.end();
    assert_eq!(
        ended.code, 3,
        "what was lost breaks the gates\n{}",
        ended.stderr
    );
    let report = Report::read(&ended.folder().join("report/1"));
    assert_eq!(report.count("connections.lost"), 6 * rounds);
    assert_eq!(report.count("errors.peer_frozen"), 3 * rounds);
    let opened = report.count("connections.opened");
    assert_eq!(report.count("connections.reconnected"), opened - 3);
}

#[test]
fn a_server_that_is_killed_and_frozen_in_turn() {
    in_turn(Duration::from_secs(120), |rounds, _| rounds < 2);
}

/// In a module, so that `scripts/test` leaves it out by name.
mod slow {
    use std::time::Duration;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    #[ignore = "takes long; run by scripts/test --all"]
    fn an_hour_of_a_server_that_is_killed_and_frozen() {
        super::in_turn(HOUR * 2, |_, since| since < HOUR);
    }
}

#[test]
fn a_service_without_trouble_is_a_check_that_passes() {
    let server = Server::start(Script::default());
    let url = server.url();
    for heart in [
        &[][..],
        &["--echo"],
        &["--send", "ping {{id}}", "--expect", "ping {{id}}"],
    ] {
        let folder = tempfile::tempdir().unwrap();
        let check = ["--for", "3s", "--gate", "p99(heartbeat.rtt) < 5s"];
        let arguments = [&["watch", url.as_str()], &OPTIONS[..], &check, heart].concat();
        let ended = Running::call(folder, &arguments, &[]).end();
        assert_eq!(
            ended.code, 0,
            "{heart:?}\n{}\n{}",
            ended.stdout, ended.stderr
        );
        let first = ended.stdout.lines().next().unwrap();
        assert!(first.contains("  open        #"), "{first}");
        assert!(
            first.contains(&format!("at {}", server.address())),
            "{first}"
        );
        assert!(ended.stdout.contains("\nPASS "), "{}", ended.stdout);
    }
}

/// The commands of the page that watch, each against a server that is there, and for a short time.
#[test]
fn the_page_works_as_it_is_typed() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/watch.md")).unwrap();
    let server = Server::start(Script::default());
    let mut tried = 0;
    for command in page
        .lines()
        .filter_map(|line| line.strip_prefix("$ wsbench watch "))
    {
        let command = command.replace("ws://127.0.0.1:9001/", &server.url());
        let mut arguments = vec!["watch"];
        // Every second part stands in quotes.
        for (number, part) in command.split('"').enumerate() {
            match number % 2 {
                0 => arguments.extend(part.split_whitespace()),
                _ => arguments.push(part),
            }
        }
        if !arguments.contains(&"--for") {
            arguments.extend(["--for", "2s"]);
        }
        let ended = Running::call(tempfile::tempdir().unwrap(), &arguments, &[]).end();
        let told = &ended.stdout;
        // Pings of a long interval may not be due in so short a time, of which gates say that there was nothing.
        let is_short = ended.code == 2 && ended.stderr.contains("--gate") || ended.code == 4;
        assert!(
            ended.code == 0 || is_short,
            "{arguments:?} {}\n{told}\n{}",
            ended.code,
            ended.stderr
        );
        assert!(told.contains("  open        #"), "{arguments:?}\n{told}");
        tried += 1;
    }
    assert!(tried >= 5, "{tried}");
}

/// In a network of its own, whose only device goes down: nothing is acknowledged, as behind a cable that was pulled.
#[test]
#[ignore = "needs a network namespace and iproute2; run by scripts/test"]
fn a_server_that_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let script = format!(
        r#"
        ip link set lo up
        {program} serve --port 9001 > serve.txt & server=$!
        until grep -q ws:// serve.txt; do sleep 0.05; done
        {program} watch ws://127.0.0.1:9001/ {options} --out report > told.txt 2> errors.txt & watch=$!
        until grep -q '  open  ' told.txt; do sleep 0.05; done
        sleep 2
        ip link set lo down
        until [ $(grep -c 'path_dead: ' told.txt) -ge 3 ]; do sleep 0.05; done
        ip link set lo up
        until [ $(grep -c '  back  ' told.txt) -ge 3 ]; do sleep 0.05; done
        kill -INT $watch
        wait $watch
        echo ended with $?
        kill $server
        cat told.txt errors.txt
        "#,
        program = wsbench().display(),
        options = OPTIONS.join(" "),
    );
    let output = process::command("unshare")
        .args([
            "--map-root-user",
            "--net",
            "timeout",
            "90",
            "sh",
            "-c",
            &script,
        ])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("ended with 3"), "{text}\n{error}");
    let lost: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("  lost  "))
        .collect();
    assert_eq!(lost.len(), 3, "{text}");
    assert!(
        lost.iter()
            .all(|line| line.contains("path_dead: no pong came, and nothing was acknowledged")),
        "{text}"
    );
    assert!(
        lost.iter().all(|line| line.contains("not acknowledged")),
        "{text}"
    );
}
