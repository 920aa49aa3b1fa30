//! wsbench as a process against servers that do one thing wrong: counted under its own kind, never a panic, never a
//! hang, never exit code 0. What a run says is compared with what the server saw.

#[path = "../common/mod.rs"]
mod common;

mod answers;
mod clients;
mod closes;
mod frames;
mod handshake;
mod heartbeats;
mod silence;

use common::{Ended, Log, Report, Script, Server};

/// So many connections, unless a test says otherwise.
const CONNECTIONS: u64 = 4;
/// What a server that keeps its connections and answers in time holds.
const GATES: &str = r#"[gates]
pass = [
  "count(messages.timed_out) == 0",
  "count(messages.mismatched) == 0",
  "count(connections.dead) == 0",
  "count(connections.lost) == 0",
  "count(errors.close_timeout) == 0",
]
"#;

/// A second of echoes and pings, with short timeouts.
fn scenario() -> String {
    format!("{}{HEARTBEAT}{GATES}", echoes())
}

const HEARTBEAT: &str = "[heartbeat]\ninterval = \"300ms\"\ntimeout = \"300ms\"\n";

/// The same without pings and gates.
fn echoes() -> String {
    format!(
        r#"
        name = "fault"
        [target]
        url = "URL"
        connect_timeout = "500ms"
        close_timeout = "400ms"
        [load]
        connections = {CONNECTIONS}
        ramp_up = "50ms"
        ramp_down = "50ms"
        duration = "1s"
        [[message]]
        name = "echo"
        rate = "20/s"
        timeout = "400ms"
        "#
    )
}

/// A run that has ended, and its server.
struct Outcome {
    ended: Ended,
    report: Report,
    server: Server,
}

/// Runs this scenario against a server with this script.
fn run(scenario: &str, script: Script) -> Outcome {
    let server = Server::start(script);
    let ended = Ended::run(&scenario.replace("URL", &server.url()));
    let report = ended.report();
    let outcome = Outcome {
        ended,
        report,
        server,
    };
    outcome.assert_balanced();
    assert_eq!(outcome.log().violations(), [""; 0]);
    outcome
}

impl Outcome {
    fn log(&self) -> &Log {
        self.server.log()
    }

    fn count(&self, name: &str) -> u64 {
        self.report.count(name)
    }

    /// Whatever the server does, nothing that was sent is unaccounted for.
    #[track_caller]
    fn assert_balanced(&self) {
        let sum = |names: &[&str]| names.iter().map(|name| self.count(name)).sum::<u64>();
        let messages = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|n| format!("messages.{n}")).collect();
            sum(&names.iter().map(String::as_str).collect::<Vec<_>>())
        };
        assert_eq!(
            messages(&["due"]),
            messages(&["sent", "not_sent", "offline"])
        );
        assert_eq!(
            messages(&["sent"]),
            messages(&["echoed", "mismatched", "timed_out", "lost"])
        );
        assert_eq!(
            messages(&["received"]),
            messages(&["echoed", "mismatched", "late", "duplicated", "unsolicited"])
        );
        let (opened, closed) = ("connections.opened", "connections.closed");
        assert_eq!(
            sum(&["connections.attempted"]),
            sum(&[opened, "connections.failed"])
        );
        assert_eq!(sum(&[opened]), sum(&[closed]));
        assert_eq!(sum(&[closed]), self.report.closes().values().sum::<u64>());
        assert_eq!(sum(&[opened]), self.log().opened() as u64);
    }

    /// Every connection opened, and ended like this.
    #[track_caller]
    fn assert_all_end(&self, cause: &str, close: &str) {
        assert_eq!(self.count("connections.opened"), CONNECTIONS);
        assert_eq!(self.report.errors(), [(cause, CONNECTIONS)].into());
        assert_eq!(self.report.closes(), [(close, CONNECTIONS)].into());
        assert_eq!(self.report.connections.len() as u64, CONNECTIONS);
        let (_, side) = close.rsplit_once('.').unwrap();
        self.assert_rows(&[("cause", cause), ("closed_by", side)]);
    }

    /// Every connection ended as planned, with the code 1000.
    #[track_caller]
    fn assert_all_complete(&self) {
        assert_eq!(self.report.errors(), [].into());
        assert_eq!(self.report.closes(), [("1000.local", CONNECTIONS)].into());
        assert!(self.report.connections.is_empty());
        let codes = self.log().close_codes();
        assert_eq!(codes, vec![Some(1000); CONNECTIONS as usize]);
    }

    /// Every row of `connections.csv` holds these cells.
    #[track_caller]
    fn assert_rows(&self, cells: &[(&str, &str)]) {
        for row in &self.report.connections {
            for (column, value) in cells {
                assert_eq!(row[*column], *value, "{column} of {row:?}");
            }
        }
    }

    #[track_caller]
    fn assert_memory_below(&self, bytes: u64) {
        let most = self.ended.memory;
        // Only Linux tells.
        assert!(
            most < bytes && (most > 0) == cfg!(target_os = "linux"),
            "{most} bytes"
        );
    }

    /// Exactly the gates on these metrics failed, and the exit code says so.
    #[track_caller]
    fn assert_fails(&self, metrics: &[&str]) {
        let failed: Vec<&str> = self.report.failed_gates();
        let failed: Vec<&str> = failed.iter().map(|gate| metric_of(gate)).collect();
        assert_eq!(failed, metrics);
        self.assert_exit(3);
    }

    /// Every gate held, and the exit code says so.
    #[track_caller]
    fn assert_passes(&self) {
        assert_eq!(self.report.failed_gates(), [""; 0]);
        self.assert_exit(0);
    }

    /// A machine too busy for its sends is an honest 4 as well. Where gates failed, those that held over connections that
    /// were gone are doubted, which changes nothing.
    #[track_caller]
    fn assert_exit(&self, code: i32) {
        let verdict = &self.report.json["verdict"];
        assert_eq!(verdict["exit_code"], self.ended.code);
        let mut doubts = self.report.distrust();
        doubts.retain(|doubt| code != 3 || *doubt != "connections_lost");
        match doubts[..] {
            [] => assert_eq!(self.ended.code, code, "{verdict:#}"),
            _ if self.report.was_starved() => {
                assert!([code, 4].contains(&self.ended.code), "{verdict:#}");
            }
            _ => panic!("{verdict:#}"),
        }
    }

    /// For this reason no verdict can be trusted.
    #[track_caller]
    fn assert_untrusted(&self, reason: &str) {
        assert!(self.report.distrust().contains(&reason));
        assert_eq!(self.ended.code, 4);
    }
}

/// `count(messages.lost) == 0` is about `messages.lost`.
fn metric_of(gate: &str) -> &str {
    let (_, rest) = gate.split_once('(').unwrap();
    rest.split_once(')').unwrap().0
}
