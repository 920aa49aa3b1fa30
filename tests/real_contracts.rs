//! Measures with wsbench what real servers promise about silent clients, by the scenarios in `tests/targets/contracts`,
//! each against its server. The windows are those that other programs measured before.
//! With `WSBENCH_TABLE` set to a folder, each test writes its rows of the table in `docs/heartbeats.md` there.

mod common;

use std::collections::BTreeMap;
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{env, fs};

use common::real::{RealServer, Target};
use common::run::{Run, run, trusted};
use common::table;
use tokio_tungstenite::tungstenite::{self, Message};

/// Lets only one test run at a time, because two at once would delay each other.
static ALONE: Mutex<()> = Mutex::new(());

/// The results of the contracts of one scenario: the rows of `contracts.csv`.
struct Measured {
    rows: Vec<BTreeMap<String, String>>,
}

impl Measured {
    /// Runs a scenario against a new server. Every contract must be kept, and no healthy connection may be ended early.
    fn of(target: Target, name: &str, server: &str) -> Self {
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let scenario = scenario(name);
        let (run, _) = trusted(|| {
            let server = RealServer::start(target);
            // Keeps the path of Socket.IO from the scenario.
            let (_, resource) = scenario.split_once("127.0.0.1:3000/").unwrap();
            let resource = resource.split('"').next().unwrap();
            let url = format!("{}{resource}", server.url());
            (run(&scenario, &["--url", &url]), server)
        });
        let measured = Self {
            rows: table(&run.ended.file("contracts.csv")),
        };
        run.assert_passed();
        measured.assert_kept();
        assert_untouched(&run);
        measured.show(name, server);
        measured
    }

    #[track_caller]
    fn assert_kept(&self) {
        let broken: Vec<_> = self
            .rows
            .iter()
            .filter(|row| row["passed"] != "true")
            .collect();
        assert!(broken.is_empty(), "{broken:#?}");
        assert!(
            self.rows
                .iter()
                .any(|row| row["contract"] == "closed_between")
        );
    }

    #[track_caller]
    fn row(&self, cohort: &str, contract: &str) -> &BTreeMap<String, String> {
        let is_it = |row: &&BTreeMap<String, String>| {
            row["cohort"] == cohort && row["contract"] == contract
        };
        let found = self.rows.iter().find(is_it);
        found.unwrap_or_else(|| panic!("no {contract} of {cohort} in {:#?}", self.rows))
    }

    /// The seconds in a cell such as `p50_s`.
    #[track_caller]
    fn seconds(&self, cohort: &str, contract: &str, cell: &str) -> f64 {
        let row = self.row(cohort, contract);
        row[cell]
            .parse()
            .unwrap_or_else(|e| panic!("{e}: {row:#?}"))
    }

    /// Checks that the median is in this range, which is narrower than the promised window.
    #[track_caller]
    fn assert_half(&self, cohort: &str, contract: &str, expected: RangeInclusive<f64>) {
        let p50 = self.seconds(cohort, contract, "p50_s");
        assert!(
            expected.contains(&p50),
            "{contract} of {cohort}: {p50} s is not in {expected:?}"
        );
    }

    /// Writes the rows for the page, if `WSBENCH_TABLE` asks for them.
    fn show(&self, name: &str, server: &str) {
        if let Some(folder) = env::var_os("WSBENCH_TABLE") {
            let rows: String = self.rows.iter().map(|row| shown(server, row)).collect();
            fs::write(PathBuf::from(folder).join(name).with_extension("md"), rows).unwrap();
        }
    }
}

fn scenario(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/targets/contracts");
    fs::read_to_string(folder.join(name).with_extension("toml")).unwrap()
}

/// Checks that every planned healthy connection opened, and was ended by wsbench with code 1000.
#[track_caller]
fn assert_untouched(run: &Run) {
    let totals = run.totals();
    let healthy = totals
        .iter()
        .filter(|((cohort, _), _)| ["healthy", "idle"].contains(&cohort.as_str()));
    let mut seen = 0;
    for ((cohort, _), row) in healthy {
        let opened = row.count("connections.opened");
        let lost = ["connections.failed", "connections.lost"].map(|name| row.count(name));
        assert_eq!(
            (lost, row.count("closes.1000.local")),
            ([0, 0], opened),
            "{cohort}"
        );
        seen += opened;
    }
    assert!(seen >= 300, "{seen} healthy connections");
}

/// One row of the page: the server, the promise, and the measured times in seconds.
fn shown(server: &str, row: &BTreeMap<String, String>) -> String {
    let time = |name: &str| match row[name].parse::<f64>() {
        Ok(seconds) => format!("{seconds:.3}"),
        Err(_) => String::new(),
    };
    let promised = match (time("expected_lo_s"), time("expected_hi_s")) {
        (lo, hi) if hi.is_empty() => [lo, row["expected_code"].clone()].concat(),
        (lo, hi) => format!("{lo}–{hi}"),
    };
    let cells = [
        server.to_owned(),
        row["cohort"].clone(),
        format!("`{}`", row["contract"]),
        row["from"].clone(),
        promised,
        row["observed_n"].clone(),
    ];
    let times = ["min_s", "p50_s", "p99_s", "max_s"].map(time);
    format!("| {} |\n", [&cells[..], &times].concat().join(" | "))
}

#[test]
#[ignore = "needs every target; run by scripts/test"]
fn every_server_echoes() {
    for target in [
        Target::NodeHeartbeat,
        Target::PythonHeartbeat,
        Target::Aiohttp,
        Target::Tornado,
        Target::Picows,
        Target::Nginx,
    ] {
        let server = RealServer::start(target);
        let stream = TcpStream::connect(server.address()).unwrap();
        let (mut client, _) = tungstenite::client(server.url(), stream).unwrap();
        let message = Message::text("höllo");
        client.send(message.clone()).unwrap();
        assert_eq!(client.read().unwrap(), message, "{target:?}");
    }
}

#[test]
#[ignore = "needs the Node target; run by scripts/test"]
fn ws_cuts_the_mute_off_at_the_second_tick() {
    let measured = Measured::of(Target::NodeHeartbeat, "ws", "Node `ws`, 2 s");
    measured.assert_half("mute", "closed_between", 1.95..=2.1);
    // The ends are spread evenly over one interval, from the first possible moment to the last.
    let since_open = |cell| measured.seconds("mute_since_open", "closed_between", cell);
    assert!(since_open("min_s") < 2.25, "{}", since_open("min_s"));
    assert!(since_open("max_s") > 3.75, "{}", since_open("max_s"));
    measured.assert_half("mute_since_open", "closed_between", 2.8..=3.2);
}

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn websockets_closes_the_mute_with_1011() {
    let measured = Measured::of(
        Target::PythonHeartbeat,
        "websockets",
        "Python `websockets`, 1 s and 1 s",
    );
    measured.assert_half("mute", "closed_between", 0.99..=1.1);
    measured.assert_half("mute_since_open", "closed_between", 1.99..=2.1);
    measured.assert_half("deaf", "tcp_end_between", 0.0..=0.1);
}

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn aiohttp_ends_the_mute_without_a_close_frame() {
    let measured = Measured::of(Target::Aiohttp, "aiohttp", "aiohttp, heartbeat 2 s");
    measured.assert_half("mute", "closed_between", 0.99..=1.1);
    measured.assert_half("mute_since_open", "closed_between", 2.99..=3.1);
}

#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn tornado_waits_five_seconds_for_the_close_of_the_deaf() {
    let measured = Measured::of(Target::Tornado, "tornado", "Tornado, 2 s and 1 s");
    measured.assert_half("mute", "closed_between", 0.99..=1.1);
    measured.assert_half("mute_since_open", "closed_between", 2.99..=3.1);
    measured.assert_half("deaf", "tcp_end_between", 4.98..=5.1);
}

/// It takes any byte for a sign of life, so that a probe of a client that does not read would convict it.
#[test]
#[ignore = "needs the Python target; run by scripts/test"]
fn picows_ends_the_silent_two_seconds_after_their_last_byte() {
    let measured = Measured::of(Target::Picows, "picows", "picows, 1 s and 1 s");
    measured.assert_half("mute", "closed_between", 0.99..=1.1);
    measured.assert_half("reads_not", "closed_between", 1.99..=2.1);
    measured.assert_half("reaped", "reaped_between", 1.99..=2.15);
}

#[test]
#[ignore = "needs the Node target; run by scripts/test"]
fn socket_io_waits_thirty_seconds_for_the_close_of_the_deaf() {
    let measured = Measured::of(Target::SocketIo, "socketio", "Socket.IO, 1 s and 1 s");
    measured.assert_half("mute", "closed_between", 1.99..=2.1);
    measured.assert_half("deaf", "tcp_end_between", 29.95..=30.1);
    measured.assert_half("stops", "closed_between", 0.99..=1.1);
}

#[test]
#[ignore = "needs nginx; run by scripts/test"]
fn nginx_ends_the_silent_without_a_close_frame() {
    let measured = Measured::of(Target::Nginx, "nginx", "nginx, `proxy_read_timeout 2s`");
    measured.assert_half("silent", "closed_between", 1.99..=2.1);
    measured.assert_half("silent_since_open", "closed_between", 1.99..=2.1);
}
