//! What `--output` sends while a run goes on, and what becomes of the run where nobody takes it: nothing but a count.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{TryRecvError, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use super::common::collector::Collector;
use super::common::{Ended, Running};

/// Echoes for so long.
pub(super) fn scenario(duration: &str) -> String {
    format!(
        r#"
        name = "sent"
        target.url = "embedded"
        load = {{ duration = "{duration}" }}
        heartbeat = {{ interval = "200ms" }}
        [[message]]
        name = "echo"
        rate = "20/s"
        [[cohort]]
        name = "talking"
        connections = 5
        [[cohort]]
        name = "idle"
        connections = 2
        message = []
        [gates]
        pass = ["count(messages.echoed) > 0"]
        "#
    )
}

/// Runs it, sending to these, for two seconds.
#[track_caller]
fn sent_to(outputs: &[&str]) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("sent.toml"), scenario("2s")).unwrap();
    let mut arguments = vec![
        "run",
        "sent.toml",
        "--out",
        "report",
        "--label",
        "commit=abc",
    ];
    outputs
        .iter()
        .for_each(|output| arguments.extend(["--output", output]));
    let ended = Running::call(folder, &arguments, &[]).end();
    // Where the machine is busy, a run may be in doubt; nothing that was sent makes it fail.
    assert!(
        [0, 4].contains(&ended.code),
        "{}\n{}",
        ended.stdout,
        ended.stderr
    );
    ended
}

/// The outputs of `run.json`: each with what it took, lost, and why.
fn told(ended: &Ended) -> Vec<(String, u64, u64, String)> {
    let text = fs::read_to_string(ended.folder().join("report/run.json")).unwrap();
    let run: Value = serde_json::from_str(&text).unwrap();
    let outputs = run["outputs"].as_array().expect("outputs are told");
    let told = outputs.iter().map(|one| {
        let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
        let count = |key: &str| one[key].as_u64().unwrap();
        (text("output"), count("sent"), count("lost"), text("error"))
    });
    told.collect()
}

/// The warnings of `run.json`.
fn warnings(ended: &Ended) -> Vec<String> {
    let text = fs::read_to_string(ended.folder().join("report/run.json")).unwrap();
    let run: Value = serde_json::from_str(&text).unwrap();
    let warnings = run["warnings"].as_array().unwrap().iter();
    warnings
        .map(|warning| warning["text"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn lines_are_those_of_the_report_second_by_second() {
    let ended = sent_to(&["jsonl=live.jsonl"]);
    let [(output, sent, lost, _)] = &told(&ended)[..] else {
        panic!("one output");
    };
    assert_eq!((output.as_str(), *lost), ("jsonl=live.jsonl", 0));
    let lines = |file: &str| -> Vec<Value> {
        let text = fs::read_to_string(ended.folder().join(file)).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let (live, report) = (lines("live.jsonl"), lines("report/intervals.jsonl"));
    assert!(*sent >= 2 && live.len() > 3, "{live:?}");
    // The run is short, so the report has steps of one second too.
    assert_eq!(live, report);
}

#[test]
fn who_hangs_refuses_or_fails_costs_seconds_and_no_verdict() {
    let hangs = TcpListener::bind("127.0.0.1:0").unwrap();
    let hanging = format!("otlp=http://{}", hangs.local_addr().unwrap());
    let refusing = {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("influx=http://{}/?db=ws", gone.local_addr().unwrap())
    };
    let fails = Collector::start("500 Internal Server Error", "\u{1b}[31mdatabase is full");
    let failing = format!("influx={}/?db=ws", fails.url);
    let ended = sent_to(&[&hanging, &refusing, &failing, "jsonl=live.jsonl"]);
    let told = told(&ended);
    let of = |output: &str| {
        let mut found = told.iter().filter(|(own, ..)| own == output);
        found
            .next()
            .unwrap_or_else(|| panic!("{output} in {told:?}"))
    };
    let (_, whole, none, _) = of("jsonl=live.jsonl");
    assert!(
        *whole >= 2 && *none == 0,
        "the others are not held up: {told:?}"
    );
    for (output, why) in [
        (&hanging, ""),
        (&refusing, "refused"),
        (
            &failing,
            "500 Internal Server Error: \\x1b[31mdatabase is full",
        ),
    ] {
        let (_, sent, lost, error) = of(output);
        assert_eq!((*sent, *lost), (0, *whole), "{output}: {told:?}");
        assert!(
            error.contains(why) && !error.is_empty(),
            "{output}: {error}"
        );
        let warned = format!("the output `{output}` lost {lost} of {whole} seconds: ");
        assert!(
            warnings(&ended)
                .iter()
                .any(|text| text.starts_with(&warned)),
            "{}",
            ended.stdout
        );
    }
    assert!(fails.requests.try_iter().count() > 0, "it was tried");
    drop(hangs);
}

#[test]
fn credentials_go_from_the_environment_into_headers_and_nowhere_else() {
    let influx = Collector::start("204 No Content", "");
    let otlp = Collector::start("200 OK", "{}");
    let failing = Collector::start("401 Unauthorized", "no such token: hush-hush");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("sent.toml"), scenario("1s")).unwrap();
    let outputs = [
        format!("influx={}/?db=ws", influx.url),
        format!("otlp={}", otlp.url),
        format!("influx={}/?org=o&bucket=b", failing.url),
    ];
    let mut arguments = vec!["run", "sent.toml", "--out", "report"];
    outputs
        .iter()
        .for_each(|output| arguments.extend(["--output", output]));
    let environment = [
        ("INFLUX_TOKEN", "hush-hush"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=hush%2Dhush"),
    ];
    let ended = Running::call(folder, &arguments, &environment).end();
    let heads: Vec<String> = influx.requests.try_iter().map(|(head, _)| head).collect();
    assert!(
        heads.len() > 1 && heads[0].starts_with("post /write?db=ws&precision=ns "),
        "{heads:?}"
    );
    assert!(
        heads
            .iter()
            .all(|head| head.contains("authorization: token hush-hush")),
        "{heads:?}"
    );
    let heads: Vec<String> = otlp.requests.try_iter().map(|(head, _)| head).collect();
    assert!(
        heads.len() > 1 && heads[0].starts_with("post /v1/metrics "),
        "{heads:?}"
    );
    assert!(
        heads.iter().all(|head| head.contains("x-key: hush-hush")),
        "{heads:?}"
    );
    assert!(
        told(&ended)[2]
            .3
            .contains("401 Unauthorized: no such token: ***"),
        "{:?}",
        told(&ended)
    );
    let report = ended.folder().join("report");
    for file in fs::read_dir(report).unwrap() {
        let text = fs::read(file.unwrap().path()).unwrap();
        assert!(!String::from_utf8_lossy(&text).contains("hush-hush"));
    }
    assert!(!ended.stdout.contains("hush-hush") && !ended.stderr.contains("hush-hush"));
}

#[test]
fn datagrams_add_up_to_what_the_report_counts() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server
        .set_read_timeout(Some(Duration::from_secs(5)))
        .unwrap();
    let output = format!("dogstatsd={}", server.local_addr().unwrap());
    let (ends, over) = channel::<()>();
    let counting = thread::spawn(move || {
        let (mut counts, mut packet) = (BTreeMap::<String, u64>::new(), [0; 2_000]);
        // The run is over when the sender is gone; the last packets are there by then.
        loop {
            let is_over = over
                .try_recv()
                .is_err_and(|e| e == TryRecvError::Disconnected);
            server.set_nonblocking(is_over).unwrap();
            let Ok(length) = server.recv(&mut packet) else {
                if is_over {
                    break counts;
                } else {
                    continue;
                };
            };
            for line in std::str::from_utf8(&packet[..length]).unwrap().lines() {
                let (name, rest) = line.split_once(':').unwrap();
                let (value, rest) = rest.split_once('|').unwrap();
                assert!(
                    rest.contains("|#scenario:sent,run:") && rest.contains("commit:abc"),
                    "{line}"
                );
                if rest.starts_with("c|") {
                    *counts.entry(name.to_owned()).or_default() += value.parse::<u64>().unwrap();
                }
            }
        }
    });
    let ended = sent_to(&[&output]);
    drop(ends);
    let counts = counting.join().unwrap();
    let report = ended.report();
    // The report counts what was measured; the seconds before and after it are sent too.
    let sent = counts["wsbench.messages_sent"];
    assert!(
        sent >= report.count("messages.sent") && sent > 0,
        "{counts:?}"
    );
    assert_eq!(counts["wsbench.connections_opened"], 7);
}

/// What a server of this machine answers to a request of HTTP.
pub(super) fn get(address: &str, request: &str) -> String {
    let mut client = TcpStream::connect(address).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    client.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    answer
}

/// How many messages the talking cohort has sent, by the metrics in this answer.
pub(super) fn sent(answer: &str) -> Option<u64> {
    let count = answer.lines().find(|line| {
        line.starts_with("wsbench_messages_sent_total{") && line.contains("cohort=\"talking\"")
    })?;
    Some(count.rsplit(' ').next()?.parse().unwrap())
}

#[test]
fn prometheus_reads_what_has_happened_so_far() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string();
    let output = format!("prometheus={free}");
    let running = Running::start(&scenario("6s"), &["--output", &output]);
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {free}\r\nConnection: close\r\n\r\n");
    let answer = super::dashboards::until("some messages were counted", || {
        let client = TcpStream::connect(&free).ok()?;
        drop(client);
        let answer = get(&free, &request);
        (sent(&answer)? > 20).then_some(answer)
    });
    for line in [
        "content-type: text/plain; version=0.0.4; charset=utf-8",
        "# TYPE wsbench_messages_sent_total counter",
        "# TYPE wsbench_latency_seconds histogram",
        "# TYPE wsbench_connections gauge",
    ] {
        assert!(answer.lines().any(|own| own == line), "{line}: {answer}");
    }
    let foreign = request.replace(&format!("Host: {free}"), "Host: evil.example");
    assert!(get(&free, &foreign).starts_with("HTTP/1.1 421 "));
    running.signal("INT");
    let ended = running.end();
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    assert!(told(&ended)[0].1 >= 2);
}

#[test]
fn a_page_that_nobody_read_has_sent_nothing() {
    let ended = sent_to(&["prometheus=127.0.0.1:0"]);
    let (_, sent, lost, why) = &told(&ended)[0];
    assert_eq!((*sent, why.as_str()), (0, "nobody has read its page"));
    assert!(*lost >= 2, "{lost}");
    let warned = warnings(&ended);
    assert!(
        warned
            .iter()
            .any(|text| text.contains("nobody has read its page")),
        "{warned:?}"
    );
}

/// What `docs/live.md` shows can be typed.
#[test]
fn the_outputs_that_are_documented_are_there() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/live.md");
    let page = fs::read_to_string(page).unwrap();
    let shown = page.split("--output ").skip(1);
    let shown = shown.map(|rest| match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap(),
        None => rest.split(['`', ' ', '\n']).next().unwrap(),
    });
    let shown: Vec<&str> = shown.filter(|text| !text.starts_with("KIND=")).collect();
    assert!(shown.len() >= 8, "{shown:?}");
    for text in &shown {
        let read: Result<wsbench::output::Destination, _> = text.parse();
        assert!(read.is_ok(), "{text}: {read:?}");
    }
    let command = page
        .lines()
        .find(|line| line.starts_with("$ wsbench run --output"));
    let words: Vec<&str> = command.unwrap().split(' ').skip(2).collect();
    let words = [&words[..], &["--duration", "1s", "--out", "report"]].concat();
    let ended = Running::call(tempfile::tempdir().unwrap(), &words, &[]).end();
    assert!([0, 4].contains(&ended.code), "{}", ended.stderr);
    assert!(ended.folder().join("live.jsonl").exists());
}
