//! An exporter that runs, and how it is asked.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::common::Running;

/// Longer than any answer takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// An exporter that runs.
pub(super) struct Exporter {
    pub(super) running: Running,
    pub(super) port: u16,
}

/// The status of an answer, and its body.
pub(super) type Answer = (u16, String);

impl Exporter {
    pub(super) fn start(arguments: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), arguments, &[])
    }

    pub(super) fn start_in(
        folder: TempDir,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Self {
        let arguments = [&["exporter", "--listen", "127.0.0.1:0"], arguments].concat();
        let running = Running::call(folder, &arguments, environment);
        let told = until("it listens", || {
            let told = fs::read_to_string(running.folder().join("stdout.txt")).ok()?;
            let errors = running.stderr();
            assert!(errors.is_empty(), "{errors}");
            Some(told).filter(|told| told.ends_with("/probe\n"))
        });
        let port = told
            .split(['/', ':'])
            .find_map(|part| part.parse().ok())
            .unwrap();
        Self { running, port }
    }

    /// Asks for a page, with more headers.
    pub(super) fn get(&self, path: &str, headers: &str) -> Answer {
        let own = format!("127.0.0.1:{}", self.port);
        ask(
            self.port,
            &format!("GET {path} HTTP/1.1\r\nHost: {own}\r\n{headers}"),
        )
        .unwrap()
    }

    /// Asks for a probe as Prometheus does that waits for so many seconds.
    pub(super) fn probe(&self, query: &str, seconds: u32) -> Answer {
        let header = format!("X-Prometheus-Scrape-Timeout-Seconds: {seconds}\r\n");
        self.get(&format!("/probe?{query}"), &header)
    }

    /// How many requests ended so.
    pub(super) fn ended(&self, outcome: &str) -> f64 {
        let (status, text) = self.get("/metrics", "");
        assert_eq!(status, 200);
        let name = format!("wsbench_exporter_requests_total{{outcome=\"{outcome}\"}}");
        value(&text, &name).unwrap_or_else(|| panic!("no {name}: {text}"))
    }
}

/// Sends a request, and reads its answer; `None` if nobody answers.
pub(super) fn ask(port: u16, head: &str) -> Option<Answer> {
    let mut client = TcpStream::connect(("127.0.0.1", port)).ok()?;
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    let head = format!("{head}Connection: close\r\n\r\n");
    client.write_all(head.as_bytes()).ok()?;
    let mut answer = String::new();
    client.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, body.to_owned()))
}

/// Waits until this is there.
#[track_caller]
pub(super) fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(Instant::now() < deadline, "never: {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The value of a metric, written with its labels.
pub(super) fn value(text: &str, metric: &str) -> Option<f64> {
    let mut values = text
        .lines()
        .filter_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
    values.next()?.parse().ok()
}

/// A text as a part of an address.
pub(super) fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => (byte as char).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}

pub(super) fn target(url: &str) -> String {
    format!("target={}", escaped(url))
}
