//! What others make of what is sent to them while a run goes on: Prometheus, InfluxDB, StatsD, and the types of OpenTelemetry.
//! What they counted is held against the lines of the same run.

#![cfg(unix)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wsbench::measure::Histogram;

use common::collector::Collector;
use common::process::{self, Leashed};
use common::real::reader;
use common::{Ended, Running};

/// Echoes for so long.
fn scenario(duration: &str) -> String {
    format!(
        r#"
        name = "sent"
        target.url = "embedded"
        load = {{ duration = "{duration}" }}
        heartbeat = {{ interval = "200ms" }}
        [[message]]
        name = "echo"
        rate = "50/s"
        [[cohort]]
        name = "talking"
        connections = 5
        [[cohort]]
        name = "idle-or-nearly"
        connections = 2
        message = []
        [gates]
        pass = ["count(messages.echoed) > 0"]
        "#
    )
}

/// Starts a run that sends to this output, and writes its lines too.
fn start(duration: &str, output: &str) -> Running {
    let lines = ["--output", "jsonl=live.jsonl", "--label", "commit=a b,c"];
    let arguments = [&["--output", output], &lines[..]].concat();
    Running::start(&scenario(duration), &arguments)
}

/// The lines of a run that has lost nothing.
struct Lines(Vec<Value>);

impl Lines {
    #[track_caller]
    fn of(ended: &Ended) -> Self {
        // Where the machine is busy, the run may be in doubt; nothing else is wrong.
        assert!([0, 4].contains(&ended.code), "{}", ended.stderr);
        let run = fs::read_to_string(ended.folder().join("report/run.json")).unwrap();
        let run: Value = serde_json::from_str(&run).unwrap();
        for output in run["outputs"].as_array().unwrap() {
            assert!(
                output["lost"] == 0 && output["sent"].as_u64() > Some(1),
                "{output}"
            );
        }
        let lines = fs::read_to_string(ended.folder().join("live.jsonl")).unwrap();
        let lines = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap());
        Self(lines.collect())
    }

    fn count(&self, cohort: &str, name: &str) -> u64 {
        let own = self.0.iter().filter(|line| line["cohort"] == cohort);
        own.filter_map(|line| line["counts"][name].as_u64()).sum()
    }

    fn times(&self, cohort: &str, name: &str) -> Histogram {
        let mut all = Histogram::new();
        let own = self.0.iter().filter(|line| line["cohort"] == cohort);
        for line in own.filter(|line| line["times"].get(name).is_some()) {
            let times = &line["times"][name];
            let encoded: wsbench::measure::Encoded = serde_json::from_value(times.clone()).unwrap();
            all.merge(&encoded.decode().unwrap());
        }
        all
    }
}

/// A port that was free a moment ago.
fn port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Waits until this is there.
#[track_caller]
fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// The body of the answer to a request of HTTP; `None` if nobody answers.
fn ask(method: &str, port: u16, path: &str) -> Option<String> {
    let mut client = TcpStream::connect(("127.0.0.1", port)).ok()?;
    client
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let head =
        format!("{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\n\r\n");
    client.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.contains(" 20").then(|| body.to_owned())
}

/// A text as a part of an address.
fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => (byte as char).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn launch(mut command: Command, folder: &Path, name: &str) -> Leashed {
    let log = fs::File::create(folder.join(name)).unwrap();
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    let child = command.spawn();
    Leashed(child.unwrap_or_else(|error| panic!("{command:?}: {error}\nhint: run `scripts/test`")))
}

#[test]
#[ignore = "needs Prometheus; run by scripts/test"]
fn prometheus_scrapes_a_run_and_its_quantiles_are_ours() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, theirs) = (port(), port());
    let config = folder.path().join("prometheus.yml");
    let scrape = format!(
        "scrape_configs:\n- job_name: wsbench\n  scrape_interval: 1s\n  static_configs: [{{targets: ['127.0.0.1:{ours}']}}]\n"
    );
    fs::write(&config, scrape).unwrap();
    let mut prometheus = process::command("prometheus");
    prometheus
        .arg(format!("--config.file={}", config.display()))
        .arg(format!(
            "--storage.tsdb.path={}",
            folder.path().join("data").display()
        ))
        .arg(format!("--web.listen-address=127.0.0.1:{theirs}"));
    let _prometheus = launch(prometheus, folder.path(), "prometheus.log");
    until("Prometheus is ready", || ask("GET", theirs, "/-/ready"));

    let running = start("12s", &format!("prometheus=127.0.0.1:{ours}"));
    let value = |query: &str| -> Option<f64> {
        let body = ask(
            "GET",
            theirs,
            &format!("/api/v1/query?query={}", escaped(query)),
        )?;
        let answer: Value = serde_json::from_str(&body).ok()?;
        answer["data"]["result"][0]["value"][1]
            .as_str()?
            .parse()
            .ok()
    };
    let own = "cohort=\"talking\",scenario=\"sent\",commit=\"a b,c\"";
    let rate = until("a rate", || {
        let rate = value(&format!("rate(wsbench_messages_sent_total{{{own}}}[5s])"))?;
        (rate > 100.0).then_some(rate)
    });
    assert!(rate < 500.0, "250 are sent in a second: {rate}");
    let p50 = format!(
        "histogram_quantile(0.5, rate(wsbench_latency_seconds_bucket{{{own},message=\"echo\"}}[5s]))"
    );
    let p50 = until("a quantile", || {
        value(&p50).filter(|value| value.is_finite())
    });
    assert!(p50 > 0.0 && p50 < 5.0, "{p50}");
    assert_eq!(
        value(&format!("wsbench_connections{{{own},state=\"open\"}}")),
        Some(5.0)
    );
    assert_eq!(value("up{job=\"wsbench\"}"), Some(1.0));

    let text = ask("GET", ours, "/metrics").unwrap();
    let mut promtool = process::command("promtool");
    promtool
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped());
    let mut promtool = promtool.spawn().unwrap();
    promtool
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let told = promtool.wait_with_output().unwrap();
    let told = (
        told.status.success(),
        String::from_utf8_lossy(&told.stderr).into_owned(),
    );
    assert_eq!(told, (true, String::new()), "not even a hint");
    Lines::of(&running.end());
}

#[test]
#[ignore = "needs InfluxDB; run by scripts/test"]
fn influxdb_stores_what_each_second_held() {
    let folder = tempfile::tempdir().unwrap();
    let (http, rpc) = (port(), port());
    let place = |name: &str| folder.path().join(name).display().to_string();
    let config = format!(
        "reporting-disabled = true\nbind-address = \"127.0.0.1:{rpc}\"\n[meta]\ndir = \"{}\"\n[data]\ndir = \"{}\"\nwal-dir = \"{}\"\n[http]\nbind-address = \"127.0.0.1:{http}\"\n",
        place("meta"),
        place("data"),
        place("wal"),
    );
    fs::write(folder.path().join("influx.conf"), config).unwrap();
    let mut influxd = process::command("influxd");
    influxd
        .arg("-config")
        .arg(folder.path().join("influx.conf"));
    let _influxd = launch(influxd, folder.path(), "influx.log");
    let query = |text: &str| -> Option<Value> {
        let method = if text.starts_with("CREATE") {
            "POST"
        } else {
            "GET"
        };
        let body = ask(method, http, &format!("/query?db=ws&q={}", escaped(text)))?;
        serde_json::from_str(&body).ok()
    };
    until("InfluxDB is ready", || query("CREATE DATABASE ws"));

    let ended = start("4s", &format!("influx=http://127.0.0.1:{http}/?db=ws")).end();
    let lines = Lines::of(&ended);
    let one = |text: &str| -> Value {
        let answer = query(text).unwrap();
        answer["results"][0]["series"][0]["values"][0][1].clone()
    };
    let whom = "WHERE cohort = 'talking' AND scenario = 'sent' AND commit = 'a b,c'";
    let sent = lines.count("talking", "messages.sent");
    assert!(sent > 100);
    assert_eq!(
        one(&format!(
            "SELECT SUM(\"count\") FROM wsbench_messages_sent {whom}"
        )),
        json!(sent)
    );
    let times = lines.times("talking", "latency.echo");
    let of_echo = format!("FROM wsbench_latency_seconds {whom} AND message = 'echo'");
    assert_eq!(
        one(&format!("SELECT SUM(\"count\") {of_echo}")),
        json!(times.count())
    );
    let max = one(&format!("SELECT MAX(\"max\") {of_echo}"))
        .as_f64()
        .unwrap();
    assert!(
        (max * 1e9 - times.max().unwrap() as f64).abs() < 1.0,
        "{max} s, {times:?}"
    );
    let idle = "FROM wsbench_connections WHERE cohort = 'idle-or-nearly' AND state = 'open'";
    assert_eq!(one(&format!("SELECT MAX(value) {idle}")), json!(2));

    // A database that is not there loses all, and says so.
    let ended = start("1s", &format!("influx=http://127.0.0.1:{http}/?db=other")).end();
    assert!(
        ended.stdout.contains("database not found"),
        "{}",
        ended.stdout
    );
    assert!([0, 4].contains(&ended.code), "{}", ended.stderr);
}

#[test]
#[ignore = "needs statsd of npm; run by scripts/test"]
fn statsd_adds_up_the_counts_of_each_second() {
    let folder = tempfile::tempdir().unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (to, manage) = (udp.local_addr().unwrap().port(), port());
    drop(udp);
    let config = folder.path().join("config.js");
    // Nothing is flushed, and so reset, as long as the test takes.
    let text = format!(
        "{{ port: {to}, address: '127.0.0.1', mgmt_port: {manage}, mgmt_address: '127.0.0.1', flushInterval: 600000, backends: [] }}"
    );
    fs::write(&config, text).unwrap();
    let mut statsd = reader("node_modules/statsd/stats.js");
    statsd.arg(&config);
    let _statsd = launch(statsd, folder.path(), "statsd.log");
    let told = |what: &str| -> Option<String> {
        let mut client = TcpStream::connect(("127.0.0.1", manage)).ok()?;
        client
            .set_read_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        client.write_all(format!("{what}\n").as_bytes()).ok()?;
        let mut told = String::new();
        let mut some = [0; 4096];
        while !told.contains("END\n") {
            let read = client.read(&mut some).ok().filter(|read| *read > 0)?;
            told += &String::from_utf8_lossy(&some[..read]);
        }
        Some(told)
    };
    until("statsd is ready", || {
        told("health").or_else(|| told("counters"))
    });

    let ended = start("3s", &format!("statsd=127.0.0.1:{to}")).end();
    let lines = Lines::of(&ended);
    let value = |of: &str, name: &str| -> f64 {
        let told = told(of).unwrap();
        let line = told
            .lines()
            .find_map(|line| line.trim().strip_prefix(&format!("'{name}': ")));
        let line = line.unwrap_or_else(|| panic!("no {name}: {told}"));
        line.trim_end_matches(',').parse().unwrap()
    };
    let sent = lines.count("talking", "messages.sent");
    assert!(sent > 50);
    assert_eq!(
        value("counters", "wsbench.sent.talking.messages_sent"),
        sent as f64
    );
    assert_eq!(value("counters", "statsd.bad_lines_seen"), 0.0);
    let p99 = value("gauges", "wsbench.sent.talking.latency_seconds.echo.p99");
    assert!(p99 > 0.0 && p99 < 10.0, "{p99}");
    assert_eq!(
        value("gauges", "wsbench.sent.idle-or-nearly.connections.open"),
        0.0,
        "they have ended"
    );
}

#[test]
#[ignore = "needs opentelemetry-proto of PyPI; run by scripts/test"]
fn open_telemetry_reads_counts_and_distributions_as_ours() {
    let collector = Collector::start("200 OK", "{}");
    let ended = start("4s", &format!("otlp={}", collector.url)).end();
    let lines = Lines::of(&ended);
    let (_, last) = collector.requests.try_iter().last().unwrap();
    let file = ended.folder().join("otlp.json");
    fs::write(&file, last).unwrap();
    let mut command = reader("read_otlp.py");
    let output = command.arg(&file).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read["resource"]["service.name"], "wsbench");
    assert_eq!(read["resource"]["commit"], "a b,c");
    let metrics = read["metrics"].as_object().unwrap();
    assert!(metrics.len() > 20);
    let own = |name: &str| -> &Value {
        let metric = metrics.get(name).unwrap_or_else(|| panic!("no {name}"));
        let points = metric["points"].as_array().unwrap();
        let mut points = points
            .iter()
            .filter(|point| point["attributes"]["cohort"] == "talking");
        points.next().unwrap()
    };
    assert_eq!(
        own("wsbench.messages.sent")["value"],
        lines.count("talking", "messages.sent")
    );
    let units: BTreeMap<&str, &str> = metrics
        .iter()
        .map(|(name, one)| (name.as_str(), one["unit"].as_str().unwrap()))
        .collect();
    assert_eq!(
        (units["wsbench.latency"], units["wsbench.bytes.sent"]),
        ("s", "By")
    );
    assert!(
        metrics
            .values()
            .all(|one| one["kind"] == "gauge" || one["cumulative"] == true)
    );
    let (theirs, ours) = (
        own("wsbench.latency"),
        lines.times("talking", "latency.echo"),
    );
    assert_eq!(theirs["count"], ours.count());
    for (percent, theirs) in [50.0, 90.0, 99.0]
        .into_iter()
        .zip(theirs["quantiles"].as_array().unwrap())
    {
        let (ours, theirs) = (
            ours.percentile(percent).unwrap() as f64 / 1e9,
            theirs.as_f64().unwrap(),
        );
        // With 160 buckets over six decades one is 9 % wide, and its middle half of that away.
        assert!(
            (theirs / ours - 1.0).abs() < 0.06,
            "p{percent}: {ours} s, and {theirs} s"
        );
    }
}
