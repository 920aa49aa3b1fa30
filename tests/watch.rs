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
use common::{Ended, Report, Running, Script, Server};

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

/// Kills and freezes a server in turn, and cuts it off where this process has a network of its own, as often as `goes_on` says
/// of the rounds so far and the time since the first.
fn in_turn(longest: Duration, cuts: bool, goes_on: impl Fn(u64, Duration) -> bool) {
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

        if cuts {
            let device = OwnNetwork::cut_off();
            let last = told(
                &watch,
                known,
                3,
                "path_dead: no pong came, and nothing was acknowledged",
            );
            let all = lines(&watch);
            let lost = all[known..last]
                .iter()
                .filter(|line| line.contains("  lost  "));
            assert!(lost.clone().count() >= 3, "{all:#?}");
            assert!(
                lost.clone().all(|line| line.contains("not acknowledged")),
                "{all:#?}"
            );
            drop(device);
            known = all_back(&watch, known);
        }
    }
    watch.signal("INT");
    let ended = watch.end();
    assert_eq!(
        ended.code, 3,
        "what was lost breaks the gates\n{}",
        ended.stderr
    );
    let report = Report::read(&ended.folder().join("report/1"));
    let cut = if cuts { 3 * rounds } else { 0 };
    assert_eq!(report.count("connections.lost"), 6 * rounds + cut);
    assert_eq!(report.count("errors.peer_frozen"), 3 * rounds);
    assert_eq!(report.count("errors.path_dead"), cut);
    let opened = report.count("connections.opened");
    assert_eq!(report.count("connections.reconnected"), opened - 3);
}

/// A network of this process alone, whose only device can go down: nothing is acknowledged then, as behind a cable that was
/// pulled. Up again when it is dropped.
struct OwnNetwork;

impl OwnNetwork {
    /// Plays a test in such a network, by starting it again there. Returns whether this is there.
    fn has(test: &str) -> bool {
        const THERE: &str = "WSBENCH_OWN_NETWORK";
        if std::env::var_os(THERE).is_some() {
            Self::device("up");
            return true;
        }
        let played = process::command("unshare")
            .args(["--map-root-user", "--net"])
            .arg(std::env::current_exe().unwrap())
            .args([test, "--exact", "--ignored", "--nocapture"])
            .env(THERE, "1")
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&played.stdout);
        assert!(
            played.status.success() && told.contains("1 passed"),
            "{told}\n{}",
            String::from_utf8_lossy(&played.stderr)
        );
        false
    }

    fn cut_off() -> Self {
        Self::device("down");
        Self
    }

    fn device(state: &str) {
        let set = process::command("ip")
            .args(["link", "set", "lo", state])
            .status();
        assert!(set.is_ok_and(|status| status.success()), "{state}");
    }
}

impl Drop for OwnNetwork {
    fn drop(&mut self) {
        Self::device("up");
    }
}

#[test]
fn a_server_that_is_killed_and_frozen_in_turn() {
    in_turn(Duration::from_secs(120), false, |rounds, _| rounds < 2);
}

#[test]
#[ignore = "needs a network namespace and iproute2; run by scripts/test"]
fn a_server_that_is_killed_frozen_and_cut_off() {
    if OwnNetwork::has("a_server_that_is_killed_frozen_and_cut_off") {
        in_turn(Duration::from_secs(120), true, |rounds, _| rounds < 1);
    }
}

/// In a module, so that `scripts/test` leaves it out by name.
mod slow {
    use std::time::Duration;

    use super::{OwnNetwork, in_turn};

    /// `WSBENCH_WATCH_MINUTES` sets the length, 5 by default; 60 are an hour.
    #[test]
    #[ignore = "takes long; run by scripts/test --all"]
    fn a_server_in_trouble_for_long() {
        if !OwnNetwork::has("slow::a_server_in_trouble_for_long") {
            return;
        }
        let minutes = std::env::var("WSBENCH_WATCH_MINUTES");
        let minutes = minutes.map_or(5, |text| text.parse().expect("a number of minutes"));
        let length = Duration::from_secs(60 * minutes);
        in_turn(length + Duration::from_secs(300), true, |rounds, since| {
            rounds < 1 || since < length
        });
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

/// The parts of a command; what stands in quotes is one.
fn parts(command: &str) -> Vec<String> {
    let mut parts = Vec::new();
    // Every second piece stands in quotes.
    for (number, piece) in command.split('"').enumerate() {
        match number % 2 {
            0 => parts.extend(piece.split_whitespace().map(str::to_owned)),
            _ => parts.push(piece.to_owned()),
        }
    }
    parts
}

/// How many pings were answered, by the lines of a run that goes on.
fn answered(watch: &Running) -> u64 {
    let lines = std::fs::read_to_string(watch.folder().join("told.jsonl")).unwrap_or_default();
    let counts = lines.lines().filter_map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).ok()?;
        line["counts"]["heartbeat.pongs_received"].as_u64()
    });
    counts.sum()
}

/// Types a command of the page, ends it as the page says once each connection has answered, and returns how it ended.
fn typed(command: &str) -> Ended {
    let parts = parts(command);
    let mut arguments: Vec<&str> = parts.iter().map(String::as_str).collect();
    arguments.extend(["--output", "jsonl=told.jsonl"]);
    let watch = Running::call(tempfile::tempdir().unwrap(), &arguments, &[]);
    let watch = watch.within(Duration::from_secs(60));
    if !arguments.contains(&"--for") {
        let connections = parts.iter().skip_while(|part| *part != "--connections");
        let connections = connections.skip(1).find_map(|number| number.parse().ok());
        let connections: u64 = connections.unwrap_or(5);
        until("each connection has answered", || {
            answered(&watch) >= connections
        });
        watch.signal("INT");
    }
    watch.end()
}

/// The commands of the page that watch, as they are typed, against a server that is there.
#[test]
fn the_page_works_as_it_is_typed() {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/watch.md")).unwrap();
    let server = Server::start(Script::default());
    let commands: Vec<String> = (page.lines())
        .filter_map(|line| line.strip_prefix("$ wsbench "))
        .filter(|command| command.starts_with("watch "))
        .map(|command| command.replace("ws://127.0.0.1:9001/", &server.url()))
        .collect();
    assert!(commands.len() >= 5, "{commands:?}");
    std::thread::scope(|scope| {
        for command in &commands {
            scope.spawn(move || {
                let mut ended = typed(command);
                // On a busy machine an answer may take longer than the page allows.
                for _ in 0..2 {
                    if ended.code != 0 {
                        ended = typed(command);
                    }
                }
                let (told, errors) = (&ended.stdout, &ended.stderr);
                assert_eq!(ended.code, 0, "{command}\n{told}\n{errors}");
                assert!(told.contains("  open        #"), "{command}\n{told}");
                assert!(told.contains("\nPASS "), "{command}\n{told}");
                if command.contains("--every") {
                    Report::read(&ended.folder().join("reports/feed/1"));
                }
            });
        }
    });
}

/// A terminal of tmux, which shows what a user sees.
struct Terminal {
    /// The socket of its server, so that no other is touched.
    socket: String,
}

impl Terminal {
    /// Runs a command in a terminal with so many columns and 48 lines.
    fn start(columns: usize, command: &str) -> Self {
        let own = Self {
            socket: format!("wsbench-{}-{columns}", std::process::id()),
        };
        let columns = columns.to_string();
        // It stays when the command has ended.
        let command = format!("{command}; echo ended with $?; exec cat");
        own.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &columns,
            "-y",
            "48",
            &command,
        ]);
        own
    }

    fn tmux(&self, arguments: &[&str]) -> String {
        let output = process::command("tmux")
            .args(["-u", "-L", &self.socket])
            .args(arguments)
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap_or_else(|error| panic!("tmux: {error}\nhint: run `scripts/test`"));
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// What stands on the screen, without spaces at the ends of lines.
    fn screen(&self) -> Vec<String> {
        let text = self.tmux(&["capture-pane", "-p"]);
        text.lines()
            .map(|line| line.trim_end().to_owned())
            .collect()
    }

    /// Waits until the screen is so, and returns it.
    #[track_caller]
    fn shows(&self, what: &str, holds: impl Fn(&[String]) -> bool) -> Vec<String> {
        let begun = Instant::now();
        loop {
            let screen = self.screen();
            if holds(&screen) {
                return screen;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "never {what}:\n{}",
                screen.join("\n")
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = process::command("tmux")
            .args(["-L", &self.socket, "kill-server"])
            .output();
    }
}

#[test]
#[ignore = "needs tmux; run by scripts/test"]
fn the_table_stands_below_the_lines_in_a_terminal() {
    for columns in [80, 120] {
        let folder = tempfile::tempdir().unwrap();
        let mut server = Victim::start(folder.path());
        let command = format!(
            "cd {} && {} watch ws://127.0.0.1:{}/ {} --out report",
            folder.path().display(),
            wsbench().display(),
            server.port,
            OPTIONS.join(" "),
        );
        let terminal = Terminal::start(columns, &command);
        let rows = |screen: &[String], state: &str| {
            let states = screen.iter().map(|line| {
                let mut words = line.split_whitespace();
                (
                    words
                        .next()
                        .is_some_and(|first| first.parse::<u32>().is_ok()),
                    words.next(),
                )
            });
            states
                .filter(|(is_row, word)| *is_row && *word == Some(state))
                .count()
        };
        let has = |screen: &[String], words: &str| {
            screen.iter().filter(|line| line.contains(words)).count()
        };
        let screen = terminal.shows("all open, with round trips", |screen| {
            rows(screen, "open") == 3
                && screen
                    .iter()
                    .any(|line| line.contains(['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']))
        });
        // The table is there once, whole, in its order, and below the lines.
        let title = screen
            .iter()
            .position(|line| line.starts_with("3 of 3 open · "));
        let title = title.unwrap_or_else(|| panic!("no title: {screen:#?}"));
        let opened = screen
            .iter()
            .position(|line| line.contains("  open        #"));
        assert!(opened < Some(title), "{screen:#?}");
        assert_eq!(has(&screen, " of 3 open · "), 1, "{screen:#?}");
        assert!(screen[title + 1].starts_with("   #  state "), "{screen:#?}");
        for (number, line) in screen[title + 2..title + 5].iter().enumerate() {
            assert!(
                line.starts_with(&format!("{number:>4}  open ")),
                "{screen:#?}"
            );
        }
        assert!(screen[title + 5].contains("answered"), "{screen:#?}");
        for (number, span) in ["1 min", "10 min", "1 h", "1 day"].into_iter().enumerate() {
            let line = &screen[title + 6 + number];
            assert!(line.trim_start().starts_with(span), "{span}: {screen:#?}");
        }
        server.kill();
        let screen = terminal.shows("all away", |screen| rows(screen, "away") == 3);
        assert!(has(&screen, "  lost  ") >= 3, "{screen:#?}");
        assert_eq!(has(&screen, " of 3 open · "), 1, "{screen:#?}");
        server.again();
        terminal.shows("all back", |screen| rows(screen, "open") == 3);
        terminal.tmux(&["send-keys", "C-c"]);
        let screen = terminal.shows("its end", |screen| has(screen, "ended with 3") == 1);
        assert_eq!(has(&screen, "gates did not hold"), 1, "{screen:#?}");
    }
}
