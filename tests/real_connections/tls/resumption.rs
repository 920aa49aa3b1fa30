//! Clients that are lost and come back: whether they resume their sessions, and whose certificate they show.

use std::fs;

use tempfile::TempDir;

use super::{Own, Peer, Reception, Running, Setup};
use crate::common::run::{Run, trusted};

/// So many connections of each kind.
const CONNECTIONS: u64 = 50;
/// So many certificates that they have in turn.
const IDENTITIES: u64 = 7;

/// The longest run in which all of them have to come back.
const MOST_SECONDS: u64 = 24;

/// A new folder with what the clients need.
fn folder(own: &Own) -> TempDir {
    let folder = own.folder();
    let clients = folder.path().join("clients");
    fs::create_dir(&clients).unwrap();
    for number in 0..IDENTITIES {
        let client = Own::of(&format!("client-{number}"), |_| {});
        let both = client.certificate + &client.key;
        fs::write(clients.join(format!("{number}.pem")), both).unwrap();
    }
    folder
}

/// Loses all connections of a peer once. `resumed` is how the peer says that a session was resumed; with `None` it keeps
/// none.
fn lost_and_back(resumed: Option<&str>, start: impl Fn(&Own, &Reception) -> Peer) {
    let mut seconds = 3;
    let (run, behind) = loop {
        let (run, behind) = trusted(|| {
            let (own, behind) = (Own::new(), Reception::open());
            let peer = start(&own, &behind);
            (run(&own, &peer, seconds), behind)
        });
        // On a busy machine the handshakes of all who come back take longer than the run.
        let is_cut = run.report.errors().contains_key("abandoned");
        if !is_cut || seconds >= MOST_SECONDS {
            break (run, behind);
        }
        seconds *= 2;
    };
    for name in ["own", "own-2", "off", "off-2"] {
        let counted = ["connections.opened", "tls.full", "tls.resumed"]
            .map(|counter| run.report.total_of(name, counter));
        let resumes = u64::from(resumed.is_some() && name.starts_with("own")) * CONNECTIONS;
        let expected = [2 * CONNECTIONS, 2 * CONNECTIONS - resumes, resumes];
        assert_eq!(counted, expected, "{name}: {:?}", run.report.errors());
    }
    // What the peer saw of each of them.
    let visits = behind.visits();
    for number in 0..4 * CONNECTIONS {
        let its = visits
            .iter()
            .filter(|visit| visit.resource == format!("/{number}"));
        let seen = its.map(|visit| {
            let is_resumed = visit.header("x-reused").as_deref() == resumed;
            (visit.header("x-client").unwrap(), is_resumed)
        });
        let who = format!("CN=client-{}", number % IDENTITIES);
        let resumes = resumed.is_some() && number < 2 * CONNECTIONS;
        let expected = [(who.clone(), false), (who, resumes)];
        assert_eq!(seen.collect::<Vec<_>>(), expected, "connection {number}");
    }
}

fn run(own: &Own, peer: &Peer, seconds: u64) -> Run {
    let cohort = |name: &str, version: &str, resumption: &str| {
        format!(
            r#"
            [[cohort]]
            name = "{name}"
            connections = {CONNECTIONS}
            target = {{ tls = {{ versions = ["{version}"], resumption = "{resumption}" }} }}
            "#
        )
    };
    let scenario = format!(
        r#"
        name = "lost"
        [target]
        url = "wss://{}/{{{{connection}}}}"
        ca = "ca.pem"
        tls = {{ server_name = "localhost", identities = "clients/" }}
        [path]
        reset = {{ after = "300ms" }}
        [load]
        ramp_up = "500ms"
        duration = "{seconds}s"
        ramp_down = "0s"
        reconnect = {{ initial = "100ms", max = "1s", jitter = "none" }}
        {}{}{}{}
        "#,
        peer.address(),
        cohort("own", "1.3", "own"),
        cohort("own-2", "1.2", "own"),
        cohort("off", "1.3", "off"),
        cohort("off-2", "1.2", "off"),
    );
    let ended = Running::start_in(folder(own), &scenario, &["--quiet"], &[]).end();
    Run {
        report: ended.report(),
        ended,
    }
}

#[test]
#[ignore = "needs nginx; run by scripts/test"]
fn who_was_lost_resumes_its_own_session_with_nginx() {
    lost_and_back(Some("r"), |own, behind| {
        own.nginx(behind, "ssl_verify_client optional_no_ca;")
            .start()
    });
}

#[test]
#[ignore = "needs HAProxy; run by scripts/test"]
fn who_was_lost_resumes_its_own_session_with_haproxy() {
    lost_and_back(Some("1"), |own, behind| {
        Setup::of("haproxy-tls.cfg")
            .file("server.pem", format!("{}{}", own.certificate, own.key))
            .place("behind", behind.address())
            .start()
    });
}

#[test]
#[ignore = "needs nginx; run by scripts/test"]
fn nobody_resumes_what_nginx_does_not_keep() {
    lost_and_back(None, |own, behind| {
        let settings =
            "ssl_verify_client optional_no_ca; ssl_session_tickets off; ssl_session_cache off;";
        own.nginx(behind, settings).start()
    });
}

/// The server of OpenSSL serves pages only, so each client is refused and dials again. Under TLS 1.2 it knows sessions
/// without tickets, too.
#[test]
#[ignore = "needs openssl; run by scripts/test"]
fn who_was_refused_resumes_only_what_openssl_keeps() {
    const CLIENTS: u64 = 100;
    for (version, options, resumes) in [
        ("1.2", "", true),
        ("1.3", "", true),
        ("1.2", "-no_ticket", true),
        ("1.3", "-no_ticket", false),
        ("1.2", "-no_ticket -no_cache", false),
    ] {
        let own = Own::new();
        let server = own.s_server(&format!("-www {options}")).start();
        let scenario = format!(
            r#"
            name = "refused"
            [target]
            url = "wss://{}/"
            ca = "ca.pem"
            connect_timeout = "20s"
            tls = {{ server_name = "localhost", versions = ["{version}"] }}
            [load]
            connections = {CLIENTS}
            ramp_up = "1s"
            duration = "2s"
            ramp_down = "0s"
            reconnect = {{ initial = "500ms", max = "1s", jitter = "none" }}
            "#,
            server.address()
        );
        let ended = Running::start_in(own.folder(), &scenario, &["--quiet"], &[]).end();
        let report = ended.report();
        let [full, resumed] = ["tls.full", "tls.resumed"].map(|name| report.count(name));
        let case = format!("TLS {version} {options}: {full} full, {resumed} resumed");
        match resumes {
            // How many dial again in that time depends on the machine.
            true => assert!(full == CLIENTS && resumed >= CLIENTS / 2, "{case}"),
            false => assert!(full >= CLIENTS + CLIENTS / 2 && resumed == 0, "{case}"),
        }
    }
}
