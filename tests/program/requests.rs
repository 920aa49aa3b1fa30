//! Whom it talks to, and how: certificates, headers, origin, subprotocols, the addresses it comes from.

use std::collections::BTreeMap;
use std::fs;

use super::common::{Ended, Reception, Report, Running, Visit};

const CONNECTIONS: u64 = 6;

/// A second of echoes, with these keys in `[target]`.
fn scenario(url: &str, keys: &str) -> String {
    format!(
        r#"
        name = "request"
        [target]
        url = "{url}"
        connect_timeout = "5s"
        {keys}
        [load]
        connections = {CONNECTIONS}
        ramp_up = "100ms"
        ramp_down = "100ms"
        duration = "1s"
        [[message]]
        name = "echo"
        rate = "20/s"
        [heartbeat]
        interval = "300ms"
        timeout = "2s"
        [gates]
        pass = ["count(connections.failed) == 0", "count(connections.lost) == 0"]
        "#
    )
}

/// All went well, and the server's pings were answered.
#[track_caller]
fn assert_well(ended: &Ended, server: &Reception) {
    let report: Report = ended.report();
    assert_eq!(report.errors(), [].into());
    assert_eq!(report.failed_gates(), [""; 0]);
    let late = report.was_starved();
    assert_eq!(ended.code, if late { 4 } else { 0 });
    assert_eq!(report.count("connections.opened"), CONNECTIONS);
    assert_eq!(report.closes(), [("1000.local", CONNECTIONS)].into());
    let due = report.count("messages.due");
    assert!(due >= CONNECTIONS * 19, "{due}");
    assert_eq!(report.count("messages.echoed"), due);
    let (pings, pongs) = server.pings_and_pongs();
    assert!(pings >= CONNECTIONS * 8, "{pings}");
    // The last may cross our Close frame.
    assert!(pings - pongs <= CONNECTIONS, "{pongs} of {pings}");
    assert_eq!(report.count("server_ping.received"), pings);
}

#[test]
fn a_certificate_that_is_named_is_trusted() {
    for host in ["127.0.0.1", "localhost"] {
        let server = Reception::secure();
        // A path in a scenario is relative to its file.
        let scenario = scenario(&server.url(host), "ca = \"ca.pem\"");
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), server.certificate()).unwrap();
        let ended = Running::start_in(folder, &scenario, &["--quiet"], &[]).end();
        assert_well(&ended, &server);
        let tls = &ended.report().rows("totals", "handshake.tls")[0].clone();
        assert_eq!(tls["count"], CONNECTIONS);
    }
}

#[test]
fn with_insecure_anyone_is_trusted() {
    let server = Reception::secure();
    let scenario = scenario(&server.url("127.0.0.1"), "insecure = true");
    assert_well(&Ended::run(&scenario), &server);
}

#[test]
fn a_stranger_is_not_trusted() {
    let (server, other) = (Reception::secure(), Reception::secure());
    let scenario = scenario(&server.url("127.0.0.1"), "ca = \"ca.pem\"");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.pem"), other.certificate()).unwrap();
    let ended = Running::start_in(folder, &scenario, &[], &[]).end();
    assert_eq!(ended.code, 4);
    let report = ended.report();
    assert_eq!(report.errors(), [("tls_untrusted", CONNECTIONS)].into());
    let line = format!(" {CONNECTIONS} tls_untrusted: ");
    assert!(ended.stdout.contains(&line), "{}", ended.stdout);
    assert_eq!(report.distrust(), ["no_connection"]);
    let examples = report.examples("tls_untrusted");
    assert!(examples.contains("certificate"), "{examples}");
    assert_eq!(server.visits().len(), 0, "no request went to a stranger");
}

#[test]
fn a_server_without_tls_fails_the_tls_handshake() {
    let server = Reception::open();
    let url = server.url("127.0.0.1").replace("ws://", "wss://");
    let ended = Ended::run(&scenario(&url, "insecure = true"));
    assert_eq!(ended.code, 4);
    let report = ended.report();
    assert_eq!(report.errors(), [("handshake_eof", CONNECTIONS)].into());
    let examples = report.examples("handshake_eof");
    assert!(examples.contains("during the TLS handshake"), "{examples}");
    assert!(ended.stdout.contains("use ws://"), "{}", ended.stdout);
}

#[test]
fn a_server_with_tls_fails_a_request_without_it() {
    let server = Reception::secure();
    let url = server.url("127.0.0.1").replace("wss://", "ws://");
    let ended = Ended::run(&scenario(&url, ""));
    assert_eq!(ended.code, 4);
    let report = ended.report();
    assert_eq!(report.distrust(), ["no_connection"]);
    let failures: u64 = report.errors().values().sum();
    assert_eq!(failures, CONNECTIONS);
    assert!(ended.stdout.contains("use wss://"), "{}", ended.stdout);
    assert_eq!(server.visits().len(), 0);

    let folder = tempfile::tempdir().unwrap();
    let probed = Running::call(folder, &["probe", &url], &[]).end();
    assert_ne!(probed.code, 0);
    assert!(probed.stderr.contains("use wss://"), "{}", probed.stderr);
}

/// An address needs no file to say what its server wants to know.
#[test]
fn an_address_takes_headers_subprotocols_and_certificates() {
    let server = Reception::secure();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.pem"), server.certificate()).unwrap();
    let url = server.url("127.0.0.1");
    let options =
        "--connections 2 --duration 1s --out report --ca ca.pem --subprotocol chat.v2 --header";
    let arguments: Vec<&str> = ["run", &url]
        .into_iter()
        .chain(options.split(' '))
        .collect();
    let arguments = [&arguments[..], &["Authorization: Bearer ${TOKEN}"]].concat();
    let ended = Running::call(folder, &arguments, &[("TOKEN", "s3cret")]).end();
    assert!(matches!(ended.code, 0 | 4), "{}", ended.stdout);
    let visits = server.visits();
    assert_eq!(
        all(&visits, "authorization").as_deref(),
        Some("Bearer s3cret")
    );
    assert_eq!(
        all(&visits, "sec-websocket-protocol").as_deref(),
        Some("chat.v2")
    );
    let json = fs::read_to_string(ended.file("run.json")).unwrap();
    assert!(json.contains("--header \\\"Authorization: …\\\""), "{json}");
    assert!(!json.contains("s3cret"), "{json}");
}

/// What every request had under this name.
#[track_caller]
fn all(visits: &[Visit], header: &str) -> Option<String> {
    let values: Vec<_> = visits.iter().map(|visit| visit.header(header)).collect();
    assert!(values.windows(2).all(|two| two[0] == two[1]), "{values:?}");
    values[0].clone()
}

#[test]
fn headers_origin_and_subprotocols_arrive() {
    let server = Reception::open();
    let url = server.url("localhost") + "chat?room=7";
    let keys = r#"
        headers = { Authorization = "Bearer abc", X-Empty = "" }
        origin = "https://example.org"
        subprotocols = ["chat.v2", "chat.v1"]
    "#;
    let ended = Ended::run(&scenario(&url, keys));
    assert_well(&ended, &server);
    let visits = server.visits();
    assert_eq!(visits.len() as u64, CONNECTIONS);
    assert!(visits.iter().all(|visit| visit.resource == "/chat?room=7"));
    let port = url.split(':').nth(2).unwrap().split('/').next().unwrap();
    for (header, value) in [
        ("authorization", "Bearer abc"),
        ("x-empty", ""),
        ("origin", "https://example.org"),
        ("sec-websocket-protocol", "chat.v2, chat.v1"),
        ("host", &format!("localhost:{port}")),
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
    ] {
        assert_eq!(all(&visits, header).as_deref(), Some(value), "{header}");
    }
    assert_eq!(all(&visits, "sec-websocket-extensions"), None);
    let mut keys: Vec<_> = visits
        .iter()
        .map(|v| v.header("sec-websocket-key"))
        .collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len() as u64, CONNECTIONS, "each has a key of its own");
    // A name is looked up, once, and for no cohort.
    let report = ended.report();
    let look_ups = report.rows("metrics", "handshake.dns");
    assert_eq!(look_ups.len(), 1);
    assert_eq!(
        (&look_ups[0]["count"], &look_ups[0]["cohort"]),
        (&1.into(), &().into())
    );
}

#[test]
fn secrets_go_to_the_server_and_not_into_the_report() {
    let server = Reception::open();
    let url = server.url("127.0.0.1") + "?token=${WSBENCH_TEST_SECRET}";
    let keys = "headers = { Authorization = \"Bearer ${WSBENCH_TEST_SECRET}\" }";
    let secret = ("WSBENCH_TEST_SECRET", "s3cr3t-and-safe");
    let folder = tempfile::tempdir().unwrap();
    let ended = Running::start_in(folder, &scenario(&url, keys), &[], &[secret]).end();
    let visits = server.visits();
    assert_eq!(visits[0].resource, "/?token=s3cr3t-and-safe");
    assert_eq!(
        all(&visits, "authorization").as_deref(),
        Some("Bearer s3cr3t-and-safe")
    );
    for file in fs::read_dir(ended.file("")).unwrap() {
        let path = file.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(secret.1), "{}", path.display());
    }
    assert!(!ended.stdout.contains(secret.1) && !ended.stderr.contains(secret.1));
}

#[test]
#[cfg(target_os = "linux")]
fn connections_come_from_all_source_addresses_in_turn() {
    // The relay of a path dials from them, too.
    for path in ["", "[path]\ndelay = \"1ms\"\n"] {
        let server = Reception::open();
        let keys = "source_addresses = [\"127.0.0.1-127.0.0.3\"]";
        let scenario = scenario(&server.url("127.0.0.1"), keys) + path;
        assert_well(&Ended::run(&scenario), &server);
        let mut from = BTreeMap::new();
        for visit in server.visits() {
            *from.entry(visit.from.to_string()).or_insert(0) += 1;
        }
        let each = CONNECTIONS / 3;
        let expected = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
        assert_eq!(from, expected.map(|ip| (ip.to_owned(), each)).into());
    }
}

/// Each cohort says its own, name by name, over what is said in `[target]`; what has placeholders is filled in.
#[test]
fn each_cohort_says_its_own_of_upgrade_requests() {
    let server = Reception::open();
    let text = format!(
        r#"
        name = "own"
        [target]
        url = "{}"
        headers = {{ Authorization = "Bearer a", X-Team = "load" }}
        origin = "https://a.example"
        subprotocols = ["chat"]
        [load]
        duration = "300ms"
        [[cohort]]
        name = "shared"
        connections = 2
        [[cohort]]
        name = "own"
        connections = 2
        [cohort.target]
        headers = {{ authorization = "off", X-Room = "own" }}
        origin = "off"
        subprotocols = ["mqtt"]
        source_addresses = ["127.0.0.5"]
        [[cohort]]
        name = "told"
        connections = 2
        target.headers = {{ X-Room = "told-{{{{connection}}}}" }}
        "#,
        server.url("127.0.0.1")
    );
    let ended = Ended::run(&text);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let said = |name: &'static str| {
        let mut said: Vec<Option<String>> = (server.visits().iter())
            .map(|visit| visit.header(name))
            .collect();
        said.sort();
        let said = said.into_iter().map(|one| one.unwrap_or_default());
        said.collect::<Vec<String>>()
    };
    let rooms = said("x-room");
    assert_eq!(rooms[..4], ["", "", "own", "own"]);
    assert!(
        rooms[4..].iter().all(|room| room.starts_with("told-")),
        "{rooms:?}"
    );
    assert_ne!(rooms[4], rooms[5]);
    assert_eq!(said("x-team"), ["load"; 6]);
    let bearer = "Bearer a";
    assert_eq!(
        said("authorization"),
        ["", "", bearer, bearer, bearer, bearer]
    );
    let origin = "https://a.example";
    assert_eq!(said("origin"), ["", "", origin, origin, origin, origin]);
    assert_eq!(
        said("sec-websocket-protocol"),
        ["chat", "chat", "chat", "chat", "mqtt", "mqtt"]
    );
    if cfg!(target_os = "linux") {
        let visits = server.visits();
        let from = visits
            .iter()
            .filter(|visit| visit.from.to_string() == "127.0.0.5");
        assert_eq!(from.count(), 2);
    }
}
