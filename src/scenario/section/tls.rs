//! `[target.tls]`: which servers are trusted, who the clients are, and how TLS is spoken.

mod identities;
mod pem;

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

pub use self::identities::Identities;
use self::pem::read_pem;
use crate::scenario::reading::{At, Items as _, Key, List, Section, keys, nearest, words};

/// The most public keys of servers.
const MAX_PINS: usize = 64;

/// How TLS is spoken with a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsSettings {
    /// Which certificates to trust.
    pub trust: Trust,
    /// SHA-256 of the public keys (SubjectPublicKeyInfo) that a server may have; any, if it is empty.
    pub pins: Vec<[u8; 32]>,
    /// What the server is called.
    pub server_name: ServerNameIs,
    /// The certificates of the clients.
    pub identities: Identities,
    /// The versions to offer. Not empty.
    pub versions: Vec<TlsVersion>,
    /// The cipher suites to offer, in this order; if it is empty, all that wsbench knows.
    pub ciphers: Vec<&'static str>,
    /// The groups for the key exchange, in this order; if it is empty, all that wsbench knows.
    pub groups: Vec<&'static str>,
    /// Whether clients resume their sessions.
    pub resumption: Resumption,
    /// The file that secrets of sessions are appended to; only the command line names one.
    pub key_log: Option<PathBuf>,
}

impl Default for TlsSettings {
    fn default() -> Self {
        Self {
            trust: Trust::System,
            pins: Vec::new(),
            server_name: ServerNameIs::Address,
            identities: Identities::None,
            versions: TlsVersion::ALL.to_vec(),
            ciphers: Vec::new(),
            groups: Vec::new(),
            resumption: Resumption::Own,
            key_log: None,
        }
    }
}

/// Which certificates to trust under `wss://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The system's root certificates.
    System,
    /// Only the certificates in this PEM file.
    File(PathBuf),
    /// Any certificate. For tests.
    Anyone,
    /// Those with a public key that is pinned.
    Pinned,
}

/// What a server is called, for SNI (RFC 6066 section 3) and for the check of its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerNameIs {
    /// As in its address.
    Address,
    /// This.
    Given(String),
    /// As in its address, without SNI.
    Unsaid,
}

words! {
    /// A version of TLS.
    pub enum TlsVersion {
        /// RFC 8446.
        #[serde(rename = "1.3")]
        #[strum(serialize = "1.3")]
        V13,
        /// RFC 5246.
        #[serde(rename = "1.2")]
        #[strum(serialize = "1.2")]
        V12,
    }
}

/// The cipher suites that can be offered, by their names in the registry of IANA, save that those of TLS 1.3 begin with
/// `TLS13`.
const CIPHERS: [&str; 9] = [
    "TLS13_AES_256_GCM_SHA384",
    "TLS13_AES_128_GCM_SHA256",
    "TLS13_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
];

/// The groups that can be offered, by their names in the registry of IANA.
const GROUPS: [&str; 3] = ["X25519", "secp256r1", "secp384r1"];

words! {
    /// Whether clients resume their sessions.
    pub enum Resumption {
        /// Each with its own newest ticket, when it reconnects.
        Own,
        /// All handshakes are full.
        Off,
    }
}

keys! {
    /// How TLS is spoken under `wss://` and `https://`.
    #[serde(expecting = "a table")]
    TlsTable = "Tls" {
        /// A PEM file with the only certificates to trust: authorities, or the server's own; relative to the scenario
        /// file. In short: `target.ca`.
        ca: String,
        /// Trust any certificate. In short: `target.insecure`.
        insecure: bool = false,
        /// Public keys that the server may have, written as for `curl --pinnedpubkey`: "sha256//…". Without `ca`, nothing
        /// else of its certificate matters: neither who issued it nor for which name.
        pin: List<At<String>>,
        /// What the server is called, for SNI and the check of its certificate; "none": no SNI, and the check is by the
        /// address.
        server_name: String,
        /// A PEM file with the certificate of all clients, and those that lead to its authority; the key may be in it.
        certificate: String,
        /// A PEM file with the key of `certificate`, not encrypted.
        key: String,
        /// A folder of PEM files with a certificate and its key each: connection i has the i-th, in turn.
        identities: String,
        /// The versions to offer: "1.3" and "1.2". Default: both.
        versions: List<At<TlsVersion>>,
        /// The cipher suites to offer, in this order, such as "TLS13_AES_128_GCM_SHA256". Default: all that wsbench knows.
        ciphers: List<At<String>>,
        /// The groups for the key exchange, in this order: "X25519", "secp256r1" or "secp384r1". Default: all of these.
        groups: List<At<String>>,
        /// Whether clients resume their sessions: "own", each with its own ticket when it reconnects; or "off".
        resumption: Resumption = Resumption::Own,
    }
}

/// Resolves the settings. `section` is the table that the keys are said to stand in.
pub(super) fn resolve(section: &mut Section<'_, '_>, keys: &TlsTable) -> TlsSettings {
    let (versions, ciphers) = (
        keys.versions(section),
        known(section, "ciphers", &keys.ciphers, &CIPHERS),
    );
    let is_of = |version: &TlsVersion, cipher: &str| {
        cipher.starts_with("TLS13") == (*version == TlsVersion::V13)
    };
    let fits = |version| ciphers.iter().any(|cipher| is_of(version, cipher));
    if !ciphers.is_empty() && !versions.iter().any(fits) {
        let hint = "ciphers of TLS 1.3 begin with TLS13, those of 1.2 with TLS_";
        section.wrong("ciphers", &keys.ciphers, "has none for `versions`", hint);
    }
    TlsSettings {
        pins: keys.pins(section),
        trust: keys.trust(section),
        server_name: keys.server_name(section),
        identities: keys.identities(section),
        versions,
        ciphers,
        groups: known(section, "groups", &keys.groups, &GROUPS),
        resumption: keys.resumption(),
        key_log: None,
    }
}

impl TlsTable {
    /// Leaves nothing of the answer to whom to trust.
    pub(in crate::scenario) fn forget_trust(&mut self) {
        (self.ca, self.insecure, self.pin) = (None, None, None);
    }

    /// Leaves nothing of the answer to who the clients are.
    pub(in crate::scenario) fn forget_identity(&mut self) {
        (self.certificate, self.key, self.identities) = (None, None, None);
    }

    fn trust(&self, section: &mut Section<'_, '_>) -> Trust {
        let Some(ca) = &self.ca else {
            return match (self.insecure(), &self.pin) {
                (true, _) => Trust::Anyone,
                (false, Some(_)) => Trust::Pinned,
                (false, None) => Trust::System,
            };
        };
        if self.insecure() {
            let what = "cannot be used with `insecure`, which trusts any certificate";
            section.wrong("ca", &self.ca, what, "leave out one of them");
        }
        let Some((path, pem)) = read_pem(section, "ca", ca) else {
            return Trust::System;
        };
        if !pem.has_certificate {
            let hint = "it begins with -----BEGIN CERTIFICATE-----";
            section.wrong_at("ca", &ca.place, "holds no certificate", hint);
        }
        Trust::File(path)
    }

    fn pins(&self, section: &mut Section<'_, '_>) -> Vec<[u8; 32]> {
        const KEY: &str = "pin";
        if self.pin.is_some() && self.insecure() {
            let what = "cannot be used with `insecure`, which trusts any certificate";
            section.wrong(KEY, &self.pin, what, "leave out one of them");
        }
        let given = self.pin.items();
        if given.len() > MAX_PINS {
            let what = format_args!("has more than {MAX_PINS} entries");
            section.wrong(KEY, &self.pin, what, None);
        }
        if self.pin.is_some() && given.is_empty() {
            let hint = "write the server's public key, or leave it out";
            section.wrong(KEY, &self.pin, "is empty", hint);
        }
        let mut pins = Vec::new();
        for pin in given {
            match pinned(&pin.value) {
                Some(key) => pins.push(key),
                None => {
                    let what = "has an entry that is not \"sha256//\" and 32 bytes in Base64";
                    let hint = "openssl x509 -in server.pem -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64";
                    section.wrong_at(KEY, &pin.place, what, hint);
                }
            }
        }
        pins
    }

    fn server_name(&self, section: &mut Section<'_, '_>) -> ServerNameIs {
        let Some(At { value, .. }) = &self.server_name else {
            return ServerNameIs::Address;
        };
        if value == "none" {
            return ServerNameIs::Unsaid;
        }
        let is_label = |label: &str| {
            let is_of_name = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
            !label.is_empty() && label.len() < 64 && label.bytes().all(is_of_name)
        };
        if value.len() > 253 || !value.split('.').all(is_label) {
            let hint = "write it like \"chat.example.org\", or \"none\"";
            section.wrong(
                "server_name",
                &self.server_name,
                "is no name of a server",
                hint,
            );
        }
        ServerNameIs::Given(value.clone())
    }

    fn versions(&self, section: &mut Section<'_, '_>) -> Vec<TlsVersion> {
        const KEY: &str = "versions";
        let given = self.versions.items();
        if let Some(list) = self.versions.as_ref().filter(|_| given.is_empty()) {
            let key = section.key(KEY);
            (section.check).empty(&list.place, &key, "write [\"1.3\"], or leave it out");
        }
        match given {
            [] => TlsVersion::ALL.to_vec(),
            given => given.iter().map(|version| version.value).collect(),
        }
    }
}

/// The key of a pin.
fn pinned(text: &str) -> Option<[u8; 32]> {
    let bytes = STANDARD.decode(text.strip_prefix("sha256//")?).ok()?;
    bytes.try_into().ok()
}

/// The names that are given, each of which has to be one of `all`.
fn known(
    section: &mut Section<'_, '_>,
    key: &str,
    given: &Key<List<At<String>>>,
    all: &'static [&'static str],
) -> Vec<&'static str> {
    let name = section.key(key);
    if let Some(list) = given.as_ref().filter(|list| list.value.0.is_empty()) {
        let hint = "leave it out for all that wsbench knows";
        section.check.empty(&list.place, &name, hint);
    }
    section.check.unique(&name, given.items().iter());
    let mut names = Vec::new();
    for name in given.items() {
        match all.iter().find(|known| **known == name.value) {
            Some(known) => names.push(*known),
            None => {
                let what = format_args!("has `{}`, which wsbench does not know", name.value);
                let hint = match nearest(&name.value, all.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known are {}", all.join(", ")),
                };
                section.wrong_at(key, &name.place, what, hint.as_str());
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::path::Path;

    use super::*;
    use crate::scenario::{Outside, Overrides, Scenario, Source, parse};

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\n";
    const ENCRYPTED: &str = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n";

    /// Files by name, and a folder with two identities.
    fn read(path: &Path) -> io::Result<Vec<u8>> {
        let bytes = match path.to_str().unwrap() {
            "chain.pem" => CERTIFICATE.as_bytes().to_vec(),
            "plain.key" => KEY.as_bytes().to_vec(),
            "secret.key" => ENCRYPTED.as_bytes().to_vec(),
            "both.pem" | "clients/a.pem" | "clients/b.pem" => [CERTIFICATE, KEY].concat().into(),
            "lacking/a.pem" => CERTIFICATE.as_bytes().to_vec(),
            "locked.pem" | "locked/a.pem" => [CERTIFICATE, ENCRYPTED].concat().into(),
            "client.p12" | "p12.pem" | "bags/a.pem" => vec![0x30, 0x82, 9, 9, 2, 1, 3, 0x30],
            "client.der" => vec![0x30, 0x82, 3, 9, 0x30, 0x82, 1, 0xF1, 0xA0],
            "key.der" => vec![0x30, 0x77, 2, 1, 1, 4, 32],
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(bytes)
    }

    fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
        let names = match folder.to_str().unwrap() {
            "clients" => vec!["clients/a.pem", "clients/b.pem", "clients/readme.txt"],
            "lacking" => vec!["lacking/a.pem"],
            "locked" => vec!["locked/a.pem"],
            "bags" => vec!["bags/a.pem"],
            "foreign" => vec!["foreign/a.p12"],
            "empty" => vec![],
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(names.into_iter().map(PathBuf::from).collect())
    }

    pub(super) fn with(keys: &str) -> Result<Scenario, String> {
        let text = format!(
            "name = \"x\"\nload = {{ connections = 1, duration = \"2s\" }}\n[target]\nurl = \"wss://h/\"\n[target.tls]\n{keys}\n"
        );
        let source = Source {
            name: "x.toml".into(),
            text,
        };
        let outside = Outside {
            env: &|_| None,
            read: &read,
            list: &list,
        };
        parse(&source, &Overrides::default(), &outside).map_err(|problems| problems.to_string())
    }

    #[test]
    fn a_pin_alone_stands_in_place_of_the_chain() {
        let pin = "pin = [\"sha256//YLh1dUR9y6Kja30RrAn7JKnbQG/uEtLMkBgFF2Fuihg=\"]";
        let tls = |keys: &str| with(keys).unwrap().target.access.tls;
        assert_eq!(tls(pin).trust, Trust::Pinned);
        assert_eq!(tls(pin).pins.len(), 1);
        let with_ca = tls(&format!("{pin}\nca = \"chain.pem\""));
        assert_eq!(with_ca.trust, Trust::File("chain.pem".into()));
        assert_eq!(tls("").trust, Trust::System);
    }
}
