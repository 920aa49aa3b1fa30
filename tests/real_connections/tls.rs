//! TLS that others end: nginx, haproxy, and the server of OpenSSL.

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;

use super::common::peer::{Peer, Setup};
use super::common::{Reception, Running};

/// The certificate and the key of a server, as PEM.
struct Own {
    certificate: String,
    key: String,
}

impl Own {
    /// Those of `localhost`.
    fn new() -> Self {
        let own = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let CertifiedKey { cert, signing_key } = own;
        Self {
            certificate: cert.pem(),
            key: signing_key.serialize_pem(),
        }
    }

    /// Returns a new folder with the certificate in `ca.pem`.
    fn folder(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), &self.certificate).unwrap();
        folder
    }
}

/// nginx in front of a server, with more settings.
fn nginx(behind: &Reception, own: &Own, settings: &str) -> Peer {
    Setup::of("nginx-tls.conf")
        .file("server.pem", &own.certificate)
        .file("server.key", &own.key)
        .place("behind", behind.address())
        .place("settings", settings)
        .start()
}

#[test]
#[ignore = "needs nginx; run by scripts/test"]
fn each_version_of_tls_is_spoken_with_nginx() {
    let (behind, own) = (Reception::open(), Own::new());
    let nginx = nginx(&behind, &own, "");
    let scenario = format!(
        r#"
        name = "nginx"
        [target]
        url = "wss://{at}/"
        ca = "ca.pem"
        tls = {{ server_name = "localhost" }}
        [load]
        ramp_up = "200ms"
        duration = "1s"
        ramp_down = "0s"
        [[cohort]]
        name = "new"
        connections = 25
        target = {{ url = "wss://{at}/TLSv1.3", tls = {{ versions = ["1.3"] }} }}
        [[cohort]]
        name = "old"
        connections = 25
        target = {{ url = "wss://{at}/TLSv1.2", tls = {{ versions = ["1.2"] }} }}
        [[message]]
        name = "long"
        rate = "20/s"
        payload = {{ size = "20KiB" }}
        [gates]
        pass = ["count(tls.full) == 50", "count(messages.echoed) >= 500"]
        "#,
        at = nginx.address()
    );
    let ended = Running::start_in(own.folder(), &scenario, &["--quiet"], &[]).end();
    assert_eq!(ended.code, 0, "{} {}", ended.stdout, ended.stderr);
    let visits = behind.visits();
    assert_eq!(visits.len(), 50);
    for visit in visits {
        let protocol = visit.header("x-protocol").unwrap();
        assert_eq!(visit.resource, format!("/{protocol}"));
    }
}
