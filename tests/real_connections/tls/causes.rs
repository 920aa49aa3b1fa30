//! Each way in which TLS fails: counted under its cause, in its phase, with words of what is wrong.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use rcgen::date_time_ymd;
use tempfile::TempDir;

use super::{Own, Peer, Reception, Running};
use crate::common::process;

/// So many connections for each.
const CONNECTIONS: u64 = 3;

/// Where a connection fails.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Phase {
    /// The handshake of TLS.
    Tls,
    /// The upgrade behind it.
    Upgrade,
}

/// Servers that fail, each with a cohort of clients.
struct Trials {
    servers: Vec<Peer>,
    cohorts: String,
    expected: Vec<Expected>,
    /// Where the scenario and its files stand.
    folder: TempDir,
}

struct Expected {
    cohort: &'static str,
    cause: &'static str,
    phase: Phase,
    /// Words of the detail.
    words: &'static str,
}

impl Trials {
    fn new() -> Self {
        Self {
            servers: Vec::new(),
            cohorts: String::new(),
            expected: Vec::new(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Adds clients of a server of OpenSSL.
    fn of_openssl(&mut self, own: &Own, options: &str, tls: &str, expected: Expected) {
        let server = own.s_server(&format!("-www {options}")).start();
        self.of(own, server.address(), tls, expected);
        self.servers.push(server);
    }

    /// Adds clients of a server, who trust its certificate.
    fn of(&mut self, own: &Own, address: SocketAddr, tls: &str, expected: Expected) {
        let cohort = expected.cohort;
        let ca = format!("{cohort}.pem");
        fs::write(self.folder.path().join(&ca), &own.certificate).unwrap();
        let ca = match tls.contains("ca = ") {
            true => String::new(),
            false => format!("ca = \"{ca}\""),
        };
        self.cohorts += &format!(
            r#"
            [[cohort]]
            name = "{cohort}"
            connections = {CONNECTIONS}
            [cohort.target]
            url = "wss://{address}/"
            [cohort.target.tls]
            server_name = "localhost"
            {ca}
            {tls}
            "#
        );
        self.expected.push(expected);
    }

    /// Runs all of it, and compares.
    fn run(self) {
        let scenario = format!(
            r#"
            name = "causes"
            [target]
            url = "wss://127.0.0.1:1/"
            [load]
            ramp_up = "200ms"
            duration = "500ms"
            {}
            "#,
            self.cohorts
        );
        let ended = Running::start_in(self.folder, &scenario, &["--quiet"], &[]).end();
        let report = ended.report();
        for Expected {
            cohort,
            cause,
            phase,
            words,
        } in self.expected
        {
            let count = |name: &str| report.total_of(cohort, name);
            let failed = count(&format!("errors.{cause}"));
            let examples = report.examples(cause);
            assert_eq!(failed, CONNECTIONS, "{cohort}: {:?}", report.errors());
            assert!(examples.contains(words), "{cohort}: {examples}");
            let shaken = count("tls.full");
            let expected = if phase == Phase::Tls { 0 } else { CONNECTIONS };
            assert_eq!(shaken, expected, "{cohort}: handshakes of TLS");
        }
    }
}

/// The certificate as an authority that knows no extensions makes it: X.509 version 1.
fn version_1(own: &Own) -> Own {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("key"), &own.key).unwrap();
    let openssl = |words: &str| {
        let done = process::command("openssl")
            .args(words.split(' '))
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    openssl("req -new -key key -subj /CN=localhost -out request");
    openssl("x509 -req -in request -signkey key -days 2 -out certificate");
    Own {
        certificate: fs::read_to_string(path("certificate")).unwrap(),
        key: own.key.clone(),
    }
}

#[test]
#[ignore = "needs openssl and nginx; run by scripts/test"]
fn each_failure_of_tls_has_its_cause_and_its_phase() {
    let mut trials = Trials::new();
    let own = Own::new();
    let expect = |cohort, cause, phase, words| Expected {
        cohort,
        cause,
        phase,
        words,
    };

    // Whom to trust.
    let old = Own::of("localhost", |it| it.not_after = date_time_ymd(2020, 1, 1));
    let expected = expect("old", "tls_expired", Phase::Tls, "it expired ");
    trials.of_openssl(&old, "", "", expected);
    let early = Own::of("localhost", |it| it.not_before = date_time_ymd(2100, 1, 1));
    let expected = expect("early", "tls_expired", Phase::Tls, "not valid yet, but in ");
    trials.of_openssl(&early, "", "", expected);
    let named = Own::of("a.example", |_| {});
    let words = "it is for a.example, not for localhost";
    trials.of_openssl(
        &named,
        "",
        "",
        expect("named", "tls_name", Phase::Tls, words),
    );
    let words = "no authority that is trusted has issued it";
    let expected = expect("stranger", "tls_untrusted", Phase::Tls, words);
    trials.of_openssl(&own, "", "ca = \"named.pem\"", expected);
    let words = "self-signed, or of a kind that is not trusted";
    let expected = expect("version-1", "tls_untrusted", Phase::Tls, words);
    trials.of_openssl(&version_1(&own), "", "", expected);
    let pin = "pin = [\"sha256//YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=\"]";
    let words = "its public key is sha256//";
    trials.of_openssl(
        &own,
        "",
        pin,
        expect("pinned", "tls_pin", Phase::Tls, words),
    );

    // What is spoken.
    let expected = expect(
        "slow",
        "tls_version",
        Phase::Tls,
        "alert 70, protocol version",
    );
    trials.of_openssl(&own, "-tls1_1 -cipher DEFAULT@SECLEVEL=0", "", expected);
    let expected = expect(
        "new",
        "tls_version",
        Phase::Tls,
        "alert 70, protocol version",
    );
    trials.of_openssl(&own, "-tls1_2", "versions = [\"1.3\"]", expected);
    let ciphers = "ciphers = [\"TLS13_CHACHA20_POLY1305_SHA256\"]\nversions = [\"1.3\"]";
    let expected = expect(
        "cipher",
        "tls_version",
        Phase::Tls,
        "alert 40, handshake failure",
    );
    trials.of_openssl(
        &own,
        "-ciphersuites TLS_AES_128_GCM_SHA256",
        ciphers,
        expected,
    );
    let words = "does not offer `http/1.1`";
    trials.of_openssl(
        &own,
        "-alpn foo",
        "",
        expect("alpn", "tls_alpn", Phase::Tls, words),
    );

    // Who the clients are. Under TLS 1.3 the server looks at it when its clients have finished already.
    const REQUIRED: &str = "-Verify 1 -verify_return_error";
    let words = "the server requires a client certificate (alert 116, certificate required)";
    let expected = expect("nobody", "tls_client_cert", Phase::Upgrade, words);
    trials.of_openssl(&own, REQUIRED, "versions = [\"1.3\"]", expected);
    let words = "the server requires a client certificate";
    let expected = expect("nobody-2", "tls_client_cert", Phase::Tls, words);
    trials.of_openssl(&own, REQUIRED, "versions = [\"1.2\"]", expected);
    let other = Own::of("other", |_| {});
    write(
        trials.folder.path(),
        "other-client.pem",
        &[&other.certificate, &other.key],
    );
    let tls = "certificate = \"other-client.pem\"";
    let expected = expect("other", "tls_client_cert", Phase::Upgrade, "alert ");
    trials.of_openssl(&own, REQUIRED, tls, expected);

    // What nginx says, and what a port without TLS does.
    let behind = Reception::open();
    let settings = "ssl_verify_client on; ssl_client_certificate server.pem;";
    let server = own.nginx(&behind, settings).start();
    let words = "HTTP/1.1 400 Bad Request";
    let expected = expect("nginx", "http_status", Phase::Upgrade, words);
    trials.of(&own, server.address(), "", expected);
    let words = "the server's answer is not TLS: \\\"HTTP/1.1 400 Bad Request";
    let expected = expect("plain", "tls_not_spoken", Phase::Tls, words);
    trials.of(&own, server.addresses()[1], "", expected);
    let rejecting = own.nginx(&behind, "ssl_reject_handshake on;").start();
    let words = "the server refused: alert 112, unrecognised name";
    let expected = expect("rejected", "tls_alert", Phase::Tls, words);
    trials.of(&own, rejecting.address(), "", expected);
    trials.run();
}

fn write(folder: &Path, name: &str, texts: &[&str]) {
    fs::write(folder.join(name), texts.concat()).unwrap();
}
