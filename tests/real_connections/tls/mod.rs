//! TLS that others end: nginx, HAProxy, and the server of OpenSSL.

mod causes;
mod keys;
mod resumption;

use std::fs;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use tempfile::TempDir;

use super::common::peer::{Peer, Setup};
use super::common::{Reception, Running};

/// A certificate that its own key has signed, and that key, both as PEM.
pub(super) struct Own {
    certificate: String,
    key: String,
}

impl Own {
    /// Those of `localhost`.
    pub(super) fn new() -> Self {
        Self::of("localhost", |_| {})
    }

    /// Those of a name, with changes.
    fn of(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut certificate = CertificateParams::new([name.to_owned()]).unwrap();
        certificate.distinguished_name = DistinguishedName::new();
        (certificate.distinguished_name).push(DnType::CommonName, name);
        change(&mut certificate);
        let key = KeyPair::generate().unwrap();
        Self {
            certificate: certificate.self_signed(&key).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// Returns a new folder with the certificate in `ca.pem`.
    fn folder(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), &self.certificate).unwrap();
        folder
    }

    /// nginx with this certificate in front of a server, with more settings; its second address is without TLS.
    pub(super) fn nginx(&self, behind: &Reception, settings: &str) -> Setup {
        self.server(Setup::of("nginx-tls.conf"))
            .place("behind", behind.address())
            .place("settings", settings)
    }

    /// The server of OpenSSL with this certificate and more options. It serves one connection after the other.
    fn s_server(&self, options: &str) -> Setup {
        let command = "openssl s_server -accept @listen@ -cert server.pem -key server.key ";
        self.server(Setup::command(&format!("{command}{options}")))
    }

    fn server(&self, setup: Setup) -> Setup {
        setup
            .file("server.pem", &self.certificate)
            .file("server.key", &self.key)
    }
}

#[test]
#[ignore = "needs nginx; run by scripts/test"]
fn each_version_of_tls_is_spoken_with_nginx() {
    let (behind, own) = (Reception::open(), Own::new());
    let nginx = own.nginx(&behind, "").start();
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
