//! `--dashboard` from outside: who may look and who may not, what is pushed, and that nobody who looks holds up the run.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::common::Running;
use super::sent::{get, scenario, sent};

/// Waits until this is there.
#[track_caller]
pub(super) fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// A run with a dashboard.
struct Looked {
    running: Running,
    /// `127.0.0.1:12345`.
    address: String,
    token: String,
}

impl Looked {
    fn at(duration: &str) -> Self {
        let arguments = ["--quiet", "--dashboard", "127.0.0.1:0"];
        let running = Running::start(&scenario(duration), &arguments);
        let url = until("the address is told", || {
            let told = running.stderr();
            let line = told
                .lines()
                .find_map(|line| line.strip_prefix("dashboard: http://"));
            line.map(str::to_owned)
        });
        let (address, token) = url.split_once("/?token=").unwrap();
        assert_eq!(token.len(), 32, "{url}");
        let looked = Self {
            address: address.to_owned(),
            token: token.to_owned(),
            running,
        };
        // What is stopped before that has not begun, and has no report.
        until("some messages were counted", || {
            let metrics = looked.ask("GET", "/metrics", &looked.address, "");
            sent(&metrics).filter(|count| *count > 0)
        });
        looked
    }

    /// The answer to a request with these headers besides `Host`.
    fn ask(&self, method: &str, path: &str, host: &str, headers: &str) -> String {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"
        );
        get(&self.address, &request)
    }
}

/// The names and the data of events, until there are no more.
fn events(address: &str) -> impl Iterator<Item = (String, Value)> {
    let mut client = TcpStream::connect(address).unwrap();
    client
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let request = format!("GET /live HTTP/1.0\r\nHost: {address}\r\n\r\n");
    client.write_all(request.as_bytes()).unwrap();
    let mut lines = BufReader::new(client).lines().map_while(Result::ok);
    let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    assert!(head[0].contains(" 200 "), "{head:?}");
    let mut name = String::new();
    lines.filter_map(move |line| {
        if let Some(event) = line.strip_prefix("event: ") {
            event.clone_into(&mut name);
        }
        let data = line.strip_prefix("data: ")?;
        Some((name.clone(), serde_json::from_str(data).unwrap()))
    })
}

#[test]
fn who_looks_is_told_each_second_and_gets_the_report_in_the_end() {
    let looked = Looked::at("4s");
    let page = looked.ask("GET", "/", &looked.address, "");
    let (head, page) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    for wanted in [
        "frame-ancestors 'none'",
        "connect-src 'self'",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
    ] {
        assert!(head.contains(wanted), "{wanted}: {head}");
    }
    assert!(
        page.contains("RUNNING") && !page.contains(&looked.token),
        "{page}"
    );
    let mut parts = 0;
    let mut last = None;
    for (name, data) in events(&looked.address) {
        match name.as_str() {
            "parts" => {
                parts += 1;
                let order = data["order"].as_array().unwrap();
                let changed = data["changed"].as_object().unwrap();
                assert!(
                    !changed.is_empty()
                        && changed
                            .keys()
                            .all(|id| order.contains(&Value::from(id.as_str())))
                );
                let head = changed.get("head").and_then(Value::as_str);
                assert!(head.is_none_or(|head| head.contains("RUNNING")), "{head:?}");
            }
            "end" => last = Some(data.as_str().unwrap().to_owned()),
            other => panic!("an event named {other}"),
        }
    }
    assert!(parts >= 2, "it changes while one looks");
    let ended = looked.running.end();
    assert!([0, 4].contains(&ended.code), "{}", ended.stderr);
    let report = std::fs::read_to_string(ended.folder().join("report/report.html")).unwrap();
    assert!(
        last.is_some_and(|last| last == report),
        "the last event is the report"
    );
}

#[test]
fn who_may_not_look_is_refused_and_ends_nothing() {
    let looked = Looked::at("30s");
    let own = looked.address.clone();
    let port = own.rsplit(':').next().unwrap();
    let status = |answer: String| {
        answer
            .split(' ')
            .nth(1)
            .map(str::to_owned)
            .unwrap_or_default()
    };
    let get = |host: &str| status(looked.ask("GET", "/", host, ""));
    assert_eq!(get(&format!("localhost:{port}")), "200");
    for host in [
        "evil.example",
        "127.0.0.1",
        "127.0.0.1.evil.example:80",
        &format!("evil.example:{port}"),
    ] {
        assert_eq!(get(host), "421", "{host}");
    }
    let metrics = looked.ask("GET", "/metrics", &own, "");
    assert!(
        metrics.contains("# TYPE wsbench_messages_sent_total counter"),
        "{metrics}"
    );
    let right = format!("/stop?token={}", looked.token);
    let post = |path: &str, headers: &str| {
        status(looked.ask(
            "POST",
            path,
            &own,
            &format!("Content-Length: 0\r\n{headers}"),
        ))
    };
    assert_eq!(post("/stop", ""), "403");
    assert_eq!(
        post("/stop?token=00000000000000000000000000000000", ""),
        "403"
    );
    assert_eq!(post(&right, "Origin: http://evil.example\r\n"), "403");
    assert_eq!(status(looked.ask("GET", &right, &own, "")), "405");
    assert_eq!(status(looked.ask("PUT", "/", &own, "")), "405");
    assert_eq!(get("localhost"), "421", "the run goes on");
    assert_eq!(post(&right, &format!("Origin: http://{own}\r\n")), "202");
    let ended = looked.running.end();
    assert_eq!(ended.code, 130, "{}", ended.stderr);
    assert!(ended.folder().join("report/run.json").exists());
}

#[test]
fn many_who_never_read_hold_up_nobody() {
    let looked = Looked::at("3s");
    let clients: Vec<TcpStream> = (0..15)
        .map(|_| {
            let mut client = TcpStream::connect(&looked.address).unwrap();
            let request = format!("GET /live HTTP/1.1\r\nHost: {}\r\n\r\n", looked.address);
            client.write_all(request.as_bytes()).unwrap();
            client
        })
        .collect();
    assert!(
        looked
            .ask("GET", "/", &looked.address, "")
            .contains("RUNNING"),
        "there is room for one more"
    );
    let held = TcpStream::connect(&looked.address).unwrap();
    let refused = until("one too many is refused", || {
        let mut client = TcpStream::connect(&looked.address).ok()?;
        client
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let mut answer = String::new();
        let _ = client.read_to_string(&mut answer);
        answer.starts_with("HTTP/1.1 503 ").then_some(answer)
    });
    assert!(refused.contains("connection: close"), "{refused}");
    // They have some seconds to take the report; then it ends all the same, which is what `end` looks at.
    let ended = looked.running.within(Duration::from_secs(20)).end();
    assert!([0, 4].contains(&ended.code), "{}", ended.stderr);
    drop((clients, held));
}
