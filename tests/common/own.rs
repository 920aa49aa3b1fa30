//! Certificates of servers and clients, made anew for each test.

use std::fs;

use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use tempfile::TempDir;

use super::peer::Setup;
use super::reception::Reception;

/// A certificate that its own key has signed, and that key, both as PEM.
pub struct Own {
    pub certificate: String,
    pub key: String,
}

impl Own {
    /// Those of `localhost`.
    pub fn new() -> Self {
        Self::of("localhost", |_| {})
    }

    /// Those of a name, with changes.
    pub fn of(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
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
    pub fn folder(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), &self.certificate).unwrap();
        folder
    }

    /// nginx with this certificate in front of a server, with more settings; its second address is without TLS.
    pub fn nginx(&self, behind: &Reception, settings: &str) -> Setup {
        self.server(Setup::of("nginx-tls.conf"))
            .place("behind", behind.address())
            .place("settings", settings)
    }

    /// The server of OpenSSL with this certificate and more options. It serves one connection after the other.
    pub fn s_server(&self, options: &str) -> Setup {
        let command = "openssl s_server -accept @listen@ -cert server.pem -key server.key ";
        self.server(Setup::command(&format!("{command}{options}")))
    }

    /// Gives both to a server, as `server.pem` and `server.key`.
    pub fn server(&self, setup: Setup) -> Setup {
        setup
            .file("server.pem", &self.certificate)
            .file("server.key", &self.key)
    }
}
