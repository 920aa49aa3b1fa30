//! What comes before the connection: requests of HTTP, what is kept of their answers, and the upgrade that they go into.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::common::run::{Run, run};
use super::common::{Reception, Running, Visit};

/// A server of HTTP that answers by the path, and keeps what it was asked. Ends with the test.
struct Site {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Site {
    fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let book = asked.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let book = book.clone();
                thread::spawn(move || serve(stream.unwrap(), &book));
            }
        });
        Self { address, asked }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests for this path.
    fn asked(&self, path: &str) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let of_path = |request: &&String| request.split(' ').nth(1) == Some(path);
        asked.iter().filter(of_path).cloned().collect()
    }
}

fn serve(mut stream: TcpStream, book: &Mutex<Vec<String>>) {
    let mut request = Vec::new();
    let mut piece = [0; 4096];
    let is_whole = |request: &[u8]| {
        let text = String::from_utf8_lossy(request);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            return false;
        };
        let length = head.split("Content-Length: ").nth(1);
        let length = length.and_then(|rest| rest.lines().next()?.parse::<usize>().ok());
        body.len() >= length.unwrap_or(0)
    };
    while !is_whole(&request) {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(read) => request.extend_from_slice(&piece[..read]),
        }
    }
    let request = String::from_utf8(request).unwrap();
    let path = request.split(' ').nth(1).unwrap().to_owned();
    let number = {
        let mut book = book.lock().unwrap();
        book.push(request);
        book.len()
    };
    let counted = |head: &str, body: &str| {
        format!(
            "HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let token = format!("{{\"token\":\"token-{number:06}\"}}");
    let answer = match path.as_str() {
        "/refused" => counted("401 Unauthorized", "{\"error\":\"no\"}"),
        "/repeated?key=s3cr3t" => counted(
            "403 Forbidden\r\nSet-Cookie: sid=\"s3cr3t-sid\"; Path=/",
            "no session s3cr3t-sid here",
        ),
        "/slow" => {
            // Until the client has given up.
            let _ = stream.read(&mut piece);
            return;
        }
        "/early" => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"tok".to_owned(),
        "/big" => "HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n".to_owned(),
        "/other" => counted("200 OK", "{\"token\":7}"),
        "/garbage" => "SSH-2.0-x\r\n".to_owned(),
        "/chunked" => format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Ticket: a b&{number}\r\n\r\n{:x}\r\n{token}\r\n0\r\n\r\n",
            token.len()
        ),
        "/cookie" => counted(
            &format!(
                "200 OK\r\nSet-Cookie: sid=c{number}; Path=/\r\nSet-Cookie: far=1; Domain=example.org"
            ),
            "",
        ),
        _ => counted("200 OK", &token),
    };
    let _ = stream.write_all(answer.as_bytes());
}

/// The books of the set-up are closed.
#[track_caller]
fn assert_setups(run: &Run) {
    for (part, row) in run.totals() {
        let of = |name: &str| row.count(&format!("setup.{name}"));
        let ended = of("ready") + of("failed") + of("lost") + of("abandoned");
        assert_eq!(of("begun"), ended, "{part:?} {row:?}");
        let attempted = row.count("connections.attempted");
        let of = |name: &str| row.count(&format!("connections.{name}"));
        let dialled = of("opened") + of("failed") + of("abandoned");
        assert_eq!(attempted, dialled, "{part:?} {row:?}");
    }
}

#[test]
fn a_token_of_a_login_opens_the_built_in_server() {
    for headers in ["headers = { Authorization = \"Bearer {{token}}\" }", ""] {
        let run = run(
            &format!(
                r#"
                name = "login"
                [target]
                url = "embedded"
                rooms = {{ login = true }}
                {headers}
                [load]
                connections = 20
                duration = "1s"
                [[setup]]
                name = "login"
                http = {{ url = "/login", json = '{{"name":"u{{{{place}}}}"}}' }}
                check = {{ status = 200 }}
                save = {{ token = "/token" }}
                [[setup]]
                name = "join"
                send = {{ json = '{{"join":"r","id":{{{{id}}}}}}' }}
                expect = {{ "/id" = "{{{{id}}}}" }}
                check = {{ "/ok" = true }}
                [gates]
                pass = ["count(setup.failed) == 0", "p99(latency.login) < 5s", "p99(setup.duration) < 5s"]
                "#
            ),
            &[],
        );
        run.assert_passed();
        assert_setups(&run);
        assert_eq!(run.report.count("setup.ready"), 20);
        let samples = run
            .totals()
            .into_values()
            .map(|row| row.count("latency.login"));
        assert_eq!(samples.sum::<u64>(), 20);
    }
}

#[test]
fn what_was_saved_stands_in_the_upgrade_request() {
    let (site, server) = (Site::open(), Reception::open());
    let run = run(
        &format!(
            r#"
            name = "upgrade"
            [target]
            url = "{url}feed?u={{{{user.name}}}}&t={{{{ticket}}}}"
            headers = {{ Authorization = "Bearer {{{{token}}}}", Cookie = "own=1" }}
            subprotocols = ["v{{{{place % 2}}}}.{{{{token}}}}"]
            [data.user]
            rows = [{{ name = "änn" }}, {{ name = "b b" }}]
            [load]
            connections = 2
            duration = "1s"
            [[setup]]
            name = "cookie"
            http = {{ url = "{cookie}" }}
            [[setup]]
            name = "login"
            http = {{ url = "{login}", json = '{{"name":"{{{{user.name}}}}"}}' }}
            save = {{ token = "/token", ticket = {{ header = "x-ticket" }} }}
            [[setup]]
            name = "hello"
            send = "hello"
            expect = "hello"
            "#,
            url = server.url("127.0.0.1"),
            cookie = site.url("/cookie"),
            login = site.url("/chunked"),
        ),
        &[],
    );
    assert_setups(&run);
    let visits = server.visits();
    assert_eq!(visits.len(), 2, "{}", run.ended.stderr);
    let asked = site.asked("/chunked");
    for user in ["%C3%A4nn", "b%20b"] {
        let is_own = |visit: &&Visit| visit.resource.contains(user);
        let visit = visits.iter().find(is_own).unwrap();
        let ticket = visit.resource.split("&t=a%20b%26").nth(1).unwrap();
        let number: usize = ticket.parse().unwrap();
        let token = format!("token-{number:06}");
        assert_eq!(
            visit.header("authorization").unwrap(),
            format!("Bearer {token}")
        );
        let cookie = visit.header("cookie").unwrap();
        assert!(cookie.starts_with("own=1; sid=c"), "{cookie}");
        let protocol = visit.header("sec-websocket-protocol").unwrap();
        assert!(protocol.ends_with(&format!(".{token}")), "{protocol}");
        let login = asked.iter().filter(|one| one.contains("Cookie: sid=c"));
        assert_eq!(login.count(), 2, "{asked:?}");
    }
}

#[test]
fn each_failure_of_a_request_has_its_name() {
    let site = Site::open();
    let closed = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let failures = [
        (
            "refused",
            site.url("/refused"),
            "`refused`: GET ADDRESS: its status is 401",
        ),
        // The answer is told, without its cookie; the query of the address is not.
        (
            "repeated",
            site.url("/repeated?key=s3cr3t"),
            "`repeated`: GET ADDRESS: its status is 403; it says `no session {{cookie}} here`",
        ),
        (
            "slow",
            site.url("/slow"),
            "`slow`: GET ADDRESS: no answer came within 300ms: waited for the answer",
        ),
        (
            "early",
            site.url("/early"),
            "after 5 of 100 bytes of the body",
        ),
        (
            "big",
            site.url("/big"),
            "`big`: GET ADDRESS: handshake_garbage: the body of the answer has more than",
        ),
        (
            "other",
            site.url("/other"),
            "`other`: GET ADDRESS: `/token` is not",
        ),
        (
            "garbage",
            site.url("/garbage"),
            "`garbage`: GET ADDRESS: handshake_garbage: the answer is no HTTP",
        ),
        (
            "nobody",
            format!("http://{closed}/"),
            "`nobody`: GET ADDRESS: refused: ",
        ),
    ];
    let mut scenario =
        String::from("name = \"failures\"\ntarget.url = \"embedded\"\nload.duration = \"1s\"\n");
    for (name, url, _) in &failures {
        scenario += &format!(
            "[[cohort]]\nname = \"{name}\"\nconnections = 2\n[[cohort.setup]]\nname = \"{name}\"\n\
             http = {{ url = \"{url}\" }}\ncheck = {{ \"/token\" = \"a\" }}\ntimeout = \"{}\"\n",
            if *name == "slow" { "300ms" } else { "20s" }
        );
    }
    let run = run(&scenario, &[]);
    assert_eq!(run.ended.code, 4, "{}", run.ended.stderr);
    assert_setups(&run);
    let all = 2 * failures.len() as u64;
    assert_eq!(run.report.errors(), [("setup_failed", all)].into());
    assert_eq!(run.report.count("setup.failed"), all);
    assert_eq!(run.report.count("connections.opened"), 0);
    let endings = run.report.json["endings"].to_string() + &run.report.examples("setup_failed");
    for (_, url, why) in &failures {
        let address = url.split('?').next().unwrap();
        let why = why.replace("ADDRESS", address);
        assert!(endings.contains(&why), "no `{why}` in {endings}");
    }
    assert!(!endings.contains("s3cr3t"), "{endings}");
}

#[test]
fn each_connection_logs_in_again() {
    let site = Site::open();
    let run = run(
        &format!(
            r#"
            name = "again"
            target.url = "embedded"
            [load]
            connections = 3
            duration = "2s"
            reconnect = {{ initial = "1ms", max = "10ms" }}
            [[setup]]
            name = "login"
            http = {{ url = "{}" }}
            save = {{ token = "/token" }}
            [[step]]
            name = "say"
            send = "{{{{token}}}}"
            expect = {{ prefix = "token-" }}
            [[step]]
            reconnect = {{ after = "100ms" }}
            "#,
            site.url("/login")
        ),
        &[],
    );
    assert_setups(&run);
    let logins = site.asked("/login").len() as u64;
    assert!(logins >= 6, "{logins}");
    assert_eq!(run.report.count("setup.begun"), logins);
    assert_eq!(run.report.count("connections.attempted"), logins);
}

/// The end of the load is planned, and nobody who waits for a login then has failed.
#[test]
fn a_login_that_is_under_way_when_the_load_ends_is_abandoned() {
    let site = Site::open();
    let run = run(
        &format!(
            r#"
            name = "ends"
            target.url = "embedded"
            load.stages = [{{ duration = "1s", connections = 2 }}]
            [[setup]]
            name = "login"
            http = {{ url = "{}" }}
            timeout = "60s"
            [gates]
            pass = ["count(connections.abandoned) == 2"]
            "#,
            site.url("/slow")
        ),
        &[],
    );
    assert_setups(&run);
    let took = run.ended.took;
    assert!(took < Duration::from_secs(10), "{took:?}");
    let counters = ["abandoned", "failed", "opened"];
    let counts = counters.map(|name| run.report.count(&format!("connections.{name}")));
    assert_eq!(counts, [2, 0, 0]);
    assert_eq!(run.report.count("setup.abandoned"), 2);
}

#[test]
fn one_request_is_enough_for_all_clients_of_all_workers() {
    let (site, server) = (Site::open(), Reception::open());
    let run = run(
        &format!(
            r#"
            name = "once"
            [target]
            url = "{}"
            headers = {{ Authorization = "Bearer {{{{token}}}}" }}
            [load]
            duration = "1s"
            reconnect = {{ initial = "1ms", max = "10ms" }}
            [[setup]]
            name = "login"
            http = {{ url = "{}", once = true }}
            save = {{ token = "/token" }}
            [[cohort]]
            name = "a"
            connections = 4
            [[cohort]]
            name = "b"
            connections = 4
            [[cohort.step]]
            reconnect = {{ after = "300ms" }}
            "#,
            server.url("127.0.0.1"),
            site.url("/login"),
        ),
        &["--workers", "2"],
    );
    assert_setups(&run);
    assert_eq!(site.asked("/login").len(), 1, "{}", run.ended.stderr);
    let visits = server.visits();
    assert!(visits.len() > 8, "{}", visits.len());
    let headers = visits.iter().map(|visit| visit.header("authorization"));
    let headers: BTreeSet<_> = headers.collect();
    assert_eq!(headers, [Some("Bearer token-000001".to_owned())].into());
    let samples: u64 = run
        .totals()
        .values()
        .map(|row| row.count("latency.login"))
        .sum();
    assert_eq!(samples, 1);
}

#[test]
fn without_the_answer_to_one_request_nobody_begins() {
    let site = Site::open();
    let scenario = format!(
        "name = \"once\"\ntarget.url = \"embedded\"\nload.connections = 2\nload.duration = \"1s\"\n\
         [[setup]]\nname = \"login\"\nhttp = {{ url = \"{}\", once = true }}\n",
        site.url("/refused")
    );
    let ended = Running::start(&scenario, &["--quiet"]).end();
    assert_ne!(ended.code, 0);
    let said = format!(
        "ask `login` once for all clients: GET {}: its status is 401; it says `{{\"error\":\"no\"}}`",
        site.url("/refused")
    );
    assert!(ended.stderr.contains(&said), "{}", ended.stderr);
}
