//! A name whose addresses change while a run goes on, as a name server tells them.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::common::Running;

/// The port of both servers.
const PORT: u16 = 9001;
const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);
const ALL: u64 = 24;

/// How many connections are open to this server in the network of a process.
fn open(process: u32, server: Ipv4Addr) -> usize {
    const ESTABLISHED: &str = "01";
    let table = fs::read_to_string(format!("/proc/{process}/net/tcp")).unwrap();
    let remote = format!("{:08X}:{PORT:04X}", u32::from(server).swap_bytes());
    let rows = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.filter(|row| row.get(2..4) == Some(&[&*remote, ESTABLISHED]))
        .count()
}

/// What one of the servers counted.
fn counts(folder: &Path, server: &str) -> Value {
    let text = fs::read_to_string(folder.join(format!("{server}.json"))).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// The name leads to one server, then to the other, then nowhere.
#[test]
#[ignore = "needs dnsmasq and iproute2; run by scripts/test"]
fn only_new_dials_follow_a_name_to_its_new_address() {
    let scenario = format!(
        r#"
        name = "names"
        [target]
        url = "ws://chat.test:{PORT}/"
        resolve_every = "1s"
        [load]
        connections = {ALL}
        ramp_up = "8s"
        duration = "1s"
        [[message]]
        name = "echo"
        rate = "5/s"
        [gates]
        pass = ["ratio(messages.echoed / messages.sent) == 100%"]
        "#
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("test.toml"), scenario).unwrap();
    fs::write(folder.path().join("names"), format!("{FIRST} chat.test\n")).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/names.sh");
    let by = [
        "unshare",
        "--map-root-user",
        "--net",
        "--mount",
        "sh",
        script,
    ];
    let command = ["run", "test.toml", "--quiet", "--out", "report"];
    let running = Running::call_by(&by, folder, &command, &[]);
    let until = |server| {
        let deadline = Instant::now() + Duration::from_secs(10);
        while open(running.id(), server) < 5 {
            assert!(Instant::now() < deadline, "{}", running.stderr());
            thread::sleep(Duration::from_millis(5));
        }
    };
    let say = |names: String| {
        let [new, now] = ["names.tmp", "names.new"].map(|name| running.folder().join(name));
        fs::write(&new, names).unwrap();
        fs::rename(new, now).unwrap();
    };
    until(FIRST);
    say(format!("{SECOND} chat.test\n"));
    until(SECOND);
    say(String::new());
    let ended = running.end();
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);

    let answers = fs::read_to_string(ended.folder().join("dns.txt")).unwrap();
    for answer in [FIRST, SECOND] {
        let told = format!("chat.test is {answer}");
        assert!(answers.contains(&told), "no `{told}` in {answers}");
    }
    // Who was open stays; who comes goes where the name leads, and, when that is told no more, where it led.
    let [first, second] = ["first", "second"].map(|server| counts(ended.folder(), server));
    let opened = [&first, &second].map(|counts| counts["opened"].as_u64().unwrap());
    assert!(opened.iter().all(|opened| *opened >= 5), "{opened:?}");
    assert_eq!(opened.iter().sum::<u64>(), ALL);
    for counts in [first, second] {
        assert_eq!(counts["closes"]["1000"], counts["opened"]);
    }
    let report = ended.report();
    assert_eq!(report.closes(), [("1000.local", ALL)].into());
    assert!(report.warnings().contains(&"look_ups_failed"));
    let look_ups = report.rows("metrics", "handshake.dns");
    assert!(look_ups[0]["count"].as_u64().unwrap() >= 8, "{look_ups:?}");
}
