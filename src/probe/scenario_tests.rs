//! Tests the scenarios that are written from findings.

use super::findings::{
    Answer, Doing, Echo, Ending, Findings, How, Idle, Limit, Pings, Quiet, Since, Tcp, Trial,
};
use super::handshake::Handshake;
use super::offers::{CompressionOffer, Http2Offer, Offers};
use super::scenario::{CLIENTS, generous, scenario};
use super::target::Asked;
use super::tls::{ClientCertificate, OtherVersion, ServerCertificate, TlsOffer};
use crate::scenario::{Outside, Overrides, Scenario, Source, Spoken, parse};

const SECOND: u64 = 1_000_000_000;
/// What stands in all files.
const PEM: &str = "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n";

fn asked() -> Asked {
    Asked {
        url: "ws://127.0.0.1:9/".to_owned(),
        ..Asked::default()
    }
}

fn trial(doing: Doing, ending: Option<Ending>) -> Trial {
    Trial {
        doing,
        watched_ns: 15 * SECOND,
        sent: 0,
        pings: 3,
        unanswered_ns: None,
        ending,
        failed: None,
    }
}

/// An echo server that answers pings and ends no client.
fn kind() -> Findings {
    Findings {
        echo: Some(Echo {
            greeting: None,
            text: Answer::Same,
            binary: Answer::Same,
            samples: 20,
            p50_ns: Some(80_000),
            max_ns: Some(90_000),
            ending: None,
        }),
        pings: Some(Pings {
            sent: 20,
            answered: 20,
            p50_ns: Some(12_000_000),
            ..Pings::default()
        }),
        activity: Doing::ALL.map(|doing| trial(doing, None)).into(),
        idle: Some(Idle {
            watched_ns: 15 * SECOND,
            silent: None,
            answering: None,
            talkers_too: false,
        }),
        ..Findings::default()
    }
}

fn limit(since: Since, after_ns: u64, how: How) -> Limit {
    Limit {
        since,
        after_ns,
        ending: Ending {
            at_ns: after_ns + SECOND,
            how,
            tcp: Some(Tcp {
                after_ns: 1_000,
                reset: false,
            }),
        },
        seen: 4,
        phases: 4,
        ping_gap_ns: None,
        least_ns: after_ns,
        most_ns: after_ns,
    }
}

#[track_caller]
fn read(text: &str) -> Scenario {
    let source = Source {
        name: "test".to_owned(),
        text: text.to_owned(),
    };
    let outside = Outside {
        env: &|_| None,
        read: &|_| Ok(PEM.into()),
        list: &Outside::no_folder,
    };
    let parsed = parse(&source, &Overrides::default(), &outside);
    parsed.unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

#[track_caller]
fn has(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.lines().any(|found| found == *line), "{line}\n\n{text}");
    }
}

#[test]
fn a_kind_server_gets_a_load_a_heartbeat_and_gates() {
    let text = scenario(&asked(), &kind());
    let scenario = read(&text);
    assert_eq!(scenario.name, "probe-127-0-0-1-9");
    assert_eq!(scenario.cohorts[0].connections, CLIENTS);
    assert_eq!(scenario.cohorts[0].messages.len(), 1);
    assert_eq!(scenario.gates.pass.len(), 5);
    has(&text, &["  \"p90(heartbeat.rtt) < 250ms\","]);
}

#[test]
fn a_gate_on_a_time_is_below_the_timeout_of_an_answer() {
    assert_eq!(generous(SECOND / 50).as_deref(), Some("250ms"));
    assert_eq!(generous(SECOND / 4).as_deref(), Some("2.5s"));
    assert_eq!(generous(SECOND / 3), None);
}

#[test]
fn a_server_that_speaks_a_dialect_gets_a_scenario_in_it() {
    for (subprotocol, greeting, gates) in [
        (None, Some("0{\"sid\":\"x\""), 2),
        (Some("ocpp2.0.1"), None, 1),
    ] {
        let spoken = Spoken::new(subprotocol, greeting).unwrap();
        let dialect = spoken.dialect;
        let found = Findings {
            dialect: Some(spoken),
            ..kind()
        };
        let text = scenario(&asked(), &found);
        let scenario = read(&text);
        assert_eq!(scenario.target.dialect, Some(dialect), "{text}");
        assert_eq!(scenario.gates.pass.len(), gates, "{text}");
    }
}

#[test]
fn a_server_that_does_nothing_gets_connections_alone() {
    let scenario = read(&scenario(&asked(), &Findings::default()));
    let main = &scenario.cohorts[0];
    assert!(main.messages.is_empty() && main.heartbeat.is_none());
    assert_eq!(scenario.gates.pass.len(), 1);
}

#[test]
fn one_that_closes_mute_clients_gets_a_window_from_the_ping() {
    let how = How::Close {
        code: Some(1011),
        reason: "keepalive ping timeout".to_owned(),
    };
    let mut found = kind();
    found.quiet = Some(Quiet {
        pings: 3,
        min_gap_ns: Some(20 * SECOND),
        max_gap_ns: Some(20 * SECOND),
        ..Quiet::default()
    });
    found.idle = Some(Idle {
        watched_ns: 60 * SECOND,
        silent: Some(limit(Since::Ping, 20 * SECOND, how)),
        answering: None,
        talkers_too: false,
    });
    let text = scenario(&asked(), &found);
    read(&text);
    has(
        &text,
        &[
            "duration = \"1m28s\"",
            "name = \"healthy\"",
            "closed = 0",
            "pings_between = [\"16s\", \"24s\"]",
            "name = \"mute\"",
            "fault = { kind = \"no_pong\" }",
            "from = \"ping\"",
            "closed_between = [\"16s\", \"24s\"]",
            "code = 1011",
            "ends_with = \"close_frame\"",
            "tcp_end_within = \"1s\"",
        ],
    );
}

#[test]
fn a_window_allows_for_the_phases_that_nobody_saw() {
    let exact = limit(Since::Ping, 2 * SECOND, How::Fin);
    let range = |ms: [u64; 2], limit: Limit| Limit {
        least_ns: ms[0] * 1_000_000,
        most_ns: ms[1] * 1_000_000,
        ..limit
    };
    let one_phase = Limit {
        phases: 1,
        ..exact.clone()
    };
    let at_pings = Limit {
        ping_gap_ns: Some(SECOND),
        ..exact.clone()
    };
    for (limit, window) in [
        (exact.clone(), "[\"1.6s\", \"2.4s\"]"),
        // Of T to T + P with P at most T.
        (one_phase.clone(), "[\"750ms\", \"4.25s\"]"),
        (
            range([2_000, 3_000], exact.clone()),
            "[\"1.25s\", \"4.25s\"]",
        ),
        (range([100, 150], one_phase), "[\"0s\", \"1.35s\"]"),
        (range([1_000, 9_000], exact.clone()), "[\"0s\", \"18.25s\"]"),
        // One ping sooner, or later.
        (at_pings.clone(), "[\"750ms\", \"3.6s\"]"),
        (range([2_000, 3_000], at_pings), "[\"750ms\", \"4.25s\"]"),
    ] {
        let mut found = kind();
        found.idle = Some(Idle {
            watched_ns: 15 * SECOND,
            silent: Some(limit),
            answering: None,
            talkers_too: false,
        });
        let text = scenario(&asked(), &found);
        read(&text);
        has(&text, &[&format!("closed_between = {window}")]);
    }
}

#[test]
fn an_idle_limit_counts_from_the_open_and_the_healthy_keep_well_below_it() {
    let mut found = kind();
    for trial in &mut found.activity[..2] {
        trial.ending = Some(limit(Since::Open, 3 * SECOND, How::Fin).ending);
    }
    found.idle = Some(Idle {
        watched_ns: 15 * SECOND,
        silent: Some(limit(Since::Open, 3 * SECOND, How::Fin)),
        answering: Some(limit(Since::Open, 3 * SECOND, How::Fin)),
        talkers_too: false,
    });
    let text = scenario(&asked(), &found);
    read(&text);
    has(
        &text,
        &[
            "interval = \"1s\"",
            "closed = 0",
            "name = \"silent\"",
            "from = \"open\"",
            "closed_between = [\"2.4s\", \"3.6s\"]",
            "ends_with = \"fin\"",
        ],
    );
    assert!(!text.contains("no_pong"), "{text}");
}

#[test]
fn where_everybody_is_ended_the_end_is_expected_and_nothing_else() {
    let mut found = kind();
    let end = limit(Since::Open, 3 * SECOND, How::Fin);
    for trial in &mut found.activity {
        trial.ending = Some(end.ending.clone());
    }
    found.idle = Some(Idle {
        watched_ns: 15 * SECOND,
        silent: Some(end.clone()),
        answering: Some(end),
        talkers_too: true,
    });
    let text = scenario(&asked(), &found);
    let scenario = read(&text);
    let [cohort] = &scenario.cohorts[..] else {
        panic!("{text}");
    };
    assert_eq!(cohort.name, "ended");
    has(&text, &["closed_between = [\"2.4s\", \"3.6s\"]"]);
    for none in ["[[message]]", "[heartbeat]", "p90(", "timed_out"] {
        assert!(!text.contains(none), "{none}\n\n{text}");
    }
}

#[test]
fn an_end_that_pongs_do_not_put_off_is_not_blamed_on_missing_pongs() {
    let mut found = kind();
    for trial in &mut found.activity {
        trial.ending = Some(limit(Since::Open, 3 * SECOND, How::Fin).ending);
    }
    found.idle = Some(Idle {
        watched_ns: 15 * SECOND,
        silent: Some(limit(Since::Ping, 3 * SECOND, How::Fin)),
        answering: Some(limit(Since::Open, 3 * SECOND, How::Fin)),
        talkers_too: false,
    });
    let text = scenario(&asked(), &found);
    read(&text);
    has(&text, &["name = \"silent\""]);
    for none in ["name = \"mute\"", "closed = 0", "connections.lost"] {
        assert!(!text.contains(none), "{none}\n\n{text}");
    }
}

/// Each of the keys stands behind a `#`, and all of them make a scenario that is read.
#[test]
fn what_the_server_offers_can_be_taken_or_left() {
    let mut found = kind();
    found.handshake = Some(Handshake {
        subprotocol: Some("mqtt5".to_owned()),
        cookies: vec!["lb=…; Path=/".to_owned()],
        ..Handshake::default()
    });
    found.offers = Some(Offers {
        compression: CompressionOffer::Agreed {
            extension: "permessage-deflate".to_owned(),
            keeps_context: true,
            takes_context: true,
            server_bits: 15,
            client_bits: 15,
        },
        http2: Some(Http2Offer::WebSockets {
            max_streams: Some(6),
        }),
    });
    found.tls = Some(TlsOffer {
        version: "TLS 1.3".to_owned(),
        resumes: Some(false),
        other: Some(OtherVersion::Spoken {
            version: "TLS 1.2".to_owned(),
            cipher: "TLS_X".to_owned(),
            resumes: Some(true),
        }),
        client_certificate: ClientCertificate::NotNeeded,
        certificate: Some(ServerCertificate::default()),
        ..TlsOffer::default()
    });
    found.retry_after_s = Some(5);
    let asked = Asked {
        url: "wss://h/".to_owned(),
        ..Asked::default()
    };
    let text = scenario(&asked, &found);
    read(&text);
    let keys = [
        "compression = true",
        "http = \"2\"",
        "streams_per_connection = 6",
        "tls.versions = [\"1.2\"]",
        "tls.certificate = \"client.pem\"",
        "tls.key = \"client.key\"",
        "reconnect = { initial = \"500ms\", max = \"30s\", retry_after = true }",
    ];
    let is_key = |line: &&str| {
        keys.iter()
            .any(|key| line.starts_with(&format!("# {key}   # ")))
    };
    assert_eq!(text.lines().filter(is_key).count(), keys.len(), "{text}");
    let uncommented = |line: &str| match is_key(&line) {
        true => format!("{}\n", &line[2..]),
        false => format!("{line}\n"),
    };
    let taken: String = text.lines().map(uncommented).collect();
    let target = read(&taken).target;
    assert!(target.access.compression.is_some() && target.access.http.is_shared());
}
