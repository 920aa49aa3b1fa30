//! Clients that ask by HTTP without an upgrade: beside those that listen, and against a server that does with its
//! connections what servers do.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

use super::common::run::{Run, run, trusted};

/// How often it was dialled and asked.
#[derive(Default)]
struct Book {
    dials: AtomicU64,
    requests: AtomicU64,
}

/// A server that answers as the path of a request says. Its threads end with the test.
struct Web {
    address: SocketAddr,
    book: Arc<Book>,
}

impl Web {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let book = Arc::new(Book::default());
        let seen = book.clone();
        thread::spawn(move || {
            for socket in listener.incoming().map_while(Result::ok) {
                seen.dials.fetch_add(1, Relaxed);
                let seen = seen.clone();
                thread::spawn(move || serve(&socket, &seen));
            }
        });
        Self { address, book }
    }

    fn counts(&self) -> (u64, u64) {
        (
            self.book.dials.load(Relaxed),
            self.book.requests.load(Relaxed),
        )
    }
}

/// Answers requests until one of them ends the connection.
fn serve(socket: &TcpStream, book: &Book) {
    let mut reader = BufReader::new(socket);
    loop {
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if line == "\r\n" => break,
                Ok(_) => lines.push(line),
            }
        }
        book.requests.fetch_add(1, Relaxed);
        let path = lines[0].split(' ').nth(1).unwrap_or_default();
        let kept = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
        let answer = match path {
            "/close" => "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
            "/chunked" => {
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n"
            }
            "/error" => "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n",
            "/half" => "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhal",
            "/mute" => "",
            "/slow" => {
                thread::sleep(Duration::from_millis(20));
                kept
            }
            _ => kept,
        };
        // In two pieces, so that it is not always there at once.
        let (first, rest) = answer.split_at(answer.len() / 2);
        let mut socket = socket;
        if socket.write_all(first.as_bytes()).is_err() || socket.write_all(rest.as_bytes()).is_err()
        {
            return;
        }
        if matches!(path, "/close" | "/half") {
            return;
        }
        // The client must find out by itself that this connection has ended.
        if path == "/leaves" && book.requests.load(Relaxed).is_multiple_of(3) {
            return;
        }
    }
}

/// Polls this path ten times a second, for a second.
fn poll(server: &Web, path: &str, rest: &str) -> Run {
    let address = server.address;
    run(
        &format!(
            r#"
            name = "polls"
            target.url = "http://{address}/"
            load = {{ connections = 2, ramp_up = "0s", duration = "1s", ramp_down = "0s" }}
            {rest}
            [[step]]
            repeat = {{ rate = "10/s" }}
            [[step.step]]
            name = "poll"
            http = {{ url = "{path}" }}
            timeout = "200ms"
            on_fail = "go_on"
            "#
        ),
        &[],
    )
}

#[test]
fn whatever_a_server_does_with_its_connections_each_request_is_answered() {
    for (path, rest, renewed) in [
        ("/kept", "", 0),
        ("/chunked", "", 0),
        ("/slow", "", 0),
        ("/close", "", 18),
        ("/kept", "target.keep_alive = false", 18),
    ] {
        let (run, server) = trusted(|| {
            let server = Web::start();
            (poll(&server, path, rest), server)
        });
        run.assert_passed();
        let report = &run.report;
        let sent = report.count("messages.sent");
        let told = report.count("connections.renewed");
        assert_eq!(report.count("messages.answered"), sent, "{path}");
        assert_eq!(sent, 20, "{path}");
        assert_eq!(told, renewed, "{path}");
        assert_eq!(server.counts(), (2 + renewed, 20), "{path}");
        assert_eq!(report.count("connections.opened"), 2);
        assert_eq!(report.count("connections.lost"), 0, "{path}");
    }
}

#[test]
fn a_kept_connection_that_the_server_leaves_is_no_loss() {
    let (run, server) = trusted(|| {
        let server = Web::start();
        (poll(&server, "/leaves", ""), server)
    });
    run.assert_passed();
    assert_eq!(run.report.count("messages.answered"), 20);
    assert_eq!(run.report.count("connections.lost"), 0);
    let renewed = run.report.count("connections.renewed");
    assert!(renewed >= 4, "{renewed}");
    assert_eq!(server.counts().0, 2 + renewed);
}

#[test]
fn errors_and_silence_are_counted_under_their_names() {
    let run = poll(&Web::start(), "/error", "");
    let count = |name: &str| run.report.count(name);
    assert_eq!(
        (count("messages.sent"), count("messages.mismatched")),
        (20, 20)
    );
    assert_eq!(
        (count("connections.lost"), count("connections.renewed")),
        (0, 0)
    );

    let run = poll(&Web::start(), "/mute", "");
    let count = |name: &str| run.report.count(name);
    let sent = count("messages.sent");
    assert_eq!((sent, count("messages.timed_out")), (sent, sent));
    // An answer that did not come is not waited for on the same connection.
    assert_eq!(count("connections.renewed"), sent - 2);
    assert_eq!(count("connections.lost"), 0);
}

#[test]
fn half_an_answer_is_a_loss_with_its_reason() {
    let run = poll(&Web::start(), "/half", "");
    let report = &run.report;
    assert_eq!(report.count("connections.lost"), 2);
    assert_eq!(report.errors()["protocol_error"], 2);
    let example = report.examples("protocol_error");
    assert!(
        example.contains("after 3 of 9 bytes of the body"),
        "{example}"
    );
    assert_eq!(
        (report.count("messages.sent"), report.count("messages.lost")),
        (2, 2)
    );
}

#[test]
fn who_listens_and_who_asks_are_compared_in_one_scenario() {
    const ASKS: &str = r#"
        [[cohort.step]]
        repeat = { rate = "5/s" }
        [[cohort.step.step]]
        name = "NAME"
        http = { url = "/poll?room=r" }
        time = { at = "/at", unit = "ms" }
    "#;
    let (polls, anew) = (
        ASKS.replace("NAME", "polled"),
        ASKS.replace("NAME", "asked"),
    );
    let scenario = format!(
        r#"
        name = "side-by-side"
        [target]
        url = "embedded"
        rooms = {{ tick = "10/s" }}
        [load]
        duration = "2s"
        [[cohort]]
        name = "listens"
        connections = 3
        [[cohort.setup]]
        name = "join"
        send = {{ json = '{{"join":"r","id":{{{{id}}}}}}' }}
        expect = {{ "/id" = "{{{{id}}}}" }}
        [[cohort.on]]
        name = "pushed"
        match = {{ has = ["/tick"] }}
        time = {{ at = "/at", unit = "ms" }}
        [[cohort]]
        name = "polls"
        connections = 3
        target.url = "embedded-http"
        {polls}
        [[cohort]]
        name = "polls-anew"
        connections = 3
        target = {{ url = "embedded-http", keep_alive = false }}
        {anew}
        [[cohort]]
        name = "waits"
        connections = 3
        target.url = "embedded-http"
        [[cohort.step]]
        name = "first"
        http = {{ url = "/long-poll?room=r" }}
        save = {{ after = "/tick" }}
        [[cohort.step]]
        repeat = {{}}
        [[cohort.step.step]]
        name = "waited"
        http = {{ url = "/long-poll?room=r&tick={{{{after}}}}" }}
        save = {{ after = "/tick" }}
        time = {{ at = "/at", unit = "ms" }}
        [gates]
        pass = ["count(connections.lost) == 0"]
        "#
    );
    let (run, ()) = trusted(|| (run(&scenario, &[]), ()));
    run.assert_passed();
    for (name, least) in [
        ("pushed", 50),
        ("polled", 25),
        ("asked", 25),
        ("waited", 50),
    ] {
        let ages = run.histogram(&format!("age.{name}"));
        assert!(ages.len() >= least, "{name}: {}", ages.len());
    }
    // Whoever asks five times a second for what happens ten times a second is told what is 50 ms old on average.
    let mean = |name: &str| run.histogram(&format!("age.{name}")).mean();
    assert!(
        mean("polled") > mean("waited"),
        "{} {}",
        mean("polled"),
        mean("waited")
    );
    for sums in run.measured().values() {
        let ends = ["answered", "mismatched", "timed_out", "lost"];
        let ends = ends.map(|end| sums.count(&format!("messages.{end}")));
        assert_eq!(sums.count("messages.sent"), ends.iter().sum::<u64>());
    }
}
